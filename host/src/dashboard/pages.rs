//! The pages, by their addresses.
//!
//! Each section is a file that has its own routes and knows no other. Never answers for the API.

mod answered;
mod audit;
mod dead;
mod endpoint;
mod endpoint_form;
mod endpoints;
mod event;
mod events;
mod overview;
mod plugins;
mod replays;
mod settings;
mod sources;
mod tokens;

use std::sync::Arc;

use axum::Router;

use super::Dashboard;

/// All pages.
pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new()
        .merge(overview::routes())
        .merge(sources::routes())
        .merge(events::routes())
        .merge(event::routes())
        .merge(endpoints::routes())
        .merge(endpoint_form::routes())
        .merge(endpoint::routes())
        .merge(dead::routes())
        .merge(replays::routes())
        .merge(plugins::routes())
        .merge(audit::routes())
        .merge(settings::routes())
        .merge(tokens::routes())
}
