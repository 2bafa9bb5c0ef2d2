//! What is tried and not committed: it holds up nobody else, and there is a bound to it [I7].
//!
//! Commits wait in the middle here, as on a slow disk, while works are taken and tried.

use super::*;

/// A store in the middle of its commits, which owes so many deliveries to each of these.
async fn owing<S: Subject>(endpoints: &[&str], count: usize, uncommitted: usize) -> Case<S> {
    let case = Case::<S>::with(Config { uncommitted, ..Config::at("nowhere") });
    let owed = |number| event(&format!("evt_{number}"), "").to(&[], endpoints);
    case.bring((0..count).map(owed).collect()).await;
    case.subject.hold_commits();
    case
}

/// The disk says nothing about how many are worked on, but for the runs of one subject.
pub(in crate::store) async fn a_run_begins_while_another_is_committed_unless_it_is_of_its_subject<
    S: Subject,
>() {
    let case = Case::<S>::new();
    let events = [("evt_1", "pi_1"), ("evt_2", "pi_1"), ("evt_3", "pi_2"), ("evt_4", "pi_3")];
    let events = events.map(|(id, subject)| event(id, subject).to(&["ledger"], &[]));
    case.bring(events.to_vec()).await;
    case.subject.hold_commits();
    let take = || case.store.take_runs(9, 1);
    let id = |run: &RunWork| run.event.event.id.clone();

    let mut committing = Vec::new();
    for expected in ["evt_1", "evt_3", "evt_4"] {
        let run = take().await.unwrap().pop().expect("the one before holds it up");
        assert_eq!(id(&run), expected);
        assert!(take().await.unwrap().is_empty(), "one at a time");
        let queued = case.store.queue_run(run, tried(Verdict::Done), Effects::default()).await;
        committing.push(queued.unwrap());
    }
    assert!(take().await.unwrap().is_empty(), "the first of its subject is not committed");

    case.subject.let_commits_go();
    for committing in committing {
        committing.await.unwrap().unwrap();
    }
    assert_eq!(id(&take().await.unwrap()[0]), "evt_2");
}

/// [I7, I11]
pub(in crate::store) async fn a_kill_repeats_no_more_than_there_were_slots_and_room_for<
    S: Subject,
>() {
    let case = owing::<S>(&["crm", "erp"], 50, 8).await;
    ["crm", "erp"].iter().for_each(|it| case.store.allow(&name(it), Allowance::of(3)));

    let (mut attempted, mut committing) = (Vec::new(), Vec::new());
    loop {
        let works = case.deliveries().await;
        if works.is_empty() {
            break;
        }
        for work in works {
            attempted.push((work.id, work.endpoint.clone()));
            let queued = case.store.queue_attempt(work, attempt(Verdict::Done)).await;
            committing.push(queued.unwrap());
        }
    }
    let killed = case.killed();
    case.subject.let_commits_go();

    let of = |endpoint| attempted.iter().filter(|(_, it)| *it == name(endpoint)).count();
    assert!(attempted.len() > 2 * 3, "outcomes on their way hold up nobody: {attempted:?}");
    assert!(attempted.len() <= 2 * 3 + 8, "there is no room for so many: {attempted:?}");
    assert!(of("crm").abs_diff(of("erp")) <= 4, "one leaves room for the other: {attempted:?}");
    let owed: Vec<Id> = killed.deliveries().await.iter().map(|work| work.id).collect();
    assert!(attempted.iter().all(|(id, _)| owed.contains(id)), "a kill loses none of them");
    for committing in committing {
        committing.await.unwrap().unwrap();
    }
    assert!(!case.deliveries().await.is_empty(), "and all go on behind the commit");
}

/// Who waits for a slot need not wait for the disk.
pub(in crate::store) async fn whoever_waits_is_woken_by_the_end_of_a_try<S: Subject>() {
    let case = owing::<S>(&["crm"], 2, 8).await;
    case.store.allow(&name("crm"), Allowance::of(1));
    let first = case.deliveries().await.pop().unwrap();
    let mut ready = std::pin::pin!(case.store.ready(WorkKind::Delivery));
    assert!(is_pending(&mut ready), "it has its slot");

    let committing = case.store.queue_attempt(first, attempt(Verdict::Done)).await.unwrap();
    assert!(committing.frees_slot());
    ready.await;
    assert_eq!(case.deliveries().await.len(), 1);

    let mut idle = std::pin::pin!(case.store.idle());
    assert!(is_pending(&mut idle), "it is not on disk");
    case.subject.let_commits_go();
    committing.await.unwrap().unwrap();
}

/// A stop waits for them [I10].
pub(in crate::store) async fn who_leaves_outcomes_behind_can_wait_for_all_of_them<S: Subject>() {
    let case = owing::<S>(&["crm"], 2, 2).await;
    case.store.settled(WorkKind::Delivery).await;
    let mut works = case.deliveries().await.into_iter();
    let mut leave = async || {
        let work = works.next().unwrap();
        case.store.leave_attempt(work, attempt(Verdict::Done)).await.unwrap()
    };

    assert!(leave().await.is_none(), "there is room for one outcome");
    let mut kept = leave().await.expect("there is no room for another");
    let mut settled = std::pin::pin!(case.store.settled(WorkKind::Delivery));
    assert!(is_pending(&mut kept) && is_pending(&mut settled), "they are not on disk");

    case.subject.let_commits_go();
    settled.await;
    kept.await.unwrap().unwrap();
    assert!(case.deliveries().await.is_empty(), "both are done");
}
