//! The canonical types of Wise's events. A transfer is a payout, and its state decides the type.
//!
//! One fact is one canonical event. A transfer that bounced has failed; if it is cancelled or
//! refunded later, those are states of their own. Wise's other events about a failure or a refund
//! have the details and never get a canonical type. The newer `balances#update` reports every
//! credit that `balances#credit` reports: subscribe to only one of the two.

/// The event types that this provider may return.
pub(crate) const TYPES: &[&str] =
    &["payout.*", "transaction.*", "card.updated", "account.updated", "wise.*"];

/// The canonical type, if there is one. `state` is the state of a transfer or a transaction, or the
/// kind of an entry in a balance.
pub(crate) fn event_type(own: &str, state: &str) -> Option<&'static str> {
    Some(match (own, state) {
        ("transfers#state-change", "incoming_payment_waiting") => "payout.created",
        ("transfers#state-change", "outgoing_payment_sent") => "payout.paid",
        ("transfers#state-change", "cancelled") => "payout.canceled",
        ("transfers#state-change", "bounced_back" | "charged_back") => "payout.failed",
        ("transfers#state-change", "funds_refunded") => "payout.refunded",
        ("transfers#state-change", _) => "payout.updated",
        ("balances#credit", _) | ("balances#update", "credit") => "transaction.credited",
        ("balances#update", "debit") => "transaction.debited",
        ("cards#transaction-state-change", "COMPLETED") => "transaction.completed",
        ("cards#transaction-state-change", "DECLINED") => "transaction.declined",
        ("cards#transaction-state-change", "CANCELLED") => "transaction.canceled",
        ("cards#transaction-state-change", _) => "transaction.updated",
        ("cards#card-status-change", _) => "card.updated",
        ("balances#account-state-change" | "profiles#verification-state-change", _) => {
            "account.updated"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_tells_how_far_a_transfer_got() {
        for (state, canonical) in [
            ("incoming_payment_waiting", "payout.created"),
            ("processing", "payout.updated"),
            ("outgoing_payment_sent", "payout.paid"),
            ("bounced_back", "payout.failed"),
            ("cancelled", "payout.canceled"),
            ("funds_refunded", "payout.refunded"),
            ("a-new-one", "payout.updated"),
        ] {
            assert_eq!(event_type("transfers#state-change", state), Some(canonical), "{state}");
        }
    }

    #[test]
    fn what_moves_money_is_a_transaction() {
        for (own, state, canonical) in [
            ("balances#credit", "credit", Some("transaction.credited")),
            ("balances#update", "credit", Some("transaction.credited")),
            ("balances#update", "debit", Some("transaction.debited")),
            ("balances#update", "", None),
            ("cards#transaction-state-change", "DECLINED", Some("transaction.declined")),
            ("cards#transaction-state-change", "IN_PROGRESS", Some("transaction.updated")),
        ] {
            assert_eq!(event_type(own, state), canonical, "{own} {state}");
        }
    }

    #[test]
    fn what_tells_a_fact_again_keeps_its_own_name() {
        for own in ["transfers#payout-failure", "transfers#refund", "transfers#active-cases"] {
            assert_eq!(event_type(own, ""), None, "{own}");
        }
    }
}
