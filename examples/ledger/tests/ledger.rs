//! Entries and balances, as they follow from one another.

use hookgate_example_ledger::Ledger;
use hookgate_sdk::outbox::Emission;
use hookgate_sdk::testing::{Bench, Effect};
use hookgate_sdk::{Event, Money, labels};

fn event(id: &str, event_type: &str, amount: &str, currency: &str) -> Event {
    Event {
        subject: Some(format!("pi_{id}")),
        money: Some(Money::from_major(amount, currency).expect("an amount")),
        labels: labels([("account", Some("acct_1".to_owned()))]),
        ..Event::new(id, event_type, "{}")
    }
}

/// The event that a run emits, if it does.
fn emitted(bench: &mut Bench, event: &Event) -> Option<Emission> {
    let ran = bench.handle::<Ledger>(event);
    assert_eq!(ran.outcome, Ok(()));
    match ran.effects.into_iter().next()? {
        Effect::Emit(emission) => Some(emission),
        other => panic!("{other:?}"),
    }
}

/// Runs on an event, and on the entry that it makes: the balance, if one was emitted.
fn balance(bench: &mut Bench, event: &Event) -> Option<String> {
    let entry = emitted(bench, event).expect("an entry");
    let Emission { type_, subject, money, data, .. } = entry;
    let entry = Event { subject, money, ..Event::new(format!("of {}", event.id), type_, data) };
    let money = emitted(bench, &entry)?.money.expect("a balance is an amount");
    Some(format!("{} {}", money.amount, money.currency))
}

#[test]
fn payments_of_different_subjects_make_one_balance_of_their_account() {
    let mut bench = Bench::new();
    let mut after = |id: &str, event_type: &str, amount: &str, currency: &str| {
        balance(&mut bench, &event(id, event_type, amount, currency))
    };
    assert_eq!(after("1", "payment.succeeded", "42.50", "EUR").as_deref(), Some("42.50 EUR"));
    assert_eq!(after("2", "refund.succeeded", "50", "EUR").as_deref(), Some("-7.50 EUR"));
    assert_eq!(after("3", "payment.succeeded", "900", "JPY").as_deref(), Some("900 JPY"));
    assert_eq!(after("4", "dispute.lost", "0.010", "EUR").as_deref(), Some("-7.51 EUR"));
    assert_eq!(bench.state("acct_1", "in/EUR"), Some(&b"-751"[..]));
}

#[test]
fn what_is_replayed_is_not_booked_twice() {
    let mut bench = Bench::new();
    let payment = event("1", "payment.succeeded", "42.50", "EUR");
    assert_eq!(balance(&mut bench, &payment).as_deref(), Some("42.50 EUR"));
    bench.set_replay("operator");
    assert_eq!(balance(&mut bench, &payment), None);
    assert_eq!(bench.state("acct_1", "in/EUR"), Some(&b"4250"[..]));
}

#[test]
fn an_amount_is_booked_exactly_or_not_at_all() {
    let mut bench = Bench::new();
    for (amount, currency) in [("0.001", "EUR"), ("0.5", "JPY"), ("99999999999999999999", "EUR")] {
        let ran = bench.handle::<Ledger>(&event("1", "payment.succeeded", amount, currency));
        let reason = ran.outcome.expect_err("it can't be booked").reason;
        assert_eq!(reason, format!("{amount} {currency} can't be booked exactly"));
    }
    let without = Event { money: None, ..event("1", "payment.succeeded", "1", "EUR") };
    let ran = bench.handle::<Ledger>(&without);
    assert!(ran.outcome.is_ok() && ran.effects.is_empty() && ran.log.len() == 1);
}
