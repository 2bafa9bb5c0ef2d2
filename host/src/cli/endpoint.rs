//! `hookgate endpoint`: the endpoints of a running gateway, over its admin API.
//!
//! A secret is shown once, when the gateway makes it, and never again.

mod add;
mod called;
mod import;
mod plan;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

pub(super) use self::called::{Called, called};
pub(super) use self::import::NotApplied;
use super::at::At;
use super::http;
use super::output::{cell, note};
use super::rows::{Listing, One, given, text};
use super::secret_file::SecretFile;
use crate::tenant::Tenant;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make an endpoint, and print its secret: this once
    Add(Box<add::New>),
    /// List endpoints, those of the configuration first, then the newest
    List {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        listing: Listing,
    },
    /// Show an endpoint with all its settings, and without its secrets
    Show(Of),
    /// Have the deliveries to an endpoint wait, without a try
    Pause(Of),
    /// Have the deliveries to a paused endpoint go on
    Resume(Of),
    /// End the open deliveries to an endpoint as dead letters, and all new ones
    Disable(Of),
    /// Have deliveries go to a disabled endpoint again
    Enable(Of),
    /// Send an event of the type hookgate.ping to an endpoint, as any other
    Ping(Of),
    /// Give an endpoint a new secret, and print it: this once. Those of before sign beside it for
    /// a while
    Rotate {
        #[command(flatten)]
        of: Of,
        /// How long those of before sign, such as 0s or 7d; 24h if left out
        #[arg(long, value_name = "DURATION")]
        overlap: Option<String>,
        /// What the gateway makes a secret for: v1 (HMAC-SHA256) or v1a (Ed25519); as before if
        /// left out
        #[arg(long)]
        signature: Option<String>,
        /// Write the secret to this new file, which only you can read
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
    },
    /// Delete an endpoint: its open deliveries become dead letters
    Delete(Of),
    /// Write the endpoints that the API made to standard output, as TOML and without their secrets
    Export {
        /// Only endpoints of this tenant
        #[arg(long)]
        tenant: Option<Tenant>,
        #[command(flatten)]
        at: At,
    },
    /// Say what would make the endpoints of the gateway those of a file; with --yes, do it. The
    /// exit code is 0 if nothing is left to do, 1 if something failed, and 2 without --yes
    Import(import::Import),
}

/// Which endpoints.
#[derive(Debug, Args)]
pub(super) struct Filter {
    /// Only endpoints of this tenant
    #[arg(long)]
    tenant: Option<String>,
    /// Only endpoints of this name
    #[arg(long)]
    name: Option<String>,
    /// Only endpoints in this state: enabled, paused or disabled
    #[arg(long)]
    state: Option<String>,
}

/// An endpoint of a gateway.
#[derive(Debug, Args)]
pub(super) struct Of {
    /// The endpoint: its id (ep_...), its name, or TENANT/NAME
    #[arg(value_name = "ENDPOINT")]
    called: Called,
    #[command(flatten)]
    one: One,
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Add(new) => add::add(*new).await,
        Command::List { filter, listing } => list(&filter, &listing).await,
        Command::Show(Of { called, one }) => {
            one.print(&format!("/v1/endpoints/{}", called.id(&one.at).await?)).await
        }
        Command::Pause(of) => act(&of, "pause").await,
        Command::Resume(of) => act(&of, "resume").await,
        Command::Disable(of) => act(&of, "disable").await,
        Command::Enable(of) => act(&of, "enable").await,
        Command::Ping(of) => ping(&of).await,
        Command::Rotate { of, overlap, signature, secret_file } => {
            let asked = given([("overlap", overlap), ("signature", signature)]);
            let body: Map<_, _> =
                asked.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
            rotate(&of, body, secret_file.as_deref()).await
        }
        Command::Delete(of) => delete(&of).await,
        Command::Export { tenant, at } => import::export(tenant.as_ref(), &at).await,
        Command::Import(args) => import::import(&args).await,
    }
}

async fn rotate(of: &Of, body: Map<String, Value>, file: Option<&Path>) -> anyhow::Result<()> {
    let Of { called, one } = of;
    let id = called.id(&one.at).await?;
    let mut file = file.map(SecretFile::create).transpose()?;
    let path = format!("/v1/endpoints/{id}/rotate");
    let rotated = http::json(&one.at.post(&path, &body.into()).await?)?;
    show_secrets(&rotated, &mut file, one.json)
}

/// Prints the secrets that an answer shows, or writes them to the file, and prints the rest.
fn show_secrets(
    answer: &Value,
    file: &mut Option<SecretFile>,
    as_json: bool,
) -> anyhow::Result<()> {
    let mut answer = answer.clone();
    let called = called(&answer);
    let id = text(&answer, "id");
    let is_kept = file.is_some();
    keep_secrets(&mut answer, file, !as_json)?;
    if as_json {
        say!("{answer}")?;
    } else if is_kept {
        say!("{called}  {id}")?;
    }
    let place = if is_kept { "It is in the file" } else { "Keep it now" };
    note(format_args!(
        "the endpoint `{called}` is {id} and has a new secret. {place}: the gateway never shows it \
         again"
    ));
    Ok(())
}

/// Writes each secret to the file, and takes it out of the answer; without a file, prints it if
/// that is wanted.
fn keep_secrets(
    answer: &mut Value,
    file: &mut Option<SecretFile>,
    prints: bool,
) -> anyhow::Result<()> {
    for secret in answer["secrets"].as_array_mut().into_iter().flatten() {
        let Some(value) = secret["value"].as_str().map(str::to_owned) else { continue };
        match file {
            Some(file) => {
                file.add(&value)?;
                if let Some(secret) = secret.as_object_mut() {
                    secret.remove("value");
                }
            }
            None if prints => say!("{value}")?,
            None => (),
        }
    }
    Ok(())
}

async fn list(filter: &Filter, listing: &Listing) -> anyhow::Result<()> {
    let Filter { tenant, name, state } = filter;
    let filters =
        given([("tenant", tenant.clone()), ("name", name.clone()), ("state", state.clone())]);
    let head = row(["HOOKGATE ID", "STATE", "FROM", "NAME", "EVENTS", "URL"].map(str::to_owned));
    listing.print("/v1/endpoints", filters, &head, line).await
}

fn line(endpoint: &Value) -> String {
    let [id, from, url] = ["id", "origin", "url"].map(|key| text(endpoint, key));
    let events = endpoint["events"].as_array().into_iter().flatten();
    let events: Vec<_> = events.filter_map(Value::as_str).map(cell).collect();
    row([id, stands(endpoint), from, called(endpoint), events.join(","), url])
}

fn row([id, state, from, name, events, url]: [String; 6]) -> String {
    format!("{id:<21}  {state:<27}  {from:<4}  {name:<28}  {events:<24}  {url}")
}

/// How an endpoint stands, and what else holds its deliveries up.
fn stands(endpoint: &Value) -> String {
    let mut stands = text(endpoint, "state");
    if let Some(reason) = endpoint["reason"].as_str().filter(|reason| *reason != "operator") {
        stands = format!("{stands}:{}", cell(reason));
    }
    if endpoint["locked"] == true {
        stands += ",locked";
    }
    if matches!(endpoint["breaker"]["state"].as_str(), Some("open" | "half_open")) {
        stands += ",broken";
    }
    stands
}

/// Has an endpoint stand otherwise, and says how it stands.
async fn act(Of { called: which, one }: &Of, what: &str) -> anyhow::Result<()> {
    let path = format!("/v1/endpoints/{}/{what}", which.id(&one.at).await?);
    let now = http::json(&one.at.post(&path, &json!({})).await?)?;
    one.say(&now, &format!("{}  {}  {}", called(&now), text(&now, "id"), stands(&now)))
}

async fn ping(Of { called: which, one }: &Of) -> anyhow::Result<()> {
    let path = format!("/v1/endpoints/{}/ping", which.id(&one.at).await?);
    let sent = http::json(&one.at.post(&path, &json!({})).await?)?;
    one.say(&sent, &format!("{}  {}", text(&sent, "event"), text(&sent, "delivery")))
}

async fn delete(Of { called: which, one }: &Of) -> anyhow::Result<()> {
    let path = format!("/v1/endpoints/{}", which.id(&one.at).await?);
    let was = http::json(&one.at.delete(&path).await?)?;
    one.say(&was, &format!("{}  {}  deleted", called(&was), text(&was, "id")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_line_below_its_heads_and_says_what_holds_it_up() {
        let head = row(["HOOKGATE ID", "STATE", "FROM", "NAME", "EVENTS", "URL"].map(String::from));
        let endpoint = json!({
            "id": "ep_000000000001000000", "state": "disabled", "reason": "gone", "origin": "api",
            "tenant": "acme", "name": "crm", "events": ["a.*", "b"], "url": "https://crm.example/",
            "locked": true, "breaker": { "state": "open" },
        });
        let shown = line(&endpoint);
        assert!(shown.contains("  disabled:gone,locked,broken  api "), "{shown}");
        for (name, value) in [("STATE", "disabled"), ("HOOKGATE", "ep_")] {
            assert_eq!(head.find(name), shown.find(value), "{head}\n{shown}");
        }
        assert!(shown.contains("acme/crm") && shown.contains("a.*,b"), "{shown}");
        let fine = json!({ "state": "paused", "reason": "operator", "locked": false });
        assert_eq!(stands(&fine), "paused");
    }

    #[test]
    fn secrets_go_to_the_file_and_not_into_the_answer_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets");
        let mut answer = json!({ "secrets": [
            { "kind": "whsec", "value": "whsec_a" }, { "kind": "bearer" }, { "value": "whsk_b" },
        ] });
        let mut file = Some(SecretFile::create(&path).unwrap());
        keep_secrets(&mut answer, &mut file, false).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "whsec_a\nwhsk_b\n");
        assert!(!answer.to_string().contains("value"), "{answer}");
    }
}
