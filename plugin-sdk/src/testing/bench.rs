//! A gateway for one plugin, in a test.
//!
//! To a plugin it behaves like the gateway: it passes settings, keeps one state for each subject,
//! carries out all effects of a run or none, and refuses what the gateway refuses, by the same
//! [limits]. It never delivers anything.
//!
//! [limits]: crate::limits

use std::collections::BTreeMap;

use super::contract;
use super::doors::{self, Effect, LogLine, Occasion, Sandbox};
use super::emitted::Allowance;
use crate::event::{Event, Failure, Timestamp};
use crate::handler::{self, Context, Handler, Replay};
use crate::limits::{LOG_LINES_MAX, TEXT_BYTES_MAX};
use crate::log::Level;
use crate::provider::{self, Provider};
use crate::settings;

/// A gateway for one plugin.
///
/// ```
/// use hookgate_sdk::testing::Bench;
/// use hookgate_sdk::{Context, Event, Failure, Handler, HandlerInfo, state};
///
/// struct Counter;
///
/// impl Handler for Counter {
///     type Settings = ();
///
///     fn describe() -> HandlerInfo {
///         HandlerInfo::new("counter", "1.0.0", &["payment.*"])
///     }
///
///     fn handle(event: &Event, _: &Context) -> Result<(), Failure> {
///         let seen = state::load("seen")?.unwrap_or(0_u32);
///         state::save("seen", &(seen + 1))?;
///         if event.id == "bad" { Err(Failure::permanent("bad")) } else { Ok(()) }
///     }
/// }
///
/// let mut bench = Bench::new();
/// for id in ["one", "bad", "two"] {
///     let event = Event::new(id, "payment.failed", "{}");
///     let event = Event { subject: Some("pi_1".into()), ..event };
///     bench.handle::<Counter>(&event);
/// }
/// assert_eq!(bench.state("pi_1", "seen"), Some(&b"2"[..]));
/// ```
#[derive(Debug, Default)]
pub struct Bench {
    settings: Option<String>,
    granted: Vec<String>,
    states: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    runs: u32,
    now: Timestamp,
    source: Option<String>,
    attempt: Option<u32>,
    replay: Option<Replay>,
    chain: usize,
    allowance: Allowance,
}

/// A finished run.
#[derive(Debug)]
pub struct Ran {
    /// What the handler returned, or the failure that the gateway would make of it.
    pub outcome: Result<(), Failure>,
    /// The effects that the gateway would carry out; none if the run failed.
    pub effects: Vec<Effect>,
    /// The lines that the handler logged, even if the run failed.
    pub log: Vec<LogLine>,
}

impl Bench {
    /// A bench without settings, grants and state.
    pub fn new() -> Self {
        Self::default()
    }

    /// With these settings, a JSON object.
    #[must_use]
    pub fn with_settings(self, settings: &str) -> Self {
        Self { settings: Some(settings.to_owned()), ..self }
    }

    /// With a grant for this endpoint.
    #[must_use]
    pub fn granting(mut self, endpoint: &str) -> Self {
        self.granted.push(endpoint.to_owned());
        self
    }

    /// Sets the time of the next runs.
    pub fn set_now(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// Sets the source of the next events, which is `bench` before.
    pub fn set_source(&mut self, source: &str) {
        self.source = Some(source.to_owned());
    }

    /// Sets which try the next runs are, which is 1 before.
    pub fn set_attempt(&mut self, attempt: u32) {
        self.attempt = Some(attempt);
    }

    /// Makes the next runs replays, at the request of this person. The gateway knows no names yet:
    /// there it is always `operator`.
    pub fn set_replay(&mut self, by: &str) {
        self.replay = Some(Replay { by: by.to_owned() });
    }

    /// Sets how many emissions led to the next events: 1 for an event that a run emitted, 2 for an
    /// event that a run on such an event emitted, and so on. At [`CHAIN_MAX`] a run that adds an
    /// event fails.
    ///
    /// [`CHAIN_MAX`]: crate::limits::CHAIN_MAX
    pub fn set_chain(&mut self, emissions: usize) {
        self.chain = emissions;
    }

    /// Sets how many events each of the next runs may add, alerts among them, and how many bytes
    /// these may have together. Before, a run may add all that one receipt may cause:
    /// [`EMITTED_EVENTS`] with [`EMITTED_BYTES`].
    ///
    /// [`EMITTED_EVENTS`]: crate::limits::EMITTED_EVENTS
    /// [`EMITTED_BYTES`]: crate::limits::EMITTED_BYTES
    pub fn set_allowance(&mut self, events: usize, bytes: usize) {
        self.allowance = Allowance { events, bytes };
    }

    /// Whether a provider accepts the settings of this bench; an error says what is wrong.
    ///
    /// # Panics
    ///
    /// If the gateway would refuse what the provider says of itself.
    pub fn check_provider<P: Provider>(&self) -> Result<(), String> {
        assert_eq!(contract::provider(&P::describe()), Ok(()), "the description");
        self.call(|| settings::check(&provider::rules::<P>()))
    }

    /// Whether a handler accepts the settings of this bench; an error says what is wrong.
    ///
    /// # Panics
    ///
    /// If the gateway would refuse what the handler says of itself.
    pub fn check_handler<H: Handler>(&self) -> Result<(), String> {
        assert_eq!(contract::handler(&H::describe()), Ok(()), "the description");
        self.call(|| settings::check(&handler::rules::<H>()))
    }

    /// Calls a provider, which reads the settings of this bench.
    ///
    /// # Panics
    ///
    /// If the call does what the gateway would end it for, such as to delete a key of the state.
    pub fn call<T>(&self, call: impl FnOnce() -> T) -> T {
        let (returned, after) = self.within(BTreeMap::new(), Occasion::Other, call);
        assert_eq!(after.broken, None, "the gateway ends the call");
        returned
    }

    /// Runs a handler on an event. An event without a time gets that of the run, as the gateway
    /// gives it the time at which it received the request.
    ///
    /// # Panics
    ///
    /// If the gateway would not run the handler: the event, or what the handler says of itself,
    /// breaks the contract, or the handler does not accept the settings of this bench.
    pub fn handle<H: Handler>(&mut self, event: &Event) -> Ran {
        assert_eq!(self.check_handler::<H>(), Ok(()), "the settings");
        assert_eq!(contract::handled(event), Ok(()), "the event");
        let event = Event { time: event.time.or(Some(self.now)), ..event.clone() };
        self.runs += 1;
        let context = Context {
            source: self.source.clone().unwrap_or_else(|| "bench".to_owned()),
            event_id: format!("evt_{}", event.id),
            run_id: format!("run_{}", self.runs),
            attempt: self.attempt.unwrap_or(1),
            now: self.now,
            replay: self.replay.clone(),
            tenant: None,
        };
        // Without a subject, the state belongs to the event alone.
        let owner = event.subject.clone().unwrap_or_else(|| context.event_id.clone());
        let state = self.states.get(&owner).cloned().unwrap_or_default();
        let occasion = Occasion::Run(H::describe().emits);
        let (outcome, mut after) = self.within(state, occasion, || H::handle(&event, &context));
        let outcome = self.judged(outcome, &after, &event, &context);
        if after.dropped > 0 {
            let dropped = after.dropped;
            let message = format!(
                "the gateway dropped {dropped} more lines: a call may write {LOG_LINES_MAX}"
            );
            after.log.push(LogLine { level: Level::Warn, message });
        }
        let mut ran = Ran { outcome, effects: Vec::new(), log: after.log };
        if ran.outcome.is_ok() {
            ran.effects = after.effects;
            self.states.insert(owner, after.state);
        }
        ran
    }

    /// The outcome of a run in the gateway, if the handler returned this.
    fn judged(
        &self,
        returned: Result<(), Failure>,
        after: &Sandbox,
        event: &Event,
        context: &Context,
    ) -> Result<(), Failure> {
        if let Some(reason) = &after.broken {
            return Err(Failure::permanent(format!("the plugin broke the contract: {reason}")));
        }
        returned.map_err(|failure| Failure {
            reason: contract::shortened(&failure.reason, TEXT_BYTES_MAX),
            ..failure
        })?;
        let emitted = self.allowance.check(self.chain, &after.effects, event, context);
        emitted.map_err(Failure::permanent)
    }

    /// The value of a key in the state of a subject; for an event without a subject, of its
    /// `evt_` and its id.
    pub fn state(&self, subject: &str, key: &str) -> Option<&[u8]> {
        self.states.get(subject)?.get(key).map(Vec::as_slice)
    }

    fn within<T>(
        &self,
        state: BTreeMap<String, Vec<u8>>,
        occasion: Occasion,
        call: impl FnOnce() -> T,
    ) -> (T, Sandbox) {
        let before = doors::replace(Sandbox {
            settings: self.settings.clone(),
            granted: self.granted.clone(),
            occasion,
            state,
            ..Sandbox::default()
        });
        let returned = call();
        (returned, doors::replace(before))
    }
}

#[cfg(test)]
mod tests;
