//! A recorded request that asks whether the endpoint is ours, and what must be answered.
//!
//! One that is posted is signed by the sender like any other: where the recording has no signature, it
//! is made here with the recorded secret, or one of our own.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use serde::Deserialize;
use serde_json::Value;

use super::Told;
use crate::clock::Clock;
use crate::event::Request;
use crate::plugin::{Host, Plugin};
use crate::secrets::Secret;
use crate::{sender, signature};

/// The secret where the recording names none.
const SECRET: &str = "hookgate_challenge";

#[derive(Debug, Deserialize)]
pub(super) struct Challenge {
    /// What it shows.
    pub(super) name: String,
    method: String,
    url: Option<url::Url>,
    secret: Option<String>,
    #[serde(flatten)]
    told: Told,
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
    /// What was answered, or how that differs from what must be.
    pub(super) async fn check(
        &self,
        host: &Host,
        plugin: &Arc<Plugin>,
        settings: &str,
    ) -> anyhow::Result<Result<String, String>> {
        let settings = self.told.settings(settings, self.secret.as_deref())?;
        let secret = Secret::new(self.secret.as_deref().unwrap_or(SECRET));
        let secrets = [secret.context("a secret is not empty")?];
        let now = Clock::System.now();
        let headers = self.request_headers.iter();
        let url = self.url.as_ref().map(|url| url[url::Position::BeforePath..].to_owned());
        let mut request = Arc::new(Request {
            method: self.method.clone(),
            url: url.unwrap_or_else(super::root),
            headers: headers.map(|(name, value)| (name.to_ascii_lowercase(), value)).collect(),
            body: self.request_body.clone().into(),
            received_at: now,
        });
        let is_post = self.method == "POST";
        if is_post {
            let signed = sender::sign(host, plugin, &settings, &secrets, &request, now).await?;
            request = Arc::new(signed);
        }
        let info = plugin.provider().context("it is a provider")?;
        if !is_post && !info.handshakes.iter().any(|method| method.as_str() == self.method) {
            return Ok(Err(format!("the plugin is not asked by {}", self.method)));
        }
        let claims = match host.claims(plugin, &settings, &request).await? {
            Ok(claims) => claims,
            Err(refusal) => return Ok(Err(format!("refused: {}", refusal.reason))),
        };
        let proven = is_post || !claims.evidence.is_empty();
        if proven {
            let (keys, body) = (secrets.as_slice(), &request.body);
            if let Err(error) = signature::verify(&claims, info, keys, body, None, now) {
                return Ok(Err(format!("refused: {error}")));
            }
        }
        let Some(handshake) = claims.handshake else {
            return Ok(Err("taken for an event".to_owned()));
        };
        let body = match signature::answer(&handshake, &secrets, proven) {
            Ok(body) => String::from_utf8_lossy(&body).into_owned(),
            Err(error) => return Ok(Err(format!("refused: {error}"))),
        };
        let header = |(name, value): (&String, &String)| {
            handshake.headers.get(&name.to_ascii_lowercase()) == Some(value.as_str())
        };
        let alike = handshake.status == self.response_status
            && meaning(&body) == meaning(&self.response_body)
            && self.response_headers.iter().all(header);
        Ok(if alike { Ok(body) } else { Err(format!("answered {} {body}", handshake.status)) })
    }
}

/// JSON however it is laid out, else the text.
fn meaning(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|_| body.into())
}
