//! Connections that nothing needs for now, kept for the next request on the same line.
//!
//! Bounded for each line and in all, and none is kept for long. One that was opened as somebody is
//! never used as somebody else: the other side has seen another certificate, or has shown one that
//! does not count for all. Never opens one.

use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use tokio::task::JoinSet;
use tokio::task::coop::unconstrained;

use super::connection::Connection;
use super::identity::Identity;
use super::origin::Origin;
use crate::lock::lock;

/// A connection that nothing needs is kept for so long.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// So many of them for one line.
const PER_LINE: usize = 32;
/// So many in all.
const IN_ALL: usize = 1024;

/// Whom connections may serve: requests to an origin, from somebody.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Line {
    pub(super) origin: Arc<Origin>,
    pub(super) identity: Identity,
}

#[derive(Debug, Default)]
pub(super) struct Pool {
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    /// The newest is the last. Lines are configured.
    connections: FxHashMap<Line, Vec<(Connection, Instant)>>,
    count: usize,
    /// Closes what is kept for too long.
    sweeping: JoinSet<()>,
}

impl Pool {
    fn idle(&self) -> MutexGuard<'_, Idle> {
        lock(&self.idle)
    }

    /// The connection on this line that was used last, if there is one.
    pub(super) fn take(&self, line: &Line) -> Option<Connection> {
        let mut idle = self.idle();
        let Idle { connections, count, .. } = &mut *idle;
        let kept = connections.get_mut(line)?;
        while let Some((connection, _)) = kept.pop() {
            *count -= 1;
            if !connection.is_closed() {
                return Some(connection);
            }
        }
        connections.remove(line);
        None
    }

    /// Keeps a connection that is free for another request, if there is room. On any other nobody
    /// would move what is still to be sent.
    pub(super) fn put(self: &Arc<Self>, line: Line, connection: Connection) {
        let mut idle = self.idle();
        if !connection.is_free() || idle.count >= IN_ALL {
            return;
        }
        let kept = idle.connections.entry(line).or_default();
        if kept.len() < PER_LINE {
            kept.push((connection, Instant::now()));
            idle.count += 1;
        }
        if idle.sweeping.is_empty() {
            let pool = Arc::downgrade(self);
            // It looks at many connections at once, and each look counts as work.
            idle.sweeping.spawn(unconstrained(sweep(pool)));
        }
    }

    /// Closes what was kept for too long, and what the other side has closed.
    pub(super) fn close_old(&self) {
        let mut idle = self.idle();
        let mut count = 0;
        idle.connections.retain(|_, kept| {
            kept.retain_mut(|(connection, since)| {
                since.elapsed() < IDLE_MAX && !connection.was_closed()
            });
            count += kept.len();
            !kept.is_empty()
        });
        idle.count = count;
    }
}

async fn sweep(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(IDLE_MAX / 2).await;
        match pool.upgrade() {
            Some(pool) => pool.close_old(),
            None => return,
        }
    }
}
