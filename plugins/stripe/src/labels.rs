//! The labels of an object for analysis: country, payment method, brand of the card, reason of a
//! decline, risk, account, environment and reference.
//!
//! Charges, payment intents, refunds and customers have these at different places, so each label is
//! looked up at all of them, and the first value counts. A value is never guessed.

use hookgate_sdk::{Members, labels};

/// Places of the payment method: in a charge or a dispute, in a failed intent, in a payment of an
/// older version, which has its charges with the latest first, and in a refund.
const METHODS: &[&str] = &[
    "/payment_method_details",
    "/last_payment_error/payment_method",
    "/last_setup_error/payment_method",
    "/charges/data/0/payment_method_details",
    "/destination_details",
];

/// Places of the country, if no card has one.
const COUNTRIES: &[&str] = &[
    "/billing_details/address/country",
    "/last_payment_error/payment_method/billing_details/address/country",
    "/charges/data/0/billing_details/address/country",
    "/customer_details/address/country",
    "/customer_address/country",
    "/address/country",
    "/country",
];

const DECLINES: &[&str] = &[
    "/last_payment_error/decline_code",
    "/last_payment_error/code",
    "/last_setup_error/decline_code",
    "/last_setup_error/code",
];
const FAILURES: &[&str] = &["/failure_code", "/failure_reason"];
const RISKS: &[&str] = &["/outcome/risk_level", "/charges/data/0/outcome/risk_level"];

/// The labels of an object, and of the event around it.
pub(crate) fn of(object: &Members<'_>, envelope: &Members<'_>) -> Vec<(String, String)> {
    let methods = METHODS.iter().map(|place| object.object(place));
    let method = methods.into_iter().find(|method| method.iter().next().is_some());
    let is_method = object.text("/object").as_deref() == Some("payment_method");
    let itself = || is_method.then(|| object.clone());
    let method = method.or_else(itself).unwrap_or_default();
    let kind = method.name("/type");
    // A card that was present, or an Interac card, has that name here.
    let card = method.object(&["/", kind.as_deref().unwrap_or("card")].concat());
    labels([
        ("country", card.name("/country").or_else(|| object.first_name(COUNTRIES))),
        ("method", kind.or_else(|| only_method(object))),
        ("card_brand", card.word("/brand").or_else(|| object.word("/brand"))),
        ("decline_code", declined(object)),
        ("risk", object.first_name(RISKS)),
        ("account", envelope.first_label(&["/account"])),
        ("livemode", envelope.flag("/livemode").map(|live| live.to_string())),
        ("reference", reference(object)),
    ])
}

/// The receiver's own reference: that of a checkout session, or else in the metadata of the object
/// or of its subscription.
fn reference(object: &Members<'_>) -> Option<String> {
    let metadata =
        ["/metadata", "/subscription_details/metadata", "/parent/subscription_details/metadata"];
    let given = object.first_label(&["/client_reference_id"]);
    given.or_else(|| metadata.into_iter().find_map(|place| object.custom(place)))
}

/// The payment method, if only one is possible.
fn only_method(object: &Members<'_>) -> Option<String> {
    match object.items("/payment_method_types").as_slice() {
        [only] => only.text("").map(String::from),
        _ => None,
    }
}

/// Why it was declined: from an error, from the outcome, or from the failure of another object than
/// a payment.
fn declined(object: &Members<'_>) -> Option<String> {
    let error = object.first_name(DECLINES);
    error.or_else(|| refused(object)).or_else(|| object.first_name(FAILURES))
}

/// Why a charge was refused. A paid charge can have a reason too, for a review.
fn refused(charge: &Members<'_>) -> Option<String> {
    let outcome = charge.object("/outcome");
    let paid = matches!(outcome.text("/type").as_deref(), Some("authorized" | "manual_review"));
    outcome.name("/reason").filter(|_| !paid)
}

#[cfg(test)]
mod tests {
    use hookgate_sdk::Json;

    use super::*;

    #[track_caller]
    fn check(object: &str, expected: &[(&str, &str)]) {
        let object = Json::parse(object.as_bytes()).unwrap().members();
        let labels = of(&object, &Members::default());
        let labels: Vec<_> = labels.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(labels, expected);
    }

    #[test]
    fn a_card_lies_under_the_name_of_its_method() {
        check(
            r#"{"payment_method_details":{"type":"card_present","card_present":{"brand":"Visa",
                "country":"AT"}},"billing_details":{"address":{"country":"DE"}}}"#,
            &[("country", "AT"), ("method", "card_present"), ("card_brand", "visa")],
        );
    }

    #[test]
    fn a_payment_of_an_older_version_carries_its_charge() {
        check(
            r#"{"payment_method_types":["card","link"],"last_payment_error":null,"charges":{"data":[
                {"payment_method_details":{"type":"card","card":{"brand":"amex","country":null}},
                "billing_details":{"address":{"country":"AT"}},
                "outcome":{"risk_level":"normal"}}]}}"#,
            &[("country", "AT"), ("method", "card"), ("card_brand", "amex"), ("risk", "normal")],
        );
    }

    #[test]
    fn a_method_and_a_card_tell_of_themselves() {
        check(
            r#"{"object":"payment_method","type":"card","card":{"brand":"visa","country":"AT"}}"#,
            &[("country", "AT"), ("method", "card"), ("card_brand", "visa")],
        );
        check(r#"{"object":"issuing.card","brand":"Visa"}"#, &[("card_brand", "visa")]);
    }

    #[test]
    fn what_says_only_how_it_can_be_paid_has_that_method() {
        check(r#"{"payment_method_types":["ideal"]}"#, &[("method", "ideal")]);
        check(r#"{"payment_method_types":["ideal","card"]}"#, &[]);
    }

    #[test]
    fn only_what_was_refused_has_a_decline_code() {
        let charge = |kind: &str| {
            format!(r#"{{"outcome":{{"type":"{kind}","reason":"highest_risk_level"}}}}"#)
        };
        check(&charge("blocked"), &[("decline_code", "highest_risk_level")]);
        check(&charge("manual_review"), &[]);
        check(
            r#"{"failure_reason":"lost_or_stolen_card"}"#,
            &[("decline_code", "lost_or_stolen_card")],
        );
    }
}
