//! NOWPayments: an HMAC-SHA512 over the JSON of the body with its members sorted by name.
//!
//! The signature holds for the members in any order and with any white space between them. So the
//! id of an event is derived from the sorted text: a request that somebody overheard and laid out
//! in another way is still a duplicate. NOWPayments reports each step of a payment. Only
//! `confirmed` counts as authorized, and only `finished` as paid; the steps around them keep their
//! own names. Payouts are about money that leaves the account, and have states of their own.

use hookgate_sdk::{
    Claims, Event, Failure, Hash, HeaderMac, Json, Members, Money, ProofKind, Provider,
    ProviderInfo, Refusal, Request, Timestamp, event_type, id, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct NowPayments;

const SIGNATURE: HeaderMac = HeaderMac::hex("x-nowpayments-sig").with_algorithm(Hash::Sha512);

/// Anybody can send a body that takes long to sort, and a genuine one has a few hundred bytes.
const BODY_BYTES_MAX: usize = 64 << 10;

impl Provider for NowPayments {
    type Settings = ();

    fn describe() -> ProviderInfo {
        let types = &["payment.*", "refund.succeeded", "payout.*", "nowpayments.*"];
        ProviderInfo::new("nowpayments", env!("CARGO_PKG_VERSION"), types, &[ProofKind::Mac])
            .with_scheme("HMAC-SHA512 of the body with sorted members, `x-nowpayments-sig`")
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        if request.body.len() > BODY_BYTES_MAX {
            return Err(Refusal::new(format!("the body has more than {BODY_BYTES_MAX} bytes")));
        }
        let text = sorted(request.json()?)?;
        let id = id::derived(&[text.as_bytes()]);
        Ok(Claims::new(SIGNATURE.evidence(request, vec![text.into()])?, [id]))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let body = request.json()?;
        let members = body.members();
        let payout = members.at("/batch_withdrawal_id").map(|_| members.required("/status"));
        let (own, canonical, money) = match payout.transpose()? {
            Some(state) => {
                let state = state.to_lowercase();
                let word = if state == "finished" { "paid" } else { state.as_str() };
                let canonical = Some(format!("payout.{word}"));
                (format!("payout.{state}"), canonical, members.major("/amount", "/currency"))
            }
            None => {
                let state = members.required("/payment_status")?;
                let canonical = canonical(&state).map(str::to_owned);
                let money = paid(&members, &state);
                (state, canonical, money)
            }
        };
        let updated = "/updated_at";
        Ok(vec![Event {
            subject: members.first_name(&["/payment_id", "/id"]),
            time: members.rfc3339(updated).or_else(|| members.unix_ms(updated)),
            money,
            labels: labels([
                ("method", members.word("/pay_currency")),
                ("reference", members.first_label(&["/order_id", "/unique_external_id"])),
            ]),
            ..Event::new(
                id::derived(&[sorted(body)?.as_bytes()]),
                event_type(canonical.as_deref(), "nowpayments", &own),
                body.raw(),
            )
        }])
    }

    fn sign(request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        SIGNATURE.sign(request, digests)
    }
}

/// The signed text.
fn sorted(body: Json<'_>) -> Result<String, Refusal> {
    body.sorted().ok_or_else(|| Refusal::new("the body is nested deeper than NOWPayments writes"))
}

/// The canonical type of a payment's state, if there is one.
fn canonical(state: &str) -> Option<&'static str> {
    Some(match state {
        "waiting" => "payment.created",
        "confirmed" => "payment.authorized",
        "finished" => "payment.succeeded",
        "failed" => "payment.failed",
        "expired" => "payment.canceled",
        "refunded" => "refund.succeeded",
        _ => return None,
    })
}

/// The price, but for a payment that was paid in part: then what has arrived. NOWPayments does not
/// say how much it gave back.
fn paid(members: &Members<'_>, state: &str) -> Option<Money> {
    match state {
        "refunded" => None,
        "partially_paid" => members.major("/actually_paid", "/pay_currency"),
        _ => members.major("/price_amount", "/price_currency"),
    }
}

hookgate_sdk::export!(provider: NowPayments);
