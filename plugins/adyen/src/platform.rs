//! A platform webhook: one event in an envelope of `type`, `timestamp` and `data`, or, of the classic
//! platform, of `eventType`, `eventDate` and `content`.
//!
//! The header signs the whole body, so everything in it can be believed.

use hookgate_sdk::{Event, Failure, InvalidMoney, Json, Money, Timestamp, id, json, time};

use crate::canonical;
use crate::item;

/// What a webhook is about.
const SUBJECTS: &[&str] = &[
    "/data/id",
    "/data/accountHolder/id",
    "/data/balanceAccount/id",
    "/data/paymentInstrument/id",
    "/data/mandate/id",
    "/data/balanceAccountId",
    "/data/storedPaymentMethodId",
    "/content/accountHolderCode",
];

/// The event's id: Adyen's own where it gives one, else what a retry repeats. `None` for a body that
/// is no event.
pub(crate) fn event_id(body: &[u8]) -> Option<String> {
    let named = |pointer: &str| json::peek_scalar(body, pointer).filter(|name| !name.is_empty());
    if let Some(own) = named("/eventId") {
        return Some(id::of(own.into_owned()));
    }
    if let (Some(own_type), Some(own)) = (named("/eventType"), named("/pspReference")) {
        return Some(id::of(format!("{own_type}:{own}")));
    }
    let own_type = named("/type")?;
    // Several updates of a transfer may fall into one second, so its own count goes first.
    let when = ["/data/sequenceNumber", "/timestamp", "/createdAt"].into_iter().find_map(named);
    match (named("/data/id"), when) {
        (Some(about), Some(when)) => Some(id::of(format!("{own_type}:{about}:{when}"))),
        // Told apart by nothing that is named: then by all of it.
        _ => Some(id::derived(&[body])),
    }
}

pub(crate) fn parse(body: Json<'_>, bytes: &[u8]) -> Result<Event, Failure> {
    let own_type = body.text("/type").or_else(|| body.text("/eventType")).unwrap_or_default();
    if !hookgate_sdk::is_event_type(&own_type) {
        return Err(Failure::permanent(format!("body has neither items nor a type: `{own_type}`")));
    }
    let event_id = event_id(bytes).ok_or_else(|| Failure::permanent("event has no identity"))?;
    let is_card = body.text("/data/paymentInstrument/type").is_some_and(|kind| kind == "card");
    let event_type = if body.at("/type").is_some() {
        canonical::of_platform(&own_type, is_card)
    } else {
        canonical::of_classic(&own_type)
    };
    // A transfer may name a transaction too, once it is booked, but is itself what it is about.
    let disputed = own_type.starts_with("balancePlatform.dispute.");
    let disputed = disputed.then_some("/data/transactionId");
    let subject = disputed.iter().chain(SUBJECTS).filter_map(|pointer| body.text(pointer));
    let data = body.at("/data").or_else(|| body.at("/content")).unwrap_or(body);
    Ok(Event {
        subject: subject.map(String::from).find(|own| id::fits(own)),
        time: when(body),
        money: money(body)?,
        ..Event::new(event_id, event_type, data.raw())
    })
}

fn when(body: Json<'_>) -> Option<Timestamp> {
    let named = ["/timestamp", "/createdAt", "/data/creationDate", "/eventDate"];
    let text = named.into_iter().find_map(|pointer| body.text(pointer))?;
    time::from_rfc3339(&text)
}

fn money(body: Json<'_>) -> Result<Option<Money>, InvalidMoney> {
    for amount in ["/data/amount", "/data/disputedAmount"] {
        let currency = body.text(&format!("{amount}/currency"));
        let units = body.scalar(&format!("{amount}/value"));
        if let (Some(units), Some(currency)) = (units, currency) {
            return item::money(&units, &currency).map(Some);
        }
    }
    Ok(None)
}
