//! The methods by which a source takes requests: POST, and what its provider declares.
//!
//! Knows no request: whether one is a validation challenge is what its claims say.

use axum::http::Method;

use crate::provider::ProviderInfo;

/// Whether a request by this method may bring events.
pub(super) fn brings_events(info: &ProviderInfo, method: &Method) -> bool {
    method == Method::POST || info.methods.contains(method)
}

/// Whether a source takes requests by this method.
pub(super) fn takes(info: &ProviderInfo, method: &Method) -> bool {
    brings_events(info, method) || info.handshakes.contains(method)
}

/// The methods that a source takes, for the answer to any other.
pub(super) fn allowed(info: &ProviderInfo) -> String {
    let mut methods = vec!["POST"];
    for method in info.methods.iter().chain(&info.handshakes).map(Method::as_str) {
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    methods.join(", ")
}
