//! What operators are shown of the configuration: the sources, and the settings in outline; and of
//! deliveries what they send.
//!
//! Wiring only. Never a secret, nor a name that may be one in the wrong place.

use std::sync::Arc;

use arc_swap::ArcSwap;
use serde_json::{Value, json};
use url::Url;

use super::outline;
use crate::admin::{Remade, Requests, SentHeader, SentRequest, Settings, SourceRow, SourceRows};
use crate::config::{Config, Verify};
use crate::delivery::{Delivery, Outline};
use crate::ids::Name;
use crate::ingest::{Source, Sources};
use crate::plugin::Registry;
use crate::secrets::shown;

/// Most samples of a source that are listed.
const SAMPLES_MAX: usize = 100;

/// The sources, as they are whenever somebody asks.
pub(super) fn sources(
    sources: Arc<Sources>,
    registry: Arc<Registry>,
    config: Arc<ArcSwap<Config>>,
) -> SourceRows {
    SourceRows(Arc::new(move || {
        let config = config.load();
        let public = config.public_url.as_ref();
        sources.load().iter().map(|(name, source)| row((name, source), &registry, public)).collect()
    }))
}

fn row((name, source): (&Name, &Source), registry: &Registry, public: Option<&Url>) -> SourceRow {
    let plugin = registry.get(&source.plugin);
    let provider = plugin.as_ref().and_then(|plugin| plugin.provider());
    SourceRow {
        name: name.clone(),
        path: format!("/in/{name}"),
        url: public.map(|public| format!("{}/in/{name}", public.as_str().trim_end_matches('/'))),
        plugin: shown(source.plugin.as_str()).to_owned(),
        provider: provider.map(|info| info.name.clone()),
        version: provider.map(|info| info.version.clone()),
        scheme: provider.map(|info| info.scheme.clone()),
        types: provider.map(|info| info.types.clone()).unwrap_or_default(),
        samples: plugin.as_ref().map(|plugin| samples(plugin.samples())).unwrap_or_default(),
        verified: source.verify != Verify::None,
        secrets: source.secrets.len() as u64,
        secrets_since: source.secret_dates.to_vec(),
        keys_from: source.keys_from.clone(),
        stopped: source.stopped.as_deref().map(str::to_owned),
    }
}

/// The first of the names: a file that somebody made by hand may have any number.
fn samples(names: &[String]) -> Vec<String> {
    names.iter().take(SAMPLES_MAX).cloned().collect()
}

/// The requests of attempts, made again by what makes them.
pub(super) fn requests(delivery: Arc<Delivery>) -> Requests {
    Requests(Arc::new(move |id, at| {
        let delivery = Arc::clone(&delivery);
        Box::pin(async move {
            let remade: Remade = delivery.outline(id, at).await.map(|it| it.map(request_of));
            remade
        })
    }))
}

fn request_of(outline: Outline) -> SentRequest {
    let Outline { url, headers, body_bytes } = outline;
    let header = |(name, value)| SentHeader { name, value };
    let headers = headers.into_iter().map(header).collect();
    SentRequest { method: "POST", url, headers, body_bytes: body_bytes as u64 }
}

/// The settings in outline, as they are whenever somebody asks.
pub(super) fn settings(config: Arc<ArcSwap<Config>>) -> Settings {
    Settings(Arc::new(move || settings_of(&config.load())))
}

fn settings_of(config: &Config) -> Value {
    let time = |time| humantime::format_duration(time).to_string();
    let mut said = outline::of(config);
    said["data"] = json!(config.data.display().to_string());
    said["plugins_folder"] = json!(config.plugins.display().to_string());
    said["retention"] = json!({
        "bodies": time(config.retention.bodies),
        "events": time(config.retention.events),
        "attempts": time(config.retention.attempts),
        "dead": time(config.retention.dead),
        "size_bytes": config.retention.size_bytes,
    });
    let limits = &config.limits;
    said["limits"] = json!({
        "body_bytes": limits.body_bytes,
        "connections": limits.connections,
        "requests": limits.requests,
        "requests_per_source": limits.requests_per_source,
        "held_bytes": limits.held_bytes,
        "held_bytes_per_source": limits.held_bytes_per_source,
        "queue": limits.queue,
        "backlog": limits.backlog,
        "backlog_per_source": limits.backlog_per_source,
        "parses": limits.parses,
        "runs": limits.runs,
        "runs_per_handler": limits.runs_per_handler,
        "deliveries": limits.deliveries,
        "breaker": limits.breaker,
        "uncommitted": limits.uncommitted,
        "emitted_events": limits.emitted_events,
        "emitted_bytes": limits.emitted_bytes,
        "plugin_memory_bytes": limits.plugin_memory_bytes,
    });
    said
}
