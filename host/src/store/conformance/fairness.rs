//! Fairness: what one source, handler or endpoint has to do delays no other [I11].

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
    let off = Allowance { at_a_time: 0, not_before: Timestamp(0), slots: 1, is_trusted: true };
    case.store.allow(&name("crm"), off);

    let taken = case.deliveries().await;

    assert_eq!(taken.iter().map(|work| work.endpoint.as_str()).collect::<Vec<_>>(), ["erp"]);
    assert_eq!(case.store.stats().works[&WorkKind::Delivery].pending(), MUCH + 1);
}
