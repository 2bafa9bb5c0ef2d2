//! `hookgate send`: signs a payload as its provider would and posts it, to try a plugin.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ::http::{HeaderName, HeaderValue};
use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Args;
use serde_json::json;

use super::http::Refused;
use super::{ConfigFile, http};
use crate::clock::Clock;
use crate::config::Config;
use crate::egress;
use crate::event::{Request, Timestamp};
use crate::ids::Name;
use crate::plugin::{About, Sample};
use crate::sample::{self, Renewed};
use crate::secrets::{Secret, shown};

/// What to send where.
#[derive(Debug, Args)]
pub(super) struct Send {
    /// The source, as the configuration names it
    source: Name,
    /// The name of a sample in the plugin's file, or a file with the body; the first sample if left
    /// out
    payload: Option<String>,
    /// Send a sample with its recorded event ids: the second time, it is a duplicate
    #[arg(long)]
    same: bool,
    /// An additional header, such as `x-github-event: push`
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    #[command(flatten)]
    file: ConfigFile,
    /// URL of the gateway's public port; the configuration's `listen` if left out
    #[arg(long, value_name = "URL", value_parser = http::port_url)]
    to: Option<url::Url>,
    /// Print one line of JSON: the request and the answer
    #[arg(long)]
    json: bool,
}

pub(super) async fn send(args: &Send) -> anyhow::Result<()> {
    let config = Config::sending(&args.file.config, &args.source)?;
    let Some(source) = &config.source else {
        bail!("{} has no [sources.{}]", args.file.config.display(), args.source);
    };
    let host = super::offline_host()?;
    let file = config.plugins.join(format!("{}.wasm", source.plugin));
    if !file.exists() {
        let folder = config.plugins.display();
        let plugin = shown(source.plugin.as_str());
        bail!("{folder} has no plugin {plugin}, which source {} needs", args.source);
    }
    let (plugin, about) = super::plugin::load_with_about(&host, &file)?;
    let now = Clock::System.now();
    let (request, is_sample) = request(args, &about, now)?;
    let settings = &source.settings;
    let secrets = &source.secrets;
    let signed = if is_sample && !args.same {
        let given: Vec<&str> = args.headers.iter().map(|(name, _)| name.as_str()).collect();
        let renewed = sample::renewed(&host, &plugin, settings, secrets, request, &given, now);
        let Renewed { request, is_new } = renewed.await?;
        if !is_new && !args.json {
            say!("note: this sample can't get new event ids: the second time, it is a duplicate")?;
        }
        request
    } else {
        sample::sign(&host, &plugin, settings, secrets, &Arc::new(request), now).await?
    };

    let url = match &args.to {
        Some(base) => base.join(&signed.url)?,
        None => format!("{}{}", config.port.url, signed.url).parse()?,
    };
    let port = args.to.is_none().then_some(&config.port);
    let answer = http::post(&url, port, &signed).await?;
    let headers = shown_headers(&signed, secrets);
    let url = egress::shown(&url);
    match args.json {
        true => say!(
            "{}",
            json!({
                "url": url,
                "headers": headers,
                "status": answer.status,
                "duplicate": answer.duplicate,
                "answer": answer.body,
            })
        )?,
        false => told(&url, &headers, &answer)?,
    }
    if answer.status >= 300 {
        // What it said stands on standard output.
        let refused =
            Refused { status: answer.status, said: "it did not accept the request".into() };
        return Err(refused.into());
    }
    Ok(())
}

/// The headers that were sent, without what is secret in them.
fn shown_headers<'a>(signed: &'a Request, secrets: &[Secret]) -> Vec<(&'a str, String)> {
    let shown = |(name, value): (&'a str, &str)| {
        let mut value = value.to_owned();
        secrets.iter().for_each(|secret| secret.take_out_of(&mut value, "(the secret)"));
        (name, value)
    };
    signed.headers.iter().map(shown).collect()
}

/// Prints the request and the answer, for a person.
fn told(url: &str, headers: &[(&str, String)], answer: &http::Answer) -> anyhow::Result<()> {
    say!("POST {url}")?;
    for (name, value) in headers {
        say!("  {name}: {value}")?;
    }
    say!("{}", answer.status)?;
    if answer.duplicate {
        say!("  hookgate-duplicate: true")?;
    }
    say!("{}", answer.body.trim_end())
}

/// The request before it is signed: a sample or a file, with the headers that were asked for; and
/// whether it is a sample.
fn request(args: &Send, about: &About, now: Timestamp) -> anyhow::Result<(Request, bool)> {
    let Payload { content_type, headers, body, is_sample } = payload(args, about)?;
    let given = |name: &str| args.headers.iter().any(|(given, _)| given == name);
    let own = [("content-type".to_owned(), content_type)].into_iter().chain(headers);
    let headers = own.filter(|(name, _)| !given(name)).chain(args.headers.iter().cloned());
    let request = Request {
        method: "POST".to_owned(),
        url: format!("/in/{}", args.source),
        headers: headers.collect::<Vec<_>>().into_iter().collect(),
        body,
        received_at: now,
    };
    Ok((request, is_sample))
}

/// What is to be sent: a sample's, or a file's.
struct Payload {
    content_type: String,
    headers: BTreeMap<String, String>,
    body: Bytes,
    is_sample: bool,
}

fn payload(args: &Send, about: &About) -> anyhow::Result<Payload> {
    let sample = match &args.payload {
        None => about.samples.values().next(),
        Some(payload) => about.samples.get(payload),
    };
    if let Some(Sample { content_type, headers, body }) = sample.cloned() {
        return Ok(Payload { content_type, headers, body: body.into(), is_sample: true });
    }
    let names: Vec<_> = about.samples.keys().map(String::as_str).collect();
    let Some(file) = args.payload.as_ref().map(Path::new) else {
        bail!("the plugin of source {} has no samples: give a file", args.source);
    };
    if !file.exists() && !names.is_empty() {
        let file = file.display();
        let names = names.join(", ");
        bail!("`{file}` is neither a file nor a sample; the samples are: {names}");
    }
    let body = std::fs::read(file).with_context(|| format!("failed to read {}", file.display()))?;
    Ok(Payload {
        content_type: Sample::content_type(file).to_owned(),
        headers: BTreeMap::new(),
        body: body.into(),
        is_sample: false,
    })
}

/// `name: value`, the name in lower case.
fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) =
        text.split_once(':').ok_or("the header must have the form `name: value`")?;
    let name = name.trim().to_ascii_lowercase();
    let value = value.trim();
    HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
    HeaderValue::from_str(value).map_err(|error| error.to_string())?;
    Ok((name, value.to_owned()))
}
