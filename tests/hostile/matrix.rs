//! Every function that a plugin exports, and every way in which it may not return.
//!
//! Straight through the door to plugins, because nothing in a gateway makes a provider sign, and no
//! request makes a plugin describe itself. The guest does it on command in all functions but
//! `describe`, which is told nothing: those are written by hand. What becomes of the work is not
//! known here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookgate::event::{Event, Request};
use hookgate::ids::Name;
use hookgate::plugin::{
    CallError, Called, Compiler, Config, Deadlines, Doors, Grant, HandleContext, Host, LoadError,
    Plugin, Role,
};
use hookgate::tenant::Tenant;
use serde_json::{Value, json};

use super::crafted::{self, GIANT, module_for};
use crate::harness::{NOW, plugin_file, target};

/// For who spins: nobody waits for long.
const SHORT: Duration = Duration::from_millis(50);
/// For who does not: a machine may have other things to do.
const LONG: Duration = Duration::from_secs(10);
/// What one instance may have where nobody says, as operators read it.
const MEMORY: usize = 32 << 20;

/// A function that the host calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Export {
    /// `describe` of a role.
    Describe(Role),
    /// `check` of a role.
    Check(Role),
    Claim,
    Parse,
    Sign,
    Handle,
}

const ALL: [Export; 8] = [
    Export::Describe(Role::Provider),
    Export::Describe(Role::Handler),
    Export::Check(Role::Provider),
    Export::Check(Role::Handler),
    Export::Claim,
    Export::Parse,
    Export::Sign,
    Export::Handle,
];

/// A host, and the guest.
struct Stage {
    host: Host,
    guest: Arc<Plugin>,
}

impl Stage {
    /// One whose calls may all take this long.
    fn new(time: Duration) -> Self {
        let compiled = Some(target().join("test-compiled"));
        let all = |time| {
            let early = Deadlines::default().early;
            Deadlines { claims: time, early, parse: time, handle: time, check: time }
        };
        let mut config = Config::new(Compiler::InProcess, compiled);
        config.deadlines = all(LONG);
        let host = Host::new(config).unwrap();
        let guest = std::fs::read(plugin_file("guest")).unwrap();
        let guest = host.load("guest".parse().unwrap(), &guest).unwrap();
        // The guest is to be there whatever the machine does meanwhile.
        host.set_deadlines(all(time));
        Self { host, guest }
    }

    /// Why a call of this export has no answer in a plugin that does this in it.
    async fn broken(&self, export: Export, behaviour: &str) -> CallError {
        let command = |at: &str| json!({ "do": behaviour, "at": at });
        let source: Name = "shop".parse().unwrap();
        let settings: Arc<str> = Arc::from("{}");
        let (host, guest) = (&self.host, &self.guest);
        let ended = match export {
            Export::Describe(role) => Err(self.described(role, behaviour)),
            Export::Check(role) => {
                let settings: Arc<str> = json!({ "refuse": command("check") }).to_string().into();
                host.check(guest, role, &settings).await.ended.map(drop)
            }
            Export::Claim => {
                let request = request(&command("claim"));
                host.claims(guest, &settings, &source, &request).await.map(drop)
            }
            Export::Parse => {
                let request = request(&command("parse"));
                host.parse(guest, &settings, &source, &request).await.ended.map(drop)
            }
            Export::Sign => {
                let request = request(&command("sign"));
                host.sign(guest, &settings, &request, NOW, Vec::new()).await.map(drop)
            }
            Export::Handle => self.handled(command("handle")).await.ended.map(drop),
        };
        ended.expect_err("it does not return")
    }

    /// Why a plugin by hand can't describe itself that does this.
    fn described(&self, role: Role, behaviour: &str) -> CallError {
        let log =
            "(import \"hookgate:plugin/log@0.2.0\" \"write\" (func $log (param i32 i32 i32)))";
        let fields = match behaviour {
            "panic" => format!("{log} (data (i32.const 128) \"panicked at x.c:1:2: told to\")"),
            "recurse" => "(func $recurse (call $recurse) (call $recurse))".to_owned(),
            _ => String::new(),
        };
        let describe = match behaviour {
            "spin" => "(loop (br 0)) (unreachable)",
            "trap" => "(unreachable)",
            "panic" => "(call $log (i32.const 3) (i32.const 128) (i32.const 28)) (unreachable)",
            "recurse" => "(call $recurse) (i32.const 8)",
            "hoard" => {
                "(loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
                 (unreachable)"
            }
            "return" => GIANT,
            other => panic!("nothing is written by hand that does `{other}`"),
        };
        let (world, wat) = match role {
            Role::Provider => ("provider-plugin", crafted::provider(&fields, describe)),
            Role::Handler => {
                let handle = "(unreachable)";
                ("handler-plugin", crafted::handler(&fields, describe, handle))
            }
        };
        let module = module_for(world, &wat);
        match self.host.load("crafted".parse().unwrap(), &module).unwrap_err() {
            LoadError::Describe { role: of, error } if of == role => error,
            error => panic!("{error}"),
        }
    }

    /// What became of a run on this command, of the guest without any grant.
    async fn handled(&self, command: Value) -> Called<()> {
        let run = HandleContext {
            source: "shop".to_owned(),
            event_id: "evt_1".to_owned(),
            run_id: "run_1".to_owned(),
            attempt: 1,
            now: NOW,
            replay_by: None,
            tenant: None,
        };
        let event = Arc::new(Event {
            source: "shop".parse().unwrap(),
            id: "1".to_owned(),
            event_type: "guest.asked".to_owned(),
            subject: None,
            time: NOW,
            money: None,
            labels: Vec::new(),
            data: command.into(),
        });
        let doors = Doors {
            state: Arc::new(|_: &str| Ok(None)),
            endpoints: Arc::new(|_: Option<&Tenant>, _: &Name| None),
        };
        let (settings, grant) = (Arc::<str>::from("{}"), Arc::new(Grant::default()));
        let called = self.host.handle(&self.guest, &settings, &event, run, &grant, doors).await;
        let Called { ended, log, denied } = called;
        Called { ended: ended.map(drop), log, denied }
    }
}

/// A request with this body.
fn request(command: &Value) -> Arc<Request> {
    Arc::new(Request {
        method: "POST".to_owned(),
        url: "/in/shop".to_owned(),
        headers: [("x-token", "sesame")].into_iter().collect(),
        body: Bytes::from(command.to_string()),
        received_at: NOW,
    })
}

/// Whether a call used up its time, where that is short.
fn is_over(error: &CallError) -> bool {
    matches!(error, CallError::Deadline { limit } if *limit == SHORT)
}

/// Why a plugin trapped.
#[track_caller]
fn trapped(export: Export, error: CallError) -> String {
    match error {
        CallError::Trap { reason } => reason,
        other => panic!("{export:?}: {other}"),
    }
}

/// Guards I7.
///
/// Without: plugin/call/sandbox.rs: `set_epoch_deadline`; or plugin/engine.rs: the ticker.
#[tokio::test]
pub(super) async fn every_export_that_never_returns_is_stopped() {
    let stage = Stage::new(SHORT);
    for export in ALL {
        let error = stage.broken(export, "spin").await;
        assert!(is_over(&error), "{export:?}: {error}");
    }
}

/// Guards I12. What overflows is the plugin's own stack, as its file sets it, or else that of its
/// thread, of which it has a part.
///
/// Without: plugin/engine.rs: `max_wasm_stack` below `THREAD_STACK_BYTES`; then the process ends.
#[tokio::test]
pub(super) async fn every_export_that_never_ends_its_recursion_runs_out_of_stack() {
    let stage = Stage::new(LONG);
    for export in ALL {
        let reason = trapped(export, stage.broken(export, "recurse").await);
        let words = match export {
            Export::Describe(_) => "call stack exhausted",
            _ => "its stack of 128 KiB overflowed",
        };
        assert!(reason.contains(words), "{export:?}: {reason}");
    }
}

/// Guards I7.
///
/// Without: plugin/call/memory.rs: `memory_growing`.
#[tokio::test]
pub(super) async fn every_export_that_hoards_memory_gets_no_more() {
    let stage = Stage::new(LONG);
    for export in ALL {
        let error = stage.broken(export, "hoard").await;
        assert!(matches!(error, CallError::Memory { limit: MEMORY }), "{export:?}: {error}");
    }
}

/// Guards I7: the host would copy it before it looks at it.
///
/// Without: plugin/call/sandbox.rs: `set_hostcall_fuel`.
#[tokio::test]
pub(super) async fn a_giant_answer_of_any_export_is_a_violation() {
    let stage = Stage::new(LONG);
    for export in ALL {
        let error = stage.broken(export, "return").await;
        let CallError::Violation(violation) = &error else { panic!("{export:?}: {error}") };
        assert_eq!(violation.field, "a value", "{export:?}");
    }
}

/// Guards I12.
///
/// Without: plugin/call/trap.rs: `judge`, by which an error of the guest is one of the call.
#[tokio::test]
pub(super) async fn every_export_that_traps_is_caught() {
    let stage = Stage::new(LONG);
    for export in ALL {
        let reason = trapped(export, stage.broken(export, "trap").await);
        assert!(reason.starts_with("trapped: wasm trap: "), "{export:?}: {reason}");
    }
}

/// Guards I12.
///
/// Without: plugin/call/log.rs: `last_words`.
#[tokio::test]
pub(super) async fn every_export_that_panics_is_caught_with_its_words() {
    let stage = Stage::new(LONG);
    for export in ALL {
        let reason = trapped(export, stage.broken(export, "panic").await);
        let is_told = reason.starts_with("panicked at ") && reason.contains(": told to");
        assert!(is_told, "{export:?}: {reason}");
    }
}

/// Guards I7: what a call is refused takes no memory, however often it asks.
///
/// Without: plugin/call/log.rs: `most`, or any other list that grows with what is asked for; and as
/// for who spins.
#[tokio::test]
pub(super) async fn calls_of_the_host_without_end_are_over_at_the_deadline() {
    let stage = Stage::new(SHORT);
    for function in ["log", "settings", "get", "set", "emit", "send", "alert"] {
        let Called { ended, log, .. } =
            stage.handled(json!({ "do": "calls", "call": function })).await;
        let error = ended.unwrap_err();
        assert!(is_over(&error), "{function}: {error}");
        let lines = if function == "log" { 51 } else { 0 };
        assert_eq!(log.len(), lines, "{function}: {log:?}");
    }
}
