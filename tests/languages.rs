//! Handlers that are not written in Rust: that they do what the Rust one does, that the sandbox
//! holds for them too, and that one instance serves many calls.
//!
//! `tests/languages/build` makes them of the examples, with a few commands more. Where it can't,
//! the tests say so and pass, except in CI. Calls are made on a thread of the test: what a worker
//! makes of them is tested with the guest.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::num::NonZeroU32;
use std::panic::resume_unwind;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use hookgate::effect::{Asked, Effect};
use hookgate::event::{Event, Money, Timestamp};
use hookgate::ids::Name;
use hookgate::plugin::{
    CallError, Called, Compiler, Config, Deadlines, Doors, Grant, HandleContext, Host, Plugin,
    PluginRules, StateReader, guest_thread,
};
use hookgate::retry::Outcome;
use hookgate::tenant::Tenant;
use serde_json::{Value, json};

use crate::harness::{NOW, plugin_file, target};

const LANGUAGES: [&str; 2] = ["javascript", "python"];

/// As the papers advise for both runtimes.
const MEMORY: usize = 128 << 20;
const CALLS: NonZeroU32 = NonZeroU32::new(1_000).unwrap();
/// Enough for a call on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(20);
/// Of a plugin that spins.
const DEADLINE: Duration = Duration::from_millis(500);

/// Compiles each file once. A plugin has the rules of the name that it is loaded by.
static HOST: LazyLock<Host> = LazyLock::new(|| {
    let mut config = Config::new(Compiler::InProcess, Some(target().join("test-compiled")));
    config.deadlines = Deadlines { check: PATIENCE, ..config.deadlines };
    let host = Host::new(config).unwrap();
    let patient = PluginRules {
        memory: Some(MEMORY),
        handle: Some(PATIENCE),
        reuse: Some(CALLS),
        ..PluginRules::default()
    };
    let brief = PluginRules { handle: Some(DEADLINE), ..patient.clone() };
    let rules = [("patient", patient), ("brief", brief)];
    host.set_rules(&Arc::new(rules.map(|(it, rules)| (name(it), rules)).into()));
    host
});

type Handled = Called<Result<Asked, Outcome>>;

/// A handler, as it was loaded for one test.
struct Handler {
    language: &'static str,
    plugin: Arc<Plugin>,
}

impl Handler {
    fn load(language: &'static str, rules: &str, file: &[u8]) -> Self {
        Self { language, plugin: HOST.load(name(rules), file).unwrap() }
    }

    /// Runs it on an event, in a run with this id at this time.
    fn handle(
        &self,
        event: &Event,
        (run_id, now): (&str, Timestamp),
        state: StateReader,
    ) -> Handled {
        let run = HandleContext {
            source: "shop".to_owned(),
            event_id: "evt_1".to_owned(),
            run_id: run_id.to_owned(),
            attempt: 1,
            now,
            replay_by: None,
            tenant: None,
        };
        let nowhere = |_: Option<&Tenant>, _: &Name| None;
        let doors = Doors { state, endpoints: Arc::new(nowhere) };
        let settings = r#"{"alert_after":2}"#.into();
        let grant = Arc::new(Grant::default());
        HOST.here(&self.plugin).handle(&settings, event, &run, &grant, doors).0
    }

    /// Has it obey, in a run with this id at this time.
    fn obey_in(&self, run: (&str, Timestamp), command: Value) -> Result<Vec<String>, CallError> {
        let event = event("payment.failed", command);
        let called = self.handle(&event, run, Arc::new(|_: &str| Ok(None)));
        called.ended?.expect("the guest fails in no other way");
        Ok(called.log.into_iter().map(|line| line.message).collect())
    }

    fn obey(&self, asked: &str) -> Result<Vec<String>, CallError> {
        self.obey_in(("run_1", NOW), json!({ "do": asked }))
    }

    /// How many calls its instance has seen.
    fn count(&self) -> String {
        self.obey("count").unwrap().join(" ")
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn event(event_type: &str, data: Value) -> Event {
    Event {
        source: name("shop"),
        id: "1".to_owned(),
        event_type: event_type.to_owned(),
        subject: Some("pi_1".to_owned()),
        time: NOW,
        money: Some(Money { amount: "10.99".to_owned(), currency: "EUR".to_owned() }),
        labels: vec![("decline_code".to_owned(), "Konto \"überzogen\"".to_owned())],
        data: data.into(),
    }
}

/// What was built of a language; none where it could not be, which no CI passes over.
fn built(language: &str) -> Option<Vec<u8>> {
    let file = target().join("languages").join(format!("{language}.wasm"));
    let built = std::fs::read(&file).ok();
    if built.is_none() {
        let is_ci = std::env::var_os("CI").is_some();
        assert!(!is_ci, "{} is missing: `make languages` builds it", file.display());
        eprintln!("languages: not built, and not tested: {language}");
    }
    built
}

/// Tests the handler of each language, with the rules of this name, on a thread for guests.
fn with_each(rules: &'static str, test: impl Fn(&Handler) + Send + 'static) {
    let tests = move || {
        for language in LANGUAGES {
            if let Some(file) = built(language) {
                test(&Handler::load(language, rules, &file));
            }
        }
    };
    if let Err(panic) = guest_thread("languages").spawn(tests).unwrap().join() {
        resume_unwind(panic);
    }
}

/// What a handler asks for when payments of a subject fail, one after the other, until one does
/// not; it remembers what it has set.
fn dunned(handler: &Handler) -> Vec<Vec<Effect>> {
    let state = Arc::new(Mutex::new(BTreeMap::<String, Bytes>::new()));
    let types = ["failed", "failed", "failed", "succeeded", "failed", "refunded"];
    let handled = types.map(|it| {
        let stored = Arc::clone(&state);
        let read: StateReader =
            Arc::new(move |key: &str| Ok(stored.lock().unwrap().get(key).cloned()));
        let event = event(&format!("payment.{it}"), json!({ "id": "pi_1" }));
        let effects = handler.handle(&event, ("run_1", NOW), read).ended.unwrap().unwrap().effects;
        for effect in &effects {
            match effect {
                Effect::SetState { key, value: Some(value) } => {
                    state.lock().unwrap().insert(key.clone(), value.clone());
                }
                Effect::SetState { key, value: None } => {
                    state.lock().unwrap().remove(key);
                }
                _ => (),
            }
        }
        effects
    });
    handled.into()
}

#[test]
fn a_handler_asks_in_each_language_for_what_it_asks_for_in_rust() {
    with_each("patient", |handler| {
        let rust = std::fs::read(plugin_file("dunning")).unwrap();
        let expected = dunned(&Handler::load("rust", "patient", &rust));
        let counts: Vec<usize> = expected.iter().map(Vec::len).collect();
        assert_eq!(counts, [2, 3, 2, 1, 2, 0], "a notice and a count each, and an alert");
        assert_eq!(dunned(handler), expected, "{}", handler.language);
    });
}

/// Without `Context::begin_again` a call in a used instance has what the first one had.
#[test]
fn one_instance_serves_calls_that_each_have_their_own_log_time_and_randomness() {
    with_each("patient", |handler| {
        for calls in ["1", "3", "5"] {
            assert_eq!(handler.count(), calls, "{}", handler.language);
            assert_eq!(handler.obey("print").unwrap(), ["printed", "written"]);
        }
        let at = |now: u64| handler.obey_in(("run_1", Timestamp(now)), json!({ "do": "now" }));
        assert_eq!(at(1_800_000_000_000).unwrap(), ["1800000000000"]);
        assert_eq!(at(1_700_000_000_000).unwrap(), ["1700000000000"]);
        let random = |run_id| handler.obey_in((run_id, NOW), json!({ "do": "random" })).unwrap();
        let [first, other, again] = ["run_1", "run_2", "run_1"].map(random);
        assert_eq!(first, again, "{}", handler.language);
        assert_ne!(first, other, "{}", handler.language);
    });
}

/// What ends a call ends its instance: the next call is the first of another.
#[test]
fn what_a_sandbox_refuses_is_refused_in_each_language() {
    with_each("patient", |handler| {
        let refused = |asked: &str, has: fn(&CallError) -> bool| {
            handler.count();
            let error = handler.obey(asked).unwrap_err();
            assert!(has(&error), "{} {asked}: {error}", handler.language);
            assert_eq!(handler.count(), "1", "{} {asked}", handler.language);
        };
        refused("mistake", |error| is_trap(error, "told to"));
        refused("sleep", |error| is_trap(error, "a plugin may not sleep"));
        refused("hoard", |error| matches!(error, CallError::Memory { limit: MEMORY }));
    });
    with_each("brief", |handler| {
        let error = handler.obey("spin").unwrap_err();
        assert!(matches!(error, CallError::Deadline { limit } if limit == DEADLINE), "{error}");
    });
}

fn is_trap(error: &CallError, words: &str) -> bool {
    matches!(error, CallError::Trap { reason } if reason.contains(words))
}

/// There is a file, a variable and a listener, and the guest reaches none of them.
#[test]
fn files_the_environment_and_the_network_are_out_of_reach_in_each_language() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    assert!(std::fs::exists("/etc/passwd").unwrap() && std::env::var_os("PATH").is_some());
    with_each("patient", move |handler| {
        for asked in ["files", "environment", "network"] {
            let run = ("run_1", NOW);
            let reached = match handler.obey_in(run, json!({ "do": asked, "port": port })) {
                Ok(lines) => lines.join(" "),
                // The JavaScript runtime has no network, and gives up.
                Err(CallError::Trap { .. }) => "refused".to_owned(),
                Err(error) => panic!("{} {asked}: {error}", handler.language),
            };
            let nothing = ["undefined", "None", "refused"].contains(&reached.as_str());
            assert!(nothing, "{} {asked}: {reached}", handler.language);
        }
    });
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nobody has connected");
}
