//! The canonical types of Razorpay's events.
//!
//! One fact is one canonical event. Razorpay reports a captured payment again as its order, its
//! payment link and its charge of a subscription: those never get a canonical type.

/// The event types that this provider may return.
pub(crate) const TYPES: &[&str] = &[
    "payment.*",
    "refund.*",
    "dispute.*",
    "subscription.*",
    "invoice.paid",
    "payout.*",
    "account.*",
    "transaction.*",
    "razorpay.*",
];

/// The canonical type, if there is one.
pub(crate) fn event_type(own: &str) -> Option<&str> {
    Some(match own {
        "payment.authorized" | "payment.failed" | "refund.failed" | "invoice.paid" => own,
        // Cash on delivery: the customer ordered and has not paid yet.
        "payment.pending" => "payment.created",
        "payment.captured" => "payment.succeeded",
        "refund.created" => "refund.initiated",
        "refund.processed" => "refund.succeeded",
        "payment.dispute.created" => "dispute.opened",
        "payment.dispute.won" => "dispute.won",
        "payment.dispute.lost" => "dispute.lost",
        // The first event of a subscription; the subscription may become active several times.
        "subscription.authenticated" => "subscription.created",
        "subscription.activated"
        | "subscription.updated"
        | "subscription.pending"
        | "subscription.halted"
        | "subscription.paused"
        | "subscription.resumed" => "subscription.updated",
        "subscription.cancelled" => "subscription.canceled",
        // A settlement pays the merchant: the money goes to the merchant's bank account.
        "payout.processed" | "settlement.processed" => "payout.paid",
        _ if in_family(own) => own,
        _ => return None,
    })
}

/// Whether every event of this family is canonical. `payout.downtime.*` is about a bank and not
/// about a payout.
fn in_family(own: &str) -> bool {
    !own.starts_with("payout.downtime.")
        && ["payout.", "account.", "transaction."].iter().any(|family| own.starts_with(family))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payment_is_told_once() {
        assert_eq!(event_type("payment.captured"), Some("payment.succeeded"));
        for own in ["order.paid", "payment_link.paid", "subscription.charged", "qr_code.credited"] {
            assert_eq!(event_type(own), None, "{own}");
        }
    }

    #[test]
    fn the_rest_has_its_name() {
        for (own, canonical) in [
            ("payment.authorized", Some("payment.authorized")),
            ("payment.dispute.under_review", None),
            ("refund.speed_changed", None),
            ("subscription.halted", Some("subscription.updated")),
            ("subscription.completed", None),
            ("invoice.expired", None),
            ("payment.pending", Some("payment.created")),
            ("payment.downtime.started", None),
            ("payout.processed", Some("payout.paid")),
            ("payout.reversed", Some("payout.reversed")),
            ("payout.downtime.started", None),
            ("account.under_review", Some("account.under_review")),
        ] {
            assert_eq!(event_type(own), canonical, "{own}");
        }
    }
}
