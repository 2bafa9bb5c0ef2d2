//! The loop with work that goes wrong.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use super::*;
use crate::ids::IdKind;

/// Can't be taken at first, then can't be committed, then is cancelled.
#[derive(Clone)]
struct Troubled {
    asked: Arc<AtomicUsize>,
    cancel: CancellationToken,
    trouble: store::Error,
}

fn id(position: u64) -> Id {
    Id { kind: IdKind::Run, position, tag: 0 }
}

impl Work for Troubled {
    type Item = ();

    async fn take(&self, _room: usize) -> Result<Vec<()>, store::Error> {
        match self.asked.fetch_add(1, Ordering::Relaxed) {
            0 => Err(self.trouble.clone()),
            1 => Ok(vec![()]),
            _ => {
                self.cancel.cancel();
                Ok(Vec::new())
            }
        }
    }

    fn ready(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    fn id((): &()) -> Id {
        id(1)
    }

    async fn perform(self, (): (), _slot: Slot) -> Result<(), store::Error> {
        Err(self.trouble)
    }

    async fn crash(self, (): (), reason: String, _slot: Slot) -> Result<(), store::Error> {
        panic!("nothing has panicked: {reason}")
    }
}

async fn ended_by(trouble: store::Error) -> (Result<(), store::Error>, usize) {
    let cancel = CancellationToken::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let troubled = Troubled { asked: asked.clone(), cancel: cancel.clone(), trouble };
    (work(troubled, 4, cancel).await, asked.load(Ordering::Relaxed))
}

#[tokio::test]
async fn an_outage_of_the_store_ends_no_worker_and_anything_else_does() {
    let unavailable = store::Error::Unavailable(Arc::new(store::Failure::Replaced));
    let (ended, asked) = ended_by(unavailable).await;
    assert!(ended.is_ok() && asked >= 3, "{ended:?} after {asked} takes");

    let (ended, asked) = ended_by(store::Error::Closed).await;
    assert!(matches!(ended, Err(store::Error::Closed)) && asked == 1);
}

/// Pieces that are due until they are committed; an odd one panics when it is performed, the fourth
/// where it reads the store, and what is in `hopeless` also when that is to be committed.
#[derive(Clone)]
struct Panicking(Arc<Ledger>);

struct Ledger {
    due: Mutex<BTreeSet<u64>>,
    done: Mutex<Vec<(u64, String)>>,
    performed: AtomicUsize,
    hopeless: BTreeSet<u64>,
    cancel: CancellationToken,
}

/// A leased piece, which is due again if it is dropped.
struct Leased {
    position: u64,
    ledger: Arc<Ledger>,
    committed: bool,
}

impl Drop for Leased {
    fn drop(&mut self) {
        if !self.committed {
            self.ledger.due.lock().unwrap().insert(self.position);
        }
    }
}

impl Leased {
    fn commit(mut self, how: &str) {
        self.committed = true;
        let mut done = self.ledger.done.lock().unwrap();
        done.push((self.position, how.to_owned()));
        if done.len() == 6 {
            self.ledger.cancel.cancel();
        }
    }
}

impl Work for Panicking {
    type Item = Leased;

    async fn take(&self, room: usize) -> Result<Vec<Leased>, store::Error> {
        let mut due = self.0.due.lock().unwrap();
        let leased = |position| Leased { position, ledger: self.0.clone(), committed: false };
        Ok((0..room).map_while(|_| due.pop_first()).map(leased).collect())
    }

    fn ready(&self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    fn id(item: &Leased) -> Id {
        id(item.position)
    }

    async fn perform(self, item: Leased, _slot: Slot) -> Result<(), store::Error> {
        self.0.performed.fetch_add(1, Ordering::Relaxed);
        assert!(item.position.is_multiple_of(2), "{} is odd", item.position);
        if item.position == 4 {
            return Err(store::Error::Panicked("4 can't be read".into()));
        }
        item.commit("well");
        Ok(())
    }

    async fn crash(self, item: Leased, reason: String, _slot: Slot) -> Result<(), store::Error> {
        assert!(!self.0.hopeless.contains(&item.position), "not even that");
        item.commit(&reason);
        Ok(())
    }
}

#[tokio::test]
async fn a_panic_is_a_crash_of_its_own_piece_and_all_others_are_done() {
    let cancel = CancellationToken::new();
    let ledger = Arc::new(Ledger {
        due: Mutex::new((1..=7).collect()),
        done: Mutex::default(),
        performed: AtomicUsize::new(0),
        hopeless: [5].into(),
        cancel: cancel.clone(),
    });

    let ended = work(Panicking(ledger.clone()), 3, cancel).await;

    assert!(ended.is_ok(), "{ended:?}");
    let mut done = ledger.done.lock().unwrap().clone();
    done.sort();
    let panicked = |position, why| (position, format!("the gateway panicked: {position} {why}"));
    let odd = |position: u64| panicked(position, "is odd");
    let well = |position| (position, "well".to_owned());
    assert_eq!(done, [odd(1), well(2), odd(3), panicked(4, "can't be read"), well(6), odd(7)]);
    assert_eq!(ledger.performed.load(Ordering::Relaxed), 7, "each is performed once");
}

/// Nothing here takes a moment.
const PATIENCE: Duration = Duration::from_secs(20);

/// Pieces that are tried at once, and whose outcome waits for the disk.
#[derive(Clone)]
struct Unsynced {
    due: Arc<AtomicUsize>,
    /// How many tries there were.
    tried: watch::Sender<usize>,
    /// Whether there is room for outcomes.
    has_room: bool,
    /// Ends when the disk is ready.
    disk: CancellationToken,
}

impl Unsynced {
    fn new(due: usize, has_room: bool) -> Self {
        let (due, tried) = (Arc::new(AtomicUsize::new(due)), watch::Sender::default());
        Self { due, tried, has_room, disk: CancellationToken::new() }
    }

    async fn tried(&self, count: usize) {
        let mut tried = self.tried.subscribe();
        let tried = tokio::time::timeout(PATIENCE, tried.wait_for(|tried| *tried == count)).await;
        drop(tried.expect("another has no slot").unwrap());
    }
}

impl Work for Unsynced {
    type Item = ();

    async fn take(&self, room: usize) -> Result<Vec<()>, store::Error> {
        let taken = room.min(self.due.load(Ordering::Relaxed));
        self.due.fetch_sub(taken, Ordering::Relaxed);
        Ok(vec![(); taken])
    }

    fn ready(&self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    fn id((): &()) -> Id {
        id(1)
    }

    async fn perform(self, (): (), slot: Slot) -> Result<(), store::Error> {
        self.tried.send_modify(|tried| *tried += 1);
        let held = (!self.has_room).then_some(slot);
        self.disk.cancelled().await;
        drop(held);
        Ok(())
    }

    async fn crash(self, (): (), reason: String, _slot: Slot) -> Result<(), store::Error> {
        panic!("nothing has panicked: {reason}")
    }
}

#[tokio::test]
async fn a_piece_whose_outcome_waits_for_the_disk_holds_up_no_other() {
    let (pieces, cancel) = (Unsynced::new(9, true), CancellationToken::new());
    let working = work(pieces.clone(), 2, cancel.clone());
    let watching = async {
        pieces.tried(9).await;
        cancel.cancel();
        pieces.disk.cancel();
    };
    let (ended, ()) = tokio::join!(working, watching);
    assert!(ended.is_ok(), "{ended:?}");
}

/// The same, but that the first gives its slot back while others are taken.
#[derive(Clone)]
struct Overlapping {
    pieces: Unsynced,
    first: Arc<Mutex<Option<Slot>>>,
}

impl Work for Overlapping {
    type Item = ();

    async fn take(&self, room: usize) -> Result<Vec<()>, store::Error> {
        let taken = self.pieces.take(room).await;
        drop(self.first.lock().unwrap().take());
        taken
    }

    fn ready(&self) -> impl Future<Output = ()> + Send {
        self.pieces.ready()
    }

    fn id((): &()) -> Id {
        id(1)
    }

    async fn perform(self, (): (), slot: Slot) -> Result<(), store::Error> {
        if *self.pieces.tried.borrow() == 0 {
            *self.first.lock().unwrap() = Some(slot);
            return self.pieces.perform((), Slot::default()).await;
        }
        self.pieces.perform((), slot).await
    }

    async fn crash(self, (): (), reason: String, slot: Slot) -> Result<(), store::Error> {
        self.pieces.crash((), reason, slot).await
    }
}

#[tokio::test]
async fn a_slot_that_is_free_while_others_are_taken_is_filled_too() {
    let (pieces, cancel) = (Unsynced::new(4, true), CancellationToken::new());
    let overlapping = Overlapping { pieces: pieces.clone(), first: Arc::default() };
    let working = work(overlapping, 2, cancel.clone());
    let watching = async {
        pieces.tried(4).await;
        cancel.cancel();
        pieces.disk.cancel();
    };
    let (ended, ()) = tokio::join!(working, watching);
    assert!(ended.is_ok(), "{ended:?}");
}

#[tokio::test]
async fn a_piece_that_has_no_room_for_its_outcome_keeps_its_slot() {
    let (pieces, cancel) = (Unsynced::new(9, false), CancellationToken::new());
    let working = work(pieces.clone(), 2, cancel.clone());
    let watching = async {
        pieces.tried(2).await;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(*pieces.tried.borrow(), 2, "there are two slots");
        pieces.disk.cancel();
        pieces.tried(9).await;
        cancel.cancel();
    };
    let (ended, ()) = tokio::join!(working, watching);
    assert!(ended.is_ok(), "{ended:?}");
}

/// The same, but that each ends before its outcome is on disk.
#[derive(Clone)]
struct Leaving(Unsynced);

impl Work for Leaving {
    type Item = ();

    async fn take(&self, room: usize) -> Result<Vec<()>, store::Error> {
        self.0.take(room).await
    }

    fn ready(&self) -> impl Future<Output = ()> + Send {
        self.0.ready()
    }

    fn id((): &()) -> Id {
        id(1)
    }

    async fn perform(self, (): (), _slot: Slot) -> Result<(), store::Error> {
        self.0.tried.send_modify(|tried| *tried += 1);
        Ok(())
    }

    async fn crash(self, (): (), reason: String, slot: Slot) -> Result<(), store::Error> {
        self.0.crash((), reason, slot).await
    }

    fn settled(&self) -> impl Future<Output = ()> + Send {
        self.0.disk.cancelled()
    }
}

/// Stops a worker on these pieces, of which there are three.
async fn stop_before_the_disk_is_ready(working_on: impl Work, pieces: &Unsynced) {
    let cancel = CancellationToken::new();
    let mut working = std::pin::pin!(work(working_on, 1, cancel.clone()));
    let watching = async {
        pieces.tried(3).await;
        cancel.cancel();
    };
    tokio::select! {
        ended = &mut working => panic!("three outcomes are not on disk: {ended:?}"),
        () = watching => (),
    }
    for _ in 0..100 {
        tokio::select! {
            biased;
            ended = &mut working => panic!("three outcomes are not on disk: {ended:?}"),
            () = tokio::task::yield_now() => (),
        }
    }
    pieces.disk.cancel();
    assert!(working.await.is_ok());
}

#[tokio::test]
async fn a_worker_that_is_stopped_waits_for_the_outcomes_on_their_way() {
    let pieces = Unsynced::new(3, true);
    stop_before_the_disk_is_ready(pieces.clone(), &pieces).await;
}

#[tokio::test]
async fn a_worker_that_is_stopped_waits_for_the_outcomes_that_its_pieces_have_left() {
    let pieces = Unsynced::new(3, true);
    stop_before_the_disk_is_ready(Leaving(pieces.clone()), &pieces).await;
}

/// The same pieces, and how often was asked for them.
#[derive(Clone)]
struct Counted {
    pieces: Unsynced,
    takes: Arc<AtomicUsize>,
}

impl Work for Counted {
    type Item = ();

    async fn take(&self, room: usize) -> Result<Vec<()>, store::Error> {
        self.takes.fetch_add(1, Ordering::Relaxed);
        self.pieces.take(room).await
    }

    fn ready(&self) -> impl Future<Output = ()> + Send {
        self.pieces.ready()
    }

    fn id((): &()) -> Id {
        id(1)
    }

    async fn perform(self, (): (), slot: Slot) -> Result<(), store::Error> {
        self.pieces.perform((), slot).await
    }

    async fn crash(self, (): (), reason: String, slot: Slot) -> Result<(), store::Error> {
        self.pieces.crash((), reason, slot).await
    }
}

#[tokio::test]
async fn a_worker_looks_for_no_more_because_pieces_are_done() {
    let (pieces, cancel) = (Unsynced::new(3, true), CancellationToken::new());
    let counted = Counted { pieces: pieces.clone(), takes: Arc::default() };
    let working = work(counted.clone(), 9, cancel.clone());
    let watching = async {
        pieces.tried(3).await;
        pieces.disk.cancel();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(counted.takes.load(Ordering::Relaxed), 1, "nobody said that there is more");
        cancel.cancel();
    };
    let (ended, ()) = tokio::join!(working, watching);
    assert!(ended.is_ok(), "{ended:?}");
}
