//! Alerts the operator to disputes: once when one begins, and once when it ends.
//!
//! An alert about much money is critical. What is open is in the state: a dispute that a provider
//! reports again raises no other alert, and one that nobody answers within a week counts as stuck.

use std::time::Duration;

use hookgate_sdk::outbox::{self, Severity};
use hookgate_sdk::{
    Context, Event, Failure, Handler, HandlerInfo, Json, Money, Setting, state, types,
};
use serde::Deserialize;

/// The plugin.
#[derive(Debug)]
pub struct DisputeAlert;

/// The handler's `config` table.
#[derive(Debug, Deserialize)]
pub struct Settings {
    critical_from: u64,
}

const STATE: &str = "dispute";
const OPEN: &str = "open";
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl Handler for DisputeAlert {
    type Settings = Settings;

    fn describe() -> HandlerInfo {
        let types = [types::DISPUTE_OPENED, types::DISPUTE_WON, types::DISPUTE_LOST];
        let help = "the amount from which an alert is critical, in any currency";
        let critical_from = Setting::integer("critical_from", 0..=1_000_000_000, 500, help);
        HandlerInfo::new("dispute-alert", env!("CARGO_PKG_VERSION"), &types)
            .with_settings([critical_from.with_default(1_000)])
            .stuck_after(STATE, Some(OPEN), WEEK)
    }

    fn handle(event: &Event, _: &Context) -> Result<(), Failure> {
        let subject = event.subject.as_deref().unwrap_or(&event.id);
        let is_open = state::get(STATE).is_some();
        if event.type_ == types::DISPUTE_OPENED {
            if is_open {
                return Ok(());
            }
            state::set(STATE, OPEN.as_bytes())?;
            let reason = Json::parse(event.data.as_bytes())?.text("/reason");
            let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            let at_stake =
                event.money.as_ref().map(|it| format!(": {} {}", it.amount, it.currency));
            let message = format!("{subject} is disputed{}{reason}", at_stake.unwrap_or_default());
            return Ok(outbox::alert(severity(event.money.as_ref()), &message)?);
        }
        state::delete(STATE);
        let end = if event.type_ == types::DISPUTE_WON { "won" } else { "lost" };
        Ok(outbox::alert(Severity::Info, &format!("the dispute of {subject} is {end}"))?)
    }
}

/// How much an alert matters. An amount that is not known may be large.
fn severity(money: Option<&Money>) -> Severity {
    let whole = money.and_then(|it| it.amount.split('.').next()?.parse::<u64>().ok());
    let is_much = whole.is_none_or(|whole| whole >= DisputeAlert::settings().critical_from);
    if is_much { Severity::Critical } else { Severity::Warning }
}

hookgate_sdk::export!(handler: DisputeAlert);
