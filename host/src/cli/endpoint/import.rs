//! Endpoints to and from a manifest: all that the API made as a file, and a gateway made to have
//! what a file has.
//!
//! Says what it would do before it does anything. A change that somebody made meanwhile is not
//! undone: the gateway refuses the step, and the others go on.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use serde_json::{Value, json};

use super::plan::{Plan, Present, Step};
use crate::cli::at::At;
use crate::cli::http;
use crate::cli::output::note;
use crate::cli::rows::each;
use crate::cli::secret_file::SecretFile;
use crate::config::Manifest;
use crate::regular_file;
use crate::tenant::Tenant;

/// Largest manifest, in bytes.
const BYTES_MAX: usize = 64 << 20;

/// What to import.
#[derive(Debug, Args)]
pub(in crate::cli) struct Import {
    /// The file, as `hookgate endpoint export` writes it
    file: PathBuf,
    /// Do it
    #[arg(long)]
    yes: bool,
    /// Remove the endpoints that the file no longer has, of those that its line `managed` marks
    #[arg(long)]
    prune: bool,
    /// Write the secrets of new endpoints to this new file, which only you can read
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Print a line of JSON for each step
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// There is something to do, and nobody said that it shall be done.
#[derive(Debug, thiserror::Error)]
#[error("nothing was changed: give --yes to apply the plan")]
pub(in crate::cli) struct NotApplied;

/// Writes the endpoints that the API made to standard output.
pub(super) async fn export(tenant: Option<&Tenant>, at: &At) -> anyhow::Result<()> {
    let mut endpoints = present(at).await?;
    endpoints.retain(|endpoint| endpoint.is_of(tenant.map(Tenant::as_str)));
    endpoints.sort_by_key(Present::key);
    let mut tables = Vec::new();
    for endpoint in &endpoints {
        tables.push(Manifest::table(&endpoint.said()?)?);
    }
    match tables.is_empty() {
        true => note(format_args!("the API has made no such endpoint")),
        false => say!("{}", tables.join("\n").trim_end())?,
    }
    Ok(())
}

/// Makes the gateway have what a file has.
pub(super) async fn import(args: &Import) -> anyhow::Result<()> {
    let manifest = read(&args.file)?;
    let plan = Plan::of(manifest, &present(&args.at).await?, args.prune)?;
    for step in &plan.steps {
        match args.json {
            true => say!("{}", step.document())?,
            false => say!("{step}")?,
        }
    }
    note(format_args!("steps: {}, unchanged: {}", plan.steps.len(), plan.unchanged));
    if plan.steps.is_empty() {
        return Ok(());
    }
    if !args.yes {
        return Err(NotApplied.into());
    }
    let mut secrets = args.secret_file.as_deref().map(SecretFile::create).transpose()?;
    let mut failed = 0;
    for step in &plan.steps {
        // What is wrong with one says nothing of the next.
        if let Err(error) = apply(args, step, &mut secrets).await {
            note(format_args!("FAILED  {}: {error:#}", step.endpoint()));
            failed += 1;
        }
    }
    match failed {
        0 => {
            note(format_args!("applied the plan"));
            Ok(())
        }
        _ => Err(anyhow!("steps that failed: {failed} of {}", plan.steps.len())),
    }
}

fn read(path: &Path) -> anyhow::Result<Manifest> {
    let failed = || format!("failed to read {}", path.display());
    let bytes = regular_file::read(path, BYTES_MAX).with_context(failed)?;
    let text = String::from_utf8(bytes).with_context(failed)?;
    Manifest::parse(&text).with_context(failed)
}

/// All endpoints of the gateway.
async fn present(at: &At) -> anyhow::Result<Vec<Present>> {
    let mut present = Vec::new();
    each(at, at.url("/v1/endpoints")?, None, |shown| {
        present.push(Present::of(shown)?);
        Ok(())
    })
    .await?;
    Ok(present)
}

/// Does one step, and says what became of it.
async fn apply(args: &Import, step: &Step, secrets: &mut Option<SecretFile>) -> anyhow::Result<()> {
    let at = &args.at;
    match step {
        Step::Create { called, settings } => {
            let made = http::json(&at.post("/v1/endpoints", settings).await?)?;
            show(args, called, &made, secrets)
        }
        Step::Change { id, revision, patch, .. } => {
            let mut body = Value::Object(patch.clone());
            body["revision"] = (*revision).into();
            http::json(&at.patch(&format!("/v1/endpoints/{id}"), &body).await?).map(drop)
        }
        Step::Remove { id, .. } => {
            http::json(&at.delete(&format!("/v1/endpoints/{id}")).await?).map(drop)
        }
    }
}

/// Hands out the secrets of an endpoint that was made.
fn show(
    args: &Import,
    called: &str,
    made: &Value,
    file: &mut Option<SecretFile>,
) -> anyhow::Result<()> {
    let id = &made["id"];
    let values = made["secrets"].as_array().into_iter().flatten();
    let values = values.filter_map(|secret| secret["value"].as_str());
    for value in values {
        match file {
            Some(file) => file.add(&format!("{called} {value}"))?,
            None if args.json => {
                let line = json!({ "made": id, "endpoint": called, "secret": value });
                say!("{line}")?;
            }
            None => say!("secret  {called}  {value}")?,
        }
    }
    Ok(())
}
