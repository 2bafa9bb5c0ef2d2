//! What the operator can say: one TOML file, read and checked whole.
//!
//! Wiring: here the file becomes the configuration that each part declares for itself. Everything
//! that can be wrong is found here, all at once and with line and column, so that nothing is
//! checked later. Never applies anything: a broken file changes nothing. Never repeats a value of
//! the file.

mod credential;
mod document;
mod effective;
mod endpoint;
mod file;
mod gate;
mod limits;
mod manifest;
mod master;
mod patience;
mod plugins;
mod profile;
mod redact;
mod retention;
mod schema;
mod secret;
mod telemetry;
mod tokens;
mod tls;
mod values;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipnet::IpNet;
use toml::de::DeTable;
use url::Url;

use crate::address::Address;
use crate::admin::FileToken;
use crate::directory::FileEndpoint;
use crate::directory::vault::MasterKey;
use crate::dispatch::Grants;
use crate::egress::Authorities;
use crate::ids::Name;
use crate::ingest::Source;
use crate::listener::Tls;
use crate::minisign::PublicKey;
use crate::plugin::AllRules;
use crate::regular_file;
use crate::secrets::Secret;
use crate::store::{Retention, VolumeKeys};
use crate::telemetry::Settings as Telemetry;

use document::Flaws;
pub(crate) use effective::{Origin, Setting};
pub(crate) use limits::Limits;
pub(crate) use manifest::Manifest;
pub(crate) use plugins::plugin_memory;
pub(crate) use profile::Profile;
use world::Extent;

pub(crate) use crate::ingest::Verify;

/// SHA-256 over all that a configuration was read from.
pub(crate) type Fingerprint = [u8; 32];

/// Largest configuration file, in bytes: ten thousand endpoints have less than 4 MiB.
const FILE_BYTES_MAX: usize = 16 << 20;

/// The whole configuration, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Tells one configuration from another: over the text of the file, of every secret and of
    /// every certificate.
    pub(crate) fingerprint: Fingerprint,
    /// Where payment gateways post.
    pub(crate) listen: SocketAddr,
    /// Where the internet reaches that, as far as anybody said it.
    pub(crate) public_url: Option<Url>,
    /// Where operators ask.
    pub(crate) admin: Address,
    /// The names, beside those of loopback, under which operators ask.
    pub(crate) admin_hosts: Vec<String>,
    /// Tokens of the admin port, beside those of the store.
    pub(crate) tokens: Vec<FileToken>,
    /// Whether the metrics need no token.
    pub(crate) open_metrics: bool,
    /// The networks of proxies that the gateway believes.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Whether each of their connections to the public port says whom it is for.
    pub(crate) proxy_protocol: bool,
    /// The certificate of the public port, if that has TLS.
    pub(crate) public_tls: Option<Tls>,
    /// That of the operators' port.
    pub(crate) admin_tls: Option<Tls>,
    /// The store's folder.
    pub(crate) data: PathBuf,
    /// The folder of plugins.
    pub plugins: PathBuf,
    /// What single plugins may use.
    pub(crate) plugin_rules: Arc<AllRules>,
    /// The keys of which one must have signed each plugin; none if nothing has to be signed.
    pub(crate) trusted_keys: Arc<[PublicKey]>,
    /// Where to post to.
    pub sources: BTreeMap<Name, Source>,
    /// Who receives what.
    pub(crate) endpoints: BTreeMap<Name, FileEndpoint>,
    /// What handlers may do.
    pub handlers: BTreeMap<Name, Grants>,
    /// Private networks that deliveries may reach.
    pub(crate) egress_allow: Vec<IpNet>,
    /// Authorities whose certificates count besides those that the system trusts.
    pub(crate) egress_ca: Authorities,
    /// Where spans and metrics go, if anywhere.
    pub(crate) telemetry: Option<Telemetry>,
    /// How many endpoints have metrics of their own.
    pub(crate) endpoints_max: usize,
    /// How much of everything.
    pub(crate) limits: Limits,
    /// How long what is finished is kept.
    pub(crate) retention: Retention,
    /// What seals the secrets of the store; the first does.
    pub(crate) master_keys: Vec<MasterKey>,
    /// Whether the first of them encrypts the store's log too.
    pub(crate) encrypt_bodies: bool,
    /// The files that secrets and certificates were read from: a change of one is a change of the
    /// configuration.
    pub(crate) secret_files: BTreeSet<PathBuf>,
    /// Every secret in it, and every password in a URL: what nobody may be shown.
    pub(crate) secrets: Vec<Secret>,
    /// What works and is worth a look, with its place, for the operator.
    pub warnings: Vec<String>,
}

/// How a program beside the gateway reaches one of its ports.
#[derive(Debug, Clone)]
pub(crate) struct PortAt {
    /// Without a path.
    pub(crate) url: String,
    /// The file of its certificate, if it has TLS.
    pub(crate) certificate: Option<PathBuf>,
    /// The socket in the file system, if it is one.
    pub(crate) socket: Option<PathBuf>,
}

/// What posting to one source needs.
#[derive(Debug, Clone)]
pub(crate) struct Sending {
    /// How to reach the public port.
    pub(crate) port: PortAt,
    /// The folder of plugins.
    pub(crate) plugins: PathBuf,
    /// The source; `None` if the file has none of that name.
    pub(crate) source: Option<Source>,
}

/// A configuration that can't be worked with. Never repeats a value of the file, which may be a
/// secret in the wrong place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigError {
    /// The file can't be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Everything that is wrong, in the file's order, at least one thing.
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        flaws: Vec<Flaw>,
        /// What works and is worth a look, with its place.
        warnings: Vec<String>,
    },
}

/// One thing that is wrong, or worth a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Line and column, from 1, where it is about a place.
    pub(crate) place: Option<(usize, usize)>,
    pub(crate) reason: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, flaws) = match self {
            Self::Unreadable { path, reason } => {
                let path = path.display();
                return write!(f, "failed to read the configuration {path}: {reason}");
            }
            Self::Wrong { path, flaws, .. } => (path, flaws),
        };
        for (number, flaw) in flaws.iter().enumerate() {
            f.write_str(if number == 0 { "" } else { "\n" })?;
            flaw.write(path, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl Flaw {
    fn write(&self, path: &Path, f: &mut impl fmt::Write) -> fmt::Result {
        write!(f, "{}", path.display())?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.reason)
    }

    /// With the file that it is about.
    fn shown(&self, path: &Path) -> String {
        let mut text = String::new();
        self.write(path, &mut text).expect("a string can be written");
        text
    }
}

impl Config {
    /// Reads and checks the file. Paths in it count from its own folder; secrets are resolved.
    pub(crate) fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::load_as_far(path, Extent::Nothing)
    }

    /// The same for a start, which needs the plugins folder too.
    pub(crate) fn load_to_start(path: &Path) -> Result<Self, ConfigError> {
        Self::load_as_far(path, Extent::Start)
    }

    /// The same, and tries the ports and folders as a start would.
    pub(crate) fn load_and_try(path: &Path) -> Result<Self, ConfigError> {
        Self::load_as_far(path, Extent::All)
    }

    fn load_as_far(path: &Path, extent: Extent) -> Result<Self, ConfigError> {
        let text = read(path)?;
        Self::parse_as_far(&text, path, folder_of(path), extent)
    }

    /// The keys whose values differ and are applied by a start only, as a person writes them.
    pub(crate) fn needs_restart(&self, before: &Self) -> Vec<String> {
        let own = [
            ("listen", self.listen != before.listen),
            ("admin", self.admin != before.admin),
            ("data", self.data != before.data),
            ("plugins", self.plugins != before.plugins),
            ("encrypt_bodies", self.encrypt_bodies != before.encrypt_bodies),
            ("telemetry", !same_telemetry(self.telemetry.as_ref(), before.telemetry.as_ref())),
        ];
        let own =
            own.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| format!("`{key}`"));
        let limits =
            self.limits.fixed().zip(before.limits.fixed()).filter(|(now, before)| now != before);
        own.chain(limits.map(|((key, _), _)| format!("`{key}` of [limits]"))).collect()
    }

    /// Checks the text of a file. `path` is for errors, `folder` for the paths in it.
    pub fn parse(text: &str, path: &Path, folder: &Path) -> Result<Self, ConfigError> {
        Self::parse_as_far(text, path, folder, Extent::Nothing)
    }

    fn parse_as_far(
        text: &str,
        path: &Path,
        folder: &Path,
        extent: Extent,
    ) -> Result<Self, ConfigError> {
        parse(text, path, |document, flaws| file::read(document, (text, folder), extent, flaws))
            .map(|(config, warnings)| Self { warnings, ..config })
    }

    /// Each setting as it counts, from a file that may be wrong otherwise; needs no secret, and has
    /// none.
    pub(crate) fn settings(path: &Path) -> Result<Vec<Setting>, ConfigError> {
        effective::settings(path)
    }

    /// What the file may have, as a JSON schema.
    pub(crate) fn schema() -> serde_json::Value {
        schema::document()
    }

    /// How to reach the operators' port, from a file that may be wrong otherwise; needs no secret.
    pub(crate) fn admin_port(path: &Path) -> Result<PortAt, ConfigError> {
        let folder = folder_of(path);
        Ok(parse(&read(path)?, path, |document, flaws| file::admin(document, folder, flaws))?.0)
    }

    /// The plugins folder, from a file that may be wrong otherwise; needs no secret.
    pub(crate) fn plugins_folder(path: &Path) -> Result<PathBuf, ConfigError> {
        let folder = folder_of(path);
        Ok(parse(&read(path)?, path, |document, flaws| file::plugins(document, folder, flaws))?.0)
    }

    /// The data folder, from a file that may be wrong otherwise; needs no secret.
    pub(crate) fn data_folder(path: &Path) -> Result<PathBuf, ConfigError> {
        let folder = folder_of(path);
        Ok(parse(&read(path)?, path, |document, flaws| file::data(document, folder, flaws))?.0)
    }

    /// What opens an encrypted store, from a file that may be wrong otherwise; needs no secret but
    /// the master keys.
    pub(crate) fn volume_keys(path: &Path) -> Result<VolumeKeys, ConfigError> {
        let (text, folder) = (read(path)?, folder_of(path));
        let keys = parse(&text, path, |document, flaws| {
            Some(master::read(document, (&text, folder), flaws))
        });
        Ok(VolumeKeys::opening(keys?.0))
    }

    /// What posting to one source needs, from a file that may be wrong otherwise; needs no secret
    /// but those of this source.
    pub(crate) fn sending(path: &Path, source: &Name) -> Result<Sending, ConfigError> {
        let text = read(path)?;
        let folder = folder_of(path);
        let found = parse(&text, path, |document, flaws| {
            file::sending(document, (&text, folder), source, flaws)
        });
        Ok(found?.0)
    }
}

fn same_telemetry(one: Option<&Telemetry>, other: Option<&Telemetry>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.is_as(other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |reason| ConfigError::Unreadable { path: path.to_owned(), reason };
    let read = regular_file::read(path, FILE_BYTES_MAX);
    let text = String::from_utf8(read.map_err(|error| unreadable(error.to_string()))?);
    text.map_err(|_| unreadable("the file is not UTF-8".to_owned()))
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Most flaws of one file that are told, each with its place.
const FLAWS_MAX: usize = 100;

/// Reads something out of a text, if nothing is wrong with it, and what is worth a look.
fn parse<T>(
    text: &str,
    path: &Path,
    read: impl for<'a> FnOnce(&'a DeTable<'a>, &'a Flaws) -> Option<T>,
) -> Result<(T, Vec<String>), ConfigError> {
    let wrong = |flaws: Vec<Flaw>, warnings: Vec<String>| ConfigError::Wrong {
        path: path.to_owned(),
        flaws,
        warnings,
    };
    let document = DeTable::parse(text).map_err(|error| {
        // The message names what the grammar expects; it repeats nothing of the text.
        let place = error.span().map(|span| place_of(text, span.start));
        wrong(vec![Flaw { place, reason: error.message().trim().to_owned() }], Vec::new())
    })?;
    let flaws = Flaws::default();
    let read = read(document.get_ref(), &flaws);
    let placed = |flaws: std::cell::RefCell<Vec<document::Flaw>>| {
        let mut flaws = flaws.into_inner();
        flaws.sort_by_key(|flaw| flaw.at);
        let more = flaws.len().saturating_sub(FLAWS_MAX);
        if more > 0 {
            flaws.truncate(FLAWS_MAX);
            flaws.push(document::Flaw { at: None, reason: format!("and {more} more") });
        }
        let placed = flaws
            .into_iter()
            .map(|flaw| Flaw { place: flaw.at.map(|at| place_of(text, at)), reason: flaw.reason });
        placed.collect::<Vec<_>>()
    };
    let Flaws { wrong: found, warnings, .. } = flaws;
    let warnings = placed(warnings).iter().map(|flaw| flaw.shown(path)).collect();
    match (read, placed(found)) {
        (Some(read), wrong) if wrong.is_empty() => Ok((read, warnings)),
        (_, found) => Err(wrong(found, warnings)),
    }
}

/// Line and column of a byte, from 1, the column in characters.
pub(crate) fn place_of(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(at)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests;
