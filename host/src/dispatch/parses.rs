//! Parse and route: a receipt becomes events, each with where it goes.
//!
//! A receipt that cannot be parsed is kept whole as a dead letter; it is opened again when another
//! version of its plugin is loaded. Never looks at what an event means beyond its type.

use std::sync::Arc;
use std::time::Instant;

use tracing::{info, warn};

use super::turns::{Turn, Turns};
use super::{Dispatch, Rules};
use crate::effect::LogLine;
use crate::event::Event;
use crate::plugin::CallFailed;
use crate::retry::{Outcome, RetryPolicy, Verdict};
use crate::store::{self, NewEvent, ParseWork, PluginStamp, Receipt, Try, WorkKind};
use crate::worker::Work;

/// Of the parses at a time, how many one source may have.
const PARSES_PER_SOURCE: usize = 48;

/// The parses that are due.
#[derive(Debug, Clone)]
pub(crate) struct Parses {
    dispatch: Arc<Dispatch>,
    turns: Arc<Turns>,
}

impl Parses {
    pub(crate) fn new(dispatch: Arc<Dispatch>) -> Self {
        Self { dispatch, turns: Arc::default() }
    }
}

impl Work for Parses {
    type Item = (ParseWork, Turn);

    fn claim(&self, room: usize) -> Result<Vec<Self::Item>, store::Error> {
        let claimed = self.dispatch.store.claim_parses(room, PARSES_PER_SOURCE)?;
        let in_turn = |work: ParseWork| {
            let turn = self.turns.next(&work.receipt.source);
            (work, turn)
        };
        Ok(claimed.into_iter().map(in_turn).collect())
    }

    fn ready(&self) -> impl Future<Output = ()> + Send {
        self.dispatch.store.ready(WorkKind::Parse)
    }

    async fn perform(self, (work, turn): Self::Item) -> Result<(), store::Error> {
        self.dispatch.parse(work, turn).await
    }
}

/// How a parse ended.
struct Ended<'a> {
    outcome: Outcome,
    policy: &'a RetryPolicy,
    events: Vec<Event>,
    plugin: Option<PluginStamp>,
    log: Vec<LogLine>,
}

impl Dispatch {
    async fn parse(&self, work: ParseWork, mut turn: Turn) -> Result<(), store::Error> {
        // Before looking for the plugin: when there is room, another one may be loaded.
        let room = turn.room().await;
        let started = Instant::now();
        let at = self.clock.now();
        let rules = self.rules.load_full();
        let receipt = work.receipt.clone();
        let Ended { outcome, policy, events, plugin, log } = self.parsed(&rules, &receipt).await;
        drop(room);

        let tries_made = work.tries_made + 1;
        let verdict = policy.verdict(tries_made, &outcome, self.clock.now(), fastrand::f64());
        self.metrics.parse(&receipt.source, &outcome);
        self.note_parse(&receipt, &outcome, verdict);
        let route = |event: Event| {
            let routes = self.routes(&rules, &event.event_type, None);
            NewEvent { event, routes }
        };
        let events = events.into_iter().map(route).collect();
        let parse = Try { at, duration: started.elapsed(), plugin, outcome, verdict, log };
        turn.comes().await;
        let committed = self.store.queue_parse(work, parse, events).await?;
        drop(turn);
        committed.await.map(drop)
    }

    async fn parsed(&self, rules: &Rules, receipt: &Receipt) -> Ended<'_> {
        let missing = |reason: String| Ended {
            outcome: Outcome::transient(reason),
            policy: &self.failures,
            events: Vec::new(),
            plugin: None,
            log: Vec::new(),
        };
        let Some((plugin_name, settings)) = rules.sources.get(&receipt.source) else {
            return missing(format!("source {} is no longer configured", receipt.source));
        };
        let plugin = self.registry.get(plugin_name);
        let provider = plugin.as_ref().and_then(|plugin| Some((plugin, plugin.provider()?)));
        let Some((plugin, info)) = provider else {
            return missing(format!("provider plugin {plugin_name} is not loaded"));
        };
        let stamp = Some(Self::stamp(plugin, &info.version));
        match self.host.parse(plugin, settings, &receipt.source, &receipt.request).await {
            Ok(parsed) => {
                let (outcome, events) = match parsed.result {
                    Ok(events) => (Outcome::Success, events),
                    Err(failure) => (failure.into(), Vec::new()),
                };
                Ended { outcome, policy: &self.failures, events, plugin: stamp, log: parsed.log }
            }
            Err(CallFailed { error, log }) => {
                let (outcome, policy) = self.judge(&error);
                Ended { outcome, policy, events: Vec::new(), plugin: stamp, log }
            }
        }
    }

    fn note_parse(&self, receipt: &Receipt, outcome: &Outcome, verdict: Verdict) {
        let Some(reason) = outcome.reason() else { return };
        let (source, id) = (&receipt.source, receipt.id);
        if verdict == Verdict::Dead {
            warn!(receipt.id = %id, source.name = %source, "receipt is a dead letter: {reason}");
        } else {
            info!(receipt.id = %id, source.name = %source, "failed to parse a receipt: {reason}");
        }
    }
}
