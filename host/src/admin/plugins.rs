//! The plugins as they are now, and a look at the files when an operator asks for it.
//!
//! Whoever looks at the files answers with what became of them. Never loads anything itself.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::routing::{get, post};
use serde::Serialize;
use tokio::sync::oneshot;

use super::audit::{self, Changed};
use super::bodies::{self, NO_BODY};
use super::operation::{Answer, Need, Operation, Tenants, Turn, Verb};
use super::problem::Kind;
use super::rows::{PluginRow, Report};
use super::schema::Schemas;
use super::{Admin, Problem, idempotency, turns};
use crate::token::Scope;

pub(super) static OPERATIONS: [Operation; 2] = [
    Operation {
        verb: Verb::Get,
        path: "/v1/plugins",
        id: "listPlugins",
        summary: "Lists the plugins, with what is wrong with their files.",
        need: Need::Scope(Scope::Read),
        tenants: Tenants::Operator,
        turn: Turn::Shared,
        parameters: &[],
        body: None,
        answers: &[Answer::ok("The plugins.", Schemas::of::<Plugins>)],
        problems: &[],
        handler: || get(plugins),
    },
    Operation {
        verb: Verb::Post,
        path: "/v1/reload",
        id: "reload",
        summary: "Looks at the configuration and the plugins now, and says what became of them.",
        need: Need::Scope(Scope::Write),
        tenants: Tenants::Operator,
        turn: Turn::Shared,
        parameters: &[idempotency::KEY],
        body: Some(NO_BODY),
        answers: &[Answer::ok("What became of the files.", Schemas::of::<Report>)],
        problems: &[
            Kind::MalformedBody,
            Kind::BodyTimeout,
            Kind::BodyTooLarge,
            Kind::InvalidBody,
            Kind::NotYet,
        ],
        handler: || post(reload),
    },
];

/// The plugins.
#[derive(Serialize)]
struct Plugins {
    plugins: Vec<PluginRow>,
}

object! {
    /// The plugins.
    Plugins {
        /// By their names.
        plugins: Vec<PluginRow>,
    }
}

async fn plugins(State(admin): State<Arc<Admin>>) -> Json<Plugins> {
    let mut plugins = Vec::clone(&admin.plugins.load());
    for wait in (admin.waits.0)() {
        wait.count_in(&mut plugins);
    }
    Json(Plugins { plugins })
}

async fn reload(State(admin): State<Arc<Admin>>, body: Body) -> Changed<Report> {
    bodies::check_empty(&admin.turns.read(body).await?)?;
    let stopping = || Problem::new(Kind::Stopping, turns::STOPPING);
    let report = async {
        let (ask, answered) = oneshot::channel();
        admin.reload.send(ask).await.map_err(|_| stopping())?;
        answered.await.map_err(|_| stopping())
    };
    let not_yet = "the gateway is still reading the files; ask again later";
    let report = admin.turns.wait(report, not_yet).await??;
    Ok((audit::after(&report), Json(report)))
}
