//! The notice of a payment that failed, for whoever writes to the customer.

use hookgate_sdk::outbox::Emission;
use hookgate_sdk::{Event, json};

/// About the same subject and amount as the failure, with how many it were in a row.
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
