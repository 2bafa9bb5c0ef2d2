//! Early parses: of what, and when there is none.

use std::time::Duration;

use super::*;
use crate::dispatch::barrier::Barrier;
use crate::provider::{Claims, Piece};
use crate::store::{Appended, Marks};

/// Claims of a request that brings this event.
fn claims(event_id: &str) -> Claims {
    Claims { event_ids: vec![event_id.to_owned()], ..Claims::default() }
}

impl Bench {
    /// One whose receipts are being parsed.
    fn opened() -> Self {
        let bench = Self::new();
        bench.dispatch.early.open();
        bench.take_time(Duration::from_millis(200));
        bench
    }

    /// So much of it that a machine may have other things to do.
    fn take_time(&self, early: Duration) {
        let claims = Duration::from_secs(10);
        let deadlines = plugin::Deadlines { early, claims, ..plugin::Deadlines::default() };
        self.dispatch.host.set_deadlines(deadlines);
    }

    fn parse_early(&self, command: &Value, claims: &Claims) -> Option<store::Parsed> {
        let guest = self.dispatch.registry.get(&name("guest")).unwrap();
        let request = self.request(command);
        self.dispatch.parse_early(&name("shop"), &guest, &request, claims, None, None)
    }

    /// Whether there is an early parse of a request that brings this event.
    fn parses_early(&self, event_id: &str) -> bool {
        self.parse_early(&json!({ "id": event_id }), &claims(event_id)).is_some()
    }

    async fn append(&self, event_id: &str) -> bool {
        let command = json!({ "id": event_id });
        let parsed = self.parse_early(&command, &claims(event_id));
        let receipt = NewReceipt {
            source: name("shop"),
            request: Arc::new(self.request(&command)),
            event_ids: vec![event_id.to_owned()],
            proven: None,
            plugin: None,
            trace: None,
        };
        let appended = self.dispatch.store.append_parsed(receipt, parsed).await.unwrap();
        matches!(appended, (Appended::Stored(_), true))
    }

    /// Whether a request with a body of this size waits to be parsed early.
    fn waits(&self, body_bytes: usize) -> bool {
        let guest = self.dispatch.registry.get(&name("guest")).unwrap();
        self.dispatch.turn_early(&name("shop"), &guest, body_bytes).is_some()
    }
}

#[tokio::test]
async fn what_is_new_is_parsed_early() {
    let bench = Bench::new();
    assert!(!bench.parses_early("e1"), "handlers may still be compiled");
    let bench = Bench::opened();

    let parsed = bench.parse_early(&json!({ "id": "e1" }), &claims("e1")).unwrap();
    let [new] = &parsed.events[..] else { panic!("{parsed:?}") };
    assert_eq!((new.event.id.as_str(), &new.event.source), ("e1", &name("shop")));
    assert_eq!(new.routes.handlers, [name("guest")]);
    let label = new.event.labels.iter().find(|(label, _)| label == plugin::PROOF_LABEL);
    assert_eq!(label.map(|(_, worth)| worth.as_str()), Some("weak"));
    assert_eq!(parsed.report.plugin.as_ref().unwrap().name, name("guest"));

    assert!(bench.append("e1").await);
    assert!(bench.parses_early("e2"));
    assert!(bench.parses().take(9).await.unwrap().is_empty(), "nothing is left to parse");
}

#[tokio::test]
async fn nothing_is_parsed_early_behind_what_waits_for_its_parse() {
    let bench = Bench::opened();
    bench.accept(&json!({ "id": "e1" })).await;
    assert!(!bench.parses_early("e2"));
    let taken = bench.parses().take(9).await.unwrap();
    assert!(!bench.parses_early("e2"), "it is in flight");

    for parse in taken {
        bench.parses().perform(parse, Slot::default()).await.unwrap();
    }
    assert!(bench.parses_early("e2"));
}

#[tokio::test]
async fn what_is_large_encrypted_or_not_to_be_proven_is_not_parsed_early() {
    let bench = Bench::opened();
    let encrypted = Claims { plain_body: Some(vec![Piece::Body]), ..claims("e1") };
    assert!(bench.parse_early(&json!({}), &encrypted).is_none());
    let large = json!({ "id": "e1", "padding": "x".repeat(256 << 10) });
    assert!(bench.parse_early(&large, &claims("e1")).is_none());
    let much = json!({ "id": "e1", "at": "parse", "do": "violate", "about": "size" });
    assert!(bench.parse_early(&much, &claims("e1")).is_none());
    assert!(bench.parses_early("e1"));

    let sources = [(name("shop"), Reading { is_unverified: true, ..reading("guest") })].into();
    bench.dispatch.rules.store(Arc::new(Rules { sources, ..Rules::default() }));
    assert!(!bench.parses_early("e1"));
    let stopped_sources = [(name("shop"), "it refuses".to_owned())].into();
    let sources = [(name("shop"), reading("guest"))].into();
    let rules = Rules { sources, stopped_sources, ..Rules::default() };
    bench.dispatch.rules.store(Arc::new(rules));
    assert!(!bench.parses_early("e1"));
}

#[tokio::test]
async fn a_source_whose_early_parses_come_to_nothing_has_none_for_a_while() {
    let bench = Bench::opened();
    for asked in ["spin", "trap", "fail"] {
        let command = json!({ "id": asked, "at": "parse", "do": asked });
        assert!(bench.parse_early(&command, &claims(asked)).is_none(), "{asked}");
    }
    assert!(!bench.parses_early("e1"));
    bench.clock.advance(Duration::from_secs(5));
    assert!(bench.parses_early("e1"));
    assert_eq!(bench.dispatch.store.stats().commits, 0, "nobody hears of them");
}

/// Its claims would be slow.
#[tokio::test]
async fn a_source_whose_early_parses_are_dear_has_none_for_a_while() {
    let bench = Bench::opened();
    // Each takes more than half of that, and usually ends before anybody looks.
    bench.take_time(Duration::from_micros(1));
    let parsed = ["e1", "e2", "e3"].map(|event_id| bench.parses_early(event_id));
    bench.take_time(Duration::from_millis(200));
    assert!(!bench.parses_early("e4"), "{parsed:?}");
    bench.clock.advance(Duration::from_secs(5));
    assert!(bench.parses_early("e4"));
}

#[tokio::test]
async fn with_no_time_there_is_no_early_parse() {
    let bench = Bench::opened();
    bench.take_time(Duration::ZERO);
    assert!(!bench.parses_early("e1"));
}

#[tokio::test]
async fn a_request_waits_for_the_receipts_before_it_and_is_parsed_early_then() {
    let mut bench = Bench::opened();
    // Nothing but the parse ends it.
    let early = &mut Arc::get_mut(&mut bench.dispatch).unwrap().early;
    early.barrier = Barrier::of(Duration::from_secs(600));
    assert!(!bench.waits(9), "there is nothing to wait for");
    bench.accept(&json!({ "id": "e1" })).await;
    let (shop, guest) = (name("shop"), bench.dispatch.registry.get(&name("guest")).unwrap());
    let mut turn = Box::pin(bench.dispatch.turn_early(&shop, &guest, 9).unwrap());
    let parse = bench.parses().take(9).await.unwrap().pop().unwrap();
    tokio::select! {
        biased;
        () = &mut turn => panic!("it is still being parsed"),
        () = std::future::ready(()) => (),
    }

    bench.parses().perform(parse, Slot::default()).await.unwrap();

    turn.await;
    assert!(bench.parses_early("e2"));
}

#[tokio::test]
async fn nobody_waits_for_what_would_not_help() {
    let bench = Bench::opened();
    for asked in ["spin", "trap", "fail"] {
        let command = json!({ "id": asked, "at": "parse", "do": asked });
        assert!(bench.parse_early(&command, &claims(asked)).is_none(), "{asked}");
    }
    bench.accept(&json!({ "id": "e0" })).await;
    assert!(!bench.waits(9), "its early parses have come to nothing");
    bench.clock.advance(Duration::from_secs(5));
    assert!(bench.waits(9) && !bench.waits(257 << 10));

    let marks = |all| bench.dispatch.store.set_marks(Marks { all, per_source: 999 });
    marks(1);
    assert!(!bench.waits(9), "a mark is reached");
    marks(999);
    assert!(bench.waits(9));
    for number in 1..=64 {
        bench.accept(&json!({ "id": format!("e{number}") })).await;
    }
    assert!(!bench.waits(9), "65 receipts take too long");
}
