//! The help desk's requests, by the files in `samples/` and `vectors.json`, and what it gets.

use hookgate_example_both::{Incoming, Outgoing};
use hookgate_sdk::Event;
use hookgate_sdk::outbox::Severity;
use hookgate_sdk::testing::{Bench, Effect, send};

hookgate_sdk::provider_tests!(Incoming);

fn about(event_type: &str) -> Event {
    Event { subject: Some("dp_1".to_owned()), ..Event::new("evt_1", event_type, "{}") }
}

/// What the help desk says of the ticket, signed and parsed.
fn solved() -> Event {
    let body = include_bytes!("../samples/ticket.solved.json");
    let request = hookgate_sdk::Request::post("/in/desk", &body[..]);
    send::<Incoming>(&request, "a secret", 0).remove(0)
}

#[test]
fn a_dispute_is_one_ticket_until_it_is_solved() {
    let mut bench = Bench::new().granting("desk");
    let mut effects = |event: &Event| bench.handle::<Outgoing>(event).effects;
    let opened = effects(&about("dispute.opened"));
    let body = r#"{"about":"a dispute","reference":"dp_1"}"#.as_bytes().to_vec();
    let (endpoint, content_type) = ("desk".to_owned(), "application/json".to_owned());
    assert_eq!(opened, [Effect::Send { endpoint, content_type, body }]);
    assert!(effects(&about("dispute.opened")).is_empty());
    assert!(effects(&solved()).is_empty());
    assert!(effects(&about("dispute.lost")).is_empty());
    assert_eq!(bench.state("dp_1", "ticket"), None);
}

#[test]
fn a_dispute_that_is_lost_with_an_open_ticket_raises_an_alert() {
    let mut bench = Bench::new().granting("desk");
    bench.handle::<Outgoing>(&about("dispute.opened"));
    let lost = bench.handle::<Outgoing>(&about("dispute.lost")).effects;
    let message = "dp_1 is lost, and nobody has solved its ticket".to_owned();
    assert_eq!(lost, [Effect::Alert(Severity::Warning, message)]);
}
