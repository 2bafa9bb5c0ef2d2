//! `hookgate plugin test`: recorded requests, each with whether it is genuine.
//!
//! They go through the plugin's real claims in wasm, the host's real verification and the plugin's
//! real parse, at the time that the recording names; keys that were recorded stand in for those
//! that the gateway would fetch. A line each; any mismatch is an error.

mod challenge;
mod receiver;
mod recorded;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use serde_json::{Map, Value};

pub use self::challenge::Challenge;
pub use self::recorded::{Recorded, RecordedReply, Vector};
use crate::keys::{Keys, Permission};
use crate::plugin::{CallError, Host, Plugin};
use crate::signature;

/// What became of one recorded request.
enum Seen {
    Refused(String),
    /// Accepted, and what parse said.
    Accepted(String),
    /// Accepted, and answered otherwise than was recorded.
    Misanswered(String),
    Broken(CallError),
}

/// `settings` are for the recordings that have none of their own.
pub(super) async fn run(
    host: &Host,
    plugin: &Arc<Plugin>,
    files: &[PathBuf],
    settings: &Map<String, Value>,
) -> anyhow::Result<()> {
    let Some(info) = plugin.provider() else {
        bail!("plugin {} is not a provider", plugin.name());
    };
    let (mut passed, mut failed) = (0_usize, 0_usize);
    for file in files {
        let recorded = Recorded::read(file, &info.name)?;
        for challenge in recorded.challenges {
            let seen = challenge.check(host, plugin, settings).await?;
            match &seen {
                Ok(answer) => say!("ok    {}: answered {answer}", challenge.name)?,
                Err(how) => say!("WRONG {}: {how}", challenge.name)?,
            }
            passed += usize::from(seen.is_ok());
            failed += usize::from(seen.is_err());
        }
        for vector in recorded.vectors {
            let seen = see(host, plugin, &vector, settings).await?;
            let (as_it_should, what) = match seen {
                Seen::Refused(reason) => (!vector.valid, format!("rejected: {reason}")),
                Seen::Accepted(parsed) => (vector.valid, format!("accepted, {parsed}")),
                Seen::Misanswered(how) => (false, format!("accepted, but {how}")),
                Seen::Broken(error) => (false, format!("the call of the plugin failed: {error}")),
            };
            if as_it_should {
                passed += 1;
                say!("ok    {}: {what}", vector.name)?;
            } else {
                failed += 1;
                let expected = match (vector.valid, &vector.reply) {
                    (false, _) => "rejected",
                    (true, None) => "accepted",
                    (true, Some(_)) => "accepted, with the recorded answer",
                };
                say!("WRONG {}: {what}; expected: {expected}", vector.name)?;
            }
        }
    }
    say!("{}: {passed} passed, {failed} failed", plugin.name())?;
    if failed > 0 {
        bail!("recorded requests without the expected verdict: {failed}");
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
    settings: &Map<String, Value>,
) -> anyhow::Result<Seen> {
    let request = Arc::new(vector.request()?);
    let settings = &receiver::text(vector.settings(settings));
    let claims = match host.claims(plugin, settings, plugin.name(), &request).await {
        Ok(Ok(claims)) => claims,
        Ok(Err(refusal)) => return Ok(Seen::Refused(refusal.reason)),
        Err(error) => return Ok(Seen::Broken(error)),
    };
    let info = plugin.provider().context("the plugin is not a provider")?;
    let (recorded, mut fetched) = (Keys::recorded(vector.public_keys()), Vec::new());
    for (scheme, lookup) in claims.lookups() {
        let hosts = [lookup.url.host_str().unwrap_or_default().to_owned()];
        let permission = Permission { info, hosts: &hosts, secret: None };
        match recorded.find(plugin.name(), permission, scheme, lookup).await {
            Ok(key) => fetched.push((lookup.clone(), key)),
            Err(error) => return Ok(Seen::Refused(error.to_string())),
        }
    }
    let keys = signature::Keys { secrets: &vector.secrets(), fetched: &fetched };
    let (body, now) = (&request.body, request.received_at);
    if let Err(error) = signature::verify(&claims, info, keys, body, vector.tolerance(), now) {
        return Ok(Seen::Refused(error.to_string()));
    }
    let reply = claims.reply.as_ref().or(info.reply.as_ref());
    if let Some(how) = vector.reply.as_ref().and_then(|recorded| recorded.differs(reply)) {
        return Ok(Seen::Misanswered(how));
    }
    Ok(match host.parse(plugin, settings, plugin.name(), &request).await {
        Ok(parsed) => Seen::Accepted(match parsed.result {
            Ok(events) => {
                let types: Vec<_> = events.iter().map(|event| event.event_type.as_str()).collect();
                format!("parsed to [{}]", types.join(", "))
            }
            Err(failure) => {
                format!("kept as a dead letter: {}", failure.reason().unwrap_or_default())
            }
        }),
        Err(failed) => Seen::Broken(failed.error),
    })
}
