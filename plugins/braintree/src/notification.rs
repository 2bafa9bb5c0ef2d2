//! What a notification says: its kind, when, and the one thing that it is about.

use hookgate_sdk::{Event, Failure, Money, event_type, labels, time};

use crate::canonical;
use crate::xml::Element;

/// What Braintree sends to try the endpoint.
const CHECK: &str = "check";

/// Whether a notification means nothing further.
pub(crate) fn is_check(document: &Element) -> bool {
    document.text("kind") == Some(CHECK)
}

/// The event of a notification; none of a check.
pub(crate) fn events(document: &Element, id: &str) -> Result<Vec<Event>, Failure> {
    let kind =
        document.text("kind").ok_or_else(|| Failure::permanent("notification has no kind"))?;
    if is_check(document) {
        return Ok(Vec::new());
    }
    let subject = document.child("subject").and_then(|subject| subject.children().next());
    let amounts = subject.into_iter().flat_map(|about| [Some(about), transaction(about)]);
    let money = amounts.flatten().find_map(|about| money(about).transpose()).transpose()?;
    let paid = subject.and_then(|about| transaction(about).or(Some(about)));
    let of_paid = |name: &str| paid?.text(name).map(ToOwned::to_owned);
    let data = subject.map_or_else(|| document.to_json(), Element::to_json);
    Ok(vec![Event {
        subject: subject.and_then(named),
        time: document.text("timestamp").and_then(time::from_rfc3339),
        money,
        labels: labels([
            ("method", of_paid("payment-instrument-type").map(|method| method.to_lowercase())),
            ("decline_code", of_paid("processor-response-code")),
            ("reason", subject.and_then(|about| about.text("reason")).map(ToOwned::to_owned)),
        ]),
        ..Event::new(id, event_type(canonical::event_type(kind), "braintree", kind)?, data)
    }])
}

/// The transaction of what has one: of a dispute, or the last of a subscription.
fn transaction(about: &Element) -> Option<&Element> {
    let last = |list: &'_ Element| list.children().next().is_some();
    let listed = about.child("transactions").filter(|list| last(list));
    about.child("transaction").or_else(|| listed.and_then(|list| list.children().next()))
}

/// A dispute is told under its transaction, so that all of a payment has one subject.
fn named(about: &Element) -> Option<String> {
    let id = if about.is("dispute") {
        about.child("transaction").and_then(|transaction| transaction.text("id"))
    } else {
        None
    };
    id.or_else(|| about.text("id")).filter(|id| !id.is_empty()).map(ToOwned::to_owned)
}

fn money(about: &Element) -> Result<Option<Money>, Failure> {
    match (about.text("amount"), about.text("currency-iso-code")) {
        (Some(amount), Some(currency)) => Ok(Some(Money::from_major(amount, currency)?)),
        _ => Ok(None),
    }
}
