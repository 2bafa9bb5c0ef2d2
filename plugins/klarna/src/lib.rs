//! Klarna's Network webhooks: an HMAC over the body, with a key that a header names.
//!
//! The header `Klarna-Signing-Key-Id` is not signed, so it decides nothing: every active key of the
//! source is tried. Klarna wants the status 400 for what was tampered with. The older callbacks of
//! Klarna Payments and Checkout are not signed and not these.

use hookgate_sdk::{
    Claims, Event, Failure, HeaderMac, InvalidMoney, Members, Money, Piece, ProofKind, Provider,
    ProviderInfo, Refusal, Request, Timestamp, event_type, json, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct Klarna;

const SIGNATURE: HeaderMac = HeaderMac::hex("klarna-signature");

impl Provider for Klarna {
    fn describe() -> ProviderInfo {
        let types = &["payment.*", "dispute.opened", "klarna.*"];
        ProviderInfo {
            refusal_status: 400,
            ..ProviderInfo::new("klarna", env!("CARGO_PKG_VERSION"), types, &[ProofKind::Mac])
                .with_scheme("HMAC-SHA256 over the body")
        }
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let mac = SIGNATURE.evidence(request, vec![Piece::Body])?;
        Ok(Claims::new(mac, json::peek(&request.body, "/metadata/event_id")))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let envelope = body.members();
        let metadata = envelope.object("/metadata");
        let (id, own) = (metadata.required("/event_id")?, metadata.required("/event_type")?);
        let payload = envelope.object("/payload");
        let canonical = canonical(&own);
        let declined = canonical == Some("payment.failed");
        let declined = declined.then(|| payload.name("/state_reason")).flatten();
        let data = envelope.at("/payload").unwrap_or(body);
        Ok(vec![Event {
            subject: subject(&payload),
            time: metadata.rfc3339("/occurred_at"),
            money: money(&payload)?,
            labels: labels([("method", Some("klarna".to_owned())), ("decline_code", declined)]),
            ..Event::new(id, event_type(canonical, "klarna", &own)?, data.raw())
        }])
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, digests)
    }
}

fn canonical(own: &str) -> Option<&'static str> {
    Some(match own {
        "payment.request.state-change.submitted" => "payment.created",
        "payment.request.state-change.authorized" => "payment.authorized",
        "payment.request.state-change.declined" => "payment.failed",
        "payment.request.state-change.canceled" | "payment.request.state-change.expired" => {
            "payment.canceled"
        }
        // The first state that a dispute is in.
        "payment.dispute.state-change.pre-arbitration" => "dispute.opened",
        _ => return None,
    })
}

/// The transaction of a capture or a dispute, so that everything about a payment has one subject.
fn subject(payload: &Members<'_>) -> Option<String> {
    ["/payment_transaction_id", "/payment_request_id", "/payment_dispute_id", "/account_id"]
        .into_iter()
        .find_map(|pointer| payload.name(pointer))
}

fn money(payload: &Members<'_>) -> Result<Option<Money>, InvalidMoney> {
    for amount in ["/payment_amount", "/disputed_amount", "/amount"] {
        if let Some(money) = payload.minor(amount, "/currency")? {
            return Ok(Some(money));
        }
    }
    Ok(None)
}

hookgate_sdk::export!(provider: Klarna);
