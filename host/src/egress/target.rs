//! A URL as requests go to it: what is the same in each of them, made ready once.
//!
//! Made where a URL is read, so that a request parses, escapes and writes nothing of it anew. Never
//! resolves a name and never judges an address: each new connection is checked by itself.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;
use percent_encoding::percent_decode_str;
use url::Url;

use super::error::EgressError;
use super::origin::Origin;

/// Headers that every request may have besides its own: those of [`Ready::request`], and its
/// length.
pub(super) const COMMON_HEADERS: usize = 5;

const ANYTHING: HeaderValue = HeaderValue::from_static("*/*");
const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("hookgate/", env!("CARGO_PKG_VERSION")));

/// A URL that requests go to.
#[derive(Clone)]
pub(crate) struct Target {
    url: Url,
    /// Or what is wrong with it, which whoever sends there is told.
    ready: Result<Ready, EgressError>,
}

/// What each request to it has.
#[derive(Clone)]
pub(super) struct Ready {
    origin: Arc<Origin>,
    /// Path and query.
    path: Uri,
    host: HeaderValue,
    credentials: Option<HeaderValue>,
}

impl Target {
    pub(crate) fn new(url: Url) -> Self {
        let ready = Ready::of(&url);
        Self { url, ready }
    }

    pub(super) fn ready(&self) -> Result<&Ready, EgressError> {
        self.ready.as_ref().map_err(Clone::clone)
    }
}

/// Without what may be secret.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&super::shown(&self.url)).finish()
    }
}

impl Ready {
    fn of(url: &Url) -> Result<Self, EgressError> {
        let origin = Origin::of(url)?;
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let host = HeaderValue::try_from(origin.authority())
            .map_err(|_| EgressError::InvalidHeader(header::HOST.to_string()))?;
        let path = match Uri::try_from(path) {
            Ok(path) => path,
            Err(_) => return Err(EgressError::InvalidPath(origin)),
        };
        let origin = Arc::new(origin);
        Ok(Self { origin, path, host, credentials: credentials(url) })
    }

    pub(super) fn origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    /// A request as it goes over a connection to the origin.
    pub(super) fn request(
        &self,
        method: Method,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Request<Full<Bytes>> {
        headers.insert(header::HOST, self.host.clone());
        headers.insert(header::ACCEPT, ANYTHING);
        headers.insert(header::USER_AGENT, USER_AGENT);
        if let Some(credentials) = &self.credentials {
            headers.insert(header::AUTHORIZATION, credentials.clone());
        }
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.path.clone();
        *request.headers_mut() = headers;
        request
    }
}

/// Name and password that stand in a URL, as HTTP has them.
fn credentials(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut text: Vec<u8> = percent_decode_str(url.username()).collect();
    text.push(b':');
    text.extend(percent_decode_str(url.password().unwrap_or_default()));
    let mut value = HeaderValue::try_from(format!("Basic {}", BASE64.encode(text))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        Target::new(url.parse().unwrap())
    }

    #[test]
    fn every_request_to_a_target_is_made_alike() {
        let target = target("https://shop:pw@hooks.example:8443/in?token=a%20b#part");
        for body in ["{}", "[]"] {
            let headers = HeaderMap::new();
            let request = target.ready().unwrap().request(Method::POST, headers, body.into());
            assert_eq!(request.uri(), "/in?token=a%20b");
            let header = |name: &str| request.headers()[name].to_str().unwrap();
            assert_eq!(header("host"), "hooks.example:8443");
            assert_eq!(header("accept"), "*/*");
            assert!(header("user-agent").starts_with("hookgate/"));
            assert_eq!(header("authorization"), format!("Basic {}", BASE64.encode("shop:pw")));
        }
    }

    #[test]
    fn what_is_wrong_with_a_url_is_told_to_whoever_sends_there() {
        let error = target("ftp://hooks.example/").ready().err().unwrap();
        assert_eq!(error.label(), "refused");
        assert_eq!(error.to_string(), "the scheme `ftp` is not http or https");
    }

    #[test]
    fn a_target_shows_nothing_that_may_be_secret() {
        let shown = format!("{:?}", target("https://shop:pw@hooks.example/in?token=hunter2"));
        assert_eq!(shown, r#"Target("https://(hidden)@hooks.example/in?(hidden)")"#);
    }
}
