//! The canonical types of Cashfree's events; some depend on the state of the object.
//!
//! A state without a canonical type never gets one by guess.

use hookgate_sdk::Members;

/// The event types that this provider may return.
pub(crate) const TYPES: &[&str] = &[
    "payment.*",
    "refund.*",
    "dispute.*",
    "subscription.*",
    "invoice.*",
    "payout.*",
    "cashfree.*",
];

/// The canonical type, if there is one.
pub(crate) fn event_type(own: &str, object: &Members<'_>) -> Option<&'static str> {
    let text = |pointer: &str| object.text(pointer).unwrap_or_default();
    Some(match own {
        "PAYMENT_SUCCESS_WEBHOOK" => "payment.succeeded",
        "PAYMENT_FAILED_WEBHOOK" => "payment.failed",
        // The customer left, and no attempt to pay had failed.
        "PAYMENT_USER_DROPPED_WEBHOOK" => "payment.canceled",
        "REFUND_STATUS_WEBHOOK" => refund(&text("/refund/refund_status"))?,
        "AUTO_REFUND_STATUS_WEBHOOK" => refund(&text("/auto_refund/refund_status"))?,
        "SUBSCRIPTION_REFUND_STATUS" => refund(&text("/refund_status"))?,
        "DISPUTE_CREATED" => "dispute.opened",
        "DISPUTE_CLOSED" => closed(&text("/dispute/dispute_status"))?,
        "SETTLEMENT_INITIATED" => "payout.initiated",
        "SETTLEMENT_SUCCESS" => "payout.paid",
        "SETTLEMENT_FAILED" => "payout.failed",
        "SETTLEMENT_REVERSED" => "payout.reversed",
        // Until 2025 the name lacked its last letter.
        "SUBSCRIPTION_STATUS_CHANGED" | "SUBSCRIPTION_STATUS_CHANGE" => {
            let status = text("/subscription_details/subscription_status");
            if status.ends_with("CANCELLED") {
                "subscription.canceled"
            } else {
                "subscription.updated"
            }
        }
        "SUBSCRIPTION_PAYMENT_SUCCESS" => "invoice.paid",
        "SUBSCRIPTION_PAYMENT_FAILED" => "invoice.failed",
        _ => return None,
    })
}

fn refund(status: &str) -> Option<&'static str> {
    Some(match status {
        "SUCCESS" => "refund.succeeded",
        "PENDING" | "ONHOLD" => "refund.initiated",
        "CANCELLED" | "FAILED" => "refund.failed",
        _ => return None,
    })
}

/// The result of a closed dispute. A status begins with the kind: `CHARGEBACK_MERCHANT_WON`.
fn closed(status: &str) -> Option<&'static str> {
    let ends = |end: &str| status.ends_with(end);
    if ends("MERCHANT_WON") {
        return Some("dispute.won");
    }
    (ends("MERCHANT_LOST") || ends("MERCHANT_ACCEPTED")).then_some("dispute.lost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refund_is_what_its_status_says() {
        for (status, canonical) in [
            ("SUCCESS", Some("refund.succeeded")),
            ("ONHOLD", Some("refund.initiated")),
            ("CANCELLED", Some("refund.failed")),
            ("", None),
        ] {
            assert_eq!(refund(status), canonical, "{status}");
        }
    }

    #[test]
    fn a_dispute_ends_won_or_lost() {
        assert_eq!(closed("RETRIEVAL_MERCHANT_WON"), Some("dispute.won"));
        assert_eq!(closed("CHARGEBACK_MERCHANT_ACCEPTED"), Some("dispute.lost"));
        assert_eq!(closed("CHARGEBACK_CREATED"), None);
    }
}
