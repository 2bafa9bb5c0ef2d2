//! The table of an endpoint in the configuration.
//!
//! What a place of the file can be wrong about is told there; what else an endpoint may be is
//! checked where the endpoints of the API are. Never repeats a value.

use std::collections::BTreeMap;

use ipnet::IpNet;
use url::Url;

use super::credential::Shown;
use super::document::{Entry, Table};
use super::secret::Secrets;
use super::values::all;
use crate::directory::FileEndpoint;
use crate::egress::literal_refusal;
use crate::endpoint::{
    CONCURRENCY, Format, Limits, Origin, RETRIES_MAX, RETRY, RawRule, RawSettings, Settings,
    TIMEOUT, check,
};
use crate::ids::Name;
use crate::retry::RetryPolicy;
use crate::secrets::Secret;
use crate::signing::SigningKey;

const FORMATS: [(&str, Format); 3] =
    [("standard", Format::Standard), ("cloudevents", Format::CloudEvents), ("raw", Format::Raw)];

/// What is checked as it is for the API.
const CHECKED: [&str; 13] = [
    "description",
    "filter",
    "headers",
    "rate",
    "burst",
    "held",
    "use_breaker",
    "disable_after",
    "order",
    "skip_after",
    "metadata",
    "ca",
    "client_certificate",
];

/// Reads the table of an endpoint, and notes it if it subscribes to nothing.
pub(super) fn endpoint_of<'a>(
    (name, table): (&Name, Table<'a>),
    egress_allow: &[IpNet],
    secrets: &mut Secrets<'_>,
    unsubscribed: &mut Vec<(String, Entry<'a>)>,
) -> Option<FileEndpoint> {
    table.read(|table| {
        if name.endpoint_id().is_some() {
            table.wrong("the name of an endpoint must not look like the id of another");
        }
        let url = url_of(table, egress_allow, secrets);
        let events = table.need("events");
        let patterns = all(events, "a list of event types", Entry::pattern);
        if let Some(entry) = events.filter(Entry::is_empty_list) {
            unsubscribed.push((table.title().to_owned(), entry));
        }
        let keys = keys_of(table, secrets);
        let body = table.take("body").and_then(|entry| entry.choice(&FORMATS));
        let default = Limits::default();
        let timeout = table.duration("timeout", TIMEOUT, default.timeout);
        let connect_timeout = table.duration("connect_timeout", TIMEOUT, default.connect_timeout);
        let concurrency = table.count("concurrency", CONCURRENCY, default.concurrency);
        let retries = table.take("retries").map_or_else(RetryPolicy::deliveries, retries);
        let shown = Shown::read(table, secrets);
        let checked = checked(name, table, secrets)?;
        let (credential, client_key) = shown.of(&checked, table);
        let limits = Limits { timeout, connect_timeout, concurrency, ..checked.limits };
        let (url, events, body) = (url?, patterns, body.unwrap_or_default());
        let settings = Settings { url, events, body, limits, retries, ..checked };
        Some(FileEndpoint { settings, keys, credential, client_key })
    })
}

fn url_of(table: &mut Table<'_>, allow: &[IpNet], secrets: &mut Secrets<'_>) -> Option<Url> {
    let entry = table.need("url")?;
    let url = entry.url()?;
    if let Some(refusal) = literal_refusal(&url, allow) {
        entry.warn(format!("the gateway will hold deliveries to `url`: {refusal}"));
    }
    secrets.learn_password(&url);
    Some(url)
}

/// The secrets that sign.
fn keys_of(table: &mut Table<'_>, secrets: &mut Secrets<'_>) -> Vec<Secret> {
    let written = table.need("secrets");
    if let Some(entry) = written.filter(Entry::is_empty_list) {
        entry.wrong("must have at least one secret, to sign deliveries with");
    }
    let mut keys = Vec::new();
    for (entry, secret) in secrets.list(written).secrets {
        match SigningKey::parse(&secret) {
            Ok(_) => keys.push(secret),
            Err(error) => entry.wrong_text(error.to_string()),
        }
    }
    keys
}

fn retries(entry: Entry<'_>) -> RetryPolicy {
    let delays = all(Some(entry), "a list of durations", |entry| entry.duration(&RETRY));
    if delays.len() > RETRIES_MAX {
        entry.wrong(&format!("must have at most {RETRIES_MAX} durations"));
    }
    RetryPolicy { delays }
}

/// What is checked as it is for the API, in settings that have nothing else.
fn checked(name: &Name, table: &mut Table<'_>, secrets: &mut Secrets<'_>) -> Option<Settings> {
    let written = CHECKED.map(|key| (key, table.take(key)));
    let written = written.into_iter().filter_map(|(key, entry)| Some((key, entry?)));
    let written: BTreeMap<&str, Entry<'_>> = written.collect();
    let mut raw = RawSettings {
        name: name.to_string(),
        url: "https://hookgate.invalid/".to_owned(),
        ..RawSettings::default()
    };
    for (key, entry) in &written {
        match *key {
            "description" => raw.description = Some(entry.text("a text")?.to_owned()),
            "rate" => raw.rate = Some(entry.text("a rate such as \"10/s\"")?.to_owned()),
            "order" => raw.order = Some(entry.text("\"none\" or \"subject\"")?.to_owned()),
            "use_breaker" => raw.use_breaker = Some(entry.truth()?),
            "disable_after" => raw.disable_after = Some(entry.text("a duration")?.to_owned()),
            "ca" => raw.ca = Some(pem(*entry, secrets)?),
            "client_certificate" => raw.client_certificate = Some(pem(*entry, secrets)?),
            "burst" => raw.burst = Some(number(entry)?),
            "held" => raw.held = Some(number(entry)?),
            "skip_after" => raw.skip_after = Some(number(entry)?),
            "headers" => raw.headers = Some(texts(entry)?),
            "metadata" => raw.metadata = Some(texts(entry)?),
            _ => raw.filter = Some(rules(entry)?),
        }
    }
    let invalid = match check(raw, Origin::File) {
        Ok(settings) => return Some(settings),
        Err(invalid) => invalid,
    };
    let Some(entry) = written.get(invalid.field) else {
        table.wrong(format!("{}: {}", table.title(), invalid.detail));
        return None;
    };
    match invalid.field {
        "filter" => entry.wrong_text(format!("in `filter`: {}", invalid.detail)),
        // What is wrong there may name a header, which may be a secret in the wrong place.
        "headers" => entry.wrong(
            "must have at most 16 headers that are neither credentials nor sent by the gateway \
             itself, each with at most 1024 bytes of visible ASCII",
        ),
        _ => entry.wrong(&invalid.detail),
    }
    None
}

/// What is in a file in PEM.
fn pem(entry: Entry<'_>, secrets: &mut Secrets<'_>) -> Option<String> {
    let text = String::from_utf8(secrets.file(entry)?).ok();
    if text.is_none() {
        entry.wrong("names a file that is not PEM");
    }
    text
}

fn number(entry: &Entry<'_>) -> Option<u64> {
    entry.count(&(0..=u64::MAX))
}

/// A table of texts.
fn texts(entry: &Entry<'_>) -> Option<BTreeMap<String, String>> {
    let read = serde_json::from_value(entry.json()?);
    if read.is_err() {
        entry.wrong("must be a table of texts");
    }
    read.ok()
}

fn rules(entry: &Entry<'_>) -> Option<Vec<RawRule>> {
    let rules = entry.list("a list of rules")?;
    let rule = |rule: Entry<'_>| {
        let read = serde_json::from_value(rule.json()?);
        if read.is_err() {
            rule.wrong("must have rules with `op`, `value`, and a `pointer` or a `label`");
        }
        read.ok()
    };
    rules.into_iter().map(rule).collect()
}
