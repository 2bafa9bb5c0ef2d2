//! How the receiver of a recorded request was set up: its settings, and what of a URL it saw.
//!
//! Shared by recordings of every kind. Never reads a file.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::event::Request;
use crate::provider::ProviderInfo;

/// The settings with what a recording tells in the place of those of that name.
pub(super) fn with<const N: usize>(
    settings: &Map<String, Value>,
    told: [(&str, Option<&str>); N],
) -> Map<String, Value> {
    let mut settings = settings.clone();
    for (name, value) in told {
        if let (Some(setting), Some(value)) = (settings.get_mut(name), value) {
            *setting = value.into();
        }
    }
    settings
}

/// As a plugin gets them.
pub(super) fn text(settings: Map<String, Value>) -> Arc<str> {
    Value::Object(settings).to_string().into()
}

/// Every host where its provider has keys and that the request names: what an operator allows who
/// wants them all.
pub(super) fn key_hosts(info: &ProviderInfo, request: &Request) -> Vec<String> {
    let hosts = info.key_places.iter().filter_map(|place| place.url.host_str());
    let body = String::from_utf8_lossy(&request.body);
    // Where a place is many, the request says which.
    let named = body
        .split(['/', '"', '\\'])
        .filter(|text| info.key_places.iter().any(|place| place.has_host(text)));
    hosts.chain(named).map(ToOwned::to_owned).collect()
}

/// What of a URL arrives: its path and its query.
pub(super) fn path(url: &str) -> &str {
    let Some((_, rest)) = url.split_once("://") else { return url };
    rest.find(['/', '?']).map_or("/", |start| &rest[start..])
}
