//! Far: what is owed for long need not be in memory. It comes once all the same, in its order and
//! when it is due, over starts and kills, and delays nobody else [I3, I8, I11].
//!
//! The windows are so small that most of what is owed here lies outside of them. Never looks at
//! what lies where.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;

use super::*;

fn far<S: Subject>() -> Case<S> {
    let windows = Windows { total: 16, least: 2, most: 8, held: 8 };
    Case::with(Config { windows, recent_bytes: 0, ..Config::at("nowhere") })
}

/// Brings so many events to an endpoint, each in a commit of its own.
async fn owe(case: &Case<impl Subject>, events: usize, endpoint: &str) -> Vec<Id> {
    let mut ids = Vec::new();
    for number in 0..events {
        let new = event(&format!("{endpoint}_{number}"), "").to(&[], &[endpoint]);
        ids.extend(case.bring(vec![new]).await);
    }
    ids
}

/// Some of the deliveries that are due, once there are any; none if none will come.
async fn taken(case: &Case<impl Subject>, most: usize) -> Vec<DeliveryWork> {
    loop {
        let ready = case.store.ready(WorkKind::Delivery);
        let taken = case.store.take_deliveries(most, usize::MAX).await.unwrap();
        if !taken.is_empty() {
            return taken;
        }
        tokio::select! {
            biased;
            () = ready => (),
            () = case.store.idle() => return Vec::new(),
        }
    }
}

/// Takes so many deliveries, each of them once, and ends them so. Gives their positions.
async fn end(case: &Case<impl Subject>, works: usize, verdict: Verdict) -> BTreeSet<u64> {
    let mut ended = BTreeSet::new();
    while ended.len() < works {
        let left = works - ended.len();
        let taken = taken(case, left.min(5)).await;
        assert!(!taken.is_empty(), "{left} are lost");
        for work in taken {
            assert!(ended.insert(work.id.position), "{} comes twice", work.id);
            case.end_delivery(work, verdict).await;
        }
    }
    ended
}

fn pending(case: &Case<impl Subject>) -> usize {
    case.store.stats().works[&WorkKind::Delivery].pending()
}

/// Nothing is left to do.
async fn check_done(case: &Case<impl Subject>) {
    case.store.idle().await;
    assert_eq!(pending(case), 0);
    assert!(case.deliveries().await.is_empty());
}

/// [I3, I8]
pub(in crate::store) async fn each_of_many_deliveries_is_made_once_over_restarts_and_kills<
    S: Subject,
>() {
    const EVENTS: usize = 600;
    let mut case = far::<S>();
    owe(&case, EVENTS, "crm").await;
    assert_eq!(pending(&case), EVENTS);

    let mut made = BTreeSet::new();
    for part in 0..6 {
        let some = end(&case, EVENTS / 6, Verdict::Done).await;
        assert!(made.is_disjoint(&some), "part {part}");
        made.extend(some);
        let left = EVENTS - made.len();
        assert_eq!(pending(&case), left, "part {part}");
        case = if part % 2 == 0 { case.killed() } else { case.restart().await };
        assert_eq!(pending(&case), left, "behind part {part}");
    }
    check_done(&case).await;
}

/// [I8]
pub(in crate::store) async fn what_waits_far_for_a_retry_comes_when_it_is_due<S: Subject>() {
    let case = far::<S>();
    owe(&case, 90, "crm").await;
    let first = end(&case, 90, Verdict::RetryAt(in_minutes(5))).await;
    let case = case.restart().await;
    assert!(taken(&case, 9).await.is_empty());
    assert_eq!(pending(&case), 90);

    case.clock.set(in_minutes(5));

    assert_eq!(end(&case, 90, Verdict::Done).await, first);
    check_done(&case).await;
}

/// [I8]
pub(in crate::store) async fn a_replay_reaches_what_is_far_and_the_dead_join_it<S: Subject>() {
    let case = far::<S>();
    let ids = owe(&case, 60, "crm").await;
    let mut all = end(&case, 45, Verdict::RetryAt(in_minutes(5))).await;
    all.extend(end(&case, 15, Verdict::Dead).await);
    let case = case.restart().await;

    let replayed = case.store.replay(ids).await.unwrap();

    assert_eq!((replayed.hastened, replayed.reopened), (45, 15));
    assert_eq!(end(&case, 60, Verdict::Done).await, all);
    check_done(&case).await;
}

pub(in crate::store) async fn runs_of_a_subject_that_are_far_go_in_their_order<S: Subject>() {
    let mut case = far::<S>();
    let mut brought = BTreeMap::<Option<String>, Vec<String>>::new();
    for number in 0..120 {
        let (id, subject) = (format!("evt_{number}"), format!("pi_{}", number % 3));
        case.bring(vec![event(&id, &subject).to(&["ledger"], &[])]).await;
        brought.entry(Some(subject)).or_default().push(id);
    }
    let mut ran = BTreeMap::<Option<String>, Vec<String>>::new();
    for part in 1..=4 {
        case = if part % 2 == 0 { case.killed() } else { case.restart().await };
        while ran.values().map(Vec::len).sum::<usize>() < 30 * part {
            let ready = case.store.ready(WorkKind::Run);
            for run in case.store.take_runs(2, usize::MAX).await.unwrap() {
                let event = Arc::clone(&run.event.event);
                ran.entry(event.subject.clone()).or_default().push(event.id.clone());
                case.end_run(run, Verdict::Done).await;
            }
            tokio::select! {
                biased;
                () = ready => (),
                () = case.store.idle() => break,
            }
        }
    }
    assert_eq!(ran, brought);
}

/// Also if some of them wait for a retry.
pub(in crate::store) async fn deliveries_of_a_subject_that_are_far_go_in_their_order<S: Subject>() {
    let windows = Windows { total: 16, least: 2, most: 8, held: 8 };
    let ordered = [(name("crm"), Order::Subject { skip_after: None })].into();
    let config = Config { windows, ordered, recent_bytes: 0, ..Config::at("nowhere") };
    let mut case = Case::<S>::with(config);
    let mut brought = BTreeMap::<Option<String>, Vec<String>>::new();
    for number in 0..90 {
        let (id, subject) = (format!("evt_{number}"), format!("pi_{}", number % 3));
        case.bring(vec![event(&id, &subject).to(&[], &["crm"])]).await;
        brought.entry(Some(subject)).or_default().push(id);
    }
    let mut made = BTreeMap::<Option<String>, Vec<String>>::new();
    for part in 1..=90 {
        if part % 20 == 0 {
            case = if part % 40 == 0 { case.killed() } else { case.restart().await };
        }
        let mut taken = taken(&case, 9).await;
        if taken.is_empty() || part % 7 == 0 {
            for work in taken.drain(..) {
                case.end_delivery(work, Verdict::RetryAt(in_minutes(part))).await;
            }
            case.clock.set(in_minutes(part));
            continue;
        }
        for work in taken {
            let Payload::Event(stored) = &work.payload else { panic!("it is of an event") };
            let (subject, id) = (stored.event.subject.clone(), stored.event.id.clone());
            made.entry(subject).or_default().push(id);
            case.end_delivery(work, Verdict::Done).await;
        }
    }
    assert_eq!(made, brought);
    check_done(&case).await;
}

/// [I11]
pub(in crate::store) async fn what_is_far_delays_nobody_else<S: Subject>() {
    let case = far::<S>();
    owe(&case, 60, "dead").await;
    let case = case.restart().await;
    case.store.allow(&name("dead"), Allowance::of(1));
    owe(&case, 3, "quick").await;

    let taken = case.deliveries().await;

    let quick = taken.iter().filter(|work| work.endpoint == name("quick"));
    assert_eq!((quick.count(), taken.len()), (3, 4));
}

/// Ends all runs that may be taken by this limit, and gives how many there were of each handler.
async fn run_by(case: &Case<impl Subject>, each: &dyn Fn(&Name) -> usize) -> BTreeMap<Name, usize> {
    let mut ran = BTreeMap::new();
    loop {
        let ready = case.store.ready(WorkKind::Run);
        let runs = case.store.take_runs_by(9, each).await.unwrap();
        if runs.is_empty() {
            tokio::select! {
                biased;
                () = ready => (),
                () = case.store.idle() => return ran,
            }
        }
        for run in runs {
            *ran.entry(run.handler.clone()).or_default() += 1;
            case.end_run(run, Verdict::Done).await;
        }
    }
}

/// [I8, I11]
pub(in crate::store) async fn what_is_far_of_a_handler_that_gets_nothing_waits_and_delays_nobody<
    S: Subject,
>() {
    let case = far::<S>();
    for number in 0..60 {
        case.bring(vec![event(&format!("gone_{number}"), "").to(&["gone"], &[])]).await;
    }
    let case = case.restart().await;
    for number in 0..20 {
        case.bring(vec![event(&format!("evt_{number}"), "").to(&["ledger"], &[])]).await;
    }
    let gone = name("gone");

    let ran = run_by(&case, &|handler| if *handler == gone { 0 } else { 9 }).await;

    assert_eq!(ran, BTreeMap::from([(name("ledger"), 20)]));
    assert_eq!(case.store.waiting(WorkKind::Run), [(gone.clone(), 60)]);
    case.store.ask_again(WorkKind::Run);
    assert!(is_pending(&mut pin!(case.store.idle())), "it may have some now");
    assert_eq!(run_by(&case, &|_| 9).await, BTreeMap::from([(gone, 60)]));
}
