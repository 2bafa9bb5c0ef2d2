//! The one door for outbound HTTP and DNS.
//!
//! Everything that the gateway sends leaves through `Egress::post`, and what it has to look up
//! through `Egress::fetch`: to addresses that the guard allows, without proxies, without
//! following redirects, within a time, and reading no more of an answer than is worth keeping.
//! Never judges an answer: what a status means is the caller's question.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use ipnet::IpNet;
use rustls::ClientConfig;
use url::Url;

use self::carrier::Carrier;
use self::connection::SendError;
use self::dial::{HTTP_1, HTTP_2};
pub(crate) use self::error::EgressError;
use self::exchange::{Exchange, excerpt};
use self::guard::{Guard, Refusal};
use self::identity::trusting;
pub(crate) use self::identity::{Authorities, Identity};
pub use self::operator::operator_client;
pub(crate) use self::operator::{Trust, forwarding_client, operator_client_of};
use self::origin::{Origin, Peer};
pub(crate) use self::patience::Patience;
use self::pool::{Line, Pool};
use self::resolver::{Bounds, Resolver};
pub(crate) use self::shown::shown;
use self::target::COMMON_HEADERS;
pub(crate) use self::target::Target;
pub(crate) use self::trace::Trace;
use crate::clock::Clock;
use crate::event::Timestamp;
use crate::failure::Phase;

mod address;
mod carrier;
mod connection;
mod dial;
mod driver;
mod error;
mod exchange;
mod guard;
mod http2;
mod identity;
mod meter;
mod operator;
mod origin;
mod patience;
mod pinned;
mod pool;
mod resolver;
mod shown;
mod target;
mod tls;
mod trace;

/// Most bytes that are kept of an answer's body.
pub(crate) const EXCERPT_BYTES_MAX: usize = 4096;
/// Most bytes of an answer's content type that are kept.
pub(crate) const CONTENT_TYPE_BYTES_MAX: usize = 127;

/// How to reach out.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Networks that may be reached although they are not public.
    pub(crate) allow: Vec<IpNet>,
    /// Authorities whose certificates count besides those that the system trusts.
    pub(crate) ca: Authorities,
    /// For connecting and TLS together.
    pub(crate) connect_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let (allow, ca) = (Vec::new(), Authorities::default());
        Self { allow, ca, connect_timeout: Duration::from_secs(5) }
    }
}

/// The way out. Clones share connections, known names and allowed networks.
#[derive(Debug, Clone)]
pub(crate) struct Egress {
    way: Arc<ArcSwap<Way>>,
    resolver: Resolver,
    clock: Clock,
}

/// A guard and the connections that it let through.
#[derive(Debug)]
struct Way {
    guard: Guard,
    connect_timeout: Duration,
    tls: Arc<ClientConfig>,
    /// The same for what does not go over HTTP/2.
    http1_tls: Arc<ClientConfig>,
    idle: Arc<Pool>,
}

/// On which terms a request goes to a target.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'t> {
    pub(crate) identity: &'t Identity,
    /// For connecting and TLS together.
    pub(crate) connect_timeout: Duration,
    /// Most bytes that are kept of the answer's body.
    pub(crate) body_excerpt: usize,
}

/// What became of a request, and how it went.
#[derive(Debug)]
pub(crate) struct Attempted {
    pub(crate) ended: Result<Answer, EgressError>,
    pub(crate) trace: Trace,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// 100 to 999.
    pub(crate) status: u16,
    /// The delay that `Retry-After` asks for.
    pub(crate) retry_after: Option<Duration>,
    /// Its beginning, if it is too long.
    pub(crate) content_type: Option<String>,
    /// The beginning of the body, as much as the terms say; what is not UTF-8 is replaced with
    /// U+FFFD.
    pub(crate) excerpt: String,
}

/// What was looked up, or the answer to what was handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fetched {
    /// 100 to 999.
    pub(crate) status: u16,
    pub(crate) body: Bytes,
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

/// The reason why a URL can't be reached whatever a name server says: its address stands in it, and
/// these networks are all that are allowed besides the public ones. `None` also for a host name.
pub(crate) fn literal_refusal(url: &Url, allow: &[IpNet]) -> Option<Refusal> {
    let origin = Origin::of(url).ok()?;
    let address = origin.address()?;
    Guard::new(allow.to_vec()).allowed(&address.to_string(), &[address]).err()
}

impl Egress {
    /// Loads the system's certificates and connects to nothing yet.
    pub(crate) fn new(config: Config, clock: Clock) -> Result<Self, SetupError> {
        let resolver = Resolver::new(Arc::new(resolver::system), Bounds::default());
        Self::with_resolver(config, clock, resolver)
    }

    fn with_resolver(config: Config, clock: Clock, resolver: Resolver) -> Result<Self, SetupError> {
        let way = Way::new(config)?;
        Ok(Self { way: Arc::new(ArcSwap::from_pointee(way)), resolver, clock })
    }

    /// The reason why a URL can't be reached now, if its address stands in it.
    pub(crate) fn literal_refusal(&self, url: &Url) -> Option<Refusal> {
        let address = Origin::of(url).ok()?.address()?;
        self.way.load().guard.allowed(&address.to_string(), &[address]).err()
    }

    /// Goes on with another configuration, or with the old one if there is an error. What is on its
    /// way is not disturbed; its connections are not used again.
    pub(crate) fn reload(&self, config: Config) -> Result<(), SetupError> {
        self.way.store(Arc::new(Way::new(config)?));
        Ok(())
    }

    /// Posts `body` and waits for the answer, as long as `patience` lasts. Any status is an answer,
    /// also a redirect, which is not followed.
    pub(crate) async fn post<L: FnOnce()>(
        &self,
        target: &Target,
        terms: Terms<'_>,
        headers: Vec<(HeaderName, String)>,
        body: Bytes,
        patience: Patience<L>,
    ) -> Attempted {
        let mut trace = Trace::default();
        let ended = self.answer(target, terms, headers, body, patience, &mut trace).await;
        trace.stop();
        Attempted { ended, trace }
    }

    async fn answer<L: FnOnce()>(
        &self,
        target: &Target,
        terms: Terms<'_>,
        headers: Vec<(HeaderName, String)>,
        body: Bytes,
        mut patience: Patience<L>,
        trace: &mut Trace,
    ) -> Result<Answer, EgressError> {
        let exchange = self.posted(target, terms, (headers, body), &mut patience, trace).await?;
        let status = exchange.response.status().as_u16();
        let retry_after = retry_after(exchange.response.headers(), self.clock.now());
        let content_type = content_type(exchange.response.headers());
        trace.enter(Phase::Body);
        let beginning = exchange.beginning(terms.body_excerpt, &mut patience).await;
        let excerpt = excerpt(beginning, terms.body_excerpt);
        Ok(Answer { status, retry_after, content_type, excerpt })
    }

    /// Posts as [`Egress::post`] does to somebody whose answer is no text: the beginning of its
    /// body as it came, as much as the terms say.
    pub(crate) async fn hand_over<L: FnOnce()>(
        &self,
        target: &Target,
        terms: Terms<'_>,
        headers: Vec<(HeaderName, String)>,
        body: Bytes,
        mut patience: Patience<L>,
    ) -> Result<Fetched, EgressError> {
        let (sent, mut trace) = ((headers, body), Trace::default());
        let exchange = self.posted(target, terms, sent, &mut patience, &mut trace).await?;
        let status = exchange.response.status().as_u16();
        let body = exchange.beginning(terms.body_excerpt, &mut patience).await;
        Ok(Fetched { status, body: body.into() })
    }

    /// Posts, and waits for the head of the answer.
    async fn posted<L: FnOnce()>(
        &self,
        target: &Target,
        terms: Terms<'_>,
        (headers, body): (Vec<(HeaderName, String)>, Bytes),
        patience: &mut Patience<L>,
        trace: &mut Trace,
    ) -> Result<Exchange, EgressError> {
        let headers = header_map(headers)?;
        let ready = target.ready()?;
        let request = ready.request(Method::POST, headers, body);
        let (origin, identity) = (Arc::clone(ready.origin()), terms.identity.clone());
        let line = Line { origin, identity, http2: true };
        self.exchange(line, terms, request, patience, trace).await
    }

    /// Looks something up: a POST of JSON where there is a body, else a GET. The answer, whole and
    /// of at most `bytes_max` bytes, must be there within `timeout`. Any status is an answer, also
    /// a redirect, which is not followed.
    pub(crate) async fn fetch(
        &self,
        url: &Url,
        json: Option<Bytes>,
        bytes_max: usize,
        timeout: Duration,
    ) -> Result<Fetched, EgressError> {
        let mut patience = Patience::of(timeout);
        let mut headers = HeaderMap::new();
        let method = if json.is_some() { Method::POST } else { Method::GET };
        if json.is_some() {
            let json = HeaderValue::from_static("application/json");
            headers.insert(header::CONTENT_TYPE, json);
        }
        let target = Target::new(url.clone());
        let ready = target.ready()?;
        let request = ready.request(method, headers, json.unwrap_or_default());
        let (identity, connect_timeout) = (Identity::system(), self.way.load().connect_timeout);
        let terms = Terms { identity: &identity, connect_timeout, body_excerpt: 0 };
        let mut trace = Trace::default();
        // Look-ups are few, and whoever answers them need not be ready for more.
        let (origin, identity) = (Arc::clone(ready.origin()), identity.clone());
        let line = Line { origin, identity, http2: false };
        let exchange = self.exchange(line, terms, request, &mut patience, &mut trace).await?;
        let status = exchange.response.status().as_u16();
        let peer = exchange.carrier.peer().clone();
        match patience.wait(exchange.whole(bytes_max)).await {
            Some(body) => Ok(Fetched { status, body: body? }),
            None => Err(EgressError::Timeout { peer, phase: Some(Phase::Body), after: timeout }),
        }
    }

    /// Sends a request and waits for the head of its answer.
    async fn exchange<L: FnOnce()>(
        &self,
        line: Line,
        terms: Terms<'_>,
        request: Request<Full<Bytes>>,
        patience: &mut Patience<L>,
        trace: &mut Trace,
    ) -> Result<Exchange, EgressError> {
        let way = self.way.load_full();
        // What it has come to is known also of one that is given up.
        let asked = {
            let asking = pin!(self.ask(&way, &line, terms, request, trace));
            patience.wait(asking).await
        };
        match asked {
            Some(answered) => {
                let (response, carrier) = answered?;
                Ok(Exchange { response, carrier, line, idle: Arc::clone(&way.idle) })
            }
            None => Err(late(&line.origin, trace, patience.timeout())),
        }
    }

    /// Over a connection that is open already, or else over a new one.
    async fn ask(
        &self,
        way: &Way,
        line: &Line,
        terms: Terms<'_>,
        mut request: Request<Full<Bytes>>,
        trace: &mut Trace,
    ) -> Result<(Response<Incoming>, Carrier), EgressError> {
        let mut was_refused = false;
        loop {
            // One that was closed before anything was sent on it is no part of what is told.
            *trace = Trace::default();
            let (mut carrier, is_new) = match way.idle.take(line) {
                Some(carrier) => (carrier, false),
                // By itself, as it is rare and has much to keep: what agrees on TLS, for one.
                None => (Box::pin(self.connect(way, line, terms, trace)).await?, true),
            };
            trace.reused = !is_new;
            trace.peer = carrier.peer().address;
            match carrier.send(request, trace).await {
                Ok(response) => return Ok((response, carrier)),
                Err(SendError::Broken(error)) => return Err(error),
                // It was closed while nothing was sent on it.
                Err(SendError::Unsent(unsent)) if !is_new => request = unsent,
                Err(SendError::Unsent(_)) => {
                    let (peer, reason) = (carrier.peer().clone(), "connection closed".into());
                    return Err(EgressError::Broken { peer, reason });
                }
                Err(SendError::Refused(_, error)) if was_refused => return Err(error),
                Err(SendError::Refused(refused, _)) => {
                    was_refused = true;
                    request = refused;
                }
            }
        }
    }

    async fn connect(
        &self,
        way: &Way,
        line: &Line,
        terms: Terms<'_>,
        trace: &mut Trace,
    ) -> Result<Carrier, EgressError> {
        let Line { origin, identity, http2 } = line;
        trace.enter(Phase::Resolve);
        let host = origin.host.to_string();
        let addresses = match origin.address() {
            Some(address) => way.guard.allowed(&address.to_string(), &[address])?,
            None => match self.resolver.resolve(&host).await {
                Ok(addresses) => way.guard.allowed(&host, &addresses)?,
                Err(reason) => return Err(EgressError::Unresolvable { host, reason }),
            },
        };
        let tls = identity.tls(if *http2 { &way.tls } else { &way.http1_tls });
        let opened = dial::open(origin, &addresses, &tls, trace);
        match tokio::time::timeout(terms.connect_timeout, opened).await {
            Ok(opened) => Ok(way.idle.share(line, opened?)),
            Err(_) => Err(late(origin, trace, terms.connect_timeout)),
        }
    }
}

/// The time is up, wherever it is.
fn late(origin: &Arc<Origin>, trace: &Trace, after: Duration) -> EgressError {
    let peer = Peer { origin: Arc::clone(origin), address: trace.peer };
    EgressError::Timeout { peer, phase: trace.phase, after }
}

impl Way {
    fn new(config: Config) -> Result<Self, SetupError> {
        let mut http1_tls = trusting(config.ca)?;
        http1_tls.alpn_protocols = vec![HTTP_1.to_vec()];
        let mut tls = http1_tls.clone();
        tls.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1.to_vec()];
        Ok(Self {
            guard: Guard::new(config.allow),
            connect_timeout: config.connect_timeout,
            tls: Arc::new(tls),
            http1_tls: Arc::new(http1_tls),
            idle: Arc::default(),
        })
    }
}

/// The headers of a request, with room for what each request has. No text is copied.
fn header_map(headers: Vec<(HeaderName, String)>) -> Result<HeaderMap, EgressError> {
    let mut map = HeaderMap::with_capacity(headers.len() + COMMON_HEADERS);
    for (name, text) in headers {
        let value = HeaderValue::try_from(text)
            .map_err(|_| EgressError::InvalidHeader(name.to_string()))?;
        map.append(name, value);
    }
    Ok(map)
}

/// What the body of an answer is said to be.
fn content_type(headers: &HeaderMap) -> Option<String> {
    let said = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(said[..said.floor_char_boundary(CONTENT_TYPE_BYTES_MAX)].to_owned())
}

/// In seconds or as a date, as the standard has it; anything else is no wish.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    if !value.is_empty() && value.bytes().all(|digit| digit.is_ascii_digit()) {
        return Some(Duration::MAX);
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let since_epoch = date.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp(0).after(since_epoch).since(now))
}

#[cfg(test)]
mod tests;
