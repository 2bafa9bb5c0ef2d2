//! The canonical types of Square's events, by their names and the states of their objects.
//!
//! A state that several events report never becomes two canonical events.

use hookgate_sdk::{Members, Money, id};

/// The event types that this provider may return.
pub(crate) const TYPES: &[&str] = &[
    "payment.*",
    "refund.*",
    "dispute.*",
    "subscription.*",
    "invoice.*",
    "payout.*",
    "customer.*",
    "card.*",
    "square.*",
];

/// The canonical type of the event by its name, if there is one.
pub(crate) fn event_type<'o>(own: &'o str, object: &Members<'_>) -> Option<&'o str> {
    Some(match own {
        "payment.created" | "subscription.created" | "subscription.updated" => own,
        "refund.created" => "refund.initiated",
        "dispute.created" => "dispute.opened",
        "invoice.payment_made" if object.text("/status").as_deref() == Some("PAID") => {
            "invoice.paid"
        }
        "invoice.scheduled_charge_failed" => "invoice.failed",
        _ if ["payout.", "customer.", "card."].iter().any(|family| own.starts_with(family)) => own,
        _ => return None,
    })
}

/// Whether an event of this name may report that its object reached a state.
pub(crate) fn tells_state(own: &str) -> bool {
    matches!(
        own,
        "payment.created"
            | "payment.updated"
            | "refund.created"
            | "refund.updated"
            | "dispute.state.updated"
            | "dispute.state.changed"
            | "subscription.updated"
    )
}

/// The event that an object reached a state with a canonical type: its type, and its id, which is
/// the same in every report: `{id}:COMPLETED:42.50 EUR`. A payment that is approved again with
/// another amount is another event, and so is a subscription that is canceled for another day.
pub(crate) fn reached(
    own: &str,
    object: &Members<'_>,
    money: Option<&Money>,
) -> Option<(&'static str, String)> {
    let state = object.name("/status").or_else(|| object.name("/state"))?;
    let family = own.split('.').next().filter(|_| tells_state(own))?;
    let canonical = match (family, &*state) {
        ("payment", "APPROVED") => "payment.authorized",
        ("payment", "COMPLETED") => "payment.succeeded",
        ("payment", "CANCELED") => "payment.canceled",
        ("payment", "FAILED") => "payment.failed",
        ("refund", "COMPLETED") => "refund.succeeded",
        ("refund", "FAILED" | "REJECTED") => "refund.failed",
        ("dispute", "WON") => "dispute.won",
        ("dispute", "LOST" | "ACCEPTED") => "dispute.lost",
        ("subscription", "CANCELED" | "DEACTIVATED") => "subscription.canceled",
        _ => return None,
    };
    let mut fact = format!("{}:{state}", object.name("/id")?);
    if let Some(money) = money {
        fact += &format!(":{} {}", money.amount, money.currency);
    }
    if let Some(day) = object.name("/canceled_date") {
        fact += &format!(":{day}");
    }
    Some((canonical, id::of(fact)))
}

#[cfg(test)]
mod tests {
    use hookgate_sdk::Json;

    use super::*;

    fn object(state: &str) -> String {
        format!(r#"{{"id":"a","status":"{state}"}}"#)
    }

    #[track_caller]
    fn check_reached(own: &str, state: &str, expected: Option<(&str, &str)>) {
        let object = object(state);
        let object = Json::parse(object.as_bytes()).unwrap().members();
        let reached = reached(own, &object, None);
        let reached = reached.as_ref().map(|(canonical, id)| (*canonical, &**id));
        assert_eq!(reached, expected, "{own} {state}");
    }

    #[test]
    fn a_state_is_reached_by_whichever_event_tells_it() {
        for own in ["payment.created", "payment.updated"] {
            check_reached(own, "APPROVED", Some(("payment.authorized", "a:APPROVED")));
            check_reached(own, "COMPLETED", Some(("payment.succeeded", "a:COMPLETED")));
            check_reached(own, "PENDING", None);
        }
        check_reached("refund.updated", "REJECTED", Some(("refund.failed", "a:REJECTED")));
        for own in ["dispute.state.updated", "dispute.state.changed"] {
            check_reached(own, "WON", Some(("dispute.won", "a:WON")));
            check_reached(own, "EVIDENCE_REQUIRED", None);
        }
        check_reached("subscription.updated", "ACTIVE", None);
        check_reached("order.updated", "COMPLETED", None);
    }

    #[test]
    fn another_amount_is_another_fact() {
        let object = object("APPROVED");
        let object = Json::parse(object.as_bytes()).unwrap().members();
        let of = |units: &str| {
            let money = Money::from_minor(units, "EUR").unwrap();
            reached("payment.updated", &object, Some(&money)).unwrap().1
        };
        assert_eq!(of("4250"), "a:APPROVED:42.50 EUR");
        assert_ne!(of("4250"), of("4300"));
    }

    #[test]
    fn the_rest_has_its_name() {
        for (own, state, expected) in [
            ("payment.created", "APPROVED", Some("payment.created")),
            ("payment.updated", "COMPLETED", None),
            ("subscription.updated", "ACTIVE", Some("subscription.updated")),
            ("invoice.payment_made", "PAID", Some("invoice.paid")),
            ("invoice.payment_made", "PARTIALLY_PAID", None),
            ("payout.failed", "FAILED", Some("payout.failed")),
            ("order.updated", "OPEN", None),
        ] {
            let object = object(state);
            let object = Json::parse(object.as_bytes()).unwrap().members();
            assert_eq!(event_type(own, &object), expected, "{own} {state}");
        }
    }
}
