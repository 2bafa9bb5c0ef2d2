//! The collector of the operator, and how an export gets there: over HTTP, by the way that all that
//! leaves the gateway takes.
//!
//! It is where the operator says, and may be anywhere, on this machine too. Whatever it does costs
//! no more than the time of one export; the log says at most once a minute that it takes nothing.
//! Never tries an export again.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderName, header};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use tracing::warn;
use url::Url;

use super::Settings;
use crate::clock::Clock;
use crate::egress::{Attempted, Config, Egress, Identity, Patience, SetupError, Target, Terms};
use crate::lock::lock;

/// How long one export may take.
const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often the log says that the collector takes nothing.
const WARNED_EVERY: Duration = Duration::from_secs(60);

const PROTOBUF: &str = "application/x-protobuf";

/// Where exports go.
pub(super) struct Collector {
    egress: Egress,
    traces: Target,
    metrics: Target,
    headers: Vec<(HeaderName, String)>,
    identity: Identity,
    /// When the log last said that it takes nothing.
    warned: Mutex<Option<Instant>>,
}

impl Collector {
    pub(super) fn new(settings: &Settings, clock: Clock) -> Result<Self, SetupError> {
        let allow = vec![IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())];
        let ca = settings.ca.clone();
        let egress = Egress::new(Config { allow, ca, ..Config::default() }, clock)?;
        let mut headers = vec![(header::CONTENT_TYPE, PROTOBUF.to_owned())];
        let secret = settings.headers.iter();
        headers.extend(secret.map(|(name, value)| (name.clone(), value.expose().to_owned())));
        let traces = Target::new(path_of(&settings.endpoint, "/v1/traces"));
        let metrics = Target::new(path_of(&settings.endpoint, "/v1/metrics"));
        let (identity, warned) = (Identity::system(), Mutex::default());
        Ok(Self { egress, traces, metrics, headers, identity, warned })
    }

    /// Sends an export of spans. Whether the collector took it.
    pub(super) async fn send_traces(&self, body: Vec<u8>) -> bool {
        self.send(&self.traces, body).await
    }

    /// Sends an export of metrics. Whether the collector took it.
    pub(super) async fn send_metrics(&self, body: Vec<u8>) -> bool {
        self.send(&self.metrics, body).await
    }

    async fn send(&self, signal: &Target, body: Vec<u8>) -> bool {
        let identity = &self.identity;
        let terms = Terms { identity, connect_timeout: CONNECT_TIMEOUT, body_excerpt: 0 };
        let (headers, patience) = (self.headers.clone(), Patience::of(TIMEOUT));
        let posted = self.egress.post(signal, terms, headers, Bytes::from(body), patience);
        let Attempted { ended, .. } = posted.await;
        let why = match ended {
            Ok(answer) if (200..=299).contains(&answer.status) => return true,
            Ok(answer) => format!("it answered {}", answer.status),
            Err(error) => error.to_string(),
        };
        if self.is_to_warn(Instant::now()) {
            warn!("the collector does not accept the gateway's telemetry: {why}");
        }
        false
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
