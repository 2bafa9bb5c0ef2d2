//! The canonical types of Klarna's events; the type of a dispute depends on its payload.
//!
//! A state without a canonical type never gets one by guess.

use hookgate_sdk::Members;

/// The event types that this provider may return.
pub(crate) const TYPES: &[&str] = &["payment.*", "dispute.*", "klarna.*"];

/// The canonical type, if there is one.
pub(crate) fn event_type(own: &str, payload: &Members<'_>) -> Option<&'static str> {
    if let Some(state) = own.strip_prefix("payment.dispute.state-change.") {
        return dispute(state, payload);
    }
    Some(match own.strip_prefix("payment.request.state-change.")? {
        "submitted" => "payment.created",
        // `confirmed` (first version): a transaction exists. `completed` (second version) is not in
        // this list: the customer has finished, but there is no transaction yet.
        "authorized" | "confirmed" => "payment.authorized",
        "declined" => "payment.failed",
        "canceled" | "expired" => "payment.canceled",
        _ => return None,
    })
}

fn dispute(state: &str, payload: &Members<'_>) -> Option<&'static str> {
    let text = |pointer: &str| payload.text(pointer).unwrap_or_default();
    Some(match state {
        "initiated" => "dispute.opened",
        // Disputes of an earlier version begin here. In the present one it follows another state.
        "pre-arbitration" if text("/previous_state").is_empty() => "dispute.opened",
        "closed" => match &*text("/dispute_outcome") {
            "WON" => "dispute.won",
            "LOST" => "dispute.lost",
            _ => return None,
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use hookgate_sdk::Json;

    use super::*;

    #[track_caller]
    fn check(own: &str, payload: &str, expected: Option<&str>) {
        let payload = Json::parse(payload.as_bytes()).unwrap().members();
        assert_eq!(event_type(own, &payload), expected, "{own}");
    }

    #[test]
    fn a_dispute_is_opened_once_and_ends_won_or_lost() {
        let of = |state: &str| format!("payment.dispute.state-change.{state}");
        check(&of("initiated"), "{}", Some("dispute.opened"));
        check(&of("pre-arbitration"), "{}", Some("dispute.opened"));
        check(&of("pre-arbitration"), r#"{"previous_state":"REPRESENTMENT"}"#, None);
        check(&of("closed"), r#"{"dispute_outcome":"WON"}"#, Some("dispute.won"));
        check(&of("closed"), r#"{"dispute_outcome":"LOST"}"#, Some("dispute.lost"));
        check(&of("closed"), "{}", None);
    }

    #[test]
    fn the_rest_has_its_name() {
        check("payment.request.state-change.expired", "{}", Some("payment.canceled"));
        check("payment.request.state-change.confirmed", "{}", Some("payment.authorized"));
        check("payment.request.state-change.completed", "{}", None);
        check("payment.request.state-change.prepared", "{}", None);
        check("partner.account.state-change.operational", "{}", None);
    }
}
