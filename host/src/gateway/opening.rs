//! Opening the store, with all of the configuration that a start of it needs.
//!
//! What the store knows of the endpoints of the API it finds by itself. Never changes a store that
//! is open.

use std::collections::BTreeMap;

use crate::clock::Clock;
use crate::config::{Config, Limits};
use crate::endpoint::Order;
use crate::ids::Name;
use crate::metrics::Metrics;
use crate::store::{self, Quota, Quotas, Store, Terms, VolumeKeys};

/// Reads what is owed, and converts a store of an earlier format: not on a thread that serves.
pub(crate) async fn open_store(config: &Config, clock: Clock) -> anyhow::Result<Store> {
    let Limits { queue, uncommitted, .. } = config.limits;
    let (terms, quotas, at) = (terms(config), quotas(config), store::Config::at(&config.data));
    let (ordered, keys) = (orders(config), volume_keys(config));
    let config = store::Config { queue, uncommitted, terms, quotas, ordered, keys, ..at };
    Ok(tokio::task::spawn_blocking(move || Store::open(&config, clock)).await??)
}

/// The same, and has the metrics hear how long commits take.
pub(super) async fn open_counted(
    config: &Config,
    clock: Clock,
    metrics: &Metrics,
) -> anyhow::Result<Store> {
    let (store, metrics) = (open_store(config, clock).await?, metrics.clone());
    store.hear_syncs(move |time| metrics.synced(time));
    Ok(store)
}

/// What opens the volumes of the store, and seals new ones where the operator wants that.
fn volume_keys(config: &Config) -> VolumeKeys {
    let keys = config.master_keys.clone();
    if config.encrypt_bodies { VolumeKeys::sealing(keys) } else { VolumeKeys::opening(keys) }
}

/// How long the event ids of each source are known.
pub(super) fn terms(config: &Config) -> Terms {
    Terms::of(config.sources.iter().map(|(name, source)| (name.clone(), source.duplicates)))
}

/// How much each handler may remember: as its own table says, or that of its plugin.
pub(super) fn quotas(config: &Config) -> Quotas {
    let own = config.handlers.iter().map(|(name, grants)| (name.clone(), grants.quota));
    let others =
        config.plugin_rules.iter().filter(|(name, _)| !config.handlers.contains_key(*name));
    let of_plugins = others.filter_map(|(name, rules)| {
        Some((name.clone(), Quota { bytes: rules.state_bytes?, ..Quota::default() }))
    });
    Quotas::of(own.chain(of_plugins))
}

/// Which deliveries wait for each other, of those to each endpoint of the configuration.
fn orders(config: &Config) -> BTreeMap<Name, Order> {
    let endpoints = config.endpoints.iter();
    endpoints.map(|(name, endpoint)| (name.clone(), endpoint.settings.order)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_handler_without_a_table_has_the_bytes_of_state_of_its_plugin() {
        let text = r#"
            listen   = "127.0.0.1:8080"
            admin    = "127.0.0.1:8081"
            data     = "data"
            [plugins]
            folder   = "plugins"
            [plugins.mailer]
            state_bytes = 4096
            [plugins.quick]
            log_lines = 5
            [handlers.dunning]
            state_keys = 7
        "#;
        let config = Config::parse(text, Path::new("hookgate.toml"), Path::new("/nowhere"));
        let mailer = Quota { bytes: 4096, ..Quota::default() };
        let dunning = Quota { keys: 7, ..Quota::default() };
        let expected = Quotas::of(
            [("dunning", dunning), ("mailer", mailer)]
                .map(|(name, quota)| (name.parse().unwrap(), quota)),
        );
        assert_eq!(quotas(&config.unwrap()), expected);
    }
}
