//! Signing in with a token, and signing out.
//!
//! The token goes to the API, which judges it, and comes back as a cookie; the page forgets it. The
//! API also holds back the answers to wrong tokens. Never keeps a token, nor shows one.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::api::Answer;
use super::sender::Sender;
use super::submitted::Fields;
use super::visitor::Asked;
use super::{Dashboard, Failed, Submitted, assets, elsewhere, link, page};

/// Largest form to sign in with, in bytes: a token has less than a hundred.
const FORM_BYTES_MAX: usize = 8 << 10;
const SESSION: &str = "/v1/session";

pub(super) fn routes() -> Router<Arc<Dashboard>> {
    Router::new().route("/sign-in", get(show).post(sign_in)).route("/sign-out", post(sign_out))
}

/// The page to sign in.
#[derive(Template)]
#[template(path = "sign-in.html")]
struct SignIn<'s> {
    css: &'static str,
    icon: &'static str,
    /// Where to go then.
    next: &'s str,
    /// Why the last token was no good.
    refused: Option<&'s str>,
}

impl<'s> SignIn<'s> {
    fn new(next: &'s str, refused: Option<&'s str>) -> Self {
        Self { css: assets::css(), icon: assets::icon(), next, refused }
    }
}

async fn show(State(dashboard): State<Arc<Dashboard>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    if let Some(again) = elsewhere::again(&parts) {
        return again;
    }
    let asked = Asked::of(&parts.uri);
    let next = link::own(asked.text("next")).unwrap_or("/");
    let sender = Sender::of(&parts);
    match dashboard.api.ask(&sender, (Method::GET, SESSION), None).await {
        Ok(_) => page::see_other(next),
        Err(failed) if failed.is_unknown() => page::page(&SignIn::new(next, None)),
        // Such as a name under which the port does not answer: who asks is not the question.
        Err(failed) => failed.into_response(),
    }
}

async fn sign_in(State(dashboard): State<Arc<Dashboard>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let fields = match Fields::read(body, FORM_BYTES_MAX).await {
        Ok(fields) => fields,
        Err(failed) => return failed.into_response(),
    };
    let next = link::own(fields.text("next")).unwrap_or("/");
    let Some(token) = fields.given("token") else {
        return refused(next, StatusCode::UNPROCESSABLE_ENTITY, "Give a token.");
    };
    let sender = Sender::of(&parts).with_token(token);
    match dashboard.api.ask(&sender, (Method::POST, SESSION), None).await {
        Ok(Answer { headers, .. }) => with_cookies(page::see_other(next), &headers),
        Err(failed) => refused(next, failed.status, &failed.detail),
    }
}

fn refused(next: &str, status: StatusCode, why: &str) -> Response {
    page::page_with(status, &SignIn::new(next, Some(why)))
}

async fn sign_out(
    State(dashboard): State<Arc<Dashboard>>,
    Submitted { visitor, .. }: Submitted,
) -> Result<Response, Failed> {
    let ended = dashboard.api.ask(&visitor.confirmed(), (Method::DELETE, SESSION), None).await?;
    Ok(with_cookies(page::see_other("/sign-in"), &ended.headers))
}

/// An answer that sets the cookies that the API sets.
fn with_cookies(mut answer: Response, headers: &HeaderMap) -> Response {
    for cookie in headers.get_all(header::SET_COOKIE) {
        let cookie: HeaderValue = cookie.clone();
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
    answer
}
