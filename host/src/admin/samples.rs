//! Samples that operators have a source receive, to see whether it is set up as it should be.
//!
//! Whoever knows the plugins makes them, and answers with what became of them. Never signs
//! anything here, and never shows more of the answer than its beginning.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::routing::post;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::audit::{self, Changed};
use super::bodies;
use super::operation::{self, Answer, Need, Operation, Tenants, Turn, Verb};
use super::path::{SOURCE_NAME, Segment};
use super::problem::Kind;
use super::schema::Schemas;
use super::{Admin, Problem, idempotency};
use crate::ids::{Id, Name};
use crate::listener::Connection;
use crate::token::Scope;

pub(super) static OPERATIONS: [Operation; 1] = [Operation {
    verb: Verb::Post,
    path: "/v1/sources/{name}/sample",
    id: "sendSample",
    summary: "Has a source receive a sample of its plugin, with event ids of its own and signed \
              as its provider would sign it.",
    need: Need::Scope(Scope::Write),
    tenants: Tenants::Operator,
    turn: Turn::Shared,
    parameters: &[SOURCE_NAME, idempotency::KEY],
    body: Some(operation::Body::maybe(wanted)),
    answers: &[Answer::ok("How the source answered.", Schemas::of::<SentSample>)],
    problems: &[
        Kind::InvalidId,
        Kind::MalformedBody,
        Kind::NotFound,
        Kind::BodyTimeout,
        Kind::BodyTooLarge,
        Kind::InvalidBody,
        Kind::NoSample,
    ],
    handler: || post(send),
}];

/// A sample that somebody wants a source to receive.
#[derive(Debug)]
pub(crate) struct WantedSample {
    pub(crate) source: Name,
    /// Its name; the first of the plugin's if there is none.
    pub(crate) sample: Option<String>,
    /// The address of who wants it.
    pub(crate) from: SocketAddr,
}

/// Why there is no such sample, for people.
#[derive(Debug)]
pub(crate) struct NoSample(pub(crate) String);

/// How a source answers a sample.
pub(crate) type Sending = Pin<Box<dyn Future<Output = Result<SentSample, NoSample>> + Send>>;

/// Has sources receive samples.
#[derive(Clone)]
pub(crate) struct Samples(pub(crate) Arc<dyn Fn(WantedSample) -> Sending + Send + Sync>);

impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Samples(..)")
    }
}

/// A sample that a source has received.
#[derive(Debug, Serialize)]
pub(crate) struct SentSample {
    pub(crate) sample: String,
    pub(crate) status: u16,
    pub(crate) receipt: Option<Id>,
    pub(crate) is_duplicate: bool,
    pub(crate) body: String,
}

object! {
    /// How a source answered a sample.
    SentSample {
        /// The name of the sample.
        sample: String,
        /// The status of the answer; 2xx if the source accepted the sample.
        status: u16,
        /// The receipt, if the answer names it: that of a plugin's own does not.
        receipt: Option<Id>,
        /// Whether all of its events were stored before.
        is_duplicate: bool,
        /// The beginning of the answer's body, as text.
        body: String,
    }
}

/// What a request says, if it says anything.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    sample: Option<String>,
}

fn wanted(_: &mut Schemas) -> Value {
    json!({
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": {
            "sample": {
                "type": ["string", "null"],
                "description": "The name of a sample in the file of the source's plugin; the \
                                first one if it is left out.",
            },
        },
    })
}

async fn send(
    State(admin): State<Arc<Admin>>,
    Extension(connection): Extension<Arc<Connection>>,
    segment: Segment,
    body: Body,
) -> Changed<SentSample> {
    let source = segment.name()?;
    if !(admin.sources.0)(&source) {
        let detail = format!("the configuration has no source `{source}`");
        return Err(Problem::new(Kind::NotFound, detail));
    }
    let wanted: Option<Wanted> = match &admin.turns.read(body).await?[..] {
        [] => None,
        body => bodies::read(body)?,
    };
    let sample = wanted.unwrap_or_default().sample;
    let sending = (admin.samples.0)(WantedSample { source, sample, from: connection.client() });
    let failed = |NoSample(why)| Problem::new(Kind::NoSample, why);
    let sent = sending.await.map_err(failed)?;
    let SentSample { sample, status, receipt, .. } = &sent;
    // What the plugin answered is not for good.
    let change = audit::after(&json!({ "sample": sample, "status": status, "receipt": receipt }));
    Ok((change, Json(sent)))
}
