//! Recorded requests of every provider, each with whether it is genuine or with what it must be
//! answered, through the whole way in.
//!
//! A provider is whoever has a folder with recordings: those lie beside it, and in folders that may
//! be given. A gateway for each set of public keys that would be fetched, a source for whatever
//! else a receiver is set up with. The clock stands where the recording says, else at the start of
//! 2026. A request by a method that means nothing to its provider must get 405, and every other one
//! that is not genuine the provider's refusal.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use hookgate::cli::vectors::{Challenge, Vector};
use hookgate::event::{Request, Timestamp};
use hookgate::keys::Keys;
use hookgate::provider::{Piece, ProviderInfo};
use hookgate::store::Stats;
use serde_json::Value;

use crate::harness::{Answer, Harness, Kind, NOT_VERIFIED, Provider, Setup, providers};

/// The body of the answer to a method that means nothing.
const NOT_ALLOWED: &str = r#"{"error":"method not allowed"}"#;
/// When a request is received whose recording does not say when: at the start of 2026.
const RECEIVED: Timestamp = Timestamp(1_767_225_600_000);

/// Guards I2.
#[tokio::test]
async fn every_provider_accepts_exactly_what_is_genuine() {
    let (mut count, mut wrong) = (0, Vec::new());
    for name in providers() {
        let provider = Provider::load(&name);
        let (mut seen, mut groups) = (Vec::new(), BTreeMap::<_, Vec<_>>::new());
        for (file, recorded) in provider.recordings() {
            for vector in recorded.vectors {
                seen.push(vector.valid);
                // Where no source can be set up like this, nobody is let in.
                if !provider.fits(&vector).await {
                    assert!(!vector.valid, "{file}: {}", vector.name);
                    continue;
                }
                groups.entry(vector.public_keys()).or_default().push((file.clone(), vector));
            }
        }
        assert!(seen.contains(&true), "{name} accepts something");
        assert!(seen.contains(&false), "{name} refuses something");
        count += seen.len();
        for (keys, vectors) in groups {
            wrong.extend(check(&provider, keys, vectors).await);
        }
    }

    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    println!("{count} recorded requests, over HTTP where it can carry them");
}

#[tokio::test]
async fn every_provider_that_asks_whether_an_endpoint_is_ours_is_answered() {
    for name in providers() {
        let (provider, mut asked) = (Provider::load(&name), 0);
        for (file, recorded) in provider.recordings() {
            for challenge in &recorded.challenges {
                let answer = ask(&provider, challenge).await;
                let header = |name: &str| answer.headers.get(name)?.to_str().ok();
                let is_right = challenge.is_answered(answer.status, header, &answer.body);
                assert!(is_right, "{file}: {}: {answer:?}", challenge.name);
                asked += 1;
            }
        }
        assert!(asked > 0 || provider.info().handshakes.is_empty(), "{name} asks");
    }
}

/// Posts all of them to one gateway that has these keys, and says what should not have come of it.
async fn check(
    provider: &Provider,
    keys: Vec<String>,
    mut vectors: Vec<(String, Vector)>,
) -> Vec<String> {
    vectors.retain(|(_, vector)| carried_by_http(vector));
    // From the latest to the earliest, beginning with one that is accepted: a clock that is set
    // back makes nothing due, such as a sweep, which commits by itself.
    vectors.sort_by_key(|(_, vector)| (Reverse(at(vector)), !vector.valid));
    let mut kinds: Vec<Kind> = vectors.iter().map(|(_, vector)| provider.kind(vector)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut setup = Setup::new().plugin(provider.name()).keys(Keys::recorded(keys));
    for (number, kind) in kinds.iter().enumerate() {
        setup = setup.source(&source(number), provider.name(), &provider.table(kind));
    }
    let gateway = setup.start().await;

    let mut wrong = Vec::new();
    for (file, vector) in &vectors {
        let number = kinds.binary_search(&provider.kind(vector)).expect("each has a source");
        if let Err(how) = replay(provider, &gateway, &source(number), vector).await {
            wrong.push(format!("{file}: {}: {how}", vector.name));
        }
    }
    wrong
}

/// What there is of works, and how much was ever stored but for the ids that a sweep settles.
fn kept(stats: &Stats) -> (Stats, u64) {
    // A settling of ids is one record in a commit of its own.
    let records = stats.end.saturating_sub(stats.commits);
    (Stats { queued: 0, commits: 0, end: 0, ..stats.clone() }, records)
}

/// Posts the recorded request when it was made, and says what should not have come of it.
async fn replay(
    provider: &Provider,
    gateway: &Harness,
    source: &str,
    vector: &Vector,
) -> Result<(), String> {
    let request = vector.request().expect("it is a request");
    gateway.clock().set(at(vector));
    gateway.settle().await;
    let before = gateway.stats();

    let answered = gateway.send(source, &request).await;
    gateway.settle().await;

    let (refused, saying) = refusal(provider.info(), &request.method);
    let is_as_it_wants = is_as_it_wants(provider, vector, request, &answered).await;
    let Answer { status, body, .. } = answered;
    match (vector.valid, status) {
        (true, _) if is_as_it_wants => Ok(()),
        (false, status) if status == refused => match gateway.stats() {
            _ if body != saying => Err(format!("the refusal says {body}")),
            // Sweeping may write beside it; what was stored would be parsed or owed.
            after if kept(&after) != kept(&before) => {
                Err(format!("refused, and yet stored: {before:?}, then {after:?}"))
            }
            _ => Ok(()),
        },
        (_, status) => Err(format!("answered {status}: {body}")),
    }
}

/// The status and the body with which a request by this method is refused.
fn refusal(info: &ProviderInfo, method: &str) -> (u16, &'static str) {
    let mut read = info.methods.iter().chain(&info.handshakes);
    if method == "POST" || read.any(|it| it.as_str() == method) {
        (info.refusal_status, NOT_VERIFIED)
    } else {
        (405, NOT_ALLOWED)
    }
}

/// Whether an answer is the recorded one, else the one that the plugin gives, else 200.
async fn is_as_it_wants(
    provider: &Provider,
    vector: &Vector,
    request: Request,
    Answer { status, headers, body }: &Answer,
) -> bool {
    let content_type = headers.get("content-type").map_or("", |it| it.to_str().unwrap_or("?"));
    if let Some(recorded) = &vector.reply {
        return recorded.is(*status, content_type, body.as_bytes());
    }
    let own = provider.claims(vector, request).await.and_then(|claims| claims.reply);
    own.as_ref().or(provider.info().reply.as_ref()).map_or(*status == 200, |reply| {
        (reply.status, given(&reply.body).as_slice()) == (*status, body.as_bytes())
    })
}

/// A body that a plugin gives whole.
fn given(pieces: &[Piece]) -> Vec<u8> {
    let bytes = |piece: &Piece| match piece {
        Piece::Bytes(bytes) => bytes.clone(),
        other => panic!("{other:?} is computed"),
    };
    pieces.iter().flat_map(bytes).collect()
}

/// What a gateway of its own answers.
async fn ask(provider: &Provider, challenge: &Challenge) -> Answer {
    let settings = Value::Object(challenge.settings(&provider.about.example)).to_string();
    let secrets = vec![challenge.secret().expose().to_owned()];
    let hosts = provider.key_hosts(b"");
    let kind = Kind { settings: settings.clone(), secrets, tolerance: None, hosts };
    let setup = Setup::new().plugin(provider.name());
    let gateway = setup.source("asked", provider.name(), &provider.table(&kind)).start().await;
    let now = gateway.clock().now();
    let request = challenge.request(&provider.host, &provider.plugin, &settings.into(), now).await;
    gateway.send("asked", &request.expect("it can be signed")).await
}

/// Whether its headers arrive as they are recorded: white space around a value never does.
fn carried_by_http(vector: &Vector) -> bool {
    let request = vector.request().expect("it is a request");
    request.headers.iter().all(|(_, value)| value == value.trim())
}

/// When it is received.
fn at(vector: &Vector) -> Timestamp {
    vector.now.map_or(RECEIVED, |seconds| Timestamp(seconds * 1000))
}

fn source(number: usize) -> String {
    format!("kind-{number}")
}
