//! Which canonical event a Wise event is: a transfer is a payout, its state says how far it got.

/// What this provider may yield, for people.
pub(crate) const TYPES: &[&str] = &["payout.*", "transaction.credited", "wise.*"];

/// The canonical type, if there is one, for a transfer in this state.
pub(crate) fn event_type(own: &str, state: &str) -> Option<&'static str> {
    Some(match (own, state) {
        ("transfers#state-change", "incoming_payment_waiting") => "payout.created",
        ("transfers#state-change", "outgoing_payment_sent") => "payout.paid",
        ("transfers#state-change", "cancelled") => "payout.canceled",
        ("transfers#state-change", "bounced_back" | "funds_refunded" | "charged_back") => {
            "payout.failed"
        }
        ("transfers#state-change", _) => "payout.updated",
        ("balances#credit", _) => "transaction.credited",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_tells_how_far_a_transfer_got() {
        for (own, state, canonical) in [
            ("transfers#state-change", "processing", Some("payout.updated")),
            ("transfers#state-change", "outgoing_payment_sent", Some("payout.paid")),
            ("transfers#state-change", "bounced_back", Some("payout.failed")),
            ("transfers#state-change", "a-new-one", Some("payout.updated")),
            ("transfers#active-cases", "", None),
            ("balances#credit", "", Some("transaction.credited")),
            ("balances#update", "", None),
        ] {
            assert_eq!(event_type(own, state), canonical, "{own} {state}");
        }
    }
}
