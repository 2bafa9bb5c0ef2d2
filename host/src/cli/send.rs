//! `hookgate send`: signs a payload as its provider would and posts it, to try a plugin.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;

use super::{ConfigFile, http};
use crate::clock::Clock;
use crate::config::Config;
use crate::event::{Request, Timestamp};
use crate::ids::Name;
use crate::plugin::About;
use crate::sender;

/// What to send where.
#[derive(Debug, Args)]
pub(super) struct Send {
    /// The source, as the configuration names it
    source: Name,
    /// A sample of the plugin's, by name, or a file whose bytes are the body; the first sample if none
    payload: Option<String>,
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
    let host = super::offline_host()?;
    let file = config.plugins.join(format!("{}.wasm", source.plugin));
    let (plugin, about) = super::plugin::load_with_about(&host, &file)?;
    let now = Clock::System.now();
    let request = request(args, &about, now)?;
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

/// The request before it is signed: a sample, or a file as JSON.
fn request(args: &Send, about: &About, now: Timestamp) -> anyhow::Result<Request> {
    let url = format!("/in/{}", args.source);
    let sample = match &args.payload {
        None => about.samples.values().next(),
        Some(payload) => about.samples.get(payload),
    };
    if let Some(sample) = sample {
        let content_type = [("content-type", sample.content_type.as_str())].into_iter();
        let own = sample.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let request = http::json_request(&url, sample.body.clone().into(), now);
        return Ok(Request { headers: content_type.chain(own).collect(), ..request });
    }
    let names: Vec<_> = about.samples.keys().map(String::as_str).collect();
    let Some(payload) = &args.payload else {
        bail!("plugin of source {} has no samples: name a file", args.source);
    };
    if !Path::new(payload).exists() && !names.is_empty() {
        bail!("there is no file and no sample `{payload}`; there are: {}", names.join(", "));
    }
    let body = std::fs::read(payload).with_context(|| format!("failed to read {payload}"))?;
    Ok(http::json_request(&url, body.into(), now))
}
