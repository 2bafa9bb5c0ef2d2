//! Pages as a browser gets them, over an API that is made up of what it would answer.

use std::future::ready;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::http::request::Builder;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::event::Timestamp;

const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// What the API answers to whoever has this cookie; others are unknown to it.
const COOKIE: &str = "hookgate-session=good";

fn problem(status: StatusCode, kind: &str) -> Response {
    let said = json!({
        "type": format!("https://example.com/api.md#{kind}"), "title": "Token missing",
        "detail": "send <b>a token</b>", "status": status.as_u16(),
    });
    (status, Json(said)).into_response()
}

/// Answers with this to those who are known.
fn shown(value: Value) -> MethodRouter {
    get(move |headers: HeaderMap| {
        let is_known = headers.get("cookie").is_some_and(|cookie| cookie == COOKIE);
        let answer = match is_known {
            true => Json(value.clone()).into_response(),
            false => problem(StatusCode::UNAUTHORIZED, "no-token"),
        };
        ready(answer)
    })
}

/// An API with one event, whose names are markup.
fn api(paused: &Arc<AtomicUsize>) -> Router {
    let session = json!({ "token": "ops", "scopes": ["admin"], "tenant": null, "form": "f_1" });
    let event = json!({
        "id": "evt_1", "type": "<script>alert(1)</script>", "source": "a\u{202e}b", "subject": null,
        "state": "done", "recorded_at": NOW,
    });
    let paused = Arc::clone(paused);
    let pause = move |headers: HeaderMap| {
        let is_confirmed = headers.get("hookgate-form").is_some_and(|form| form == "f_1");
        paused.fetch_add(usize::from(is_confirmed), Ordering::Relaxed);
        ready(Json(json!({})))
    };
    Router::new()
        .route("/v1/session", shown(session))
        .route("/v1/events", shown(json!({ "items": [event], "next": null })))
        .route("/v1/endpoints/{id}/pause", post(pause))
}

struct Bench {
    router: Router,
    /// How often the API was had to pause an endpoint, with all that this needs.
    paused: Arc<AtomicUsize>,
}

fn bench() -> Bench {
    let paused = Arc::<AtomicUsize>::default();
    Bench { router: router(api(&paused), Clock::manual(NOW)), paused }
}

struct Page {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Bench {
    async fn send(&self, request: Builder, body: &str) -> Page {
        let request: Request<Body> = request.body(Body::from(body.to_owned())).unwrap();
        let (head, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        Page { status: head.status.as_u16(), headers: head.headers, text }
    }

    async fn get(&self, path: &str) -> Page {
        self.send(Request::builder().uri(path).header("cookie", COOKIE), "").await
    }

    async fn pause(&self, form: &str) -> Page {
        let request = Request::builder().method("POST").uri("/endpoints/ep_1/pause");
        self.send(request.header("cookie", COOKIE), form).await
    }
}

/// Guards the escaper of `askama.toml` by the value of a field, and that of `markup` by a link.
#[tokio::test]
async fn what_came_from_outside_is_text() {
    let page = bench().get("/events?subject=%22%3E%3Cscript%3E%E2%80%AE").await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("value=\"&quot;&gt;&lt;script&gt;[U+202E]\""), "{}", page.text);
    assert!(page.text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{}", page.text);
    assert!(page.text.contains("a[U+202E]b"), "{}", page.text);
    assert!(!page.text.contains("<script>") && !page.text.contains('\u{202e}'));
}

#[tokio::test]
async fn a_page_loads_and_runs_nothing_but_what_is_the_gateways() {
    let bench = bench();
    let page = bench.get("/events").await;
    assert_eq!(page.headers["content-security-policy"], page::POLICY);
    assert_eq!(page.headers["referrer-policy"], "same-origin");
    assert!(!page.text.contains("style=") && !page.text.contains(" onclick"));
    for path in [assets::css(), assets::script(), assets::icon()] {
        assert!(page.text.contains(path), "{path}");
        let asset = bench.get(path).await;
        assert_eq!(asset.status, 200);
        assert!(asset.headers["cache-control"].to_str().unwrap().contains("immutable"));
    }
    assert_eq!(bench.get("/assets/app-0.css").await.status, 404);
}

#[tokio::test]
async fn whoever_is_unknown_signs_in_and_comes_back() {
    let bench = bench();
    let unknown = bench.send(Request::builder().uri("/events?state=dead"), "").await;
    assert_eq!(unknown.status, 303);
    assert_eq!(unknown.headers["location"], "/sign-in?next=%2Fevents%3Fstate%3Ddead");
    let sign_in = bench.send(Request::builder().uri("/sign-in?next=//evil.example"), "").await;
    assert_eq!(sign_in.status, 200);
    assert!(!sign_in.text.contains("evil"), "{}", sign_in.text);
}

/// Guards the field of a form, and that the API is told of it.
#[tokio::test]
async fn a_form_does_something_only_with_what_goes_with_its_session() {
    let bench = bench();
    for foreign in ["", "form=", "form=f_2", "form=f_11"] {
        assert_eq!(bench.pause(foreign).await.status, 403, "{foreign}");
    }
    assert_eq!(bench.paused.load(Ordering::Relaxed), 0);
    let done = bench.pause("form=f_1").await;
    assert_eq!(done.status, 303, "{}", done.text);
    assert_eq!(bench.paused.load(Ordering::Relaxed), 1);

    // What was done is said on the next page, and once.
    let place = done.headers["location"].to_str().unwrap().split_once("note=").unwrap().1;
    let next = bench.get(&format!("/events?note={place}")).await;
    assert!(next.text.contains("Paused."), "{}", next.text);
    let again = bench.get(&format!("/events?note={place}")).await;
    assert!(!again.text.contains("Paused."));
}

/// Guards the layer around the pages: without it the panic ends the connection.
#[tokio::test]
async fn a_panic_over_a_page_is_a_page() {
    async fn broken() -> &'static str {
        panic!("no sense in it")
    }
    let api = Router::new().route("/v1/session", get(broken));
    let bench = Bench { router: router(api, Clock::manual(NOW)), paused: Arc::default() };
    for path in ["/events", "/sign-in"] {
        let page = bench.get(path).await;
        assert_eq!(page.status, 500);
        assert!(page.text.contains("its log says more"), "{}", page.text);
    }
}

#[tokio::test]
async fn what_no_page_takes_is_answered_by_a_page() {
    let bench = bench();
    for (method, path, status) in
        [("PUT", "/events", 405), ("OPTIONS", "/sign-in", 405), ("GET", "/endpoints/%ff", 400)]
    {
        let request = Request::builder().method(method).uri(path).header("cookie", COOKIE);
        let page = bench.send(request, "").await;
        assert_eq!(page.status, status, "{method} {path}");
        assert_eq!(page.headers["content-security-policy"], page::POLICY, "{method} {path}");
        assert_eq!(page.headers.contains_key("allow"), status == 405, "{method} {path}");
    }
}

/// A browser sends no session with a link from another site.
#[tokio::test]
async fn whoever_follows_a_link_from_another_site_comes_again_by_themselves() {
    let request = Request::builder()
        .uri("/events?a=1&b=2")
        .header("sec-fetch-site", "cross-site")
        .header("sec-fetch-mode", "navigate")
        .header("sec-fetch-dest", "document");
    let page = bench().send(request, "").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("content=\"0;url=/events?a=1&amp;b=2\""), "{}", page.text);
}

#[tokio::test]
async fn programs_get_the_api_and_browsers_a_page() {
    let bench = bench();
    assert!(bench.get("/v1/events").await.text.starts_with("{\"items\""));
    let nothing = bench.get("/nothing").await;
    assert_eq!((nothing.status, &*nothing.text), (404, ""));
    let request = Request::builder().uri("/nothing").header("accept", "text/html");
    let page = bench.send(request, "").await;
    assert_eq!(page.status, 404);
    assert!(page.text.contains("no page at this address"), "{}", page.text);
}
