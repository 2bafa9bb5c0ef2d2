//! The canaries of handlers, as operators see, promote and drop them.
//!
//! Others know how they stand and move their files; here is what that looks like at the port. Never
//! judges a canary.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::routing::{MethodRouter, get, post};
use serde::Serialize;
use serde_json::Value;

use super::audit::{self, Changed};
use super::bodies::{NO_BODY, check_empty};
use super::operation::{Answer, Need, Operation, Tenants, Turn, Verb};
use super::path::{PLUGIN_NAME, Segment};
use super::problem::Kind;
use super::schema::{Described, Schemas, one_of};
use super::{Admin, Problem, idempotency, turns};
use crate::canary::{LOOK_EVERY, p_value};
use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::{self, CanaryRow, CanaryTally, CanaryVerdict};
use crate::token::Scope;

/// What an operator decides about a canary.
macro_rules! act {
    ($path:literal, $id:literal, $summary:literal, $act:ident) => {
        Operation {
            verb: Verb::Post,
            path: concat!("/v1/plugins/{name}/canary/", $path),
            id: $id,
            summary: $summary,
            need: Need::Scope(Scope::Write),
            tenants: Tenants::Operator,
            turn: Turn::Shared,
            parameters: &[PLUGIN_NAME, idempotency::KEY],
            body: Some(NO_BODY),
            answers: &[Answer::ok("The canary as it stands then.", Schemas::of::<CanaryView>)],
            problems: &[
                Kind::InvalidId,
                Kind::MalformedBody,
                Kind::NoSuchCanary,
                Kind::BodyTimeout,
                Kind::Changed,
                Kind::FolderReadOnly,
                Kind::BodyTooLarge,
                Kind::InvalidBody,
                Kind::NotYet,
            ],
            handler: || act(CanaryAct::$act),
        }
    };
}

pub(super) static OPERATIONS: [Operation; 3] = [
    Operation {
        verb: Verb::Get,
        path: "/v1/plugins/{name}/canary",
        id: "getCanary",
        summary: "Shows the last canary of a handler beside its live version.",
        need: Need::Scope(Scope::Read),
        tenants: Tenants::Operator,
        turn: Turn::Shared,
        parameters: &[PLUGIN_NAME],
        body: None,
        answers: &[Answer::ok("The canary.", Schemas::of::<CanaryView>)],
        problems: &[Kind::InvalidId, Kind::NoSuchCanary],
        handler: || get(show),
    },
    act!(
        "promote",
        "promoteCanary",
        "Moves the file of the canary into the place of the live version, which it then is.",
        Promote
    ),
    act!("drop", "dropCanary", "Drops the canary: the live version gets all its subjects.", Drop),
];

/// A canary beside the live version.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct CanaryView {
    name: Name,
    digest: String,
    version: String,
    live_digest: String,
    live_version: String,
    selection: Option<String>,
    began: Timestamp,
    canary: CanaryTally,
    live: CanaryTally,
    verdict: CanaryVerdict,
    at: Timestamp,
    by: String,
    p: Option<f64>,
    looks: u64,
}

object! {
    /// The last canary of a handler, beside the live version that it is compared with.
    CanaryView {
        /// The handler.
        name: Name,
        /// Of the canary's file, SHA-256 in hexadecimal.
        digest: String,
        /// As the canary says it.
        version: String,
        /// Of the live version's file.
        live_digest: String,
        /// As the live version says it.
        live_version: String,
        /// Which subjects the canary gets; null if the configuration does not say it.
        selection: Option<String>,
        /// Since when the gateway counts both.
        began: Timestamp,
        /// What the gateway counted of the canary.
        canary: CanaryTally,
        /// What it counted of the live version meanwhile.
        live: CanaryTally,
        /// What became of the canary.
        verdict: CanaryVerdict,
        /// When that was decided; while it runs, when the gateway last wrote it down.
        at: Timestamp,
        /// Who decided: `the gateway`, `the API` or `the files`; empty while it runs.
        by: String,
        /// How likely a version that is equal to the live one would fail as often or more often:
        /// Fisher's exact test, one-sided. Null if nobody has looked before it ended.
        p: Option<f64>,
        /// How often the gateway has looked at that, each time after 25 runs of the canary.
        looks: u64,
    }
}

object! {
    /// First tries of a version.
    CanaryTally {
        /// Their number.
        runs: u64,
        /// Those that failed by the plugin's own fault.
        failures: u64,
        /// The time of all of them together, in microseconds.
        time_us: u64,
        /// The events, parcels and alerts that they asked for.
        effects: u64,
    }
}

impl Described for CanaryVerdict {
    fn schema(_: &mut Schemas) -> Value {
        one_of(&Self::ALL.map(Self::as_str))
    }
}

impl CanaryView {
    /// How a canary stands that gets these subjects.
    pub(crate) fn new(row: CanaryRow, selection: Option<String>) -> Self {
        let runs = row.verdict == CanaryVerdict::Running;
        let now = || p_value(row.canary.counted(), row.live.counted());
        Self {
            p: if runs { Some(now()) } else { row.p },
            looks: row.canary.runs / LOOK_EVERY,
            name: row.handler,
            digest: row.digest,
            version: row.version,
            live_digest: row.live_digest,
            live_version: row.live_version,
            selection,
            began: row.began,
            canary: row.canary,
            live: row.live,
            verdict: row.verdict,
            at: row.at,
            by: row.by,
        }
    }
}

/// What an operator decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CanaryAct {
    Promote,
    Drop,
}

/// Why it was not done.
#[derive(Debug)]
pub(crate) enum CanaryRefused {
    /// No canary runs.
    None,
    /// The file is another one by now.
    Changed(String),
    /// The file could not be moved.
    NotMoved(String),
    /// It takes longer.
    NotYet(String),
    /// It could not be written down.
    Store(store::Error),
    /// The gateway stops.
    Stopping,
    /// The gateway panicked.
    Panicked,
}

/// Finds the last canary of a handler.
type Show = dyn Fn(&Name) -> Option<CanaryView> + Send + Sync;

/// What comes of a decision.
pub(crate) type Acting =
    Pin<Box<dyn Future<Output = Result<CanaryView, CanaryRefused>> + Send + 'static>>;

/// Knows how the canaries stand, and carries out what operators decide.
#[derive(Clone)]
pub(crate) struct CanaryDesk {
    /// The last canary of a handler.
    pub(crate) show: Arc<Show>,
    /// Has it done.
    pub(crate) act: Arc<dyn Fn(Name, CanaryAct) -> Acting + Send + Sync>,
}

impl fmt::Debug for CanaryDesk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CanaryDesk(..)")
    }
}

/// The handler has no canary that this could be about.
fn no_canary(handler: &Name) -> Problem {
    Problem::new(Kind::NoSuchCanary, format!("no canary of the handler `{handler}` runs"))
}

async fn show(
    State(admin): State<Arc<Admin>>,
    segment: Segment,
) -> Result<Json<CanaryView>, Problem> {
    let handler = segment.name()?;
    let shown = (admin.canaries.show)(&handler);
    let never = || {
        let detail = format!("the handler `{handler}` has never had a canary");
        Problem::new(Kind::NoSuchCanary, detail)
    };
    shown.map(Json).ok_or_else(never)
}

fn act(act: CanaryAct) -> MethodRouter<Arc<Admin>> {
    post(move |admin, segment, body| decide(admin, segment, body, act))
}

async fn decide(
    State(admin): State<Arc<Admin>>,
    segment: Segment,
    body: Body,
    act: CanaryAct,
) -> Changed<CanaryView> {
    let handler = segment.name()?;
    check_empty(&admin.turns.read(body).await?)?;
    let not_yet = "the gateway is still reading the files; ask again later how the canary stands";
    let acting = (admin.canaries.act)(handler.clone(), act);
    let view = admin.turns.wait(acting, not_yet).await?.map_err(|refused| match refused {
        CanaryRefused::None => no_canary(&handler),
        CanaryRefused::Changed(detail) => Problem::new(Kind::Changed, detail),
        CanaryRefused::NotMoved(detail) => Problem::new(Kind::FolderReadOnly, detail),
        CanaryRefused::NotYet(detail) => Problem::new(Kind::NotYet, detail),
        CanaryRefused::Store(error) => error.into(),
        CanaryRefused::Stopping => Problem::new(Kind::Stopping, turns::STOPPING),
        CanaryRefused::Panicked => {
            Problem::new(Kind::Internal, "the gateway panicked over the file; its log says more")
        }
    })?;
    Ok((audit::after(&view), Json(view)))
}
