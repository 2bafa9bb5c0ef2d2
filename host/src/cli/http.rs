//! What the command line asks a gateway over HTTP, on the operator's own behalf.
//!
//! Not a delivery: no guard, no retry, and the answer is for the person who typed.

mod forward;
mod stream;

use std::fmt;
use std::time::Duration;

use ::http::Method;
use anyhow::{Context, ensure};
use bytes::Bytes;
use serde_json::Value;
use tokio::time::timeout;
use url::Url;

pub(super) use self::forward::Forward;
pub(super) use self::stream::{Message, Opened, Stream};
use crate::config::PortAt;
use crate::egress::{self, Authorities, Trust};
use crate::event::{Request, Timestamp};
use crate::regular_file;
use crate::secrets::Secret;

/// A gateway answers at once or is in trouble.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The same of a file, which the gateway takes a minute for, and then looks at.
const FILE_TIMEOUT: Duration = Duration::from_secs(120);

/// Largest answer that is kept, in bytes: an event with its request and all that came of it.
const ANSWER_BYTES_MAX: usize = 512 << 20;

/// Largest file of a certificate, in bytes.
const CERTIFICATE_BYTES_MAX: usize = 1 << 20;

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) duplicate: bool,
    pub(super) body: String,
}

/// No answer came, or not all of it. Where that was, without what may be a secret.
#[derive(Debug)]
pub(super) enum Unreachable {
    Connect(String),
    Answer(String),
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(place) => {
                write!(f, "failed to reach {place} (is the gateway running there?)")
            }
            Self::Answer(place) => write!(f, "failed to read the answer of {place}"),
        }
    }
}

/// The gateway answered that it did not do it.
#[derive(Debug, thiserror::Error)]
#[error("the gateway answered {status}: {said}")]
pub(super) struct Refused {
    pub(super) status: u16,
    /// Why, in its words.
    pub(super) said: String,
}

/// A list of the gateway does not have what was looked for.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Absent(pub(super) String);

/// Who is asked: where, by whose certificate, and as whom.
#[derive(Debug)]
pub(super) struct Reach {
    /// Without a path.
    pub(super) base: Url,
    client: reqwest::Client,
    token: Option<Secret>,
}

impl Reach {
    /// The gateway beside this program. Also trusts its certificate, where that can be read.
    pub(super) fn beside(port: &PortAt, token: Option<Secret>) -> anyhow::Result<Self> {
        Ok(Self { base: port.url.parse()?, client: client(Some(port))?, token })
    }

    /// A gateway anywhere. Trusts whom the system trusts, and these authorities.
    pub(super) fn remote(
        base: Url,
        ca: Authorities,
        token: Option<Secret>,
    ) -> anyhow::Result<Self> {
        let client = egress::operator_client_of(Trust::Besides(ca), None)?;
        Ok(Self { base, client, token })
    }

    /// A request to a gateway, as whoever asks.
    fn request(&self, method: Method, url: &Url) -> reqwest::RequestBuilder {
        let request = self.client.request(method, url.clone());
        match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        }
    }

    /// Asks with this method.
    pub(super) async fn ask(
        &self,
        method: Method,
        url: &Url,
        body: Option<&Value>,
    ) -> anyhow::Result<Answer> {
        let mut request = self.request(method, url);
        if let Some(body) = body {
            request = request.json(body);
        }
        answer(url, request, TIMEOUT).await
    }

    /// Posts the bytes of a file, with these headers.
    pub(super) async fn upload(
        &self,
        url: &Url,
        headers: &[(&str, String)],
        file: Vec<u8>,
    ) -> anyhow::Result<Answer> {
        let mut post = self.request(Method::POST, url).body(file);
        post = post.header("content-type", "application/octet-stream");
        for (name, value) in headers {
            post = post.header(*name, value);
        }
        answer(url, post, FILE_TIMEOUT).await
    }

    /// Posts nothing, and takes an answer that is too long to keep, piece by piece.
    ///
    /// # Errors
    ///
    /// The gateway refuses, the answer breaks off, or `take` gave an error.
    pub(super) async fn download(
        &self,
        url: &Url,
        take: &mut (dyn FnMut(&[u8]) -> std::io::Result<()> + Send),
    ) -> anyhow::Result<()> {
        let shown = egress::shown(url);
        let sent = timeout(TIMEOUT, self.request(Method::POST, url).send()).await;
        let sent = sent.with_context(|| Unreachable::Connect(shown.clone()))?;
        let sent = sent.map_err(reqwest::Error::without_url);
        let mut answer = sent.with_context(|| Unreachable::Connect(shown.clone()))?;
        let status = answer.status().as_u16();
        if status >= 300 {
            let body = timeout(TIMEOUT, text_of(answer, &shown)).await.ok().and_then(Result::ok);
            let body = body.unwrap_or_default();
            return ok(&Answer { status, duplicate: false, body }).map(drop);
        }
        loop {
            let piece = timeout(TIMEOUT, answer.chunk()).await;
            let piece = piece.with_context(|| Unreachable::Answer(shown.clone()))?;
            let piece = piece.map_err(reqwest::Error::without_url);
            match piece.with_context(|| Unreachable::Answer(shown.clone()))? {
                Some(piece) => take(&piece)?,
                None => return Ok(()),
            }
        }
    }
}

/// The URL of a gateway's port, as a person writes it behind `--to` or `--gateway`.
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
    let trust = read.as_deref().map_or(Trust::System, Trust::Pinned);
    Ok(egress::operator_client_of(trust, socket)?)
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

pub(super) async fn get(url: &Url) -> anyhow::Result<Answer> {
    answer(url, client(None)?.get(url.clone()), TIMEOUT).await
}

async fn answer(
    url: &Url,
    request: reqwest::RequestBuilder,
    time_max: Duration,
) -> anyhow::Result<Answer> {
    let shown = egress::shown(url);
    let asked = request.timeout(time_max).send().await.map_err(reqwest::Error::without_url);
    let answer = asked.with_context(|| Unreachable::Connect(shown.clone()))?;
    let duplicate = answer.headers().contains_key("hookgate-duplicate");
    let status = answer.status().as_u16();
    let body = text_of(answer, &shown).await?;
    Ok(Answer { status, duplicate, body })
}

/// The text of an answer of this place.
async fn text_of(mut answer: reqwest::Response, shown: &str) -> anyhow::Result<String> {
    let unread = || Unreachable::Answer(shown.to_owned());
    let mut bytes = Vec::new();
    loop {
        let piece = answer.chunk().await.map_err(reqwest::Error::without_url);
        match piece.with_context(unread)? {
            Some(piece) => keep(&mut bytes, &piece, ANSWER_BYTES_MAX).with_context(unread)?,
            None => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }
}

/// Keeps a piece of an answer, if all of it has at most this many bytes.
fn keep(bytes: &mut Vec<u8>, piece: &[u8], most: usize) -> anyhow::Result<()> {
    ensure!(bytes.len() + piece.len() <= most, "it has more than {most} bytes");
    bytes.extend_from_slice(piece);
    Ok(())
}

/// The JSON of a 2xx answer; the gateway's own words otherwise.
pub(super) fn json(answer: &Answer) -> anyhow::Result<Value> {
    let document: Value =
        serde_json::from_str(ok(answer)?).context("the answer of the gateway is not JSON")?;
    // Whoever asked adds members to it.
    ensure!(document.is_object() || document.is_null(), "the answer of the gateway has no members");
    Ok(document)
}

/// The text of a 2xx answer, which may be nested deeper than [`json`] reads; the gateway's own
/// words otherwise.
pub(super) fn ok(answer: &Answer) -> anyhow::Result<&str> {
    if answer.status < 300 {
        return Ok(&answer.body);
    }
    let refused = serde_json::from_str(&answer.body).unwrap_or_default();
    Err(Refused { status: answer.status, said: reason(&refused) }.into())
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
        Some("foreign-host") => format!("{said}, or give its address with --gateway"),
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
        assert!(problem("foreign-host").contains("--gateway"));
        assert_eq!(reason(&json!({ "error": "not verified" })), "not verified");
        assert_eq!(reason(&json!(null)), "the answer gives no reason");
    }

    /// Guards the memory of whoever asks what answers without an end.
    #[test]
    fn an_answer_is_kept_up_to_a_length() {
        let mut bytes = Vec::new();
        keep(&mut bytes, b"ab", 3).unwrap();
        keep(&mut bytes, b"c", 3).unwrap();
        assert!(keep(&mut bytes, b"d", 3).is_err());
        assert_eq!(bytes, b"abc");
    }

    /// Guards each command that adds a member to what it got: what has none panics there.
    #[test]
    fn an_answer_without_members_is_an_error() {
        let read = |body: &str| {
            json(&Answer { status: 200, duplicate: false, body: body.to_owned() }).is_ok()
        };
        assert!(read(r#"{"items":[]}"#) && read("null"));
        assert!(!["[]", "7", "\"text\"", "true", ""].into_iter().any(read));
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
