//! `hookgate endpoint add`: makes an endpoint, with all that the API lets an operator set of one.
//!
//! What a setting may be the gateway decides. A credential comes from a file and never from an
//! argument, which others on the machine could read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, value_parser};
use serde_json::Value;

use super::show_secrets;
use crate::cli::http;
use crate::cli::rows::One;
use crate::cli::secret_file::SecretFile;
use crate::endpoint::{RawRule, RawSettings};
use crate::ids::Name;
use crate::regular_file;
use crate::tenant::Tenant;

/// Largest file with certificates or a credential, in bytes.
const FILE_BYTES_MAX: usize = 64 << 10;

/// An endpoint to make. What is left out is the default.
#[derive(Debug, Args)]
pub(in crate::cli) struct New {
    /// A name for the endpoint, which no other of its tenant has
    name: Name,
    /// The URL that deliveries go to
    url: String,
    /// Whose events it receives; those of all if left out
    #[arg(long)]
    tenant: Option<Tenant>,
    /// For people
    #[arg(long)]
    description: Option<String>,
    /// A note for programs, such as owner=ops; up to 32 times
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
    /// What the gateway makes a secret for: v1 (HMAC-SHA256) or v1a (Ed25519)
    #[arg(long)]
    signature: Option<String>,
    /// Write the secret to this new file, which only you can read
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    received: Received,
    #[command(flatten)]
    pace: Pace,
    #[command(flatten)]
    failing: Failing,
}

/// What an endpoint receives.
#[derive(Debug, Args)]
#[command(next_help_heading = "What it receives")]
struct Received {
    /// The event types that it receives, such as payment.failed, payment.* or *, with commas
    /// between them
    #[arg(long, value_name = "TYPES", value_delimiter = ',', required = true)]
    events: Vec<String>,
    /// What must hold of an event besides, as JSON such as '{"pointer": "/amount", "op":
    /// "greater", "value": "100"}', or with a "label" in place of the pointer; up to 32 times
    #[arg(long, value_name = "RULE", value_parser = rule)]
    filter: Vec<RawRule>,
    /// What the body of a delivery is: standard, cloudevents or raw
    #[arg(long)]
    body: Option<String>,
    /// A header that goes with each delivery, such as x-team=billing; up to 16 times
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = pair)]
    headers: Vec<(String, String)>,
    /// A file with the credential that goes with each delivery, as JSON such as {"bearer": "..."},
    /// {"basic": {"username": "...", "password": "..."}} or {"header": {"name": "...", "value":
    /// "..."}}
    #[arg(long, value_name = "FILE")]
    credential_file: Option<PathBuf>,
    /// A file (PEM) with the authorities of its certificate, in place of those that the gateway
    /// trusts
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

/// How much goes to an endpoint at once, how often, and in which order.
#[derive(Debug, Args)]
#[command(next_help_heading = "How fast")]
struct Pace {
    /// Attempts at a time, 1 to 256; 16 if left out
    #[arg(long, value_parser = value_parser!(u64).range(1..=256))]
    concurrency: Option<u64>,
    /// Attempts in a second or minute, such as 10/s or 600/min
    #[arg(long)]
    rate: Option<String>,
    /// Attempts at once under a rate, 1 to 10000
    #[arg(long, requires = "rate", value_parser = value_parser!(u64).range(1..=10_000))]
    burst: Option<u64>,
    /// How long one attempt may take, 10ms to 1m; 15s if left out
    #[arg(long, value_name = "DURATION")]
    timeout: Option<String>,
    /// How long its connection may take, 10ms to 1m; 5s if left out
    #[arg(long, value_name = "DURATION")]
    connect_timeout: Option<String>,
    /// Whether deliveries of one subject wait for each other: none or subject
    #[arg(long)]
    order: Option<String>,
    /// With --order subject: the tries after which a delivery no longer holds up the others, 1 to
    /// 100
    #[arg(long, requires = "order", value_parser = value_parser!(u64).range(1..=100))]
    skip_after: Option<u64>,
}

/// What becomes of deliveries that fail.
#[derive(Debug, Args)]
#[command(next_help_heading = "When it fails")]
struct Failing {
    /// The delays before the second attempt, the third and so on, such as 5s,5m,1h, with commas
    /// between them; '' for one attempt
    #[arg(long, value_name = "DELAYS", value_delimiter = ',')]
    retries: Option<Vec<String>>,
    /// Deliveries that may wait while none can go, 1 to 10000000; 100000 if left out
    #[arg(long, value_parser = value_parser!(u64).range(1..=10_000_000))]
    held: Option<u64>,
    /// Whether it gets nothing for a while when attempts fail again and again: true or false; if
    /// left out, what the gateway does with all endpoints
    #[arg(long, value_name = "BOOL")]
    use_breaker: Option<bool>,
    /// The time of nothing but failures after which the gateway disables it, 1h to 90d, or never;
    /// 5d if left out
    #[arg(long, value_name = "DURATION")]
    disable_after: Option<String>,
}

/// A name and a value.
fn pair(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("it is not NAME=VALUE"),
    }
}

fn rule(text: &str) -> Result<RawRule, serde_json::Error> {
    serde_json::from_str(text)
}

/// The values by their names, if there are any.
fn table(
    option: &str,
    pairs: &[(String, String)],
) -> anyhow::Result<Option<BTreeMap<String, String>>> {
    let mut table = BTreeMap::new();
    for (name, value) in pairs {
        if table.insert(name.clone(), value.clone()).is_some() {
            bail!("--{option} has `{name}` twice");
        }
    }
    Ok((!table.is_empty()).then_some(table))
}

fn read(path: &Path) -> anyhow::Result<String> {
    let failed = || format!("failed to read {}", path.display());
    let bytes = regular_file::read(path, FILE_BYTES_MAX).with_context(failed)?;
    String::from_utf8(bytes).with_context(failed)
}

impl New {
    /// What is said of its settings.
    fn settings(&self) -> anyhow::Result<RawSettings> {
        let Self { received, pace, failing, .. } = self;
        let delays = |delays: &Vec<String>| -> Vec<String> {
            delays.iter().filter(|delay| !delay.is_empty()).cloned().collect()
        };
        Ok(RawSettings {
            name: self.name.to_string(),
            tenant: self.tenant.as_ref().map(Tenant::to_string),
            description: self.description.clone(),
            url: self.url.clone(),
            events: received.events.clone(),
            filter: (!received.filter.is_empty()).then(|| received.filter.clone()),
            headers: table("header", &received.headers)?,
            body: received.body.clone(),
            concurrency: pace.concurrency,
            rate: pace.rate.clone(),
            burst: pace.burst,
            timeout: pace.timeout.clone(),
            connect_timeout: pace.connect_timeout.clone(),
            held: failing.held,
            use_breaker: failing.use_breaker,
            disable_after: failing.disable_after.clone(),
            retries: failing.retries.as_ref().map(delays),
            order: pace.order.clone(),
            skip_after: pace.skip_after,
            metadata: table("metadata", &self.metadata)?,
            ca: received.ca.as_deref().map(read).transpose()?,
            // Its key stands in the configuration, and so does an endpoint that has one.
            client_certificate: None,
        })
    }
}

pub(super) async fn add(new: New) -> anyhow::Result<()> {
    let mut body = serde_json::to_value(new.settings()?)?;
    let New { signature, secret_file, one, received, .. } = new;
    if let Some(signature) = signature {
        body["signature"] = signature.into();
    }
    if let Some(path) = received.credential_file {
        let credential: Value = serde_json::from_str(&read(&path)?)
            .with_context(|| format!("failed to read {} as JSON", path.display()))?;
        body["credential"] = credential;
    }
    let mut file = secret_file.as_deref().map(SecretFile::create).transpose()?;
    let made = http::json(&one.at.post("/v1/endpoints", &body).await?)?;
    show_secrets(&made, &mut file, one.json)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};
    use serde_json::json;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        new: New,
    }

    const LEAST: [&str; 5] = ["add", "crm", "https://crm.example", "--events", "a.*,b"];

    fn parsed(more: &[&str]) -> anyhow::Result<RawSettings> {
        Line::try_parse_from([&LEAST[..], more].concat())?.new.settings()
    }

    #[test]
    fn what_is_not_said_is_left_to_the_gateway() {
        let least = json!({
            "name": "crm", "url": "https://crm.example", "events": ["a.*", "b"],
        });
        assert_eq!(serde_json::to_value(parsed(&[]).unwrap()).unwrap(), least);
    }

    /// Guards that a setting that comes has an option too.
    #[test]
    fn every_setting_of_an_endpoint_of_the_api_has_an_option() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "PEM").unwrap();
        let rule = r#"{"pointer": "/amount", "op": "greater", "value": "100"}"#;
        let settings = parsed(&[
            "--tenant=acme",
            "--description=for the crm",
            "--metadata=owner=ops",
            "--filter",
            rule,
            "--body=raw",
            "--header=x-team=a=b",
            "--concurrency=3",
            "--rate=10/s",
            "--burst=20",
            "--timeout=20s",
            "--connect-timeout=2s",
            "--order=subject",
            "--skip-after=4",
            "--retries=5s,1d",
            "--held=9",
            "--use-breaker=false",
            "--disable-after=never",
            "--ca",
            file.path().to_str().unwrap(),
        ]);
        let settings = serde_json::to_value(settings.unwrap()).unwrap();
        for key in RawSettings::KEYS.iter().filter(|key| **key != "client_certificate") {
            assert!(!settings[*key].is_null(), "{key} has no option: {settings}");
        }
        assert_eq!(settings["headers"], json!({ "x-team": "a=b" }));
        assert_eq!(settings["filter"], json!([serde_json::from_str::<Value>(rule).unwrap()]));
        assert_eq!((&settings["retries"], &settings["ca"]), (&json!(["5s", "1d"]), &json!("PEM")));
        assert_eq!(parsed(&["--retries="]).unwrap().retries, Some(Vec::new()), "one attempt");
    }

    #[test]
    fn what_can_be_no_setting_is_refused_before_anybody_is_asked() {
        for wrong in [
            &["--header=x-team"][..],
            &["--metadata==ops"],
            &["--header=a=1", "--header=a=2"],
            &["--filter=amount > 100"],
            &["--filter={\"pointer\": \"/a\", \"op\": \"exists\", \"valeu\": true}"],
            &["--concurrency=257"],
            &["--burst=5"],
            &["--held=0"],
            &["--skip-after=1"],
            &["--use-breaker=no"],
            &["--ca=/nowhere/ca.pem"],
        ] {
            assert!(parsed(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_help_has_the_settings_in_groups() {
        let help = Line::command().render_long_help().to_string();
        let heads =
            ["\nOptions:\n", "\nWhat it receives:\n", "\nHow fast:\n", "\nWhen it fails:\n"];
        let places = heads.map(|head| help.find(head).unwrap_or_else(|| panic!("{head}{help}")));
        assert!(places.is_sorted(), "{help}");
        let behind = |option: &str| {
            let at = help.find(option).unwrap_or_else(|| panic!("{option} is not in {help}"));
            places.iter().filter(|place| **place < at).count()
        };
        let groups = ["--token-file", "--filter", "--connect-timeout", "--retries"].map(behind);
        assert_eq!(groups, [1, 2, 3, 4]);
    }
}
