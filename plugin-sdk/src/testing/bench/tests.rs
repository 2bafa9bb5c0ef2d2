//! Runs in a bench, and what the gateway would make of them.

use std::cell::{Cell, RefCell};

use super::*;
use crate::event::FailureKind;
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
        let setting = Setting::any("a", &1, "for tests");
        HandlerInfo::new("obedient", "0", &["*"]).emitting(&["a.b"]).with_settings([setting])
    }

    fn handle(event: &Event, context: &Context) -> Result<(), Failure> {
        for order in event.json::<String>()?.split(' ') {
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
    let orders = format!("\"{orders}\"");
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
    let set = || (0..17).try_for_each(|key| Ok(state::set(&key.to_string(), &vec![0; 256 << 10])?));
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
fn of_all_that_a_run_breaks_the_first_is_its_reason() {
    let all = || {
        drop(outbox::send("crm", "text/plain", &vec![0; 20 << 20]));
        (0..70).for_each(|key| state::delete(&key.to_string()));
        Ok(())
    };
    let broke = "the plugin broke the contract: `a value` has more than 8388608 bytes";
    refused(all, broke);
    let other_way_round = || {
        (0..70).for_each(|key| state::delete(&key.to_string()));
        drop(outbox::send("crm", "text/plain", &vec![0; 20 << 20]));
        Ok(())
    };
    let broke = "the plugin broke the contract: `state.delete` a run has at most 64 effects";
    refused(other_way_round, broke);
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
        || emit(|it| it.type_ = "hookgate.disk.low".into()),
        "`emission.type` is `hookgate.disk.low`, a type of the gateway's own events",
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
        "not granted: the operator has not granted the tenant `acme`",
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
        &format!("not granted: the operator has not granted the endpoint `{}`", "b\\n".repeat(21)),
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

#[test]
fn a_run_may_emit_its_share_of_what_a_receipt_may_cause() {
    SCRIPT.set(|| {
        emit(|it| it.data = r#"{"a":1}"#.to_owned())?;
        Ok(outbox::alert(Severity::Info, "x")?)
    });
    let mut bench = Bench::new();
    let reason = |bench: &mut Bench| {
        let ran = bench.handle::<Scripted>(&event("a", ""));
        ran.outcome.map_err(|failure| (failure.kind, failure.reason))
    };
    bench.set_allowance(1, 1_000);
    // The alert is an event too: `hookgate.alert`, with a label, data and the subject.
    let data = r#"{"event":"evt_1","message":"x","run":"run_1","severity":"info"}"#;
    let bytes = "a.b".len() + r#"{"a":1}"#.len();
    let alert = "hookgate.alert".len() + "a".len() + "severityinfo".len() + data.len();
    let bytes = bytes + alert;
    let much = format!(
        "the run emits 2 events of {bytes} bytes together, but its share of the receipt's \
         allowance is 1 events of 1000 bytes (limits.emitted_events = 1000, limits.emitted_bytes = \
         16777216)"
    );
    assert_eq!(reason(&mut bench), Err((FailureKind::Permanent, much)));
    bench.set_allowance(2, bytes);
    assert_eq!(reason(&mut bench), Ok(()));
    bench.set_allowance(2, bytes - 1);
    assert!(reason(&mut bench).is_err());
    SCRIPT.set(|| Ok(state::set("0", b"x")?));
    bench.set_allowance(0, 0);
    assert_eq!(reason(&mut bench), Ok(()));
}

#[test]
fn a_run_knows_its_source_its_try_and_who_asked_for_it_again() {
    thread_local! {
        static SEEN: RefCell<Option<(Option<Timestamp>, Context)>> = const { RefCell::new(None) };
    }
    struct Curious;
    impl Handler for Curious {
        type Settings = ();

        fn describe() -> HandlerInfo {
            HandlerInfo::new("curious", "0", &["*"])
        }

        fn handle(event: &Event, context: &Context) -> Result<(), Failure> {
            SEEN.set(Some((event.time, context.clone())));
            Ok(())
        }
    }
    let mut bench = Bench::new();
    bench.set_now(7);
    bench.handle::<Curious>(&event("a", ""));
    let (time, first) = SEEN.take().unwrap();
    assert_eq!((time, &*first.source, first.attempt, first.now), (Some(7), "bench", 1, 7));
    assert_eq!((first.replay, first.tenant), (None, None));

    bench.set_source("stripe");
    bench.set_attempt(3);
    bench.set_replay("operator");
    bench.handle::<Curious>(&Event { time: Some(5), ..event("a", "") });
    let (time, second) = SEEN.take().unwrap();
    assert_eq!((time, &*second.source, second.attempt), (Some(5), "stripe", 3));
    assert_eq!(second.replay.map(|replay| replay.by).as_deref(), Some("operator"));
}

#[test]
fn only_a_run_may_ask_for_effects() {
    let only = "only `handle` may ask for effects";
    let mut seen = Vec::new();
    Bench::new().granting("crm").call(|| {
        seen.push(emit(|_| ()));
        seen.push(outbox::send("crm", "text/plain", b"").map_err(Into::into));
        seen.push(outbox::alert(Severity::Info, "x").map_err(Into::into));
        seen.push(state::set("0", b"x").map_err(Into::into));
    });
    let reasons: Vec<String> = seen.into_iter().map(|it| it.unwrap_err().reason).collect();
    let [effect, set] = ["effect", "state"].map(|what| format!("invalid {what}: {only}"));
    assert_eq!(reasons, [effect.clone(), effect.clone(), effect, set]);
    let deleted = std::panic::catch_unwind(|| Bench::new().call(|| state::delete("0")));
    assert!(deleted.is_err());
}

#[test]
fn an_event_that_the_gateway_never_has_is_no_test() {
    for wrong in [
        Event { data: "{".to_owned(), ..event("a", "") },
        Event { type_: "a b".to_owned(), ..event("a", "") },
        event("", ""),
    ] {
        let run = || Bench::new().handle::<Scripted>(&wrong);
        assert!(std::panic::catch_unwind(run).is_err(), "{wrong:?}");
    }
    // The gateway's own label.
    let labels = vec![("proof".to_owned(), "weak".to_owned())];
    SCRIPT.set(|| Ok(()));
    let ran = Bench::new().handle::<Scripted>(&Event { labels, ..event("a", "") });
    assert_eq!(ran.outcome, Ok(()));
}
