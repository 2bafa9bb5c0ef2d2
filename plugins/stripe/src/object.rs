//! What an event says of the object that it is about: subject, money, labels.
//!
//! Objects differ by kind and by API version, so everything is looked up where it may be, and what
//! is not there is left out. Only an amount that is there and can't be read is an error.

use hookgate_sdk::{InvalidMoney, Json, Members, Money, decimals, id, labels};

use crate::canonical;

/// The object of a snapshot event.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    members: Members<'a>,
    /// What the event says beside it.
    data: &'a Members<'a>,
    /// Stripe's name of the event.
    own_type: &'a str,
}

impl<'a> Object<'a> {
    pub(crate) fn new(object: Json<'a>, data: &'a Members<'a>, own_type: &'a str) -> Self {
        Self { members: object.members(), data, own_type }
    }

    pub(crate) fn event_type(&self) -> String {
        canonical::event_type(self.own_type, self.text("/status").as_deref())
    }

    /// The payment that a charge, refund, dispute or warning belongs to, so that everything about a
    /// payment has one subject; else the object's own id.
    pub(crate) fn subject(&self) -> Option<String> {
        let of_payment = matches!(
            self.text("/object").as_deref(),
            Some("charge" | "refund" | "dispute" | "radar.early_fraud_warning")
        );
        let payment = || self.text("/payment_intent").or_else(|| self.text("/payment_intent/id"));
        let subject = of_payment.then(payment).flatten().or_else(|| self.text("/id"));
        subject.filter(|subject| id::fits(subject))
    }

    pub(crate) fn money(&self) -> Result<Option<Money>, InvalidMoney> {
        let currency = self.text("/currency").or_else(|| self.text("/items/data/0/price/currency"));
        let (Some(units), Some(currency)) = (self.units(), currency) else { return Ok(None) };
        Money::from_minor_with(stripe_decimals(&currency), &units, &currency).map(Some)
    }

    /// What analysis needs.
    pub(crate) fn labels(&self) -> Vec<(String, String)> {
        // A charge carries its payment method, a payment intent that failed that of its last try.
        let error = self.members.at("/last_payment_error");
        let method = self.members.at("/payment_method_details");
        let method = method.or_else(|| error?.at("/payment_method"));
        let card = method.and_then(|method| method.at("/card"));
        let outcome = self.members.at("/outcome");
        let within = |part: Option<Json<'_>>, pointer: &str| part?.text(pointer).map(String::from);
        let decline = within(error, "/decline_code")
            .or_else(|| within(error, "/code"))
            .or_else(|| within(outcome, "/reason"))
            .or_else(|| self.text("/failure_code"));
        labels([
            ("country", within(card, "/country")),
            ("method", within(method, "/type")),
            ("card_brand", within(card, "/brand")),
            ("decline_code", decline),
            ("risk", within(outcome, "/risk_level")),
        ])
    }

    /// The amount that the event is about, in Stripe's units.
    fn units(&self) -> Option<String> {
        let number = |pointer: &str| self.members.number(pointer).map(ToOwned::to_owned);
        let some = |pointer: &str| number(pointer).filter(|units| units != "0");
        match (self.text("/object").as_deref()?, self.own_type) {
            (_, "charge.refunded") => self.refunded().or_else(|| number("/amount_refunded")),
            // What was captured may be less than what was asked for.
            ("payment_intent", "payment_intent.succeeded") => {
                some("/amount_received").or_else(|| number("/amount"))
            }
            ("invoice", "invoice.paid" | "invoice.payment_succeeded") => number("/amount_paid"),
            ("invoice", _) => number("/amount_due"),
            ("subscription", _) => number("/items/data/0/price/unit_amount"),
            ("checkout.session", _) => number("/amount_total"),
            _ => number("/amount"),
        }
    }

    /// How much this refund was: `amount_refunded` is the sum of all of them.
    fn refunded(&self) -> Option<String> {
        let sum: i64 = self.members.number("/amount_refunded")?.parse().ok()?;
        let before: i64 = self.data.number("/previous_attributes/amount_refunded")?.parse().ok()?;
        Some(sum.checked_sub(before)?.to_string())
    }

    fn text(&self, pointer: &str) -> Option<String> {
        self.members.text(pointer).map(String::from)
    }
}

/// Stripe counts some currencies otherwise than ISO 4217.
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
        Object::new(data.at("/object").unwrap(), data, own_type)
    }

    #[track_caller]
    fn check_money(event: &str, own_type: &str, expected: Option<&str>) {
        let money = object(&data(event), own_type).money().unwrap();
        let written = money.map(|money| format!("{} {}", money.amount, money.currency));
        assert_eq!(written.as_deref(), expected);
    }

    #[test]
    fn a_partial_refund_is_what_it_was_and_not_the_sum() {
        let event = r#"{"data":{"object":{"object":"charge","amount":900,"amount_refunded":700,
            "currency":"eur"},"previous_attributes":{"amount_refunded":450}}}"#;
        check_money(event, "charge.refunded", Some("2.50 EUR"));
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
    fn stripe_counts_some_currencies_its_own_way() {
        for (currency, expected) in
            [("isk", "5.00 ISK"), ("ugx", "5.00 UGX"), ("mga", "500 MGA"), ("kwd", "0.500 KWD")]
        {
            let event = format!(
                r#"{{"data":{{"object":{{"object":"charge","amount":500,"currency":"{currency}"}}}}}}"#
            );
            check_money(&event, "charge.succeeded", Some(expected));
        }
    }

    #[test]
    fn what_costs_nothing_has_no_money() {
        check_money(r#"{"data":{"object":{"object":"customer","currency":"usd"}}}"#, "x", None);
        check_money(r#"{"data":{"object":{"object":"charge","amount":5}}}"#, "x", None);
    }

    #[test]
    fn an_amount_that_cannot_be_read_is_an_error() {
        let event = r#"{"data":{"object":{"object":"charge","amount":1.5,"currency":"usd"}}}"#;
        assert!(object(&data(event), "charge.succeeded").money().is_err());
    }

    #[test]
    fn everything_about_a_payment_has_one_subject() {
        for (event, subject) in [
            (r#"{"object":"payment_intent","id":"pi_1"}"#, "pi_1"),
            (r#"{"object":"charge","id":"ch_1","payment_intent":"pi_1"}"#, "pi_1"),
            (r#"{"object":"refund","id":"re_1","payment_intent":{"id":"pi_1"}}"#, "pi_1"),
            (r#"{"object":"dispute","id":"dp_1","payment_intent":null}"#, "dp_1"),
            (r#"{"object":"invoice","id":"in_1","payment_intent":"pi_1"}"#, "in_1"),
        ] {
            let event = format!(r#"{{"data":{{"object":{event}}}}}"#);
            assert_eq!(object(&data(&event), "x").subject().as_deref(), Some(subject));
        }
    }
}
