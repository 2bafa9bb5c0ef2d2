//! What the command line asks a gateway over HTTP, on the operator's own behalf.
//!
//! Not a delivery: no guard, no retry, and the answer is for the person who typed.

use std::time::Duration;

use ::http::Method;
use anyhow::{Context, anyhow};
use bytes::Bytes;
use serde_json::Value;
use url::Url;

use crate::config::PortAt;
use crate::egress;
use crate::event::{Request, Timestamp};
use crate::regular_file;
use crate::secrets::Secret;

/// A gateway answers at once or is in trouble.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The same of a file, which the gateway takes a minute for, and then looks at.
const FILE_TIMEOUT: Duration = Duration::from_secs(120);

/// Largest file of a certificate, in bytes.
const CERTIFICATE_BYTES_MAX: usize = 1 << 20;

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) duplicate: bool,
    pub(super) body: String,
}

/// The URL of a gateway's port, as a person writes it behind `--to` or `--admin`.
pub(super) fn port_url(text: &str) -> Result<Url, String> {
    const EXAMPLE: &str = "http://127.0.0.1:8080";
    if !text.contains("://") {
        return Err(format!("the URL has no scheme; write it as in {EXAMPLE}"));
    }
    let wrong = |error: url::ParseError| format!("{error}; write a URL such as {EXAMPLE}");
    let url: Url = text.parse().map_err(wrong)?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        _ => Err(format!("the scheme must be http or https; write a URL such as {EXAMPLE}")),
    }
}

/// A request with a JSON body, as somebody would post it.
pub(super) fn json_request(path: &str, body: Bytes, now: Timestamp) -> Request {
    Request {
        method: "POST".to_owned(),
        url: path.to_owned(),
        headers: [("content-type", "application/json")].into_iter().collect(),
        body,
        received_at: now,
    }
}

/// A client that reaches a port of this machine, and also trusts its certificate, where that can be
/// read.
fn client(port: Option<&PortAt>) -> anyhow::Result<reqwest::Client> {
    let certificate = port.and_then(|port| port.certificate.as_deref());
    let read = certificate.and_then(|path| regular_file::read(path, CERTIFICATE_BYTES_MAX).ok());
    let socket = port.and_then(|port| port.socket.as_deref());
    Ok(egress::operator_client_of(read.as_deref(), socket)?)
}

/// Sends a request as it is. `port` is the one that the URL leads to, if the configuration says so.
pub(super) async fn post(
    url: &Url,
    port: Option<&PortAt>,
    request: &Request,
) -> anyhow::Result<Answer> {
    let mut post = client(port)?.post(url.clone()).body(request.body.clone());
    for (name, value) in request.headers.iter() {
        post = post.header(name, value);
    }
    answer(url, post, TIMEOUT).await
}

/// Asks with this method.
pub(super) async fn ask(
    method: Method,
    url: &Url,
    port: Option<&PortAt>,
    token: Option<&Secret>,
    body: Option<&Value>,
) -> anyhow::Result<Answer> {
    let mut request = client(port)?.request(method, url.clone());
    if let Some(token) = token {
        request = request.bearer_auth(token.expose());
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    answer(url, request, TIMEOUT).await
}

/// Posts the bytes of a file, with these headers.
pub(super) async fn upload(
    url: &Url,
    port: Option<&PortAt>,
    token: Option<&Secret>,
    (headers, file): (&[(&str, String)], Vec<u8>),
) -> anyhow::Result<Answer> {
    let mut post = client(port)?.post(url.clone()).body(file);
    post = post.header("content-type", "application/octet-stream");
    for (name, value) in headers {
        post = post.header(*name, value);
    }
    if let Some(token) = token {
        post = post.bearer_auth(token.expose());
    }
    answer(url, post, FILE_TIMEOUT).await
}

pub(super) async fn get(url: &Url) -> anyhow::Result<Answer> {
    ask(Method::GET, url, None, None, None).await
}

async fn answer(
    url: &Url,
    request: reqwest::RequestBuilder,
    time_max: Duration,
) -> anyhow::Result<Answer> {
    let shown = egress::shown(url);
    let asked = request.timeout(time_max).send().await.map_err(reqwest::Error::without_url);
    let answer = asked
        .with_context(|| format!("failed to reach {shown} (is the gateway running there?)"))?;
    let duplicate = answer.headers().contains_key("hookgate-duplicate");
    let status = answer.status().as_u16();
    let body = answer
        .text()
        .await
        .map_err(reqwest::Error::without_url)
        .with_context(|| format!("failed to read the answer of {shown}"))?;
    Ok(Answer { status, duplicate, body })
}

/// The JSON of a 2xx answer; the gateway's own words otherwise.
pub(super) fn json(answer: &Answer) -> anyhow::Result<Value> {
    serde_json::from_str(ok(answer)?).context("the answer of the gateway is not JSON")
}

/// The text of a 2xx answer, which may be nested deeper than [`json`] reads; the gateway's own
/// words otherwise.
pub(super) fn ok(answer: &Answer) -> anyhow::Result<&str> {
    if answer.status < 300 {
        return Ok(&answer.body);
    }
    let refused = serde_json::from_str(&answer.body).unwrap_or_default();
    Err(anyhow!("the gateway answered {}: {}", answer.status, reason(&refused)))
}

/// Why the gateway did not do it: at the admin port as a problem, at the public port as an error.
fn reason(refused: &Value) -> String {
    let said = refused["detail"].as_str().or_else(|| refused["error"].as_str());
    let said = said.unwrap_or("the answer gives no reason");
    let kind = refused["type"].as_str().and_then(|place| place.rsplit('#').next());
    match kind {
        // This program sends nothing that its own version does not know.
        Some("unknown-parameter" | "no-such-path" | "method-not-allowed") => {
            format!("{said} (the gateway may be older than this program)")
        }
        Some("foreign-host") => format!("{said}, or give its address with --admin"),
        _ => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_reason_of_either_port_is_said_and_what_it_means_for_a_command() {
        let problem = |kind: &str| {
            let place = format!("https://example.com/api.md#{kind}");
            reason(&json!({ "type": place, "title": "No", "status": 400, "detail": "no" }))
        };
        assert_eq!(problem("invalid-id"), "no");
        assert!(problem("no-such-path").starts_with("no (the gateway may be older"));
        assert!(problem("foreign-host").contains("--admin"));
        assert_eq!(reason(&json!({ "error": "not verified" })), "not verified");
        assert_eq!(reason(&json!(null)), "the answer gives no reason");
    }

    #[test]
    fn a_url_of_a_port_has_a_scheme_and_a_host() {
        for text in ["http://127.0.0.1:8080", "https://hooks.example/below/"] {
            assert_eq!(
                port_url(text).unwrap().as_str().trim_end_matches('/'),
                text.trim_end_matches('/')
            );
        }
        for (text, words) in [
            ("127.0.0.1:8080", "the URL has no scheme; write it as in http://127.0.0.1:8080"),
            ("localhost:8080", "the URL has no scheme"),
            ("", "the URL has no scheme"),
            ("ftp://127.0.0.1", "the scheme must be http or https"),
            ("http://:8080", "empty host; write a URL such as"),
        ] {
            let error = port_url(text).unwrap_err();
            assert!(error.starts_with(words), "{text}: {error}");
        }
    }
}
