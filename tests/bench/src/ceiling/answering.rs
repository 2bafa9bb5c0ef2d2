//! An axum server that reads the body, answers 200 and does nothing else.
//!
//! What no gateway on this machine and this HTTP stack could accept faster. Never sends anything.

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;

/// Serves until killed.
pub(crate) fn answer() -> anyhow::Result<()> {
    super::serve(Router::new().route("/in/{source}", post(async |_: Bytes| ())))
}
