//! A platform webhook: one event in an envelope of `type`, `timestamp` and `data`. The envelope of
//! the classic platform is `eventType`, `eventDate` and `content`.
//!
//! The header signs the whole body, so every member is genuine. Never reads a batch.

use hookgate_sdk::{
    Envelope, Event, Failure, Json, Members, Money, Timestamp, event_type, id, json, known_money,
    labels, time,
};

use crate::canonical;
use crate::item;

/// Places of the entity that a webhook is about.
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

/// Places of the account: the merchant's, else the business that owns the platform.
const ACCOUNTS: &[&str] = &["/data/merchantAccount", "/data/merchantId", "/data/balancePlatform"];

/// Places of the receiver's own reference.
const REFERENCES: &[&str] = &[
    "/data/reference",
    "/data/merchantReference",
    "/data/shopperReference",
    "/data/transfer/reference",
    "/data/accountHolder/reference",
    "/data/balanceAccount/reference",
    "/data/paymentInstrument/reference",
    "/content/accountHolderCode",
];

/// Members that the event repeats, and those that hold its object.
const AROUND: &[&str] =
    &["data", "content", "type", "eventType", "eventId", "timestamp", "createdAt", "eventDate"];

/// The event's id: Adyen's own, or else one derived from the whole body, because several updates
/// may fall into one second. `None` if the body is not an event.
pub(crate) fn event_id(body: &[u8]) -> Option<String> {
    let named = |pointer: &str| json::peek_scalar(body, pointer).filter(|name| !name.is_empty());
    if let Some(own) = named("/eventId") {
        return Some(id::of(own.into_owned()));
    }
    if let (Some(own_type), Some(own)) = (named("/eventType"), named("/pspReference")) {
        return Some(id::of(format!("{own_type}:{own}")));
    }
    named("/type").or_else(|| named("/eventType")).map(|_| id::derived(&[body]))
}

pub(crate) fn parse(body: Json<'_>, bytes: &[u8]) -> Result<Event, Failure> {
    let own_type = body.text("/type").or_else(|| body.text("/eventType")).unwrap_or_default();
    let event_id = event_id(bytes)
        .filter(|_| !own_type.is_empty())
        .ok_or_else(|| Failure::permanent("the body has neither items nor a type"))?;
    let is_card = body.text("/data/paymentInstrument/type").is_some_and(|kind| kind == "card");
    let canonical = if body.at("/type").is_some() {
        canonical::of_platform(&own_type, is_card)
    } else {
        canonical::of_classic(&own_type)
    };
    // A booked transfer names a transaction too, but its subject is the transfer.
    let is_dispute = own_type.starts_with("balancePlatform.dispute.");
    let disputed = is_dispute.then_some("/data/transactionId");
    let subject = disputed.iter().chain(SUBJECTS).filter_map(|pointer| body.text(pointer));
    let members = body.members();
    let object = body.at("/data").or_else(|| body.at("/content"));
    let data = Envelope::of(&members, AROUND).around(object, body);
    Ok(Event {
        subject: subject.map(String::from).find(|own| id::fits(own)),
        time: when(body),
        money: money(body),
        labels: labels([
            ("account", members.first_label(ACCOUNTS)),
            ("livemode", livemode(&members).map(|live| live.to_string())),
            ("reference", members.first_label(REFERENCES)),
        ]),
        ..Event::new(event_id, event_type(Some(&canonical), "adyen", &own_type), data)
    })
}

/// The classic platform has `live`, like a batch.
fn livemode(members: &Members<'_>) -> Option<bool> {
    members.is_live("/environment").or_else(|| members.flag("/live"))
}

fn when(body: Json<'_>) -> Option<Timestamp> {
    let named = ["/timestamp", "/createdAt", "/data/creationDate", "/eventDate"];
    let text = named.into_iter().find_map(|pointer| body.text(pointer))?;
    time::from_rfc3339(&text)
}

fn money(body: Json<'_>) -> Option<Money> {
    for amount in ["/data/amount", "/data/disputedAmount"] {
        let units = body.scalar(&format!("{amount}/value")).filter(|units| !units.is_empty());
        if let Some(units) = units {
            let currency = body.text(&format!("{amount}/currency"))?;
            return known_money(item::money(&units, &currency));
        }
    }
    None
}
