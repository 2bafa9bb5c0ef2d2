//! The canonical types of Paystack's events; some depend on the state of the object.
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
    "paystack.*",
];

/// The canonical type, if there is one.
pub(crate) fn event_type(own: &str, object: &Members<'_>) -> Option<&'static str> {
    Some(match own {
        "charge.success" => "payment.succeeded",
        "charge.failed" => "payment.failed",
        "charge.dispute.create" => "dispute.opened",
        "charge.dispute.resolve" => match &*object.text("/resolution").unwrap_or_default() {
            // The customer's claim was declined, so the merchant keeps the money.
            "declined" => "dispute.won",
            "merchant-accepted" | "auto-accepted" => "dispute.lost",
            _ => return None,
        },
        "refund.pending" => "refund.initiated",
        "refund.processed" => "refund.succeeded",
        "refund.failed" => "refund.failed",
        "subscription.create" => "subscription.created",
        "subscription.not_renew" => "subscription.updated",
        "subscription.disable" => "subscription.canceled",
        "invoice.update" if object.at("/paid").is_some_and(|paid| paid.raw() == "true") => {
            "invoice.paid"
        }
        "invoice.payment_failed" => "invoice.failed",
        "paymentrequest.success" => "invoice.paid",
        "transfer.success" => "payout.paid",
        "transfer.failed" => "payout.failed",
        "transfer.reversed" => "payout.reversed",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use hookgate_sdk::Json;

    use super::*;

    #[track_caller]
    fn check(own: &str, object: &str, expected: Option<&str>) {
        let object = Json::parse(object.as_bytes()).unwrap().members();
        assert_eq!(event_type(own, &object), expected, "{own}");
    }

    #[test]
    fn a_dispute_ends_won_or_lost() {
        check("charge.dispute.resolve", r#"{"resolution":"declined"}"#, Some("dispute.won"));
        check("charge.dispute.resolve", r#"{"resolution":"auto-accepted"}"#, Some("dispute.lost"));
        check("charge.dispute.resolve", r#"{"resolution":null}"#, None);
        check("charge.dispute.remind", "{}", None);
    }

    #[test]
    fn an_invoice_is_paid_when_it_says_so() {
        check("invoice.update", r#"{"paid":true}"#, Some("invoice.paid"));
        check("invoice.update", r#"{"paid":false}"#, None);
        check("invoice.create", r#"{"paid":true}"#, None);
    }
}
