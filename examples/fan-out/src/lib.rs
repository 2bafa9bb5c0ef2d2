//! Sends an event to each system that works with it: some get every event, others those of an
//! account.
//!
//! An endpoint subscribes to types by itself. A handler is for what types do not say, as here the
//! account, and for another form than the gateway's: here a few flat members. If the operator has
//! forgotten to grant one of the endpoints, the others get theirs, and the operator an alert.

use std::collections::{BTreeMap, BTreeSet};

use hookgate_sdk::outbox::{self, Refusal, Severity};
use hookgate_sdk::{Context, Event, Failure, Handler, HandlerInfo, Setting, json};
use serde::Deserialize;

/// The plugin.
#[derive(Debug)]
pub struct FanOut;

/// The handler's `config` table.
#[derive(Debug, Deserialize)]
pub struct Settings {
    always: Vec<String>,
    accounts: BTreeMap<String, String>,
}

impl Handler for FanOut {
    type Settings = Settings;

    fn describe() -> HandlerInfo {
        let help = "the endpoints that get every event";
        let always = Setting::texts("always", &["warehouse"], help).with_default(json!([]));
        let help = "the endpoint that gets the events of each account";
        let accounts = Setting::table("accounts", &[("acct_1", "erp-de")], help);
        let types = ["payment.*", "refund.*", "payout.*"];
        HandlerInfo::new("fan-out", env!("CARGO_PKG_VERSION"), &types)
            .with_settings([always, accounts.with_default(json!({}))])
    }

    fn handle(event: &Event, context: &Context) -> Result<(), Failure> {
        let Settings { always, accounts } = Self::settings();
        let own = event.label("account").and_then(|account| accounts.get(account));
        let endpoints: BTreeSet<&String> = always.iter().chain(own).collect();
        let body = json!({
            "id": context.event_id,
            "type": event.type_,
            "subject": event.subject,
            "amount": event.money.as_ref().map(|money| &money.amount),
            "currency": event.money.as_ref().map(|money| &money.currency),
            "account": event.label("account"),
        });
        let body = body.to_string();
        let mut refused = Vec::new();
        for endpoint in endpoints {
            match outbox::send(endpoint, "application/json", body.as_bytes()) {
                Err(Refusal::NotGranted(_)) => refused.push(endpoint.as_str()),
                sent => sent?,
            }
        }
        if !refused.is_empty() {
            let message = format!("[handlers.fan-out] must grant {}", refused.join(", "));
            outbox::alert(Severity::Critical, &message)?;
        }
        Ok(())
    }
}

hookgate_sdk::export!(handler: FanOut);
