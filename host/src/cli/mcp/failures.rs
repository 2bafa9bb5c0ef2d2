//! Why work fails, for an assistant: dead letters by reason with what is known of each reason, and
//! deliveries that failed and will be tried again.
//!
//! Joins what several paths of the admin API say. Never guesses: what to do is what the manual says
//! of a reason.

use std::cmp::Reverse;

use serde_json::{Map, Value, json};

use super::answer::{hide_credentials, story};
use super::arguments::Failures;
use crate::cli::at::At;
use crate::cli::endpoint::Called;
use crate::cli::event;
use crate::cli::http;
use crate::cli::rows::{each, given};

/// Reasons that are explained, those of most letters.
const REASONS_MAX: usize = 10;
/// Deliveries that wait for their next try and are looked at, the newest.
const PENDING_MAX: usize = 200;
/// Of these the failed ones that are shown.
const FAILED_MAX: usize = 20;

/// What an endpoint shows of how it fares.
const FARES: [&str; 8] = ["id", "name", "tenant", "url", "state", "reason", "breaker", "locked"];

/// A reason, what it means, and what an operator does: as the manual says it.
const MEANINGS: [(&str, &str, &str); 13] = [
    (
        "endpoint_refused",
        "the endpoint answered, and not with 2xx",
        "look at status and answer of the attempt",
    ),
    (
        "endpoint_unreachable",
        "its name does not resolve, nothing listens there, or the connection ended before the \
         answer; also if too many deliveries wait for the endpoint",
        "look at phase and causes of the attempt",
    ),
    (
        "endpoint_timeout",
        "it did not connect, negotiate TLS or answer in time; phase of the attempt says which",
        "a slow endpoint should put the delivery into a queue of its own; or set timeout",
    ),
    (
        "endpoint_tls",
        "its certificate is not good, or it does not speak TLS as the gateway does; causes has \
         the issuer, the time or the name",
        "the subscriber repairs it",
    ),
    (
        "endpoint_gone",
        "it answered 410, it is deleted or disabled, or the configuration no longer has it",
        "ask the subscriber whether it is meant; enable it, and replay",
    ),
    (
        "blocked_by_guard",
        "the URL leads to an address that [egress] does not allow",
        "the operator allows it in the configuration, if it is meant",
    ),
    (
        "plugin_failed",
        "the plugin gave a failure, broke down, or took too long",
        "repair the plugin, or what it complains about, and replay",
    ),
    (
        "plugin_missing",
        "the configuration no longer has the source, or too many runs waited for a handler \
         that is missing or refuses its settings",
        "bring back the source, load the plugin, or correct its settings, and replay",
    ),
    (
        "unparsable",
        "the plugin can't make an event of the request",
        "give the plugin's author the receipt; another version of the plugin parses it by \
         itself",
    ),
    (
        "unreadable",
        "the stored record that the work needs is damaged; with `repaired` in detail, nothing \
         shows whether the work was done before a repair of the store",
        "see the manual on damage; replay repaired work only if it is known that it was not \
         done",
    ),
    (
        "not_granted",
        "the run failed after the gateway had refused it what its grants do not have",
        "extend [handlers.NAME] in the configuration, or repair the plugin",
    ),
    ("discarded", "an operator ended the work", "nothing, unless that was a mistake"),
    ("erased", "an operator had what is known of its subject erased", "nothing: its data is gone"),
];

/// Why work fails now.
pub(super) async fn explained(at: &At, failures: Failures) -> anyhow::Result<Value> {
    let Failures { kind, endpoint, reason, tenant } = failures;
    let endpoint = match endpoint {
        Some(called) => {
            let called = called.parse::<Called>().map_err(anyhow::Error::msg)?;
            Some(called.find(at).await?)
        }
        None => None,
    };
    let name = endpoint.as_ref().and_then(letters_name);
    let mut url = at.url("/v1/dead/reasons")?;
    url.query_pairs_mut().extend_pairs(given([
        ("kind", kind.clone()),
        ("name", name),
        ("reason", reason.clone()),
        ("tenant", tenant.clone()),
    ]));
    let reasons = http::json(&at.get(&url).await?)?;
    let mut groups = reasons["groups"].as_array().cloned().unwrap_or_default();
    groups.retain(Value::is_object);
    groups.sort_by_key(|group| Reverse(group["count"].as_u64()));
    let left = groups.len().saturating_sub(REASONS_MAX);
    let mut dead = Vec::new();
    for group in groups.into_iter().take(REASONS_MAX) {
        dead.push(in_full(at, group).await?);
    }
    let id = endpoint.as_ref().and_then(|endpoint| endpoint["id"].as_str());
    let retrying = match kind.as_deref() {
        None | Some("delivery") => retrying(at, id, reason.as_deref(), tenant).await?,
        Some(_) => Vec::new(),
    };
    Ok(json!({
        "dead": dead,
        "dead_at_least": reasons["at_least"],
        "reasons_left_out": left,
        "retrying": retrying,
    }))
}

/// The name that dead letters know an endpoint by.
fn letters_name(endpoint: &Value) -> Option<String> {
    let text = |key: &str| endpoint[key].as_str();
    match text("origin") {
        Some("file") => text("name").map(str::to_owned),
        _ => text("id").map(|id| id.replace('_', "-")),
    }
}

/// A reason with what it means, and with the last try of its newest letter.
async fn in_full(at: &At, mut group: Value) -> anyhow::Result<Value> {
    let known = meaning(group["reason"].as_str().unwrap_or_default());
    if let Some((meaning, advice)) = known {
        group["meaning"] = meaning.into();
        group["advice"] = advice.into();
    }
    let Some(id) = group["newest"]["id"].as_str() else { return Ok(group) };
    let answer = at.get(&at.url(&event::path(id))?).await?;
    // The letter may be gone by now, or is not for this token.
    let Ok(text) = http::ok(&answer) else { return Ok(group) };
    let shown = story(text, false)?;
    let tries = ["attempts", "tries"].into_iter().find_map(|key| shown[key].as_array());
    let last = tries.and_then(|tries| tries.last()).cloned();
    let endpoint = match shown["endpoint"]["id"].as_str() {
        Some(id) => fares(at, id).await?,
        None => Value::Null,
    };
    group["last_try"] = last.unwrap_or_default();
    group["endpoint"] = endpoint;
    Ok(group)
}

/// How an endpoint fares; null if it is deleted.
async fn fares(at: &At, id: &str) -> anyhow::Result<Value> {
    let answer = at.get(&at.url(&format!("/v1/endpoints/{id}"))?).await?;
    let Ok(mut endpoint) = http::json(&answer) else { return Ok(Value::Null) };
    hide_credentials(&mut endpoint);
    let shown = FARES.iter().map(|key| ((*key).to_owned(), endpoint[*key].clone()));
    Ok(Value::Object(shown.collect::<Map<_, _>>()))
}

/// Deliveries that failed, and wait for their next try.
async fn retrying(
    at: &At,
    endpoint: Option<&str>,
    reason: Option<&str>,
    tenant: Option<String>,
) -> anyhow::Result<Vec<Value>> {
    let mut url = at.url("/v1/deliveries")?;
    url.query_pairs_mut().extend_pairs(given([
        ("state", Some("pending".to_owned())),
        ("endpoint", endpoint.map(str::to_owned)),
        ("tenant", tenant),
    ]));
    let mut failed = Vec::new();
    each(at, url, Some(PENDING_MAX), |delivery| {
        let why = delivery["last_attempt"]["reason"].as_str();
        if why.is_some_and(|why| reason.is_none_or(|reason| reason == why)) {
            failed.push(delivery.clone());
        }
        Ok(())
    })
    .await?;
    failed.truncate(FAILED_MAX);
    Ok(failed)
}

/// What a reason means, and what to do; of a reason of a newer gateway nothing is known.
fn meaning(reason: &str) -> Option<(&'static str, &'static str)> {
    let known = MEANINGS.iter().find(|(name, ..)| *name == reason);
    known.map(|(_, meaning, advice)| (*meaning, *advice))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Reason;

    #[test]
    fn every_reason_is_explained() {
        for reason in Reason::ALL {
            assert!(meaning(reason.as_str()).is_some(), "{reason}");
        }
        assert_eq!(meaning("a reason of a newer gateway"), None);
    }

    #[test]
    fn an_endpoint_is_named_as_its_letters_name_it() {
        let mut endpoint = json!({ "id": "ep_000000000001000000", "name": "crm" });
        endpoint["origin"] = "api".into();
        assert_eq!(letters_name(&endpoint).unwrap(), "ep-000000000001000000");
        endpoint["origin"] = "file".into();
        assert_eq!(letters_name(&endpoint).unwrap(), "crm");
    }
}
