//! Requests that nobody would send, through the very wasm that is served: a provider refuses or
//! answers, but never traps, lies or runs out of time; and what it parses in the instance of its
//! claims are the events that it parses in a fresh one.
//!
//! The same is done natively, and much more often, beside each provider; this is the share that
//! also goes through the sandbox. `HOOKGATE_FUZZ_WASM` says how many for each; with it, the bodies
//! that are made to cost much have a whole MiB, and the dearest of each provider is reported.

mod crafted;

mod configuration;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookgate::event::Request;
use hookgate::plugin::{About, Compiler, Config, Host, Plugin, Sample};

use crate::harness::{NOW, plugin_file, providers};

/// How many requests for each provider, where nobody says.
const COUNT_DEFAULT: usize = 200;
/// The bytes of a crafted body: in the long form, and otherwise.
const CRAFTED_BYTES: (usize, usize) = (1 << 20, 64 << 10);
/// How often a call is measured. The fastest counts: the others waited for something else.
const ROUNDS: usize = 3;
/// The stack of a thread that runs guests.
const STACK_BYTES: usize = 8 << 20;
/// What breaks those who read carelessly.
const MORSELS: [&[u8]; 10] =
    [b"", b"null", b"-", b"99999999999999999999", b"\"", b"\xff", b"[[[[[[[[", b"&", b"%", b"<a>"];

/// Guards I12.
#[tokio::test]
async fn no_request_breaks_a_provider_in_its_sandbox() {
    let count = count_asked().unwrap_or(COUNT_DEFAULT);
    let mut config = Config::new(Compiler::InProcess, None);
    // Early parses are compared, and not cut off.
    config.deadlines.claims = Duration::from_secs(10);
    config.deadlines.early = Duration::from_secs(1);
    let host = Host::new(config).unwrap();
    let mut chance = fastrand::Rng::with_seed(0x5eed);
    let mut total = 0;
    for name in providers() {
        let wasm = std::fs::read(plugin_file(&name)).unwrap();
        let plugin = host.load(name.parse().unwrap(), &wasm).unwrap();
        let about = About::of_file(&wasm);
        let settings: Arc<str> =
            serde_json::Value::Object(about.example.clone()).to_string().into();
        let signed = samples(&host, &plugin, &settings, &about).await;
        for _ in 0..count {
            let request = damaged(&mut chance, &signed);
            read(&host, &plugin, &settings, request).await;
        }
        total += count;
    }
    println!("fuzz: {total} requests in the sandbox");
    assert!(total > 0);
}

/// Guards I7.
#[tokio::test]
async fn no_crafted_body_breaks_a_claim_in_its_sandbox() {
    let (whole, part) = CRAFTED_BYTES;
    let size = if count_asked().is_some() { whole } else { part };
    let mut config = Config::new(Compiler::InProcess, None);
    // What takes long is to be measured, not cut off.
    config.deadlines.claims = Duration::from_secs(10);
    config.deadlines.parse = Duration::from_secs(10);
    let host = Host::new(config).unwrap();
    for name in providers() {
        let wasm = std::fs::read(plugin_file(&name)).unwrap();
        let plugin = host.load(name.parse().unwrap(), &wasm).unwrap();
        let about = About::of_file(&wasm);
        let settings: Arc<str> =
            serde_json::Value::Object(about.example.clone()).to_string().into();
        let signed = samples(&host, &plugin, &settings, &about).await;
        let mut requests = Vec::new();
        for (request, sample) in signed.iter().zip(about.samples.values()).take(2) {
            for (kind, body) in crafted::bodies(sample.body.as_bytes(), size) {
                let request = Arc::new(Request { body: body.into(), ..request.clone() });
                let draft = host.sign(&plugin, &settings, &request, NOW, Vec::new()).await;
                requests.push((kind.clone(), request));
                if let Ok(Ok(draft)) = draft {
                    requests.push((format!("{kind}, as it would be signed"), Arc::new(draft)));
                }
            }
        }
        let milliseconds = |requests| {
            let (kind, took) = slowest(&host, &plugin, &settings, requests);
            (kind, took.as_secs_f64() * 1e3)
        };
        let ((_, plain), (kind, most)) = (milliseconds(&requests[..1]), milliseconds(&requests));
        println!(
            "fuzz: claim of {name} with {size} bytes: {plain:.1} ms, at most {most:.1} ms ({kind})"
        );
    }
}

/// The request whose claim takes longest, and how long.
fn slowest(
    host: &Host,
    plugin: &Plugin,
    settings: &Arc<str>,
    requests: &[(String, Arc<Request>)],
) -> (String, Duration) {
    let measure = |(kind, request): &(String, Arc<Request>)| {
        let round = |_| {
            let started = Instant::now();
            let claims = host.here(plugin).claims(settings, request);
            let took = started.elapsed();
            claims.map_or_else(|error| panic!("{}: {kind}: {error}", plugin.name()), |_| took)
        };
        (kind.clone(), (0..ROUNDS).map(round).min().unwrap())
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let all = || requests.iter().map(measure).max_by_key(|(_, took)| *took).unwrap();
        thread.spawn_scoped(scope, all).unwrap().join().unwrap()
    })
}

fn count_asked() -> Option<usize> {
    std::env::var("HOOKGATE_FUZZ_WASM").ok()?.parse().ok()
}

/// Its samples, with a signature that merely reads well where the plugin can write one.
async fn samples(
    host: &Host,
    plugin: &Arc<Plugin>,
    settings: &Arc<str>,
    about: &About,
) -> Vec<Request> {
    let mut signed = Vec::new();
    for Sample { content_type, headers, body } in about.samples.values() {
        let own = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let request = Request {
            method: "POST".to_owned(),
            url: "/in/fuzz?a=b&bt_challenge=20f9f8ed05f77439fe955c977e4c8a53".to_owned(),
            headers: own.chain([("content-type", content_type.as_str())]).collect(),
            body: body.clone().into(),
            received_at: NOW,
        };
        let request = Arc::new(request);
        let draft = host.sign(plugin, settings, &request, NOW, Vec::new()).await.unwrap();
        signed.push(draft.unwrap_or_else(|_| Request::clone(&request)));
    }
    assert!(!signed.is_empty(), "{} has samples", plugin.name());
    signed
}

async fn read(host: &Host, plugin: &Arc<Plugin>, settings: &Arc<str>, request: Request) {
    let request = Arc::new(request);
    let shown = || format!("{}: {request:?}", plugin.name());
    if let Err(error) = host.claims(plugin, settings, plugin.name(), &request).await {
        panic!("{error}: {}", shown());
    }
    let later = match host.parse(plugin, settings, plugin.name(), &request).await.ended {
        Ok(parsed) => parsed,
        Err(error) => panic!("{error}: {}", shown()),
    };
    let early = host.parse_unproven(plugin, settings, plugin.name(), &request).await;
    if let Ok(Some(early)) = early.unwrap() {
        assert_eq!(early.ended.unwrap(), later, "{}", shown());
    }
}

fn damaged(chance: &mut fastrand::Rng, signed: &[Request]) -> Request {
    let mut request = signed[chance.usize(..signed.len())].clone();
    let mut body = request.body.to_vec();
    for _ in 0..=chance.usize(..3) {
        damage(chance, &mut body);
    }
    request.body = body.into();
    if chance.u8(..4) == 0 {
        request.method = ["GET", "OPTIONS"][chance.usize(..2)].to_owned();
    }
    if chance.u8(..4) == 0 {
        let mut url = std::mem::take(&mut request.url).into_bytes();
        damage(chance, &mut url);
        request.url = String::from_utf8_lossy(&url).into_owned();
    }
    if chance.u8(..4) == 0 {
        let at = chance.usize(..request.headers.len());
        let damaged = request.headers.iter().enumerate().map(|(index, (name, value))| {
            let mut value = value.as_bytes().to_vec();
            if index == at {
                damage(chance, &mut value);
            }
            (name.to_owned(), String::from_utf8_lossy(&value).into_owned())
        });
        request.headers = damaged.collect::<Vec<_>>().into_iter().collect();
    }
    request
}

fn damage(chance: &mut fastrand::Rng, bytes: &mut Vec<u8>) {
    let at = chance.usize(..=bytes.len());
    let end = (at + chance.usize(..16)).min(bytes.len());
    if chance.bool() {
        bytes.splice(at..end, MORSELS[chance.usize(..MORSELS.len())].iter().copied());
    } else if chance.bool() {
        bytes.truncate(at);
    } else if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << chance.u8(..8);
    }
}
