//! Plaid's requests, proven and parsed, with a key of our own in the place of Plaid's.

use hookgate_plaid::Plaid;
use hookgate_sdk::testing::{Bench, send, sign};
use hookgate_sdk::{KeyField, KeySource, Proof, Provider, Request, provider_tests};

const KEY: &str = include_str!("private_key.pem");
const SETTINGS: &str = include_str!("../settings.json");

provider_tests!(Plaid, |suite| suite.with_secret(KEY));

#[test]
fn a_key_is_asked_for_in_its_environment_with_the_secret_left_to_the_gateway() {
    for (environment, host) in
        [("production", "production.plaid.com"), ("sandbox", "sandbox.plaid.com")]
    {
        let settings = format!(r#"{{"client_id":"hgclient01","environment":"{environment}"}}"#);
        let bench = Bench::new().with_settings(&settings);
        assert_eq!(bench.check_provider::<Plaid>(), Ok(()));
        let claims = bench.call(|| {
            Plaid::claim(&sign::<Plaid>(&Request::post("/in/plaid", "{}"), KEY, 0)).unwrap()
        });
        let Proof::Jws(jws) = &claims.evidence[0].proofs[0] else { panic!("{claims:?}") };
        let KeySource::Fetched(lookup) = &jws.key else { panic!("{jws:?}") };
        assert_eq!(lookup.url, format!("https://{host}/webhook_verification_key/get"));
        let fields = lookup.post.as_ref().unwrap();
        assert_eq!(fields[1], ("secret".to_owned(), KeyField::Secret));
        assert_eq!(fields[2], ("key_id".to_owned(), KeyField::Text("hookgate".to_owned())));
    }
}

#[test]
fn the_same_words_at_another_time_are_another_event_unless_they_say_when() {
    let ids = |body: &str, at| {
        let bench = Bench::new().with_settings(SETTINGS);
        let request = Request::post("/in/plaid", body);
        bench.call(|| Plaid::claim(&sign::<Plaid>(&request, KEY, at)).unwrap().event_ids)
    };
    assert_eq!(ids("{}", 1_000), ids("{}", 1_999));
    assert_ne!(ids("{}", 1_000), ids("{}", 2_000));
    let timed = r#"{"timestamp":"2026-01-01T00:00:00Z"}"#;
    assert_eq!(ids(timed, 1_000), ids(timed, 2_000));
}

#[test]
fn settings_are_checked() {
    for settings in
        ["{}", r#"{"client_id":""}"#, r#"{"client_id":"a","environment":"development"}"#]
    {
        let bench = Bench::new().with_settings(settings);
        assert!(bench.check_provider::<Plaid>().is_err(), "{settings}");
    }
}

#[test]
fn an_event_says_whose_it_is_how_real_and_for_which_order() {
    let body = r#"{"webhook_type":"PAYMENT_INITIATION","webhook_code":"PAYMENT_STATUS_UPDATE",
        "payment_id":"p1","original_reference":"L-1001","environment":"sandbox"}"#;
    let request = Request::post("/in/plaid", body);
    let bench = Bench::new().with_settings(include_str!("../settings.json"));
    let event = bench.call(|| send::<Plaid>(&request, KEY, 0)).remove(0);
    for (name, value) in [("livemode", "false"), ("reference", "L-1001")] {
        assert_eq!(event.label(name), Some(value), "{name}");
    }
}
