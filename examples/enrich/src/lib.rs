//! Adds what only you know to an event, and emits it again: here the entity behind an account.
//!
//! The new event's type is `enriched.` and the old one, so an endpoint subscribes to
//! `enriched.payment.*` in place of `payment.*`. The provider's data stays as it was written, digit
//! for digit, inside of the new data.

use std::collections::BTreeMap;

use hookgate_sdk::outbox::{self, Emission};
use hookgate_sdk::{
    Context, Event, Failure, Handler, HandlerInfo, Setting, json, labels, log, words,
};
use serde::Deserialize;

/// The plugin.
#[derive(Debug)]
pub struct Enrich;

/// The handler's `config` table.
#[derive(Debug, Deserialize)]
pub struct Settings {
    entities: BTreeMap<String, String>,
}

/// The label that is added.
const ENTITY: &str = "entity";

impl Handler for Enrich {
    type Settings = Settings;

    fn describe() -> HandlerInfo {
        let example = [("acct_1", "Shop GmbH"), ("acct_2", "Shop Inc.")];
        let entities = Setting::table("entities", &example, "the entity of each account");
        let types = ["payment.*", "refund.*", "dispute.*"];
        HandlerInfo::new("enrich", env!("CARGO_PKG_VERSION"), &types)
            .emitting(&["enriched.*"])
            .with_settings([entities.required()])
    }

    fn handle(event: &Event, _: &Context) -> Result<(), Failure> {
        let account = event.label("account").unwrap_or_default();
        let Some(entity) = Self::settings().entities.get(account) else {
            log::warn!("`entities` has no account `{account}`");
            return Ok(());
        };
        let before = event.labels.iter().filter(|(name, _)| name != ENTITY).cloned();
        let labels = before.chain(labels([(ENTITY, Some(entity.clone()))])).collect();
        let data = format!(r#"{{"entity":{},"data":{}}}"#, json::quoted(entity), event.data);
        Ok(outbox::emit(&Emission {
            subject: event.subject.clone(),
            money: event.money.clone(),
            labels,
            // A type has at most 128 bytes, and `words` cuts one that would have more.
            ..Emission::new(words(&format!("enriched.{}", event.type_)), data)
        })?)
    }
}

hookgate_sdk::export!(handler: Enrich);
