//! What operators ask: events, receipts, dead letters, replay, plugins, metrics, health.
//!
//! JSON over HTTP on a port of its own, never the public one: each operation is a row in the table
//! of `routes`, beside the code that answers it. It reads the store and asks it to replay; it
//! never touches a delivery or a plugin itself, and never returns a secret.

#[macro_use]
mod schema;

mod access;
mod audit;
mod auditor;
mod backup;
mod bodies;
mod canaries;
mod content_type;
mod delivered;
mod deliveries;
mod endpoints;
mod erasures;
mod event_types;
mod failures;
mod gate;
mod health;
mod idempotency;
mod items;
mod levels;
mod lists;
mod openapi;
mod operation;
mod overview;
mod own;
mod panics;
mod path;
mod plugins;
mod problem;
mod query;
mod rates;
mod reach;
mod readiness;
mod reasons;
mod redact;
mod refused;
mod rehearsals;
mod remembered;
mod replays;
mod requests;
mod routes;
mod rows;
mod samples;
mod session;
mod sessions;
mod settings;
mod sources;
mod stream;
mod tokens;
mod turns;
mod unread;
mod visitor;

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::http::Method;
use axum::{Router, middleware};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::directory::Directory;
use crate::disk::Disk;
use crate::egress::Egress;
use crate::ids::Name;
use crate::metrics::Metrics;
use crate::plugin::{Registry, Usage};
use crate::refused::RefusedRequests;
use crate::secrets::Redaction;
use crate::store::{Health, Store};
use crate::traffic::Traffic;

pub(crate) use access::{Access, FileToken};
pub(crate) use auditor::Auditor;
pub(crate) use canaries::{Acting, CanaryAct, CanaryDesk, CanaryRefused, CanaryView};
pub(crate) use idempotency::UnderWay;
use problem::{Kind, Problem};
pub(crate) use rates::Rates;
pub(crate) use readiness::{Lack, NotReady, Ready};
pub(crate) use redact::credentials;
pub(crate) use refused::KnownSources;
pub(crate) use rehearsals::{Begun, NewRehearsal, Place, RehearsalRow, Rehearses, Taken};
pub(crate) use requests::{Remade, Requests, SentHeader, SentRequest};
pub(crate) use routes::document;
pub use rows::Report;
pub(crate) use rows::{ConfigRow, PluginRow, ReloadRow, SourceRow, WaitRow};
pub(crate) use samples::{NoSample, Samples, SentSample, WantedSample};
pub(crate) use settings::Settings;
pub(crate) use sources::SourceRows;
pub(crate) use turns::Turns;
pub(crate) use unread::Unread;

/// Somebody who asks for a reload and waits for what became of it.
pub(crate) type Ask = oneshot::Sender<Report>;

/// What answering operators needs.
#[derive(Debug)]
pub(crate) struct Admin {
    /// What there is to see and to replay.
    pub(crate) store: Store,
    /// All endpoints.
    pub(crate) directory: Directory,
    /// How they fare.
    pub(crate) fares: Fares,
    /// What deliveries may reach.
    pub(crate) egress: Egress,
    /// Where the store is.
    pub(crate) disk: Arc<Disk>,
    pub(crate) metrics: Metrics,
    /// The plugins as they are now.
    pub(crate) plugins: Arc<ArcSwap<Vec<PluginRow>>>,
    /// What waits for one that is missing or stopped.
    pub(crate) waits: Waits,
    /// The canaries of handlers.
    pub(crate) canaries: CanaryDesk,
    /// Those that run.
    pub(crate) registry: Arc<Registry>,
    /// What they used.
    pub(crate) usages: Usages,
    /// Which sources there are, and what they have refused.
    pub(crate) sources: KnownSources,
    pub(crate) source_rows: SourceRows,
    pub(crate) samples: Samples,
    /// What attempts send.
    pub(crate) requests: Requests,
    pub(crate) refused: Arc<RefusedRequests>,
    /// Where to ask for a reload.
    pub(crate) reload: mpsc::Sender<Ask>,
    /// Whether requests can be accepted, and if not, why.
    pub(crate) ready: Ready,
    /// Knows the secrets that no answer may show.
    pub(crate) redaction: Redaction,
    /// Who may ask.
    pub(crate) access: Arc<Access>,
    /// Writes down what they change.
    pub(crate) auditor: Auditor,
    /// The writes that are under way, also of those who hung up.
    pub(crate) writes: TaskTracker,
    /// The names, beside those of loopback, under which this port may be asked.
    pub(crate) hosts: Arc<ArcSwap<Vec<String>>>,
    /// How often each token has asked.
    pub(crate) rates: Rates,
    /// The writes under way that are done once.
    pub(crate) under_way: UnderWay,
    /// Who has stored work run again by other versions of plugins.
    pub(crate) rehearsals: Arc<dyn Rehearses>,
    /// What came and went.
    pub(crate) traffic: Arc<Traffic>,
    /// What the gateway is set to.
    pub(crate) settings: Settings,
    /// Keeps connections free for those who look whether it is well.
    pub(crate) turns: Turns,
    /// Reads the rest of bodies behind their answers.
    pub(crate) unread: Arc<Unread>,
}

/// Says how an endpoint fares, by its key.
#[derive(Clone)]
pub(crate) struct Fares(pub(crate) Arc<dyn Fn(&Name) -> Health + Send + Sync>);

impl std::fmt::Debug for Fares {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fares(..)")
    }
}

/// Says what each plugin that runs used of what it may, by the name that operators see.
#[derive(Clone)]
pub(crate) struct Usages(pub(crate) Arc<dyn Fn() -> Vec<(String, Usage)> + Send + Sync>);

impl std::fmt::Debug for Usages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Usages(..)")
    }
}

/// Says what waits for a plugin that is missing or stopped.
#[derive(Clone)]
pub(crate) struct Waits(pub(crate) Arc<dyn Fn() -> Vec<WaitRow> + Send + Sync>);

impl std::fmt::Debug for Waits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries((self.0)()).finish()
    }
}

pub(crate) fn router(admin: Arc<Admin>) -> Router {
    let ours = middleware::from_fn_with_state(Arc::clone(&admin), visitor::ours);
    let redacted = middleware::from_fn_with_state(Arc::clone(&admin), redact::answers);
    let unread = middleware::from_fn_with_state(Arc::clone(&admin), unread::read_behind);
    routes::guarded(&admin)
        .fallback(async || Problem::new(Kind::NoSuchPath, "this port has no such path"))
        .method_not_allowed_fallback(async |method: Method| {
            let detail = format!("this path does not support {method}; `Allow` has what it does");
            Problem::new(Kind::MethodNotAllowed, detail)
        })
        .layer(ours)
        .layer(redacted)
        .layer(unread)
        .layer(middleware::from_fn(panics::caught))
        .with_state(admin)
}
