//! What is done or dead comes back; what waits is hastened, what is under way is left alone.

use tokio::task::JoinSet;

use super::disk::Disk;
use super::*;

fn reopened(reopened: usize) -> Replayed {
    Replayed { reopened, ..Replayed::default() }
}

async fn replay_matching(bench: &Bench, filter: EventFilter) -> Replayed {
    let slice = bench.store.replay_matching(filter, None).await.unwrap();
    assert_eq!(slice.next, None);
    slice.replayed
}

/// An event whose run is done and whose delivery is dead.
async fn one_of_each(bench: &Bench) -> Id {
    bench.finished("evt_1", Verdict::Dead).await.1
}

/// The disk holds up a commit: what is asked for until it goes on is committed together.
async fn stalled(bench: &Bench, disk: &Disk) -> JoinSet<Appended> {
    disk.stall();
    let mut appending = JoinSet::new();
    let store = bench.store.clone();
    appending.spawn(async move { store.append(receipt(&[])).await.unwrap() });
    tokio::task::yield_now().await;
    disk.wait_for_stall();
    appending
}

#[tokio::test]
async fn an_event_is_replayed_with_the_same_ids_and_its_history() {
    let bench = Bench::new();
    let id = one_of_each(&bench).await;
    let before = bench.store.event(id).unwrap().unwrap();

    let replayed = bench.store.replay(vec![id]).await.unwrap();

    assert_eq!(replayed, reopened(2));
    let (run, delivery) = (bench.runs().pop().unwrap(), bench.deliveries().pop().unwrap());
    assert_eq!((run.id, run.tries_made), (before.runs[0].id, 0));
    assert_eq!((delivery.id, delivery.tries_made), (before.deliveries[0].id, 0));
    bench.end_delivery(delivery, Verdict::Done).await;
    let after = bench.store.event(id).unwrap().unwrap();
    assert_eq!(after.deliveries[0].attempts.len(), 2);
    assert_eq!(after.deliveries[0].progress.reopened_at, [NOW]);
    assert_eq!(after.deliveries[0].progress.tries_made, 1);
}

#[tokio::test]
async fn what_waits_is_hastened_and_what_is_ready_or_in_flight_is_left_alone() {
    let bench = Bench::new();
    let routed = event("evt_1", "pi_1").to(&["ledger"], &["crm", "erp"]);
    let ids = bench.bring(vec![routed]).await;
    let in_flight = bench.runs().pop().unwrap();
    let crm = bench.store.take_deliveries(1, usize::MAX).unwrap().remove(0);
    let waiting = crm.id;
    bench.end_delivery(crm, Verdict::RetryAt(in_minutes(60))).await;

    let replayed = bench.store.replay(ids.clone()).await.unwrap();

    assert_eq!(replayed, Replayed { hastened: 1, unchanged: 2, ..Replayed::default() });
    assert!(bench.runs().is_empty());
    drop(in_flight);
    let again = bench.store.replay(ids).await.unwrap();
    assert_eq!(again, Replayed { unchanged: 3, ..Replayed::default() });
    // Also after a restart, with the tries that it had.
    let bench = bench.restart().await;
    let deliveries = bench.deliveries();
    let hastened = deliveries.iter().find(|work| work.id == waiting).unwrap();
    assert_eq!((deliveries.len(), hastened.tries_made), (2, 1));
}

#[tokio::test]
async fn an_unknown_id_is_named_and_nothing_is_replayed() {
    let bench = Bench::new();
    let id = one_of_each(&bench).await;
    let elsewhere = Id { tag: id.tag ^ 1, ..id };
    let wrong_kind = Id { kind: crate::ids::IdKind::Run, ..id };

    let error = bench.store.replay(vec![id, elsewhere, wrong_kind]).await.unwrap_err();

    assert!(matches!(&error, Error::Unknown(ids) if *ids == [elsewhere, wrong_kind]), "{error}");
    assert!(error.to_string().contains(&elsewhere.to_string()));
    assert!(bench.runs().is_empty());
}

#[tokio::test]
async fn a_receipt_is_replayed_only_if_it_is_dead() {
    let bench = Bench::new();
    let dead = bench.append(&["evt_1"]).await;
    bench.store.commit_parse(bench.parse(), tried(Verdict::Dead), Vec::new()).await.unwrap();
    let done = bench.append(&["evt_2"]).await;
    bench.store.commit_parse(bench.parse(), tried(Verdict::Done), Vec::new()).await.unwrap();

    let replayed = bench.store.replay(vec![dead, done]).await.unwrap();

    assert_eq!(replayed, Replayed { unchanged: 1, ..reopened(1) });
    let events = vec![event("evt_1", "pi_1")];
    let work = bench.parse();
    assert_eq!(work.id, dead);
    let added = bench.store.commit_parse(work, tried(Verdict::Done), events).await.unwrap();
    assert_eq!(added.len(), 1);
    assert_eq!(bench.store.stats().works[&WorkKind::Parse].dead, 0);
}

#[tokio::test]
async fn only_the_dead_of_matching_events_are_replayed() {
    let bench = Bench::new();
    let id = one_of_each(&bench).await;
    let dead = |subject: &str| EventFilter {
        subject: Some(subject.into()),
        state: Some(State::Dead),
        ..EventFilter::default()
    };

    let missed = replay_matching(&bench, dead("pi_2")).await;
    assert_eq!(missed, Replayed::default());
    let replayed = replay_matching(&bench, dead("pi_1")).await;

    assert_eq!(replayed, Replayed { unchanged: 1, ..reopened(1) });
    assert!(bench.runs().is_empty());
    assert_eq!(bench.deliveries().len(), 1);
    assert!(bench.store.dead(Page { cursor: None, limit: 9 }).unwrap().items.is_empty());
    assert_eq!(bench.store.event(id).unwrap().unwrap().state, State::Pending);
}

#[tokio::test]
async fn a_reopened_work_before_the_mark_survives_a_restart() {
    let bench = Bench::new();
    let id = one_of_each(&bench).await;
    // An orderly end moves the mark over everything.
    let bench = bench.restart().await;
    bench.store.replay(vec![id]).await.unwrap();
    let bench = bench.restart().await;
    bench.end_run(bench.runs().pop().unwrap(), Verdict::Done).await;
    let bench = bench.restart().await;

    assert!(bench.runs().is_empty());
    assert_eq!(bench.deliveries().len(), 1);
}

#[tokio::test]
async fn a_run_that_is_replayed_in_the_commit_that_finished_it_survives_a_restart() {
    let disk = Disk::default();
    let bench = Bench::on(disk.clone(), Clock::manual(NOW));
    let ids = bench.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &[])]).await;
    let run = bench.runs().pop().unwrap();
    let appending = stalled(&bench, &disk).await;

    let done = bench.store.commit_run(run, tried(Verdict::Done), Committed::default());
    let replayed = bench.store.replay(ids);
    // Both are queued before the disk goes on.
    let go_on = async { disk.go_on() };
    let (done, replayed, ()) = tokio::join!(done, replayed, go_on);
    done.unwrap();
    assert_eq!(replayed.unwrap().reopened, 1);
    appending.join_all().await;
    bench.store.close().await.unwrap();

    let bench = Bench::on(disk, bench.clock);
    assert_eq!(bench.runs().len(), 1);
}

#[tokio::test]
async fn another_version_of_a_plugin_reopens_what_it_could_not_parse() {
    let bench = Bench::new();
    let id = bench.append(&["evt_1"]).await;
    bench.store.commit_parse(bench.parse(), tried(Verdict::Dead), Vec::new()).await.unwrap();
    let reopen = async |sources: &[Name], digest: &str| {
        bench.store.reopen_parses(sources, digest).await.unwrap().reopened
    };

    assert_eq!(reopen(&[name("stripe")], "d1").await, 0);
    assert_eq!(reopen(&[name("adyen")], "d2").await, 0);
    assert_eq!(reopen(&[name("adyen"), name("stripe")], "d2").await, 1);
    assert_eq!(bench.parse().id, id);
}

#[tokio::test]
async fn only_what_is_pending_is_hastened_if_that_is_asked_for() {
    let bench = Bench::new();
    let events = ["evt_1", "evt_2"].map(|id| event(id, "").to(&[], &["crm", "erp"]));
    bench.bring(events.to_vec()).await;
    let later = Verdict::RetryAt(in_minutes(60));
    let verdicts = [Verdict::Done, later, Verdict::Dead, Verdict::Done];
    for (work, verdict) in bench.deliveries().into_iter().zip(verdicts) {
        bench.end_delivery(work, verdict).await;
    }
    let pending = EventFilter { state: Some(State::Pending), ..EventFilter::default() };

    let replayed = replay_matching(&bench, pending.clone()).await;

    let expected = Replayed { hastened: 1, unchanged: 1, ..Replayed::default() };
    assert_eq!(replayed, expected);
    let deliveries = bench.deliveries();
    assert_eq!((deliveries.len(), deliveries[0].tries_made), (1, 1));
    // A second has nothing to hasten: it is in flight.
    assert_eq!(replay_matching(&bench, pending).await.hastened, 0);
}

#[tokio::test]
async fn the_dead_of_an_event_that_is_pending_are_reached_too() {
    let bench = Bench::new();
    bench.bring(vec![event("evt_1", "").to(&[], &["crm", "erp"])]).await;
    let mut works = bench.deliveries();
    bench.end_delivery(works.remove(0), Verdict::Dead).await;

    let dead = EventFilter { state: Some(State::Dead), ..EventFilter::default() };
    let replayed = replay_matching(&bench, dead).await;

    assert_eq!(replayed, Replayed { unchanged: 1, ..reopened(1) });
}

/// The events that the runs of one handler are for, as they come one after the other.
async fn run_all(bench: &Bench) -> Vec<String> {
    let mut ran = Vec::new();
    while let Some(run) = bench.runs().pop() {
        ran.push(run.event.event.id.clone());
        bench.end_run(run, Verdict::Done).await;
    }
    ran
}

#[tokio::test]
async fn a_subjects_events_are_replayed_in_their_order() {
    let bench = Bench::new();
    let mut ids = Vec::new();
    let names: Vec<String> = (0..10).map(|number| format!("evt_{number}")).collect();
    for name in &names {
        ids.extend(bench.bring(vec![event(name, "pi_1").to(&["ledger"], &[])]).await);
    }
    assert_eq!(run_all(&bench).await, names);

    let done = EventFilter { state: Some(State::Done), ..EventFilter::default() };
    assert_eq!(replay_matching(&bench, done).await, reopened(10));
    assert_eq!(run_all(&bench).await, names);
    ids.reverse();
    assert_eq!(bench.store.replay(ids).await.unwrap(), reopened(10));
    assert_eq!(run_all(&bench).await, names);
}

#[tokio::test]
async fn what_is_replayed_goes_before_what_is_newer_and_waits() {
    let bench = Bench::new();
    let bring = async |id: &str| bench.bring(vec![event(id, "pi_1").to(&["ledger"], &[])]).await;
    let old = bring("evt_old").await;
    run_all(&bench).await;
    bring("evt_front").await;
    bring("evt_new").await;

    bench.store.replay(old).await.unwrap();

    // The one in front has its turn already.
    assert_eq!(run_all(&bench).await, ["evt_front", "evt_old", "evt_new"]);
}

#[tokio::test]
async fn a_replay_goes_on_where_it_stopped_and_never_comes_to_what_it_caused() {
    let bench = Bench::new();
    for first in (0..1200).step_by(300) {
        let name = |number: usize| event(&format!("evt_{number}"), "").to(&["ledger"], &[]);
        bench.bring((first..first + 300).map(name).collect()).await;
    }
    for run in bench.runs() {
        bench.end_run(run, Verdict::Done).await;
    }

    let all = EventFilter { source: Some(name("stripe")), ..EventFilter::default() };
    let first = bench.store.replay_matching(all.clone(), None).await.unwrap();
    let next = first.next.expect("it is more than a part");
    bench.bring(vec![event("evt_later", "").to(&["ledger"], &[])]).await;
    let cursor: ReplayCursor = next.to_string().parse().unwrap();
    let second = bench.store.replay_matching(all, Some(cursor)).await.unwrap();

    assert_eq!(second.next, None);
    assert_eq!(first.replayed.reopened + second.replayed.reopened, 1200);
    assert_eq!(second.replayed.unchanged, 0);
}

#[tokio::test]
async fn a_retry_that_is_hastened_in_the_commit_that_put_it_off_is_due_at_once() {
    let disk = Disk::default();
    let bench = Bench::on(disk.clone(), Clock::manual(NOW));
    let ids = bench.bring(vec![event("evt_1", "").to(&[], &["crm"])]).await;
    let delivery = bench.deliveries().pop().unwrap();
    let _appending = stalled(&bench, &disk).await;

    let put_off = attempt(Verdict::RetryAt(in_minutes(60)));
    let recorded = bench.store.record_attempt(delivery, put_off);
    let replayed = bench.store.replay(ids);
    let go_on = async { disk.go_on() };
    let (recorded, replayed, ()) = tokio::join!(recorded, replayed, go_on);

    recorded.unwrap();
    assert_eq!(replayed.unwrap().hastened, 1);
    assert_eq!(bench.deliveries().pop().unwrap().tries_made, 1);
}
