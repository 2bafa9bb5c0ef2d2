//! PayU in Europe (`OpenPayU`): a plain hash of the body with the second key behind it.
//!
//! A header names the hash: MD5 for most shops, for which an attacker may find two bodies with the
//! same hash, and otherwise SHA. Without the setting `algorithm` the source accepts each of them,
//! and an event that only MD5 or SHA-1 proves has the label `proof`. Set `algorithm` to what PayU
//! uses for the shop. PayU gives no event ids, so an id is derived from the whole body.

use hookgate_sdk::{
    Claims, Envelope, Event, Evidence, Failure, Hash, HeaderMac, HeaderParts, KeyEncoding, Piece,
    Proof, ProofKind, Provider, ProviderInfo, Refusal, Request, Setting, Timestamp, Worth,
    event_type, labels,
};
use serde::Deserialize;

/// The plugin.
#[derive(Debug)]
pub struct PayuEu;

/// The source's `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The only algorithm that the source accepts.
    algorithm: Option<String>,
}

/// PayU sends the same header under both names.
const NAMES: [&str; 2] = ["openpayu-signature", "x-openpayu-signature"];
const ALGORITHM: &str = "algorithm";
const ALGORITHMS: &[&str] = &["SHA-256", "SHA-384", "SHA-512", "SHA-1", "MD5"];
const TYPES: &[&str] = &["payment.*", "refund.*", "payu-eu.*"];

impl Provider for PayuEu {
    type Settings = Settings;

    fn describe() -> ProviderInfo {
        const HELP: &str = "the only algorithm that the source accepts; without it, each of them";
        ProviderInfo::new("payu-eu", env!("CARGO_PKG_VERSION"), TYPES, &[ProofKind::Hash])
            .with_scheme("SHA-2, SHA-1 or MD5 of the body and the second key, `OpenPayu-Signature`")
            .or_worth(ProofKind::Hash, Worth::Weak)
            .with_settings([Setting::choice(ALGORITHM, ALGORITHMS, HELP)])
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let is_there = |name: &&str| request.header(name).is_some();
        let name = NAMES.into_iter().find(is_there).unwrap_or(NAMES[0]);
        let parts = header(name).read(request)?;
        let named = parts.the(ALGORITHM)?;
        let wanted = Self::settings().algorithm.as_deref();
        let hash = hash(named)
            .filter(|known| wanted.is_none_or(|wanted| hash(wanted) == Some(*known)))
            .ok_or_else(|| Refusal::new(format!("the algorithm `{named}` is not accepted")))?;
        let digest = HeaderMac::hex(name)
            .with_algorithm(hash)
            .digest(parts.the("signature")?)
            .ok_or_else(|| Refusal::new(format!("header `{name}` has no valid digest")))?;
        let message = vec![Piece::Body, Piece::secret(KeyEncoding::Text)];
        let evidence = Evidence::from(Proof::hash(hash, message, vec![digest]));
        Ok(Claims::new(evidence, [request.event_id(None)]))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let members = body.members();
        let kind = if members.at("/refund").is_some() { "refund" } else { "order" };
        let object = members.object(&format!("/{kind}"));
        let status = object.name("/status").unwrap_or_default();
        let around = Envelope::of(&members, &[kind, "localReceiptDateTime"]);
        let own = format!("{kind}.{status}");
        Ok(vec![Event {
            // The order of a refund, so that everything about a payment has one subject.
            subject: members.first_name(&["/order/orderId", "/orderId"]),
            time: members
                .rfc3339("/localReceiptDateTime")
                .or_else(|| object.rfc3339("/statusDateTime"))
                .or_else(|| object.unix_ms("/statusDateTime")),
            money: object
                .first_minor(&[("/totalAmount", "/currencyCode"), ("/amount", "/currencyCode")]),
            labels: labels([
                ("method", object.word("/payMethod/type")),
                ("account", object.first_label(&["/merchantPosId"])),
                ("reference", members.first_label(&["/order/extOrderId", "/extOrderId"])),
            ]),
            ..Event::new(
                request.event_id(None),
                event_type(canonical(&own), "payu-eu", &own),
                around.around(members.at(&format!("/{kind}")), body),
            )
        }])
    }

    fn sign(mut request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        let algorithm = Self::settings().algorithm.as_deref().unwrap_or("MD5");
        let hash =
            hash(algorithm).ok_or_else(|| format!("the algorithm {algorithm} is unknown"))?;
        let digest = HeaderMac::hex(NAMES[0]).with_algorithm(hash).written(digests)?;
        request.remove_header(NAMES[1]);
        let signature = ("signature", digest.as_str());
        let parts =
            [("sender", "checkout"), signature, (ALGORITHM, algorithm), ("content", "DOCUMENT")];
        Ok(header(NAMES[0]).write(request, &parts))
    }
}

fn header(name: &str) -> HeaderParts<'_> {
    HeaderParts::new(name).separated_by(';')
}

/// The hash of this name; `None` for a name that PayU's own library does not know.
fn hash(algorithm: &str) -> Option<Hash> {
    Some(match algorithm {
        "MD5" => Hash::Md5,
        "SHA" | "SHA1" | "SHA-1" => Hash::Sha1,
        "SHA-256" => Hash::Sha256,
        "SHA-384" => Hash::Sha384,
        "SHA-512" => Hash::Sha512,
        _ => return None,
    })
}

/// The canonical type of an order's or a refund's state, if there is one.
fn canonical(own: &str) -> Option<&'static str> {
    Some(match own {
        "order.PENDING" => "payment.created",
        "order.WAITING_FOR_CONFIRMATION" => "payment.authorized",
        "order.COMPLETED" => "payment.succeeded",
        "order.CANCELED" => "payment.canceled",
        "refund.PENDING" => "refund.initiated",
        "refund.FINALIZED" => "refund.succeeded",
        "refund.CANCELED" => "refund.failed",
        _ => return None,
    })
}

hookgate_sdk::export!(provider: PayuEu);
