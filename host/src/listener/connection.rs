//! One connection, as those who serve it know it: whose turn it is, and since when.
//!
//! Written by the stream, the listener and whoever reads bodies, each from its own place; read when
//! room is needed. Only atomic numbers, so that nobody waits for anybody. Never closes anything.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// After so many refusals in a row a connection is closed.
const REFUSALS_MAX: u32 = 16;
/// After so many health probes in a row a connection is closed, with the answer to the last.
const PROBES_MAX: u32 = 100;

/// An open connection. Carried by each of its requests as an extension, in an `Arc`.
#[derive(Debug)]
pub(crate) struct Connection {
    peer: SocketAddr,
    opened: Instant,
    turn: AtomicU8,
    /// When the turn began, in microseconds after `opened`.
    since: AtomicU64,
    /// When the peer stopped reading, in the same way and one more; zero while it reads.
    stalled: AtomicU64,
    /// Whether a byte has come since the head of a request could begin.
    heard: AtomicBool,
    /// Requests in a row that were refused.
    refusals: AtomicU32,
    /// Health probes since a request was accepted.
    probes: AtomicU32,
    /// Whether a request was ever accepted.
    is_good: AtomicBool,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Turn {
    /// The peer's, who has never sent the whole head of a request.
    Silent,
    /// The peer's, who was answered and may ask again.
    Idle,
    /// The peer's, whose body is on its way.
    Body,
    /// The gateway's.
    Gateway,
    /// Nobody's: the answer to what was refused is held back.
    Refused,
    /// Nobody's: it makes room for another.
    Closed,
}

/// What a connection waits for where it is the peer's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// The head of the first request.
    Head,
    /// The rest of a body.
    Body,
    /// That an answer is read.
    Reader,
    /// Another request or the answer to a refused one, where a request has been accepted before.
    Next,
    /// The same, where none ever was.
    Nothing,
}

impl Connection {
    /// A connection from this address that has just been accepted.
    pub(crate) fn new(peer: SocketAddr) -> Self {
        Self {
            peer,
            opened: Instant::now(),
            turn: AtomicU8::new(Turn::Silent as u8),
            since: AtomicU64::new(0),
            stalled: AtomicU64::new(0),
            heard: AtomicBool::new(false),
            refusals: AtomicU32::new(0),
            probes: AtomicU32::new(0),
            is_good: AtomicBool::new(false),
        }
    }

    /// Who is at the other end: the sender, or the proxy in front.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The handler waits for more of the request's body than has arrived.
    pub(crate) fn waits_for_body(&self) {
        self.pass(Turn::Gateway, Turn::Body);
    }

    /// The body is whole, or nobody waits for it any more.
    pub(crate) fn has_body(&self) {
        self.pass(Turn::Body, Turn::Gateway);
    }

    /// A request was refused. Until [`Connection::answers`] it waits like one that asks for
    /// nothing: to hold back an answer is no work.
    pub(crate) fn refused(&self) {
        self.refusals.fetch_add(1, Ordering::Relaxed);
        self.pass(Turn::Gateway, Turn::Refused);
    }

    /// What was refused is answered now.
    pub(crate) fn answers(&self) {
        self.pass(Turn::Refused, Turn::Gateway);
    }

    /// Whether so many requests in a row were refused that the connection ends with the answer. One
    /// that never reads its answers goes by this.
    pub(crate) fn was_refused_too_often(&self) -> bool {
        self.refusals.load(Ordering::Relaxed) >= REFUSALS_MAX
    }

    /// A request asked whether the gateway is well, or whether an endpoint is there.
    pub(crate) fn probed(&self) {
        self.probes.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether there were so many of these in a row that the connection ends with the answer.
    pub(crate) fn was_probed_too_often(&self) -> bool {
        self.probes.load(Ordering::Relaxed) >= PROBES_MAX
    }

    /// A request was accepted: what was refused or only probed before does not count any more.
    pub(crate) fn accepted(&self) {
        self.refusals.store(0, Ordering::Relaxed);
        self.probes.store(0, Ordering::Relaxed);
        self.is_good.store(true, Ordering::Relaxed);
    }

    /// The head of a request is there. False if the connection is to make room for another.
    pub(super) fn begin(&self) -> bool {
        let turn = self.pass(Turn::Silent, Turn::Gateway);
        turn || self.pass(Turn::Idle, Turn::Gateway)
    }

    /// A request was answered.
    pub(super) fn answered(&self) {
        if !self.pass(Turn::Gateway, Turn::Idle) {
            self.pass(Turn::Body, Turn::Idle);
        }
    }

    /// Nothing more can be written until the peer reads.
    pub(super) fn stalls(&self) {
        self.stalled.store(self.elapsed() + 1, Ordering::Relaxed);
    }

    /// The peer reads again.
    pub(super) fn flows(&self) {
        self.stalled.store(0, Ordering::Relaxed);
    }

    /// A byte came.
    pub(super) fn hears(&self) {
        self.heard.store(true, Ordering::Relaxed);
    }

    /// The head of a request may begin now.
    pub(super) fn listens(&self) {
        self.heard.store(false, Ordering::Relaxed);
    }

    /// Whether a byte has come since then.
    pub(super) fn has_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// Whether the head of a request has never been there.
    pub(super) fn is_silent(&self) -> bool {
        self.turn.load(Ordering::Relaxed) == Turn::Silent as u8
    }

    /// What it waits for and since when, if it is the peer's turn.
    pub(super) fn waits(&self) -> Option<(Wait, Instant)> {
        let stalled = self.stalled.load(Ordering::Relaxed);
        let since = self.since.load(Ordering::Relaxed);
        let (wait, since) = match self.turn.load(Ordering::Relaxed) {
            turn if turn == Turn::Closed as u8 => return None,
            _ if stalled != 0 => (Wait::Reader, stalled - 1),
            turn if turn == Turn::Silent as u8 => (Wait::Head, since),
            turn if turn == Turn::Body as u8 => (Wait::Body, since),
            turn if turn == Turn::Idle as u8 || turn == Turn::Refused as u8 => {
                let is_good = self.is_good.load(Ordering::Relaxed);
                (if is_good { Wait::Next } else { Wait::Nothing }, since)
            }
            _ => return None,
        };
        Some((wait, self.opened + Duration::from_micros(since)))
    }

    /// Ends it, if it still waits for that. Whoever succeeds stops its task.
    pub(super) fn close(&self, wait: Wait) -> bool {
        match wait {
            Wait::Head => self.pass(Turn::Silent, Turn::Closed),
            Wait::Body => self.pass(Turn::Body, Turn::Closed),
            Wait::Next | Wait::Nothing => {
                self.pass(Turn::Idle, Turn::Closed) || self.pass(Turn::Refused, Turn::Closed)
            }
            Wait::Reader => {
                self.stalled.load(Ordering::Relaxed) != 0
                    && self.turn.swap(Turn::Closed as u8, Ordering::AcqRel) != Turn::Closed as u8
            }
        }
    }

    fn pass(&self, from: Turn, to: Turn) -> bool {
        let from = from as u8;
        let to = to as u8;
        let passed = self.turn.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed);
        if passed.is_ok() {
            self.since.store(self.elapsed(), Ordering::Relaxed);
        }
        passed.is_ok()
    }

    /// Microseconds since it was opened.
    fn elapsed(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests;
