//! Where the command line asks a gateway's operators' port, and as whom.
//!
//! Owns the options of every command that asks a running gateway: a configuration names the one on
//! this machine, a URL or a profile any other. Never decides what is asked.

use std::path::{Path, PathBuf};
use std::sync::{Once, OnceLock};

use ::http::Method;
use anyhow::{Context, anyhow};
use clap::Args;
use serde_json::Value;
use url::{Host, Url};

use super::ConfigFile;
use super::http::{self, Answer, Opened, Reach};
use super::output::note;
use crate::address::Address;
use crate::config::{Config, PortAt, Profile};
use crate::egress::Authorities;
use crate::ids::Name;
use crate::regular_file;
use crate::secrets::{Secret, SecretRef};

/// The variable with the token that is sent.
const TOKEN: &str = "HOOKGATE_TOKEN";
/// What is named as the host over a socket in the file system.
const LOCAL: &str = "http://localhost";
/// Where the profiles are, in the folder of the user's configuration.
const PROFILES: &str = "hookgate/profiles.toml";
/// Largest file of authorities, in bytes.
const CA_BYTES_MAX: usize = 1 << 20;

/// Where the gateway answers operators.
#[derive(Debug, Args)]
pub(super) struct At {
    #[command(flatten)]
    file: ConfigFile,
    /// URL of the gateway's admin port, such as `https://hooks.example.com:8081`, or its socket,
    /// such as `unix:/run/hookgate/admin.sock`; the configuration's `admin` if left out
    #[arg(
        long = "gateway",
        alias = "admin",
        value_name = "URL",
        value_parser = place,
        conflicts_with = "profile"
    )]
    admin: Option<Place>,
    /// The gateway of this name in profiles.toml, which is in $XDG_CONFIG_HOME/hookgate or
    /// ~/.config/hookgate
    #[arg(long, value_name = "NAME")]
    profile: Option<Name>,
    /// File with the token to send; if left out, that of the profile, and then the variable
    /// HOOKGATE_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// File in PEM with authorities to trust besides those of the system, for --gateway
    #[arg(long, value_name = "FILE", requires = "admin")]
    gateway_ca: Option<PathBuf>,
    /// Found at the first question, and then kept.
    #[arg(skip)]
    reach: OnceLock<Box<Reach>>,
}

/// Where a gateway is, as a person writes it.
#[derive(Debug, Clone)]
enum Place {
    Url(Url),
    Socket(PathBuf),
}

fn place(text: &str) -> Result<Place, String> {
    match Address::parse(text, Path::new("")) {
        Some(Address::Unix(path)) => Ok(Place::Socket(path)),
        _ => http::port_url(text).map(Place::Url),
    }
}

impl At {
    /// The configuration file.
    pub(super) fn config(&self) -> &Path {
        &self.file.config
    }

    /// Who is asked.
    pub(super) fn reach(&self) -> anyhow::Result<&Reach> {
        if let Some(reach) = self.reach.get() {
            return Ok(reach);
        }
        let found = self.found()?;
        // Two that look for it at once find the same.
        Ok(self.reach.get_or_init(|| Box::new(found)))
    }

    fn found(&self) -> anyhow::Result<Reach> {
        let token_file = self.token_file.clone();
        match (&self.admin, &self.profile) {
            (None, None) => {
                let port = Config::admin_port(&self.file.config)?;
                Reach::beside(&port, token(token_file)?)
            }
            (Some(place), _) => reach_of(place, self.gateway_ca.as_deref(), token(token_file)?),
            (None, Some(name)) => {
                let profile = profile(name)?;
                let wrong =
                    |error: String| anyhow!("the URL of the profile `{name}` is wrong: {error}");
                let place = place(&profile.url).map_err(wrong)?;
                let token = token(token_file.or(profile.token_file))?;
                reach_of(&place, profile.ca.as_deref(), token)
            }
        }
    }

    pub(super) fn url(&self, path: &str) -> anyhow::Result<Url> {
        let base = &self.reach()?.base;
        base.join(path).context("failed to append a path to the URL of the admin port")
    }

    pub(super) async fn get(&self, url: &Url) -> anyhow::Result<Answer> {
        self.ask(Method::GET, url, None).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.ask(Method::POST, &self.url(path)?, Some(body)).await
    }

    pub(super) async fn patch(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.ask(Method::PATCH, &self.url(path)?, Some(body)).await
    }

    pub(super) async fn delete(&self, path: &str) -> anyhow::Result<Answer> {
        self.ask(Method::DELETE, &self.url(path)?, None).await
    }

    /// Sends the bytes of a file, with these headers.
    pub(super) async fn upload(
        &self,
        url: &Url,
        headers: &[(&str, String)],
        file: Vec<u8>,
    ) -> anyhow::Result<Answer> {
        self.reach()?.upload(url, headers, file).await
    }

    /// Asks for a stream, from behind the id that came last.
    pub(super) async fn listen(&self, url: &Url, last: Option<&str>) -> anyhow::Result<Opened> {
        self.reach()?.listen(url, last).await
    }

    /// Posts nothing, and takes an answer that is too long to keep, piece by piece.
    pub(super) async fn download(
        &self,
        url: &Url,
        take: &mut (dyn FnMut(&[u8]) -> std::io::Result<()> + Send),
    ) -> anyhow::Result<()> {
        self.reach()?.download(url, take).await
    }

    async fn ask(&self, method: Method, url: &Url, body: Option<&Value>) -> anyhow::Result<Answer> {
        self.reach()?.ask(method, url, body).await
    }
}

/// A gateway that is not the one of the configuration.
fn reach_of(place: &Place, ca: Option<&Path>, token: Option<Secret>) -> anyhow::Result<Reach> {
    match place {
        Place::Socket(path) => {
            let (url, socket) = (LOCAL.to_owned(), Some(path.clone()));
            Reach::beside(&PortAt { url, certificate: None, socket }, token)
        }
        Place::Url(url) => {
            if token.is_some() && is_open(url) {
                warn_of_open();
            }
            let mut trusted = Authorities::default();
            if let Some(path) = ca {
                let wrong = || format!("failed to read the authorities in {}", path.display());
                let pem = regular_file::read(path, CA_BYTES_MAX).with_context(wrong)?;
                trusted.add(&pem).map_err(|has| anyhow!("it has {has}")).with_context(wrong)?;
            }
            Reach::remote(url.clone(), trusted, token)
        }
    }
}

/// Whether what goes there can be read on the way.
fn is_open(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && !is_here
}

/// Says once what a token without TLS is worth.
fn warn_of_open() {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        note(format_args!(
            "hookgate: the token goes over the network without TLS, where others can read it: use \
             an https URL"
        ));
    });
}

/// What is sent to be let in, if there is something.
fn token(file: Option<PathBuf>) -> anyhow::Result<Option<Secret>> {
    let place = match file {
        Some(path) => SecretRef::File(path),
        None if std::env::var_os(TOKEN).is_some() => SecretRef::Env(TOKEN.to_owned()),
        None => return Ok(None),
    };
    let found = place.resolve(Path::new("")).context("failed to read the token to send")?;
    Ok(Some(found.secret))
}

/// The profile of this name.
fn profile(name: &Name) -> anyhow::Result<Profile> {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let folder = match (folder("XDG_CONFIG_HOME"), folder("HOME")) {
        (Some(folder), _) => PathBuf::from(folder),
        (None, Some(home)) => Path::new(&home).join(".config"),
        (None, None) => {
            return Err(anyhow!("nothing says where profiles are: set XDG_CONFIG_HOME"));
        }
    };
    let path = folder.join(PROFILES);
    let mut all = Profile::load_all(&path)?;
    let found = all.remove(name);
    found.with_context(|| {
        let names: Vec<&str> = all.keys().map(Name::as_str).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        format!("{} has no profile `{name}`; it has: {names}", path.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards the warning: a token that others can read is theirs.
    #[test]
    fn only_what_leaves_this_machine_without_tls_is_open() {
        let of = |text: &str| is_open(&text.parse().unwrap());
        for url in ["http://hooks.example.com:8081", "http://10.0.0.7:8081", "http://[fd00::1]/"] {
            assert!(of(url), "{url}");
        }
        for url in ["https://hooks.example.com", "http://127.0.0.1:8081", "http://[::1]:8081"] {
            assert!(!of(url), "{url}");
        }
        assert!(!of("http://localhost:8081"));
    }
}
