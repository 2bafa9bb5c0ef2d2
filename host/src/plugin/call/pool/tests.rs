//! Threads that really wait and work.

use std::sync::mpsc::{SyncSender, sync_channel};

use super::*;

const SHAPE: Shape = Shape { threads: 1, queue: 4, slow: Duration::from_millis(5) };

/// More than any call here takes.
const LIMIT: Duration = Duration::from_secs(3_600);

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Something that holds a thread until it is let go.
struct Held {
    started: oneshot::Receiver<()>,
    release: SyncSender<()>,
}

fn holding() -> (impl FnOnce() + Send + 'static, Held) {
    let (start, started) = oneshot::channel();
    let (release, released) = sync_channel::<()>(0);
    let hold = move || {
        start.send(()).unwrap();
        released.recv().unwrap();
    };
    (hold, Held { started, release })
}

#[tokio::test]
async fn a_panic_fails_its_call_with_its_words_and_no_other() {
    let pool = Pool::start("test", SHAPE).unwrap();
    let panicked = pool.call(None, LIMIT, || -> u8 { panic!("over what guest {} gave", 1) }).await;
    assert_eq!(panicked, Err(PoolError::Panicked("over what guest 1 gave".to_owned())));
    assert_eq!(pool.call(None, LIMIT, || 7).await, Ok(7));
}

/// Guards all threads: as often as there are any.
#[tokio::test]
async fn a_panic_over_who_is_told_ends_no_thread() {
    let pool = Pool::start("test", SHAPE).unwrap();
    for _ in 0..all_threads(SHAPE.threads) {
        let told = pool.call_and(None, LIMIT, || 7, |_| panic!("over who is told")).await;
        assert!(matches!(told, Err(PoolError::Panicked(_))), "{told:?}");
    }
    assert_eq!(pool.call(None, LIMIT, || 7).await, Ok(7));
}

#[tokio::test]
async fn a_full_queue_is_said_at_once() {
    let pool = Pool::start("test", Shape { queue: 1, ..SHAPE }).unwrap();
    let (hold, held) = holding();
    let running = pool.call(None, LIMIT, hold);
    let waiting_and_refused = async {
        held.started.await.unwrap();
        let waiting = pool.call(None, LIMIT, || 2);
        let refused = async {
            let refused = pool.call(None, LIMIT, || 3).await;
            held.release.send(()).unwrap();
            refused
        };
        tokio::join!(biased; waiting, refused)
    };
    let (running, (waiting, refused)) = tokio::join!(biased; running, waiting_and_refused);
    assert_eq!((running, waiting, refused), (Ok(()), Ok(2), Err(PoolError::Busy)));
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_is_not_made() {
    let pool = Pool::start("test", SHAPE).unwrap();
    let (made, was_made) = sync_channel::<()>(1);
    let (hold, held) = holding();
    let running = pool.call(None, LIMIT, hold);
    let abandoned = async {
        held.started.await.unwrap();
        let abandoned = pool.call(None, LIMIT, move || made.send(()).unwrap());
        // Polled once, which puts it into the queue, and left.
        tokio::select! {
            biased;
            _ = abandoned => panic!("the only thread is taken"),
            () = std::future::ready(()) => (),
        }
        held.release.send(()).unwrap();
    };
    tokio::join!(running, abandoned).0.unwrap();
    pool.call(None, LIMIT, || ()).await.unwrap();
    assert!(was_made.try_recv().is_err());
}

#[tokio::test]
async fn with_two_threads_one_that_spins_holds_one_and_all_others_are_served() {
    let pool = Pool::start("test", Shape { threads: 2, queue: 64, ..SHAPE }).unwrap();
    let spinner = name("spinner");
    let shop = name("shop");
    let (hold, held) = holding();
    let (more, rest) = holding();
    let spinning = pool.call(Some(&spinner), LIMIT, hold);
    let behind = pool.call(Some(&spinner), LIMIT, more);
    let others = async {
        held.started.await.unwrap();
        for number in 0..20 {
            assert_eq!(pool.call(Some(&shop), LIMIT, move || number).await, Ok(number));
        }
        held.release.send(()).unwrap();
        rest.started.await.unwrap();
        rest.release.send(()).unwrap();
    };
    let (spun, behind, ()) = tokio::join!(biased; spinning, behind, others);
    assert_eq!((spun, behind), (Ok(()), Ok(())));
}

#[tokio::test]
async fn every_call_is_made_however_many_wait() {
    let shape = Shape { threads: 3, queue: 100_000, ..SHAPE };
    let pool = Arc::new(Pool::start("test", shape).unwrap());
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..5_000_u32 {
        let pool = Arc::clone(&pool);
        calls.spawn(async move {
            let of = name(&format!("source-{}", number % 7));
            pool.call(Some(&of), LIMIT, move || number).await.unwrap()
        });
    }
    let sum: u32 = calls.join_all().await.iter().sum();
    assert_eq!(sum, (0..5_000).sum::<u32>());
}

#[tokio::test]
async fn the_threads_end_with_the_lane() {
    let pool = Pool::start("test", Shape { threads: 3, ..SHAPE }).unwrap();
    pool.call(None, LIMIT, || ()).await.unwrap();
    let desk = Arc::downgrade(&pool.desk);
    drop(pool);
    while desk.strong_count() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_rests_is_served_when_it_has_rested() {
    let pool = Pool::start("test", Shape { slow: Duration::ZERO, ..SHAPE }).unwrap();
    let spinner = name("spinner");
    // Each call uses up its time, which is none at all, and rests for as good as none.
    for number in 0..10 {
        assert_eq!(pool.call(Some(&spinner), Duration::ZERO, move || number).await, Ok(number));
    }
}
