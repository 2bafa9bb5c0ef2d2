//! Which canonical event a notification of Adyen is.
//!
//! Success is part of what happened: a capture that did not succeed is a payment that failed. Some
//! codes are failures by themselves and say `success` of the notice, not of the payment.

/// What this provider may yield, for people.
pub(crate) const TYPES: &[&str] =
    &["payment.*", "refund.*", "dispute.*", "payout.*", "account.*", "transaction.*", "adyen.*"];

/// The canonical type of an item of a batch.
pub(crate) fn of_item(code: &str, succeeded: bool) -> String {
    let canonical = match (code, succeeded) {
        // The money is reserved, not taken: that is what `CAPTURE` tells.
        ("AUTHORISATION", true) => "payment.authorized",
        ("CAPTURE", true) => "payment.succeeded",
        ("AUTHORISATION" | "CAPTURE", false) | ("CAPTURE_FAILED", _) => "payment.failed",
        ("CANCELLATION", true) => "payment.canceled",
        ("REFUND", true) => "refund.succeeded",
        ("REFUND", false) | ("REFUND_FAILED", _) => "refund.failed",
        ("CHARGEBACK" | "NOTIFICATION_OF_CHARGEBACK", _) => "dispute.opened",
        ("CHARGEBACK_REVERSED", _) => "dispute.won",
        ("SECOND_CHARGEBACK", _) => "dispute.lost",
        ("PAYOUT_THIRDPARTY", true) => "payout.paid",
        ("PAYOUT_THIRDPARTY", false) => "payout.failed",
        _ => return unlisted(code),
    };
    canonical.to_owned()
}

/// The canonical type of a platform webhook.
pub(crate) fn of_platform(own_type: &str) -> String {
    for (prefix, canonical) in [
        ("balancePlatform.accountHolder.", "account."),
        ("balancePlatform.transaction.", "transaction."),
    ] {
        if let Some(rest) = own_type.strip_prefix(prefix) {
            return format!("{canonical}{rest}");
        }
    }
    format!("adyen.{own_type}")
}

fn unlisted(code: &str) -> String {
    let code = code.to_ascii_lowercase();
    match code.strip_prefix("payout_") {
        Some(rest) if !rest.is_empty() => format!("payout.{rest}"),
        _ => format!("adyen.{code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_is_part_of_what_happened() {
        for (code, succeeded, failed) in [
            ("AUTHORISATION", "payment.authorized", "payment.failed"),
            ("CAPTURE", "payment.succeeded", "payment.failed"),
            ("CAPTURE_FAILED", "payment.failed", "payment.failed"),
            ("CANCELLATION", "payment.canceled", "adyen.cancellation"),
            ("REFUND", "refund.succeeded", "refund.failed"),
            ("REFUND_FAILED", "refund.failed", "refund.failed"),
            ("CHARGEBACK", "dispute.opened", "dispute.opened"),
            ("NOTIFICATION_OF_CHARGEBACK", "dispute.opened", "dispute.opened"),
            ("CHARGEBACK_REVERSED", "dispute.won", "dispute.won"),
            ("SECOND_CHARGEBACK", "dispute.lost", "dispute.lost"),
            ("PAYOUT_THIRDPARTY", "payout.paid", "payout.failed"),
            ("PAYOUT_EXPIRE", "payout.expire", "payout.expire"),
            ("REPORT_AVAILABLE", "adyen.report_available", "adyen.report_available"),
        ] {
            assert_eq!(of_item(code, true), succeeded);
            assert_eq!(of_item(code, false), failed);
        }
    }

    #[test]
    fn a_platform_event_keeps_what_is_canonical() {
        assert_eq!(of_platform("balancePlatform.accountHolder.created"), "account.created");
        assert_eq!(of_platform("balancePlatform.transaction.created"), "transaction.created");
        assert_eq!(of_platform("paymentMethod.created"), "adyen.paymentMethod.created");
    }
}
