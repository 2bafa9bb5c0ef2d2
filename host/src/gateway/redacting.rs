//! Whether a provider can still read what a source redacts: its samples say so.
//!
//! Each sample is parsed as it is and as the source would store it. Only the pseudonyms may differ
//! in what comes out: an event of another type, amount or time would be a forged one. Only says
//! what it finds; whoever starts all the same gets dead letters, and no forged event.

use std::sync::Arc;

use super::drafting::{drafted, request};
use crate::config::Config;
use crate::event::{Event, Request};
use crate::ids::Name;
use crate::ingest::Source;
use crate::plugin::{About, Host, Plugin};
use crate::provider::Claims;
use crate::pseudonym::{Pseudonyms, Replaced, Unreadable};

/// Most samples that are tried.
const SAMPLES_MAX: usize = 32;

/// What is wrong with `redact` of all sources of a plugin, a sentence for each.
pub(super) async fn unreadable(
    host: &Host,
    config: &Config,
    plugin: &Arc<Plugin>,
    about: &About,
) -> Vec<String> {
    let mut found = Vec::new();
    let sources = config.sources.iter().filter(|(_, source)| source.plugin == *plugin.name());
    for (name, source) in sources {
        let Some(pseudonyms) = &source.redact else { continue };
        for (sample, of) in about.samples.iter().take(SAMPLES_MAX) {
            let drafted = drafted(host, plugin, source, of).await;
            let trial = Trial { host, plugin, source, pseudonyms };
            let wrong = trial.wrong(&drafted, &Arc::new(request(of))).await;
            found.extend(wrong.map(|wrong| said(name, plugin.name(), sample, &wrong)));
        }
    }
    found
}

fn said(source: &Name, plugin: &Name, sample: &str, wrong: &str) -> String {
    format!(
        "`redact` of [sources.{source}] does not fit sample {sample} of plugin {plugin}: {wrong}"
    )
}

/// One sample at one source.
struct Trial<'t> {
    host: &'t Host,
    plugin: &'t Arc<Plugin>,
    source: &'t Source,
    pseudonyms: &'t Pseudonyms,
}

impl Trial<'_> {
    /// What goes wrong when the sample is redacted; `None` also if it can't be parsed as it is.
    async fn wrong(&self, drafted: &Arc<Request>, bare: &Arc<Request>) -> Option<String> {
        let claims = self.claims(drafted).await.unwrap_or_default();
        if claims.plain_body.is_some() && self.pseudonyms.reach_bodies() {
            return Some(Unreadable::Encrypted.to_string());
        }
        // The plugin may not be able to sign, or to read what is not signed.
        let (sample, events) = match self.parse(drafted).await {
            Ok(events) => (drafted, events),
            Err(_) => (bare, self.parse(bare).await.ok()?),
        };
        let replaced = match self.pseudonyms.of(sample) {
            Ok(replaced) => replaced,
            Err(error) => return Some(error.to_string()),
        };
        let redacted = match self.parse(&Arc::new(replaced.request.clone())).await {
            Ok(redacted) => redacted,
            Err(why) => {
                return Some(format!("the plugin can't parse what the gateway would store: {why}"));
            }
        };
        if let Some(what) = differs(&events, &redacted) {
            return Some(format!("the plugin would make {what} of what the gateway would store"));
        }
        let ids = self.ids(sample, &replaced, claims).await;
        let is_known = |event: &Event| ids.contains(&event.id);
        let is_batch = ids.len() > 1 && redacted.len() > 1;
        (is_batch && !redacted.iter().all(is_known)).then(|| {
            "the plugin makes the ids of events out of what the gateway would redact, and would \
             repeat known events of a request that brings new ones too"
                .to_owned()
        })
    }

    async fn claims(&self, request: &Arc<Request>) -> Option<Claims> {
        let Self { host, plugin, source, .. } = self;
        host.claims(plugin, &source.settings, plugin.name(), request).await.ok()?.ok()
    }

    async fn parse(&self, request: &Arc<Request>) -> Result<Vec<Event>, String> {
        let Self { host, plugin, source, .. } = self;
        let called = host.parse(plugin, &source.settings, plugin.name(), request).await;
        match called.ended {
            Ok(Ok(events)) => Ok(events),
            Ok(Err(outcome)) => Err(outcome.reason().unwrap_or_default().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The ids that the gateway would know the events by.
    async fn ids(&self, sample: &Request, replaced: &Replaced, claims: Claims) -> Vec<String> {
        let (url, headers) = (sample.url.clone(), sample.headers.clone());
        let read = Arc::new(Request { url, headers, ..replaced.request.clone() });
        match self.claims(&read).await {
            Some(own) => {
                let ids = own.event_ids.into_iter();
                ids.map(|id| replaced.in_text_of_kept_body(id)).collect()
            }
            None => claims.event_ids.into_iter().map(|id| replaced.in_text(id)).collect(),
        }
    }
}

/// What the events of a sample become that must not change, if it does.
fn differs(events: &[Event], redacted: &[Event]) -> Option<&'static str> {
    if events.len() != redacted.len() {
        return Some("another number of events");
    }
    let pairs = || events.iter().zip(redacted);
    if pairs().any(|(one, other)| one.event_type != other.event_type) {
        return Some("events of another type");
    }
    if pairs().any(|(one, other)| one.money != other.money) {
        return Some("events of another amount");
    }
    pairs().any(|(one, other)| one.time != other.time).then_some("events of another time")
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;
    use crate::event::{Money, Timestamp};
    use crate::json_text::JsonText;

    fn event(id: &str) -> Event {
        Event {
            source: "shop".parse().unwrap(),
            id: id.to_owned(),
            event_type: "payment.failed".to_owned(),
            subject: Some("card 4242".to_owned()),
            time: Timestamp(5),
            money: Money::new("1".to_owned(), "EUR".to_owned()).ok(),
            labels: Vec::new(),
            data: JsonText::default(),
        }
    }

    /// Take a comparison out of `differs`, and a redacted amount passes for another amount.
    #[test]
    fn type_amount_and_time_must_stay_and_all_else_may_become_a_pseudonym() {
        let one = event("e1");
        let other = Event { subject: Some("redacted-00".to_owned()), ..event("redacted-01") };
        assert_eq!(differs(from_ref(&one), &[other]), None);
        assert!(differs(from_ref(&one), &[]).is_some());
        let changed = [
            Event { event_type: "payment.succeeded".to_owned(), ..event("e1") },
            Event { money: Money::new("2".to_owned(), "EUR".to_owned()).ok(), ..event("e1") },
            Event { time: Timestamp(6), ..event("e1") },
        ];
        for changed in changed {
            assert!(differs(from_ref(&one), from_ref(&changed)).is_some());
        }
    }
}
