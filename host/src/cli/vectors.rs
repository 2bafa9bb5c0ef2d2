//! `hookgate plugin test`: recorded requests, each with whether it is genuine.
//!
//! They go through the plugin's real claims in wasm, the host's real verification and the plugin's
//! real parse, at the time that the recording names. A line each; any mismatch is an error.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;

use crate::clock::Clock;
use crate::event::{Request, Timestamp};
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
    /// Unix seconds at which it is received; the time of the test if none.
    pub now: Option<u64>,
    /// Seconds; 0 is no check, none is the provider's default.
    pub tolerance: Option<u64>,
    /// Whether it is genuine.
    pub valid: bool,
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
    let (mut passed, mut failed) = (0, 0);
    for file in files {
        for vector in Vector::read(file)? {
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
    let (body, now) = (&request.body, request.received_at);
    if let Err(error) = signature::verify(&claims, info, &secrets, body, vector.tolerance(), now) {
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
