//! Follows up on failed payments: a notice for the customer after each, an alert after several.
//!
//! It counts the failures of a subject in the subject's state, until a payment of the subject
//! succeeds. It never sends the notice itself: the notice is an event of type
//! `customer.payment_failed_notice`, and an endpoint that subscribes to it delivers the notice.

mod notice;
mod settings;

use hookgate_sdk::outbox::{self, Severity};
use hookgate_sdk::{Configured, Context, Event, Failure, Handler, HandlerInfo, state};

use crate::settings::Settings;

/// The plugin.
#[derive(Debug)]
pub struct Dunning;

const FAILED: &str = "payment.failed";
const SUCCEEDED: &str = "payment.succeeded";
/// The key in the state: the number of failures in a row, in decimal digits.
const FAILURES: &str = "failures";

impl Handler for Dunning {
    fn describe() -> HandlerInfo {
        HandlerInfo::new("dunning", env!("CARGO_PKG_VERSION"), &[FAILED, SUCCEEDED])
    }

    fn check(settings: &str) -> Result<(), String> {
        Settings::check(settings)
    }

    fn handle(event: &Event, _context: &Context) -> Result<(), Failure> {
        match event.type_.as_str() {
            FAILED => failed(event),
            SUCCEEDED => {
                state::delete(FAILURES);
                Ok(())
            }
            // The operator may route other types here than those in `describe`.
            _ => Ok(()),
        }
    }
}

fn failed(event: &Event) -> Result<(), Failure> {
    let settings = Settings::read().map_err(Failure::permanent)?;
    let failures = failures()?.saturating_add(1);
    state::set(FAILURES, failures.to_string().as_bytes())?;
    outbox::emit(&notice::of(event, failures))?;
    // One alert, and none for the failures after that.
    if failures == settings.alert_after {
        let subject = event.subject.as_deref().unwrap_or(&event.id);
        let message = format!("payment {subject} failed {failures} times in a row");
        outbox::alert(Severity::Warning, &message)?;
    }
    Ok(())
}

fn failures() -> Result<u32, Failure> {
    let Some(bytes) = state::get(FAILURES) else { return Ok(0) };
    let number = std::str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| Failure::permanent("the state `failures` is not a number"))
}

hookgate_sdk::export!(handler: Dunning);
