//! The handler `{{name}}`: counts the payments of each subject, and alerts the operator at the
//! first.
//!
//! Make it your own: `describe` says which events it runs on, `handle` what it does.

use hookgate_sdk::outbox::{self, Severity};
use hookgate_sdk::{Context, Event, Failure, Handler, HandlerInfo, log, state, types};

/// The plugin.
#[derive(Debug)]
pub struct Plugin;

impl Handler for Plugin {
    type Settings = ();

    fn describe() -> HandlerInfo {
        HandlerInfo::new("{{name}}", env!("CARGO_PKG_VERSION"), &[types::PAYMENT_SUCCEEDED])
    }

    fn handle(event: &Event, _: &Context) -> Result<(), Failure> {
        let payments = state::load("payments")?.unwrap_or(0_u32) + 1;
        state::save("payments", &payments)?;
        log::info!("payment number {payments}");
        if payments == 1 {
            let subject = event.subject.as_deref().unwrap_or(&event.id);
            outbox::alert(Severity::Info, &format!("the first payment of {subject}"))?;
        }
        Ok(())
    }
}

hookgate_sdk::export!(handler: Plugin);
