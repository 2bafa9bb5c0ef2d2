//! The settings: what the gateway is set to, as its configuration says it.
//!
//! Reads `/v1/settings`. The file is where they are changed. Never shows a secret.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dashboard::frame::{Frame, Section};
use crate::dashboard::markup::Markup;
use crate::dashboard::page::page;
use crate::dashboard::{Dashboard, Failed, Visitor, highlight};
use crate::token::Scope;

/// Most bytes of the configuration that are shown.
const BYTES_MAX: usize = 256 << 10;

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/settings", get(show))
}

#[derive(Deserialize)]
struct Settings {
    version: String,
    configuration: Box<RawValue>,
}

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    frame: Frame,
    version: String,
    configuration: Markup,
    can_see_tokens: bool,
}

async fn show(visitor: Visitor) -> Result<Response, Failed> {
    let Settings { version, configuration } = visitor.get("/v1/settings").await?;
    Ok(page(&SettingsPage {
        frame: visitor.frame(Section::Settings, "Settings"),
        version,
        configuration: highlight::json(configuration.get(), BYTES_MAX),
        can_see_tokens: visitor.can(Scope::Admin),
    }))
}
