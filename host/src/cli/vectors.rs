//! `hookgate plugin test`: recorded requests, each with whether it is genuine.
//!
//! They go through the plugin's real claims in wasm, the gateway's own verification (`proof`) and
//! the plugin's real parse, at the time that the recording names; keys that were recorded stand in
//! for those that the gateway would fetch. A line each; any mismatch is an error.

mod challenge;
mod receiver;
mod recorded;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use http::Method;
use serde_json::{Map, Value, json};

pub use self::challenge::Challenge;
pub use self::receiver::key_hosts;
pub use self::recorded::{Recorded, RecordedReply, Vector};
use crate::event::Request;
use crate::keys::Keys;
use crate::plugin::{CallError, Host, Plugin, Role};
use crate::proof::{self, Receiver, Unproven};
use crate::provider::Claims;
use crate::secrets::Secret;
use crate::signature::{self, Asker};

/// Which lines a test prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Printed {
    /// One for each that is tested, and their number.
    All,
    /// Those of what failed.
    Wrong,
    /// One JSON document for each that is tested.
    Json,
}

impl Printed {
    /// Says what became of something that is tested: `ok`, `wrote` or `WRONG`, its name, what there
    /// is to say of it, and what differs.
    pub(super) fn tell(
        self,
        outcome: &str,
        name: &str,
        said: &str,
        difference: &[String],
    ) -> anyhow::Result<()> {
        match self {
            Self::Wrong if outcome == "ok" => Ok(()),
            Self::Json => {
                let outcome = outcome.to_lowercase();
                let said = said.trim_start_matches(": ");
                let document = json!({
                    "name": name, "outcome": outcome, "said": said, "difference": difference,
                });
                say!("{document}")
            }
            Self::All | Self::Wrong => {
                say!("{outcome:<5} {name}{said}")?;
                difference.iter().try_for_each(|line| say!("{line}"))
            }
        }
    }

    /// Whether the sum of it all is printed.
    pub(super) fn has_sum(self, failed: usize) -> bool {
        self == Self::All || self == Self::Wrong && failed > 0
    }
}

/// What became of one recorded request.
enum Seen {
    Refused(String),
    /// Accepted, and what parse said.
    Accepted(String),
    /// Accepted, but with another answer or another plain body than the recorded one.
    Differing(String),
    Broken(CallError),
}

/// `settings` are for the recordings that have none of their own. Gives the number of those that
/// passed.
pub(super) async fn run(
    host: &Host,
    plugin: &Arc<Plugin>,
    files: &[PathBuf],
    settings: &Map<String, Value>,
    printed: Printed,
) -> anyhow::Result<usize> {
    let Some(info) = plugin.provider() else {
        bail!("plugin {} is not a provider", plugin.name());
    };
    let mut passed = 0_usize;
    let mut failed = 0_usize;
    for file in files {
        let recorded = Recorded::read(file, &info.name)?;
        for challenge in recorded.challenges {
            let seen = challenge.check(host, plugin, settings).await?;
            let name = &challenge.name;
            match &seen {
                Ok(answer) => printed.tell("ok", name, &format!(": answered {answer}"), &[])?,
                Err(how) => printed.tell("WRONG", name, &format!(": {how}"), &[])?,
            }
            passed += usize::from(seen.is_ok());
            failed += usize::from(seen.is_err());
        }
        for vector in recorded.vectors {
            let seen = see(host, plugin, &vector, settings).await?;
            let (as_it_should, what) = match seen {
                Seen::Refused(reason) => (!vector.valid, format!("rejected: {reason}")),
                Seen::Accepted(parsed) => (vector.valid, format!("accepted, {parsed}")),
                Seen::Differing(how) => (false, format!("accepted, but {how}")),
                Seen::Broken(error) => (false, format!("the call of the plugin failed: {error}")),
            };
            if as_it_should {
                passed += 1;
                printed.tell("ok", &vector.name, &format!(": {what}"), &[])?;
            } else {
                failed += 1;
                let expected = match (vector.valid, &vector.reply) {
                    (false, _) => "rejected",
                    (true, None) => "accepted",
                    (true, Some(_)) => "accepted, with the recorded answer",
                };
                let said = format!(": {what}; expected: {expected}");
                printed.tell("WRONG", &vector.name, &said, &[])?;
            }
        }
    }
    if printed.has_sum(failed) {
        say!("{}: {passed} passed, {failed} failed", plugin.name())?;
    }
    if failed > 0 {
        bail!("recorded requests without the expected verdict: {failed}");
    }
    if passed == 0 {
        bail!("the files hold no recorded request");
    }
    Ok(passed)
}

/// The request as the plugin parses it: with the body that it decrypts to.
fn opened(
    vector: &Vector,
    claims: &Claims,
    secrets: &[Secret],
    request: Arc<Request>,
) -> Result<Arc<Request>, Seen> {
    let opened = match signature::plain_body(claims, secrets, &request.body) {
        Ok(None) => request,
        Ok(Some(body)) => Arc::new(Request { body, ..Request::clone(&request) }),
        Err(error) => return Err(Seen::Accepted(format!("kept as a dead letter: {error}"))),
    };
    match &vector.plaintext {
        Some(plain) if opened.body != plain.as_bytes() => Err(Seen::Differing(
            "the body decrypts to another text than the recorded one".to_owned(),
        )),
        _ => Ok(opened),
    }
}

async fn see(
    host: &Host,
    plugin: &Arc<Plugin>,
    vector: &Vector,
    settings: &Map<String, Value>,
) -> anyhow::Result<Seen> {
    let request = Arc::new(vector.request()?);
    let secrets: Arc<[Secret]> = vector.secrets(settings).into();
    let settings = &receiver::text(vector.settings(settings));
    let info = plugin.provider().context("the plugin is not a provider")?;
    match host.check(plugin, Role::Provider, settings).await.ended {
        Ok(Ok(())) => (),
        // With these the gateway stops the source.
        Ok(Err(reason)) => return Ok(Seen::Refused(reason)),
        Err(error) => return Ok(Seen::Broken(error)),
    }
    let receiver = Receiver {
        name: plugin.name(),
        settings,
        secrets: &secrets,
        tolerance: vector.tolerance(),
        keys_from: &receiver::key_hosts(info, &request.body),
    };
    let keys = Keys::recorded(vector.public_keys());
    let claims = match proof::prove(host, &keys, plugin, receiver, &request).await {
        Ok(claims) => claims,
        Err(Unproven::Plugin(error)) => return Ok(Seen::Broken(error)),
        Err(unproven) => return Ok(Seen::Refused(unproven.to_string())),
    };
    // What the gateway would answer, or refuse, and in either case not store.
    if claims.handshake.is_some() {
        return Ok(Seen::Refused("a validation challenge is not an event".to_owned()));
    }
    let is_event = |method: &Method| method.as_str() == request.method;
    if request.method != "POST" && !info.methods.iter().any(is_event) {
        let reason = format!("{} request without a validation challenge", request.method);
        return Ok(Seen::Refused(reason));
    }
    if let Some(recorded) = &vector.reply {
        let asker = Asker::of(info, &request.method, signature::worth(&claims, info).into());
        let body = |it| signature::answer(it, &claims, &secrets, &request.body, asker);
        let answered = signature::reply(info, &claims, asker).map(|it| (it, body(it)));
        if let Some(how) = recorded.differs(answered) {
            return Ok(Seen::Differing(how));
        }
    }
    let request = match opened(vector, &claims, &secrets, request) {
        Ok(request) => request,
        Err(seen) => return Ok(seen),
    };
    Ok(match host.parse(plugin, settings, plugin.name(), &request).await.ended {
        Ok(Ok(events)) => {
            let types: Vec<_> = events.iter().map(|event| event.event_type.as_str()).collect();
            Seen::Accepted(format!("parsed to [{}]", types.join(", ")))
        }
        Ok(Err(failure)) => {
            let reason = failure.reason().unwrap_or_default();
            Seen::Accepted(format!("kept as a dead letter: {reason}"))
        }
        Err(error) => Seen::Broken(error),
    })
}
