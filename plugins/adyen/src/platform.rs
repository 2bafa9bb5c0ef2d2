//! A platform webhook: one event in an envelope of `type`, `timestamp` and `data`.
//!
//! The header signs the whole body, so everything in it can be believed.

use hookgate_sdk::{Event, Failure, InvalidMoney, Json, Money, id, json, time};

use crate::canonical;
use crate::item;

/// The event's id: Adyen's own where it gives one, else what a retry repeats. `None` for a body that
/// is no event.
pub(crate) fn event_id(body: &[u8]) -> Option<String> {
    let own_type = json::peek(body, "/type")?;
    if let Some(own) = json::peek(body, "/eventId").filter(|own| !own.is_empty()) {
        return Some(id::of(own.into_owned()));
    }
    let about = json::peek(body, "/data/id").filter(|about| !about.is_empty());
    match (about, timestamp(body)) {
        (Some(about), Some(time)) => Some(id::of(format!("{own_type}:{about}:{time}"))),
        // Told apart by nothing that is named: then by all of it.
        _ => Some(id::derived(&[body])),
    }
}

pub(crate) fn parse(body: Json<'_>, bytes: &[u8]) -> Result<Event, Failure> {
    let own_type = body.text("/type").unwrap_or_default();
    if !hookgate_sdk::is_event_type(&own_type) {
        return Err(Failure::permanent(format!("body has neither items nor a type: `{own_type}`")));
    }
    let event_id = event_id(bytes).ok_or_else(|| Failure::permanent("event has no identity"))?;
    let subject = [
        "/data/id",
        "/data/accountHolder/id",
        "/data/balanceAccount/id",
        "/data/storedPaymentMethodId",
    ];
    let data = body.at("/data").unwrap_or(body);
    Ok(Event {
        subject: subject
            .into_iter()
            .find_map(|pointer| body.text(pointer))
            .filter(|own| id::fits(own))
            .map(String::from),
        time: timestamp(bytes).and_then(|text| time::from_rfc3339(&text)),
        money: money(body)?,
        ..Event::new(event_id, canonical::of_platform(&own_type), data.raw())
    })
}

fn timestamp(body: &[u8]) -> Option<String> {
    let named = ["/timestamp", "/createdAt", "/data/creationDate"];
    named.into_iter().find_map(|pointer| json::peek(body, pointer)).map(String::from)
}

fn money(body: Json<'_>) -> Result<Option<Money>, InvalidMoney> {
    let currency = body.text("/data/amount/currency");
    let (Some(units), Some(currency)) = (body.scalar("/data/amount/value"), currency) else {
        return Ok(None);
    };
    item::money(&units, &currency).map(Some)
}
