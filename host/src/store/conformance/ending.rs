//! Ending: one delivery, or what is owed to one endpoint, ends without a try where somebody asks
//! for that, all of it once, and nothing else [I3, I8].

use super::*;
use crate::failure::Reason;

/// The endpoint is gone, but for so many that are owed to it.
fn gone(endpoint: &str, keep: u64) -> EndOwed {
    let detail = "the endpoint was deleted".to_owned();
    EndOwed { endpoint: name(endpoint), keep, reason: Reason::EndpointGone, detail }
}

/// So many events, each to these endpoints.
async fn owe(case: &Case<impl Subject>, events: usize, endpoints: &[&str]) -> Vec<Id> {
    let owed = |number| event(&format!("evt_{number}"), "").to(&[], endpoints);
    case.bring((0..events).map(owed).collect()).await
}

/// How many deliveries are pending, and how many are dead.
fn counts(case: &Case<impl Subject>) -> (usize, u64) {
    let stats = case.store.stats().works[&WorkKind::Delivery];
    (stats.pending(), stats.dead)
}

/// [I8]
pub(in crate::store) async fn what_is_owed_to_an_endpoint_ends_dead_and_can_be_replayed<
    S: Subject,
>() {
    let case = Case::<S>::new();
    let ids = owe(&case, 5, &["crm", "erp"]).await;
    let mut taken = case.deliveries().await;
    taken.retain(|work| work.endpoint == name("crm"));
    let held = taken.remove(0);
    case.end_delivery(taken.remove(0), Verdict::RetryAt(in_minutes(1))).await;
    drop(taken);

    let ended = case.store.end_owed(gone("crm", 0)).await.unwrap();

    assert_eq!(ended, Ended { ended: 4, more: false });
    assert_eq!(counts(&case.killed()), (6, 4));
    assert_eq!(case.deliveries().await.len(), 5, "those of the other endpoint");
    for (id, (tries_made, attempts)) in ids[1..].iter().zip([(1, 2), (0, 1), (0, 1), (0, 1)]) {
        let view = case.store.event(*id).await.unwrap().unwrap();
        let crm = view.deliveries.iter().find(|it| it.endpoint == name("crm")).unwrap();
        assert_eq!(crm.progress.state, State::Dead);
        assert_eq!((crm.progress.tries_made, crm.attempts.len()), (tries_made, attempts));
    }
    case.end_delivery(held, Verdict::Done).await;
    assert_eq!(case.store.replay(ids).await.unwrap().reopened, 5);
    let again = case.deliveries().await;
    assert_eq!(again.iter().filter(|work| work.endpoint == name("crm")).count(), 5);
}

/// Whichever way it waits; and it ends once [I3, I8].
pub(in crate::store) async fn what_somebody_discards_ends_dead_unless_somebody_works_on_it<
    S: Subject,
>() {
    let case = Case::<S>::new();
    let ids = owe(&case, 3, &["crm"]).await;
    let mut taken = case.deliveries().await;
    let owed: Vec<Id> = taken.iter().map(|work| work.id).collect();
    case.end_delivery(taken.remove(0), Verdict::RetryAt(in_minutes(60))).await;
    drop(taken.pop());
    let discard = async |id| case.store.discard(id).await.unwrap();

    assert_eq!(discard(owed[0]).await, Discarded::Ended, "it waits for another try");
    assert_eq!(discard(owed[1]).await, Discarded::InFlight);
    assert_eq!(discard(owed[2]).await, Discarded::Ended, "it was never tried");
    assert_eq!(discard(owed[0]).await, Discarded::Finished);

    assert_eq!(counts(&case.killed()), (1, 2));
    assert!(case.deliveries().await.is_empty());
    case.end_delivery(taken.remove(0), Verdict::Done).await;
    assert_eq!(case.store.replay(ids).await.unwrap().reopened, 3);
    assert_eq!(case.deliveries().await.len(), 3);
}

/// [I3, I8]
pub(in crate::store) async fn what_is_far_ends_too_over_a_kill_but_for_the_newest<S: Subject>() {
    let windows = Windows { total: 16, least: 2, most: 8, held: 8 };
    let config = Config { windows, recent_bytes: 0, ..Config::at("nowhere") };
    let mut case = Case::<S>::with(config);
    let ids = owe(&case, 300, &["crm"]).await;
    case.reopen().await;
    case.store.allow(&name("crm"), Allowance::of(0));

    let (mut ended, mut is_killed) = (0, false);
    loop {
        let slice = case.store.end_owed(gone("crm", 100)).await.unwrap();
        ended += slice.ended;
        if !slice.more {
            break;
        }
        if ended >= 100 && !is_killed {
            case = case.killed();
            case.store.allow(&name("crm"), Allowance::of(0));
            is_killed = true;
        }
    }

    assert_eq!((ended, counts(&case)), (200, (100, 200)));
    let newest = case.store.event(ids[299]).await.unwrap().unwrap();
    assert_eq!(newest.deliveries[0].progress.state, State::Pending);
}
