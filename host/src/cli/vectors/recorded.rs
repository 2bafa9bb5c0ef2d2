//! Recorded requests as they stand in a file, each with whether it is genuine.
//!
//! A file is a JSON list. Beside the request a recording says how its receiver was set up: the
//! secrets (`keys` are secrets by an id), the public keys that it would have fetched, its settings
//! (any further member of the name of one is its value), its tolerance and its clock; the answer
//! may be recorded too, and what an encrypted body decrypts to (`plaintext`). A `query` stands
//! behind the path. Never judges a request.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::challenge::Challenge;
use super::receiver::{path, with};
use crate::clock::Clock;
use crate::event::{Request, Timestamp};
use crate::provider::Answer;
use crate::secrets::Secret;
use crate::signature;

/// What is recorded in the place of a secret that is the public key in `public_key_pem`.
const THE_PUBLIC_KEY: &str = "(public key)";
/// The setting of a plugin whose secrets may be written `ID:KEY`.
const NAMED_KEYS: &str = "named_keys";
/// The setting of a plugin that lists the ids of the keys that its requests may name.
const KEY_IDS: &str = "key_ids";

/// What a file holds: requests with a verdict, and requests with an answer.
#[derive(Debug)]
pub struct Recorded {
    /// Requests that must be accepted or rejected.
    pub vectors: Vec<Vector>,
    /// Validation challenges, and the answers that they must get.
    pub challenges: Vec<Challenge>,
}

/// One recorded request.
#[derive(Debug, Clone, Deserialize)]
pub struct Vector {
    /// What the recording shows.
    pub name: String,
    #[serde(default)]
    secret: OneOrMore,
    keys: Option<BTreeMap<String, String>>,
    #[serde(default)]
    headers: BTreeMap<String, OneOrMore>,
    #[serde(default = "post")]
    method: String,
    url: Option<String>,
    query: Option<String>,
    body: Option<String>,
    body_base64: Option<String>,
    settings: Option<Map<String, Value>>,
    public_key: Option<String>,
    secret_is: Option<String>,
    cert_pem: Option<String>,
    public_key_pem: Option<String>,
    /// A root that stands in for those that the plugin pins.
    root_cert_der_base64: Option<String>,
    /// Keys by their ids, or one set of keys.
    #[serde(default)]
    jwks: BTreeMap<String, Value>,
    /// When it is received, in seconds since 1970; without it, the time of the test.
    pub now: Option<u64>,
    tolerance: Option<u64>,
    /// Whether it is genuine.
    pub valid: bool,
    /// The answer that it must get if it is genuine; without it, any 2xx answer will do.
    pub reply: Option<RecordedReply>,
    /// What its body decrypts to, if it is encrypted.
    pub plaintext: Option<String>,
    /// All other members, which may be settings.
    #[serde(flatten)]
    further: Map<String, Value>,
}

/// The recorded answer to a genuine request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedReply {
    status: u16,
    #[serde(default)]
    content_type: String,
    #[serde(default)]
    body: String,
}

impl RecordedReply {
    /// Whether an answer is this one; without a content type the text is empty.
    pub fn is(&self, status: u16, content_type: &str, body: &[u8]) -> bool {
        (self.status, &*self.content_type, self.body.as_bytes()) == (status, content_type, body)
    }

    /// How the answer that a plugin gives, or the gateway's own, differs from this one.
    pub(super) fn differs(
        &self,
        answered: Option<(&Answer, Result<Bytes, signature::Error>)>,
    ) -> Option<String> {
        let (Answer { status, content_type, .. }, body) = match answered {
            Some((answer, Ok(body))) => (answer, body),
            Some((_, Err(error))) => return Some(format!("the gateway can't answer: {error}")),
            None => return Some("the answer is the receipt's id".to_owned()),
        };
        let shown = || format!("the answer is {status} {content_type} `{}`", body.escape_ascii());
        (!self.is(*status, content_type, &body)).then(shown)
    }
}

impl Recorded {
    /// The recorded requests of a file; of the challenges those of this provider for which an
    /// answer is enough. Where the receiver must do something too (`action`), its plugin reads an
    /// event.
    pub fn read(path: &Path, provider: &str) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("failed to read {}", path.display()))?;
        let recorded = || format!("{} is not a list of recorded requests", path.display());
        let all: Vec<Value> = serde_json::from_str(&text).with_context(recorded)?;
        let is_challenge = |it: &Value| it.get("response_body").is_some();
        let (asking, posted): (Vec<_>, Vec<_>) = all.into_iter().partition(is_challenge);
        let is_own =
            |it: &Value| it["provider"].as_str() == Some(provider) && it.get("action").is_none();
        let own = asking.into_iter().filter(is_own);
        let challenges = own.map(serde_json::from_value).collect::<Result<_, _>>();
        let vectors = posted.into_iter().map(serde_json::from_value).collect::<Result<_, _>>();
        Ok(Self {
            vectors: vectors.with_context(recorded)?,
            challenges: challenges.with_context(recorded)?,
        })
    }
}

impl Vector {
    /// The secrets of its receiver, which has these settings unless the recording has others; an
    /// empty one is none.
    pub fn secrets(&self, others: &Map<String, Value>) -> Vec<Secret> {
        let settings = self.settings(others);
        let are_named = settings.get(NAMED_KEYS).and_then(Value::as_bool) == Some(true);
        let named = |(id, key): (&String, &String)| {
            if are_named { format!("{id}:{key}") } else { key.clone() }
        };
        let known = |text: &String| match &self.public_key_pem {
            Some(pem) if text == THE_PUBLIC_KEY => pem.clone(),
            _ => text.clone(),
        };
        let mut texts: Vec<String> = self.keys.iter().flatten().map(named).collect();
        // Beside public keys that have ids there may be a shared secret.
        if self.keys.is_none() || settings.contains_key(KEY_IDS) {
            texts.extend(self.secret.0.iter().map(known));
        }
        texts.iter().filter_map(|text| Secret::new(text)).collect()
    }

    /// The public keys that its receiver would fetch: certificates, PEM and JSON Web Keys.
    pub fn public_keys(&self) -> Vec<String> {
        let texts = [&self.cert_pem, &self.public_key_pem].into_iter().flatten().cloned();
        let root = self
            .root_cert_der_base64
            .iter()
            .map(|der| format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n"));
        let keys = match self.jwks.get("keys") {
            Some(Value::Array(_)) => vec![serde_json::json!(self.jwks).to_string()],
            _ => self.jwks.values().map(Value::to_string).collect(),
        };
        texts.chain(root).chain(keys).collect()
    }

    /// The settings of its receiver: its own or `others`, with what it tells of them put in.
    pub fn settings(&self, others: &Map<String, Value>) -> Map<String, Value> {
        let mut settings = self.settings.as_ref().unwrap_or(others).clone();
        for (name, value) in self.further.iter().filter(|(_, value)| !value.is_null()) {
            if let Some(setting) = settings.get_mut(name) {
                setting.clone_from(value);
            }
        }
        let not_secret = self.secret_is.as_deref().and_then(|is| is.strip_suffix(" (not secret)"));
        let told = [
            ("url", self.url.as_deref().filter(|url| url.contains("://"))),
            ("public_key", self.public_key.as_deref()),
            (not_secret.unwrap_or_default(), self.secret.0.first().map(String::as_str)),
        ];
        let mut settings = with(&settings, told);
        if let (Some(ids), Some(keys)) = (settings.get_mut(KEY_IDS), &self.keys) {
            *ids = keys.keys().cloned().collect();
        }
        settings
    }

    /// How old it may be; zero is any age, none what the provider says.
    pub fn tolerance(&self) -> Option<Duration> {
        self.tolerance.map(Duration::from_secs)
    }

    /// The request, received when the recording says.
    pub fn request(&self) -> anyhow::Result<Request> {
        let body = match (&self.body, &self.body_base64) {
            (Some(text), None) => Bytes::from(text.clone()),
            (None, Some(base64)) => STANDARD.decode(base64)?.into(),
            _ => bail!("`{}` needs either body or body_base64", self.name),
        };
        let headers = self.headers.iter().flat_map(|(name, values)| {
            values.0.iter().map(|value| (name.to_ascii_lowercase(), value))
        });
        let seconds = self.now.map(|seconds| Timestamp(seconds * 1000));
        let mut url = path(self.url.as_deref().unwrap_or("/")).to_owned();
        if let Some(query) = &self.query {
            url = format!("{url}?{query}");
        }
        Ok(Request {
            method: self.method.clone(),
            url,
            headers: headers.collect(),
            body,
            received_at: seconds.unwrap_or_else(|| Clock::System.now()),
        })
    }
}

fn post() -> String {
    "POST".to_owned()
}

/// A text, or several.
#[derive(Debug, Clone, Default)]
struct OneOrMore(Vec<String>);

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(one) => Ok(Self(vec![one])),
            more => serde_json::from_value(more).map(Self).map_err(serde::de::Error::custom),
        }
    }
}
