//! The object that an event is about: its subject, money and labels.
//!
//! Objects differ by kind and by API version, so each value is looked up at every place where it
//! may be. A missing value is left out and never guessed.

use std::borrow::Cow;

use hookgate_sdk::{Json, Members, Money, decimals, known_money};

use crate::canonical;
use crate::labels;

/// The object of a snapshot event.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    members: Members<'a>,
    /// The members of the event's `data`, which has the object and its previous attributes.
    data: &'a Members<'a>,
    /// Stripe's name of the event.
    own_type: &'a str,
}

impl<'a> Object<'a> {
    pub(crate) fn new(members: Members<'a>, data: &'a Members<'a>, own_type: &'a str) -> Self {
        Self { members, data, own_type }
    }

    pub(crate) fn event_type(&self) -> String {
        if self.is_lone_charge() {
            let captured = self.members.flag("/captured") != Some(false);
            if let Some(canonical) = canonical::of_lone_charge(self.own_type, captured) {
                return canonical.to_owned();
            }
        }
        canonical::event_type(self.own_type, self.text("/status").as_deref())
    }

    /// The payment intent of a charge, refund, dispute, review or session, or else the charge, so
    /// that everything about a payment has one subject. Other objects have their own id.
    ///
    /// If the object belongs to a connected account (its bank account, a person, a capability, the
    /// app that it joined or left), the subject is the account: the ids of those objects mean
    /// nothing without it, and the app's id is the receiver's own.
    pub(crate) fn subject(&self, account: Option<String>) -> Option<String> {
        let of_account = self.own_type.starts_with("account.")
            || matches!(self.text("/object").as_deref(), Some("capability" | "person" | "balance"));
        let itself = self.text("/object").as_deref() == Some("account");
        if of_account && !itself {
            let named = self.members.name("/account").or(account);
            return named.or_else(|| self.members.name("/id"));
        }
        let above: &[&str] = match self.text("/object").as_deref() {
            Some("charge" | "checkout.session") => &["/payment_intent", "/payment_intent/id"],
            Some("refund" | "dispute" | "review" | "radar.early_fraud_warning") => {
                &["/payment_intent", "/payment_intent/id", "/charge", "/charge/id"]
            }
            _ => &[],
        };
        above.iter().chain(&["/id"]).find_map(|pointer| self.members.name(pointer))
    }

    pub(crate) fn money(&self) -> Option<Money> {
        let currency = self.first(&["/currency", "/items/data/0/price/currency"])?;
        known_money(Money::from_minor_with(stripe_decimals(&currency), &self.units()?, &currency))
    }

    /// The labels of the object and of the event around it.
    pub(crate) fn labels(&self, envelope: &Members<'_>) -> Vec<(String, String)> {
        labels::of(&self.members, envelope)
    }

    /// Whether the object is a charge without a payment intent.
    fn is_lone_charge(&self) -> bool {
        let has = |pointer: &str| self.members.name(pointer).is_some();
        self.text("/object").as_deref() == Some("charge")
            && !has("/payment_intent")
            && !has("/payment_intent/id")
    }

    /// The amount that the event is about, in Stripe's units.
    fn units(&self) -> Option<String> {
        let number = |pointer: &str| self.first(&[pointer]);
        match (self.text("/object").as_deref()?, self.own_type) {
            (_, "charge.refunded") => match self.data.at("/previous_attributes/amount_refunded") {
                Some(before) => self.refunded(before),
                None => number("/amount_refunded"),
            },
            // The received amount may be less than the requested one.
            ("payment_intent", "payment_intent.succeeded") => {
                self.first(&["/amount_received", "/amount"])
            }
            ("payment_intent", "payment_intent.amount_capturable_updated") => {
                self.first(&["/amount_capturable", "/amount"])
            }
            ("charge", "charge.captured") => self.first(&["/amount_captured", "/amount"]),
            ("invoice", "invoice.paid" | "invoice.payment_succeeded") => number("/amount_paid"),
            ("invoice", _) => number("/amount_due"),
            ("subscription", _) => self.subscribed(),
            ("checkout.session", _) => number("/amount_total"),
            _ => number("/amount"),
        }
    }

    /// The amount of this refund; `amount_refunded` is the sum of all refunds.
    fn refunded(&self, before: Json<'_>) -> Option<String> {
        let sum: i64 = self.members.number("/amount_refunded")?.parse().ok()?;
        let before: i64 = before.number("")?.parse().ok()?;
        Some(sum.checked_sub(before)?.to_string())
    }

    /// The sum of all items of a subscription, if each has its price.
    fn subscribed(&self) -> Option<String> {
        let items = self.members.items("/items/data");
        let costs = items.iter().map(|item| {
            let unit: i64 = item.number("/price/unit_amount")?.parse().ok()?;
            let quantity = item
                .at("/quantity")
                .filter(|quantity| quantity.raw() != "null")
                .map_or(Some(1), |quantity| quantity.scalar("")?.parse().ok())?;
            unit.checked_mul(quantity)
        });
        let sum = costs.reduce(|sum, cost| sum?.checked_add(cost?))??;
        Some(sum.to_string())
    }

    fn text(&self, pointer: &str) -> Option<Cow<'a, str>> {
        self.members.text(pointer)
    }

    /// The text or number at the first of these pointers that has a value. If that can't be read,
    /// the others do not count, because they mean something else.
    fn first(&self, pointers: &[&str]) -> Option<String> {
        let mut there = pointers.iter().filter_map(|pointer| self.members.at(pointer));
        let said = there.find(|value| value.raw() != "null")?;
        said.scalar("").map(String::from)
    }
}

/// The decimals of a currency. Stripe differs from ISO 4217 for some.
fn stripe_decimals(currency: &str) -> usize {
    match currency {
        "mga" => 0,
        "isk" | "ugx" => 2,
        _ => decimals(currency),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(event: &str) -> Members<'_> {
        let event = Json::parse(event.as_bytes()).unwrap();
        event.at("/data").unwrap().members()
    }

    fn object<'a>(data: &'a Members<'a>, own_type: &'a str) -> Object<'a> {
        Object::new(data.object("/object"), data, own_type)
    }

    #[track_caller]
    fn check_money(event: &str, own_type: &str, expected: Option<&str>) {
        let money = object(&data(event), own_type).money();
        let written = money.map(|money| format!("{} {}", money.amount, money.currency));
        assert_eq!(written.as_deref(), expected);
    }

    #[test]
    fn a_partial_refund_is_what_it_was_and_not_the_sum() {
        let event = r#"{"data":{"object":{"object":"charge","amount":900,"amount_refunded":700,
            "currency":"eur"},"previous_attributes":{"amount_refunded":450}}}"#;
        check_money(event, "charge.refunded", Some("2.50 EUR"));
        let unreadable = event.replace("450", "4.5");
        check_money(&unreadable, "charge.refunded", None);
        let first = r#"{"data":{"object":{"object":"charge","amount":900,"amount_refunded":700,
            "currency":"eur"}}}"#;
        check_money(first, "charge.refunded", Some("7.00 EUR"));
    }

    #[test]
    fn a_payment_that_succeeded_is_what_was_received() {
        let event = r#"{"data":{"object":{"object":"payment_intent","amount":900,
            "amount_received":800,"currency":"jpy"}}}"#;
        check_money(event, "payment_intent.succeeded", Some("800 JPY"));
        check_money(event, "payment_intent.created", Some("900 JPY"));
    }

    #[test]
    fn an_amount_is_never_taken_from_another_place_than_where_it_is_said() {
        let received = |received: &str, expected: Option<&str>| {
            let event = format!(
                r#"{{"data":{{"object":{{"object":"payment_intent","amount":900,
                    "amount_received":{received},"currency":"jpy"}}}}}}"#
            );
            check_money(&event, "payment_intent.succeeded", expected);
        };
        received("null", Some("900 JPY"));
        received("0", Some("0 JPY"));
        received(r#""800""#, Some("800 JPY"));
        for unreadable in [r#""""#, r#""8e2""#, "8.5", "true", "{}", "[800]"] {
            received(unreadable, None);
        }
        let event = r#"{"data":{"object":{"object":"charge","amount":900,"amount_captured":"x",
            "currency":"eur"}}}"#;
        check_money(event, "charge.captured", None);
        let event = r#"{"data":{"object":{"object":"charge","amount":900,"currency":{},
            "items":{"data":[{"price":{"currency":"eur"}}]}}}}"#;
        check_money(event, "charge.succeeded", None);
    }

    #[test]
    fn what_is_held_or_captured_may_be_less_than_what_was_asked_for() {
        let event = r#"{"data":{"object":{"object":"payment_intent","amount":900,
            "amount_capturable":700,"currency":"eur"}}}"#;
        check_money(event, "payment_intent.amount_capturable_updated", Some("7.00 EUR"));
        let event = r#"{"data":{"object":{"object":"charge","amount":900,"amount_captured":700,
            "currency":"eur"}}}"#;
        check_money(event, "charge.captured", Some("7.00 EUR"));
        check_money(event, "charge.succeeded", Some("9.00 EUR"));
    }

    #[test]
    fn a_subscription_costs_what_its_items_do() {
        for (items, expected) in [
            (r#"{"price":{"unit_amount":500}}"#, Some("5.00 EUR")),
            (r#"{"quantity":3,"price":{"unit_amount":500}}"#, Some("15.00 EUR")),
            (r#"{"quantity":"3","price":{"unit_amount":500}}"#, Some("15.00 EUR")),
            (r#"{"quantity":null,"price":{"unit_amount":500}}"#, Some("5.00 EUR")),
            (r#"{"quantity":{},"price":{"unit_amount":500}}"#, None),
            (r#"{"price":{"unit_amount":500}},{"price":{"unit_amount":25}}"#, Some("5.25 EUR")),
            (r#"{"price":{"unit_amount":500}},{"price":{"unit_amount":null}}"#, None),
            ("", None),
        ] {
            let event = format!(
                r#"{{"data":{{"object":{{"object":"subscription","currency":"eur",
                    "items":{{"data":[{items}]}}}}}}}}"#
            );
            check_money(&event, "customer.subscription.updated", expected);
        }
    }

    #[test]
    fn stripe_counts_some_currencies_its_own_way() {
        for (currency, expected) in
            [("isk", "5.00 ISK"), ("ugx", "5.00 UGX"), ("mga", "500 MGA"), ("kwd", "0.500 KWD")]
        {
            let object = format!(r#"{{"object":"charge","amount":500,"currency":"{currency}"}}"#);
            let event = format!(r#"{{"data":{{"object":{object}}}}}"#);
            check_money(&event, "charge.succeeded", Some(expected));
        }
    }

    #[test]
    fn what_costs_nothing_has_no_money() {
        check_money(r#"{"data":{"object":{"object":"customer","currency":"usd"}}}"#, "x", None);
        check_money(r#"{"data":{"object":{"object":"charge","amount":5}}}"#, "x", None);
    }

    #[test]
    fn an_amount_that_cannot_be_read_is_not_guessed() {
        let event = r#"{"data":{"object":{"object":"charge","amount":1.5,"currency":"usd"}}}"#;
        check_money(event, "charge.succeeded", None);
    }

    #[test]
    fn what_belongs_to_an_account_is_about_the_account() {
        for (own_type, object_of, subject) in [
            (
                "account.application.deauthorized",
                r#"{"object":"application","id":"ca_1"}"#,
                "acct_1",
            ),
            ("account.application.authorized", r#"{"object":"application","id":"ca_1"}"#, "acct_1"),
            ("account.updated", r#"{"object":"account","id":"acct_2"}"#, "acct_2"),
            (
                "account.external_account.created",
                r#"{"object":"bank_account","id":"ba_1","account":"acct_2"}"#,
                "acct_2",
            ),
            (
                "capability.updated",
                r#"{"object":"capability","id":"card_payments","account":"acct_2"}"#,
                "acct_2",
            ),
            ("balance.available", r#"{"object":"balance"}"#, "acct_1"),
            ("payout.paid", r#"{"object":"payout","id":"po_1"}"#, "po_1"),
        ] {
            let event = format!(r#"{{"data":{{"object":{object_of}}}}}"#);
            let data = data(&event);
            let seen = object(&data, own_type).subject(Some("acct_1".to_owned()));
            assert_eq!(seen.as_deref(), Some(subject), "{own_type}");
        }
    }

    #[test]
    fn everything_about_a_payment_has_one_subject() {
        for (event, subject) in [
            (r#"{"object":"payment_intent","id":"pi_1"}"#, "pi_1"),
            (r#"{"object":"charge","id":"ch_1","payment_intent":"pi_1"}"#, "pi_1"),
            (r#"{"object":"refund","id":"re_1","payment_intent":{"id":"pi_1"}}"#, "pi_1"),
            (r#"{"object":"dispute","id":"dp_1","payment_intent":null}"#, "dp_1"),
            (r#"{"object":"charge","id":"ch_1","payment_intent":null}"#, "ch_1"),
            (r#"{"object":"refund","id":"re_1","payment_intent":null,"charge":"ch_1"}"#, "ch_1"),
            (r#"{"object":"review","id":"prv_1","charge":{"id":"ch_1"}}"#, "ch_1"),
            (r#"{"object":"checkout.session","id":"cs_1","payment_intent":"pi_1"}"#, "pi_1"),
            (r#"{"object":"invoice","id":"in_1","payment_intent":"pi_1"}"#, "in_1"),
        ] {
            let event = format!(r#"{{"data":{{"object":{event}}}}}"#);
            assert_eq!(object(&data(&event), "x").subject(None).as_deref(), Some(subject));
        }
    }
}
