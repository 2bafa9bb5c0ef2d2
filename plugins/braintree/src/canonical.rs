//! The canonical types of Braintree's notifications.
//!
//! A charge for a subscription is an invoice: Braintree reports its transaction again when it
//! settles. A transaction may be a credit, which is a refund. One fact never becomes two canonical
//! events.

/// The event types that this provider may return.
pub(crate) const TYPES: &[&str] = &[
    "payment.*",
    "refund.*",
    "invoice.*",
    "subscription.*",
    "dispute.*",
    "payout.*",
    "braintree.*",
];

/// The canonical type, if there is one, of a notification about a sale or a credit.
pub(crate) fn event_type(kind: &str, is_credit: bool) -> Option<&'static str> {
    Some(match kind {
        "transaction_settled" if is_credit => "refund.succeeded",
        "transaction_settled" | "local_payment_funded" => "payment.succeeded",
        "transaction_settlement_declined" if is_credit => "refund.failed",
        "transaction_settlement_declined" => "payment.failed",
        "local_payment_expired" => "payment.canceled",
        "refund_failed" => "refund.failed",
        "subscription_charged_successfully" => "invoice.paid",
        "subscription_charged_unsuccessfully" => "invoice.failed",
        "subscription_went_active"
        | "subscription_trial_ended"
        | "subscription_went_past_due"
        | "subscription_billing_skipped" => "subscription.updated",
        "subscription_canceled" | "subscription_expired" => "subscription.canceled",
        "dispute_opened" => "dispute.opened",
        "dispute_won" => "dispute.won",
        "dispute_lost" | "dispute_accepted" | "dispute_auto_accepted" | "dispute_expired" => {
            "dispute.lost"
        }
        "disbursement" => "payout.paid",
        "disbursement_exception" => "payout.failed",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payment_is_told_once() {
        for (kind, canonical) in [
            ("transaction_settled", Some("payment.succeeded")),
            ("transaction_disbursed", None),
            ("subscription_charged_successfully", Some("invoice.paid")),
            ("local_payment_completed", None),
            ("local_payment_funded", Some("payment.succeeded")),
            ("check", None),
        ] {
            assert_eq!(event_type(kind, false), canonical, "{kind}");
        }
    }

    #[test]
    fn a_credit_that_settles_is_a_refund() {
        assert_eq!(event_type("transaction_settled", true), Some("refund.succeeded"));
        assert_eq!(event_type("transaction_settlement_declined", true), Some("refund.failed"));
        assert_eq!(event_type("transaction_settlement_declined", false), Some("payment.failed"));
    }

    #[test]
    fn a_dispute_ends_won_or_lost() {
        for (kind, canonical) in [
            ("dispute_under_review", None),
            ("dispute_disputed", None),
            ("dispute_won", Some("dispute.won")),
            ("dispute_accepted", Some("dispute.lost")),
            ("dispute_auto_accepted", Some("dispute.lost")),
            ("dispute_expired", Some("dispute.lost")),
        ] {
            assert_eq!(event_type(kind, false), canonical, "{kind}");
        }
    }
}
