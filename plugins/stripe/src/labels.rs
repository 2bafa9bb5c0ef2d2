//! What analysis needs of an object: its country, method and brand of card, why it was declined,
//! and at what risk it was paid.
//!
//! Charges, payment intents, refunds and customers keep these in places of their own, so each is
//! looked up in all of them; the first that has it counts.

use hookgate_sdk::{Members, labels};

/// How it was paid: of a charge or a dispute, of an intent that failed, of a payment of an older
/// version, which carries its charges, the last first, and of a refund.
const METHODS: &[&str] = &[
    "/payment_method_details",
    "/last_payment_error/payment_method",
    "/last_setup_error/payment_method",
    "/charges/data/0/payment_method_details",
    "/destination_details",
];

/// Whose it is, where no card says so.
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
    // A card that was present, or one of Interac, lies under that name.
    let card = method.object(&format!("/{}", kind.as_deref().unwrap_or("card")));
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

/// What the receiver gave a session, or wrote into the metadata of the object or of what made it.
fn reference(object: &Members<'_>) -> Option<String> {
    let metadata =
        ["/metadata", "/subscription_details/metadata", "/parent/subscription_details/metadata"];
    let given = object.first_label(&["/client_reference_id"]);
    given.or_else(|| metadata.into_iter().find_map(|place| object.custom(place)))
}

/// The one method that a payment can be made with.
fn only_method(object: &Members<'_>) -> Option<String> {
    match object.items("/payment_method_types").as_slice() {
        [only] => only.text("").map(String::from),
        _ => None,
    }
}

/// Why it was declined: by an error, by the outcome, by the failure of what is no payment.
fn declined(object: &Members<'_>) -> Option<String> {
    let error = object.first_name(DECLINES);
    error.or_else(|| refused(object)).or_else(|| object.first_name(FAILURES))
}

/// Why a charge was refused: one that was paid can have a reason as well, to be reviewed.
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
