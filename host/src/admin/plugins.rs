//! The plugins as they are now, what one used, and a look at the files when an operator asks.
//!
//! Whoever looks at the files answers with what became of them. Never loads anything itself.

mod used;

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::routing::{get, post};
use serde::Serialize;
use tokio::sync::oneshot;

use self::used::PluginUsage;
use super::audit::{self, Changed};
use super::bodies::{self, NO_BODY};
use super::operation::{Answer, Need, Operation, Tenants, Turn, Verb};
use super::path::{PLUGIN_FILE, Segment};
use super::problem::Kind;
use super::rows::{PluginRow, Report};
use super::schema::Schemas;
use super::{Admin, Problem, idempotency, turns};
use crate::token::Scope;

pub(super) static OPERATIONS: [Operation; 3] = [
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
        verb: Verb::Get,
        path: "/v1/plugins/{name}",
        id: "getPlugin",
        summary: "Shows a plugin with what its calls used of what they may use.",
        need: Need::Scope(Scope::Read),
        tenants: Tenants::Operator,
        turn: Turn::Shared,
        parameters: &[PLUGIN_FILE],
        body: None,
        answers: &[Answer::ok("The plugin.", Schemas::of::<PluginPage>)],
        problems: &[Kind::InvalidId, Kind::NotFound],
        handler: || get(plugin),
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

/// A plugin, and what it used.
#[derive(Serialize)]
struct PluginPage {
    #[serde(flatten)]
    plugin: PluginRow,
    usage: Option<PluginUsage>,
}

object! {
    /// A plugin, and what its calls used of what they may use.
    PluginPage {
        [flat] plugin: PluginRow,
        /// Since its file was loaded; null if no plugin of this name runs.
        usage: Option<PluginUsage>,
    }
}

/// All of them, with what waits for each.
fn rows(admin: &Admin) -> Vec<PluginRow> {
    let mut plugins = Vec::clone(&admin.plugins.load());
    for wait in (admin.waits.0)() {
        wait.count_in(&mut plugins);
    }
    plugins
}

async fn plugins(State(admin): State<Arc<Admin>>) -> Json<Plugins> {
    Json(Plugins { plugins: rows(&admin) })
}

async fn plugin(
    State(admin): State<Arc<Admin>>,
    segment: Segment,
) -> Result<Json<PluginPage>, Problem> {
    let name = segment.text();
    let plugin = rows(&admin).into_iter().find(|row| row.name == name);
    let missing = || Problem::new(Kind::NotFound, format!("the gateway has no plugin `{name}`"));
    let plugin = plugin.ok_or_else(missing)?;
    let used = (admin.usages.0)().into_iter().find(|(of, _)| of == name);
    let usage = used.map(|(_, usage)| PluginUsage::of(name, &usage, &admin.store));
    Ok(Json(PluginPage { plugin, usage }))
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
