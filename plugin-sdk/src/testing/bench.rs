//! A gateway for one plugin, in a test.
//!
//! To a plugin it behaves like the gateway: it passes settings, keeps one state for each subject,
//! carries out all effects of a run or none, and refuses what the gateway refuses, by the same
//! [limits]. It never delivers anything.
//!
//! [limits]: crate::limits

use std::collections::BTreeMap;

use super::contract;
use super::doors::{self, Effect, LogLine, Sandbox};
use crate::event::{Event, Failure, Timestamp};
use crate::handler::{self, Context, Handler, Replay};
use crate::limits::{CHAIN_MAX, LOG_LINES_MAX, TEXT_BYTES_MAX};
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
    chain: usize,
    replay: Option<Replay>,
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

    /// Sets how many emissions led to the next events: 1 for an event that a run emitted, 2 for an
    /// event that a run on such an event emitted, and so on. At [`CHAIN_MAX`] a run that adds an
    /// event fails.
    pub fn set_chain(&mut self, emissions: usize) {
        self.chain = emissions;
    }

    /// Makes the next runs replays, at the request of this user of the admin API.
    pub fn set_replay(&mut self, by: &str) {
        self.replay = Some(Replay { by: by.to_owned() });
    }

    /// Whether a provider accepts the settings of this bench; an error says what is wrong.
    pub fn check_provider<P: Provider>(&self) -> Result<(), String> {
        self.call(|| settings::check(&provider::rules::<P>()))
    }

    /// Whether a handler accepts the settings of this bench; an error says what is wrong.
    pub fn check_handler<H: Handler>(&self) -> Result<(), String> {
        self.call(|| settings::check(&handler::rules::<H>()))
    }

    /// Calls a provider, which reads the settings of this bench.
    pub fn call<T>(&self, call: impl FnOnce() -> T) -> T {
        self.within(BTreeMap::new(), None, call).0
    }

    /// Runs a handler on an event, as the first try.
    ///
    /// # Panics
    ///
    /// If the handler does not accept the settings of this bench: the gateway would not run it.
    pub fn handle<H: Handler>(&mut self, event: &Event) -> Ran {
        assert_eq!(self.check_handler::<H>(), Ok(()), "the settings");
        self.runs += 1;
        let context = Context {
            source: "bench".to_owned(),
            event_id: format!("evt_{}", event.id),
            run_id: format!("run_{}", self.runs),
            attempt: 1,
            now: self.now,
            replay: self.replay.clone(),
            tenant: None,
        };
        // Without a subject, the state belongs to the event alone.
        let owner = event.subject.clone().unwrap_or_else(|| context.event_id.clone());
        let state = self.states.get(&owner).cloned().unwrap_or_default();
        let emits = Some(H::describe().emits);
        let (outcome, mut after) = self.within(state, emits, || H::handle(event, &context));
        let outcome = self.judged(outcome, &after);
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
    fn judged(&self, returned: Result<(), Failure>, after: &Sandbox) -> Result<(), Failure> {
        if let Some(reason) = &after.broken {
            return Err(Failure::permanent(format!("the plugin broke the contract: {reason}")));
        }
        let adds = |effect: &Effect| matches!(effect, Effect::Emit(_) | Effect::Alert(..));
        if returned.is_ok() && self.chain >= CHAIN_MAX && after.effects.iter().any(adds) {
            let reason = format!("the chain of emitted events is longer than {CHAIN_MAX}");
            return Err(Failure::permanent(reason));
        }
        returned.map_err(|failure| Failure {
            reason: contract::shortened(&failure.reason, TEXT_BYTES_MAX),
            ..failure
        })
    }

    /// The value of a key in the state of a subject; for an event without a subject, of its
    /// `evt_` and its id.
    pub fn state(&self, subject: &str, key: &str) -> Option<&[u8]> {
        self.states.get(subject)?.get(key).map(Vec::as_slice)
    }

    fn within<T>(
        &self,
        state: BTreeMap<String, Vec<u8>>,
        emits: Option<Vec<String>>,
        call: impl FnOnce() -> T,
    ) -> (T, Sandbox) {
        let before = doors::replace(Sandbox {
            settings: self.settings.clone(),
            granted: self.granted.clone(),
            emits,
            state,
            ..Sandbox::default()
        });
        let returned = call();
        (returned, doors::replace(before))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::handler::HandlerInfo;
    use crate::money::Money;
    use crate::outbox::{self, Emission, Severity};
    use crate::setting::Setting;
    use crate::{log, state};

    struct Obedient;

    /// Does what its event's data says, in order.
    impl Handler for Obedient {
        type Settings = serde_json::Value;

        fn describe() -> HandlerInfo {
            HandlerInfo::new("obedient", "0", &["*"])
                .emitting(&["a.b"])
                .with_settings([Setting::any("a", &1, "for tests")])
        }

        fn handle(event: &Event, context: &Context) -> Result<(), Failure> {
            for order in event.data.split(' ') {
                match order {
                    "set" => state::set("key", event.id.as_bytes())?,
                    "delete" => state::delete("key"),
                    "emit" => outbox::emit(&Emission::new("a.b", "{}"))?,
                    "violate" => outbox::emit(&Emission::new("a.b", "{"))?,
                    "send" => outbox::send("crm", "text/plain", b"hello")?,
                    "alert" => outbox::alert(Severity::Info, &context.run_id)?,
                    "log" => log::warn!("{}", Self::settings()),
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
        for orders in ["send", "violate"] {
            let ran = Bench::new().handle::<Obedient>(&event("a", orders));
            assert!(ran.outcome.is_err(), "{orders}");
        }
        assert!(state::set("", b"").is_err());
        assert!(state::set("k", &vec![0; 256 * 1024 + 1]).is_err());
    }

    /// Does what the test that runs it says.
    struct Scripted;

    thread_local! {
        static SCRIPT: Cell<fn() -> Result<(), Failure>> = const { Cell::new(|| Ok(())) };
    }

    impl Handler for Scripted {
        type Settings = ();

        fn describe() -> HandlerInfo {
            HandlerInfo::new("scripted", "0", &["*"]).emitting(&["a.*"])
        }

        fn handle(_: &Event, _: &Context) -> Result<(), Failure> {
            SCRIPT.get()()
        }
    }

    /// Checks the reason with which the gateway refuses a run, as the operator reads it.
    #[track_caller]
    fn refused(script: fn() -> Result<(), Failure>, reason: &str) {
        SCRIPT.set(script);
        let mut bench = Bench::new().granting("crm");
        let ran = bench.handle::<Scripted>(&event("a", ""));
        assert_eq!(ran.outcome.unwrap_err().reason, reason);
        assert_eq!(ran.effects, []);
        assert_eq!(bench.state("a", "0"), None);
    }

    fn emit(change: impl FnOnce(&mut Emission)) -> Result<(), Failure> {
        let mut emission = Emission::new("a.b", "{}");
        change(&mut emission);
        Ok(outbox::emit(&emission)?)
    }

    #[test]
    fn a_run_has_as_many_effects_as_in_the_gateway() {
        let set = || (0..70).try_for_each(|key| Ok(state::set(&key.to_string(), b"x")?));
        refused(set, "limit exceeded: a run has at most 64 effects");
        let delete = || {
            (0..70).for_each(|key| state::delete(&key.to_string()));
            Ok(())
        };
        let broke = "the plugin broke the contract: ";
        refused(delete, &format!("{broke}`state.delete` a run has at most 64 effects"));
        let alert = || (0..65).try_for_each(|_| Ok(outbox::alert(Severity::Info, "x")?));
        refused(alert, "limit exceeded: a run has at most 64 effects");
        SCRIPT.set(|| {
            (0..70).try_for_each(|_| state::set("0", b"x"))?;
            (1..64).try_for_each(|_| emit(|_| ()))
        });
        assert_eq!(Bench::new().handle::<Scripted>(&event("a", "")).effects.len(), 63);
    }

    #[test]
    fn a_run_has_as_many_bytes_as_in_the_gateway() {
        let send = || Ok(outbox::send("crm", "text/plain", &vec![0; (4 << 20) + 1])?);
        let reason = "the effects of a run have at most 4194304 bytes";
        refused(send, &format!("limit exceeded: {reason}"));
        let set =
            || (0..17).try_for_each(|key| Ok(state::set(&key.to_string(), &vec![0; 256 << 10])?));
        refused(set, &format!("limit exceeded: {reason}"));
        let whatever = || {
            drop(outbox::send("crm", "text/plain", &vec![0; 20 << 20]));
            Ok(())
        };
        let broke = "the plugin broke the contract: `a value` has more than 8388608 bytes";
        refused(whatever, broke);
        // Five bytes are left, for the type and the data.
        let heavy = || {
            outbox::send("crm", "text/plain", &vec![0; (4 << 20) - 5])?;
            emit(|it| it.subject = Some("s".to_owned()))
        };
        refused(heavy, &format!("limit exceeded: {reason}"));
    }

    #[test]
    fn an_emission_is_held_to_the_contract() {
        let invalid = |script, reason: &str| refused(script, &format!("invalid effect: {reason}"));
        invalid(
            || emit(|it| it.labels = vec![("Country Code".into(), "DE".into())]),
            "`emission.labels` has the name `Country Code`, not 1 to 64 of a-z 0-9 _ - .",
        );
        invalid(
            || emit(|it| it.labels = vec![("country".into(), "x".repeat(1_025))]),
            "`emission.labels` has more than 1024 bytes under `country`",
        );
        invalid(
            || emit(|it| it.labels = vec![("a".into(), "x".into()); 65]),
            "`emission.labels` has 65 items; the limit is 64",
        );
        invalid(
            || emit(|it| it.subject = Some("x".repeat(5_000))),
            "`emission.subject` has 5000 bytes, not 1 to 255",
        );
        invalid(
            || emit(|it| it.type_ = "a b".into()),
            "`emission.type` is `a b`, not an event type such as payment.failed",
        );
        invalid(
            || emit(|it| it.money = Some(Money { amount: "ten".into(), currency: "EUR".into() })),
            "`emission.money` amount `ten` is not a decimal number",
        );
        invalid(
            || emit(|it| it.money = Some(Money { amount: "10".into(), currency: "euro!".into() })),
            "`emission.money` currency `euro!` is not a code such as USD",
        );
        invalid(
            || emit(|it| it.data = "{".into()),
            "`emission.data` is not JSON: EOF while parsing an object at line 1 column 1",
        );
        invalid(
            || emit(|it| it.data = format!("{}{}", "[".repeat(513), "]".repeat(513))),
            "`emission.data` is nested more than 512 levels deep",
        );
        invalid(
            || emit(|it| it.type_ = "b.a".into()),
            "`emission.type` is `b.a`, which `emits` does not declare",
        );
        refused(
            || emit(|it| it.tenant = Some("acme".into())),
            "not granted: the operator has granted the plugin no tenant",
        );
    }

    #[test]
    fn what_is_sent_is_held_to_the_contract() {
        refused(
            || Ok(outbox::send("crm", "not a content type\n", b"")?),
            "invalid effect: `content-type` has characters that a header can't have",
        );
        refused(
            || Ok(outbox::send("bank", "text/plain", b"")?),
            "not granted: the operator has not granted the endpoint `bank`",
        );
        refused(
            || Ok(outbox::send(&"b\n".repeat(60), "text/plain", b"")?),
            &format!(
                "not granted: the operator has not granted the endpoint `{}`",
                "b\\n".repeat(21)
            ),
        );
    }

    #[test]
    fn a_chain_of_emissions_has_an_end() {
        SCRIPT.set(|| emit(|_| ()));
        let mut bench = Bench::new();
        bench.set_chain(7);
        assert_eq!(bench.handle::<Scripted>(&event("a", "")).outcome, Ok(()));
        bench.set_chain(8);
        let ran = bench.handle::<Scripted>(&event("a", ""));
        let reason = "the chain of emitted events is longer than 8";
        assert_eq!(ran.outcome, Err(Failure::permanent(reason)));
    }

    #[test]
    fn a_flood_of_log_lines_is_cut() {
        SCRIPT.set(|| {
            (0..60).for_each(|_| log::info!("{}", "é".repeat(600)));
            Ok(())
        });
        let ran = Bench::new().handle::<Scripted>(&event("a", ""));
        assert_eq!((ran.log.len(), ran.log[0].message.len()), (51, 1_024));
        let last = "the gateway dropped 10 more lines: a call may write 50";
        assert_eq!(ran.log[50].message, last);
    }

    #[test]
    fn what_a_person_reads_has_no_control_characters_and_an_end() {
        SCRIPT.set(|| {
            log::info!("red \x1b[31m");
            outbox::alert(Severity::Info, "two\nlines")?;
            Err(Failure::transient("x".repeat(5_000)))
        });
        let mut bench = Bench::new();
        let ran = bench.handle::<Scripted>(&event("a", ""));
        assert_eq!(ran.log[0].message, "red \\u{1b}[31m");
        assert_eq!(ran.outcome.unwrap_err().reason.len(), 4_096);
        SCRIPT.set(|| Ok(outbox::alert(Severity::Info, "two\nlines")?));
        let ran = bench.handle::<Scripted>(&event("a", ""));
        assert_eq!(ran.effects, [Effect::Alert(Severity::Info, "two\\nlines".to_owned())]);
    }

    #[test]
    fn an_event_without_a_subject_has_a_state_of_its_own() {
        let mut bench = Bench::new();
        let event = Event { subject: None, ..event("a", "set") };
        bench.handle::<Obedient>(&event);
        assert_eq!(bench.state("evt_1", "key"), Some(&b"1"[..]));
    }
}
