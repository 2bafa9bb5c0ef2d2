//! The canonical types of Shopify's topics, if the object confirms them.
//!
//! One fact is one canonical event. The order reports that it is paid; the sale or capture that
//! paid it never gets a canonical type. A transaction reports the facts that no order reports: an
//! authorization, a decline, a void, a completed refund.

use hookgate_sdk::Members;

/// The event types that this provider may return.
pub(crate) const TYPES: &[&str] = &[
    "payment.*",
    "refund.*",
    "dispute.*",
    "subscription.*",
    "invoice.*",
    "customer.*",
    "shopify.*",
];

/// The canonical type, if there is one.
pub(crate) fn event_type(topic: &str, object: &Members<'_>) -> Option<&'static str> {
    let text = |pointer: &str| object.text(pointer).unwrap_or_default();
    Some(match topic {
        "orders/paid" if text("/financial_status") == "paid" => "payment.succeeded",
        "order_transactions/create" => transaction(&text("/kind"), &text("/status"))?,
        "refunds/create" if object.at("/order_id").is_some() => "refund.initiated",
        "disputes/create" if object.at("/reason").is_some() => "dispute.opened",
        "disputes/update" => match &*text("/status") {
            "won" => "dispute.won",
            "lost" | "accepted" => "dispute.lost",
            _ => return None,
        },
        "subscription_contracts/create" => "subscription.created",
        "subscription_contracts/cancel" | "subscription_contracts/expire" => {
            "subscription.canceled"
        }
        "subscription_contracts/update"
        | "subscription_contracts/pause"
        | "subscription_contracts/fail"
        | "subscription_contracts/activate" => "subscription.updated",
        // A successful attempt has made an order.
        "subscription_billing_attempts/success" if object.name("/order_id").is_some() => {
            "invoice.paid"
        }
        "subscription_billing_attempts/failure" => "invoice.failed",
        "customers/create" => "customer.created",
        "customers/update" => "customer.updated",
        "customers/delete" => "customer.deleted",
        _ => return None,
    })
}

fn transaction(kind: &str, status: &str) -> Option<&'static str> {
    Some(match (kind, status) {
        ("authorization", "success") => "payment.authorized",
        ("authorization" | "sale" | "capture", "failure" | "error") => "payment.failed",
        ("void", "success") => "payment.canceled",
        ("refund", "success") => "refund.succeeded",
        ("refund", "failure" | "error") => "refund.failed",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use hookgate_sdk::Json;

    use super::*;

    #[track_caller]
    fn check(topic: &str, object: &str, expected: Option<&str>) {
        let object = Json::parse(object.as_bytes()).unwrap().members();
        assert_eq!(event_type(topic, &object), expected, "{topic}");
    }

    #[test]
    fn a_topic_alone_pays_nothing() {
        check("orders/paid", r#"{"financial_status":"paid"}"#, Some("payment.succeeded"));
        check("orders/paid", r#"{"financial_status":"pending"}"#, None);
        check("orders/paid", "{}", None);
        check("order_transactions/create", "{}", None);
        check("refunds/create", "{}", None);
        check("subscription_billing_attempts/success", r#"{"order_id":null}"#, None);
    }

    #[test]
    fn a_payment_is_told_once() {
        for (kind, status, expected) in [
            ("authorization", "success", Some("payment.authorized")),
            ("sale", "success", None),
            ("capture", "success", None),
            ("capture", "failure", Some("payment.failed")),
            ("sale", "error", Some("payment.failed")),
            ("sale", "pending", None),
            ("void", "success", Some("payment.canceled")),
            ("refund", "success", Some("refund.succeeded")),
            ("refund", "failure", Some("refund.failed")),
            ("refund", "pending", None),
        ] {
            let object = format!(r#"{{"kind":"{kind}","status":"{status}"}}"#);
            check("order_transactions/create", &object, expected);
        }
    }

    #[test]
    fn the_rest_has_its_name() {
        check("customers/update", "{}", Some("customer.updated"));
        check("customers/redact", "{}", None);
        check("disputes/update", r#"{"status":"lost"}"#, Some("dispute.lost"));
        check("disputes/update", r#"{"status":"accepted"}"#, Some("dispute.lost"));
        check("disputes/update", r#"{"status":"under_review"}"#, None);
        check("subscription_contracts/expire", "{}", Some("subscription.canceled"));
        check("subscription_billing_attempts/success", r#"{"order_id":1}"#, Some("invoice.paid"));
        check("orders/create", "{}", None);
    }
}
