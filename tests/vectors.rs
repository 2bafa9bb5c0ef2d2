//! Recorded requests, each with whether it is genuine, through the whole way in.
//!
//! A source for each set of secrets and each tolerance, on one gateway for each provider. The clock
//! stands where the recording says.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use hookgate::cli::vectors::Vector;

use crate::harness::{Answer, Harness, Setup};

/// The one body of every refusal.
const NOT_VERIFIED: &str = r#"{"error":"not verified"}"#;

#[tokio::test]
async fn stripe_is_accepted_exactly_when_it_is_genuine() {
    check("stripe").await;
}

#[tokio::test]
async fn adyen_is_accepted_exactly_when_it_is_genuine() {
    check("adyen").await;
}

#[tokio::test]
async fn standard_webhooks_are_accepted_exactly_when_they_are_genuine() {
    check("standard-webhooks").await;
}

async fn check(plugin: &str) {
    let mut recorded = recordings(plugin);
    // From the latest to the earliest, beginning with one that is accepted: a clock that is set back
    // makes nothing due, such as a sweep, which commits by itself.
    recorded.sort_by_key(|(_, vector)| (Reverse(vector.now.unwrap_or(u64::MAX)), !vector.valid));
    let mut kinds: Vec<(&[String], Option<u64>)> =
        recorded.iter().map(|(_, vector)| kind(vector)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut setup = Setup::new().plugin(plugin);
    for (number, (secrets, tolerance)) in kinds.iter().enumerate() {
        setup = setup.source(&source(number), plugin, &table(secrets, *tolerance));
    }
    let gateway = setup.start().await;

    let mut wrong = Vec::new();
    for (file, vector) in &recorded {
        let number = kinds.binary_search(&kind(vector)).expect("each has a source");
        if let Err(how) = replay(&gateway, &source(number), vector).await {
            wrong.push(format!("{file}: {}: {how}", vector.name));
        }
    }

    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), recorded.len(), wrong.join("\n"));
    assert!(recorded.iter().any(|(_, vector)| vector.valid), "something is accepted");
    assert!(recorded.iter().any(|(_, vector)| !vector.valid), "something is refused");
}

/// Posts the recorded request when it was made, and says what should not have come of it.
async fn replay(gateway: &Harness, source: &str, vector: &Vector) -> Result<(), String> {
    let request = vector.request().expect("it is a request");
    gateway.clock().set(request.received_at);
    gateway.settle().await;
    let before = gateway.stats();

    let headers: Vec<(&str, &str)> = request.headers.iter().collect();
    let Answer { status, body, .. } = gateway.post(source, &headers, request.body.clone()).await;
    gateway.settle().await;

    match (vector.valid, status) {
        (true, 200) => Ok(()),
        (false, 401) if body != NOT_VERIFIED => Err(format!("the refusal says {body}")),
        (false, 401) if gateway.stats() != before => {
            Err(format!("refused, and yet stored: {before:?}, then {:?}", gateway.stats()))
        }
        (false, 401) => Ok(()),
        (_, status) => Err(format!("answered {status}: {body}")),
    }
}

/// The plugin's own recordings, and those of a folder that may be given.
fn recordings(plugin: &str) -> Vec<(String, Vector)> {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("plugins");
    let mut files = vec![plugins.join(plugin).join("vectors.json")];
    match std::env::var_os("HOOKGATE_PROVIDER_DATA") {
        Some(folder) => {
            files.push(PathBuf::from(folder).join("vectors").join(format!("{plugin}.json")));
        }
        None => eprintln!("HOOKGATE_PROVIDER_DATA is not set: only our own recordings were run"),
    }
    let read = |path: &PathBuf| {
        let vectors = Vector::read(path).unwrap_or_else(|error| panic!("{error:#}"));
        let file = path.display().to_string();
        vectors.into_iter().map(move |vector| (file.clone(), vector)).collect::<Vec<_>>()
    };
    files.iter().flat_map(read).collect()
}

/// What a source is set up with.
fn kind(vector: &Vector) -> (&[String], Option<u64>) {
    (vector.secrets(), vector.tolerance)
}

fn source(number: usize) -> String {
    format!("kind-{number}")
}

fn table(secrets: &[String], tolerance: Option<u64>) -> String {
    let secrets: Vec<_> =
        secrets.iter().map(|secret| format!("{{ value = {} }}", quoted(secret))).collect();
    let tolerance = tolerance.map(|seconds| format!("tolerance = \"{seconds}s\"\n"));
    format!("{}secrets = [{}]", tolerance.unwrap_or_default(), secrets.join(", "))
}

/// A basic string of TOML is one of JSON too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
