//! Forwards what somebody should see at once to a channel of Slack.
//!
//! The URL of the operator's endpoint `slack` is an incoming webhook of the channel. The handler
//! sends it a text of one line, which Slack shows. What is not about real money stays away from the
//! channel.

use hookgate_sdk::{Context, Event, Failure, Handler, HandlerInfo, Setting, json, outbox, types};
use serde::Deserialize;

/// The plugin.
#[derive(Debug)]
pub struct Slack;

/// The handler's `config` table.
#[derive(Debug, Deserialize)]
pub struct Settings {
    endpoint: String,
    test_mode: bool,
}

/// What somebody should see at once.
const TYPES: [&str; 4] =
    [types::PAYMENT_FAILED, types::DISPUTE_OPENED, types::FRAUD_ALERT, "payout.failed"];

impl Handler for Slack {
    type Settings = Settings;

    fn describe() -> HandlerInfo {
        let endpoint = Setting::text("endpoint", "slack", "the endpoint of the channel");
        let help = "whether to forward events with the label `livemode` = `false` too";
        let test_mode = Setting::boolean("test_mode", true, help);
        HandlerInfo::new("slack", env!("CARGO_PKG_VERSION"), &TYPES)
            .with_settings([endpoint.with_default("slack"), test_mode.with_default(false)])
    }

    fn handle(event: &Event, context: &Context) -> Result<(), Failure> {
        let Settings { endpoint, test_mode } = Self::settings();
        if event.label("livemode") == Some("false") && !test_mode {
            return Ok(());
        }
        outbox::send_json(endpoint, &json!({ "text": text(event, &context.source) }))
    }
}

/// The line in the channel.
fn text(event: &Event, source: &str) -> String {
    let about = escaped(event.subject.as_deref().unwrap_or(&event.id));
    let money = event.money.as_ref().map(|it| format!(": {} {}", it.amount, it.currency));
    let why = event.label("decline_code").map(|code| format!(" ({})", escaped(code)));
    let (money, why) = (money.unwrap_or_default(), why.unwrap_or_default());
    format!("*{}* of {source}, {about}{money}{why}", event.type_)
}

/// A text in which Slack finds no link and no mention.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

hookgate_sdk::export!(handler: Slack);
