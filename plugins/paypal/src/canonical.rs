//! The canonical types of PayPal's events.
//!
//! One fact is one canonical event. Version 1 of PayPal's API reports a `SALE`, version 2 a
//! `CAPTURE`; a merchant uses one of them. A completed order reports its capture again and never
//! gets a canonical type.

/// The event types that this provider may return.
pub(crate) const TYPES: &[&str] =
    &["payment.*", "refund.*", "dispute.*", "subscription.*", "invoice.*", "payout.*", "paypal.*"];

/// The canonical type, if there is one. The outcome decides the type of a resolved dispute.
pub(crate) fn event_type(own: &str, outcome: &str) -> Option<&'static str> {
    Some(match own {
        "PAYMENT.AUTHORIZATION.CREATED" => "payment.authorized",
        "PAYMENT.AUTHORIZATION.VOIDED" => "payment.canceled",
        "PAYMENT.SALE.COMPLETED" | "PAYMENT.CAPTURE.COMPLETED" => "payment.succeeded",
        "PAYMENT.SALE.DENIED" | "PAYMENT.CAPTURE.DENIED" | "PAYMENT.CAPTURE.DECLINED" => {
            "payment.failed"
        }
        "PAYMENT.REFUND.PENDING" => "refund.initiated",
        "PAYMENT.SALE.REFUNDED" | "PAYMENT.CAPTURE.REFUNDED" => "refund.succeeded",
        "PAYMENT.REFUND.FAILED" => "refund.failed",
        "CUSTOMER.DISPUTE.CREATED" => "dispute.opened",
        "CUSTOMER.DISPUTE.RESOLVED" => match outcome {
            "RESOLVED_SELLER_FAVOUR" | "DENIED" | "CANCELED_BY_BUYER" => "dispute.won",
            "RESOLVED_BUYER_FAVOUR" | "ACCEPTED" => "dispute.lost",
            _ => return None,
        },
        "BILLING.SUBSCRIPTION.CREATED" => "subscription.created",
        "BILLING.SUBSCRIPTION.ACTIVATED"
        | "BILLING.SUBSCRIPTION.RE-ACTIVATED"
        | "BILLING.SUBSCRIPTION.SUSPENDED"
        | "BILLING.SUBSCRIPTION.UPDATED" => "subscription.updated",
        "BILLING.SUBSCRIPTION.CANCELLED" | "BILLING.SUBSCRIPTION.EXPIRED" => {
            "subscription.canceled"
        }
        "BILLING.SUBSCRIPTION.PAYMENT.FAILED" => "invoice.failed",
        "INVOICING.INVOICE.PAID" => "invoice.paid",
        "PAYMENT.PAYOUTS-ITEM.SUCCEEDED" | "PAYMENT.REFERENCED-PAYOUT-ITEM.COMPLETED" => {
            "payout.paid"
        }
        "PAYMENT.PAYOUTS-ITEM.CANCELED" => "payout.canceled",
        "PAYMENT.PAYOUTS-ITEM.FAILED"
        | "PAYMENT.PAYOUTS-ITEM.DENIED"
        | "PAYMENT.PAYOUTS-ITEM.RETURNED"
        | "PAYMENT.REFERENCED-PAYOUT-ITEM.FAILED" => "payout.failed",
        "PAYMENT.PAYOUTS-ITEM.REFUNDED" => "payout.reversed",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payment_is_told_once() {
        for (own, canonical) in [
            ("PAYMENT.SALE.COMPLETED", Some("payment.succeeded")),
            ("PAYMENT.CAPTURE.COMPLETED", Some("payment.succeeded")),
            ("CHECKOUT.ORDER.COMPLETED", None),
            ("CHECKOUT.ORDER.APPROVED", None),
            ("PAYMENT.CAPTURE.PENDING", None),
            ("PAYMENT.CAPTURE.REVERSED", None),
        ] {
            assert_eq!(event_type(own, ""), canonical, "{own}");
        }
    }

    #[test]
    fn a_dispute_ends_by_its_outcome() {
        let ended = |outcome| event_type("CUSTOMER.DISPUTE.RESOLVED", outcome);
        assert_eq!(ended("RESOLVED_SELLER_FAVOUR"), Some("dispute.won"));
        assert_eq!(ended("RESOLVED_BUYER_FAVOUR"), Some("dispute.lost"));
        // Who takes back a dispute, and whose dispute PayPal denies, gets nothing back.
        assert_eq!(ended("CANCELED_BY_BUYER"), Some("dispute.won"));
        assert_eq!(ended("DENIED"), Some("dispute.won"));
        assert_eq!(ended("ACCEPTED"), Some("dispute.lost"));
        assert_eq!(ended("RESOLVED_WITH_PAYOUT"), None);
    }
}
