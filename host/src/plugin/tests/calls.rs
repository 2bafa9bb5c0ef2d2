//! What a guest does, and what becomes of it.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::effect::{Asked, Effect};
use crate::event::{Event, Request, Timestamp};
use crate::provider::{Claims, Proof};
use crate::retry::Outcome;
use crate::tenant::Tenant;

const NOW: Timestamp = Timestamp(1_700_000_000_000);

pub(super) struct Guest {
    pub(super) host: Host,
    pub(super) plugin: Arc<Plugin>,
}

impl Guest {
    pub(super) fn new() -> Self {
        let mut config = config();
        config.deadlines = Deadlines {
            claims: Duration::from_millis(200),
            parse: Duration::from_millis(200),
            handle: Duration::from_millis(200),
            ..config.deadlines
        };
        let host = Host::new(config).unwrap();
        let plugin = host.load(name("guest"), &guest()).unwrap();
        Self { host, plugin }
    }

    pub(super) async fn claims(&self, command: Value) -> Result<Vec<String>, CallError> {
        let claims =
            self.host.claims(&self.plugin, &settings(), &name("shop"), &request(&command)).await?;
        let evidence = claims.unwrap().evidence;
        let token = |proof| match proof {
            Proof::Token(token) => token,
            other => panic!("{other:?}"),
        };
        Ok(evidence.into_iter().flat_map(|evidence| evidence.proofs).map(token).collect())
    }

    pub(super) async fn parse(&self, command: Value) -> Called<Result<Vec<Event>, Outcome>> {
        let source = name("shop");
        self.host.parse(&self.plugin, &settings(), &source, &request(&command)).await
    }

    pub(super) async fn handle(&self, command: Value) -> Called<Result<Vec<Effect>, Outcome>> {
        self.handle_with(command, Arc::new(|_: &str| Ok(None))).await
    }

    pub(super) async fn handle_with(
        &self,
        command: Value,
        state: StateReader,
    ) -> Called<Result<Vec<Effect>, Outcome>> {
        let Called { ended, log, denied } = self.asked_with(command, state).await;
        Called { ended: ended.map(|answer| answer.map(|asked| asked.effects)), log, denied }
    }

    pub(super) async fn asked_with(
        &self,
        command: Value,
        state: StateReader,
    ) -> Called<Result<Asked, Outcome>> {
        let grant = Arc::new(Grant { endpoints: [name("crm")].into(), ..Grant::default() });
        let event = event(&command);
        self.host
            .handle(&self.plugin, &settings(), &event, told("run_1"), &grant, doors(state))
            .await
    }
}

/// What a handler is told of its first try of this run.
pub(super) fn told(run_id: &str) -> HandleContext {
    HandleContext {
        source: "shop".to_owned(),
        event_id: "evt_1".to_owned(),
        run_id: run_id.to_owned(),
        attempt: 1,
        now: NOW,
        replay_by: None,
        tenant: None,
    }
}

/// Where the operator has every endpoint.
pub(super) fn doors(state: StateReader) -> Doors {
    let endpoints = |tenant: Option<&Tenant>, name: &Name| tenant.is_none().then(|| name.clone());
    Doors { state, endpoints: Arc::new(endpoints) }
}

pub(super) fn settings() -> Arc<str> {
    Arc::from("{}")
}

pub(super) fn request(command: &Value) -> Arc<Request> {
    Arc::new(Request {
        method: "POST".to_owned(),
        url: "/in/shop".to_owned(),
        headers: [("x-token", "sesame")].into_iter().collect(),
        body: Bytes::from(command.to_string()),
        received_at: NOW,
    })
}

pub(super) fn event(command: &Value) -> Arc<Event> {
    Arc::new(Event {
        source: name("shop"),
        id: "1".to_owned(),
        event_type: "guest.asked".to_owned(),
        subject: Some("order_1".to_owned()),
        time: NOW,
        money: None,
        labels: vec![("country".to_owned(), "DE".to_owned())],
        data: command.clone().into(),
    })
}

/// What a plugin wrote that returned.
pub(super) fn lines<T>(called: Called<T>) -> Vec<String> {
    called.ended.expect("the plugin returns");
    called.log.into_iter().map(|line| line.message).collect()
}

#[tokio::test]
async fn claims_and_events_come_through_whole() {
    let guest = Guest::new();
    assert_eq!(guest.claims(json!({})).await.unwrap(), ["sesame"]);

    let parsed = guest.parse(json!({ "id": "42", "type": "payment.failed" })).await;
    let events = parsed.ended.unwrap().unwrap();
    assert_eq!((events[0].id.as_str(), events[0].event_type.as_str()), ("42", "payment.failed"));
    assert_eq!((events[0].source.as_str(), events[0].time), ("shop", NOW));
}

/// Guards I11: a source whose claims use up their time would rest for nine times as long.
#[tokio::test]
async fn an_early_parse_that_spins_is_over_in_the_time_for_claims_and_holds_up_no_claims() {
    let guest = Guest::new();
    let claims = Duration::from_secs(1);
    let early = Duration::from_secs(20);
    guest.host.set_deadlines(Deadlines { claims, early, ..Deadlines::default() });
    let began = Instant::now();
    let (settings, source) = (settings(), name("shop"));
    let request = request(&json!({ "do": "spin", "at": "parse" }));
    for _ in 0..3 {
        let (host, plugin) = (guest.host.clone(), Arc::clone(&guest.plugin));
        let spin = {
            let (settings, source, request) =
                (Arc::clone(&settings), source.clone(), Arc::clone(&request));
            move |_: Claims, kept: Option<Kept<'_>>| {
                host.parse_early(&plugin, &settings, &source, &request, kept)
            }
        };
        let called = guest.host.claims_and(&guest.plugin, &settings, &source, &request, spin).await;
        let (Called { ended, .. }, _) = called.unwrap().unwrap().expect("it may take time");
        assert!(matches!(ended, Err(CallError::Deadline { .. })), "{ended:?}");
    }
    assert_eq!(guest.claims(json!({})).await.unwrap(), ["sesame"]);
    assert!(began.elapsed() < 9 * claims, "it took {:?}", began.elapsed());
}

#[tokio::test]
async fn a_refusal_and_a_failure_are_answers() {
    let guest = Guest::new();
    let request = request(&json!({ "do": "fail", "at": "claim" }));
    let refusal =
        guest.host.claims(&guest.plugin, &settings(), &name("shop"), &request).await.unwrap();
    assert_eq!(refusal.unwrap_err().reason, "told to");

    let failed = guest.parse(json!({ "do": "fail", "at": "parse" })).await;
    assert!(matches!(failed.ended, Ok(Err(Outcome::Permanent { .. }))));

    let again = guest.handle(json!({ "do": "retry", "after_ms": 5000 })).await;
    let Ok(Err(Outcome::Transient { retry_after, .. })) = again.ended else { panic!("{again:?}") };
    assert_eq!(retry_after, Some(Duration::from_secs(5)));
}

#[tokio::test]
async fn a_guest_that_spins_is_stopped_and_the_next_call_is_served() {
    let guest = Guest::new();
    let spinning = guest.claims(json!({ "do": "spin", "at": "claim" })).await;
    assert!(matches!(spinning, Err(CallError::Deadline { .. })));
    let spinning = guest.handle(json!({ "do": "spin" })).await;
    assert!(matches!(spinning.ended, Err(CallError::Deadline { .. })));
    assert!(guest.handle(json!({})).await.ended.is_ok());
}

#[tokio::test]
async fn a_stack_that_overflows_is_told_from_other_traps_with_its_size() {
    let guest = Guest::new();
    let reason = async |command| guest.handle(command).await.ended.unwrap_err().to_string();
    let overflow = "the plugin trapped: its stack of 128 KiB overflowed (`stack` in [package";
    let recursed = reason(json!({ "do": "recurse" })).await;
    assert!(recursed.starts_with(overflow), "{recursed}");
    let panicked = reason(json!({ "do": "trap" })).await;
    assert!(!panicked.contains("overflowed"), "{panicked}");
}

#[tokio::test]
async fn the_default_stack_reads_json_as_deep_as_serde_json_does() {
    let guest = Guest::new();
    let nested = format!("{}{}", "[".repeat(126), "]".repeat(126));
    assert!(guest.handle(json!({ "do": "read", "text": nested })).await.ended.is_ok());
}

#[tokio::test]
async fn a_value_that_is_too_large_to_pass_breaks_the_contract() {
    let guest = Guest::new();
    let sent = json!({ "do": "send", "endpoint": "crm", "bytes": 9 << 20 });
    let error = guest.handle(sent).await.ended.unwrap_err().to_string();
    let reason = "the plugin broke the contract: `a value` has more than 8388608 bytes";
    assert_eq!(error, reason);
}

#[tokio::test]
async fn spinning_handlers_hold_up_no_claims() {
    let guest = Guest::new();
    let spin = || guest.handle(json!({ "do": "spin" }));
    let spinning = async { tokio::join!(spin(), spin(), spin(), spin(), spin()) };
    tokio::select! {
        biased;
        _ = spinning => panic!("five spinning handlers on four threads cannot be first"),
        claims = guest.claims(json!({})) => assert!(claims.is_ok()),
    }
}

#[tokio::test]
async fn a_trap_names_where_it_was() {
    let guest = Guest::new();
    let trapped = guest.handle(json!({ "do": "trap" })).await;
    let Err(CallError::Trap { reason }) = &trapped.ended else { panic!("{trapped:?}") };
    assert!(reason.starts_with("trapped: wasm trap: "), "{reason}");
    assert!(reason.contains("unreachable"), "{reason}");
    assert!(reason.contains("panick") && !reason.contains(" function "), "{reason}");
}

#[tokio::test]
async fn a_panic_is_told_with_its_text_and_its_place() {
    #[track_caller]
    fn check(error: &CallError) {
        let told = error.to_string();
        let place =
            told.strip_prefix("the plugin panicked at ").unwrap_or_else(|| panic!("{told}"));
        let place = place.strip_suffix(": told to, in two lines\\nof text");
        let place = place.unwrap_or_else(|| panic!("{told}"));
        assert!(place.contains("src/misbehave.rs:"), "{told}");
    }
    let guest = Guest::new();
    let panic = |at: &str| json!({ "do": "panic", "at": at });
    check(&guest.handle(panic("handle")).await.ended.unwrap_err());
    check(&guest.parse(panic("parse")).await.ended.unwrap_err());
    check(&guest.claims(panic("claim")).await.unwrap_err());
    let settings = Arc::from(r#"{"refuse":{"do":"panic"}}"#);
    let checked = guest.host.check(&guest.plugin, Role::Handler, &settings).await;
    check(&checked.ended.unwrap_err());
}

#[tokio::test]
async fn an_error_before_another_trap_is_told_with_it() {
    let guest = Guest::new();
    let command = json!({ "do": "log", "level": "error", "text": "no rate", "then": "recurse" });
    let told = guest.handle(command).await.ended.unwrap_err().to_string();
    let words = "the plugin trapped after the error `no rate`: its stack of 128 KiB overflowed";
    assert!(told.starts_with(words), "{told}");
}

#[tokio::test]
async fn what_is_made_of_claims_is_made_on_the_threads_of_claims() {
    let Guest { host, plugin } = Guest::new();
    let (source, request) = (name("shop"), request(&json!({})));
    let thread = || std::thread::current().name().unwrap_or_default().to_owned();

    let here = move |_: Claims, _: Option<Kept<'_>>| thread();
    let made = host.claims_and(&plugin, &settings(), &source, &request, here).await;
    let done = host.in_turn(&source, thread).await;

    for thread in [made.unwrap().unwrap(), done.unwrap()] {
        assert!(thread.starts_with("plugin-claims-"), "{thread}");
    }
}

#[tokio::test]
async fn a_guest_that_hoards_memory_is_stopped() {
    let hoarded = Guest::new().parse(json!({ "do": "hoard", "at": "parse" })).await;
    let error = hoarded.ended.unwrap_err();
    assert!(matches!(error, CallError::Memory { limit: 0x200_0000 }), "{error}");
}

#[tokio::test]
async fn a_violation_is_refused_by_name() {
    let guest = Guest::new();
    let about = async |about: &str| {
        let command = json!({ "do": "violate", "at": "parse", "about": about });
        match guest.parse(command).await.ended.unwrap_err() {
            CallError::Violation(violation) => violation.field,
            other => panic!("{other}"),
        }
    };
    assert_eq!(about("type").await, "event.type");
    assert_eq!(about("data").await, "event.data");
    assert_eq!(about("size").await, "events");
    let many = guest.parse(json!({ "do": "nothing", "at": "parse", "events": 1001 })).await;
    assert!(matches!(many.ended, Err(CallError::Violation(_))));
    let claims = guest.claims(json!({ "do": "violate", "at": "claim" })).await;
    let Err(CallError::Violation(violation)) = &claims else { panic!("{claims:?}") };
    assert_eq!(violation.field, "claims.evidence");
    let deletes = guest.handle(json!({ "do": "violate" })).await.ended.unwrap_err();
    assert!(matches!(deletes, CallError::Violation(_)), "{deletes}");
}

#[tokio::test]
async fn a_thousand_events_are_not_too_many() {
    let many = json!({ "do": "nothing", "at": "parse", "events": 1000 });
    let parsed = Guest::new().parse(many).await;
    assert_eq!(parsed.ended.unwrap().unwrap().len(), EVENTS_MAX);
}

#[tokio::test]
async fn a_flood_of_log_lines_is_cut() {
    let guest = Guest::new();
    let flood = json!({ "do": "log", "lines": 1000, "text": "red \u{1b}[31m\n" });
    let log = lines(guest.handle(flood).await);
    assert_eq!(log.len(), 51);
    assert_eq!(log[0], "red \\u{1b}[31m\\n");
    assert_eq!(log[50], "the gateway dropped 950 more lines: a call may write 50");
}

#[tokio::test]
async fn every_call_has_a_fresh_instance() {
    let guest = Guest::new();
    for _ in 0..3 {
        assert_eq!(lines(guest.handle(json!({ "do": "count" })).await), ["1"]);
    }
}

#[tokio::test]
async fn settings_are_checked_by_the_plugin() {
    let guest = Guest::new();
    let check = async |role, settings: &str| {
        guest.host.check(&guest.plugin, role, &Arc::from(settings)).await.ended.unwrap()
    };
    assert_eq!(check(Role::Provider, "{}").await, Ok(()));
    let refused = check(Role::Handler, r#"{"refuse":"no url"}"#).await;
    assert_eq!(refused, Err("no url".to_owned()));
}

#[tokio::test]
async fn a_provider_signs_for_developers() {
    let guest = Guest::new();
    let request = request(&json!({}));
    let digests = vec![b"token".to_vec()];
    let signed =
        guest.host.sign(&guest.plugin, &settings(), &request, NOW, digests).await.unwrap().unwrap();
    assert_eq!(signed.headers.iter().next_back(), Some(("x-token", "token")));
}

#[tokio::test]
async fn a_plugin_is_only_called_as_what_it_is() {
    let host = host();
    let module = module_for("handler-plugin", &handler_by_hand("", "(i32.const 8)"));
    let plugin = host.load(name("test"), &module).unwrap();
    let claims = host.claims(&plugin, &settings(), &name("shop"), &request(&json!({}))).await;
    assert!(claims.unwrap_err().to_string().contains("the plugin is not a provider"));
}
