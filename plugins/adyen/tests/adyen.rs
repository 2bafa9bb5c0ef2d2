//! Adyen's requests, proven and parsed.

use hookgate_adyen::Adyen;
use hookgate_sdk::testing::{Bench, Suite, sign};
use hookgate_sdk::{FailureKind, Provider, Request, provider_tests};

const KEY: &str = "4C616E7465726E2D4B6574746C652D486F6F6B676174652D3031323334353637";
const NOW: u64 = 1_767_225_600_000;

provider_tests!(Suite::<Adyen>::new("adyen", env!("CARGO_MANIFEST_DIR"), KEY));

#[test]
fn items_of_another_merchant_account_are_refused() {
    let request = Request::post("/", include_str!("../samples/AUTHORISATION.json"));
    let signed = sign::<Adyen>(&request, KEY, NOW);
    let own = Bench::new().with_settings(r#"{"merchant_account":"HookgateLanterns"}"#);
    assert!(own.call(|| Adyen::claim(&signed)).is_ok());
    let other = Bench::new().with_settings(r#"{"merchant_account":"HookgateKettles"}"#);
    assert!(other.call(|| Adyen::claim(&signed)).is_err());
}

#[test]
fn a_digest_too_many_or_too_few_is_no_request() {
    let batch = || Request::post("/", include_str!("../samples/batch.json"));
    for digests in [1, 3] {
        assert!(Adyen::sign(batch(), NOW, &vec![vec![0; 32]; digests]).is_err());
    }
}

#[test]
fn a_body_that_is_no_event_is_a_permanent_failure() {
    for body in ["", "lantern", "{}", "[]", r#"{"notificationItems":7}"#, r#"{"type":"a b"}"#] {
        let failure = Adyen::parse(&Request::post("/", body)).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Permanent, "{body}");
    }
}

#[test]
fn older_endpoints_get_the_answer_that_they_wait_for() {
    let reply = Adyen::describe().reply.unwrap();
    assert_eq!((reply.status, reply.body.as_slice()), (200, &b"[accepted]"[..]));
}
