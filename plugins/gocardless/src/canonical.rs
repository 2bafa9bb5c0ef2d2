//! Which canonical event something that happened at GoCardless is.
//!
//! A payment has succeeded once it is confirmed, that is, collected; that it is paid out is told of
//! the payout.

/// What this provider may yield, for people.
pub(crate) const TYPES: &[&str] = &[
    "payment.*",
    "refund.*",
    "dispute.*",
    "subscription.*",
    "payout.*",
    "customer.*",
    "gocardless.*",
];

/// The canonical type, if there is one.
pub(crate) fn event_type(resource: &str, action: &str) -> Option<String> {
    let canonical = match (resource, action) {
        ("payments", "created") => "payment.created",
        ("payments", "confirmed") => "payment.succeeded",
        ("payments", "failed") => "payment.failed",
        ("payments", "cancelled") => "payment.canceled",
        ("payments", "charged_back") => "dispute.opened",
        ("payments", "chargeback_cancelled") => "dispute.won",
        ("payments", "chargeback_settled") => "dispute.lost",
        ("refunds", "created") => "refund.initiated",
        ("refunds", "paid") => "refund.succeeded",
        ("refunds", "failed" | "bounced") => "refund.failed",
        ("subscriptions", "created") => "subscription.created",
        ("subscriptions", "cancelled") => "subscription.canceled",
        ("subscriptions", "amended" | "paused" | "resumed") => "subscription.updated",
        ("payouts", _) => return Some(format!("payout.{action}")),
        ("customers", _) => return Some(format!("customer.{action}")),
        _ => return None,
    };
    Some(canonical.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_submitted_is_not_yet_collected() {
        for (resource, action, canonical) in [
            ("payments", "submitted", None),
            ("payments", "confirmed", Some("payment.succeeded")),
            ("payments", "paid_out", None),
            ("payments", "late_failure_settled", None),
            ("refunds", "bounced", Some("refund.failed")),
            ("subscriptions", "payment_created", None),
            ("subscriptions", "finished", None),
            ("mandates", "active", None),
            ("payouts", "paid", Some("payout.paid")),
        ] {
            assert_eq!(event_type(resource, action).as_deref(), canonical, "{resource} {action}");
        }
    }
}
