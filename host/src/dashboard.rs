//! The dashboard: what the API of the admin port knows, as pages for people.
//!
//! A client of that API within the process. Each page asks it what a program would ask, as whoever
//! looks at the page, and each form is one operation of it: so scopes, tenants, secrets, bounds and
//! the audit log are decided there and nowhere else. All markup comes from the templates and from
//! `markup`. Never reaches any other part of the gateway.

mod api;
mod assets;
mod chart;
mod elsewhere;
mod failed;
pub(crate) mod figure;
mod frame;
mod highlight;
mod link;
mod markup;
mod moment;
mod notes;
mod page;
mod pages;
mod sender;
mod session;
mod sign;
mod submitted;
mod trouble;
mod visible;
mod visitor;

use std::sync::Arc;

use axum::{Router, middleware};

use self::api::Api;
use self::failed::Failed;
use self::notes::Notes;
use self::submitted::Submitted;
use self::visitor::Visitor;
use crate::clock::Clock;

/// What serving pages needs.
#[derive(Debug)]
struct Dashboard {
    /// Where everything comes from.
    api: Api,
    /// How old something is.
    clock: Clock,
    /// What is said on the next page.
    notes: Notes,
}

/// The admin port: pages under their paths, and the API under all others.
pub(crate) fn router(api: Router, clock: Clock) -> Router {
    let dashboard = Dashboard { api: Api::new(api), clock, notes: Notes::default() };
    let pages = pages::routes().merge(sign::routes()).layer(middleware::from_fn(trouble::shown));
    Router::new()
        .merge(pages)
        .merge(assets::routes())
        .fallback(elsewhere::answer)
        .with_state(Arc::new(dashboard))
}

#[cfg(test)]
mod tests;
