//! Connections that nothing needs for now, kept for the next request on the same line.
//!
//! Bounded for each line and in all, and none is kept for long. One that was opened as somebody is
//! never used as somebody else: the other side has seen another certificate, or has shown one that
//! does not count for all. What many requests share stays here while they do. Never opens one.

use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use tokio::task::JoinSet;
use tokio::task::coop::unconstrained;

use super::carrier::Carrier;
use super::connection::Connection;
use super::http2::{Http2, Stream};
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
    /// Whether they may go over HTTP/2.
    pub(super) http2: bool,
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
    /// With requests on them, or without. The oldest is the first, so that the others come to rest.
    shared: FxHashMap<Line, Vec<Arc<Http2>>>,
    /// Closes what is kept for too long.
    sweeping: JoinSet<()>,
}

impl Pool {
    fn idle(&self) -> MutexGuard<'_, Idle> {
        lock(&self.idle)
    }

    /// The connection on this line that was used last, or a part of one that is shared, if there is
    /// one.
    pub(super) fn take(&self, line: &Line) -> Option<Carrier> {
        let mut idle = self.idle();
        let Idle { connections, count, shared, .. } = &mut *idle;
        if let Some(kept) = connections.get_mut(line) {
            while let Some((connection, _)) = kept.pop() {
                *count -= 1;
                if !connection.is_closed() {
                    return Some(Carrier::Http1(connection));
                }
            }
            connections.remove(line);
        }
        shared.get(line)?.iter().find_map(Http2::stream).map(Carrier::Http2)
    }

    /// Keeps a connection that is free for another request, if there is room. On any other nobody
    /// would move what is still to be sent.
    pub(super) fn put(self: &Arc<Self>, line: Line, carrier: Carrier) {
        let Carrier::Http1(connection) = carrier else { return };
        let mut idle = self.idle();
        if !connection.is_free() || idle.count >= IN_ALL {
            return;
        }
        let kept = idle.connections.entry(line).or_default();
        if kept.len() < PER_LINE {
            kept.push((connection, Instant::now()));
            idle.count += 1;
        }
        self.have_swept(&mut idle);
    }

    /// Lets others on this line share a connection that was opened, where it can be shared. Where
    /// somebody else has opened one meanwhile that has room, it gives a part of that.
    pub(super) fn share(self: &Arc<Self>, line: &Line, opened: Carrier) -> Carrier {
        match opened {
            Carrier::Http2(stream) => Carrier::Http2(self.share_stream(line, stream)),
            own @ Carrier::Http1(_) => own,
        }
    }

    fn share_stream(self: &Arc<Self>, line: &Line, opened: Stream) -> Stream {
        let mut idle = self.idle();
        let in_all: usize = idle.shared.values().map(Vec::len).sum();
        let shared = idle.shared.entry(line.clone()).or_default();
        shared.retain(|connection| connection.is_kept(IDLE_MAX));
        if let Some(stream) = shared.iter().find_map(Http2::stream) {
            return stream;
        }
        if in_all < IN_ALL {
            shared.push(opened.connection());
            self.have_swept(&mut idle);
        }
        opened
    }

    fn have_swept(self: &Arc<Self>, idle: &mut Idle) {
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
        idle.shared.retain(|_, shared| {
            shared.retain(|connection| connection.is_kept(IDLE_MAX));
            !shared.is_empty()
        });
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
