//! Fairness: what one source, handler or endpoint has to do delays no other, and none gets more
//! than it may [I7, I11].

use super::*;

/// Far more than is taken at once.
const MUCH: usize = 300;

/// [I11]
pub(in crate::store) async fn who_has_much_to_do_delays_nobody_else<S: Subject>() {
    let case = Case::<S>::new();
    let much = |number| event(&format!("evt_{number}"), "").to(&["ledger"], &["crm"]);
    case.bring((0..MUCH).map(much).collect()).await;
    case.bring(vec![event("evt_last", "").to(&["mailer"], &["erp"])]).await;
    for _ in 0..MUCH {
        case.append(&[]).await;
    }
    let mut other = receipt(&[]);
    other.source = name("adyen");
    case.store.append(other).await.unwrap();

    for case in [case.killed(), case] {
        let parses = case.store.take_parses(2, usize::MAX).await.unwrap();
        assert!(parses.iter().any(|work| work.receipt.source == name("adyen")));
        let runs = case.store.take_runs(2, usize::MAX).await.unwrap();
        assert!(runs.iter().any(|work| work.handler == name("mailer")));
        let deliveries = case.store.take_deliveries(2, usize::MAX).await.unwrap();
        assert!(deliveries.iter().any(|work| work.endpoint == name("erp")));
    }
}

/// [I11]
pub(in crate::store) async fn an_endpoint_that_is_switched_off_holds_up_no_other<S: Subject>() {
    let case = Case::<S>::new();
    let much = |number| event(&format!("evt_{number}"), "").to(&[], &["crm"]);
    case.bring((0..MUCH).map(much).collect()).await;
    case.bring(vec![event("evt_last", "").to(&[], &["erp"])]).await;
    let off = Allowance::of(0);
    case.store.allow(&name("crm"), off);

    let taken = case.deliveries().await;

    assert_eq!(taken.iter().map(|work| work.endpoint.as_str()).collect::<Vec<_>>(), ["erp"]);
    assert_eq!(case.store.stats().works[&WorkKind::Delivery].pending(), MUCH + 1);
}

/// So many events, each to these endpoints.
async fn owe(case: &Case<impl Subject>, events: usize, endpoints: &[&str]) {
    let owed = |number| event(&format!("evt_{number}"), "").to(&[], endpoints);
    case.bring((0..events).map(owed).collect()).await;
}

/// [I11]
pub(in crate::store) async fn an_endpoint_that_rests_gets_nothing_before_its_time<S: Subject>() {
    let case = Case::<S>::new();
    owe(&case, 1, &["crm"]).await;
    case.store.allow(&name("crm"), Allowance { not_before: in_minutes(1), ..Allowance::of(9) });

    assert!(case.deliveries().await.is_empty());
    case.store.idle().await;
    let ready = case.store.ready(WorkKind::Delivery);
    case.clock.set(in_minutes(1));
    ready.await;

    assert_eq!(case.deliveries().await.len(), 1);
}

/// [I11]
pub(in crate::store) async fn an_endpoint_gets_no_more_than_its_rate<S: Subject>() {
    let case = Case::<S>::new();
    owe(&case, 9, &["crm"]).await;
    let limited = Allowance { rate: Some((Duration::from_secs(60), 3)), ..Allowance::of(9) };
    case.store.allow(&name("crm"), limited);

    let mut first = case.deliveries().await;
    assert_eq!(first.len(), 1, "a burst comes behind a silence only");
    case.end_delivery(first.remove(0), Verdict::Done).await;
    case.store.idle().await;
    let ready = case.store.ready(WorkKind::Delivery);
    case.clock.set(in_minutes(1));
    ready.await;
    assert_eq!(case.deliveries().await.len(), 1);
    case.clock.set(in_minutes(9));
    assert_eq!(case.deliveries().await.len(), 3);

    let case = case.killed();
    case.store.allow(&name("crm"), limited);
    assert_eq!(case.deliveries().await.len(), 1, "nobody knows how many went before");
}

/// [I11]
pub(in crate::store) async fn what_is_replayed_goes_behind_what_is_new<S: Subject>() {
    let case = Case::<S>::new();
    let old: Vec<_> = (0..3).map(|it| event(&format!("old_{it}"), "").to(&[], &["crm"])).collect();
    let old = case.bring(old).await;
    for work in case.deliveries().await {
        case.end_delivery(work, Verdict::Dead).await;
    }
    case.store.replay(old).await.unwrap();
    assert_eq!(case.store.reopened_open(), 3);
    owe(&case, 2, &["crm"]).await;

    for case in [case.killed(), case] {
        let is_new = |work: &DeliveryWork| match &work.payload {
            Payload::Event(stored) => stored.event.id.starts_with("evt_"),
            Payload::Parcel(_) => false,
        };
        let taken = case.deliveries().await;
        let new: Vec<bool> = taken.iter().map(is_new).collect();
        assert_eq!(new, [true, true, false, false, false]);
        for work in taken {
            case.end_delivery(work, Verdict::Done).await;
        }
        assert_eq!(case.store.reopened_open(), 0);
    }
}

/// [I7]
pub(in crate::store) async fn deliveries_take_no_more_slots_than_there_are<S: Subject>() {
    let case = Case::<S>::new();
    owe(&case, 9, &["crm"]).await;
    case.store.allow(&name("crm"), Allowance { slots: 4, ..Allowance::of(9) });
    let take = || case.store.take_deliveries(9, 10);

    let mut taken = take().await.unwrap();
    assert_eq!((taken.len(), take().await.unwrap().len()), (2, 0));
    case.end_delivery(taken.remove(0), Verdict::Done).await;
    assert_eq!(take().await.unwrap().len(), 1);
}

/// [I11]
pub(in crate::store) async fn endpoints_that_are_not_trusted_leave_half_of_the_slots_to_others<
    S: Subject,
>() {
    let case = Case::<S>::new();
    owe(&case, 5, &["hung-1", "hung-2", "crm", "erp"]).await;
    for hung in ["hung-1", "hung-2"] {
        case.store.allow(&name(hung), Allowance { is_trusted: false, ..Allowance::of(5) });
    }
    let is_hung = |work: &DeliveryWork| work.endpoint.as_str().starts_with("hung");

    let taken = case.store.take_deliveries(99, 8).await.unwrap();
    let (hung, others): (Vec<_>, Vec<_>) = taken.into_iter().partition(is_hung);
    assert_eq!((hung.len(), others.len()), (4, 4));
    for delivery in others {
        case.end_delivery(delivery, Verdict::Done).await;
    }

    let more = case.store.take_deliveries(99, 8).await.unwrap();
    assert_eq!((more.len(), more.iter().filter(|work| is_hung(work)).count()), (4, 0));
}
