//! The canonical types of Paddle's events.
//!
//! One fact is one canonical event. A transaction is `paid` and, moments later, `completed`: only
//! then does Paddle advise to hand over the goods, so that one counts. A paused subscription is
//! reported as updated too, and the update counts. Refunds and disputes are adjustments with
//! different actions.

use hookgate_sdk::Members;

/// The event types that this provider may return.
pub(crate) const TYPES: &[&str] = &[
    "payment.*",
    "refund.*",
    "dispute.*",
    "subscription.*",
    "transaction.*",
    "payout.*",
    "customer.*",
    "paddle.*",
];

/// The canonical type, if there is one.
pub(crate) fn event_type<'o>(own: &'o str, object: &Members<'_>) -> Option<&'o str> {
    Some(match own {
        "transaction.completed" => "payment.succeeded",
        "transaction.payment_failed" => "payment.failed",
        "transaction.canceled" => "payment.canceled",
        "subscription.created" | "subscription.updated" | "subscription.canceled" => own,
        "adjustment.created" | "adjustment.updated" => {
            let text = |pointer: &str| object.text(pointer).unwrap_or_default();
            return adjustment(own, &text("/action"), &text("/status"));
        }
        _ if in_family(own) => own,
        _ => return None,
    })
}

fn adjustment(own: &str, action: &str, status: &str) -> Option<&'static str> {
    Some(match (own, action, status) {
        ("adjustment.created", "refund", "pending_approval") => "refund.initiated",
        (_, "refund", "approved") => "refund.succeeded",
        (_, "refund", "rejected") => "refund.failed",
        ("adjustment.created", "chargeback", _) => "dispute.opened",
        ("adjustment.created", "chargeback_reverse", _) => "dispute.won",
        _ => return None,
    })
}

/// Whether every event of this family is canonical.
fn in_family(own: &str) -> bool {
    ["transaction.", "payout.", "customer."].iter().any(|family| own.starts_with(family))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refund_is_an_adjustment() {
        let created = "adjustment.created";
        let updated = "adjustment.updated";
        for (own, action, status, canonical) in [
            (created, "refund", "pending_approval", Some("refund.initiated")),
            (created, "refund", "approved", Some("refund.succeeded")),
            (updated, "refund", "approved", Some("refund.succeeded")),
            (updated, "refund", "rejected", Some("refund.failed")),
            (created, "credit", "approved", None),
            (created, "chargeback", "approved", Some("dispute.opened")),
            (updated, "chargeback", "approved", None),
            (created, "chargeback_warning", "approved", None),
        ] {
            assert_eq!(adjustment(own, action, status), canonical, "{own} {action} {status}");
        }
    }

    #[test]
    fn a_payment_is_told_once() {
        let none = Members::default();
        assert_eq!(event_type("transaction.completed", &none), Some("payment.succeeded"));
        assert_eq!(event_type("transaction.paid", &none), Some("transaction.paid"));
        assert_eq!(event_type("subscription.paused", &none), None);
        assert_eq!(event_type("product.created", &none), None);
    }
}
