//! Signed requests in a file, each with the verdict that it must get.
//!
//! The format is an array of objects: `name`, `secret` (one or several, or none), `method`,
//! `headers` (with one or several values), `url`, `body` or `body_base64`, `now` and `tolerance` in
//! seconds, `settings`, and `valid`. Without `now` the request arrives at the start of 2026. With a
//! `tolerance` of 0 the signing time is not checked; without one the provider's own holds. A
//! `query` stands behind the path. `keys`, by their ids, replace `secret`; if the setting
//! `named_keys` is true, they are the secrets `ID:KEY`, and a setting `key_ids` lists their ids.
//! `cert_pem`, `public_key_pem` and `jwks` stand in for keys that the gateway would fetch, and
//! `root_cert_der_base64` for a root that it trusts. A whole `url` and `public_key` replace the
//! settings of those names, and `secret` replaces the setting that `secret_is` names. Any other
//! member replaces the setting of its own name, if there is one: `allowed_topics`, `audience`.
//! `reply` (`status`, `content_type` and `body`) is the reply that an accepted request must get, if
//! the provider reads it, and `plaintext` the body that its plugin must get. The file never says
//! why a request is refused.

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::doors::settings as door;
use super::verify::{self, plain_body};
use super::{Bench, Tolerance, answer, contract};
use crate::claims::Claims;
use crate::provider::{self, Provider};
use crate::request::{Header, Request};
use crate::{base64, settings};

/// The variable with the folders of vectors and payloads that implementations share, separated as
/// in `PATH`.
pub const SHARED: &str = "HOOKGATE_PROVIDER_DATA";

/// One request and its verdict.
#[derive(Debug, Clone, Deserialize)]
pub struct Vector {
    /// What this request shows.
    pub name: String,
    #[serde(default)]
    secret: OneOrMore,
    /// The secrets, by the id that a header names.
    keys: Option<BTreeMap<String, String>>,
    method: Option<String>,
    headers: BTreeMap<String, OneOrMore>,
    /// The URL as the sender knows it, or the path and query that arrive.
    url: Option<String>,
    query: Option<String>,
    settings: Option<Map<String, Value>>,
    /// The public half of a pair of keys, if the provider names it in its requests.
    public_key: Option<String>,
    /// The name of the setting that `secret` holds instead of a secret: `webhook_id (not secret)`.
    secret_is: Option<String>,
    /// A key in place of one that the gateway would fetch.
    cert_pem: Option<String>,
    public_key_pem: Option<String>,
    #[serde(default)]
    jwks: Map<String, Value>,
    root_cert_der_base64: Option<String>,
    body: Option<String>,
    body_base64: Option<String>,
    #[serde(default = "start_of_2026")]
    now: u64,
    tolerance: Option<u64>,
    /// Whether the request must be accepted.
    pub valid: bool,
    /// The reply that it must get, if it is accepted and the reply was recorded.
    reply: Option<RecordedReply>,
    /// What the body decrypts to.
    plaintext: Option<String>,
    /// All other members, which may be settings of the receiver.
    #[serde(flatten)]
    others: Map<String, Value>,
}

fn start_of_2026() -> u64 {
    1_767_225_600
}

/// The reply to an accepted request. A missing content type or body is empty.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedReply {
    status: u16,
    #[serde(default)]
    content_type: String,
    #[serde(default)]
    body: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl Default for OneOrMore {
    fn default() -> Self {
        Self::More(Vec::new())
    }
}

/// Reads the vectors of a file.
///
/// # Panics
///
/// If the file has another format.
pub fn read(json: &str) -> Vec<Vector> {
    serde_json::from_str(json).expect("vectors are in their format")
}

/// The first secret of the first genuine request.
pub(super) fn first_secret(json: &str) -> Option<String> {
    let genuine = read(json).into_iter().find(|vector| vector.valid)?;
    genuine.secret.iter().next().map(str::to_owned)
}

/// Runs every vector of a file with the vector's own settings, or else with `settings`. Returns the
/// number of vectors.
///
/// # Panics
///
/// If a vector gets another verdict than it must, or the settings are not a JSON object.
pub fn check<P: Provider>(json: &str, settings: &str) -> usize {
    let vectors = read(json);
    for vector in &vectors {
        let bench = Bench::new().with_settings(&vector.settings(settings));
        let verdict = bench.call(|| vector.verdict::<P>());
        let name = &vector.name;
        assert_eq!(verdict.is_ok(), vector.valid, "vector `{name}` got {verdict:?}");
        let Ok(claims) = verdict else { continue };
        if vector.reply.is_some() {
            let reply = bench.call(|| vector.answered::<P>(&claims));
            assert_eq!(reply, vector.reply, "vector `{name}` is answered");
        }
        if let Some(expected) = &vector.plaintext {
            let keys = bench.call(|| vector.keys());
            let secrets: Vec<&str> = keys.iter().map(String::as_str).collect();
            let plain = plain_body(&claims, &vector.request(), &secrets);
            assert_eq!(plain.as_deref(), Some(expected.as_bytes()), "vector `{name}` is decrypted");
        }
    }
    vectors.len()
}

impl Vector {
    /// The gateway's verdict: accepted with these claims, or refused with a reason.
    pub fn verdict<P: Provider>(&self) -> Result<Claims, String> {
        // A source that the plugin refuses is stopped, and lets nobody in.
        settings::check(&provider::rules::<P>())?;
        let request = self.request();
        let keys = self.keys();
        let secrets: Vec<&str> = keys.iter().map(String::as_str).collect();
        let tolerance = match self.tolerance {
            None => Tolerance::Provider,
            Some(0) => Tolerance::Unchecked,
            Some(seconds) => Tolerance::Seconds(seconds),
        };
        let claims = provider::claim::<P>(&request).map_err(|refusal| refusal.reason)?;
        contract::claims(&claims)?;
        let now = self.now * 1000;
        verify::verify(&P::describe(), &claims, &request, &secrets, now, tolerance)
            .map_err(|unproven| unproven.to_string())?;
        Ok(claims)
    }

    /// The secrets of the source, and what stands in for keys and roots of others.
    fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = match &self.keys {
            Some(keys) if has_named_keys() => {
                keys.iter().map(|(id, key)| format!("{id}:{key}")).collect()
            }
            Some(keys) => {
                // Beside public keys that have ids there may be a shared secret.
                let shared = self.secret.iter().filter(|_| own_setting("key_ids").is_some());
                keys.values().cloned().chain(shared.map(str::to_owned)).collect()
            }
            None => self.secret.iter().map(str::to_owned).collect(),
        };
        keys.extend([&self.cert_pem, &self.public_key_pem].into_iter().flatten().cloned());
        if self.jwks.contains_key("keys") {
            keys.push(Value::Object(self.jwks.clone()).to_string());
        } else {
            keys.extend(self.jwks.values().map(ToString::to_string));
        }
        let root = self.root_cert_der_base64.iter();
        let pem = |der: &String| {
            format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n")
        };
        keys.extend(root.map(pem));
        keys
    }

    /// The plugin's reply; `None` if the gateway's own reply is sent.
    fn answered<P: Provider>(&self, claims: &Claims) -> Option<RecordedReply> {
        let answer = answer::reply(&P::describe(), claims)?;
        let secret = self.secret.iter().next().unwrap_or_default();
        let body = answer::body(&answer, claims, &self.request(), secret)?;
        Some(RecordedReply {
            status: answer.status,
            content_type: answer.content_type,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }

    /// The receiver's settings: those of the vector, or else `others`, with the settings replaced
    /// that other members of the vector give.
    fn settings(&self, others: &str) -> String {
        let others = || serde_json::from_str(others).expect("settings are a JSON object");
        let mut settings = self.settings.clone().unwrap_or_else(others);
        for (name, value) in self.others.iter().filter(|(_, value)| !value.is_null()) {
            if let Some(setting) = settings.get_mut(name) {
                setting.clone_from(value);
            }
        }
        if let (Some(ids), Some(keys)) = (settings.get_mut("key_ids"), &self.keys) {
            *ids = keys.keys().cloned().collect();
        }
        let not_secret = self.secret_is.as_deref().and_then(|is| is.strip_suffix(" (not secret)"));
        let overrides = [
            ("url", self.url.as_deref().filter(|url| url.contains("://"))),
            ("public_key", self.public_key.as_deref()),
            (not_secret.unwrap_or_default(), self.secret.iter().next()),
        ];
        for (name, value) in overrides {
            if let (Some(setting), Some(value)) = (settings.get_mut(name), value) {
                *setting = value.into();
            }
        }
        Value::Object(settings).to_string()
    }

    /// The request as the gateway receives it.
    ///
    /// # Panics
    ///
    /// If `body_base64` is not base64.
    pub fn request(&self) -> Request {
        let body = match (&self.body, &self.body_base64) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(encoded)) => base64::decode(encoded).expect("body is base64"),
            (None, None) => Vec::new(),
        };
        let headers = self.headers.iter().flat_map(|(name, values)| {
            let name = name.to_ascii_lowercase();
            values.iter().map(move |value| Header { name: name.clone(), value: value.to_owned() })
        });
        // The gateway sees a path and a query.
        let url = self.url.as_deref().unwrap_or("/in/x");
        let path = url
            .split_once("://")
            .map_or(url, |(_, rest)| rest.find(['/', '?']).map_or("/", |start| &rest[start..]));
        let query = self.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let path = format!("{path}{query}");
        let method = self.method.as_deref().unwrap_or("POST").to_owned();
        Request { method, headers: headers.collect(), ..Request::post(&path, body) }
    }
}

impl OneOrMore {
    fn iter(&self) -> impl Iterator<Item = &str> {
        let texts = match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::More(more) => more,
        };
        texts.iter().map(String::as_str)
    }
}

/// Whether the secrets of this call are written `ID:KEY`.
fn has_named_keys() -> bool {
    own_setting("named_keys").is_some_and(|named| named == true)
}

/// The value of this setting in the settings of this call.
fn own_setting(name: &str) -> Option<Value> {
    let settings: Value = serde_json::from_str(&door::get()).ok()?;
    settings.get(name).cloned()
}

/// The files at `path` in the shared folders, with their names: from each folder one file, or all
/// files of a folder. If no folder is named or none has such files, the list is empty, and a line
/// on standard error says so: a test that checks less does not do so in silence.
///
/// # Panics
///
/// If a shared folder can't be read.
pub fn shared(path: &str) -> Vec<(String, String)> {
    let Some(folders) = env::var_os(SHARED) else {
        eprintln!("{SHARED} is not set, so {path} was not run");
        return Vec::new();
    };
    let paths: Vec<PathBuf> =
        env::split_paths(&folders).flat_map(|folder| files(folder.join(path))).collect();
    if paths.is_empty() {
        eprintln!("{path} is in no folder of {SHARED}, so it was not run");
    }
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path);
        (path.display().to_string(), text.expect("a shared file can be read"))
    };
    paths.iter().map(read).collect()
}

/// The file at a path, or the files of the folder there, or none.
fn files(path: PathBuf) -> Vec<PathBuf> {
    if path.is_dir() {
        let entries = path.read_dir().expect("a folder can be read");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        return paths;
    }
    if path.exists() { vec![path] } else { Vec::new() }
}
