//! The public keys of endpoints, for everybody who asks at the public port.
//!
//! Answered as they were made elsewhere, so that who asks costs no work. Never says whose a key is,
//! and never an empty set for one that is not known yet: it would be kept for minutes.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::Ingest;
use super::strays::probed;
use crate::listener::Connection;

/// Where they are looked for.
pub(super) const PATH: &str = "/.well-known/jwks.json";

/// A new key signs beside the old one for longer.
const MAX_AGE: &str = "public, max-age=300";

pub(super) async fn keys(
    State(ingest): State<Arc<Ingest>>,
    Extension(connection): Extension<Arc<Connection>>,
) -> Response {
    let answer = match ingest.jwks.load_full() {
        Some(keys) => {
            let form = (header::CONTENT_TYPE, "application/jwk-set+json");
            let body = Bytes::clone(&keys);
            ([form, (header::CACHE_CONTROL, MAX_AGE)], body).into_response()
        }
        None => (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")]).into_response(),
    };
    probed(&connection, answer)
}
