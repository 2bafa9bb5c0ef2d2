//! Reads a notification: its kind, its time, and the one entity that it is about.
//!
//! The signature covers all of it. An amount is never guessed.

use hookgate_sdk::{
    Envelope, Event, Failure, Json, Money, event_type, id, known_money, labels, time,
};

use crate::canonical;
use crate::xml::Element;

/// The kind that Braintree sends to test the endpoint.
const CHECK: &str = "check";

/// Whether a notification is only a test of the endpoint.
pub(crate) fn is_check(document: &Element) -> bool {
    document.text("kind") == Some(CHECK)
}

/// The event of a notification; none of a check.
pub(crate) fn events(document: &Element, event_id: &str) -> Result<Vec<Event>, Failure> {
    let kind =
        document.text("kind").ok_or_else(|| Failure::permanent("the notification has no kind"))?;
    if is_check(document) {
        return Ok(Vec::new());
    }
    let subject = document.child("subject").and_then(|subject| subject.children().next());
    // The first amount that is present counts, even if it can't be read.
    let money = subject
        .into_iter()
        .flat_map(|about| [Some(about), transaction(about)])
        .flatten()
        .find(|about| about.text("amount").is_some())
        .and_then(money);
    let paid = subject.and_then(|about| transaction(about).or(Some(about)));
    let is_credit = paid.and_then(|paid| paid.text("type")) == Some("credit");
    let canonical = canonical::event_type(kind, is_credit);
    let failed = canonical.is_some_and(|canonical| canonical.ends_with(".failed"));
    Ok(vec![Event {
        subject: subject.and_then(named),
        time: document.text("timestamp").and_then(time::from_rfc3339),
        money,
        labels: labels([
            ("country", paid.and_then(|paid| card(paid, "country-of-issuance"))),
            ("method", word(paid, "payment-instrument-type")),
            ("card_brand", paid.and_then(|paid| card(paid, "card-type")).map(|b| b.to_lowercase())),
            ("decline_code", paid.filter(|_| failed).and_then(declined)),
            ("reason", word(subject, "reason")),
            ("risk", paid.and_then(|paid| word(paid.child("risk-data"), "decision"))),
            ("account", account(document, subject, paid)),
            ("reference", paid.and_then(|paid| owned(paid.text("order-id")))),
        ]),
        ..Event::new(event_id, event_type(canonical, "braintree", kind), data(document)?)
    }])
}

/// The event's data: the entity, with the rest of the notification as its envelope.
fn data(document: &Element) -> Result<String, Failure> {
    let whole = document.to_json();
    let whole = Json::parse(whole.as_bytes())?;
    let members = whole.members();
    let subject = members.object("/subject").iter().next().map(|(_, about)| about);
    Ok(Envelope::of(&members, &["kind", "timestamp", "subject"]).around(subject, whole))
}

/// The merchant that gave this one access to its account, else the merchant account of the
/// transaction.
fn account(
    document: &Element,
    subject: Option<&Element>,
    paid: Option<&Element>,
) -> Option<String> {
    let own = |about: &Element| {
        let account = about.child("merchant-account").and_then(|account| account.text("id"));
        owned(about.text("merchant-account-id").or(account))
    };
    let source = owned(document.text("source-merchant-id"));
    source.or_else(|| subject.and_then(own)).or_else(|| paid.and_then(own))
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(ToOwned::to_owned)
}

/// The transaction of a dispute, or the latest of a subscription.
fn transaction(about: &Element) -> Option<&Element> {
    let last = |list: &'_ Element| list.children().next().is_some();
    let listed = about.child("transactions").filter(|list| last(list));
    about.child("transaction").or_else(|| listed.and_then(|list| list.children().next()))
}

/// The subject of a dispute, a refund or a local payment is its transaction, so that everything
/// about a payment has one subject.
fn named(about: &Element) -> Option<String> {
    let id = about.child("transaction").and_then(|transaction| transaction.text("id"));
    let own = ["refunded-transaction-id", "id", "transaction-id", "payment-id", "token"];
    let id = id.or_else(|| own.into_iter().find_map(|name| about.text(name)));
    id.filter(|id| id::fits(id)).map(ToOwned::to_owned)
}

/// A property of the card: from the card's own element, or in a dispute from the transaction.
fn card(paid: &Element, name: &str) -> Option<String> {
    let own = paid.child("credit-card").and_then(|card| card.text(name));
    let beside = (name == "card-type").then(|| paid.text("payment-instrument-subtype")).flatten();
    own.or(beside).filter(|text| *text != "Unknown").map(ToOwned::to_owned)
}

/// The code of the failure. Codes that begin with 1 are approvals, of payments that failed later.
fn declined(paid: &Element) -> Option<String> {
    let codes = ["processor-settlement-response-code", "processor-response-code"];
    let code = codes.into_iter().filter_map(|name| paid.text(name));
    code.map(ToOwned::to_owned).find(|code| !code.starts_with('1'))
}

fn word(of: Option<&Element>, name: &str) -> Option<String> {
    of?.text(name).map(str::to_lowercase)
}

/// The amount. A disbursement has the currency of its merchant account.
fn money(about: &Element) -> Option<Money> {
    let account = || about.child("merchant-account")?.text("currency-iso-code");
    let currency = about.text("currency-iso-code").or_else(account)?;
    known_money(Money::from_major(about.text("amount")?, currency))
}
