//! The collector of the operator, and how an export gets there: over HTTP, by the way that all that
//! leaves the gateway takes.
//!
//! It is where the operator says, and may be anywhere, on this machine too. Whatever it does costs
//! no more than the time of one export; the log says at most once a minute that it takes nothing,
//! or not all. Never tries an export again.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderName, header};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use tracing::warn;
use url::Url;

use super::Settings;
use super::otlp::{self, Partial};
use crate::clock::Clock;
use crate::egress::{Config, Egress, Fetched, Identity, Patience, SetupError, Target, Terms};
use crate::lock::lock;
use crate::metrics::Metrics;

/// How long one export may take.
const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the log says that the collector takes nothing, or not all.
const WARNED_EVERY: Duration = Duration::from_secs(60);

/// Most bytes that are read of an answer: the message in it may be of any length.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Most characters of such a message that are logged.
const MESSAGE_CHARS_MAX: usize = 200;

const PROTOBUF: &str = "application/x-protobuf";

/// Where exports go.
pub(super) struct Collector {
    egress: Egress,
    traces: Target,
    metrics: Target,
    headers: Vec<(HeaderName, String)>,
    identity: Identity,
    counted: Metrics,
    /// When the log last said that it takes nothing, or not all.
    warned: Mutex<Option<Instant>>,
}

impl Collector {
    pub(super) fn new(
        settings: &Settings,
        clock: Clock,
        counted: Metrics,
    ) -> Result<Self, SetupError> {
        let allow = vec![IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())];
        let ca = settings.ca.clone();
        let egress = Egress::new(Config { allow, ca, ..Config::default() }, clock)?;
        let mut headers = vec![(header::CONTENT_TYPE, PROTOBUF.to_owned())];
        let secret = settings.headers.iter();
        headers.extend(secret.map(|(name, value)| (name.clone(), value.expose().to_owned())));
        let traces = Target::new(path_of(&settings.endpoint, "/v1/traces"));
        let metrics = Target::new(path_of(&settings.endpoint, "/v1/metrics"));
        let (identity, warned) = (Identity::system(), Mutex::default());
        Ok(Self { egress, traces, metrics, headers, identity, counted, warned })
    }

    /// Sends an export of spans. Whether the collector took it; what it rejects of it is counted.
    pub(super) async fn send_traces(&self, body: Vec<u8>) -> bool {
        let bytes = body.len();
        let Some(answer) = self.send(&self.traces, body).await else { return false };
        if let Some(partial) = otlp::rejected_spans(&answer) {
            let rejected = self.rejected(&partial, bytes, "spans");
            self.counted.spans_dropped("collector", rejected);
        }
        true
    }

    /// Sends an export of metrics. Whether the collector took it; what it rejects of it is counted.
    pub(super) async fn send_metrics(&self, body: Vec<u8>) -> bool {
        let bytes = body.len();
        let Some(answer) = self.send(&self.metrics, body).await else { return false };
        if let Some(partial) = otlp::rejected_points(&answer) {
            let rejected = self.rejected(&partial, bytes, "data points of metrics");
            self.counted.points_dropped("collector", rejected);
        }
        true
    }

    /// How many a collector rejects of an export of so many bytes. The protocol has nobody send
    /// them again.
    fn rejected(&self, partial: &Partial, bytes: usize, what: &str) -> usize {
        // Each has a byte at least: a collector that says anything else is wrong.
        let rejected = partial.rejected.min(bytes);
        if self.is_to_warn(Instant::now()) {
            let said: String = partial.message.chars().take(MESSAGE_CHARS_MAX).collect();
            warn!("the collector rejects {rejected} {what} of an export, and says {said:?}");
        }
        rejected
    }

    /// The answer of the collector, if it took the export.
    async fn send(&self, signal: &Target, body: Vec<u8>) -> Option<Bytes> {
        let (identity, body_excerpt) = (&self.identity, ANSWER_BYTES_MAX);
        let terms = Terms { identity, connect_timeout: CONNECT_TIMEOUT, body_excerpt };
        let (headers, patience) = (self.headers.clone(), Patience::of(TIMEOUT));
        let answer = self.egress.hand_over(signal, terms, headers, Bytes::from(body), patience);
        let why = match answer.await {
            Ok(Fetched { status: 200..=299, body }) => return Some(body),
            Ok(Fetched { status, .. }) => format!("it answered {status}"),
            Err(error) => error.to_string(),
        };
        if self.is_to_warn(Instant::now()) {
            warn!("the collector does not accept the gateway's telemetry: {why}");
        }
        None
    }

    /// Whether the log has not said it for a while. From now on it has.
    fn is_to_warn(&self, now: Instant) -> bool {
        let mut warned = lock(&self.warned);
        let is_due = warned.is_none_or(|last| now.duration_since(last) >= WARNED_EVERY);
        if is_due {
            *warned = Some(now);
        }
        is_due
    }
}

/// The URL of a signal, below that of the collector.
fn path_of(endpoint: &Url, path: &str) -> Url {
    let mut url = endpoint.clone();
    url.set_path(&format!("{}{path}", endpoint.path().trim_end_matches('/')));
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_its_path_below_that_of_the_collector() {
        for (endpoint, expected) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
            ("https://otlp.example/api/otlp", "https://otlp.example/api/otlp/v1/traces"),
            ("https://otlp.example/otlp/?key=1", "https://otlp.example/otlp/v1/traces?key=1"),
        ] {
            let url = path_of(&endpoint.parse().unwrap(), "/v1/traces");
            assert_eq!(url.as_str(), expected);
        }
    }
}
