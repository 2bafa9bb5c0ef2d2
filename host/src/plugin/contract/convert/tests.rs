//! Values that break the contract, field by field.

use super::*;

fn event() -> types::EventResult {
    types::EventResult {
        id: "evt_1".to_owned(),
        type_: "payment.failed".to_owned(),
        subject: None,
        time: None,
        money: None,
        labels: Vec::new(),
        data: "{}".to_owned(),
    }
}

fn converted(events: Vec<types::EventResult>) -> Result<Vec<Event>, Violation> {
    super::events(events, &"stripe".parse().unwrap(), Timestamp(7), YIELD_BYTES_MAX)
}

#[track_caller]
fn lies(change: impl FnOnce(&mut types::EventResult), field: &str) {
    let mut event = event();
    change(&mut event);
    assert_eq!(converted(vec![event]).unwrap_err().field, field);
}

#[test]
fn an_event_without_a_time_happened_on_receipt() {
    let events = converted(vec![event()]).unwrap();
    assert_eq!((events[0].time, events[0].source.as_str()), (Timestamp(7), "stripe"));
}

#[test]
fn what_an_event_may_not_be_is_refused_by_name() {
    lies(|event| event.id = String::new(), "event.id");
    lies(|event| event.id = "x".repeat(256), "event.id");
    lies(|event| event.type_ = "not a type".to_owned(), "event.type");
    lies(|event| event.subject = Some("x".repeat(256)), "event.subject");
    lies(|event| event.time = Some(u64::MAX), "event.time");
    lies(|event| event.labels = vec![("a".to_owned(), String::new()); 65], "event.labels");
    lies(|event| event.data = "{".to_owned(), "event.data");
    let money = types::MoneyResult { amount: "1e3".to_owned(), currency: "USD".to_owned() };
    lies(|event| event.money = Some(money), "event.money");
}

#[test]
fn events_are_counted_and_weighed() {
    assert_eq!(converted(vec![event(); EVENTS_MAX]).unwrap().len(), EVENTS_MAX);
    assert_eq!(converted(vec![event(); EVENTS_MAX + 1]).unwrap_err().field, "events");
    let mut heavy = event();
    heavy.data = format!("\"{}\"", "x".repeat(YIELD_BYTES_MAX / 2));
    assert_eq!(converted(vec![heavy.clone(), heavy]).unwrap_err().field, "events");
}

#[test]
fn an_event_has_no_word_on_its_own_proof() {
    let proof = vec![("proof".to_owned(), "bound".to_owned())];
    lies(|event| event.labels = proof, "event.labels");
}

#[test]
fn a_status_out_of_range_is_refused() {
    let info = |refusal_status, status| provider::ProviderInfo {
        name: "stripe".to_owned(),
        version: "1".to_owned(),
        scheme: "HMAC-SHA256 over the body".to_owned(),
        types: vec!["payment.*".to_owned()],
        proofs: vec![provider::ProofInfo {
            kind: provider::ProofKind::Mac,
            worth: provider::Worth::Bound,
        }],
        clock: provider::ClockRule::Past,
        tolerance_ms: None,
        reply: Some(provider::Answer {
            status,
            content_type: "text/plain".to_owned(),
            headers: Vec::new(),
            body: vec![provider::Piece::Text("ok".to_owned())],
        }),
        refusal_status,
        methods: Vec::new(),
        handshakes: Vec::new(),
        key_places: Vec::new(),
        roots: Vec::new(),
        settings: Vec::new(),
    };
    assert!(provider_info(info(401, 200)).is_ok());
    let refused = |info| provider_info(info).unwrap_err().field;
    assert_eq!(refused(info(500, 200)), "provider-info.refusal-status");
    assert_eq!(refused(info(401, 302)), "provider-info.reply");
    let roots = |roots| provider::ProviderInfo { roots, ..info(401, 200) };
    assert_eq!(refused(roots(vec![Vec::new()])), "provider-info.roots");
    assert_eq!(refused(roots(vec![vec![0]; 9])), "provider-info.roots");
    assert_eq!(refused(roots(vec![vec![0; 8_193]])), "provider-info.roots");
    let body = vec![provider::Piece::Body];
    let reply = info(401, 200).reply.map(|reply| provider::Answer { body, ..reply });
    let of_request = provider::ProviderInfo { reply, ..info(401, 200) };
    assert_eq!(refused(of_request), "provider-info.reply");
}
