//! What goes wrong under the address of a page, before the page or in it: a page says that too.
//!
//! Such as a panic, a method that nothing there takes, and an address that can't be read. Never
//! changes what a page has said itself.

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::error;

use super::Failed;
use crate::causes;

/// Answers with a page, whatever panics over it. A panic would end the connection, on which others
/// may wait.
pub(super) async fn shown(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answer = match causes::caught(next.run(request)).await {
        Ok(answer) => answer,
        Err(why) => {
            error!(%method, path, "the gateway panicked over a page of the dashboard: {why}");
            let detail = "The gateway panicked over this page; its log says more.";
            return Failed::internal(detail).into_response();
        }
    };
    let status = answer.status();
    let is_trouble = status.is_client_error() || status.is_server_error();
    match status {
        _ if !is_trouble || is_page(answer.headers()) => answer,
        StatusCode::METHOD_NOT_ALLOWED => Failed::no_such_act(&method).into_response(),
        _ => Failed::unreadable(status).into_response(),
    }
}

fn is_page(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/html"))
}
