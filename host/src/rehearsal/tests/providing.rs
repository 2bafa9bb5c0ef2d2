//! Providers: their receipts, how they were proven, and what they brought.

use super::*;
use crate::plugin::{Deadlines, PROOF_LABEL};
use crate::store::Retention;

impl Bench {
    /// Accepts a request whose body is this command, and has the guest parse it. Records that as
    /// `spoil` leaves it.
    async fn accept(&self, command: &Value, spoil: impl FnOnce(&mut Vec<Event>, &mut Outcome)) {
        let ids = command["id"].as_str().map(str::to_owned).into_iter().collect();
        self.append(command, "sesame", ids).await;
        let parse = self.store.take_parses(1, usize::MAX).await.unwrap().pop().unwrap();
        let (source, request) = (&parse.receipt.source, &parse.receipt.request);
        let Called { ended, log, .. } =
            self.host.parse(&self.plugin, &"{}".into(), source, request).await;
        let (mut events, mut outcome) = match ended.unwrap() {
            Ok(events) => (events, Outcome::Success),
            Err(failure) => (Vec::new(), failure),
        };
        for event in &mut events {
            event.labels.push((PROOF_LABEL.to_owned(), "weak".to_owned()));
        }
        spoil(&mut events, &mut outcome);
        let new = |event: Event| NewEvent {
            event: Arc::new(event),
            routes: Arc::default(),
            allowance: None,
            tenant: None,
            trace: None,
        };
        let events = events.into_iter().map(new).collect();
        let tried = self.tried(outcome, log);
        self.store.commit_parse(parse, tried, events).await.unwrap().unwrap();
    }

    /// The same, and records what the guest does.
    async fn accept_all(&self, commands: &[Value]) {
        for command in commands {
            self.accept(command, |_, _| ()).await;
        }
    }
}

/// A request that brings three events.
fn three(id: &str) -> Value {
    json!({ "id": id, "type": "payment.failed", "events": 3 })
}

#[tokio::test]
async fn what_was_proven_and_parsed_is_so_again() {
    let bench = Bench::new();
    let failing = json!({ "id": "no", "do": "fail", "at": "parse" });
    bench.accept_all(&[json!({ "id": "1", "subject": "pi_1" }), three("2"), failing]).await;
    bench.append(&json!({ "id": "waits" }), "sesame", vec!["waits".to_owned()]).await;

    let report = bench.report(Role::Provider).await;

    assert_eq!((report.compared, report.equal), (3, 3), "{report:?}");
    assert_eq!(report.not_compared, [("not_tried_yet".to_owned(), 1)].into());
    assert_eq!((report.role.as_str(), report.plugin.as_str()), ("provider", "guest"));
    assert_eq!(bench.report(Role::Provider).await, report, "two rehearsals say the same");
}

#[tokio::test]
async fn a_difference_in_what_a_receipt_brought_is_named() {
    let bench = Bench::new();
    let accept = async |id: &str, spoil: fn(&mut Vec<Event>)| {
        bench.accept(&three(id), |events, _| spoil(events)).await;
    };
    accept("1", |events| events[1].event_type = "payment.refunded".to_owned()).await;
    accept("2", |events| events[0].labels.clear()).await;
    accept("3", |events| drop(events.pop())).await;
    accept("4", |events| events[2].id = "other".to_owned()).await;
    accept("5", |events| events.swap(0, 2)).await;
    let gone = json!({ "id": "6", "do": "fail", "at": "parse" });
    bench.accept(&gone, |_, outcome| *outcome = Outcome::Success).await;

    let report = bench.report(Role::Provider).await;

    assert_eq!((report.compared, report.differing), (6, 6), "{report:?}");
    let expected = [
        ("event_added", "payment.failed", 2),
        ("event_field", "labels.proof", 1),
        ("event_field", "order", 1),
        ("event_field", "type", 1),
        ("event_missing", "payment.failed", 1),
        ("outcome", "success -> permanent", 1),
    ];
    assert_eq!(groups(&report), expected, "{report:?}");
}

#[tokio::test]
async fn what_is_not_genuine_any_more_differs_and_what_waits_for_a_key_is_not_compared() {
    let bench = Bench::new();
    bench.accept_all(&[three("1")]).await;
    bench.accept_all(&[json!({ "id": "2", "do": "fetch", "at": "claim" })]).await;
    let mut stage = bench.stage();
    for setup in stage.sources.values_mut() {
        setup.secrets = [Secret::new("another").unwrap()].into();
    }
    let past = bench.store.past().await.unwrap();

    let ask = bench.ask(Role::Provider);
    let report = rehearse(past, &stage, &ask, &Progress::default()).unwrap();

    assert_eq!((report.compared, report.differing), (1, 1), "{report:?}");
    assert_eq!((report.groups[0].kind.as_str(), report.groups.len()), ("proof", 1), "{report:?}");
    assert_eq!(report.not_compared["key_to_fetch"], 1, "{report:?}");
}

#[tokio::test]
async fn a_source_that_proves_nothing_proves_less() {
    let bench = Bench::new();
    bench.accept_all(&[three("1")]).await;
    let mut stage = bench.stage();
    for setup in stage.sources.values_mut() {
        setup.is_unverified = true;
    }
    let past = bench.store.past().await.unwrap();

    let ask = bench.ask(Role::Provider);
    let report = rehearse(past, &stage, &ask, &Progress::default()).unwrap();

    assert_eq!(groups(&report), [("proof", "worth", 1)], "{report:?}");
    let sample = &report.groups[0].samples[0];
    assert_eq!((sample.recorded.as_str(), sample.now.as_str()), ("weak", "none"));
}

/// Leave `is_redacted` out of `claims`, and each such receipt counts as forged.
#[tokio::test]
async fn a_redacted_receipt_counts_as_genuine_as_it_did_when_it_came() {
    let bench = Bench::new();
    bench.accept_all(&[three("1")]).await;
    let mut stage = bench.stage();
    for setup in stage.sources.values_mut() {
        setup.secrets = [Secret::new("another").unwrap()].into();
        setup.is_redacted = true;
    }
    let past = bench.store.past().await.unwrap();

    let ask = bench.ask(Role::Provider);
    let report = rehearse(past, &stage, &ask, &Progress::default()).unwrap();

    assert_eq!((report.compared, report.equal), (1, 1), "{report:?}");
}

/// The second request names no id, and brings what the first has brought.
#[tokio::test]
async fn an_event_of_another_receipt_is_no_difference() {
    let bench = Bench::new();
    bench.accept_all(&[json!({ "type": "a.b", "n": 1 }), json!({ "type": "a.b", "n": 2 })]).await;

    let report = bench.report(Role::Provider).await;

    assert_eq!((report.compared, report.equal), (2, 2), "{report:?}");
}

#[tokio::test]
async fn receipts_without_a_body_and_of_other_sources_are_not_compared() {
    let bench = Bench::new();
    bench.accept_all(&[three("1"), three("2")]).await;
    let mut stage = bench.stage();
    stage.sources.clear();
    let past = bench.store.past().await.unwrap();
    let ask = bench.ask(Role::Provider);
    let none = rehearse(past, &stage, &ask, &Progress::default()).unwrap();
    assert_eq!((none.compared, none.not_compared.len()), (0, 0), "{none:?}");
    let types = |types: &str| Ask { event_type: Some(types.parse().unwrap()), ..ask.clone() };
    assert_eq!(bench.report_of(&types("payment.*")).await.compared, 2);
    assert_eq!(bench.report_of(&types("refund.*")).await.compared, 0);

    let bench = bench.restart().await;
    bench.clock.advance(days(40));
    bench.store.sweep(&Retention::default()).await.unwrap();

    let report = bench.report(Role::Provider).await;
    assert_eq!(report.not_compared, [("body_expired".to_owned(), 2)].into(), "{report:?}");
}

#[tokio::test]
async fn no_secret_of_a_source_is_shown() {
    let bench = Bench::new();
    let telling = json!({ "id": "1", "do": "fail", "at": "parse", "reason": "not sesame" });
    bench.accept(&telling, |_, outcome| *outcome = Outcome::permanent("sesame was it")).await;

    let report = bench.report(Role::Provider).await;

    assert_eq!(groups(&report), [("outcome", "permanent reason", 1)], "{report:?}");
    let shown = serde_json::to_string(&report).unwrap();
    assert!(shown.contains("not (hidden)") && !shown.contains("sesame"), "{shown}");
}

/// Without `is_late` of claims it goes on for as long as all receipts take together.
#[tokio::test]
async fn a_provider_that_spins_over_its_claims_ends_the_rehearsal() {
    let bench = Bench::new();
    for number in 0..LATE_MAX + 5 {
        let spins = json!({ "id": number.to_string(), "do": "spin", "at": "claim" });
        bench.accept(&spins, |_, _| ()).await;
    }
    let claims = Duration::from_millis(20);
    bench.host.set_deadlines(Deadlines { claims, ..Deadlines::default() });
    let past = bench.store.past().await.unwrap();

    let ask = bench.ask(Role::Provider);
    let ended = rehearse(past, &bench.stage(), &ask, &Progress::default());

    assert!(matches!(ended, Err(Error::Stuck)), "{ended:?}");
}
