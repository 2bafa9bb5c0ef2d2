//! A plugin that misbehaves on command.
//!
//! The command is the JSON that it is given, a request's body or an event's data: `{"do": "spin",
//! "at": "parse"}`, or for `check` the setting `refuse`. What it can do is a list that its tests
//! share (`behaviour`). `at` is the function that does it: `claim`, `parse`, `sign`, or `handle`,
//! which it is if nothing is said. A handler may fail behind that: `"then": "retry"`, and only
//! before a try with `"until": 2`. A request may name its own answer: `"reply": {"status": 201}`.
//! What it emits it gets back only as `guest.emitted`, the one type that it names. It stands on the
//! bare contract instead of the SDK, because it has to do what the SDK would not let it.

mod behaviour;
mod edition;
mod misbehave;

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use self::behaviour::Behaviour;
use self::bindings::exports::hookgate::plugin::handler::{self, HandlerInfo};
use self::bindings::exports::hookgate::plugin::provider::{
    self, Answer, Claims, ClockRule, Digest, DigestText, Evidence, Hash, KeyEncoding, KeyFormat,
    KeyLookup, KeyPlace, KeySource, Piece, Proof, ProofInfo, ProofKind, ProviderInfo, PublicKey,
    Refusal, SecretForm, Signature, Value as Computed, ValuePart, Worth,
};
use self::bindings::hookgate::plugin::outbox::{self, Emission, Severity};
use self::bindings::hookgate::plugin::types::{
    Event, Failure, FailureKind, Request, Setting, SettingKind,
};
use self::bindings::hookgate::plugin::{log, settings, state};
use self::misbehave::{giant, misbehave};

#[cfg_attr(
    target_family = "wasm",
    expect(unsafe_code, reason = "the raw functions that the host calls are generated")
)]
mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "plugin" });
    #[cfg(target_family = "wasm")]
    export!(Guest with_types_in self);
    #[cfg(target_family = "wasm")]
    use super::Guest;
}

/// Only a component has exports: a native linker takes their names for versions. Natively it is
/// enough that the type fits.
#[cfg(not(target_family = "wasm"))]
const _: fn() -> ProviderInfo = <Guest as provider::Guest>::describe;
#[cfg(not(target_family = "wasm"))]
const _: fn() -> HandlerInfo = <Guest as handler::Guest>::describe;

struct Guest;

/// How many calls this instance has seen. A second one can only be an early parse, and a third one
/// would be a leak.
static CALLS: AtomicU32 = AtomicU32::new(0);

/// What is asked for at this function, in a call that counts; nothing if it is meant for another.
fn command(json: &[u8], here: &str) -> (Behaviour, Value) {
    CALLS.fetch_add(1, Ordering::Relaxed);
    let value: Value = serde_json::from_slice(json).unwrap_or_default();
    let is_here = text(&value, "at", "handle") == here;
    let asked = if is_here { behaviour(&value, "do") } else { Behaviour::Nothing };
    (asked, value)
}

/// What a command names under this key, if anything. A test that names what is not in the list is
/// wrong, and fails.
fn behaviour(command: &Value, key: &str) -> Behaviour {
    let name = text(command, key, "nothing");
    Behaviour::of(name).unwrap_or_else(|| panic!("there is no behaviour `{name}`"))
}

fn text<'a>(command: &'a Value, key: &str, otherwise: &'a str) -> &'a str {
    command[key].as_str().unwrap_or(otherwise)
}

/// The labels of the event: `{"labels": {"merchant": "acme"}}`.
fn labels(command: &Value) -> Vec<(String, String)> {
    let labels = command["labels"].as_object().into_iter().flatten();
    let label = |(name, value): (&String, &Value)| {
        (name.clone(), value.as_str().unwrap_or_default().to_owned())
    };
    labels.map(label).collect()
}

/// Takes memory for good, in every call about a request that says how many MiB: `{"leak": 20}`.
fn leak(command: &Value) {
    let mib = command["leak"].as_u64().and_then(|it| usize::try_from(it).ok()).unwrap_or(0);
    black_box(vec![1_u8; mib << 20].leak());
}

/// Claims of what most providers do not do: being asked, and keys that have to be fetched.
fn unusual(request: &Request, asked: Behaviour) -> Option<Claims> {
    let nothing = || Claims {
        values: Vec::new(),
        evidence: Vec::new(),
        signed_at: None,
        event_ids: Vec::new(),
        plain_body: None,
        handshake: None,
        reply: None,
    };
    if asked == Behaviour::Fetch {
        let url = "https://localhost:1/keys/one".to_owned();
        let proof = Proof::Signature(Signature {
            algorithm: PublicKey::EcdsaP256,
            key: KeySource::Fetched(KeyLookup { url, post: None, id: None }),
            message: vec![Piece::Body],
            signatures: vec![vec![0; 64]],
        });
        let evidence = vec![Evidence { proofs: vec![proof], worth: None }];
        return Some(Claims { evidence, ..nothing() });
    }
    let query = (request.method == "GET").then(|| request.url.split_once("?digest="))??;
    let digest = Digest {
        hash: Hash::Sha256,
        key: Some(SecretForm { encoding: KeyEncoding::Text, prefix: None }),
        message: vec![Piece::Text(query.1.to_owned())],
    };
    let digested = ValuePart { index: 0, written: DigestText::Hex, start: 0, end: None };
    let body = vec![Piece::Text("it is ".to_owned()), Piece::Value(digested)];
    let (content_type, headers) = ("text/plain".to_owned(), Vec::new());
    let handshake = Some(Answer { status: 200, content_type, headers, body });
    Some(Claims { values: vec![Computed::Digest(digest)], handshake, ..nothing() })
}

/// The answer that the request asks for, if it asks for one: `{"reply": {"status": 201}}`.
fn reply(command: &Value) -> Option<Answer> {
    let asked = command.get("reply")?;
    let body = text(asked, "text", "").to_owned();
    Some(Answer {
        status: asked["status"].as_u64().and_then(|it| u16::try_from(it).ok()).unwrap_or(200),
        content_type: text(asked, "type", "").to_owned(),
        headers: Vec::new(),
        body: if body.is_empty() { Vec::new() } else { vec![Piece::Text(body)] },
    })
}

/// What the tests write into its configuration: `mode` is for nothing.
fn declared() -> Vec<Setting> {
    let setting = |name: &str| Setting {
        name: name.to_owned(),
        kind: SettingKind::Any,
        required: false,
        default: None,
        example: "null".to_owned(),
        help: "for tests".to_owned(),
    };
    vec![setting("refuse"), setting("mode")]
}

/// `refuse` is the reason to refuse the settings, or a command.
fn check() -> Result<(), String> {
    let settings: Value = serde_json::from_str(&settings::get()).unwrap_or_default();
    // That of an edition, and of no other.
    if edition::number() > 0 && settings["mode"] == edition::number() {
        return Err("this edition has no such mode".to_owned());
    }
    let refuse = &settings["refuse"];
    if let Some(reason) = refuse.as_str() {
        return Err(reason.to_owned());
    }
    let asked = behaviour(refuse, "do");
    misbehave(asked, refuse);
    if asked == Behaviour::Return { Err(giant()) } else { Ok(()) }
}

impl provider::Guest for Guest {
    fn describe() -> ProviderInfo {
        ProviderInfo {
            name: "guest".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            scheme: "a token".to_owned(),
            types: vec!["*".to_owned()],
            proofs: vec![
                ProofInfo { kind: ProofKind::Token, worth: Worth::Weak },
                ProofInfo { kind: ProofKind::Signature, worth: Worth::Bound },
            ],
            clock: ClockRule::Past,
            tolerance_ms: None,
            reply: None,
            refusal_status: 401,
            methods: Vec::new(),
            handshakes: vec!["GET".to_owned()],
            key_places: vec![KeyPlace {
                url: "https://localhost:1/keys/".to_owned(),
                format: KeyFormat::Jwk,
            }],
            roots: Vec::new(),
            settings: declared(),
        }
    }

    fn check() -> Result<(), String> {
        check()
    }

    fn claim(request: Request) -> Result<Claims, Refusal> {
        let (asked, command) = command(&request.body, "claim");
        leak(&command);
        misbehave(asked, &command);
        match asked {
            Behaviour::Fail => return Err(Refusal { reason: "told to".to_owned() }),
            Behaviour::Return => return Err(Refusal { reason: giant() }),
            _ => (),
        }
        if let Some(claims) = unusual(&request, asked) {
            return Ok(claims);
        }
        let header = request.headers.iter().find(|header| header.name == "x-token");
        let token = header.map_or_else(String::new, |header| header.value.clone());
        let proofs = vec![Proof::Token(token)];
        let count = if asked == Behaviour::Violate { 1_000 } else { 1 };
        Ok(Claims {
            values: Vec::new(),
            evidence: vec![Evidence { proofs, worth: None }; count],
            signed_at: None,
            event_ids: command["id"].as_str().map(str::to_owned).into_iter().collect(),
            plain_body: None,
            handshake: None,
            reply: reply(&command),
        })
    }

    fn parse(request: Request) -> Result<Vec<Event>, Failure> {
        let (asked, command) = command(&request.body, "parse");
        leak(&command);
        misbehave(asked, &command);
        failure(asked, &command)?;
        let mut event = Event {
            id: text(&command, "id", "1").to_owned(),
            type_: text(&command, "type", "guest.asked").to_owned(),
            subject: command["subject"].as_str().map(str::to_owned),
            time: None,
            money: None,
            labels: labels(&command),
            data: String::from_utf8(request.body).unwrap_or_default(),
        };
        match asked {
            Behaviour::Nothing if command["events"].is_u64() => {
                let count = command["events"].as_u64().unwrap_or(1);
                let numbered =
                    |number| Event { id: format!("{}-{number}", event.id), ..event.clone() };
                Ok((1..=count).map(numbered).collect())
            }
            Behaviour::Violate => {
                match text(&command, "about", "type") {
                    "data" => event.data = "{".to_owned(),
                    "size" => event.data = format!("\"{}\"", "x".repeat(5 << 20)),
                    _ => event.type_ = "not a type".to_owned(),
                }
                Ok(vec![event])
            }
            _ => Ok(vec![event]),
        }
    }

    fn sign(
        mut request: Request,
        _signed_at: u64,
        digests: Vec<Vec<u8>>,
    ) -> Result<Request, String> {
        let (asked, command) = command(&request.body, "sign");
        misbehave(asked, &command);
        match asked {
            Behaviour::Fail => return Err("told to".to_owned()),
            Behaviour::Return => return Err(giant()),
            _ => (),
        }
        let token = digests
            .first()
            .map_or_else(String::new, |digest| String::from_utf8_lossy(digest).into_owned());
        let header =
            bindings::hookgate::plugin::types::Header { name: "x-token".to_owned(), value: token };
        request.headers.push(header);
        Ok(request)
    }
}

impl handler::Guest for Guest {
    fn describe() -> HandlerInfo {
        HandlerInfo {
            name: "guest".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            types: vec!["*".to_owned(), "guest.emitted".to_owned()],
            emits: vec!["*".to_owned()],
            settings: declared(),
            states: Vec::new(),
        }
    }

    fn check() -> Result<(), String> {
        check()
    }

    fn handle(event: Event, context: handler::Context) -> Result<(), Failure> {
        let (asked, command) = command(event.data.as_bytes(), "handle");
        if edition::fails_on(&event.id) {
            let reason = "this edition does".to_owned();
            let kind = FailureKind::Transient;
            return Err(Failure { kind, reason, retry_after_ms: None });
        }
        misbehave(asked, &command);
        obey(asked, &command, &event, &context)?;
        if u64::from(context.attempt) >= command["until"].as_u64().unwrap_or(u64::MAX) {
            return Ok(());
        }
        let then = behaviour(&command, "then");
        misbehave(then, &command);
        failure(asked, &command)?;
        failure(then, &command)
    }
}

/// Asks the host for what it is told to.
fn obey(
    asked: Behaviour,
    command: &Value,
    event: &Event,
    context: &handler::Context,
) -> Result<(), Failure> {
    match asked {
        Behaviour::Emit => {
            let times = command["times"].as_u64().unwrap_or(1);
            (0..times).try_for_each(|_| emit(event, command)).map_err(refused)
        }
        Behaviour::Send => {
            let times = command["times"].as_u64().unwrap_or(1);
            let (endpoint, body) = (text(command, "endpoint", ""), text(command, "text", ""));
            let more = command["bytes"].as_u64().and_then(|it| usize::try_from(it).ok());
            let body = [body.as_bytes(), &vec![b'x'; more.unwrap_or(0)]].concat();
            (0..times)
                .try_for_each(|_| outbox::send(endpoint, "text/plain", &body))
                .map_err(refused)
        }
        Behaviour::Alert => {
            let message = text(command, "text", "told to");
            let severity = match text(command, "severity", "warning") {
                "critical" => Severity::Critical,
                _ => Severity::Warning,
            };
            outbox::alert(severity, message).map_err(refused)
        }
        Behaviour::State => remember(command),
        Behaviour::Violate => {
            for number in 0..100 {
                state::delete(&number.to_string());
            }
            Ok(())
        }
        Behaviour::Attempt => {
            log::write(log::Level::Info, &format!("{context:?}"));
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Emits the data of the command, or with `"again": true` the whole command.
fn emit(event: &Event, command: &Value) -> Result<(), outbox::Refusal> {
    let data = if command["again"] == true { command } else { &command["data"] };
    outbox::emit(&Emission {
        type_: text(command, "emits", "guest.emitted").to_owned(),
        subject: event.subject.clone(),
        money: event.money.clone(),
        labels: event.labels.clone(),
        data: data.to_string(),
        tenant: command["tenant"].as_str().map(str::to_owned),
    })
}

/// Sets one key of the state, to so many bytes or to one more than it was.
fn remember(command: &Value) -> Result<(), Failure> {
    let key = text(command, "key", "count");
    match command["bytes"].as_u64().and_then(|it| usize::try_from(it).ok()) {
        Some(bytes) => state::set(key, &vec![b'x'; bytes]).map_err(refused),
        None => add_one(key),
    }
}

/// Counts in the state, says how far, and makes sure that it sees what it wrote.
fn add_one(key: &str) -> Result<(), Failure> {
    let before = state::get(key).and_then(|value| value.first().copied()).unwrap_or(0);
    state::set(key, &[before + 1]).map_err(refused)?;
    assert_eq!(state::get(key), Some(vec![before + 1]), "a run sees what it set");
    log::write(log::Level::Info, &(before + 1).to_string());
    Ok(())
}

fn failure(asked: Behaviour, command: &Value) -> Result<(), Failure> {
    let kind = match asked {
        Behaviour::Fail | Behaviour::Return => FailureKind::Permanent,
        Behaviour::Retry => FailureKind::Transient,
        _ => return Ok(()),
    };
    let reason = match asked {
        Behaviour::Return => giant(),
        _ => text(command, "reason", "told to").to_owned(),
    };
    Err(Failure { kind, reason, retry_after_ms: command["after_ms"].as_u64() })
}

fn refused(refusal: impl std::fmt::Debug) -> Failure {
    let reason = format!("{refusal:?}");
    Failure { kind: FailureKind::Permanent, reason, retry_after_ms: None }
}
