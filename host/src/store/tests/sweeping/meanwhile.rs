//! What happens between the look of a sweep and the commit of its step.

use tokio::task::JoinSet;

use super::*;
use crate::store::keep::sweep::survey::Pass;
use crate::store::keep::sweep::{PutInPlace, Sweep};

/// A finished event, and a sweep that has found it expired and is not committed yet.
async fn found_expired() -> (Bench, Id, Sweep) {
    let bench = Bench::new();
    let (_, event_id) = bench.finished("evt_1", Verdict::Done).await;
    let bench = bench.restart().await;
    bench.pass_until(100);
    let shared = &bench.store.handle.shared;
    let step = shared.survey(&Retention::default(), Pass::Fresh { all: false }).unwrap();
    (bench, event_id, step.sweep.unwrap())
}

impl Bench {
    /// Puts a step in place, as the sweep does whose turn it is.
    async fn put(&self, sweep: Sweep) -> Result<bool, Error> {
        let turn = Arc::clone(&self.store.handle.shared.sweeping).lock_owned().await;
        self.store.ask(|reply| PutInPlace { sweep, _turn: Arc::new(turn), reply }).await
    }
}

#[tokio::test]
async fn what_is_opened_again_during_a_sweep_is_not_swept() {
    let (bench, event_id, sweep) = found_expired().await;

    bench.store.replay(vec![event_id]).await.unwrap();
    let done = bench.put(sweep).await.unwrap();

    assert!(!done);
    assert_eq!((bench.runs().await.len(), bench.deliveries().await.len()), (1, 1));
}

#[tokio::test]
async fn what_is_opened_again_in_the_same_commit_is_not_swept() {
    let disk = Disk::default();
    let bench = Bench::on(disk.clone(), Clock::manual(NOW));
    let (_, event_id) = bench.finished("evt_1", Verdict::Done).await;
    bench.store.close().await.unwrap();
    let bench = Bench::on(disk.clone(), bench.clock);
    bench.pass_until(100);
    let shared = &bench.store.handle.shared;
    let step = shared.survey(&Retention::default(), Pass::Fresh { all: false }).unwrap();
    let sweep = step.sweep.unwrap();

    disk.stall();
    let append = bench.store.append(receipt(&["evt_2"]));
    let swept = bench.put(sweep);
    let replay = bench.store.replay(vec![event_id]);
    tokio::pin!(append, swept, replay);
    assert!(at_once(append.as_mut()).is_none());
    disk.wait_for_stall();
    // Both wait for the next commit, the sweep in front.
    assert!(at_once(swept.as_mut()).is_none() && at_once(replay.as_mut()).is_none());
    disk.go_on();

    assert!(append.await.is_ok() && !swept.await.unwrap());
    assert_eq!(replay.await.unwrap().reopened, 2);
    assert_eq!((bench.runs().await.len(), bench.deliveries().await.len()), (1, 1));
}

#[tokio::test]
async fn what_died_again_during_a_sweep_keeps_its_letter_and_its_records() {
    let (bench, event_id, sweep) = found_expired().await;

    bench.store.replay(vec![event_id]).await.unwrap();
    bench.end_run(bench.runs().await.pop().unwrap(), Verdict::Dead).await;
    bench.end_delivery(bench.deliveries().await.pop().unwrap(), Verdict::Done).await;
    let done = bench.put(sweep).await.unwrap();

    assert!(!done);
    let dead = bench.store.dead(ALL).await.unwrap();
    assert_eq!((dead.items.len(), dead.damaged), (1, Vec::new()));
    assert!(bench.store.event(event_id).await.unwrap().is_some());
}

#[tokio::test]
async fn what_died_again_behind_the_survey_of_letters_keeps_its_new_letter() {
    let bench = Bench::new();
    let (_, event_id) = bench.finished("evt_1", Verdict::Dead).await;
    bench.pass_until(100);
    let shared = &bench.store.handle.shared;
    let step = shared.survey(&Retention::default(), Pass::default()).unwrap();
    let sweep = step.sweep.expect("the letter was kept long enough");

    bench.store.replay(vec![event_id]).await.unwrap();
    bench.end_run(bench.runs().await.pop().unwrap(), Verdict::Done).await;
    bench.end_delivery(bench.deliveries().await.pop().unwrap(), Verdict::Dead).await;
    bench.put(sweep).await.unwrap();

    assert_eq!(bench.store.dead(ALL).await.unwrap().items.len(), 1);
    assert_eq!(bench.store.stats().works[&WorkKind::Delivery].dead, 1);
}

/// A second sweep would pack what the step of the first replaces, and both would be in the log.
#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_that_is_dropped_keeps_its_turn_until_its_step_is_in_place() {
    let disk = Disk::default();
    let bench = Bench::on(disk.clone(), Clock::manual(NOW));
    bench.finished("evt_1", Verdict::Done).await;
    bench.store.close().await.unwrap();
    let bench = Bench::on(disk.clone(), bench.clock);
    bench.pass_until(100);
    let next_may_begin = || bench.store.handle.shared.sweeping.try_lock().is_ok();

    disk.stall();
    let store = bench.store.clone();
    let mut sweeps = JoinSet::new();
    sweeps.spawn(async move { store.sweep(&Retention::default()).await });
    disk.wait_for_stall();
    sweeps.abort_all();
    assert!(sweeps.join_next().await.unwrap().unwrap_err().is_cancelled());

    assert!(!next_may_begin(), "its step is being committed");
    disk.go_on();
    bench.store.idle().await;
    assert!(next_may_begin());
}
