//! The canonical types of Mollie's events.
//!
//! One fact is one canonical event. Mollie reports a paid payment again as its payment link and its
//! capture, which never get a canonical type: so subscribe the webhook to `payment.*` too.

/// The event types that this provider may return.
pub(crate) const TYPES: &[&str] = &[
    "payment.*",
    "refund.*",
    "dispute.*",
    "invoice.paid",
    "payout.*",
    "transaction.*",
    "mollie.*",
];

/// The canonical type, if there is one.
pub(crate) fn event_type(own: &str) -> Option<&str> {
    Some(match own {
        "payment.authorized" | "payment.failed" | "payment.canceled" | "refund.failed" => own,
        "payment.paid" => "payment.succeeded",
        "payment.expired" => "payment.canceled",
        // Every refund reaches this state; it may have been queued before.
        "refund.pending" => "refund.initiated",
        "refund.refunded" => "refund.succeeded",
        "refund.canceled" => "refund.failed",
        "chargeback.received" => "dispute.opened",
        "chargeback.reversed" => "dispute.won",
        "sales-invoice.paid" => "invoice.paid",
        "balance-transaction.created" => "transaction.created",
        "payout.completed" => "payout.paid",
        _ if own.starts_with("payout.") => own,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payment_is_told_once() {
        assert_eq!(event_type("payment.paid"), Some("payment.succeeded"));
        for own in ["payment-link.paid", "capture.succeeded", "payment.pending", "dispute.created"]
        {
            assert_eq!(event_type(own), None, "{own}");
        }
    }

    #[test]
    fn the_rest_has_its_name() {
        for (own, canonical) in [
            ("payment.expired", Some("payment.canceled")),
            ("refund.queued", None),
            ("refund.pending", Some("refund.initiated")),
            ("refund.canceled", Some("refund.failed")),
            ("payout.processing-at-bank", Some("payout.processing-at-bank")),
            ("sales-invoice.issued", None),
            ("business-account-transfer.processed", None),
        ] {
            assert_eq!(event_type(own), canonical, "{own}");
        }
    }
}
