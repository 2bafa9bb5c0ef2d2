//! Recorded requests of every provider, each with whether it is genuine or with what it must be
//! answered, through the whole way in.
//!
//! A provider is whoever has a folder with recordings: those lie beside it, and in a folder that may be
//! given. A gateway for each set of public keys that would be fetched, a source for whatever else a
//! receiver is set up with. The clock stands where the recording says.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use hookgate::cli::vectors::{Challenge, Recorded, Vector};
use hookgate::event::{Request, Timestamp};
use hookgate::keys::Keys;
use hookgate::plugin::{About, Compiler, Config, Face, Host, Plugin};
use serde_json::{Map, Value};

use crate::harness::{
    Answer, Harness, NOW, Setup, answer, plugin_file, providers, recordings, target,
};

/// The one body of every refusal.
const NOT_VERIFIED: &str = r#"{"error":"not verified"}"#;

#[tokio::test]
async fn every_provider_accepts_exactly_what_is_genuine() {
    let (host, mut count, mut wrong) = (host(), 0, Vec::new());
    for name in providers() {
        let provider = Provider::load(&host, &name);
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
            wrong.extend(provider.check(keys, vectors).await);
        }
    }

    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    println!("{count} recorded requests, over HTTP where it can carry them");
}

#[tokio::test]
async fn every_provider_that_asks_whether_an_endpoint_is_ours_is_answered() {
    let (host, mut asked) = (host(), Vec::new());
    for name in providers() {
        let provider = Provider::load(&host, &name);
        for (file, recorded) in provider.recordings() {
            for challenge in &recorded.challenges {
                let answer = provider.ask(challenge).await;
                let header = |name: &str| answer.headers.get(name)?.to_str().ok();
                let is_right = challenge.is_answered(answer.status, header, &answer.body);
                assert!(is_right, "{file}: {}: {answer:?}", challenge.name);
                asked.push(name.clone());
            }
        }
    }
    asked.dedup();
    assert_eq!(asked, ["braintree", "cloudevents", "slack", "worldline", "zoom"]);
}

fn host() -> Host {
    let compiled = Some(target().join("test-compiled"));
    Host::new(Config::new(Compiler::InProcess, compiled)).unwrap()
}

/// A provider's plugin, and the settings that its recordings are made for.
struct Provider {
    host: Host,
    plugin: Arc<Plugin>,
    example: Map<String, Value>,
}

/// What a source is set up with: settings, secrets and a tolerance.
type Kind = (String, Vec<String>, Option<u64>);

impl Provider {
    fn load(host: &Host, name: &str) -> Self {
        let wasm = std::fs::read(plugin_file(name)).unwrap();
        let plugin = host.load(name.parse().unwrap(), &wasm).unwrap();
        Self { host: host.clone(), plugin, example: About::of_file(&wasm).example }
    }

    fn name(&self) -> &str {
        self.plugin.name().as_str()
    }

    fn recordings(&self) -> Vec<(String, Recorded)> {
        let read = |file: PathBuf| {
            let recorded = Recorded::read(&file, self.name());
            (file.display().to_string(), recorded.unwrap_or_else(|error| panic!("{error:#}")))
        };
        recordings(self.name()).into_iter().map(read).collect()
    }

    /// Posts all of them to one gateway that has these keys, and says what should not have come of it.
    async fn check(&self, keys: Vec<String>, mut vectors: Vec<(String, Vector)>) -> Vec<String> {
        vectors.retain(|(_, vector)| carried_by_http(vector));
        // From the latest to the earliest, beginning with one that is accepted: a clock that is set back
        // makes nothing due, such as a sweep, which commits by itself.
        vectors.sort_by_key(|(_, vector)| (Reverse(at(vector)), !vector.valid));
        let mut kinds: Vec<Kind> = vectors.iter().map(|(_, vector)| self.kind(vector)).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let mut setup = Setup::new().plugin(self.name()).keys(Keys::recorded(keys));
        for (number, kind) in kinds.iter().enumerate() {
            setup = setup.source(&source(number), self.name(), &self.table(kind));
        }
        let gateway = setup.start().await;

        let mut wrong = Vec::new();
        for (file, vector) in &vectors {
            let number = kinds.binary_search(&self.kind(vector)).expect("each has a source");
            if let Err(how) = self.replay(&gateway, &source(number), vector).await {
                wrong.push(format!("{file}: {}: {how}", vector.name));
            }
        }
        wrong
    }

    /// Whether a source can be set up as the recording says: with a secret, and settings that do.
    async fn fits(&self, vector: &Vector) -> bool {
        let settings = Value::Object(vector.settings(&self.example)).to_string().into();
        let checked = self.host.check(&self.plugin, Face::Provider, &settings).await;
        checked.expect("the plugin works").is_ok() && !vector.secrets().is_empty()
    }

    fn kind(&self, vector: &Vector) -> Kind {
        let settings = Value::Object(vector.settings(&self.example)).to_string();
        let secrets = vector.secrets().iter().map(|secret| secret.expose().to_owned()).collect();
        (settings, secrets, vector.tolerance().map(|tolerance| tolerance.as_secs()))
    }

    /// The lines of a source.
    fn table(&self, (settings, secrets, tolerance): &Kind) -> String {
        // A basic string of TOML is one of JSON too, and so is a list of them.
        let quoted = |secret: &String| format!("{{ value = {} }}", Value::from(secret.as_str()));
        let secrets: Vec<String> = secrets.iter().map(quoted).collect();
        let tolerance = tolerance.map(|seconds| format!("tolerance = \"{seconds}s\"\n"));
        let settings: Map<String, Value> = serde_json::from_str(settings).expect("an object");
        let settings = settings.iter().map(|(name, value)| format!("{name} = {value}"));
        let places = self.plugin.provider().expect("a provider").key_places.iter();
        let mut hosts: Vec<&str> = places.filter_map(|place| place.url.host_str()).collect();
        hosts.dedup();
        format!(
            "{}secrets = [{}]\nkeys_from = {hosts:?}\nconfig = {{ {} }}",
            tolerance.unwrap_or_default(),
            secrets.join(", "),
            settings.collect::<Vec<_>>().join(", "),
        )
    }

    /// Posts the recorded request when it was made, and says what should not have come of it.
    async fn replay(&self, gateway: &Harness, source: &str, vector: &Vector) -> Result<(), String> {
        let request = vector.request().expect("it is a request");
        gateway.clock().set(at(vector));
        gateway.settle().await;
        let before = gateway.stats();

        let Answer { status, body, .. } = send(gateway, source, &request).await;
        gateway.settle().await;

        let info = self.plugin.provider().expect("a provider");
        let insisted = info.reply.as_ref().map(|reply| (reply.status, reply.body.as_ref()));
        match (vector.valid, status) {
            (true, status)
                if (status, body.as_bytes()) == insisted.unwrap_or((200, body.as_bytes())) =>
            {
                Ok(())
            }
            (false, status) if status == info.refusal_status => match gateway.stats() {
                _ if body != NOT_VERIFIED => Err(format!("the refusal says {body}")),
                after if after != before => {
                    Err(format!("refused, and yet stored: {before:?}, then {after:?}"))
                }
                _ => Ok(()),
            },
            (_, status) => Err(format!("answered {status}: {body}")),
        }
    }

    /// What a gateway of its own answers.
    async fn ask(&self, challenge: &Challenge) -> Answer {
        let settings = Value::Object(challenge.settings(&self.example)).to_string();
        let kind = (settings.clone(), vec![challenge.secret().expose().to_owned()], None);
        let setup = Setup::new().plugin(self.name());
        let gateway = setup.source("asked", self.name(), &self.table(&kind)).start().await;
        let now = gateway.clock().now();
        let request = challenge.request(&self.host, &self.plugin, &settings.into(), now).await;
        send(&gateway, "asked", &request.expect("it can be signed")).await
    }
}

/// Sends it to a source, with its own query.
async fn send(gateway: &Harness, source: &str, request: &Request) -> Answer {
    let query = request.url.find('?').map_or("", |at| &request.url[at..]);
    let url = format!("{}/in/{source}{query}", gateway.public());
    let method = request.method.parse().expect("a method");
    let mut sent = gateway.client().request(method, url).body(request.body.clone());
    for (name, value) in request.headers.iter() {
        sent = sent.header(name, value);
    }
    answer(sent).await
}

/// Whether its headers arrive as they are recorded: white space around a value never does.
fn carried_by_http(vector: &Vector) -> bool {
    let request = vector.request().expect("it is a request");
    request.headers.iter().all(|(_, value)| value == value.trim())
}

/// When it is received.
fn at(vector: &Vector) -> Timestamp {
    vector.now.map_or(NOW, |seconds| Timestamp(seconds * 1000))
}

fn source(number: usize) -> String {
    format!("kind-{number}")
}
