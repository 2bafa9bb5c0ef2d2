//! Requests at the public port that no source gets: other paths, other methods, health probes.
//!
//! What is no probe is refused like a forged request: in its time, and a connection that brings
//! nothing else is closed. A probe is always answered at once, as is a challenge that proves
//! nothing, and now and then the connection ends with the answer. Never says which sources there
//! are.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use super::Ingest;
use super::rejection::Rejection;
use crate::listener::Connection;

/// The methods by which everybody may ask.
const PROBES: &str = "GET, HEAD";

/// A path that is none.
pub(super) async fn nowhere(
    State(ingest): State<Arc<Ingest>>,
    Extension(connection): Extension<Arc<Connection>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    ingest.turn_away(&connection, Rejection::UnknownSource, Instant::now(), &headers, body).await
}

/// A method by which nobody asks whether the gateway is well.
pub(super) async fn no_probe(
    State(ingest): State<Arc<Ingest>>,
    Extension(connection): Extension<Arc<Connection>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let rejection = Rejection::Method(PROBES.to_owned());
    ingest.turn_away(&connection, rejection, Instant::now(), &headers, body).await
}

/// Whether the gateway is well, which it is if it answers.
pub(super) async fn probe(Extension(connection): Extension<Arc<Connection>>) -> Response {
    probed(&connection, "ok\n".into_response())
}

/// The answer to a request that anybody can make, and now and then the last of its connection.
pub(super) fn probed(connection: &Connection, mut response: Response) -> Response {
    connection.probed();
    if connection.was_probed_too_often() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

impl Ingest {
    /// Refuses what no source gets.
    pub(super) async fn turn_away(
        &self,
        connection: &Connection,
        rejection: Rejection,
        started: Instant,
        headers: &HeaderMap,
        body: Body,
    ) -> Response {
        self.metrics.unknown_source();
        self.pass_over(headers, body);
        super::refuse(connection, &self.unknown, started, rejection).await
    }
}
