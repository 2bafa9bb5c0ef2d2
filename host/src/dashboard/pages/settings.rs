//! The settings: what the gateway is set to, how much room it has, and who is signed in.
//!
//! Reads `/v1/settings`, of which the file is where they are changed, and the disk's part of
//! `/v1/overview`. Never shows a secret.

mod laid_out;

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::value::RawValue;

use self::laid_out::{Fact, Group, LaidOut, Listing};
use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::{self, Markup};
use crate::dashboard::page::page;
use crate::dashboard::{Dashboard, Failed, Visitor, figure, highlight};
use crate::event::Timestamp;
use crate::token::Scope;

/// Most bytes of the configuration that are shown as JSON.
const BYTES_MAX: usize = 64 << 10;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/settings", get(show))
}

#[derive(Deserialize)]
struct Settings {
    version: String,
    configuration: Box<RawValue>,
}

/// What is of use here of the gateway at a glance.
#[derive(Deserialize)]
struct Glance {
    since: Timestamp,
    disk: Option<Disk>,
}

#[derive(Deserialize)]
struct Disk {
    free_bytes: u64,
    mark_bytes: u64,
    is_low: bool,
}

/// Who asks, as the API says it.
#[derive(Deserialize)]
struct Own {
    token: Option<String>,
    scopes: Vec<String>,
    ends_at: Option<Timestamp>,
}

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    frame: Frame,
    version: String,
    since: Markup,
    /// How much room there is, in a sentence.
    disk: Option<String>,
    is_low: bool,
    /// Whose session it is; `None` where nobody signs in.
    own: Option<String>,
    scopes: String,
    ends: Option<Markup>,
    facts: Vec<Fact>,
    groups: Vec<Group>,
    listings: Vec<Listing>,
    whole: Markup,
    can_see_tokens: bool,
}

async fn show(visitor: Visitor) -> Result<Response, Failed> {
    let Settings { version, configuration } = visitor.get("/v1/settings").await?;
    let Glance { since, disk } = visitor.get("/v1/overview?span=hour").await?;
    let Own { token, scopes, ends_at } = visitor.get("/v1/session").await?;
    let LaidOut { facts, groups, listings } = LaidOut::of(configuration.get());
    let now = visitor.now();
    Ok(page(&SettingsPage {
        frame: visitor.frame(Section::Settings, "Settings"),
        version,
        since: markup::when(now, since),
        is_low: disk.as_ref().is_some_and(|disk| disk.is_low),
        disk: disk.as_ref().map(room),
        own: token,
        scopes: scopes.join(", "),
        ends: ends_at.map(|at| markup::when(now, at)),
        facts,
        groups,
        listings,
        whole: highlight::json(configuration.get(), BYTES_MAX),
        can_see_tokens: visitor.can(Scope::Admin),
    }))
}

/// `41 GiB free; below 1 GiB the gateway accepts no requests`.
fn room(Disk { free_bytes, mark_bytes, .. }: &Disk) -> String {
    let [free, mark] = [*free_bytes, *mark_bytes].map(figure::bytes);
    format!("{free} free; below {mark} the gateway accepts no requests")
}
