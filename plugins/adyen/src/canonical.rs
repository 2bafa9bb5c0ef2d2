//! The canonical types of Adyen's notifications.
//!
//! The type depends on the success: a capture that did not succeed is a failed payment. Some codes
//! are failures by themselves; their `success` is about the notification, never about the payment.

/// The event types that this provider may return.
pub(crate) const TYPES: &[&str] = &[
    "payment.*",
    "refund.*",
    "dispute.*",
    "payout.*",
    "account.*",
    "transaction.*",
    "card.*",
    "fraud.alert",
    "adyen.*",
];

/// The canonical type of an item of a batch. `captured` says that the authorization also takes the
/// money.
pub(crate) fn of_item(code: &str, succeeded: bool, captured: bool) -> String {
    let canonical = match (code, succeeded) {
        // No `CAPTURE` should follow; if one does, it reports the same payment again.
        ("AUTHORISATION", true) if captured => "payment.succeeded",
        ("CAPTURE", true) if captured => return unlisted(code),
        // The money is reserved, not taken; `CAPTURE` reports that it is taken.
        ("AUTHORISATION", true) => "payment.authorized",
        ("CAPTURE", true) => "payment.succeeded",
        ("AUTHORISATION" | "CAPTURE", false) | ("CAPTURE_FAILED", _) => "payment.failed",
        // The shopper left, or nobody captured the reserved money.
        ("CANCELLATION" | "TECHNICAL_CANCEL" | "EXPIRE" | "OFFER_CLOSED", true) => {
            "payment.canceled"
        }
        // The refund waits for the capture.
        ("POSTPONED_REFUND", true) => "refund.initiated",
        ("REFUND" | "REFUND_WITH_DATA", true) => "refund.succeeded",
        // `REFUNDED_REVERSED`: the refunded money came back to the merchant.
        ("REFUND" | "REFUND_WITH_DATA", false) | ("REFUND_FAILED" | "REFUNDED_REVERSED", _) => {
            "refund.failed"
        }
        ("CHARGEBACK" | "NOTIFICATION_OF_CHARGEBACK", _) => "dispute.opened",
        ("CHARGEBACK_REVERSED" | "PREARBITRATION_WON" | "SCHEME_ARBITRATION_WON", _) => {
            "dispute.won"
        }
        (
            "SECOND_CHARGEBACK"
            | "DISPUTE_DEFENSE_PERIOD_ENDED"
            | "PREARBITRATION_LOST"
            | "SCHEME_ARBITRATION_LOST",
            _,
        ) => "dispute.lost",
        ("NOTIFICATION_OF_FRAUD", _) => "fraud.alert",
        ("PAYOUT_THIRDPARTY", true) => "payout.paid",
        ("PAYOUT_THIRDPARTY", false) => "payout.failed",
        ("PAIDOUT_REVERSED", _) => "payout.reversed",
        _ => return unlisted(code),
    };
    canonical.to_owned()
}

/// The canonical type of a platform webhook. A payment instrument may be a card or a bank account.
pub(crate) fn of_platform(own_type: &str, is_card: bool) -> String {
    let (object, what) = own_type
        .strip_prefix("balancePlatform.")
        .and_then(|own| own.split_once('.'))
        .unwrap_or_default();
    match (object, what) {
        ("accountHolder", _) => format!("account.{what}"),
        ("transaction", _) => format!("transaction.{what}"),
        ("paymentInstrument", _) if is_card => format!("card.{what}"),
        ("dispute", "created") => "dispute.opened".to_owned(),
        _ => format!("adyen.{own_type}"),
    }
}

/// The canonical type of a notification of the classic platform. There the account holder owns the
/// accounts.
pub(crate) fn of_classic(own_type: &str) -> String {
    match own_type {
        "ACCOUNT_HOLDER_CREATED" => "account.created".to_owned(),
        "ACCOUNT_HOLDER_UPDATED" => "account.updated".to_owned(),
        _ => format!("adyen.{}", own_type.to_ascii_lowercase()),
    }
}

/// Whether a code may report that money moved or was reclaimed: it has a canonical type.
pub(crate) fn is_of_money(code: &str) -> bool {
    [true, false].iter().any(|&succeeded| !of_item(code, succeeded, false).starts_with("adyen."))
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
            ("TECHNICAL_CANCEL", "payment.canceled", "adyen.technical_cancel"),
            ("EXPIRE", "payment.canceled", "adyen.expire"),
            ("OFFER_CLOSED", "payment.canceled", "adyen.offer_closed"),
            ("REFUND_FAILED", "refund.failed", "refund.failed"),
            ("REFUND_WITH_DATA", "refund.succeeded", "refund.failed"),
            ("REFUNDED_REVERSED", "refund.failed", "refund.failed"),
            ("POSTPONED_REFUND", "refund.initiated", "adyen.postponed_refund"),
            ("CANCEL_OR_REFUND", "adyen.cancel_or_refund", "adyen.cancel_or_refund"),
            ("CHARGEBACK", "dispute.opened", "dispute.opened"),
            ("NOTIFICATION_OF_CHARGEBACK", "dispute.opened", "dispute.opened"),
            ("CHARGEBACK_REVERSED", "dispute.won", "dispute.won"),
            ("SECOND_CHARGEBACK", "dispute.lost", "dispute.lost"),
            ("PREARBITRATION_WON", "dispute.won", "dispute.won"),
            ("PREARBITRATION_LOST", "dispute.lost", "dispute.lost"),
            ("SCHEME_ARBITRATION_WON", "dispute.won", "dispute.won"),
            ("SCHEME_ARBITRATION_LOST", "dispute.lost", "dispute.lost"),
            ("DISPUTE_DEFENSE_PERIOD_ENDED", "dispute.lost", "dispute.lost"),
            ("NOTIFICATION_OF_FRAUD", "fraud.alert", "fraud.alert"),
            ("PAYOUT_THIRDPARTY", "payout.paid", "payout.failed"),
            ("PAIDOUT_REVERSED", "payout.reversed", "payout.reversed"),
            ("PAYOUT_EXPIRE", "payout.expire", "payout.expire"),
            ("REPORT_AVAILABLE", "adyen.report_available", "adyen.report_available"),
        ] {
            assert_eq!(of_item(code, true, false), succeeded);
            assert_eq!(of_item(code, false, false), failed);
        }
    }

    #[test]
    fn what_is_captured_by_itself_has_succeeded_once() {
        assert_eq!(of_item("AUTHORISATION", true, true), "payment.succeeded");
        assert_eq!(of_item("CAPTURE", true, true), "adyen.capture");
        for (code, succeeded) in
            [("AUTHORISATION", false), ("CAPTURE", false), ("CAPTURE_FAILED", true)]
        {
            assert_eq!(of_item(code, succeeded, true), "payment.failed");
        }
        assert_eq!(of_item("REFUND", true, true), "refund.succeeded");
    }

    #[test]
    fn a_report_moves_no_money() {
        for code in ["REPORT_AVAILABLE", "ORDER_CLOSED", "RECURRING_CONTRACT"] {
            assert!(!is_of_money(code), "{code}");
        }
        for code in ["AUTHORISATION", "CANCELLATION", "EXPIRE", "PAYOUT_EXPIRE", "REFUND_FAILED"] {
            assert!(is_of_money(code), "{code}");
        }
    }

    #[test]
    fn a_platform_event_keeps_what_is_canonical() {
        for (own, canonical) in [
            ("balancePlatform.accountHolder.created", "account.created"),
            ("balancePlatform.transaction.created", "transaction.created"),
            ("balancePlatform.paymentInstrument.updated", "card.updated"),
            ("balancePlatform.dispute.created", "dispute.opened"),
            ("balancePlatform.dispute.updated", "adyen.balancePlatform.dispute.updated"),
            ("paymentMethod.created", "adyen.paymentMethod.created"),
        ] {
            assert_eq!(of_platform(own, true), canonical);
        }
        let account = of_platform("balancePlatform.paymentInstrument.updated", false);
        assert_eq!(account, "adyen.balancePlatform.paymentInstrument.updated");
        assert_eq!(of_classic("ACCOUNT_HOLDER_UPDATED"), "account.updated");
        assert_eq!(of_classic("PAYMENT_FAILURE"), "adyen.payment_failure");
    }
}
