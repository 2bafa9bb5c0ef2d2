//! The canonical types of Xendit's events; some names say only that there is a result.
//!
//! One fact is one canonical event: a completed payment session reports its payment again and never
//! gets a canonical type.

/// The event types that this provider may return.
pub(crate) const TYPES: &[&str] =
    &["payment.*", "refund.*", "dispute.*", "subscription.*", "invoice.*", "payout.*", "xendit.*"];

/// The canonical type, if there is one, for an object with this status in lower case.
pub(crate) fn event_type<'o>(own: &'o str, status: &str) -> Option<&'o str> {
    Some(match (own, status) {
        ("payment.succeeded" | "capture.succeeded", _)
        | ("payment.capture" | "ewallet.capture", "succeeded")
        | ("qr.payment" | "direct_debit.payment", "succeeded" | "completed") => "payment.succeeded",
        ("payment.awaiting_capture", _) | ("payment.authorization", "authorized") => {
            "payment.authorized"
        }
        ("payment.failed" | "payment.failure" | "capture.failed", _)
        | ("payment.capture" | "ewallet.capture" | "direct_debit.payment", "failed") => {
            "payment.failed"
        }
        ("payment.expired" | "payment.expiry" | "payment_request.expiry", _)
        | ("ewallet.void", "succeeded") => "payment.canceled",
        ("refund.succeeded" | "refund.failed", _) => own,
        ("ewallet.refund", "succeeded") => "refund.succeeded",
        ("ewallet.refund", "failed") => "refund.failed",
        ("dispute.action_required", _) => "dispute.opened",
        ("dispute.won" | "dispute.lost", _) => own,
        ("payout.succeeded" | "v3_payout.succeeded", _) => "payout.paid",
        ("v3_payout.failed" | "v3_payout.reversed", _) => &own["v3_".len()..],
        ("recurring.plan.activated", _) => "subscription.created",
        ("recurring.plan.inactivated", _) => "subscription.canceled",
        ("recurring.cycle.succeeded", _) => "invoice.paid",
        ("recurring.cycle.failed", _) => "invoice.failed",
        _ if own.starts_with("payout.") => own,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_what_its_object_says() {
        for (own, status, canonical) in [
            ("ewallet.capture", "succeeded", Some("payment.succeeded")),
            ("ewallet.capture", "failed", Some("payment.failed")),
            ("ewallet.capture", "pending", None),
            ("ewallet.void", "succeeded", Some("payment.canceled")),
            ("ewallet.refund", "failed", Some("refund.failed")),
            ("qr.payment", "completed", Some("payment.succeeded")),
            ("payment.capture", "succeeded", Some("payment.succeeded")),
            ("payment.authorization", "authorized", Some("payment.authorized")),
            ("payment.failure", "failed", Some("payment.failed")),
            ("payment.expiry", "expired", Some("payment.canceled")),
            ("payment_session.completed", "completed", None),
            ("dispute.action_required", "action_required", Some("dispute.opened")),
            ("dispute.under_review", "under_review", None),
            ("dispute.lost", "lost", Some("dispute.lost")),
            ("payment.succeeded", "", Some("payment.succeeded")),
            ("payout.reversed", "", Some("payout.reversed")),
            ("v3_payout.succeeded", "", Some("payout.paid")),
            ("v3_payout.reversed", "", Some("payout.reversed")),
            ("recurring.cycle.retrying", "", None),
        ] {
            assert_eq!(event_type(own, status), canonical, "{own} {status}");
        }
    }
}
