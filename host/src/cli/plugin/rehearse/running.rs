//! A rehearsal by a gateway that runs: the file goes there, and the report comes back.
//!
//! Asks now and then how far it is, because a connection that waits for hours may break. Whoever
//! stops the command ends the rehearsal. Never reads a store.

use std::pin::pin;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use tokio::time::sleep;

use super::{Asked, Found, LOOK, progress};
use crate::cli::at::At;
use crate::cli::http;
use crate::cli::rows::{given, text};
use crate::cli::serve::stop_signal;

/// A rehearsal that there is not.
const NOBODY: &str = "/v1/rehearsals/rhs_0000000000000000";

pub(super) async fn rehearse(at: &At, asked: Asked) -> anyhow::Result<Found> {
    check_reach(at).await?;
    let mut url = at.url("/v1/rehearsals")?;
    url.query_pairs_mut().append_pair("plugin", asked.plugin.as_str()).extend_pairs(given([
        ("source", asked.source.map(|name| name.to_string())),
        ("type", asked.event_type.map(|types| types.to_string())),
        ("since", asked.since.map(|time| time.to_string())),
        ("until", asked.until.map(|time| time.to_string())),
        ("limit", asked.limit.map(|limit| limit.to_string())),
    ]));
    let signature = asked.signature.map(|text| ("hookgate-signature", BASE64.encode(text)));
    let headers: Vec<_> = signature.into_iter().collect();
    let begun = http::json(&at.upload(&url, &headers, asked.wasm).await?)?;
    let path = format!("/v1/rehearsals/{}", text(&begun, "id"));
    let mut stop = pin!(stop_signal()?);
    let mut progress = progress();
    loop {
        let row = http::json(&at.get(&at.url(&path)?).await?)?;
        match row["state"].as_str() {
            Some("running") => {
                let of = Some(number(&row, "of")).filter(|of| *of > 0);
                progress.tell(number(&row, "done"), of);
            }
            Some("done") => return found(row),
            Some("failed") => bail!("{}", text(&row, "reason")),
            _ => bail!("somebody has ended the rehearsal"),
        }
        tokio::select! {
            () = &mut stop => {
                http::json(&at.delete(&path).await?)?;
                bail!("the rehearsal was ended");
            }
            () = sleep(LOOK) => (),
        }
    }
}

/// Checks that the gateway would answer this. Where it refuses, it may hang up before it has the
/// whole file, and then nobody reads why.
async fn check_reach(at: &At) -> anyhow::Result<()> {
    let answer = at.get(&at.url(NOBODY)?).await?;
    let said: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let is_none = said["type"].as_str().is_some_and(|kind| kind.ends_with("#not-found"));
    if is_none { Ok(()) } else { http::json(&answer).map(drop) }
}

fn number(row: &Value, key: &str) -> u64 {
    row[key].as_u64().unwrap_or_default()
}

fn found(mut row: Value) -> anyhow::Result<Found> {
    let memory_limit_bytes = number(&row, "memory_limit_bytes");
    let reports = serde_json::from_value(row["reports"].take());
    Ok(Found {
        reports: reports.context("failed to read the gateway's report")?,
        memory_limit_bytes,
    })
}
