//! Follows up on payments that fail: a notice to the customer each time, an alert when it goes on.
//!
//! Counts per subject, in its state, until a payment of the subject succeeds. Sends nothing itself:
//! a notice is an event, and who delivers it subscribes to `customer.payment_failed_notice`.

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
/// The state's key: how many failures in a row, in decimal digits.
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
            // The operator may route more here than the plugin asks for.
            _ => Ok(()),
        }
    }
}

fn failed(event: &Event) -> Result<(), Failure> {
    let settings = Settings::read().map_err(Failure::permanent)?;
    let failures = failures()?.saturating_add(1);
    state::set(FAILURES, failures.to_string().as_bytes())?;
    outbox::emit(&notice::of(event, failures))?;
    // Once, and not at every failure that follows.
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
    number.ok_or_else(|| Failure::permanent("the number of failures in the state is no number"))
}

hookgate_sdk::export!(handler: Dunning);
