//! A gateway for one plugin, in a test.
//!
//! Keeps its promises as far as a plugin can tell: settings, one state per subject, effects that
//! happen together or not at all. Delivers nothing.

use std::collections::BTreeMap;

use super::doors::{self, Effect, LogLine, Sandbox};
use crate::event::{Event, Failure, Timestamp};
use crate::handler::{Context, Handler};

/// Where a plugin is tried.
///
/// ```
/// use hookgate_sdk::testing::Bench;
/// use hookgate_sdk::{Context, Event, Failure, Handler, HandlerInfo, state};
///
/// struct Counter;
///
/// impl Handler for Counter {
///     fn describe() -> HandlerInfo {
///         HandlerInfo::new("counter", "1.0.0", &["payment.*"])
///     }
///
///     fn handle(event: &Event, _: &Context) -> Result<(), Failure> {
///         let mut seen = state::get("seen").unwrap_or_default();
///         seen.push(b'x');
///         state::set("seen", &seen)?;
///         if event.id == "bad" { Err(Failure::permanent("bad")) } else { Ok(()) }
///     }
/// }
///
/// let mut bench = Bench::new();
/// for id in ["one", "bad", "two"] {
///     let event = Event { subject: Some("pi_1".into()), ..Event::new(id, "payment.failed", "{}") };
///     bench.handle::<Counter>(&event);
/// }
/// assert_eq!(bench.state("pi_1", "seen"), Some(&b"xx"[..]));
/// ```
#[derive(Debug, Default)]
pub struct Bench {
    settings: Option<String>,
    granted: Vec<String>,
    states: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    runs: u32,
    now: Timestamp,
}

/// A run that is over.
#[derive(Debug)]
pub struct Ran {
    /// What the handler returned.
    pub outcome: Result<(), Failure>,
    /// What happens because of it: nothing if it failed.
    pub effects: Vec<Effect>,
    /// What it logged, also if it failed.
    pub log: Vec<LogLine>,
}

impl Bench {
    /// One without settings, grants, and state.
    pub fn new() -> Self {
        Self::default()
    }

    /// With these settings, a JSON object. The bench does not ask the plugin to check them.
    #[must_use]
    pub fn with_settings(self, settings: &str) -> Self {
        Self { settings: Some(settings.to_owned()), ..self }
    }

    /// With an endpoint granted.
    #[must_use]
    pub fn granting(mut self, endpoint: &str) -> Self {
        self.granted.push(endpoint.to_owned());
        self
    }

    /// Sets the time of the runs that follow.
    pub fn set_now(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// Calls a provider with the settings in place.
    pub fn call<T>(&self, call: impl FnOnce() -> T) -> T {
        self.within(BTreeMap::new(), call).0
    }

    /// Runs a handler on an event, as a first attempt.
    pub fn handle<H: Handler>(&mut self, event: &Event) -> Ran {
        self.runs += 1;
        let context = Context {
            source: "bench".to_owned(),
            event_id: format!("evt_{}", event.id),
            run_id: format!("run_{}", self.runs),
            attempt: 1,
            now: self.now,
        };
        let known = event.subject.as_ref().and_then(|subject| self.states.get(subject));
        let state = known.cloned().unwrap_or_default();
        let (outcome, after) = self.within(state, || H::handle(event, &context));
        let mut ran = Ran { outcome, effects: Vec::new(), log: after.log };
        if ran.outcome.is_ok() {
            ran.effects = after.effects;
            if let Some(subject) = &event.subject {
                self.states.insert(subject.clone(), after.state);
            }
        }
        ran
    }

    /// What is remembered about a subject.
    pub fn state(&self, subject: &str, key: &str) -> Option<&[u8]> {
        self.states.get(subject)?.get(key).map(Vec::as_slice)
    }

    fn within<T>(
        &self,
        state: BTreeMap<String, Vec<u8>>,
        call: impl FnOnce() -> T,
    ) -> (T, Sandbox) {
        let (settings, granted) = (self.settings.clone(), self.granted.clone());
        let before = doors::replace(Sandbox { settings, granted, state, ..Sandbox::default() });
        let returned = call();
        (returned, doors::replace(before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::HandlerInfo;
    use crate::outbox::{self, Emission, Severity};
    use crate::{log, settings, state};

    struct Obedient;

    /// Does what its event's data says, in order.
    impl Handler for Obedient {
        fn describe() -> HandlerInfo {
            HandlerInfo::new("obedient", "0", &["*"])
        }

        fn handle(event: &Event, context: &Context) -> Result<(), Failure> {
            for order in event.data.split(' ') {
                match order {
                    "set" => state::set("key", event.id.as_bytes())?,
                    "delete" => state::delete("key"),
                    "emit" => outbox::emit(&Emission::new("a.b", "{}"))?,
                    "lie" => outbox::emit(&Emission::new("a.b", "{"))?,
                    "send" => outbox::send("crm", "text/plain", b"hello")?,
                    "alert" => outbox::alert(Severity::Info, &context.run_id)?,
                    "log" => log::warn(&settings::text()),
                    "fail" => return Err(Failure::transient("as told")),
                    other => unreachable!("no order is called {other}"),
                }
            }
            Ok(())
        }
    }

    fn event(subject: &str, orders: &str) -> Event {
        Event { subject: Some(subject.to_owned()), ..Event::new("1", "do.it", orders) }
    }

    #[test]
    fn a_run_that_succeeds_has_effects() {
        let mut bench = Bench::new().granting("crm");
        let ran = bench.handle::<Obedient>(&event("a", "set emit send alert"));
        assert_eq!(ran.outcome, Ok(()));
        assert_eq!(ran.effects.len(), 3);
        assert_eq!(ran.effects[2], Effect::Alert(Severity::Info, "run_1".to_owned()));
        assert_eq!(bench.state("a", "key"), Some(&b"1"[..]));
    }

    #[test]
    fn a_run_that_fails_has_none() {
        let mut bench = Bench::new().with_settings("{\"a\":1}");
        bench.handle::<Obedient>(&event("a", "set"));
        let ran = bench.handle::<Obedient>(&event("a", "delete emit alert log fail"));
        assert_eq!(ran.outcome, Err(Failure::transient("as told")));
        assert_eq!(ran.effects, []);
        assert_eq!(ran.log[0].message, "{\"a\":1}");
        assert_eq!(bench.state("a", "key"), Some(&b"1"[..]));
    }

    #[test]
    fn a_subject_has_a_state_of_its_own() {
        let mut bench = Bench::new();
        bench.handle::<Obedient>(&event("a", "set"));
        bench.handle::<Obedient>(&event("b", "delete"));
        assert_eq!(bench.state("a", "key"), Some(&b"1"[..]));
        assert_eq!(bench.state("b", "key"), None);
    }

    #[test]
    fn what_the_contract_does_not_allow_is_refused() {
        for orders in ["send", "lie"] {
            let ran = Bench::new().handle::<Obedient>(&event("a", orders));
            assert!(ran.outcome.is_err(), "{orders}");
        }
        assert!(state::set("", b"").is_err());
        assert!(state::set("k", &vec![0; 256 * 1024 + 1]).is_err());
    }
}
