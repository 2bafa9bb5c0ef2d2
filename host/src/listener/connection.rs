//! One connection, as those who serve it know it: whose turn it is, and since when.
//!
//! Over HTTP/2 it may have many requests at a time: then it is the peer's turn where it is so for
//! every one of them. Written by the stream, the listener and whoever reads bodies, each from its
//! own place; read when room is needed. Only atomic numbers, so that nobody waits for anybody.
//! Never closes anything.

mod requests;

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;

use self::requests::{Requests, Turn};

/// After so many refusals in a row a connection is closed.
const REFUSALS_MAX: u32 = 16;
/// After so many health probes in a row a connection is closed, with the answer to the last.
const PROBES_MAX: u32 = 100;
/// Most bytes of the certificates that a peer shows: five have less than 10 KiB.
const SHOWN_BYTES_MAX: usize = 16 * 1024;
/// After so many requests that the peer took back a connection is closed: each may have cost work
/// that nobody waits for any more.
const TAKEN_BACK_MAX: u32 = 100;

/// An open connection. Carried by each of its requests as an extension, in an `Arc`.
#[derive(Debug)]
pub(crate) struct Connection {
    peer: SocketAddr,
    /// Whom the peer speaks for, if it said so.
    client: OnceLock<SocketAddr>,
    /// The certificates that the peer showed, its own first.
    certificates: OnceLock<Vec<CertificateDer<'static>>>,
    opened: Instant,
    /// Its [`Requests`].
    requests: AtomicU64,
    /// Whether the peer and the gateway have agreed on TLS.
    is_secured: AtomicBool,
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
    /// Requests since one was accepted that the peer took back before they were answered.
    taken_back: AtomicU32,
    /// Whether a request was ever accepted.
    is_good: AtomicBool,
    /// Whether the peer did not read for so long that the gateway gave it up.
    given_up: AtomicBool,
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
            client: OnceLock::new(),
            certificates: OnceLock::new(),
            is_secured: AtomicBool::new(false),
            opened: Instant::now(),
            requests: AtomicU64::new(Requests::default().into()),
            since: AtomicU64::new(0),
            stalled: AtomicU64::new(0),
            heard: AtomicBool::new(false),
            refusals: AtomicU32::new(0),
            probes: AtomicU32::new(0),
            taken_back: AtomicU32::new(0),
            is_good: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
        }
    }

    /// Who is at the other end: the sender, or the proxy in front.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Whom the peer speaks for, or else the peer.
    pub(crate) fn client(&self) -> SocketAddr {
        *self.client.get().unwrap_or(&self.peer)
    }

    /// The certificates that the peer showed, its own first. The key of that one is its own;
    /// whether anybody vouches for it is another question.
    pub(crate) fn certificates(&self) -> &[CertificateDer<'static>] {
        self.certificates.get().map_or(&[], Vec::as_slice)
    }

    /// Whether nobody between the peer and the gateway can read along.
    pub(crate) fn is_secured(&self) -> bool {
        self.is_secured.load(Ordering::Relaxed)
    }

    /// The peer and the gateway have agreed on TLS.
    pub(super) fn secured(&self) {
        self.is_secured.store(true, Ordering::Relaxed);
    }

    /// The peer speaks for this client. Counts once.
    pub(super) fn speaks_for(&self, client: SocketAddr) {
        self.client.get_or_init(|| client);
    }

    /// The peer showed these certificates. Counts once, and only if they are not very large: they
    /// are kept as long as the connection.
    pub(super) fn shows(&self, certificates: &[CertificateDer<'static>]) {
        let bytes: usize = certificates.iter().map(|it| it.len()).sum();
        if bytes <= SHOWN_BYTES_MAX {
            self.certificates.get_or_init(|| certificates.to_vec());
        }
    }

    /// The handler waits for more of a request's body than has arrived, until the value is dropped:
    /// then the body is whole, or nobody waits for it any more.
    pub(crate) fn waits_for_body(&self) -> Waiting<'_> {
        let ends: fn(&mut Requests) -> bool = Requests::has_body;
        Waiting { connection: self, ends: self.pass(Requests::waits_for_body).then_some(ends) }
    }

    /// A request was refused. Until the value is dropped it waits like one that asks for nothing:
    /// to hold back an answer is no work.
    pub(crate) fn refused(&self) -> Waiting<'_> {
        self.refusals.fetch_add(1, Ordering::Relaxed);
        let ends: fn(&mut Requests) -> bool = Requests::answers;
        Waiting { connection: self, ends: self.pass(Requests::holds_back).then_some(ends) }
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

    /// A request was accepted: what was refused, taken back or only probed before does not count
    /// any more.
    pub(crate) fn accepted(&self) {
        self.refusals.store(0, Ordering::Relaxed);
        self.probes.store(0, Ordering::Relaxed);
        self.taken_back.store(0, Ordering::Relaxed);
        self.is_good.store(true, Ordering::Relaxed);
    }

    /// The head of a request is there. Nothing if the connection is to make room for another.
    pub(super) fn begin(&self) -> Option<Begun<'_>> {
        self.pass(Requests::begin).then(|| Begun { connection: self, is_answered: false })
    }

    /// Whether the peer took back so many requests in a row that the connection ends.
    pub(super) fn was_taken_back_too_often(&self) -> bool {
        self.taken_back.load(Ordering::Relaxed) >= TAKEN_BACK_MAX
    }

    /// The peer has not read for too long.
    pub(super) fn gives_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// Whether the gateway gave up on a peer that did not read.
    pub(super) fn was_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
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
        self.turn() == Turn::Silent
    }

    /// Since when it has no request, if it ever had one.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let since = Duration::from_micros(self.since.load(Ordering::Relaxed));
        (self.turn() == Turn::Idle).then(|| self.opened + since)
    }

    /// What it waits for and since when, if it is the peer's turn.
    pub(super) fn waits(&self) -> Option<(Wait, Instant)> {
        let stalled = self.stalled.load(Ordering::Relaxed);
        let since = self.since.load(Ordering::Relaxed);
        let (wait, since) = match self.turn() {
            Turn::Closed => return None,
            _ if stalled != 0 => (Wait::Reader, stalled - 1),
            Turn::Silent => (Wait::Head, since),
            Turn::Body => (Wait::Body, since),
            Turn::Idle | Turn::Refused => {
                let is_good = self.is_good.load(Ordering::Relaxed);
                (if is_good { Wait::Next } else { Wait::Nothing }, since)
            }
            Turn::Gateway => return None,
        };
        Some((wait, self.opened + Duration::from_micros(since)))
    }

    /// Ends it, if it still waits for that. Whoever succeeds stops its task.
    pub(super) fn close(&self, wait: Wait) -> bool {
        if wait == Wait::Reader && self.stalled.load(Ordering::Relaxed) == 0 {
            return false;
        }
        self.pass(|requests| {
            let waits = match (wait, requests.turn()) {
                (Wait::Reader, _) | (Wait::Head, Turn::Silent) | (Wait::Body, Turn::Body) => true,
                (Wait::Next | Wait::Nothing, turn) => matches!(turn, Turn::Idle | Turn::Refused),
                _ => false,
            };
            waits && requests.close()
        })
    }

    fn turn(&self) -> Turn {
        Requests::from(self.requests.load(Ordering::Acquire)).turn()
    }

    /// Changes its requests, unless it is closed or the change does not fit; and notes when the
    /// turn passes.
    fn pass(&self, change: impl Fn(&mut Requests) -> bool) -> bool {
        let mut known = self.requests.load(Ordering::Acquire);
        loop {
            let before = Requests::from(known);
            let mut after = before;
            if before.turn() == Turn::Closed || !change(&mut after) {
                return false;
            }
            let (order, other) = (Ordering::AcqRel, Ordering::Acquire);
            match self.requests.compare_exchange_weak(known, after.into(), order, other) {
                Ok(_) => {
                    if before.turn() != after.turn() {
                        self.since.store(self.elapsed(), Ordering::Relaxed);
                    }
                    return true;
                }
                Err(found) => known = found,
            }
        }
    }

    /// Microseconds since it was opened.
    fn elapsed(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// A request that is being served. Dropped before it is answered, its peer took it back.
#[derive(Debug)]
pub(super) struct Begun<'c> {
    connection: &'c Connection,
    is_answered: bool,
}

impl Begun<'_> {
    /// The request was answered.
    pub(super) fn answered(mut self) {
        self.is_answered = true;
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.connection.taken_back.fetch_add(1, Ordering::Relaxed);
        }
        self.connection.pass(Requests::end);
    }
}

/// A request that is not the gateway's turn while this is held.
#[derive(Debug)]
#[must_use = "it waits until this is dropped"]
pub(crate) struct Waiting<'c> {
    connection: &'c Connection,
    /// Nothing if it did not begin to wait.
    ends: Option<fn(&mut Requests) -> bool>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(ends) = self.ends {
            self.connection.pass(ends);
        }
    }
}

#[cfg(test)]
mod tests;
