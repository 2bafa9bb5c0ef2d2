//! Whether what the operator wrote fits the samples of a provider: whether the secrets of its
//! sources can be keys at all, and whether it can read what they redact.
//!
//! A provider says with each request what it was signed with; so its samples are put to it, and
//! what it names is held against each secret. Only says what it finds: a secret that can't be a key
//! is passed over wherever one is needed.

use std::sync::Arc;

use super::drafting::drafted;
use super::redacting;
use crate::config::{Config, Verify};
use crate::ingest::Source;
use crate::plugin::{About, Host, Plugin};
use crate::provider::{Proof, Value};
use crate::signature::fit;

/// Most samples that are tried.
const SAMPLES_MAX: usize = 8;

/// What is wrong with the secrets of all sources of a plugin, and with what they redact, a sentence
/// for each.
pub(crate) async fn misfits(
    host: &Host,
    config: &Config,
    plugin: &Arc<Plugin>,
    about: &About,
) -> Vec<String> {
    let mut found = Vec::new();
    let sources = config.sources.iter().filter(|(_, source)| source.plugin == *plugin.name());
    for (name, source) in sources {
        if source.secrets.is_empty() || source.verify == Verify::None {
            continue;
        }
        let proofs = proofs(host, plugin, source, about).await;
        let fits = |(proof, values): &Offer, secret| fit::fits(proof, values, secret);
        let needs = |offer: &&Offer| fits(offer, &source.secrets[0]).is_some();
        let wanted: Vec<&Offer> = proofs.iter().filter(needs).collect();
        let Some((first, values)) = wanted.first() else { continue };
        for (number, secret) in (1..).zip(source.secrets.iter()) {
            if wanted.iter().any(|offer| fits(offer, secret) == Some(true)) {
                continue;
            }
            let kind = fit::resembles(secret)
                .map(|kind| format!("; the secret looks like {kind}"))
                .unwrap_or_default();
            let plugin = &source.plugin;
            let needs = fit::wanted(first, values);
            found.push(format!(
                "secret {number} of [sources.{name}] can't be a key for plugin {plugin}, which \
                 needs {needs}{kind}"
            ));
        }
    }
    found.extend(redacting::unreadable(host, config, plugin, about).await);
    found
}

/// A proof, and the values that it is made of.
type Offer = (Proof, Vec<Value>);

/// What the provider's own samples would be proven by.
async fn proofs(host: &Host, plugin: &Arc<Plugin>, source: &Source, about: &About) -> Vec<Offer> {
    let mut proofs = Vec::new();
    for sample in about.samples.values().take(SAMPLES_MAX) {
        let drafted = drafted(host, plugin, source, sample).await;
        if let Ok(Ok(claims)) = host.claims(plugin, &source.settings, plugin.name(), &drafted).await
        {
            let values = &claims.values;
            proofs.extend(claims.proofs().map(|proof| (proof.clone(), values.clone())));
        }
    }
    proofs
}
