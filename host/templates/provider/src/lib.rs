//! The provider `{{name}}`: an HMAC-SHA256 over the body, in hexadecimal in a header.
//!
//! Make it your own: `claim` says what was signed, `parse` what happened, and `sign` signs samples
//! for tests and for `hookgate send`.

use hookgate_sdk::{
    Claims, Envelope, Event, Failure, HeaderMac, ProofKind, Provider, ProviderInfo, Refusal,
    Request, Timestamp, event_type, json, labels, types,
};

/// The plugin.
#[derive(Debug)]
pub struct Plugin;

const SIGNATURE: HeaderMac = HeaderMac::hex("x-{{name}}-signature");

impl Provider for Plugin {
    type Settings = ();

    fn describe() -> ProviderInfo {
        let types = ["payment.*", "{{name}}.*"];
        ProviderInfo::new("{{name}}", env!("CARGO_PKG_VERSION"), &types, &[ProofKind::Mac])
            .with_scheme("HMAC-SHA256 of the body, `x-{{name}}-signature`")
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        SIGNATURE.claim(request, json::peek(&request.body, "/id"))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let envelope = body.members();
        let own = envelope.required("/type")?;
        let canonical = match &*own {
            "payment.paid" => Some(types::PAYMENT_SUCCEEDED),
            "payment.declined" => Some(types::PAYMENT_FAILED),
            _ => None,
        };
        let object = envelope.object("/data");
        let around = Envelope::of(&envelope, &["id", "type", "created", "data"]);
        Ok(vec![Event {
            subject: object.name("/id"),
            time: envelope.rfc3339("/created"),
            money: object.minor("/amount", "/currency"),
            labels: labels([("reference", object.first_label(&["/order"]))]),
            ..Event::new(
                request.event_id(envelope.name("/id")),
                event_type(canonical, "{{name}}", &own),
                around.around(envelope.at("/data"), body),
            )
        }])
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, digests)
    }
}

hookgate_sdk::export!(provider: Plugin);
