//! How the receiver of a recorded request was set up: its settings, and what of a URL it saw.
//!
//! Shared by recordings of every kind. Never reads a file.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::provider::ProviderInfo;

/// The settings, with the values of a recording in place of those of the same name.
pub(super) fn with<const N: usize>(
    settings: &Map<String, Value>,
    recorded: [(&str, Option<&str>); N],
) -> Map<String, Value> {
    let mut settings = settings.clone();
    for (name, value) in recorded {
        if let (Some(setting), Some(value)) = (settings.get_mut(name), value) {
            *setting = value.into();
        }
    }
    settings
}

/// The settings as a plugin gets them.
pub(super) fn text(settings: Map<String, Value>) -> Arc<str> {
    Value::Object(settings).to_string().into()
}

/// Every host where its provider has keys, and of a place that is many those that the body names:
/// what an operator allows who wants them all.
pub fn key_hosts(info: &ProviderInfo, body: &[u8]) -> Vec<String> {
    let places = info.key_places.iter().filter_map(|place| place.url.host_str());
    // An operator names one in any case.
    let hosts = places.map(|host| host.replace('*', "any"));
    let body = String::from_utf8_lossy(body);
    let named = body
        .split(['/', '"', '\\'])
        .filter(|text| info.key_places.iter().any(|place| place.has_host(text)));
    let mut hosts: Vec<String> = hosts.chain(named.map(ToOwned::to_owned)).collect();
    hosts.sort_unstable();
    hosts.dedup();
    hosts
}

/// The part of a URL that arrives: its path and its query.
pub(super) fn path(url: &str) -> &str {
    let Some((_, rest)) = url.split_once("://") else { return url };
    rest.find(['/', '?']).map_or("/", |start| &rest[start..])
}
