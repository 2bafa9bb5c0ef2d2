//! Mercado Pago's requests, proven and parsed.

use hookgate_mercado_pago::MercadoPago;
use hookgate_sdk::testing::{send, sign};
use hookgate_sdk::{Provider, Request, provider_tests};

const SECRET: &str = "hookgate2mercado2lantern";
const BODY: &str = r#"{"id":1,"action":"payment.updated","type":"payment","data":{"id":"HG1"}}"#;

provider_tests!(MercadoPago in "../../../plugins/mercado-pago");

#[test]
fn a_body_is_about_the_object_that_was_signed() {
    let mut signed = sign::<MercadoPago>(&Request::post("/in/mp", BODY), SECRET, 1_700_000_000_000);
    assert_eq!(signed.url, "/in/mp?data.id=HG1");
    assert!(MercadoPago::claim(&signed).is_ok());
    for other in ["/in/mp?data.id=HG2", "/in/mp?data.id=", "/in/mp"] {
        signed.url = other.to_owned();
        assert!(MercadoPago::claim(&signed).is_err(), "{other}");
    }
}

#[test]
fn an_older_notification_is_called_by_its_kind() {
    let body = BODY.replace(r#""action":"payment.updated","#, "");
    let event = send::<MercadoPago>(&Request::post("/in/mp", body), SECRET, 0).remove(0);
    assert_eq!(event.type_, "mercado-pago.payment");
}
