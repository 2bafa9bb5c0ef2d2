//! A recorded validation challenge, and the answer that it must get.
//!
//! The provider signs a challenge by POST like any other request: where the recording has no
//! signature, it is made here, with the recorded secret or with one for tests. Never reads a file.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::receiver;
use crate::clock::Clock;
use crate::event::{Request, Timestamp};
use crate::keys::Keys;
use crate::plugin::{Host, Plugin};
use crate::proof::{self, Receiver, Unproven};
use crate::sample;
use crate::secrets::Secret;
use crate::signature::{self, Asker};

/// The secret where the recording names none.
const SECRET: &str = "hookgate_challenge";

/// A challenge and its answer.
#[derive(Debug, Clone, Deserialize)]
pub struct Challenge {
    /// What the recording shows.
    pub name: String,
    method: String,
    url: Option<String>,
    secret: Option<String>,
    public_key: Option<String>,
    #[serde(default)]
    request_headers: BTreeMap<String, String>,
    #[serde(default)]
    request_body: String,
    response_status: u16,
    response_body: String,
    #[serde(default)]
    response_headers: BTreeMap<String, String>,
}

impl Challenge {
    /// The secret of its receiver.
    pub fn secret(&self) -> Secret {
        let recorded = self.secret.as_deref().and_then(Secret::new);
        recorded.unwrap_or_else(|| Secret::new(SECRET).expect("it is not empty"))
    }

    /// The settings of its receiver.
    pub fn settings(&self, others: &Map<String, Value>) -> Map<String, Value> {
        receiver::with(others, [("public_key", self.public_key.as_deref())])
    }

    /// The request, signed at `now` if it is posted and the plugin can sign it.
    pub async fn request(
        &self,
        host: &Host,
        plugin: &Arc<Plugin>,
        settings: &Arc<str>,
        now: Timestamp,
    ) -> anyhow::Result<Request> {
        let headers = self.request_headers.iter();
        let request = Request {
            method: self.method.clone(),
            url: receiver::path(self.url.as_deref().unwrap_or("/")).to_owned(),
            headers: headers.map(|(name, value)| (name.to_ascii_lowercase(), value)).collect(),
            body: self.request_body.clone().into(),
            received_at: now,
        };
        if self.method != "POST" {
            return Ok(request);
        }
        let secrets = [self.secret()];
        let request = Arc::new(request);
        let claimed = host.claims(plugin, settings, plugin.name(), &request).await?;
        // Where a challenge needs no proof, there is nothing to sign.
        let is_open = claimed.is_ok_and(|it| it.handshake.is_some() && it.evidence.is_empty());
        if is_open {
            return Ok(Request::clone(&request));
        }
        Ok(sample::sign(host, plugin, settings, &secrets, &request, now).await?)
    }

    /// Whether this is the answer that it must get; `header` finds a header by its name in lower
    /// case.
    pub fn is_answered<'a>(
        &self,
        status: u16,
        header: impl Fn(&str) -> Option<&'a str>,
        body: &str,
    ) -> bool {
        let mut headers = self.response_headers.iter();
        status == self.response_status
            && meaning(body) == meaning(&self.response_body)
            && headers.all(|(name, value)| header(&name.to_ascii_lowercase()) == Some(value))
    }

    /// The answer, or how it differs from the one that it must get.
    pub(super) async fn check(
        &self,
        host: &Host,
        plugin: &Arc<Plugin>,
        settings: &Map<String, Value>,
    ) -> anyhow::Result<Result<String, String>> {
        let settings = receiver::text(self.settings(settings));
        let secrets: Arc<[Secret]> = [self.secret()].into();
        let now = Clock::System.now();
        let request = Arc::new(self.request(host, plugin, &settings, now).await?);
        let info = plugin.provider().context("the plugin is not a provider")?;
        if self.method != "POST"
            && !info.handshakes.iter().any(|method| method.as_str() == self.method)
        {
            return Ok(Err(format!("the plugin answers no challenge by {}", self.method)));
        }
        let receiver = Receiver {
            name: plugin.name(),
            settings: &settings,
            secrets: &secrets,
            tolerance: None,
            keys_from: &receiver::key_hosts(info, &request.body),
        };
        let keys = Keys::recorded(Vec::new());
        let claims = match proof::prove(host, &keys, plugin, receiver, &request).await {
            Ok(claims) => claims,
            Err(Unproven::Plugin(error)) => return Err(error.into()),
            Err(unproven) => return Ok(Err(format!("rejected: {unproven}"))),
        };
        let asker = Asker::of(info, &self.method, signature::worth(&claims, info).into());
        let Some(handshake) = &claims.handshake else {
            return Ok(Err("the plugin reads an event, not a challenge".to_owned()));
        };
        let body = match signature::answer(handshake, &claims, &secrets, &request.body, asker) {
            Ok(body) => String::from_utf8_lossy(&body).into_owned(),
            Err(error) => return Ok(Err(format!("rejected: {error}"))),
        };
        let header = |name: &str| handshake.headers.get(name);
        let alike = self.is_answered(handshake.status, header, &body);
        Ok(if alike { Ok(body) } else { Err(format!("answered {} {body}", handshake.status)) })
    }
}

/// JSON without its layout, or the text if it is not JSON.
fn meaning(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|_| body.into())
}
