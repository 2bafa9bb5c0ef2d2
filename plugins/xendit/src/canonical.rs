//! Which canonical event a Xendit event is; some names only say that there is a result.

/// What this provider may yield, for people.
pub(crate) const TYPES: &[&str] =
    &["payment.*", "refund.*", "subscription.*", "invoice.*", "payout.*", "xendit.*"];

/// The canonical type, if there is one, for an object in this state, in lower case.
pub(crate) fn event_type<'o>(own: &'o str, status: &str) -> Option<&'o str> {
    Some(match (own, status) {
        ("payment.succeeded" | "capture.succeeded", _)
        | ("payment.capture" | "ewallet.capture" | "qr.payment", "succeeded") => {
            "payment.succeeded"
        }
        ("payment.awaiting_capture", _) | ("payment.authorization", "authorized") => {
            "payment.authorized"
        }
        ("payment.failed" | "payment.failure" | "capture.failed", _)
        | ("payment.capture" | "ewallet.capture", "failed") => "payment.failed",
        ("payment.expired", _) => "payment.canceled",
        ("refund.succeeded" | "refund.failed", _) => own,
        ("payout.succeeded", _) => "payout.paid",
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
            ("payment.succeeded", "", Some("payment.succeeded")),
            ("payout.reversed", "", Some("payout.reversed")),
            ("recurring.cycle.retrying", "", None),
        ] {
            assert_eq!(event_type(own, status), canonical, "{own} {status}");
        }
    }
}
