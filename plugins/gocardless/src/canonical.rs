//! The canonical types of GoCardless's events.
//!
//! A payment has succeeded when it is confirmed, which means collected; the payout has events of
//! its own. A creditor is an account of the merchant, and an outbound payment to others is a
//! payout. One fact never becomes two canonical events.

/// The event types that this provider may return.
pub(crate) const TYPES: &[&str] = &[
    "payment.*",
    "refund.*",
    "dispute.*",
    "subscription.*",
    "payout.*",
    "customer.*",
    "account.*",
    "transaction.*",
    "gocardless.*",
];

/// The canonical type, if there is one.
pub(crate) fn event_type(resource: &str, action: &str) -> Option<String> {
    let canonical = match (resource, action) {
        ("payments", "created") => "payment.created",
        ("payments", "confirmed") => "payment.succeeded",
        ("payments", "failed" | "customer_approval_denied") => "payment.failed",
        ("payments", "cancelled") => "payment.canceled",
        ("payments", "charged_back") => "dispute.opened",
        ("payments", "chargeback_cancelled") => "dispute.won",
        ("payments", "chargeback_settled") => "dispute.lost",
        ("refunds", "created") => "refund.initiated",
        ("refunds", "paid") => "refund.succeeded",
        ("refunds", "failed" | "bounced") => "refund.failed",
        ("subscriptions", "created") => "subscription.created",
        ("subscriptions", "cancelled" | "customer_approval_denied" | "finished") => {
            "subscription.canceled"
        }
        ("subscriptions", "amended" | "paused" | "resumed") => "subscription.updated",
        ("outbound_payments", "executed") => "payout.paid",
        ("outbound_payments", "cancelled") => "payout.canceled",
        (_, "") => return None,
        ("payouts" | "outbound_payments", _) => return Some(format!("payout.{action}")),
        ("customers" | "customer", _) => return Some(format!("customer.{action}")),
        ("creditors", _) => return Some(format!("account.{action}")),
        ("payment_account_transactions" | "payment_account_transaction", _) => {
            return Some(format!("transaction.{action}"));
        }
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
            ("subscriptions", "finished", Some("subscription.canceled")),
            ("subscriptions", "customer_approval_denied", Some("subscription.canceled")),
            ("payments", "customer_approval_denied", Some("payment.failed")),
            ("mandates", "active", None),
            ("payouts", "paid", Some("payout.paid")),
            ("outbound_payments", "executed", Some("payout.paid")),
            ("outbound_payments", "failed", Some("payout.failed")),
            ("creditors", "updated", Some("account.updated")),
            ("customer", "approved", Some("customer.approved")),
            ("payment_account_transaction", "created", Some("transaction.created")),
        ] {
            assert_eq!(event_type(resource, action).as_deref(), canonical, "{resource} {action}");
        }
    }
}
