//! Connections from outside: accepted up to a limit, served over HTTP/1.1 or HTTP/2, and drained at
//! the end.
//!
//! Stands before the router of whoever listens. A peer that keeps the gateway waiting, to agree on
//! TLS, for the head of a request or to read its answer, is hung up on after a time; in a full
//! table those who keep it waiting make room for who comes next, and no trouble with accepting ends
//! the listener. Never looks at a request.

mod announcement;
#[cfg(test)]
mod arriving;
mod connection;
mod exchange;
mod front;
mod http1;
mod http2;
mod issuers;
mod proxies;
mod serving;
mod socket;
mod stream;
mod table;
mod timer;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpSocket};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use self::exchange::Service;
use self::serving::Serving;
use self::socket::Wire;
pub(crate) use self::table::counted;
use self::table::{Place, Table};
use crate::metrics::{HungUp, Metrics};

#[cfg(test)]
pub(crate) use self::arriving::arriving;
pub(crate) use self::connection::Connection;
pub(crate) use self::exchange::{Answering, Answers};
pub(crate) use self::front::Front;
pub(crate) use self::issuers::{Issuers, Stranger};
pub(crate) use self::proxies::Proxies;
pub(crate) use self::socket::Socket;
pub(crate) use self::tls::Tls;

/// How much of it at once, and how patiently.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections that are open at the same time.
    pub(crate) connections_max: usize,
    /// Of these, how many one address may have. An IPv6 network of /64 counts as one address, and
    /// this machine's own addresses and trusted proxies may have all.
    pub(crate) connections_per_address: usize,
    /// How long a peer may take to agree on TLS.
    pub(crate) handshake: Duration,
    /// How long it may then take for the head of its first request, and for the rest of a later
    /// one.
    pub(crate) head: Duration,
    /// How long it may take to read some of an answer.
    pub(crate) stall: Duration,
    /// For how long a connection is kept on which a request was answered and no other has begun.
    pub(crate) idle: Duration,
    /// Whether a peer that has closed its sending side gets its answer all the same. Without, a
    /// request ends when its peer hangs up.
    pub(crate) half_close: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            connections_per_address: usize::MAX,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            stall: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            half_close: false,
        }
    }
}

/// How long to wait when the system has nothing to accept with.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often to look for room for a connection that waits for it.
const ROOM_PAUSE: Duration = Duration::from_millis(100);

/// Connections that the system keeps until they are accepted. Beyond it, a peer that says nothing
/// waits for ever: it takes itself for connected, and the gateway does not know of it.
const BACKLOG: u32 = 4096;

/// Listens on an address. Its port can be taken again as soon as the socket is closed.
///
/// # Errors
///
/// The address is taken, or is none of this machine.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // Elsewhere it would let two processes listen on one port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// A socket to serve on.
#[derive(Debug)]
pub(crate) struct Port {
    /// Where peers connect to.
    pub(crate) socket: Socket,
    /// What its connections are counted under.
    pub(crate) name: &'static str,
    /// How many peers, and how patiently.
    pub(crate) limits: Limits,
    /// What peers meet first.
    pub(crate) front: Arc<Front>,
    pub(crate) metrics: Metrics,
}

impl Port {
    /// Serves `app` until cancelled; then closes what is idle, finishes what is in flight, and
    /// returns. Dropping it hangs up on everybody.
    pub(crate) async fn serve(self, app: impl Answers, cancel: CancellationToken) {
        let Self { socket, name, limits, front, metrics } = self;
        let service = Service { app: Arc::new(app), limits, cancel: cancel.clone() };
        let serving = Serving { service, front };
        let table = Table::new(limits.connections_max, limits.connections_per_address);
        let mut open = Open { name, metrics, serving, table, tasks: JoinSet::new(), waiting: None };
        let mut failing = false;
        loop {
            let has_room = open.waiting.is_none();
            tokio::select! {
                () = cancel.cancelled() => break,
                accepted = accept(&socket, &mut failing), if has_room => match accepted {
                    Some((stream, peer)) => open.take(stream, peer),
                    None => open.make_room(),
                },
                Some(ended) = open.tasks.join_next_with_id() => open.leave(ended),
                () = tokio::time::sleep(ROOM_PAUSE), if !has_room => open.try_again(),
            }
        }
        // Who is still in the kernel's queue may try the next instance at once.
        drop(socket);
        open.waiting = None;
        while let Some(ended) = open.tasks.join_next_with_id().await {
            open.leave(ended);
        }
    }
}

/// The connections of one port.
struct Open {
    name: &'static str,
    metrics: Metrics,
    serving: Serving,
    table: Table,
    tasks: JoinSet<Option<HungUp>>,
    /// A connection for which there was no room yet.
    waiting: Option<(Wire, SocketAddr)>,
}

impl Open {
    fn take(&mut self, stream: Wire, peer: SocketAddr) {
        // Who speaks for others has no share of its own.
        let has_share = !self.serving.front.trusts(peer.ip());
        let (place, closed) = self.table.place(peer.ip(), has_share, Instant::now());
        self.metrics.hung_up(self.name, HungUp::Displaced, closed);
        match place {
            Place::Free => {
                let connection = Arc::new(Connection::new(peer));
                let served = self.serving.clone().serve(stream, Arc::clone(&connection));
                let task = self.tasks.spawn(served);
                self.table.enter(connection, task);
            }
            Place::Full => self.waiting = Some((stream, peer)),
            Place::Refused => {
                debug!(%peer, "refused a connection: its address is at the limit of connections");
                self.metrics.hung_up(self.name, HungUp::TooMany, 1);
            }
        }
        self.metrics.set_connections(self.name, self.table.len());
    }

    fn try_again(&mut self) {
        if let Some((stream, peer)) = self.waiting.take() {
            self.take(stream, peer);
        }
    }

    /// Closes some that keep the gateway waiting.
    fn make_room(&mut self) {
        let closed = self.table.make_room(Instant::now());
        self.metrics.hung_up(self.name, HungUp::Displaced, closed);
    }

    fn leave(&mut self, ended: Result<(Id, Option<HungUp>), JoinError>) {
        let id = match ended {
            Ok((id, reason)) => {
                if let Some(reason) = reason {
                    self.metrics.hung_up(self.name, reason, 1);
                }
                id
            }
            Err(error) => {
                // A request that panics costs its own connection and nobody else's.
                if error.is_panic() {
                    error!(%error, "the gateway panicked while it served a connection");
                }
                error.id()
            }
        };
        self.table.leave(id);
        self.metrics.set_connections(self.name, self.table.len());
        self.try_again();
    }
}

/// The next connection; none if the system has nothing to accept with. `failing` is kept by the
/// caller, so that a burst of errors is logged once even when this is given up and called again.
async fn accept(socket: &Socket, failing: &mut bool) -> Option<(Wire, SocketAddr)> {
    loop {
        match socket.accept().await {
            Ok(accepted) => {
                *failing = false;
                return Some(accepted);
            }
            Err(error) if is_the_peers(&error) => {
                debug!(%error, "a peer left before the gateway accepted its connection")
            }
            Err(error) => {
                if !std::mem::replace(failing, true) {
                    error!(%error, "failed to accept a connection; trying again until it works");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                return None;
            }
        }
    }
}

fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests;
