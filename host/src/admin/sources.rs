//! The sources, as operators see them: what each is, and how its requests were answered.
//!
//! Whoever knows the configuration gives the rows. Never shows a secret, only how many there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::routing::get;
use serde::Serialize;

use super::operation::{Answer, Need, Operation, Tenants, Turn, Verb};
use super::schema::Schemas;
use super::{Admin, SourceRow};
use crate::token::Scope;

pub(super) static OPERATIONS: [Operation; 1] = [Operation {
    verb: Verb::Get,
    path: "/v1/sources",
    id: "listSources",
    summary: "Lists the sources of the configuration, and how their requests were answered since \
              the gateway started.",
    need: Need::Scope(Scope::Read),
    tenants: Tenants::Operator,
    turn: Turn::Shared,
    parameters: &[],
    body: None,
    answers: &[Answer::ok("The sources.", Schemas::of::<Sources>)],
    problems: &[],
    handler: || get(list),
}];

/// Gives the sources as they are whenever somebody asks, by their names.
#[derive(Clone)]
pub(crate) struct SourceRows(pub(crate) Arc<dyn Fn() -> Vec<SourceRow> + Send + Sync>);

impl std::fmt::Debug for SourceRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SourceRows(..)")
    }
}

/// The sources.
#[derive(Serialize)]
struct Sources {
    sources: Vec<Source>,
}

object! {
    /// The sources.
    Sources {
        /// By their names.
        sources: Vec<Source>,
    }
}

/// A source, and how its requests were answered.
#[derive(Serialize)]
struct Source {
    #[serde(flatten)]
    row: SourceRow,
    answered: BTreeMap<&'static str, u64>,
}

object! {
    /// A source, and how its requests were answered.
    Source {
        [flat] row: SourceRow,
        /// How many requests had each outcome since the gateway started, such as `accepted`,
        /// `duplicate`, `refused` or `busy`; none that did not happen.
        answered: BTreeMap<&'static str, u64>,
    }
}

async fn list(State(admin): State<Arc<Admin>>) -> Json<Sources> {
    let with_answers = |row: SourceRow| {
        let answered = admin.metrics.answered(&row.name);
        Source { row, answered }
    };
    Json(Sources { sources: (admin.source_rows.0)().into_iter().map(with_answers).collect() })
}
