//! The canonical types of Stripe's events.
//!
//! One fact is one canonical event. Stripe reports many facts several times: as an event of the
//! payment intent and of its charge, of a refund and of the refunded charge. One of them counts,
//! and the others never get a canonical type. A charge without a payment intent, as older
//! integrations make it, is not reported in another way, so it counts.

/// The event types that this provider may return.
pub(crate) const TYPES: &[&str] = &[
    "payment.*",
    "refund.*",
    "dispute.*",
    "subscription.*",
    "invoice.*",
    "payout.*",
    "customer.*",
    "account.*",
    "card.*",
    "transaction.*",
    "fraud.alert",
    "stripe.*",
];

/// The type of an event. Some types depend on the status of the object.
pub(crate) fn event_type(own_type: &str, status: Option<&str>) -> String {
    let canonical = match (own_type, status) {
        ("payment_intent.created", _) => "payment.created",
        ("payment_intent.amount_capturable_updated", _) => "payment.authorized",
        ("payment_intent.succeeded", _) => "payment.succeeded",
        ("payment_intent.payment_failed", _) => "payment.failed",
        ("payment_intent.canceled", _) => "payment.canceled",
        ("refund.created", _) => "refund.initiated",
        // Stripe sends this for every refund, partial ones too. `refund.updated` with the status
        // `succeeded` would count the refund again.
        ("charge.refunded", _) => "refund.succeeded",
        ("refund.failed", _) | ("refund.updated", Some("canceled")) => "refund.failed",
        ("charge.dispute.created", _) => "dispute.opened",
        ("charge.dispute.closed", Some("won")) => "dispute.won",
        ("charge.dispute.closed", Some("lost")) => "dispute.lost",
        ("customer.subscription.created", _) => "subscription.created",
        ("customer.subscription.updated", _) => "subscription.updated",
        ("customer.subscription.deleted", _) => "subscription.canceled",
        ("invoice.paid", _) => "invoice.paid",
        ("invoice.payment_failed", _) => "invoice.failed",
        // An update of a warning, such as after a refund of its charge, is not another alert.
        ("radar.early_fraud_warning.created", _) => "fraud.alert",
        _ => return unlisted(own_type),
    };
    canonical.to_owned()
}

/// The canonical type, if there is one, of an event of a charge without a payment intent. Money
/// that is not captured yet is only reserved.
pub(crate) fn of_lone_charge(own_type: &str, captured: bool) -> Option<&'static str> {
    Some(match own_type {
        // A debit that takes days.
        "charge.pending" => "payment.created",
        "charge.succeeded" if captured => "payment.succeeded",
        "charge.succeeded" => "payment.authorized",
        "charge.captured" => "payment.succeeded",
        "charge.failed" => "payment.failed",
        "charge.expired" => "payment.canceled",
        _ => return None,
    })
}

/// Stripe's own name of an event, behind `stripe.`.
pub(crate) fn own(own_type: &str) -> String {
    format!("stripe.{own_type}")
}

fn unlisted(own_type: &str) -> String {
    // Issued cards, and payments with them.
    for (issued, canonical) in
        [("issuing_card.", "card."), ("issuing_transaction.", "transaction.")]
    {
        if let Some(verb) = own_type.strip_prefix(issued) {
            return format!("{canonical}{verb}");
        }
    }
    // The rest of `customer.subscription.*` is about subscriptions and has no canonical name.
    let is_of = |family: &str| own_type.starts_with(family);
    let canonical = is_of("payout.")
        || is_of("account.")
        || is_of("customer.") && !is_of("customer.subscription.");
    if canonical { own_type.to_owned() } else { own(own_type) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(own_type: &str, status: Option<&str>, expected: &str) {
        assert_eq!(event_type(own_type, status), expected);
    }

    #[test]
    fn a_payment_is_told_once() {
        check("payment_intent.created", None, "payment.created");
        check("payment_intent.amount_capturable_updated", None, "payment.authorized");
        check("payment_intent.succeeded", Some("succeeded"), "payment.succeeded");
        check("payment_intent.payment_failed", None, "payment.failed");
        check("payment_intent.canceled", None, "payment.canceled");
        check("payment_intent.processing", None, "stripe.payment_intent.processing");
        check("charge.succeeded", Some("succeeded"), "stripe.charge.succeeded");
        check("charge.failed", Some("failed"), "stripe.charge.failed");
        check("charge.captured", None, "stripe.charge.captured");
    }

    #[test]
    fn a_charge_without_an_intent_is_a_payment() {
        for (own_type, captured, expected) in [
            ("charge.succeeded", true, Some("payment.succeeded")),
            ("charge.succeeded", false, Some("payment.authorized")),
            ("charge.captured", true, Some("payment.succeeded")),
            ("charge.failed", false, Some("payment.failed")),
            ("charge.expired", false, Some("payment.canceled")),
            ("charge.pending", false, Some("payment.created")),
            ("charge.updated", true, None),
        ] {
            assert_eq!(of_lone_charge(own_type, captured), expected, "{own_type}");
        }
    }

    #[test]
    fn a_refund_is_told_once() {
        check("charge.refunded", Some("succeeded"), "refund.succeeded");
        check("refund.created", Some("succeeded"), "refund.initiated");
        check("refund.updated", Some("succeeded"), "stripe.refund.updated");
        check("refund.updated", Some("canceled"), "refund.failed");
        check("refund.failed", Some("failed"), "refund.failed");
        check("charge.refund.updated", Some("failed"), "stripe.charge.refund.updated");
    }

    #[test]
    fn a_dispute_ends_won_or_lost() {
        check("charge.dispute.created", Some("needs_response"), "dispute.opened");
        check("charge.dispute.closed", Some("won"), "dispute.won");
        check("charge.dispute.closed", Some("lost"), "dispute.lost");
        check("charge.dispute.closed", Some("warning_closed"), "stripe.charge.dispute.closed");
    }

    #[test]
    fn the_rest_has_its_name() {
        check("customer.subscription.created", Some("active"), "subscription.created");
        check("customer.subscription.updated", None, "subscription.updated");
        check("customer.subscription.deleted", None, "subscription.canceled");
        check(
            "customer.subscription.trial_will_end",
            None,
            "stripe.customer.subscription.trial_will_end",
        );
        check("invoice.paid", None, "invoice.paid");
        check("invoice.payment_succeeded", None, "stripe.invoice.payment_succeeded");
        check("invoice.payment_failed", None, "invoice.failed");
        check("payout.paid", None, "payout.paid");
        check("customer.updated", None, "customer.updated");
        check("account.updated", None, "account.updated");
        check("account.external_account.created", None, "account.external_account.created");
        check("issuing_card.created", None, "card.created");
        check("issuing_transaction.created", None, "transaction.created");
        check("issuing_authorization.request", None, "stripe.issuing_authorization.request");
        check("radar.early_fraud_warning.created", None, "fraud.alert");
        check(
            "radar.early_fraud_warning.updated",
            None,
            "stripe.radar.early_fraud_warning.updated",
        );
        check("radar.rule.updated", None, "stripe.radar.rule.updated");
        check("checkout.session.completed", None, "stripe.checkout.session.completed");
    }
}
