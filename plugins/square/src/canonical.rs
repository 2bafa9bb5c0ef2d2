//! Which canonical event a Square event is, by its name and the state of its object.

use hookgate_sdk::{Members, id};

/// What this provider may yield, for people.
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

/// The canonical type, if there is one.
pub(crate) fn event_type<'o>(own: &'o str, object: &Members<'_>) -> Option<&'o str> {
    let state = object.text("/status").or_else(|| object.text("/state")).unwrap_or_default();
    Some(match (own, &*state) {
        ("payment.created", _) => "payment.created",
        ("payment.updated", "APPROVED") => "payment.authorized",
        ("payment.updated", "COMPLETED") => "payment.succeeded",
        ("payment.updated", "CANCELED") => "payment.canceled",
        ("payment.updated", "FAILED") => "payment.failed",
        ("refund.created", _) => "refund.initiated",
        ("refund.updated", "COMPLETED") => "refund.succeeded",
        ("refund.updated", "FAILED" | "REJECTED") => "refund.failed",
        ("dispute.created", _) => "dispute.opened",
        ("dispute.state.updated" | "dispute.state.changed", "WON") => "dispute.won",
        ("dispute.state.updated" | "dispute.state.changed", "LOST" | "ACCEPTED") => "dispute.lost",
        ("subscription.created", _) => "subscription.created",
        ("subscription.updated", "CANCELED" | "DEACTIVATED") => "subscription.canceled",
        ("subscription.updated", _) => "subscription.updated",
        ("invoice.payment_made", "PAID") => "invoice.paid",
        ("invoice.scheduled_charge_failed", _) => "invoice.failed",
        _ if in_family(own) => own,
        _ => return None,
    })
}

/// The id of a state that an object reaches once, however often it is told in it: `{id}:COMPLETED`.
pub(crate) fn state(own: &str, canonical: Option<&str>, object: &Members<'_>) -> Option<String> {
    let state = object.name("/status").or_else(|| object.name("/state"))?;
    let once = own.ends_with("updated")
        && canonical.is_some_and(|canonical| {
            ["payment.", "refund.", "dispute."].iter().any(|family| canonical.starts_with(family))
                || canonical == "subscription.canceled"
        });
    once.then(|| object.name("/id")).flatten().map(|own| id::of(format!("{own}:{state}")))
}

/// Whether all of it is canonical.
fn in_family(own: &str) -> bool {
    ["payout.", "customer.", "card."].iter().any(|family| own.starts_with(family))
}

#[cfg(test)]
mod tests {
    use hookgate_sdk::Json;

    use super::*;

    #[track_caller]
    fn check(own: &str, status: &str, expected: Option<&str>, id: Option<&str>) {
        let object = format!(r#"{{"id":"a","status":"{status}"}}"#);
        let object = Json::parse(object.as_bytes()).unwrap().members();
        let canonical = event_type(own, &object);
        assert_eq!(canonical, expected, "{own} {status}");
        assert_eq!(state(own, canonical, &object).as_deref(), id, "{own} {status}");
    }

    #[test]
    fn a_state_that_is_reached_once_is_told_once() {
        check("payment.created", "APPROVED", Some("payment.created"), None);
        check("payment.updated", "APPROVED", Some("payment.authorized"), Some("a:APPROVED"));
        check("payment.updated", "COMPLETED", Some("payment.succeeded"), Some("a:COMPLETED"));
        check("payment.updated", "PENDING", None, None);
        check("refund.updated", "REJECTED", Some("refund.failed"), Some("a:REJECTED"));
        check("dispute.state.updated", "WON", Some("dispute.won"), Some("a:WON"));
        check("dispute.state.updated", "EVIDENCE_REQUIRED", None, None);
    }

    #[test]
    fn the_rest_has_its_name() {
        check("subscription.updated", "ACTIVE", Some("subscription.updated"), None);
        check("invoice.payment_made", "PARTIALLY_PAID", None, None);
        check("payout.failed", "FAILED", Some("payout.failed"), None);
        check("order.updated", "OPEN", None, None);
    }
}
