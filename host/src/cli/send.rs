//! `hookgate send`: signs a payload as its provider would and posts it, to try a plugin.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;

use super::{ConfigFile, http};
use crate::clock::Clock;
use crate::config::Config;
use crate::ids::Name;
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

    let host = super::offline_host()?;
    let plugin = super::plugin::load(&host, &config.plugins, &source.plugin)?;
    let now = Clock::System.now();
    let request = http::json_request(&format!("/in/{}", args.source), body.into(), now);
    let (settings, secrets) = (&source.settings, &source.secrets);
    let signed = sender::sign(&host, &plugin, settings, secrets, &Arc::new(request), now).await?;

    let url = match &args.to {
        Some(base) => base.join(&signed.url)?,
        None => format!("http://{}{}", config.listen, signed.url).parse()?,
    };
    let answer = http::post(&url, &signed).await?;
    println!("POST {url}");
    for (name, value) in signed.headers.iter() {
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
