//! What operators are not shown: the secrets of this gateway, and credentials that came in.
//!
//! A sender may prove itself with a bare token, a receipt keeps what came because the provider's
//! plugin reads it again, and an endpoint may send back whatever it likes. Every JSON answer passes
//! through here. Never changes what is stored.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;

use super::Admin;
use super::problem::{self, Kind, Problem};
use crate::headers::Headers;
use crate::secrets::{HIDDEN, Redaction};
use crate::store::ReceiptView;

/// A name with one of these in it is that of a credential, whichever secret it was made of.
const CREDENTIALS: [&str; 10] = [
    "auth",
    "cookie",
    "credential",
    "hash",
    "passw",
    "secret",
    "session",
    "token",
    "api-key",
    "apikey",
];

/// The receipt without what is a credential by its name: in headers, and in the query of its URL.
pub(crate) fn credentials(mut receipt: ReceiptView) -> ReceiptView {
    receipt.headers = headers(&receipt.headers);
    receipt.url = url(&receipt.url);
    receipt
}

/// Headers without credentials.
pub(super) fn headers(headers: &Headers) -> Headers {
    let shown = headers.iter().map(|(name, value)| {
        let value = if is_credential(name) { HIDDEN } else { value };
        (name, value)
    });
    shown.collect()
}

/// A path without credentials in its query.
pub(super) fn url(url: &str) -> String {
    let Some((path, query)) = url.split_once('?') else { return url.to_owned() };
    let fields = query.split('&').map(|field| match field.split_once('=') {
        Some((name, value)) if is_credential(name) && !value.is_empty() => {
            format!("{name}={HIDDEN}")
        }
        _ => field.to_owned(),
    });
    format!("{path}?{}", fields.collect::<Vec<_>>().join("&"))
}

fn is_credential(name: &str) -> bool {
    let name = percent_decode_str(name).decode_utf8_lossy();
    let name = name.to_ascii_lowercase().replace('_', "-");
    // A signature proves one request and gives nobody the key.
    !name.contains("signature") && CREDENTIALS.iter().any(|part| name.contains(part))
}

/// An answer is the one that has the text of a token that was just made.
#[derive(Debug, Clone, Copy)]
pub(super) struct HasToken;

/// Takes every known secret out of a JSON answer, and every token.
pub(super) async fn answers(
    State(admin): State<Arc<Admin>>,
    request: Request,
    next: Next,
) -> Response {
    let (mut head, body) = next.run(request).await.into_parts();
    let is_json = |value: &HeaderValue| {
        let json = ["application/json", problem::CONTENT_TYPE];
        json.iter().any(|content_type| value.as_bytes().starts_with(content_type.as_bytes()))
    };
    let has_token = head.extensions.remove::<HasToken>().is_some();
    if has_token || !head.headers.get(header::CONTENT_TYPE).is_some_and(is_json) {
        return Response::from_parts(head, body);
    }
    let redaction = admin.redaction.clone();
    // What a store has to show may be large: the threads that serve have other things to do.
    let shown = match to_bytes(body, usize::MAX).await {
        Ok(body) => tokio::task::spawn_blocking(move || json(&redaction, &body)).await.ok(),
        Err(_) => None,
    };
    let Some(shown) = shown else {
        let error = "the gateway failed to prepare the answer";
        return Problem::new(Kind::Internal, error).into_response();
    };
    head.headers.insert(header::CONTENT_LENGTH, shown.len().into());
    Response::from_parts(head, Body::from(shown))
}

fn json(redaction: &Redaction, body: &[u8]) -> String {
    redaction.of_json(&String::from_utf8_lossy(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_known_by_their_names() {
        for name in ["Authorization", "verif-hash", "x-callback-token", "X-Api-Key", "set-cookie"] {
            assert!(is_credential(name), "{name}");
        }
        for name in ["api_key", "api%5Fkey", "%74oken"] {
            assert_eq!(url(&format!("/in/acme?{name}=real")), format!("/in/acme?{name}={HIDDEN}"));
        }
        for name in ["stripe-signature", "x-shopify-topic", "idempotency-key", "content-type"] {
            assert!(!is_credential(name), "{name}");
        }
    }
}
