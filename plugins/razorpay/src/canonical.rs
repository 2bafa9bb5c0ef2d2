//! Which canonical event a Razorpay event is.
//!
//! One fact is one canonical event. That a payment was captured Razorpay tells again as the order,
//! the payment link and the charge of a subscription: those keep their own names.

/// What this provider may yield, for people.
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
        // Cash on delivery: ordered, and not paid for yet.
        "payment.pending" => "payment.created",
        "payment.captured" => "payment.succeeded",
        "refund.created" => "refund.initiated",
        "refund.processed" => "refund.succeeded",
        "payment.dispute.created" => "dispute.opened",
        "payment.dispute.won" => "dispute.won",
        "payment.dispute.lost" => "dispute.lost",
        // The first that is told of a subscription; it may become active again and again.
        "subscription.authenticated" => "subscription.created",
        "subscription.activated"
        | "subscription.updated"
        | "subscription.pending"
        | "subscription.halted"
        | "subscription.paused"
        | "subscription.resumed" => "subscription.updated",
        "subscription.cancelled" => "subscription.canceled",
        // Of a settlement: what customers paid leaves for the merchant's bank account.
        "payout.processed" | "settlement.processed" => "payout.paid",
        _ if in_family(own) => own,
        _ => return None,
    })
}

/// Whether all of it is canonical. That a bank's payouts are down is about no payout.
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
