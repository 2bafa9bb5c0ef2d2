//! Who sends a request for a page, as the API is to see them.
//!
//! Only what tells that goes on: the name under which the port was asked, the session, and what the
//! browser says of where the request comes from. Never a header that a page has no use for.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::listener::Connection;

/// What goes on to the API.
static PASSED: [HeaderName; 6] = [
    header::HOST,
    header::COOKIE,
    header::ORIGIN,
    HeaderName::from_static("sec-fetch-site"),
    HeaderName::from_static("x-forwarded-proto"),
    // That the page asks by itself.
    HeaderName::from_static("hookgate-unattended"),
];

/// What goes with each form.
const FORM: &str = "hookgate-form";

/// Who sends a request.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    headers: HeaderMap,
    connection: Option<Arc<Connection>>,
}

impl Sender {
    /// Whoever has sent this one.
    pub(super) fn of(parts: &Parts) -> Self {
        let mut headers = HeaderMap::new();
        for name in &PASSED {
            for value in parts.headers.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
        // Over HTTP/2 the name of the port stands there, and each that a request has must be ours.
        let authority = parts.uri.authority().map(|it| HeaderValue::from_str(it.as_str()));
        if let Some(Ok(authority)) = authority {
            headers.append(header::HOST, authority);
        }
        Self { headers, connection: parts.extensions.get::<Arc<Connection>>().cloned() }
    }

    /// The same, with the text that goes with the forms of a session.
    #[must_use]
    pub(super) fn with_form(mut self, form: &str) -> Self {
        if let Ok(form) = HeaderValue::from_str(form) {
            self.headers.insert(FORM, form);
        }
        self
    }

    /// The same with a token, in place of a session. A text that no header can have is not one.
    #[must_use]
    pub(super) fn with_token(mut self, token: &str) -> Self {
        let bearer = HeaderValue::from_str(&format!("Bearer {token}"));
        let bearer = bearer.unwrap_or_else(|_| HeaderValue::from_static("Bearer ?"));
        self.headers.insert(header::AUTHORIZATION, bearer);
        self
    }

    /// Has a request come from whoever this is.
    pub(super) fn sign(&self, request: &mut Request) {
        request.headers_mut().extend(self.headers.clone());
        if let Some(connection) = &self.connection {
            request.extensions_mut().insert(Arc::clone(connection));
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;

    use super::*;

    /// Guards that a request is judged by every name to which it was sent, and by no token that a
    /// browser would not send.
    #[test]
    fn all_names_of_the_port_go_on_and_no_token() {
        let request = Request::builder().uri("http://evil.example/").header("host", "localhost");
        let request = request.header("authorization", "Bearer hgt_x");
        let request = request.header("hookgate-unattended", "?1").body(()).unwrap();
        let mut sent = Request::new(Body::empty());
        Sender::of(&request.into_parts().0).sign(&mut sent);
        let hosts: Vec<_> = sent.headers().get_all(header::HOST).iter().collect();
        assert_eq!(hosts, ["localhost", "evil.example"]);
        assert!(!sent.headers().contains_key(header::AUTHORIZATION));
        assert!(sent.headers().contains_key("hookgate-unattended"), "it would count as use");
    }
}
