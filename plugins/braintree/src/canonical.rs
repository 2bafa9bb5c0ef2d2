//! Which canonical event a Braintree notification is.
//!
//! What is charged for a subscription is an invoice's fact: the transaction in it is told again when
//! it settles.

/// What this provider may yield, for people.
pub(crate) const TYPES: &[&str] =
    &["payment.*", "invoice.*", "subscription.*", "dispute.*", "payout.*", "braintree.*"];

/// The canonical type, if there is one.
pub(crate) fn event_type(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "transaction_settled" => "payment.succeeded",
        "transaction_settlement_declined" => "payment.failed",
        "subscription_charged_successfully" => "invoice.paid",
        "subscription_charged_unsuccessfully" => "invoice.failed",
        "subscription_went_active"
        | "subscription_trial_ended"
        | "subscription_went_past_due"
        | "subscription_billing_skipped" => "subscription.updated",
        "subscription_canceled" | "subscription_expired" => "subscription.canceled",
        "dispute_opened" => "dispute.opened",
        "dispute_won" => "dispute.won",
        "dispute_lost" => "dispute.lost",
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
            ("dispute_under_review", None),
            ("check", None),
        ] {
            assert_eq!(event_type(kind), canonical, "{kind}");
        }
    }
}
