//! What the public port has: `/in/{source}`, with or without a slash behind it, to which is posted
//! and which a few providers ask by other methods, and for everybody `GET /healthz` and the public
//! keys of endpoints. What is for none of them is refused like a forged request.
//!
//! Nearly all that comes is posted to a source, and goes there without the router: to be found,
//! noted in the request and read off it again cost a path more than all that is done with it. Never
//! looks at more of a request than its method and its path.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{Method, Uri};
use axum::response::Response;
use axum::routing::{any, get};
use axum::{Extension, Router};

use super::{Ingest, jwks, strays};
use crate::listener::{Answering, Answers, Connection};

/// The public routes.
#[derive(Debug)]
pub(crate) struct Routes {
    ingest: Arc<Ingest>,
    router: Router,
}

impl Routes {
    /// Those of which this answers what is for a source.
    pub(crate) fn of(ingest: Arc<Ingest>) -> Self {
        let router = Router::new()
            .route("/in/{source}", any(receive))
            // Some consoles put a slash behind the path; a signature covers the URL as it was sent.
            .route("/in/{source}/", any(receive))
            .route("/healthz", get(strays::probe).fallback(strays::no_probe))
            .route(jwks::PATH, get(jwks::keys).fallback(strays::no_probe))
            .fallback(strays::nowhere)
            .with_state(Arc::clone(&ingest));
        Self { ingest, router }
    }
}

impl Answers for Routes {
    fn answer(self: Arc<Self>, connection: Arc<Connection>, request: Request) -> Answering {
        let Some(name) = posted_to(request.method(), request.uri()).map(str::to_owned) else {
            return Arc::new(self.router.clone()).answer(connection, request);
        };
        Box::pin(async move { self.ingest.receive(Some(&name), &connection, request).await })
    }
}

/// The source that a request is posted to, if its name stands in the path as it is.
fn posted_to<'u>(method: &Method, uri: &'u Uri) -> Option<&'u str> {
    let name = uri.path().strip_prefix("/in/")?;
    let name = name.strip_suffix('/').unwrap_or(name);
    let is_plain = !name.is_empty() && !name.contains(['/', '%']);
    (method == Method::POST && is_plain).then_some(name)
}

async fn receive(
    State(ingest): State<Arc<Ingest>>,
    path: Result<Path<String>, PathRejection>,
    Extension(connection): Extension<Arc<Connection>>,
    request: Request,
) -> Response {
    let name = path.ok().map(|Path(name)| name);
    ingest.receive(name.as_deref(), &connection, request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_posted_to_a_source_by_its_plain_name_needs_no_router() {
        let posted = |path: &str| {
            let uri: Uri = path.parse().unwrap();
            posted_to(&Method::POST, &uri).map(str::to_owned)
        };
        for path in ["/in/shop", "/in/shop/", "/in/shop?a=b/%20", "/in/shop/?a"] {
            assert_eq!(posted(path).as_deref(), Some("shop"), "{path}");
        }
        for path in ["/", "/in", "/in/", "/in//", "/in/shop//", "/in/a/b", "/in/sh%6fp", "/healthz"]
        {
            assert_eq!(posted(path), None, "{path}");
        }
        assert_eq!(posted_to(&Method::GET, &Uri::from_static("/in/shop")), None);
    }
}
