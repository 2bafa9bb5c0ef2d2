//! `hookgate token`: make, list and revoke tokens of a running gateway, over its admin API; or
//! begin anew with one, on the data folder of a gateway that is stopped.
//!
//! A token is printed once, when it is made, and never again.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::deed::by_command;
use super::http;
use super::output::{cell, note};
use super::rows::{One, text};
use super::store::Place;
use crate::clock::Clock;
use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::{self, Token};
use crate::tenant::Tenant;
use crate::token::{self, Scope, Scopes, TokenHash};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a token, and print it: this once. From the first token on the admin port answers
    /// nobody without one
    New(New),
    /// List the tokens: what each may do, and when it was last used
    List {
        #[command(flatten)]
        one: One,
    },
    /// Revoke a token: from now on the gateway refuses it
    Revoke {
        /// The name of the token
        name: Name,
        #[command(flatten)]
        one: One,
    },
    /// Remove all tokens of a store while no gateway runs on it, and print a new one that may do
    /// everything: for who has none any more
    Reset {
        #[command(flatten)]
        place: Place,
        /// The name of the new token
        #[arg(long, default_value = "admin")]
        name: Name,
        /// Make no token: the admin port answers this machine without one again
        #[arg(long, conflicts_with = "name")]
        open: bool,
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
    },
}

/// A token to make.
#[derive(Debug, Args)]
pub(super) struct New {
    /// A name for the token, such as ci
    name: Name,
    /// What it may do: read, replay, write, admin, or some of these with commas between them
    #[arg(long, value_name = "SCOPES", value_delimiter = ',', required = true)]
    scopes: Vec<Scope>,
    /// How long it is valid, such as 90d; for ever if left out
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    expires_in: Option<Duration>,
    /// Whose it is: the token reaches what belongs to this tenant, and nothing else
    #[arg(long)]
    tenant: Option<Tenant>,
    #[command(flatten)]
    one: One,
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::New(new) => make(new).await,
        Command::List { one } => list(&one).await,
        Command::Revoke { name, one } => {
            let revoked = http::json(&one.at.delete(&format!("/v1/tokens/{name}")).await?)?;
            one.say(&revoked, &format!("{revoked:#}"))
        }
        Command::Reset { place, name, open, json } => reset(&place, (!open).then_some(name), json),
    }
}

async fn make(new: New) -> anyhow::Result<()> {
    let New { name, scopes, expires_in, tenant, one } = new;
    let expires_at = expires_in.map(|span| Clock::System.now().after(span));
    let body = json!({
        "name": name, "scopes": scopes, "expires_at": expires_at, "tenant": tenant,
    });
    let made = http::json(&one.at.post("/v1/tokens", &body).await?)?;
    let token = made["token"].as_str().context("the answer of the gateway has no token")?;
    one.say(&made, token)?;
    note(format_args!(
        "the token `{name}` may: {}. Keep it now: the gateway never shows it again. From now on \
         the admin port answers nobody without a token; commands send the one in HOOKGATE_TOKEN \
         or in --token-file",
        scopes.into_iter().collect::<Scopes>()
    ));
    Ok(())
}

async fn list(one: &One) -> anyhow::Result<()> {
    let answer = http::json(&one.at.get(&one.at.url("/v1/tokens")?).await?)?;
    let mut tokens = answer["tokens"].as_array().into_iter().flatten();
    if one.json {
        return tokens.try_for_each(|token| say!("{token}"));
    }
    let head = ["NAME", "SCOPES", "EXPIRES (UTC)", "LAST USED (UTC)", "FROM"];
    say!("{}", row(head.map(str::to_owned)))?;
    for token in tokens {
        let scopes = token["scopes"].as_array().into_iter().flatten();
        let scopes: Vec<_> = scopes.filter_map(Value::as_str).map(cell).collect();
        let [name, expires, used, from] =
            ["name", "expires_at", "last_used_at", "from"].map(|key| text(token, key));
        say!("{}", row([name, scopes.join(","), expires, used, from]))?;
    }
    Ok(())
}

fn row([name, scopes, expires, used, from]: [String; 5]) -> String {
    format!("{name:<20}  {scopes:<24}  {expires:<24}  {used:<24}  {from}")
}

fn reset(place: &Place, name: Option<Name>, is_json: bool) -> anyhow::Result<()> {
    let folder = place.folder()?;
    // To open what is not there would make it.
    if !store::file_in(&folder).exists() {
        bail!("the folder {} has no store", folder.display());
    }
    let now = Clock::System.now();
    let deed = by_command("hookgate token reset", json!({ "token": name }));
    let Some(name) = name else {
        store::reset_tokens(&folder, None, (&deed, now))?;
        return match is_json {
            true => say!("{}", json!({ "name": null, "token": null })),
            false => {
                say!("the store has no token: the admin port answers this machine without one")
            }
        };
    };
    let text = token::fresh().ok_or_else(|| anyhow!("the system has no random bytes"))?;
    let made = fresh(name.clone(), TokenHash::of(text.expose()), now);
    store::reset_tokens(&folder, Some(&made), (&deed, now))?;
    match is_json {
        true => say!("{}", json!({ "name": name, "token": text.expose() }))?,
        false => say!("{}", text.expose())?,
    }
    note(format_args!(
        "this is the only token in the store now: `{name}`, which may do everything. Keep it: \
         Hookgate never shows it again. Tokens of the configuration are as they were"
    ));
    Ok(())
}

/// A token that may do everything.
fn fresh(name: Name, hash: TokenHash, now: Timestamp) -> Token {
    Token {
        name,
        hash,
        scopes: Scopes::ADMIN,
        created_at: now,
        expires_at: None,
        tenant: None,
        last_used_at: None,
    }
}
