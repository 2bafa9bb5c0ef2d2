//! Bodies of which a test sends every piece.

use tokio::sync::mpsc;

use super::*;
use crate::listener::arriving;

const KIB: usize = 1024;
/// Longer than anything takes that is not stuck.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pieces that may wait to be read: more than any test sends.
const PIECES_MAX: usize = 64;

/// What the sender of a body does.
struct Sender(mpsc::Sender<Bytes>);

impl Sender {
    fn send(&self, bytes: usize) {
        self.0.try_send(vec![b'x'; bytes].into()).unwrap();
    }
}

fn body() -> (Sender, Body) {
    let (sender, body) = arriving(PIECES_MAX);
    (Sender(sender), body)
}

/// Bodies of at most 64 KiB; 256 KiB are held of all, and 128 KiB of one source.
fn intake(stall: Duration) -> (Intake, Arc<Share>) {
    let bounds = Bounds { body_bytes: 64 * KIB, held_bytes: 256 * KIB, stall };
    (Intake::new(bounds, CancellationToken::new()), Share::of(128 * KIB))
}

fn connection() -> Connection {
    Connection::new("192.0.2.1:1".parse().unwrap())
}

type Read = Result<(Bytes, Held), Rejection>;

/// A body that is being read in a task of its own.
struct Reading {
    sender: Sender,
    task: JoinSet<Read>,
}

impl Reading {
    /// Begins with so many bytes, and waits until they are held.
    async fn begin(intake: &Arc<Intake>, source: &Arc<Share>, bytes: usize) -> Self {
        let (sender, body) = body();
        let intake = Arc::clone(intake);
        let source = Arc::clone(source);
        let line = Arc::clone(&intake);
        let mut task = JoinSet::new();
        let before = line.line().next;
        task.spawn(async move { intake.read(&source, &connection(), body).await });
        while line.line().next == before {
            tokio::task::yield_now().await;
        }
        sender.send(bytes);
        let holds = |line: &Line| {
            let one = line.bodies.get(&before);
            one.is_none_or(|one| one.bytes.load(Ordering::Relaxed) == bytes)
        };
        while !holds(&line.line()) {
            tokio::task::yield_now().await;
        }
        Self { sender, task }
    }

    async fn end(self) -> Read {
        let Self { sender, mut task } = self;
        drop(sender);
        let read = tokio::time::timeout(PATIENCE, task.join_next()).await;
        read.expect("it ends").unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_body_is_read_whole_however_it_comes() {
    let (intake, source) = intake(PATIENCE);
    let (sender, arriving) = body();
    sender.send(KIB);
    drop(sender);
    let (bytes, held) = intake.read(&source, &connection(), arriving).await.unwrap();
    assert_eq!(bytes.len(), KIB);
    assert_eq!(source.held.load(Ordering::Relaxed), KIB);
    drop(held);

    let intake = Arc::new(intake);
    let reading = Reading::begin(&intake, &source, KIB).await;
    reading.sender.send(2 * KIB);
    let (bytes, held) = reading.end().await.unwrap();
    assert_eq!(bytes.len(), 3 * KIB);
    assert_eq!(source.held.load(Ordering::Relaxed), 3 * KIB);
    drop(held);
    assert_eq!(source.held.load(Ordering::Relaxed), 0);
    assert_eq!(intake.held.held.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_too_slow() {
    let (intake, source) = intake(Duration::from_millis(50));
    let (sender, body) = body();
    sender.send(1);
    let read = tokio::time::timeout(PATIENCE, intake.read(&source, &connection(), body)).await;
    assert!(matches!(read.expect("it ends"), Err(Rejection::SlowBody)));
    assert_eq!(source.held.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_stop_gives_up_what_is_on_its_way_and_takes_what_is_whole() {
    let (intake, source) = intake(PATIENCE * 10);
    let intake = Arc::new(intake);
    let before = Reading::begin(&intake, &source, KIB).await;
    let (refused, discarded) = body();
    intake.discard(discarded);
    let Reading { sender, mut task } = before;

    intake.stop.cancel();
    let read =
        tokio::time::timeout(PATIENCE, task.join_next()).await.expect("it ends").unwrap().unwrap();
    let (late, arriving) = body();
    late.send(KIB);
    let begun = intake.read(&source, &connection(), arriving).await;
    let whole = intake.read(&source, &connection(), Body::from(vec![0; KIB])).await;
    let closed = tokio::time::timeout(PATIENCE, refused.0.closed()).await;

    assert!(matches!(read, Err(Rejection::Stopping)), "{:?}", read.err());
    assert!(matches!(begun, Err(Rejection::Stopping)), "{:?}", begun.err());
    assert!(whole.is_ok() && closed.is_ok());
    drop((sender, late, whole));
    assert_eq!(intake.held.held.load(Ordering::Relaxed), 0);
}

#[test]
fn a_body_has_time_for_what_it_brings_and_no_more_than_five_times_the_beginning() {
    let (intake, _) = intake(Duration::from_secs(10));
    let since = Instant::now();
    let time = |bytes| (intake.deadline(since, bytes) - since).as_secs();
    assert_eq!([time(0), time(32 * KIB), time(320 * KIB)], [10, 11, 20]);
    assert_eq!(time(1 << 30), 50);
}

#[tokio::test]
async fn a_body_is_refused_for_its_size_and_for_the_length_that_it_says() {
    let (intake, source) = intake(PATIENCE);
    let (sender, arriving) = body();
    sender.send(64 * KIB);
    sender.send(1);
    let read = intake.read(&source, &connection(), arriving).await;
    assert!(matches!(read, Err(Rejection::TooLarge(_))));
    let said = Body::from(vec![0; 64 * KIB + 1]);
    assert!(matches!(intake.check_length(&said), Err(Rejection::TooLarge(_))));
    assert!(intake.check_length(&Body::from(vec![0; 64 * KIB])).is_ok());
}

#[tokio::test]
async fn the_slow_give_way_and_those_who_are_whole_get_in() {
    let (intake, source) = intake(PATIENCE);
    let intake = Arc::new(intake);
    let mut slow = Vec::new();
    for _ in 0..12 {
        slow.push(Reading::begin(&intake, &source, 63 * KIB).await);
        assert!(source.held.load(Ordering::Relaxed) <= 128 * KIB);
    }

    for _ in 0..8 {
        let whole = Body::from(vec![0; 60 * KIB]);
        let read = intake.read(&source, &connection(), whole).await;
        assert!(read.is_ok(), "{:?}", read.err());
    }

    let mut gave_way = 0;
    for reading in slow {
        let ended = reading.end().await;
        gave_way += usize::from(matches!(ended, Err(Rejection::GaveWay)));
    }
    assert!(gave_way >= 10, "{gave_way}");
    assert_eq!(intake.held.held.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn who_gives_way_is_told_although_nothing_more_comes() {
    let (intake, source) = intake(PATIENCE);
    let intake = Arc::new(intake);
    let Reading { sender, mut task } = Reading::begin(&intake, &source, 63 * KIB).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let whole = Body::from(vec![0; 60 * KIB]);
        held.push(intake.read(&source, &connection(), whole).await.unwrap());
    }
    let read = tokio::time::timeout(PATIENCE * 2, task.join_next())
        .await
        .expect("it ends")
        .unwrap()
        .unwrap();
    assert!(matches!(read, Err(Rejection::GaveWay)), "{:?}", read.err());
    drop(sender);
}

#[tokio::test]
async fn a_source_gives_way_to_itself_before_another_does() {
    let (intake, greedy) = intake(PATIENCE);
    let intake = Arc::new(intake);
    let other = Share::of(128 * KIB);
    // It holds as much as each of the others, and for longer.
    let modest = Reading::begin(&intake, &other, 63 * KIB).await;
    let mut slow = Vec::new();
    for _ in 0..12 {
        slow.push(Reading::begin(&intake, &greedy, 63 * KIB).await);
    }
    assert!(modest.end().await.is_ok());
}

#[tokio::test]
async fn what_is_whole_is_refused_only_where_what_is_whole_fills_everything() {
    let (intake, source) = intake(PATIENCE);
    let whole = || Body::from(vec![0; 60 * KIB]);
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(intake.read(&source, &connection(), whole()).await.unwrap());
    }
    let read = intake.read(&source, &connection(), whole()).await;
    assert!(matches!(read, Err(Rejection::SourceBusy)));
    let other = Share::of(128 * KIB);
    for _ in 0..2 {
        held.push(intake.read(&other, &connection(), whole()).await.unwrap());
    }
    let third = Share::of(128 * KIB);
    let read = intake.read(&third, &connection(), whole()).await;
    assert!(matches!(read, Err(Rejection::Busy)));
    held.clear();
    assert!(intake.read(&third, &connection(), whole()).await.is_ok());
}

/// Guards that what is held of bodies is about what they take.
#[tokio::test]
async fn a_small_body_does_not_hold_the_buffer_that_it_came_in() {
    let (intake, source) = intake(PATIENCE);
    for (bytes, is_small) in [(0, true), (KIB, true), (9 * KIB, false)] {
        let buffer = Bytes::from(vec![b'x'; 16 * KIB]);
        let (sender, body) = body();
        sender.0.try_send(buffer.slice(..bytes)).unwrap();
        drop(sender);
        let (whole, _held) = intake.read(&source, &connection(), body).await.unwrap();
        assert_eq!((whole.len(), buffer.is_unique()), (bytes, is_small));
    }
}
