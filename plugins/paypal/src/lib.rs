//! PayPal: an RSA signature over the transmission's id and time, the webhook's id and a checksum of
//! the body, with a certificate that the request names.
//!
//! The gateway fetches the certificate from PayPal's own hosts; those of the sandbox never prove a
//! live event, and the live hosts never prove one of the sandbox. The checksum is a CRC-32, so
//! whoever has seen a genuine request can make another body with the same checksum. A source may
//! set a tolerance to shorten the time for that (retries come for 3 days), and before money moves
//! the receiver should confirm the event over PayPal's API. `canonical` maps events to canonical
//! types.

mod canonical;
mod crc32;
mod settings;
mod transmission;

use hookgate_sdk::{
    Claims, Envelope, Event, Failure, Json, KeyLookup, Members, Money, Piece, ProofKind, Provider,
    ProviderInfo, Refusal, Request, Timestamp, Worth, event_type, id, json, labels,
};

use crate::settings::{Environment, Settings};
use crate::transmission::Transmission;

/// The plugin.
#[derive(Debug)]
pub struct PayPal;

/// Longest id of a webhook.
const WEBHOOK_ID_BYTES_MAX: usize = 64;

/// Places of an amount and its currency: version 2, version 1, a dispute, an invoice, payouts.
const AMOUNTS: [(&str, &str); 6] = [
    ("/amount/value", "/amount/currency_code"),
    ("/amount/total", "/amount/currency"),
    ("/dispute_amount/value", "/dispute_amount/currency_code"),
    ("/invoice/amount/value", "/invoice/amount/currency_code"),
    ("/payout_item/amount/value", "/payout_item/amount/currency"),
    ("/payout_amount/value", "/payout_amount/currency_code"),
];

/// The place of the amount of a subscription's failed payment. Later events of the subscription
/// repeat it, so only the failure itself uses it.
const FAILED_AMOUNT: (&str, &str) = (
    "/billing_info/last_failed_payment/amount/value",
    "/billing_info/last_failed_payment/amount/currency_code",
);

/// Places of the payment that a refund or a dispute belongs to, and of an entity's own id.
const PAYMENTS: [&str; 4] = [
    "/disputed_transactions/0/seller_transaction_id",
    "/sale_id",
    "/capture_id",
    "/supplementary_data/related_ids/capture_id",
];
const ENTITIES: [&str; 5] = ["/id", "/dispute_id", "/invoice/id", "/payout_item_id", "/item_id"];

/// Places of the payee.
const ACCOUNTS: &[&str] = &[
    "/payee/merchant_id",
    "/purchase_units/0/payee/merchant_id",
    "/disputed_transactions/0/seller/merchant_id",
    "/merchant_id",
    "/payee/email_address",
    "/purchase_units/0/payee/email_address",
];
/// Places of the merchant's own reference: the number of an invoice or an order, or custom data.
const REFERENCES: &[&str] = &[
    "/invoice_id",
    "/invoice_number",
    "/custom_id",
    "/custom",
    "/purchase_units/0/invoice_id",
    "/purchase_units/0/custom_id",
    "/purchase_units/0/reference_id",
    "/disputed_transactions/0/invoice_number",
    "/disputed_transactions/0/custom",
    "/invoice/detail/invoice_number",
    "/invoice/number",
    "/payout_item/sender_item_id",
    "/sender_item_id",
];
/// Members that the event repeats, that hold its object, and that are only about the delivery.
const AROUND: [&str; 7] =
    ["id", "event_type", "create_time", "resource", "links", "status", "transmissions"];

impl Provider for PayPal {
    type Settings = Settings;

    fn describe() -> ProviderInfo {
        let version = env!("CARGO_PKG_VERSION");
        let places = [Environment::Live, Environment::Sandbox];
        ProviderInfo::new("paypal", version, canonical::TYPES, &[ProofKind::Signature])
            .with_scheme(
                "RSA-SHA256 of ids, time and a CRC-32 of the body, with a fetched certificate",
            )
            // A CRC-32 does not bind the body.
            .worth(ProofKind::Signature, Worth::Unbound)
            .with_keys_at(places.into_iter().flat_map(Environment::places))
            .with_settings(Settings::declared())
    }

    fn check(Settings { webhook_id: id, .. }: &Settings) -> Result<(), String> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if (1..=WEBHOOK_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(known) {
            Ok(())
        } else {
            Err("`webhook_id` is not a webhook id from PayPal's developer dashboard".to_owned())
        }
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let sent = Transmission::of(request, Self::settings())?;
        let message = vec![Piece::from(sent.message)];
        let lookup = KeyLookup::get(sent.certificate);
        let proof = transmission::SIGNATURE.fetched_evidence(request, lookup, message)?;
        let claims = Claims::new(proof, json::peek(&request.body, "/id"));
        Ok(claims.with_signing_time(sent.at))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let live = Self::settings().environment == Environment::Live;
        let body = request.json()?;
        let envelope = body.members();
        let own = envelope.required("/event_type")?;
        let resource = envelope.object("/resource");
        let outcome = resource.name("/dispute_outcome/outcome_code").unwrap_or_default();
        let canonical = canonical::event_type(&own, &outcome);
        let declined = (canonical == Some("payment.failed")).then(|| declined(&resource)).flatten();
        let around = Envelope::of(&envelope, &AROUND);
        let data = around.around(envelope.at("/resource"), body);
        Ok(vec![Event {
            subject: subject(&resource),
            time: envelope.rfc3339("/create_time"),
            money: money(&own, &resource),
            labels: labels([
                ("country", resource.name("/payer/address/country_code")),
                ("decline_code", declined),
                ("reason", resource.word("/reason")),
                ("account", resource.first_label(ACCOUNTS)),
                // Each environment has its own certificates, so the proof confirms the environment.
                ("livemode", Some(live.to_string())),
                ("reference", resource.first_label(REFERENCES)),
            ]),
            ..Event::new(
                request.event_id(envelope.name("/id")),
                event_type(canonical, "paypal", &own.to_lowercase()),
                data,
            )
        }])
    }

    fn sign(request: Request, at: Timestamp, signatures: &[Vec<u8>]) -> Result<Request, String> {
        transmission::sign(request, Self::settings(), at, signatures)
    }
}

/// The payment, so that everything about it has one subject; else the entity itself. A refund of
/// version 2 names its capture only in a link.
fn subject(resource: &Members<'_>) -> Option<String> {
    let link = |link: &Json<'_>| {
        let up = link.text("/rel")? == "up";
        let href = link.text("/href")?;
        let (_, capture) = href.split_once("/payments/captures/")?;
        (up && id::fits(capture)).then(|| capture.to_owned())
    };
    resource
        .first_name(&PAYMENTS)
        .or_else(|| resource.items("/links").iter().find_map(link))
        .or_else(|| resource.first_name(&ENTITIES))
}

/// Why a payment was declined: by the card's bank, else by PayPal. A successful capture has a
/// response too.
fn declined(resource: &Members<'_>) -> Option<String> {
    resource.first_name(&[
        "/processor_response/response_code",
        "/status_details/reason",
        "/reason_code",
    ])
}

fn money(own: &str, resource: &Members<'_>) -> Option<Money> {
    let failed = (own == "BILLING.SUBSCRIPTION.PAYMENT.FAILED").then_some(FAILED_AMOUNT);
    resource.first_major(&failed.into_iter().chain(AMOUNTS).collect::<Vec<_>>())
}

hookgate_sdk::export!(provider: PayPal);
