//! Coinbase Commerce: an HMAC over the body, in which `event` is one charge's or invoice's event.
//!
//! A charge succeeds once it is confirmed on its chain; `pending` is money that was seen and may yet
//! be lost. Coinbase's newer products sign otherwise (`X-Hook0-Signature`) and are not these.

use hookgate_sdk::{
    Claims, Event, Failure, HeaderMac, Piece, ProofKind, Provider, ProviderInfo, Refusal, Request,
    Timestamp, event_type, json, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct CoinbaseCommerce;

const SIGNATURE: HeaderMac = HeaderMac::hex("x-cc-webhook-signature");

impl Provider for CoinbaseCommerce {
    fn describe() -> ProviderInfo {
        let types = &["payment.*", "invoice.paid", "coinbase-commerce.*"];
        ProviderInfo::new("coinbase-commerce", env!("CARGO_PKG_VERSION"), types, &[ProofKind::Mac])
            .with_scheme("HMAC-SHA256 of the body, `X-CC-Webhook-Signature`")
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let mac = SIGNATURE.evidence(request, vec![Piece::Body])?;
        Ok(Claims::new(mac, json::peek(&request.body, "/event/id")))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let event = body.members().object("/event");
        let (id, own) = (event.required("/id")?, event.required("/type")?);
        let object = event.object("/data");
        let canonical = match &*own {
            "charge:created" => Some("payment.created"),
            "charge:confirmed" => Some("payment.succeeded"),
            "charge:failed" => Some("payment.failed"),
            "invoice:paid" => Some("invoice.paid"),
            _ => None,
        };
        let data = event.at("/data").unwrap_or(body);
        Ok(vec![Event {
            subject: object.name("/code").or_else(|| object.name("/id")),
            time: event.rfc3339("/created_at"),
            money: object.object("/pricing/local").major("/amount", "/currency")?,
            labels: labels([("method", object.word("/payments/0/network"))]),
            ..Event::new(id, event_type(canonical, "coinbase-commerce", &own)?, data.raw())
        }])
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, digests)
    }
}

hookgate_sdk::export!(provider: CoinbaseCommerce);
