//! Where the command line asks a gateway's operators' port, and as whom.
//!
//! Owns the options of every command that asks a running gateway. Never decides what is asked.

use std::path::{Path, PathBuf};

use ::http::Method;
use anyhow::Context;
use clap::Args;
use serde_json::Value;
use url::Url;

use super::ConfigFile;
use super::http::{self, Answer};
use crate::address::Address;
use crate::config::{Config, PortAt};
use crate::secrets::{Secret, SecretRef};

/// The variable with the token that is sent.
const TOKEN: &str = "HOOKGATE_TOKEN";
/// What is named as the host over a socket in the file system.
const LOCAL: &str = "http://localhost";

/// Where the gateway answers operators.
#[derive(Debug, Args)]
pub(super) struct At {
    #[command(flatten)]
    file: ConfigFile,
    /// URL of the gateway's admin port, such as http://127.0.0.1:8081, or its socket, such as
    /// unix:/run/hookgate/admin.sock; the configuration's `admin` if left out
    #[arg(long, value_name = "URL", value_parser = place)]
    admin: Option<Place>,
    /// File with the token to send; if left out, the variable HOOKGATE_TOKEN has it
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
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

    /// The port of this machine that it is, as far as that is known.
    fn port(&self) -> anyhow::Result<Option<PortAt>> {
        Ok(match &self.admin {
            Some(Place::Url(_)) => None,
            Some(Place::Socket(path)) => {
                let (url, socket) = (LOCAL.to_owned(), Some(path.clone()));
                Some(PortAt { url, certificate: None, socket })
            }
            None => Some(Config::admin_port(&self.file.config)?),
        })
    }

    pub(super) fn url(&self, path: &str) -> anyhow::Result<Url> {
        let base = match (&self.admin, self.port()?) {
            (Some(Place::Url(url)), _) => url.clone(),
            (_, port) => port.map_or(LOCAL.to_owned(), |port| port.url).parse()?,
        };
        base.join(path).context("failed to append a path to the URL of the admin port")
    }

    /// What is sent to be let in, if there is something.
    fn token(&self) -> anyhow::Result<Option<Secret>> {
        let place = match &self.token_file {
            Some(path) => SecretRef::File(path.clone()),
            None if std::env::var_os(TOKEN).is_some() => SecretRef::Env(TOKEN.to_owned()),
            None => return Ok(None),
        };
        let found = place.resolve(Path::new("")).context("failed to read the token to send")?;
        Ok(Some(found.secret))
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
        http::upload(url, self.port()?.as_ref(), self.token()?.as_ref(), (headers, file)).await
    }

    async fn ask(&self, method: Method, url: &Url, body: Option<&Value>) -> anyhow::Result<Answer> {
        http::ask(method, url, self.port()?.as_ref(), self.token()?.as_ref(), body).await
    }
}
