//! What is asked for that is not a page: the API, or nothing at all; and who comes from elsewhere.
//!
//! Programs get from the port what they always got: only a browser that wants a page at an address
//! without one is shown one. Never answers for the API.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{Dashboard, Failed, assets, link, page};

/// The page that has a browser come again.
#[derive(Template)]
#[template(path = "again.html")]
struct Again<'a> {
    css: &'static str,
    icon: &'static str,
    here: &'a str,
}

/// Answers what is not a page.
pub(super) async fn answer(State(dashboard): State<Arc<Dashboard>>, request: Request) -> Response {
    let is_api = request.uri().path().starts_with("/v1/");
    let wants_page = *request.method() == Method::GET && takes_html(request.headers());
    match wants_page && !is_api {
        // The API has pages too, of text: it says so itself.
        true => match dashboard.api.pass(request).await {
            answer if answer.status() == StatusCode::NOT_FOUND => {
                Failed::no_such_page().into_response()
            }
            answer => answer,
        },
        false => dashboard.api.pass(request).await,
    }
}

fn takes_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

/// To whoever follows a link from another site: a page that leads to where they want to be. A
/// browser sends the session of a page with what comes from that page, and with nothing else.
pub(super) fn again(parts: &Parts) -> Option<Response> {
    let says = |name: &str, value: &str| parts.headers.get(name).is_some_and(|it| it == value);
    let is_foreign = says("sec-fetch-site", "cross-site") || says("sec-fetch-site", "same-site");
    let is_link = says("sec-fetch-mode", "navigate") && says("sec-fetch-dest", "document");
    let here = parts.uri.path_and_query().and_then(|here| link::own(here.as_str()));
    let again = Again { css: assets::css(), icon: assets::icon(), here: here.unwrap_or("/") };
    (is_foreign && is_link && parts.method == Method::GET).then(|| page::page(&again))
}
