//! Monnify: an HMAC-SHA512 over the body; the key is the client secret.
//!
//! Monnify gives no event ids, so an id is derived from the whole body. Its times are those of
//! Lagos, an hour ahead of UTC, and say so nowhere. A disbursement is money that the merchant pays
//! out. A rejected payment was less or more than the expected amount, so the payer gets it back.

use hookgate_sdk::{
    Claims, Event, Failure, Hash, HeaderMac, Outline, ProofKind, Provider, ProviderInfo, Refusal,
    Request, Timestamp, When,
};

/// The plugin.
#[derive(Debug)]
pub struct Monnify;

const SIGNATURE: HeaderMac = HeaderMac::hex("monnify-signature").with_algorithm(Hash::Sha512);

const EVENT: Outline = Outline::new("monnify", &["/eventType"])
    .typed(&[
        ("SUCCESSFUL_TRANSACTION", "payment.succeeded"),
        ("REJECTED_PAYMENT", "payment.failed"),
        ("SUCCESSFUL_REFUND", "refund.succeeded"),
        ("FAILED_REFUND", "refund.failed"),
        ("SUCCESSFUL_DISBURSEMENT", "payout.paid"),
        ("FAILED_DISBURSEMENT", "payout.failed"),
        ("REVERSED_DISBURSEMENT", "payout.reversed"),
    ])
    .about("/eventData")
    .subject(&[
        "/eventData/transactionReference",
        "/eventData/settlementReference",
        "/eventData/mandateReference",
        "/eventData/reference",
    ])
    .at(&[
        ("/eventData/completedOn", When::Local("+01:00")),
        ("/eventData/paidOn", When::Local("+01:00")),
        ("/eventData/createdOn", When::Local("+01:00")),
    ])
    .major(&[
        ("/eventData/amountPaid", "/eventData/currency"),
        ("/eventData/amountPaid", "/eventData/currencyCode"),
        ("/eventData/refundAmount", "/eventData/currency"),
        ("/eventData/refundAmount", "NGN"),
        ("/eventData/amount", "/eventData/currency"),
        ("/eventData/amount", "/eventData/currencyCode"),
    ])
    .reference(&["/eventData/paymentReference", "/eventData/reference"])
    .words(&[("method", &["/eventData/paymentMethod"])])
    .declined(&["/eventData/paymentRejectionInformation/rejectionReason"]);

impl Provider for Monnify {
    type Settings = ();

    fn describe() -> ProviderInfo {
        let types = &["payment.*", "refund.*", "payout.*", "monnify.*"];
        ProviderInfo::new("monnify", env!("CARGO_PKG_VERSION"), types, &[ProofKind::Mac])
            .with_scheme("HMAC-SHA512 of the body, `monnify-signature`")
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        SIGNATURE.claim(request, [EVENT.event_id(request)])
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        Ok(vec![EVENT.event(request)?])
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, digests)
    }
}

hookgate_sdk::export!(provider: Monnify);
