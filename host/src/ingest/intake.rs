//! The bodies that are on their way in: how long each may take, and how much is held of all.
//!
//! A body that is whole at the first look costs nothing but its bytes. Another waits here, for as
//! long as it keeps coming; where bytes run out, of one source or of all, those who have held the
//! most for the longest give way, and never one that is whole. A stop waits for none of them. Knows
//! nothing of what a body says.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::rejection::Rejection;
use crate::listener::Connection;
use crate::lock::lock;

/// What a body must bring in each second, once it has had time to begin.
const BYTES_PER_SECOND: u64 = 32 * 1024;
/// No body may take longer than so many times the time that it has to begin.
const TOTAL: u32 = 5;
/// A body of at most so many bytes gets memory of its own: what it came in is a buffer of 8 KiB or
/// more, which its connection uses again once nobody holds a part of it.
const COPIED_BYTES_MAX: usize = 8 << 10;
/// How much of a refused body is read, so that its sender reads the answer: as much as may be
/// accepted, and so many bytes more.
const DISCARD_BYTES: usize = 8 << 20;

/// How much of it at once, and how patiently.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Largest body, in bytes.
    pub(crate) body_bytes: usize,
    /// What is held of all bodies until they are answered, in bytes.
    pub(crate) held_bytes: usize,
    /// How long a body may take to begin. After that it must bring 32 KiB in each second, and it
    /// may take five times as long in all.
    pub(crate) stall: Duration,
}

/// The bodies of all sources.
#[derive(Debug)]
pub(crate) struct Intake {
    bounds: Bounds,
    held: Arc<Share>,
    waiting: Mutex<Line>,
    /// What is read of refused bodies.
    discarding: Mutex<JoinSet<()>>,
    /// Cancelled when the gateway stops: then nobody waits for the rest of a body any more.
    stop: CancellationToken,
}

/// What is held, and what may be: of one source, or of all.
#[derive(Debug)]
pub(super) struct Share {
    held: AtomicUsize,
    most: usize,
}

/// The bodies that are on their way, in the order in which they began to wait.
#[derive(Debug, Default)]
struct Line {
    next: u64,
    bodies: BTreeMap<u64, Arc<Waiting>>,
}

/// A body that was not whole at the first look.
#[derive(Debug)]
struct Waiting {
    source: Arc<Share>,
    since: Instant,
    bytes: AtomicUsize,
    gives_way: AtomicBool,
    /// Wakes it to give way.
    wakes: Notify,
}

/// Bytes that are held; given back when this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    all: Arc<Share>,
    source: Arc<Share>,
    bytes: usize,
}

impl Share {
    pub(super) fn of(most: usize) -> Arc<Self> {
        Arc::new(Self { held: AtomicUsize::new(0), most })
    }

    fn take(&self, bytes: usize) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
    }

    fn give_back(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Bytes beyond what may be held; of bodies that are still on their way, a quarter less may be.
    fn over(&self, whole: bool, body_bytes: usize) -> usize {
        let all = self.most.max(2 * body_bytes);
        let most = if whole { all } else { all - all / 4 };
        self.held.load(Ordering::Relaxed).saturating_sub(most)
    }
}

impl Held {
    fn take(&mut self, bytes: usize) {
        self.all.take(bytes);
        self.source.take(bytes);
        self.bytes += bytes;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.give_back(self.bytes);
        self.source.give_back(self.bytes);
    }
}

/// A body that arrives in pieces, which are copied only if there is more than one, or if it is
/// small.
#[derive(Default)]
struct Pieces {
    first: Bytes,
    all: BytesMut,
}

impl Pieces {
    fn len(&self) -> usize {
        self.first.len() + self.all.len()
    }

    fn push(&mut self, piece: Bytes) {
        if self.len() == 0 {
            self.first = piece;
            return;
        }
        self.all.extend_from_slice(&std::mem::take(&mut self.first));
        self.all.extend_from_slice(&piece);
    }

    fn whole(self) -> Bytes {
        if !self.all.is_empty() {
            self.all.freeze()
        } else if self.first.len() <= COPIED_BYTES_MAX {
            Bytes::copy_from_slice(&self.first)
        } else {
            self.first
        }
    }
}

impl Intake {
    /// Nothing is held yet. Once `stop` is cancelled, bodies that are not whole are given up.
    pub(crate) fn new(bounds: Bounds, stop: CancellationToken) -> Self {
        let held = Share::of(bounds.held_bytes);
        Self { bounds, held, waiting: Mutex::default(), discarding: Mutex::default(), stop }
    }

    /// Refuses a body for the length that it says it has.
    pub(super) fn check_length(&self, body: &Body) -> Result<(), Rejection> {
        let said = body.size_hint().lower();
        let most = self.bounds.body_bytes;
        if said > most as u64 { Err(Rejection::TooLarge(most)) } else { Ok(()) }
    }

    /// Reads a body whole, and holds its bytes until the second value is dropped.
    pub(super) async fn read(
        &self,
        source: &Arc<Share>,
        connection: &Connection,
        mut body: Body,
    ) -> Result<(Bytes, Held), Rejection> {
        let all = Arc::clone(&self.held);
        let source = Arc::clone(source);
        let mut held = Held { all, source, bytes: 0 };
        let mut pieces = Pieces::default();
        let read = match self.read_what_is_there(&mut body, &mut pieces, &mut held).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                let _waiting = connection.waits_for_body();
                self.wait_for_rest(&mut body, &mut pieces, &mut held).await
            }
            Err(rejection) => Err(rejection),
        };
        if let Err(rejection) = read {
            if matches!(rejection, Rejection::TooLarge(_)) {
                self.discard(body);
            }
            return Err(rejection);
        }
        self.make_room(&held.source, true);
        if self.held.over(true, self.bounds.body_bytes) > 0 {
            return Err(Rejection::Busy);
        }
        if held.source.over(true, self.bounds.body_bytes) > 0 {
            return Err(Rejection::SourceBusy);
        }
        Ok((pieces.whole(), held))
    }

    /// Reads what has arrived, and says whether that is all.
    async fn read_what_is_there(
        &self,
        body: &mut Body,
        pieces: &mut Pieces,
        held: &mut Held,
    ) -> Result<bool, Rejection> {
        loop {
            let look = poll_fn(|cx| Poll::Ready(Pin::new(&mut *body).poll_frame(cx)));
            let Poll::Ready(frame) = look.await else { return Ok(false) };
            let Some(frame) = frame else { return Ok(true) };
            let frame = frame.map_err(|_| Rejection::BrokenBody)?;
            if let Ok(piece) = frame.into_data() {
                held.take(piece.len());
                self.push(pieces, piece)?;
            }
        }
    }

    /// Reads the rest, for as long as it comes fast enough, need not give way and no stop begins.
    async fn wait_for_rest(
        &self,
        body: &mut Body,
        pieces: &mut Pieces,
        held: &mut Held,
    ) -> Result<(), Rejection> {
        let place = Place::take(self, held);
        loop {
            let deadline = self.deadline(place.waiting.since, pieces.len());
            let frame = tokio::select! {
                frame = body.frame() => frame,
                () = place.waiting.wakes.notified() => return Err(Rejection::GaveWay),
                () = self.stop.cancelled() => return Err(Rejection::Stopping),
                () = sleep_until(deadline) => return Err(Rejection::SlowBody),
            };
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|_| Rejection::BrokenBody)?;
            if let Ok(piece) = frame.into_data() {
                place.hold(piece.len())?;
                self.push(pieces, piece)?;
                self.make_room(&held.source, false);
            }
        }
        place.give(held)
    }

    fn push(&self, pieces: &mut Pieces, piece: Bytes) -> Result<(), Rejection> {
        let most = self.bounds.body_bytes;
        if pieces.len() + piece.len() > most {
            return Err(Rejection::TooLarge(most));
        }
        pieces.push(piece);
        Ok(())
    }

    fn deadline(&self, since: Instant, bytes: usize) -> Instant {
        let stall = self.bounds.stall;
        let earned = Duration::from_millis(bytes as u64 * 1_000 / BYTES_PER_SECOND);
        since + (stall + earned).min(stall * TOTAL)
    }

    /// Lets bodies that are on their way give way, where more is held than may be.
    fn make_room(&self, source: &Arc<Share>, whole: bool) {
        let most = self.bounds.body_bytes;
        let of_source = source.over(whole, most);
        let of_all = self.held.over(whole, most);
        if of_source > 0 {
            self.give_way(of_source + source.most / 16, |one| Arc::ptr_eq(&one.source, source));
        }
        if of_all > 0 {
            self.give_way(of_all + self.held.most / 16, |_| true);
        }
    }

    /// Frees so many bytes, or what there is: first of those who have held the most for the
    /// longest.
    fn give_way(&self, bytes: usize, may: impl Fn(&Waiting) -> bool) {
        let mut line = self.line();
        let now = Instant::now();
        let cost = |one: &Waiting| {
            let held = one.bytes.load(Ordering::Relaxed) as u128;
            held * now.saturating_duration_since(one.since).as_millis().max(1)
        };
        // Who holds nothing frees nothing.
        let holds = |one: &Waiting| one.bytes.load(Ordering::Relaxed) > 0;
        let mut candidates: Vec<_> = line
            .bodies
            .values()
            .filter(|one| may(one) && holds(one))
            .cloned()
            .map(|one| (cost(&one), one))
            .collect();
        candidates.sort_unstable_by_key(|(cost, _)| std::cmp::Reverse(*cost));
        let mut freed = 0;
        for (_, one) in candidates {
            if freed >= bytes {
                break;
            }
            one.gives_way.store(true, Ordering::Relaxed);
            let held = one.bytes.swap(0, Ordering::Relaxed);
            self.held.give_back(held);
            one.source.give_back(held);
            one.wakes.notify_one();
            freed += held;
        }
        line.bodies.retain(|_, one| !one.gives_way.load(Ordering::Relaxed));
    }

    /// Reads the rest of a body that nobody wants, for a while: a sender that can't go on sending
    /// may never read why.
    pub(super) fn discard(&self, mut body: Body) {
        if body.is_end_stream() {
            return;
        }
        let most = self.bounds.body_bytes + DISCARD_BYTES;
        let time = self.bounds.stall;
        let stop = self.stop.clone();
        let reading = async move {
            let mut left = most;
            while let Some(Ok(frame)) = body.frame().await {
                let read = frame.data_ref().map_or(0, Bytes::len);
                let Some(rest) = left.checked_sub(read) else { break };
                left = rest;
            }
        };
        let mut tasks = lock(&self.discarding);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            tokio::select! {
                () = reading => (),
                () = tokio::time::sleep(time) => (),
                () = stop.cancelled() => (),
            }
        });
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        lock(&self.waiting)
    }
}

/// A body's place among those who wait; left when this is dropped.
struct Place<'i> {
    intake: &'i Intake,
    number: u64,
    waiting: Arc<Waiting>,
}

impl<'i> Place<'i> {
    /// Takes over what is held so far, so that it can be given back from outside.
    fn take(intake: &'i Intake, held: &mut Held) -> Self {
        let waiting = Arc::new(Waiting {
            source: Arc::clone(&held.source),
            since: Instant::now(),
            bytes: AtomicUsize::new(std::mem::take(&mut held.bytes)),
            gives_way: AtomicBool::new(false),
            wakes: Notify::new(),
        });
        let mut line = intake.line();
        let number = line.next;
        line.next += 1;
        line.bodies.insert(number, Arc::clone(&waiting));
        drop(line);
        Self { intake, number, waiting }
    }

    /// Holds so many bytes more.
    fn hold(&self, bytes: usize) -> Result<(), Rejection> {
        let _line = self.intake.line();
        if self.waiting.gives_way.load(Ordering::Relaxed) {
            return Err(Rejection::GaveWay);
        }
        self.waiting.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.intake.held.take(bytes);
        self.waiting.source.take(bytes);
        Ok(())
    }

    /// Gives what is held to whom it is whole for.
    fn give(self, held: &mut Held) -> Result<(), Rejection> {
        let _line = self.intake.line();
        if self.waiting.gives_way.load(Ordering::Relaxed) {
            return Err(Rejection::GaveWay);
        }
        held.bytes = self.waiting.bytes.swap(0, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut line = self.intake.line();
        let bytes = self.waiting.bytes.swap(0, Ordering::Relaxed);
        self.intake.held.give_back(bytes);
        self.waiting.source.give_back(bytes);
        line.bodies.remove(&self.number);
    }
}

#[cfg(test)]
mod tests;
