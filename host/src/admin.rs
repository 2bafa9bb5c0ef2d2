//! What operators ask: events, receipts, dead letters, replay, plugins, metrics, health.
//!
//! JSON over HTTP on a port of its own, never the public one. It reads the store and asks it to
//! replay; it never touches a delivery or a plugin itself, and never returns a secret.

mod access;
mod failures;
mod levels;
mod query;
mod redact;
mod replays;
mod routes;
mod rows;
mod tokens;
mod turns;
mod visitor;

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, middleware};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::disk::Disk;
use crate::ids::{Id, IdKind};
use crate::metrics::Metrics;
use crate::secrets::Redaction;
use crate::store::{self, EventView, ReceiptView, Store};

pub(crate) use access::{Access, FileToken};
use query::{DeadQuery, ListQuery, ReceiptsQuery, TimesQuery};
pub(crate) use redact::credentials;
pub use rows::Report;
pub(crate) use rows::{ConfigRow, PluginRow, ReloadRow};
pub(crate) use turns::Turns;

/// Somebody who asks for a reload and waits for what became of it.
pub(crate) type Ask = oneshot::Sender<Report>;

/// What answering operators needs.
#[derive(Debug)]
pub(crate) struct Admin {
    /// What there is to see and to replay.
    pub(crate) store: Store,
    /// Where the store is.
    pub(crate) disk: Arc<Disk>,
    pub(crate) metrics: Metrics,
    /// The plugins as they are now.
    pub(crate) plugins: Arc<ArcSwap<Vec<PluginRow>>>,
    /// Where to ask for a reload.
    pub(crate) reload: mpsc::Sender<Ask>,
    /// Whether requests can be accepted, and if not, why.
    pub(crate) ready: Ready,
    /// Knows the secrets that no answer may show.
    pub(crate) redaction: Redaction,
    /// Who may ask.
    pub(crate) access: Arc<Access>,
    /// The names, beside those of loopback, under which this port may be asked.
    pub(crate) hosts: Arc<ArcSwap<Vec<String>>>,
    /// Keeps connections free for those who look whether it is well.
    pub(crate) turns: Turns,
}

/// Says what keeps the gateway from accepting requests.
#[derive(Clone)]
pub(crate) struct Ready(pub(crate) Arc<dyn Fn() -> Vec<String> + Send + Sync>);

impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries((self.0)()).finish()
    }
}

pub(crate) fn router(admin: Arc<Admin>) -> Router {
    let ours = middleware::from_fn_with_state(Arc::clone(&admin), visitor::ours);
    let redacted = middleware::from_fn_with_state(Arc::clone(&admin), redact::answers);
    routes::guarded(&admin)
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "this port has no such path"))
        .method_not_allowed_fallback(async |method: Method| {
            let error = format!("this path does not support {method}");
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, error)
        })
        .layer(ours)
        .layer(redacted)
        .with_state(admin)
}

/// An answer that says what went wrong.
pub(crate) struct Problem {
    status: StatusCode,
    error: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(serde_json::json!({ "error": self.error }))).into_response()
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        let status = match error {
            store::Error::Full | store::Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            store::Error::Unknown(_) => StatusCode::NOT_FOUND,
            store::Error::ForeignCursor => StatusCode::BAD_REQUEST,
            store::Error::TooManyReplays { .. } => StatusCode::TOO_MANY_REQUESTS,
            store::Error::NoSuchToken(_) => StatusCode::NOT_FOUND,
            store::Error::TokenExists(_) | store::Error::TooManyTokens { .. } => {
                StatusCode::CONFLICT
            }
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

/// The id in a path, if it is of this kind.
fn id_of(text: &str, kind: IdKind) -> Result<Id, Problem> {
    let id: Id = text.parse().map_err(|error: crate::ids::InvalidId| {
        Problem::new(StatusCode::BAD_REQUEST, error.to_string())
    })?;
    if id.kind == kind {
        return Ok(id);
    }
    let (noun, path) = match id.kind {
        IdKind::Receipt => ("a receipt", "receipts"),
        IdKind::Event => ("an event", "events"),
        IdKind::Run => ("a run", "runs"),
        IdKind::Delivery => ("a delivery", "deliveries"),
        IdKind::Replay => ("a replay", "replays"),
    };
    let error = format!("`{id}` is the id of {noun}: look at /v1/{path}/{id}");
    Err(Problem::new(StatusCode::BAD_REQUEST, error))
}

fn found<T: Serialize>(id: Id, view: Option<T>) -> Result<Json<T>, Problem> {
    let missing = || Problem::new(StatusCode::NOT_FOUND, format!("the store has no {id}"));
    view.map(Json).ok_or_else(missing)
}

/// An event, and the receipt that it goes back to, as far as that is still kept.
#[derive(Serialize)]
struct EventPage {
    #[serde(flatten)]
    event: EventView,
    receipt: Option<ReceiptView>,
}

async fn events(
    State(admin): State<Arc<Admin>>,
    ListQuery(filter, page): ListQuery,
) -> Result<Response, Problem> {
    let listed = admin.store.events(&filter, page).await?;
    Ok(Json(listed).into_response())
}

async fn event(
    State(admin): State<Arc<Admin>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = id_of(&id, IdKind::Event)?;
    let event = admin.store.event(id).await?;
    let from = event.as_ref().and_then(|event| event.receipt);
    let receipt = match from {
        None => None,
        Some(from) => match admin.store.receipt(from).await {
            // The event names it; what it was is at its own path.
            Err(store::Error::Damaged(_)) => None,
            receipt => receipt?,
        },
    };
    let receipt = receipt.map(redact::credentials);
    let shown = event.map(|event| EventPage { event, receipt });
    Ok(found(id, shown)?.into_response())
}

async fn receipts(
    State(admin): State<Arc<Admin>>,
    ReceiptsQuery(filter, page): ReceiptsQuery,
) -> Result<Response, Problem> {
    Ok(Json(admin.store.receipts(&filter, page).await?).into_response())
}

async fn receipt(
    State(admin): State<Arc<Admin>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = id_of(&id, IdKind::Receipt)?;
    let receipt = admin.store.receipt(id).await?;
    Ok(found(id, receipt.map(redact::credentials))?.into_response())
}

async fn run(State(admin): State<Arc<Admin>>, Path(id): Path<String>) -> Result<Response, Problem> {
    let id = id_of(&id, IdKind::Run)?;
    Ok(found(id, admin.store.run(id).await?)?.into_response())
}

async fn delivery(
    State(admin): State<Arc<Admin>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = id_of(&id, IdKind::Delivery)?;
    Ok(found(id, admin.store.delivery(id).await?)?.into_response())
}

async fn dead(
    State(admin): State<Arc<Admin>>,
    DeadQuery(filter, page): DeadQuery,
) -> Result<Response, Problem> {
    Ok(Json(admin.store.dead_matching(&filter, page).await?).into_response())
}

async fn hours(
    State(admin): State<Arc<Admin>>,
    TimesQuery(after, before): TimesQuery,
) -> Result<Response, Problem> {
    let hours = admin.store.hours(after, before).await?;
    Ok(Json(serde_json::json!({ "hours": hours })).into_response())
}

async fn plugins(State(admin): State<Arc<Admin>>) -> Response {
    Json(serde_json::json!({ "plugins": &**admin.plugins.load() })).into_response()
}

async fn reload(State(admin): State<Arc<Admin>>) -> Result<Json<Report>, Problem> {
    let stopping = || Problem::new(StatusCode::SERVICE_UNAVAILABLE, turns::STOPPING);
    let report = async {
        let (ask, answered) = oneshot::channel();
        admin.reload.send(ask).await.map_err(|_| stopping())?;
        answered.await.map(Json).map_err(|_| stopping())
    };
    admin.turns.wait(report, "the gateway is still reading the files; ask again later").await?
}

/// Answers when nothing is queued, in flight or due, for scripts that want to look at the end; or
/// after a minute that this is not so yet.
async fn settled(State(admin): State<Arc<Admin>>) -> Result<&'static str, Problem> {
    admin
        .turns
        .wait(admin.store.idle(), "some work is still queued, in flight or due; ask again later")
        .await?;
    Ok("settled\n")
}

async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    levels::set(&admin.metrics, &admin.store, &admin.disk);
    ([(header::CONTENT_TYPE, Metrics::CONTENT_TYPE)], admin.metrics.render()).into_response()
}

async fn readyz(State(admin): State<Arc<Admin>>) -> Response {
    let missing = (admin.ready.0)();
    if missing.is_empty() {
        return "ready\n".into_response();
    }
    let body = Json(serde_json::json!({ "ready": false, "missing": missing }));
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}
