//! What the operator can say: one TOML file, read and checked whole.
//!
//! Wiring: here the file becomes the configuration that each part declares for itself. Everything
//! that can be wrong is found here, with line and column, so that nothing is checked later. Never
//! applies anything: a broken file changes nothing.

mod file;
mod limits;
mod retention;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipnet::IpNet;

use crate::delivery::Endpoint;
use crate::dispatch::Grants;
use crate::ids::Name;
use crate::ingest::Source;
use crate::route::Pattern;
use crate::store::Retention;

pub use file::Verify;
pub use limits::Limits;

/// SHA-256 over all that a configuration was read from.
pub type Fingerprint = [u8; 32];

/// The whole configuration, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Tells one configuration from another: over the text of the file and of every secret.
    pub fingerprint: Fingerprint,
    /// Where payment gateways post.
    pub listen: SocketAddr,
    /// Where operators ask.
    pub admin: SocketAddr,
    /// The store's folder.
    pub data: PathBuf,
    /// The folder of plugins.
    pub plugins: PathBuf,
    /// Where to post to.
    pub sources: BTreeMap<Name, Source>,
    /// Who receives what.
    pub endpoints: BTreeMap<Name, (Vec<Pattern>, Arc<Endpoint>)>,
    /// What handlers may do.
    pub handlers: BTreeMap<Name, Grants>,
    /// Private networks that deliveries may reach.
    pub egress_allow: Vec<IpNet>,
    /// How much of everything.
    pub limits: Limits,
    /// How long what is finished is kept.
    pub retention: Retention,
    /// The files that secrets were read from: a change of one is a change of the configuration.
    pub secret_files: BTreeSet<PathBuf>,
}

/// A configuration that can't be worked with: which file, where in it, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// Line and column, from 1, where it is about a place.
    pub place: Option<(usize, usize)>,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads and checks the file. Paths in it count from its own folder; secrets are resolved.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
            path: path.to_owned(),
            place: None,
            reason: format!("failed to read the configuration: {error}"),
        })?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        Self::parse(&text, path, folder.unwrap_or(Path::new(".")))
    }

    /// Checks the text of a file. `path` is for errors, `folder` for the paths in it.
    pub fn parse(text: &str, path: &Path, folder: &Path) -> Result<Self, ConfigError> {
        let fail = |span: Option<std::ops::Range<usize>>, reason: String| ConfigError {
            path: path.to_owned(),
            place: span.map(|span| place_of(text, span.start)),
            reason,
        };
        let file: file::File = toml::from_str(text)
            .map_err(|error| fail(error.span(), error.message().trim().to_owned()))?;
        file.check(text, folder).map_err(|flaw| fail(flaw.span, flaw.reason))
    }
}

/// Line and column of a byte, from 1, the column in characters.
fn place_of(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(at)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
listen  = "127.0.0.1:8080"
admin   = "127.0.0.1:8081"
data    = "data"
plugins = "plugins"

[sources.stripe]
plugin    = "stripe"
secrets   = [{ value = "whsec_one" }]
tolerance = "5m"
config    = { mode = "live", since = 2026-01-01 }

[endpoints.crm]
url     = "http://127.0.0.1:9000/hooks"
events  = ["payment.*", "customer.payment_failed_notice"]
secrets = [{ value = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }]

[handlers.dunning]
endpoints = ["crm"]
config    = { alert_after = 3 }

[egress]
allow = ["127.0.0.0/8"]
"#;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, Path::new("hookgate.toml"), Path::new("/etc/hookgate"))
    }

    #[track_caller]
    fn check_refused(from: &str, to: &str, expected: &str) {
        assert!(WHOLE.contains(from), "the example has no `{from}`");
        let error = parse(&WHOLE.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn a_whole_file_is_read() {
        let config = parse(WHOLE).unwrap();
        assert_eq!(config.data, Path::new("/etc/hookgate/data"));
        let stripe = &config.sources["stripe"];
        assert_eq!(stripe.tolerance, Some(std::time::Duration::from_secs(300)));
        assert_eq!(&*stripe.settings, r#"{"mode":"live","since":"2026-01-01"}"#);
        assert!(config.endpoints["crm"].0[0].matches("payment.failed"));
        assert_eq!(&*config.handlers["dunning"].settings, r#"{"alert_after":3}"#);
    }

    #[test]
    fn an_unknown_key_is_refused_with_line_and_column() {
        check_refused("tolerance", "tolerence", "hookgate.toml:10:1: unknown field `tolerence`");
    }

    #[test]
    fn a_reference_to_nothing_is_refused_where_it_stands() {
        let expected = "hookgate.toml:19:14: there is no [endpoints.crn]";
        check_refused(r#"endpoints = ["crm"]"#, r#"endpoints = ["crn"]"#, expected);
    }

    #[test]
    fn what_can_not_work_is_refused() {
        check_refused(r#""127.0.0.1:8080""#, r#""here""#, "hookgate.toml:2:11: ");
        check_refused("[sources.stripe]", "[sources.Stripe]", "`Stripe` is not a name");
        check_refused(r#"[{ value = "whsec_one" }]"#, "[]", "[sources.stripe] has no secrets");
        check_refused("whsec_one", "", "secret");
        check_refused("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "hunter2", "hookgate.toml:16:");
        check_refused("payment.*", "pay*", "`pay*` is not an event type");
        check_refused("http://127", "ftp://127", "hookgate.toml:14:");
        check_refused("127.0.0.0/8", "localhost", "hookgate.toml:23:");
        check_refused("\"5m\"", "\"soon\"", "hookgate.toml:10:");
    }

    #[test]
    fn of_the_limits_only_parses_may_be_zero() {
        let with = |limit: &str| parse(&format!("{WHOLE}\n[limits]\n{limit} = 0\n"));
        assert_eq!(with("parses").unwrap().limits.parses, 0);
        assert!(with("runs").unwrap_err().to_string().contains("limits.runs is zero"));
    }

    #[test]
    fn retention_is_read_and_never_zero() {
        let with = |table: &str| parse(&format!("{WHOLE}\n[retention]\n{table}"));
        let retention = with("bodies = \"7d\"\nsize_bytes = 1000").unwrap().retention;
        assert_eq!(retention.bodies, std::time::Duration::from_secs(7 * 86_400));
        assert_eq!(retention.size_bytes, Some(1000));
        assert_eq!(retention.dead, Retention::default().dead);
        let error = with("dead = \"0s\"").unwrap_err().to_string();
        assert!(error.contains("retention.dead is zero"), "{error}");
    }

    #[test]
    fn a_secret_that_is_not_there_is_named_but_never_shown() {
        let missing = r#"[{ env = "HOOKGATE_NO_SUCH_VARIABLE" }]"#;
        let from = r#"[{ value = "whsec_one" }]"#;
        check_refused(from, missing, "HOOKGATE_NO_SUCH_VARIABLE");
        let config = parse(WHOLE).unwrap();
        assert!(!format!("{config:?}").contains("whsec_one"));
    }

    #[test]
    fn keys_that_are_fetched_stand_in_for_secrets() {
        let from = r#"secrets   = [{ value = "whsec_one" }]"#;
        let config = parse(&WHOLE.replace(from, r#"keys_from = ["api.paypal.com"]"#)).unwrap();
        let source = &config.sources["stripe"];
        assert!(source.secrets.is_empty());
        assert_eq!(source.keys_from, ["api.paypal.com"]);
    }

    #[test]
    fn verification_is_off_only_where_it_is_written() {
        let from = r#"secrets   = [{ value = "whsec_one" }]"#;
        let config = parse(&WHOLE.replace(from, r#"verify = "none""#)).unwrap();
        assert_eq!(config.sources["stripe"].verify, Verify::None);
        assert_eq!(parse(WHOLE).unwrap().sources["stripe"].verify, Verify::Evidence);
    }
}
