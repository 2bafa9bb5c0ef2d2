//! The notice of a failed payment, for the system that writes to the customer.
//!
//! It has no data of the customer but what the failed payment's event had.

use hookgate_sdk::outbox::Emission;
use hookgate_sdk::{Event, json};

/// A notice with the subject and the amount of the failed payment, and the number of failures in a
/// row.
pub(crate) fn of(event: &Event, failures: u32) -> Emission {
    let mut data = format!(r#"{{"failures":{failures},"event":{}"#, json::quoted(&event.id));
    if let Some(code) = event.label("decline_code") {
        data += &format!(r#","decline_code":{}"#, json::quoted(code));
    }
    data.push('}');
    Emission {
        subject: event.subject.clone(),
        money: event.money.clone(),
        labels: event.labels.clone(),
        ..Emission::new("customer.payment_failed_notice", data)
    }
}
