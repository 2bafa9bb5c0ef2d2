//! The canonical types of Flutterwave's events.
//!
//! `completed` says only that something ended; the status of its object says how. The name alone
//! never makes a payment succeed.

/// The event types that this provider may return.
pub(crate) const TYPES: &[&str] =
    &["payment.*", "refund.*", "dispute.*", "subscription.canceled", "payout.*", "flutterwave.*"];

/// The canonical type, if there is one, for an object with this status in lower case.
pub(crate) fn event_type(own: &str, status: &str) -> Option<&'static str> {
    let over = match status {
        "successful" | "succeeded" | "completed" => Some(true),
        "failed" => Some(false),
        _ => None,
    };
    Some(match (own, over) {
        ("charge.completed", Some(true)) => "payment.succeeded",
        ("charge.completed", Some(false)) | ("charge.failed", _) => "payment.failed",
        ("refund.completed", Some(true)) => "refund.succeeded",
        ("refund.completed", Some(false)) | ("refund.failed", _) => "refund.failed",
        ("transfer.completed" | "transfer.disburse", Some(true)) => "payout.paid",
        ("transfer.completed" | "transfer.disburse", Some(false)) | ("transfer.failed", _) => {
            "payout.failed"
        }
        ("transfer.reversal", _) => "payout.reversed",
        ("chargeback.created", _) => "dispute.opened",
        ("chargeback.updated", _) => match status {
            "won" => "dispute.won",
            "lost" | "accepted" => "dispute.lost",
            _ => return None,
        },
        ("subscription.cancelled" | "subscription_cancelled", _) => "subscription.canceled",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_completed_may_have_failed() {
        for (own, status, canonical) in [
            ("charge.completed", "successful", Some("payment.succeeded")),
            ("charge.completed", "succeeded", Some("payment.succeeded")),
            ("charge.completed", "failed", Some("payment.failed")),
            ("charge.completed", "pending", None),
            ("charge.completed", "", None),
            ("charge.failed", "", Some("payment.failed")),
            ("transfer.completed", "failed", Some("payout.failed")),
            ("transfer.failed", "", Some("payout.failed")),
            ("chargeback.created", "initiated", Some("dispute.opened")),
            ("chargeback.updated", "initiated", None),
            ("chargeback.updated", "won", Some("dispute.won")),
            ("chargeback.updated", "accepted", Some("dispute.lost")),
            ("subscription.cancelled", "", Some("subscription.canceled")),
            ("singlebillpayment.status", "success", None),
        ] {
            assert_eq!(event_type(own, status), canonical, "{own} {status}");
        }
    }
}
