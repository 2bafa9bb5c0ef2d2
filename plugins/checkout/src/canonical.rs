//! The canonical types of Checkout.com's events.
//!
//! An approved payment is reserved money; `payment_captured` reports that it is taken. A dispute
//! opens with `dispute_received`, so a workflow must subscribe to it; `dispute_evidence_required`
//! reports the same dispute again. One fact never becomes two canonical events.

/// The event types that this provider may return.
pub(crate) const TYPES: &[&str] =
    &["payment.*", "refund.*", "dispute.*", "payout.*", "fraud.alert", "checkout.*"];

/// The canonical type, if there is one.
pub(crate) fn event_type(own: &str) -> Option<&'static str> {
    Some(match own {
        "payment_pending" => "payment.created",
        "payment_approved" => "payment.authorized",
        "payment_captured" => "payment.succeeded",
        "payment_declined" | "payment_capture_declined" => "payment.failed",
        "payment_voided" | "payment_canceled" | "payment_expired" => "payment.canceled",
        "payment_refund_pending" => "refund.initiated",
        "payment_refunded" => "refund.succeeded",
        "payment_refund_declined" => "refund.failed",
        "dispute_received" => "dispute.opened",
        // `dispute_canceled`: the issuer canceled it and returns the money.
        "dispute_won" | "dispute_canceled" | "dispute_arbitration_won" => "dispute.won",
        "dispute_lost" | "dispute_accepted" | "dispute_expired" | "dispute_arbitration_lost" => {
            "dispute.lost"
        }
        "fraud_reported" => "fraud.alert",
        // A payment to a card.
        "payment_paid" => "payout.paid",
        "payment_returned" => "payout.failed",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_approved_is_not_yet_paid() {
        for (own, canonical) in [
            ("payment_approved", Some("payment.authorized")),
            ("payment_capture_pending", None),
            ("payment_captured", Some("payment.succeeded")),
            ("payment_capture_declined", Some("payment.failed")),
            ("payment_void_declined", None),
            ("payment_expired", Some("payment.canceled")),
        ] {
            assert_eq!(event_type(own), canonical, "{own}");
        }
    }

    #[test]
    fn a_dispute_ends_won_or_lost() {
        assert_eq!(event_type("dispute_received"), Some("dispute.opened"));
        assert_eq!(event_type("dispute_evidence_required"), None);
        assert_eq!(event_type("dispute_expired"), Some("dispute.lost"));
        assert_eq!(event_type("dispute_canceled"), Some("dispute.won"));
        assert_eq!(event_type("dispute_arbitration_won"), Some("dispute.won"));
        assert_eq!(event_type("dispute_arbitration_lost"), Some("dispute.lost"));
        assert_eq!(event_type("dispute_resolved"), None);
    }
}
