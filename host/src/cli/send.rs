//! `hookgate send`: signs a payload as its provider would and posts it, to try a plugin.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;

use super::ConfigFile;
use crate::clock::Clock;
use crate::config::Config;
use crate::event::Request;
use crate::ids::Name;
use crate::plugin::{self, Host};
use crate::sender;

/// What to send where.
#[derive(Debug, Args)]
pub(super) struct Send {
    /// The source, as the configuration names it
    source: Name,
    /// The file whose bytes are the body
    payload: PathBuf,
    #[command(flatten)]
    file: ConfigFile,
    /// Where the gateway listens, if not where the configuration says
    #[arg(long, value_name = "URL")]
    to: Option<url::Url>,
}

pub(super) async fn send(args: &Send) -> anyhow::Result<()> {
    let config = Config::load(&args.file.config)?;
    let Some(source) = config.sources.get(&args.source) else {
        bail!("{} has no [sources.{}]", args.file.config.display(), args.source);
    };
    let body = std::fs::read(&args.payload)
        .with_context(|| format!("failed to read {}", args.payload.display()))?;

    let host = Host::new(plugin::Config::default())?;
    let plugin = super::plugin::load(&host, &config.plugins, &source.plugin)?;
    let now = Clock::System.now();
    let request = Request {
        method: "POST".to_owned(),
        url: format!("/in/{}", args.source),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.into(),
        received_at: now,
    };
    let signed =
        sender::sign(&host, &plugin, &source.settings, &source.secrets, request, now).await?;

    let url = match &args.to {
        Some(base) => base.join(&signed.url)?,
        None => format!("http://{}{}", config.listen, signed.url).parse()?,
    };
    let answer = super::http::post(&url, &signed).await?;
    println!("POST {url}");
    for (name, value) in &signed.headers {
        println!("  {name}: {value}");
    }
    println!("{}", answer.status);
    if answer.duplicate {
        println!("  hookgate-duplicate: true");
    }
    println!("{}", answer.body.trim_end());
    if answer.status >= 300 {
        bail!("the gateway did not accept it");
    }
    Ok(())
}
