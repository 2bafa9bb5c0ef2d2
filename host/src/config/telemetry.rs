//! What the configuration says of telemetry: where it goes, and how much of it there is.
//!
//! Only its keys and their bounds. Never repeats the value of a header, nor of anything else.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::HeaderName;
use url::Url;

use super::document::{Entry, Table};
use super::secret::Secrets;
use crate::egress::Authorities;
use crate::secrets::Secret;
use crate::telemetry::{Settings, Temporality};

/// The share of traces that are exported whole, by default.
const TRACES: f64 = 0.1;
const A_SHARE: &str = "a percentage such as \"10%\", from 0% to 100%, or \"off\"";
/// How many endpoints have metrics of their own.
const ENDPOINTS_MAX: usize = 200;
const ENDPOINTS: RangeInclusive<usize> = 0..=10_000;
/// How often metrics are exported, by default and within which bounds.
const METRICS: Duration = Duration::from_secs(60);
const EVERY: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);
/// The keys of what all telemetry is about.
const NAME: &str = "service.name";
const VERSION: &str = "service.version";
const A_TEXT: &str = "a text of 1 to 255 bytes";
/// Headers that every export has.
const OWN_HEADERS: [&str; 5] =
    ["accept", "content-length", "content-type", "host", "transfer-encoding"];

/// What `[telemetry]` says.
pub(super) struct Telemetry {
    /// How and what to export; nothing without an `endpoint`.
    pub(super) exported: Option<Settings>,
    /// How many endpoints have metrics of their own.
    pub(super) endpoints_max: usize,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { exported: None, endpoints_max: ENDPOINTS_MAX }
    }
}

/// Reads `[telemetry]`.
pub(super) fn read(table: &mut Table<'_>, secrets: &mut Secrets<'_>) -> Telemetry {
    let endpoints_max = table.count("endpoints_max", ENDPOINTS, ENDPOINTS_MAX);
    Telemetry { exported: exported(table, secrets), endpoints_max }
}

fn exported(table: &mut Table<'_>, secrets: &mut Secrets<'_>) -> Option<Settings> {
    let endpoint = table.take("endpoint");
    let headers = headers_of(table.take("headers"), secrets);
    let files = table.take("ca").and_then(|entry| entry.list("a list of files in PEM"));
    let mut ca = Authorities::default();
    for entry in files.unwrap_or_default() {
        let Some(pem) = secrets.file(entry) else { continue };
        if let Err(wrong) = ca.add(&pem) {
            entry.wrong(&format!("names a file that has {wrong}"));
        }
    }
    let name = table.take("service_name").and_then(|entry| text_of(&entry));
    let name = name.unwrap_or_else(|| "hookgate".to_owned());
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let mut resource = vec![(NAME.to_owned(), name), (VERSION.to_owned(), version)];
    resource.extend(attributes_of(table.take("attributes")));
    let traces = table.take("traces").map_or(Some(TRACES), |entry| share_of(&entry));
    let metrics = table.take("metrics").map_or(Some(METRICS), |entry| interval_of(&entry));
    let temporality = table.take("temporality").and_then(|entry| temporality_of(&entry));
    let temporality = temporality.unwrap_or_default();
    let endpoint = endpoint.and_then(|entry| endpoint_of(&entry, secrets))?;
    Some(Settings { endpoint, headers, ca, resource, traces, metrics, temporality })
}

fn endpoint_of(entry: &Entry<'_>, secrets: &mut Secrets<'_>) -> Option<Url> {
    let url = entry.url()?;
    if ["/v1/traces", "/v1/metrics"].iter().any(|path| url.path().ends_with(path)) {
        entry.wrong("must be the URL of the collector, without the path of a signal");
    }
    secrets.learn_password(&url);
    Some(url)
}

/// The share of traces that are exported whole; `None` if there are no traces.
fn share_of(entry: &Entry<'_>) -> Option<f64> {
    let text = entry.text(A_SHARE)?;
    if text == "off" {
        return None;
    }
    let percent = text.strip_suffix('%').and_then(|number| number.parse::<f64>().ok());
    let percent = percent.filter(|percent| (0.0..=100.0).contains(percent));
    if percent.is_none() {
        entry.wrong(&format!("must be {A_SHARE}"));
    }
    percent.map(|percent| percent / 100.0)
}

/// How often metrics are exported; `None` if they are not.
fn interval_of(entry: &Entry<'_>) -> Option<Duration> {
    let text = entry.text("a duration such as \"60s\", or \"off\"")?;
    if text == "off" { None } else { entry.duration(&EVERY) }
}

fn temporality_of(entry: &Entry<'_>) -> Option<Temporality> {
    const FORM: &str = "\"cumulative\" or \"delta\"";
    match entry.text(FORM)? {
        "cumulative" => Some(Temporality::Cumulative),
        "delta" => Some(Temporality::Delta),
        _ => {
            entry.wrong(&format!("must be {FORM}"));
            None
        }
    }
}

fn text_of(entry: &Entry<'_>) -> Option<String> {
    let text = entry.text(A_TEXT)?;
    let fits = (1..=255).contains(&text.len());
    if !fits {
        entry.wrong(&format!("must be {A_TEXT}"));
    }
    fits.then(|| text.to_owned())
}

/// What else all telemetry is about.
fn attributes_of(entry: Option<Entry<'_>>) -> Vec<(String, String)> {
    let table = entry.and_then(|entry| entry.table("[telemetry.attributes]".to_owned()));
    let entries = table.map(|mut table| table.rest()).unwrap_or_default();
    let attribute = |entry: &Entry<'_>| {
        if [NAME, VERSION].contains(&entry.key) {
            entry.wrong("must be another attribute: `service_name` is the name of the service");
        }
        Some((entry.key.to_owned(), text_of(entry)?))
    };
    entries.iter().filter_map(attribute).collect()
}

/// What each export has besides, with secrets as their texts.
fn headers_of(entry: Option<Entry<'_>>, secrets: &mut Secrets<'_>) -> Vec<(HeaderName, Secret)> {
    let table = entry.and_then(|entry| entry.table("[telemetry.headers]".to_owned()));
    let entries = table.map(|mut table| table.rest()).unwrap_or_default();
    let mut headers = Vec::new();
    for entry in entries {
        let name = entry.key.parse::<HeaderName>().ok();
        let Some(name) = name.filter(|name| !OWN_HEADERS.contains(&name.as_str())) else {
            entry.wrong_text(
                "a key of [telemetry.headers] must be the name of a header that exports do not \
                 have by themselves"
                    .to_owned(),
            );
            continue;
        };
        let Some(secret) = secrets.read(entry) else { continue };
        if http::HeaderValue::from_str(secret.expose()).is_err() {
            entry.wrong("names a secret that a header can't have");
        }
        headers.push((name, secret));
    }
    headers
}
