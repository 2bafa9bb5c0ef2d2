//! The canonical event types, which mean the same for every provider.
//!
//! Whoever subscribes to `payment.failed` gets the failed payments of every provider, and never
//! anything else. Any other event keeps the provider's own name, behind the name of the provider.

/// A payment was created; no money moved.
pub const PAYMENT_CREATED: &str = "payment.created";
/// Money of the payer is reserved.
pub const PAYMENT_AUTHORIZED: &str = "payment.authorized";
/// The payer has paid.
pub const PAYMENT_SUCCEEDED: &str = "payment.succeeded";
/// The payment was declined or failed.
pub const PAYMENT_FAILED: &str = "payment.failed";
/// The payment was given up before the payer paid.
pub const PAYMENT_CANCELED: &str = "payment.canceled";
/// A refund was requested.
pub const REFUND_INITIATED: &str = "refund.initiated";
/// The payer got money back.
pub const REFUND_SUCCEEDED: &str = "refund.succeeded";
/// The payer did not get the money back.
pub const REFUND_FAILED: &str = "refund.failed";
/// The payer or the payer's bank disputes a payment.
pub const DISPUTE_OPENED: &str = "dispute.opened";
/// The receiver keeps the disputed money.
pub const DISPUTE_WON: &str = "dispute.won";
/// The receiver loses the disputed money.
pub const DISPUTE_LOST: &str = "dispute.lost";
/// A subscription was created.
pub const SUBSCRIPTION_CREATED: &str = "subscription.created";
/// A subscription changed.
pub const SUBSCRIPTION_UPDATED: &str = "subscription.updated";
/// A subscription ended.
pub const SUBSCRIPTION_CANCELED: &str = "subscription.canceled";
/// An invoice was paid.
pub const INVOICE_PAID: &str = "invoice.paid";
/// The payment of an invoice failed.
pub const INVOICE_FAILED: &str = "invoice.failed";
/// The provider suspects fraud.
pub const FRAUD_ALERT: &str = "fraud.alert";

/// All of them.
pub const ALL: [&str; 17] = [
    PAYMENT_CREATED,
    PAYMENT_AUTHORIZED,
    PAYMENT_SUCCEEDED,
    PAYMENT_FAILED,
    PAYMENT_CANCELED,
    REFUND_INITIATED,
    REFUND_SUCCEEDED,
    REFUND_FAILED,
    DISPUTE_OPENED,
    DISPUTE_WON,
    DISPUTE_LOST,
    SUBSCRIPTION_CREATED,
    SUBSCRIPTION_UPDATED,
    SUBSCRIPTION_CANCELED,
    INVOICE_PAID,
    INVOICE_FAILED,
    FRAUD_ALERT,
];

/// The beginnings of further canonical types, which end in the provider's own word:
/// `payout.returned`.
pub const FAMILIES: [&str; 5] = ["payout.", "customer.", "account.", "transaction.", "card."];

/// Whether a type means the same for every provider.
pub fn is_canonical(event_type: &str) -> bool {
    ALL.contains(&event_type) || FAMILIES.iter().any(|family| event_type.starts_with(family))
}
