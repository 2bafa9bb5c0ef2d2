//! The one door for outbound HTTP and DNS.
//!
//! Everything that the gateway sends leaves through [`Egress::post`], and what it has to look up
//! through [`Egress::fetch`]: to addresses that the guard allows, without proxies, without following
//! redirects, within a time, and reading no more of an answer than is worth keeping. Never judges an
//! answer: what a status means is the caller's question.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use ipnet::IpNet;
use reqwest::redirect;
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;
use url::Url;

use self::guard::Guard;
pub use self::guard::Refusal;
pub use self::shown::shown;
use crate::clock::Clock;
use crate::event::Timestamp;

mod address;
mod guard;
mod shown;

/// Most bytes that are kept of an answer's body.
const EXCERPT_BYTES_MAX: usize = 1024;
/// Most bytes that are read of it, so that the connection can be used again.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Longest time that is spent on it.
const BODY_WAIT_MAX: Duration = Duration::from_secs(1);
/// A connection that nothing needs is kept for so long.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// So many of them for one host.
const IDLE_CONNECTIONS_MAX: usize = 8;

/// How to reach out.
#[derive(Debug, Clone)]
pub struct Config {
    /// Networks that may be reached although they are not public.
    pub allow: Vec<IpNet>,
    /// For resolving, connecting and TLS together.
    pub connect_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { allow: Vec::new(), connect_timeout: Duration::from_secs(5) }
    }
}

/// The way out. Clones share connections and allowed networks.
#[derive(Debug, Clone)]
pub struct Egress {
    way: Arc<ArcSwap<Way>>,
    clock: Clock,
}

/// A guard and the connections that it let through.
#[derive(Debug)]
struct Way {
    guard: Guard,
    client: reqwest::Client,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// 100 to 999.
    pub status: u16,
    /// The delay that `Retry-After` asks for.
    pub retry_after: Option<Duration>,
    /// The beginning of the body, at most 1 KiB; what is not UTF-8 is replaced with U+FFFD.
    pub excerpt: String,
    /// From the start until the excerpt was read.
    pub duration: Duration,
}

/// What was looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// 100 to 999.
    pub status: u16,
    /// The whole body.
    pub body: Bytes,
}

/// Why nothing came back. No text holds more of the URL than the host: the rest may be secret.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The guard forbids it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The configuration asks for a header that HTTP does not know. Holds its name.
    #[error("`{0}` can't be sent as a header")]
    InvalidHeader(String),
    /// The name stands for nothing.
    #[error("failed to resolve `{host}`")]
    Unresolvable {
        /// The host in the URL.
        host: String,
        /// Why.
        source: reqwest::Error,
    },
    /// Nobody listens there.
    #[error("failed to connect to `{host}`")]
    Connect {
        /// The host in the URL.
        host: String,
        /// Why.
        source: reqwest::Error,
    },
    /// Its certificate is not good, or it does not speak TLS as we do.
    #[error("failed to agree with `{host}` on TLS")]
    Tls {
        /// The host in the URL.
        host: String,
        /// Why.
        source: reqwest::Error,
    },
    /// Connecting or answering took too long.
    #[error("`{host}` did not answer in time")]
    Timeout {
        /// The host in the URL.
        host: String,
        /// Where the time ended.
        source: reqwest::Error,
    },
    /// Connected, but no answer came that HTTP knows.
    #[error("connection to `{host}` broke before its answer")]
    Broken {
        /// The host in the URL.
        host: String,
        /// Why.
        source: reqwest::Error,
    },
    /// From [`Egress::fetch`] only: an answer that nobody wants to hold.
    #[error("answer of `{host}` is larger than {bytes_max} bytes")]
    TooLarge {
        /// The host in the URL.
        host: String,
        /// Most bytes that were asked for.
        bytes_max: usize,
    },
}

/// Why there is no way out.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Without the system's certificates nobody could be trusted.
    #[error("failed to load the system's CA certificates")]
    Certificates(#[from] rustls::Error),
    /// The HTTP client can't be built.
    #[error("failed to set up the HTTP client")]
    Client(#[from] reqwest::Error),
}

impl Egress {
    /// Loads the system's certificates and connects to nothing yet.
    pub fn new(config: Config, clock: Clock) -> Result<Self, SetupError> {
        let way = Way::new(config)?;
        Ok(Self { way: Arc::new(ArcSwap::from_pointee(way)), clock })
    }

    /// Goes on with another configuration, or with the old one if there is an error. What is on its
    /// way is not disturbed; its connections are not used again.
    pub fn reload(&self, config: Config) -> Result<(), SetupError> {
        self.way.store(Arc::new(Way::new(config)?));
        Ok(())
    }

    /// Posts `body` and waits for the answer, together at most for `timeout`. Any status is an
    /// answer, also a redirect, which is not followed.
    pub async fn post(
        &self,
        url: &Url,
        headers: &[(&str, String)],
        body: Bytes,
        timeout: Duration,
    ) -> Result<Answer, EgressError> {
        let started = Instant::now();
        let headers = header_map(headers)?;
        let way = self.way.load_full();
        way.guard.check_url(url)?;

        let request = way.client.post(url.clone()).headers(headers).body(body).timeout(timeout);
        let response = request.send().await.map_err(|error| EgressError::new(url, error))?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers(), self.clock.now());
        let excerpt = excerpt(response).await;
        Ok(Answer { status, retry_after, excerpt, duration: started.elapsed() })
    }
}

impl Egress {
    /// Looks something up: a POST of JSON where there is a body, else a GET. The answer, whole and of
    /// at most `bytes_max` bytes, must be there within `timeout`. Any status is an answer, also a
    /// redirect, which is not followed.
    pub async fn fetch(
        &self,
        url: &Url,
        json: Option<Bytes>,
        bytes_max: usize,
        timeout: Duration,
    ) -> Result<Fetched, EgressError> {
        let way = self.way.load_full();
        way.guard.check_url(url)?;
        let request = match json {
            None => way.client.get(url.clone()),
            Some(json) => {
                let post = way.client.post(url.clone()).body(json);
                post.header(header::CONTENT_TYPE, "application/json")
            }
        };
        let broken = |error| EgressError::new(url, error);
        let mut response = request.timeout(timeout).send().await.map_err(broken)?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > bytes_max {
                let host = url.host_str().unwrap_or_default().to_owned();
                return Err(EgressError::TooLarge { host, bytes_max });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Fetched { status, body: body.into() })
    }
}

/// A client for what the operator asks on the command line, which may go anywhere. No delivery goes
/// through it.
pub fn operator_client() -> Result<reqwest::Client, SetupError> {
    Ok(reqwest::Client::builder().tls_backend_preconfigured(tls()?).no_proxy().build()?)
}

fn tls() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth())
}

impl Way {
    fn new(config: Config) -> Result<Self, SetupError> {
        let guard = Guard::new(config.allow);
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls()?)
            .dns_resolver(guard.clone())
            // A proxy or a redirect would lead around the guard.
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .http1_only()
            .connect_timeout(config.connect_timeout)
            .pool_idle_timeout(IDLE_MAX)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .user_agent(concat!("hookgate/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { guard, client })
    }
}

impl EgressError {
    fn new(url: &Url, error: reqwest::Error) -> Self {
        let source = error.without_url();
        let host = url.host_str().unwrap_or_default().to_owned();
        if let Some(refusal) = cause::<Refusal>(&source) {
            Self::Refused(refusal.clone())
        } else if source.is_timeout() {
            Self::Timeout { host, source }
        } else if source.is_dns() {
            Self::Unresolvable { host, source }
        } else if cause::<rustls::Error>(&source).is_some() {
            Self::Tls { host, source }
        } else if source.is_connect() {
            Self::Connect { host, source }
        } else {
            Self::Broken { host, source }
        }
    }

    /// The case, for counting.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::InvalidHeader(_) => "invalid_header",
            Self::Unresolvable { .. } => "unresolvable",
            Self::Connect { .. } => "connect",
            Self::Tls { .. } => "tls",
            Self::Timeout { .. } => "timeout",
            Self::Broken { .. } => "broken",
            Self::TooLarge { .. } => "too_large",
        }
    }
}

/// What is at the bottom of an error, if it is an `E`.
fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    if let Some(found) = error.downcast_ref() {
        return Some(found);
    }
    // An IO error gives the source of what it wraps, and not what it wraps.
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    let below = wrapped.map(|wrapped| wrapped as &(dyn Error + 'static)).or_else(|| error.source());
    below.and_then(cause)
}

fn header_map(headers: &[(&str, String)]) -> Result<HeaderMap, EgressError> {
    let header = |(name, value): &(&str, String)| {
        let known = HeaderName::try_from(*name).ok().zip(HeaderValue::try_from(value).ok());
        known.ok_or_else(|| EgressError::InvalidHeader((*name).to_owned()))
    };
    headers.iter().map(header).collect()
}

/// In seconds or as a date, as the standard has it; anything else is no wish.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let since_epoch = date.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp(0).after(since_epoch).since(now))
}

/// The status counts, however the body ends.
async fn excerpt(mut response: reqwest::Response) -> String {
    let deadline = tokio::time::Instant::now() + BODY_WAIT_MAX;
    let (mut head, mut bytes_read) = (Vec::new(), 0);
    while let Ok(Ok(Some(chunk))) = tokio::time::timeout_at(deadline, response.chunk()).await {
        let room = EXCERPT_BYTES_MAX - head.len();
        head.extend_from_slice(&chunk[..room.min(chunk.len())]);
        bytes_read += chunk.len();
        if bytes_read > BODY_BYTES_MAX {
            break;
        }
    }
    let mut text = String::from_utf8_lossy(&head).into_owned();
    // What replaces a byte is longer than it.
    text.truncate(text.floor_char_boundary(EXCERPT_BYTES_MAX));
    text
}

#[cfg(test)]
mod tests;
