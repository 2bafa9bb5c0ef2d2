//! A provider in forty lines of code: the webhooks of an imaginary shop.
//!
//! The shop signs the body with an HMAC-SHA256. What this plugin does not know of it keeps the
//! shop's own name, behind the name of the plugin.

use hookgate_sdk::{
    Claims, Envelope, Event, Failure, HeaderMac, ProofKind, Provider, ProviderInfo, Refusal,
    Request, Timestamp, event_type, json, labels, types,
};

/// The plugin.
#[derive(Debug)]
pub struct FortyLines;

const SIGNATURE: HeaderMac = HeaderMac::hex("x-forty-lines-signature");

impl Provider for FortyLines {
    type Settings = ();

    fn describe() -> ProviderInfo {
        let types = [types::PAYMENT_SUCCEEDED, types::REFUND_SUCCEEDED, "forty-lines.*"];
        let version = env!("CARGO_PKG_VERSION");
        ProviderInfo::new("forty-lines", version, &types, &[ProofKind::Mac])
            .with_scheme("HMAC-SHA256 of the body, `x-forty-lines-signature`")
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        SIGNATURE.claim(request, json::peek(&request.body, "/id"))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let (body, known) = (request.json()?, ["id", "type", "at", "order"]);
        let ([order], around) = (body.objects(["/order"]), body.members());
        let own = around.required("/type")?;
        let paid = (own == "order.paid").then_some(types::PAYMENT_SUCCEEDED);
        let canonical = paid.or((own == "order.refunded").then_some(types::REFUND_SUCCEEDED));
        let data = Envelope::of(&around, &known).around(around.at("/order"), body);
        let id = request.event_id(around.name("/id"));
        Ok(vec![Event {
            subject: order.name("/id"),
            time: around.rfc3339("/at"),
            money: order.minor("/amount", "/currency"),
            labels: labels([("reference", order.first_label(&["/number"]))]),
            ..Event::new(id, event_type(canonical, "forty-lines", &own), data)
        }])
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, digests)
    }
}

hookgate_sdk::export!(provider: FortyLines);
