//! The style sheet, the script and the icon: parts of the program, under addresses that change with
//! them.
//!
//! Whoever has one keeps it for good, and anybody may have them: they say nothing. Never anything
//! that is not in the program.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

use super::Dashboard;

const FOREVER: &str = "public, max-age=31536000, immutable";

/// A file of the program.
struct Asset {
    content_type: &'static str,
    bytes: &'static [u8],
    /// With a hash of what is in it.
    path: String,
}

impl Asset {
    fn new(stem: &str, ending: &str, content_type: &'static str, bytes: &'static [u8]) -> Self {
        let hash = hex::encode(&Sha256::digest(bytes)[..8]);
        Self { content_type, bytes, path: format!("/assets/{stem}-{hash}.{ending}") }
    }
}

static CSS: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("app", "css", "text/css; charset=utf-8", include_bytes!("../../dashboard/app.css"))
});
static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let bytes = include_bytes!("../../dashboard/app.js");
    Asset::new("app", "js", "text/javascript; charset=utf-8", bytes)
});
static ICON: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("icon", "svg", "image/svg+xml", include_bytes!("../../dashboard/icon.svg"))
});

/// Where the style sheet is.
pub(super) fn css() -> &'static str {
    &CSS.path
}

/// Where the script is.
pub(super) fn script() -> &'static str {
    &SCRIPT.path
}

/// Where the icon is.
pub(super) fn icon() -> &'static str {
    &ICON.path
}

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/assets/{name}", get(asset))
}

async fn asset(Path(name): Path<String>) -> Response {
    let all: [&Asset; 3] = [&CSS, &SCRIPT, &ICON];
    let is_it = |asset: &&Asset| asset.path.strip_prefix("/assets/") == Some(name.as_str());
    match all.into_iter().find(is_it) {
        Some(Asset { content_type, bytes, .. }) => {
            let headers = [(header::CONTENT_TYPE, *content_type), (header::CACHE_CONTROL, FOREVER)];
            (headers, *bytes).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
