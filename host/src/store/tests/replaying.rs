//! What is done or dead comes back; what is pending is left alone.

use super::*;

async fn one_of_each(bench: &Bench) -> Vec<Id> {
    let ids = bench.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &["crm"])]).await;
    bench.end_run(bench.runs().pop().unwrap(), Verdict::Done).await;
    bench.end_delivery(bench.deliveries().pop().unwrap(), Verdict::Dead).await;
    ids
}

#[tokio::test]
async fn an_event_is_replayed_with_the_same_ids_and_its_history() {
    let bench = Bench::new();
    let ids = one_of_each(&bench).await;
    let before = bench.store.event(ids[0]).unwrap().unwrap();

    let replayed = bench.store.replay(ids.clone()).await.unwrap();

    assert_eq!(replayed, Replayed { reopened: 2, left: 0 });
    let (run, delivery) = (bench.runs().pop().unwrap(), bench.deliveries().pop().unwrap());
    assert_eq!((run.id, run.tries_made), (before.runs[0].id, 0));
    assert_eq!((delivery.id, delivery.tries_made), (before.deliveries[0].id, 0));
    bench.end_delivery(delivery, Verdict::Done).await;
    let after = bench.store.event(ids[0]).unwrap().unwrap();
    assert_eq!(after.deliveries[0].attempts.len(), 2);
    assert_eq!(after.deliveries[0].progress.reopened_at, [NOW]);
    assert_eq!(after.deliveries[0].progress.tries_made, 1);
}

#[tokio::test]
async fn what_is_pending_or_in_flight_is_left_alone() {
    let bench = Bench::new();
    let routed = event("evt_1", "pi_1").to(&["ledger"], &["crm", "erp"]);
    let ids = bench.bring(vec![routed]).await;
    let in_flight = bench.runs().pop().unwrap();
    bench.end_delivery(bench.deliveries().remove(0), Verdict::RetryAt(in_minutes(1))).await;

    let replayed = bench.store.replay(ids).await.unwrap();

    assert_eq!(replayed, Replayed { reopened: 0, left: 3 });
    assert!(bench.runs().is_empty());
    drop(in_flight);
}

#[tokio::test]
async fn an_unknown_id_is_named_and_nothing_is_replayed() {
    let bench = Bench::new();
    let ids = one_of_each(&bench).await;
    let elsewhere = Id { tag: ids[0].tag ^ 1, ..ids[0] };
    let wrong_kind = Id { kind: crate::ids::IdKind::Run, ..ids[0] };

    let error = bench.store.replay(vec![ids[0], elsewhere, wrong_kind]).await.unwrap_err();

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

    assert_eq!(replayed, Replayed { reopened: 1, left: 1 });
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
    let ids = one_of_each(&bench).await;
    let dead = |subject: &str| EventFilter {
        subject: Some(subject.into()),
        state: Some(State::Dead),
        ..EventFilter::default()
    };

    let missed = bench.store.replay_matching(dead("pi_2")).await.unwrap();
    assert_eq!(missed, Replayed::default());
    let replayed = bench.store.replay_matching(dead("pi_1")).await.unwrap();

    assert_eq!(replayed, Replayed { reopened: 1, left: 1 });
    assert!(bench.runs().is_empty());
    assert_eq!(bench.deliveries().len(), 1);
    assert!(bench.store.dead(Page { cursor: None, limit: 9 }).unwrap().items.is_empty());
    assert_eq!(bench.store.event(ids[0]).unwrap().unwrap().state, State::Pending);
}

#[tokio::test]
async fn a_reopened_work_before_the_mark_survives_a_restart() {
    let bench = Bench::new();
    let ids = one_of_each(&bench).await;
    // An orderly end moves the mark over everything.
    let bench = bench.restart().await;
    bench.store.replay(ids).await.unwrap();
    let bench = bench.restart().await;
    bench.end_run(bench.runs().pop().unwrap(), Verdict::Done).await;
    let bench = bench.restart().await;

    assert!(bench.runs().is_empty());
    assert_eq!(bench.deliveries().len(), 1);
}

#[tokio::test]
async fn a_run_that_is_replayed_in_the_commit_that_finished_it_survives_a_restart() {
    let disk = disk::Disk::default();
    let open = || Store::open_on(disk.clone(), &Config::at("nowhere"), Clock::manual(NOW)).unwrap();
    let bench = Bench { folder: TempDir::new().unwrap(), clock: Clock::manual(NOW), store: open() };
    let ids = bench.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &[])]).await;
    let run = bench.runs().pop().unwrap();
    disk.stall();
    let mut tasks = tokio::task::JoinSet::new();
    let store = bench.store.clone();
    tasks.spawn(async move { store.append(receipt(&[])).await.unwrap() });
    tokio::task::yield_now().await;
    disk.wait_for_stall();

    let store = bench.store.clone();
    let done = store.commit_run(run, tried(Verdict::Done), Committed::default());
    let replayed = store.replay(ids);
    // Both are queued before the disk goes on.
    let go_on = async { disk.go_on() };
    let (done, replayed, ()) = tokio::join!(done, replayed, go_on);
    done.unwrap();
    assert_eq!(replayed.unwrap().reopened, 1);
    tasks.join_all().await;
    drop(store);
    bench.store.close().await.unwrap();

    assert_eq!(open().claim_runs(9, 9).unwrap().len(), 1);
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
