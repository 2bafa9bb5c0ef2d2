//! The configuration file as it is written, and how it becomes a [`Config`].
//!
//! What TOML alone can tell (unknown keys, wrong types, names, patterns) is refused while reading;
//! what needs the rest of the file or the world (references, secrets) in [`File::check`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Spanned;
use url::Url;

use super::retention::RetentionTable;
use super::{Config, Limits};
use crate::delivery::Endpoint;
use crate::dispatch::Grants;
use crate::ids::Name;
use crate::ingest::Source;
use crate::outbound::{Format, SigningKey};
use crate::plugin::Grant;
use crate::retry::RetryPolicy;
use crate::route::Pattern;
use crate::secrets::{Secret, SecretRef};

pub use crate::ingest::Verify;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    listen: SocketAddr,
    admin: SocketAddr,
    data: PathBuf,
    plugins: PathBuf,
    #[serde(default)]
    sources: BTreeMap<Name, Spanned<SourceTable>>,
    #[serde(default)]
    endpoints: BTreeMap<Name, EndpointTable>,
    #[serde(default)]
    handlers: BTreeMap<Name, HandlerTable>,
    #[serde(default)]
    egress: EgressTable,
    limits: Option<Spanned<Limits>>,
    retention: Option<Spanned<RetentionTable>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceTable {
    plugin: Name,
    #[serde(default)]
    secrets: Vec<Spanned<SecretRef>>,
    tolerance: Option<HumanDuration>,
    #[serde(default)]
    verify: Verify,
    /// The hosts that may be asked for keys, with the secret where a provider wants it.
    #[serde(default)]
    keys_from: Vec<String>,
    #[serde(default)]
    config: toml::Table,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndpointTable {
    url: Spanned<Url>,
    events: Vec<Pattern>,
    secrets: Spanned<Vec<Spanned<SecretRef>>>,
    #[serde(default)]
    body: Format,
    #[serde(default = "default_timeout")]
    timeout: HumanDuration,
    #[serde(default = "default_concurrency")]
    concurrency: Spanned<usize>,
    retries: Option<Vec<HumanDuration>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HandlerTable {
    #[serde(default)]
    endpoints: Vec<Spanned<Name>>,
    #[serde(default)]
    config: toml::Table,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct EgressTable {
    #[serde(default)]
    allow: Vec<IpNet>,
}

fn default_timeout() -> HumanDuration {
    HumanDuration(Duration::from_secs(15))
}

fn default_concurrency() -> Spanned<usize> {
    Spanned::new(0..0, 16)
}

/// A duration such as `5m` or `1h 30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct HumanDuration(pub(super) Duration);

impl TryFrom<String> for HumanDuration {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parsed = humantime::parse_duration(&text).map(Self);
        parsed.map_err(|error| format!("`{text}` is not a duration such as 5m: {error}"))
    }
}

/// Something that is wrong, and where.
pub(super) struct Flaw {
    pub(super) span: Option<Range<usize>>,
    pub(super) reason: String,
}

fn flaw(span: Range<usize>, reason: impl Into<String>) -> Flaw {
    Flaw { span: (span != (0..0)).then_some(span), reason: reason.into() }
}

impl File {
    pub(super) fn check(self, text: &str, folder: &Path) -> Result<Config, Flaw> {
        let limits = self.limits.unwrap_or_else(|| Spanned::new(0..0, Limits::default()));
        let limits_span = limits.span();
        let limits = limits.into_inner();
        if let Some(name) = limits.zero() {
            return Err(flaw(limits_span, format!("limits.{name} is zero")));
        }
        let retention = self.retention.unwrap_or_else(|| Spanned::new(0..0, Default::default()));
        if let Some(name) = retention.get_ref().zero() {
            return Err(flaw(retention.span(), format!("retention.{name} is zero")));
        }
        for handler in self.handlers.values() {
            for endpoint in &handler.endpoints {
                if !self.endpoints.contains_key(endpoint.get_ref()) {
                    let reason = format!("there is no [endpoints.{}]", endpoint.get_ref());
                    return Err(flaw(endpoint.span(), reason));
                }
            }
        }
        let mut secrets =
            Secrets { folder, files: BTreeSet::new(), read: Sha256::new_with_prefix(text) };
        let share = limits.requests_per_source;
        let source = |(name, table): (Name, Spanned<SourceTable>)| {
            Ok((name.clone(), table_source(&name, table, &mut secrets, share)?))
        };
        let sources = self.sources.into_iter().map(source).collect::<Result<_, _>>()?;
        let endpoint =
            |(name, table): (Name, EndpointTable)| Ok((name, table_endpoint(table, &mut secrets)?));
        let endpoints = self.endpoints.into_iter().map(endpoint).collect::<Result<_, _>>()?;
        Ok(Config {
            fingerprint: secrets.read.finalize().into(),
            listen: self.listen,
            admin: self.admin,
            data: folder.join(self.data),
            plugins: folder.join(self.plugins),
            sources,
            endpoints,
            handlers: self.handlers.into_iter().map(table_grants).collect(),
            egress_allow: self.egress.allow,
            limits,
            retention: retention.into_inner().into(),
            secret_files: secrets.files,
        })
    }
}

/// Resolves secrets and remembers the files they came from.
struct Secrets<'a> {
    folder: &'a Path,
    files: BTreeSet<PathBuf>,
    /// Everything that was read so far.
    read: Sha256,
}

impl Secrets<'_> {
    fn resolve(&mut self, reference: &Spanned<SecretRef>) -> Result<Secret, Flaw> {
        if let SecretRef::File(path) = reference.get_ref() {
            self.files.insert(self.folder.join(path));
        }
        let resolved = reference.get_ref().resolve(self.folder);
        let secret = resolved.map_err(|error| flaw(reference.span(), chain(&error)))?;
        self.read.update([0]);
        self.read.update(secret.expose());
        Ok(secret)
    }
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn table_source(
    name: &Name,
    table: Spanned<SourceTable>,
    secrets: &mut Secrets<'_>,
    share: usize,
) -> Result<Source, Flaw> {
    let span = table.span();
    let table = table.into_inner();
    if table.secrets.is_empty() && table.keys_from.is_empty() && table.verify == Verify::Evidence {
        let reason = format!(
            "[sources.{name}] has no secrets, so nothing posted to it could be proven; \
             write verify = \"none\" if everybody may post"
        );
        return Err(flaw(span, reason));
    }
    let resolved = table.secrets.iter().map(|secret| secrets.resolve(secret));
    Ok(Source::new(
        table.plugin,
        resolved.collect::<Result<_, _>>()?,
        table.tolerance.map(|tolerance| tolerance.0),
        table.verify,
        settings(table.config),
        share,
    )
    .with_keys_from(table.keys_from))
}

fn table_endpoint(
    table: EndpointTable,
    secrets: &mut Secrets<'_>,
) -> Result<(Vec<Pattern>, Arc<Endpoint>), Flaw> {
    if !matches!(table.url.get_ref().scheme(), "http" | "https") {
        return Err(flaw(table.url.span(), "an endpoint's url begins with http:// or https://"));
    }
    if table.secrets.get_ref().is_empty() {
        return Err(flaw(table.secrets.span(), "an endpoint needs a secret to sign with"));
    }
    if *table.concurrency.get_ref() == 0 {
        return Err(flaw(table.concurrency.span(), "with a concurrency of 0 nothing is delivered"));
    }
    let key = |reference: &Spanned<SecretRef>| {
        let secret = secrets.resolve(reference)?;
        SigningKey::parse(&secret).map_err(|error| flaw(reference.span(), error.to_string()))
    };
    let keys = table.secrets.get_ref().iter().map(key).collect::<Result<_, _>>()?;
    let retry = match table.retries {
        Some(delays) => RetryPolicy { delays: delays.into_iter().map(|delay| delay.0).collect() },
        None => RetryPolicy::deliveries(),
    };
    let endpoint = Endpoint {
        url: table.url.into_inner(),
        keys,
        format: table.body,
        timeout: table.timeout.0,
        concurrency: table.concurrency.into_inner(),
        retry,
    };
    Ok((table.events, Arc::new(endpoint)))
}

fn table_grants((name, handler): (Name, HandlerTable)) -> (Name, Grants) {
    let endpoints = handler.endpoints.into_iter().map(Spanned::into_inner).collect();
    let grant = Arc::new(Grant { endpoints });
    (name, Grants { grant, settings: settings(handler.config) })
}

/// A `config` table as the JSON text that the plugin gets. TOML's dates become strings.
fn settings(table: toml::Table) -> Arc<str> {
    json(toml::Value::Table(table)).to_string().into()
}

fn json(value: toml::Value) -> serde_json::Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(truth) => truth.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(values) => values.into_iter().map(json).collect(),
        toml::Value::Table(table) => {
            table.into_iter().map(|(key, value)| (key, json(value))).collect()
        }
    }
}
