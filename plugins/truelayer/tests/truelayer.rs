//! TrueLayer's requests, proven and parsed, with a key of our own in the place of TrueLayer's.

use hookgate_sdk::testing::{Bench, send, sign};
use hookgate_sdk::{
    Event, KeySource, Piece, Proof, Provider, Refusal, Request, SignedToken, provider_tests,
};
use hookgate_truelayer::TrueLayer;

const KEY: &str = include_str!("private_key.pem");

provider_tests!(TrueLayer, |suite| suite.with_secret(KEY));

/// Where the key of a token with this header is looked up, and the id of the key.
fn place_of(header: &str) -> Result<(String, Option<String>), Refusal> {
    let mut request = Request::post("/in/truelayer", "{}");
    let token = SignedToken::write(header, "", &[]).expect("it is written");
    request.set_header("Tl-Signature", token);
    let claims = Bench::new().call(|| TrueLayer::claim(&request))?;
    let Proof::Jws(jws) = &claims.evidence[0].proofs[0] else { panic!("{claims:?}") };
    let KeySource::Fetched(lookup) = &jws.key else { panic!("{jws:?}") };
    Ok((lookup.url.clone(), lookup.id.clone()))
}

#[test]
fn a_key_is_looked_up_at_truelayer_alone() {
    let live = "https://webhooks.truelayer.com/.well-known/jwks".to_owned();
    let sandbox = "https://webhooks.truelayer-sandbox.com/.well-known/jwks";
    let id = || Some("k".to_owned());
    assert_eq!(place_of(r#"{"kid":"k"}"#), Ok((live.clone(), id())));
    assert_eq!(place_of(&format!(r#"{{"kid":"k","jku":"{live}"}}"#)), Ok((live.clone(), id())));
    let named = place_of(&format!(r#"{{"kid":"k","jku":"{sandbox}"}}"#));
    assert_eq!(named, Ok((sandbox.to_owned(), id())));
    for header in [
        r#"{"kid":"k","jku":"https://evil.example/.well-known/jwks"}"#,
        r#"{"kid":"k","jku":""}"#,
        r#"{"kid":""}"#,
        r#"{"kid":"k","tl_headers":"Content-Type"}"#,
        "{}",
        "[",
    ] {
        assert!(place_of(header).is_err(), "{header}");
    }
}

/// The paths that may be signed in a request that came to this one.
fn paths(settings: &str, url: &str) -> Vec<String> {
    let bench = Bench::new().with_settings(settings);
    let request = Request::post(url, r#"{"type":"example"}"#);
    let claims = bench.call(|| TrueLayer::claim(&sign::<TrueLayer>(&request, KEY, 0)));
    let claims = claims.expect("a signed request has claims");
    let path = |proof: &Proof| {
        let Proof::Jws(jws) = proof else { panic!("{proof:?}") };
        let Some([Piece::Text(head), Piece::Body]) = jws.payload.as_deref() else {
            panic!("{jws:?}");
        };
        let line = head.lines().next().unwrap_or_default();
        line.strip_prefix("POST ").expect("the method is signed").to_owned()
    };
    claims.evidence[0].proofs.iter().map(path).collect()
}

#[test]
fn the_path_of_the_request_is_signed_unless_a_proxy_rewrites_it() {
    assert_eq!(paths("{}", "/in/truelayer"), ["/in/truelayer", "/in/truelayer/"]);
    let queried = paths("{}", "/in/truelayer/?a=b");
    assert_eq!(queried, ["/in/truelayer/?a=b", "/in/truelayer/", "/in/truelayer"]);
    assert_eq!(paths(r#"{"path":"/hook"}"#, "/in/truelayer?a=b"), ["/hook", "/hook/"]);
}

fn sent(settings: &str, body: &str) -> Event {
    let request = Request::post("/in/truelayer", body);
    Bench::new().with_settings(settings).call(|| send::<TrueLayer>(&request, KEY, 0)).remove(0)
}

#[test]
fn a_payment_succeeds_once() {
    let type_of = |settings: &str, state: &str| {
        sent(settings, &format!(r#"{{"type":"payment_{state}","event_id":"e1"}}"#)).type_
    };
    for settings in ["{}", r#"{"success":"settled"}"#] {
        assert_eq!(type_of(settings, "executed"), "truelayer.payment_executed");
        assert_eq!(type_of(settings, "settled"), "payment.succeeded");
    }
    let executed = r#"{"success":"executed"}"#;
    assert_eq!(type_of(executed, "executed"), "payment.succeeded");
    assert_eq!(type_of(executed, "settled"), "truelayer.payment_settled");
}

#[test]
fn an_event_happened_when_its_state_was_reached_or_else_when_it_was_sent() {
    let body = r#"{"type":"payment_failed","failed_at":"2026-01-01T00:00:00Z"}"#;
    assert_eq!(sent("{}", body).time, Some(1_767_225_600_000));
    assert_eq!(sent("{}", r#"{"type":"payment_failed"}"#).time, Some(0));
}

#[test]
fn settings_are_checked() {
    for settings in [r#"{"path":"hook"}"#, r#"{"success":"authorized"}"#, r#"{"url":"/hook"}"#] {
        let bench = Bench::new().with_settings(settings);
        assert!(bench.check_provider::<TrueLayer>().is_err(), "{settings}");
    }
}
