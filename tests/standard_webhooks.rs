//! Whether others can verify our deliveries: the reference libraries of Standard Webhooks, for
//! Python and for JavaScript, from PyPI and npm.
//!
//! The libraries that there are know `v1` alone. What they know is asked each time, by a signature
//! that is made elsewhere; what they do not know, another implementation of Ed25519 verifies by the
//! words of the specification (`cryptography`, `node:crypto`), and the test says so. Where a
//! library can't be installed, it says that. Never verifies anything by itself.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hookgate::clock::Clock;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::harness::{
    ENDPOINT_SECRET, Harness, Received, Receiver, Setup, answer, payment, target, text,
};

const NEXT_ENDPOINT_SECRET: &str = "whsec_bmV4dCBzZWNyZXQgb2YgdGhlIGVuZHBvaW50IQ==";

/// What `tests/standard-webhooks/run` ends with where it can't install a library.
const MISSING: i32 = 3;

/// The pair of this seed: what the gateway signs with, and what whoever verifies has.
fn pair(seed: u8) -> (String, String) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let text = |prefix: &str, bytes: &[u8]| format!("{prefix}{}", BASE64.encode(bytes));
    (text("whsk_", &[seed; 32]), text("whpk_", pair.public_key().as_ref()))
}

/// Has the endpoint sign with these secrets from now on.
async fn sign_with(gateway: &Harness, before: &[&str], after: &[&str]) {
    let list = |secrets: &[&str]| {
        let secrets = secrets.iter().map(|secret| format!("{{ value = \"{secret}\" }}"));
        format!("secrets = [{}]", secrets.collect::<Vec<_>>().join(", "))
    };
    let (from, to) = (list(before), list(after));
    gateway
        .reconfigure(|config| {
            assert!(config.contains(&from), "there is no `{from}`");
            config.replace(&from, &to)
        })
        .await;
}

/// The delivery of a payment.
async fn delivered(gateway: &Harness, receiver: &Receiver, number: usize) -> Received {
    let event = payment(&format!("evt_{number}"), "pi_1", "succeeded");
    gateway.stripe(&event).await.accepted();
    receiver.arrived(number).await[number - 1].clone()
}

/// The keys at the public port, once they are this many: they follow the configuration a little
/// later.
async fn published(gateway: &Harness, count: usize) -> Vec<Value> {
    let url = format!("{}/.well-known/jwks.json", gateway.public());
    loop {
        let asked = answer(gateway.client().get(&url)).await;
        let keys = asked.json()["keys"].as_array().cloned().unwrap_or_default();
        if keys.len() == count {
            assert_eq!(asked.headers["content-type"], "application/jwk-set+json");
            assert_eq!(asked.headers["cache-control"], "public, max-age=300");
            return keys;
        }
    }
}

/// Keys as texts and as JSON Web Keys, together.
fn keys(texts: &[&str], published: &[Value]) -> Vec<Value> {
    texts.iter().map(|text| json!(text)).chain(published.iter().cloned()).collect()
}

/// A delivery, the keys that must verify it, and those that must not.
fn case(name: &str, delivery: &Received, verifies: &[Value], refuses: &[Value]) -> Value {
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers = names.map(|name| (name.to_owned(), delivery.header(name).into()));
    json!({
        "name": name,
        "headers": Value::Object(headers.into_iter().collect()),
        "body": str::from_utf8(&delivery.body).unwrap(),
        "verifies": verifies,
        "refuses": refuses,
    })
}

/// Has the library of this language verify the cases, and says by what it did, or why it can't.
async fn check_by(language: &str, cases: &Value) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("standard-webhooks/run");
    let mut command = Command::new("sh");
    command.arg(script).arg(language).arg(target().join("standard-webhooks"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    // Who can't install the library reads nothing.
    drop(input.write_all(cases.to_string().as_bytes()).await);
    drop(input);
    let output = child.wait_with_output().await.unwrap();
    let [said, complaint] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
    let line = match output.status.code() {
        Some(0) => format!("{language}: {said}"),
        Some(MISSING) => format!("NOT VERIFIED by the library for {language}: {complaint}"),
        code => panic!("{language} ended with {code:?}: {said}{complaint}"),
    };
    // Past what catches the output of a test that passes: nobody would see it.
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Deliveries to an endpoint of the configuration, whose secrets somebody changes there. The clock
/// is the system's: the libraries look at it.
async fn by_the_file() -> Vec<Value> {
    let (old, old_pair, old_public) = (ENDPOINT_SECRET, pair(7).0, pair(7).1);
    let (new, new_pair, new_public) = (NEXT_ENDPOINT_SECRET, pair(8).0, pair(8).1);
    let receiver = Receiver::start().await;
    let setup = Setup::stripe().endpoint("crm", &receiver, &["payment.*"]).clock(Clock::System);
    let gateway = setup.start().await;
    let [before, both, after]: [&[&str]; 3] =
        [&[old, &old_pair], &[new, &new_pair, old, &old_pair], &[new, &new_pair]];

    sign_with(&gateway, &[old], before).await;
    let (first, first_set) =
        (delivered(&gateway, &receiver, 1).await, published(&gateway, 1).await);
    sign_with(&gateway, before, both).await;
    let (second, second_set) =
        (delivered(&gateway, &receiver, 2).await, published(&gateway, 2).await);
    sign_with(&gateway, both, after).await;
    let (third, third_set) =
        (delivered(&gateway, &receiver, 3).await, published(&gateway, 1).await);

    let (old, new) = (keys(&[old, &old_public], &first_set), keys(&[new, &new_public], &third_set));
    let both = [&old[..], &new, &second_set].concat();
    vec![
        case("before, in the file", &first, &old, &new),
        case("during, in the file", &second, &both, &[json!(pair(9).1)]),
        case("after, in the file", &third, &new, &old),
    ]
}

/// Makes an endpoint, or gives one another secret: where it is, and the newest of its secrets.
async fn tell(gateway: &Harness, path: &str, body: &Value) -> (String, Value) {
    let told = gateway.tell(path, body).await;
    assert!([200, 201].contains(&told.status), "{path}: {}", told.body);
    let told = told.json();
    let newest = told["secrets"].as_array().and_then(|all| all.last()).cloned();
    (format!("/v1/endpoints/{}", text(&told["id"])), newest.unwrap_or_default())
}

/// The public half of a secret, as its answer has it and as it is published.
fn public(secret: &Value, published: &[Value]) -> [Value; 2] {
    let found = published.iter().find(|key| key["kid"] == secret["fingerprint"]);
    [secret["public_key"].clone(), found.expect("it is published").clone()]
}

/// Deliveries to two endpoints of the API, one of `v1` and one of `v1a`, that are told to rotate.
async fn by_the_api() -> Vec<Value> {
    let [shared, paired] = [Receiver::start().await, Receiver::start().await];
    // The libraries look at the system's clock. This one begins there, and so the overlap ends
    // without a wait, and before a library finds the time of a delivery wrong.
    let clock = Clock::manual(Clock::System.now());
    let line = "master_key = { file = \"master\" }";
    let prepared = Setup::stripe().line(line).clock(clock).prepare();
    std::fs::write(prepared.folder().join("master"), "c4".repeat(32)).unwrap();
    let gateway = prepared.start().await;
    let make = async |receiver: &Receiver, signature: &str| {
        let (url, events) = (receiver.url(), ["payment.*"]);
        let body =
            json!({ "name": signature, "url": url, "events": events, "signature": signature });
        tell(&gateway, "/v1/endpoints", &body).await
    };
    let rotate = async |endpoint: &str| {
        tell(&gateway, &format!("{endpoint}/rotate"), &json!({ "overlap": "1m" })).await.1
    };
    let deliver = async |number: usize| {
        let first = delivered(&gateway, &shared, number).await;
        (first, paired.arrived(number).await[number - 1].clone())
    };

    let ((v1, old), (v1a, old_pair)) = (make(&shared, "v1").await, make(&paired, "v1a").await);
    let (first, first_paired) = deliver(1).await;
    let old_public = public(&old_pair, &published(&gateway, 1).await);
    let (new, new_pair) = (rotate(&v1).await, rotate(&v1a).await);
    let (second, second_paired) = deliver(2).await;
    let new_public = public(&new_pair, &published(&gateway, 2).await);
    gateway.advance(Duration::from_secs(61)).await;
    let (third, third_paired) = deliver(3).await;

    let [old, new] = [&old, &new].map(|secret| [secret["value"].clone()]);
    let both_public = [&old_public[..], &new_public].concat();
    vec![
        case("before, v1 of the API", &first, &old, &new),
        case("before, v1a of the API", &first_paired, &old_public, &new_public),
        case(
            "during, v1 of the API",
            &second,
            &[&old[..], &new].concat(),
            &[json!(NEXT_ENDPOINT_SECRET)],
        ),
        case("during, v1a of the API", &second_paired, &both_public, &[json!(pair(9).1)]),
        case("after, v1 of the API", &third, &new, &old),
        case("after, v1a of the API", &third_paired, &new_public, &old_public),
    ]
}

/// Guards the header of signatures: with a secret left out of those that sign, or with one that
/// signs beyond its overlap, a library refuses what it should verify, or the other way round.
#[tokio::test]
async fn the_reference_libraries_verify_deliveries_before_during_and_after_a_rotation() {
    // One after the other, and in one go: each library is installed once.
    let cases = Value::from([by_the_file().await, by_the_api().await].concat());
    check_by("python", &cases).await;
    check_by("node", &cases).await;
}
