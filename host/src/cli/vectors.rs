//! `hookgate plugin test`: recorded requests, each with whether it is genuine.
//!
//! They go through the plugin's real claims in wasm, the host's real verification and the plugin's
//! real parse, at the time that the recording names; keys that were recorded stand in for those that
//! the gateway would fetch. A line each; any mismatch is an error.

mod challenge;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;

use self::challenge::Challenge;
use crate::claims::{Claims, KeyLookup, ProviderInfo};
use crate::clock::Clock;
use crate::event::{Request, Timestamp};
use crate::keys;
use crate::plugin::{CallError, Host, Plugin};
use crate::secrets::Secret;
use crate::signature;

/// One recorded request.
#[derive(Debug, Clone, Deserialize)]
pub struct Vector {
    /// What it shows.
    pub name: String,
    secret: OneOrMore,
    #[serde(default)]
    headers: BTreeMap<String, OneOrMore>,
    #[serde(default = "post")]
    method: String,
    #[serde(default = "root")]
    url: String,
    body: Option<String>,
    body_base64: Option<String>,
    #[serde(flatten)]
    told: Told,
    /// Keys that the receiver would fetch: a certificate, a public key, JSON Web Keys by id.
    cert_pem: Option<String>,
    public_key_pem: Option<String>,
    #[serde(default)]
    jwks: BTreeMap<String, serde_json::Value>,
    /// Unix seconds at which it is received; the time of the test if none.
    pub now: Option<u64>,
    /// Seconds; 0 is no check, none is the provider's default.
    pub tolerance: Option<u64>,
    /// Whether it is genuine.
    pub valid: bool,
}

/// What a recording tells of the receiver's settings.
#[derive(Debug, Clone, Default, Deserialize)]
struct Told {
    /// Settings of its own, over those that are given for all.
    settings: Option<serde_json::Map<String, serde_json::Value>>,
    /// The public half of a pair of keys: the setting of that name.
    public_key: Option<String>,
    /// What is called the secret here and is none: `webhook_id (not secret)`, a setting.
    secret_is: Option<String>,
}

impl Told {
    /// The settings of the receiver.
    fn settings(&self, given: &str, secret: Option<&str>) -> anyhow::Result<Arc<str>> {
        let given = serde_json::from_str(given).context("the settings are no JSON object")?;
        let mut settings: serde_json::Map<String, serde_json::Value> = given;
        settings.extend(self.settings.clone().into_iter().flatten());
        if let Some(key) = &self.public_key {
            settings.insert("public_key".to_owned(), key.as_str().into());
        }
        let none = self.secret_is.as_deref().and_then(|is| is.strip_suffix(" (not secret)"));
        if let (Some(name), Some(secret)) = (none, secret) {
            settings.insert(name.to_owned(), secret.into());
        }
        Ok(serde_json::Value::Object(settings).to_string().into())
    }
}

fn post() -> String {
    "POST".to_owned()
}

fn root() -> String {
    "/".to_owned()
}

/// A text, or several.
#[derive(Debug, Clone)]
struct OneOrMore(Vec<String>);

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(one) => Ok(Self(vec![one])),
            more => serde_json::from_value(more).map(Self).map_err(serde::de::Error::custom),
        }
    }
}

impl Vector {
    /// The recorded requests of a file.
    pub fn read(path: &Path) -> anyhow::Result<Vec<Self>> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("failed to read {}", path.display()))?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} is not a list of recorded requests", path.display()))
    }

    /// The texts of the secrets that the receiver has.
    pub fn secrets(&self) -> &[String] {
        &self.secret.0
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
        Ok(Request {
            method: self.method.clone(),
            url: self.url.clone(),
            headers: headers.collect(),
            body,
            received_at: seconds.unwrap_or_else(|| Clock::System.now()),
        })
    }

    fn tolerance(&self) -> Option<Duration> {
        self.tolerance.map(Duration::from_secs)
    }

    /// What stands in for the keys that the claims name, out of the places that the plugin declares.
    fn fetched(&self, claims: &Claims, info: &ProviderInfo) -> Vec<(KeyLookup, Vec<u8>)> {
        let jwks = self.jwks.values().map(ToString::to_string);
        let texts = [&self.cert_pem, &self.public_key_pem].into_iter().flatten().cloned();
        let texts: Vec<String> = texts.chain(jwks).collect();
        let mut fetched = Vec::new();
        for (scheme, lookup) in claims.lookups().filter(|(_, lookup)| info.place(lookup).is_some())
        {
            let keys = texts.iter().filter_map(|text| keys::recorded(text, scheme, lookup));
            fetched.extend(keys.map(|key| (lookup.clone(), key)));
        }
        fetched
    }
}

/// What a file holds: requests with a verdict, and requests with an answer.
struct Recorded {
    vectors: Vec<Vector>,
    challenges: Vec<Challenge>,
}

impl Recorded {
    /// Of the challenges those of the plugin's own provider.
    fn read(path: &Path, plugin: &Plugin) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("failed to read {}", path.display()))?;
        let recorded = || format!("{} is not a list of recorded requests", path.display());
        let all: Vec<serde_json::Value> = serde_json::from_str(&text).with_context(recorded)?;
        let is_challenge = |it: &serde_json::Value| it.get("response_body").is_some();
        let (asking, posted): (Vec<_>, Vec<_>) = all.into_iter().partition(is_challenge);
        let name = plugin.provider().map(|info| info.name.as_str());
        let own = asking.into_iter().filter(|it| it["provider"].as_str() == name);
        let challenges = own.map(serde_json::from_value).collect::<Result<_, _>>();
        let vectors = posted.into_iter().map(serde_json::from_value).collect::<Result<_, _>>();
        Ok(Self {
            vectors: vectors.with_context(recorded)?,
            challenges: challenges.with_context(recorded)?,
        })
    }
}

/// What became of one recorded request.
enum Seen {
    Refused(String),
    /// Accepted, and what parse said.
    Accepted(String),
    Broken(CallError),
}

pub(super) async fn run(
    host: &Host,
    plugin: &Arc<Plugin>,
    files: &[PathBuf],
    settings: &Arc<str>,
) -> anyhow::Result<()> {
    if plugin.provider().is_none() {
        bail!("plugin {} is not a provider", plugin.name());
    }
    let (mut passed, mut failed) = (0_usize, 0_usize);
    for file in files {
        let recorded = Recorded::read(file, plugin)?;
        for challenge in recorded.challenges {
            let seen = challenge.check(host, plugin, settings).await?;
            match &seen {
                Ok(answer) => println!("ok    {}: answered {answer}", challenge.name),
                Err(how) => println!("WRONG {}: {how}", challenge.name),
            }
            passed += usize::from(seen.is_ok());
            failed += usize::from(seen.is_err());
        }
        for vector in recorded.vectors {
            let seen = see(host, plugin, &vector, settings).await?;
            let (as_it_should, what) = match seen {
                Seen::Refused(reason) => (!vector.valid, format!("refused: {reason}")),
                Seen::Accepted(parsed) => (vector.valid, format!("accepted, {parsed}")),
                Seen::Broken(error) => (false, format!("the plugin broke: {error}")),
            };
            if as_it_should {
                passed += 1;
                println!("ok    {}: {what}", vector.name);
            } else {
                failed += 1;
                let expected = if vector.valid { "accepted" } else { "refused" };
                println!("WRONG {}: {what}; it should be {expected}", vector.name);
            }
        }
    }
    println!("{}: {passed} passed, {failed} failed", plugin.name());
    if failed > 0 {
        bail!("{failed} of the recorded requests went otherwise than they should");
    }
    if passed == 0 {
        bail!("the files hold no recorded request");
    }
    Ok(())
}

async fn see(
    host: &Host,
    plugin: &Arc<Plugin>,
    vector: &Vector,
    settings: &Arc<str>,
) -> anyhow::Result<Seen> {
    let request = Arc::new(vector.request()?);
    let first = vector.secrets().first().map(String::as_str);
    let settings = &vector.told.settings(settings, first)?;
    let secrets = vector.secrets().iter().map(|text| Secret::new(text)).collect::<Option<Vec<_>>>();
    let Some(secrets) = secrets else {
        return Ok(Seen::Refused("a secret is empty".to_owned()));
    };
    let claims = match host.claims(plugin, settings, &request).await {
        Ok(Ok(claims)) => claims,
        Ok(Err(refusal)) => return Ok(Seen::Refused(refusal.reason)),
        Err(error) => return Ok(Seen::Broken(error)),
    };
    let info = plugin.provider().context("it is a provider")?;
    let fetched = vector.fetched(&claims, info);
    let keys = signature::Keys { secrets: &secrets, fetched: &fetched };
    let (body, now) = (&request.body, request.received_at);
    if let Err(error) = signature::verify(&claims, info, keys, body, vector.tolerance(), now) {
        return Ok(Seen::Refused(error.to_string()));
    }
    Ok(match host.parse(plugin, settings, plugin.name(), &request).await {
        Ok(parsed) => Seen::Accepted(match parsed.result {
            Ok(events) => {
                let types: Vec<_> = events.iter().map(|event| event.event_type.as_str()).collect();
                format!("parsed to [{}]", types.join(", "))
            }
            Err(failure) => format!("kept as a dead letter: {}", failure.reason),
        }),
        Err(failed) => Seen::Broken(failed.error),
    })
}
