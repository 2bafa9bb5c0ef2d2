//! The canonical types of Worldline's events.
//!
//! One fact is one canonical event. A card payment is `captured` and later `paid`, when the money
//! has arrived: the capture counts. A bank transfer is never captured, so there `paid` counts. A
//! chargeback opens a dispute; Worldline's own events of a dispute are about the merchant's answer
//! to it.

/// The event types that this provider may return.
pub(crate) const TYPES: &[&str] =
    &["payment.*", "refund.*", "dispute.*", "payout.*", "worldline.*"];

/// The canonical type, if there is one, for a payment with this method.
pub(crate) fn event_type<'o>(own: &'o str, method: &str) -> Option<&'o str> {
    Some(match own {
        "payment.created" => own,
        // Connect waits for an approval, Direct for a capture.
        "payment.pending_approval" | "payment.pending_capture" => "payment.authorized",
        "payment.captured" => "payment.succeeded",
        "payment.paid" if method != "card" => "payment.succeeded",
        "payment.rejected" | "payment.rejected_capture" => "payment.failed",
        "payment.cancelled" => "payment.canceled",
        "payment.chargebacked" => "dispute.opened",
        "dispute.success" => "dispute.won",
        // It is too late to pursue the dispute.
        "dispute.expired" => "dispute.lost",
        "refund.created" => "refund.initiated",
        "refund.refunded" => "refund.succeeded",
        "refund.rejected" | "refund.cancelled" => "refund.failed",
        _ if own.starts_with("payout.") => own,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payment_is_told_once() {
        for (own, method, canonical) in [
            ("payment.captured", "card", Some("payment.succeeded")),
            ("payment.paid", "card", None),
            ("payment.paid", "bankTransfer", Some("payment.succeeded")),
            ("payment.capture_requested", "card", None),
            ("payment.chargeback_notification", "card", None),
            ("payment.chargebacked", "card", Some("dispute.opened")),
            ("payment.refunded", "card", None),
            ("dispute.created", "", None),
            ("dispute.success", "", Some("dispute.won")),
            ("dispute.expired", "", Some("dispute.lost")),
            ("payout.account_credited", "", Some("payout.account_credited")),
        ] {
            assert_eq!(event_type(own, method), canonical, "{own} {method}");
        }
    }
}
