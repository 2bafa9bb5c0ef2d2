//! Whether a request is genuine: what its provider plugin claims of it, held against the keys of
//! the source that it is for.
//!
//! One way to tell for all who ask: a request that is posted and one that was recorded
//! (`hookgate plugin test`) are proven by the same steps and within the same limits. Fails closed.
//! Never stores a request, and never answers one.

use std::sync::Arc;
use std::time::Duration;

use crate::event::Request;
use crate::ids::Name;
use crate::keys::{KeyError, Keys, Permission};
use crate::plugin::{CallError, Host, Plugin};
use crate::provider::{Claims, KeySource, ProviderInfo, PublicKey, Refusal};
use crate::secrets::Secret;
use crate::signature;

/// Most keys that are fetched for one request.
const KEYS_MAX: usize = 2;

/// How the source is set up that a request is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Receiver<'a> {
    /// Calls of its plugin and look-ups of its keys are counted by this name.
    pub(crate) name: &'a Name,
    /// The JSON object that its plugin gets.
    pub(crate) settings: &'a Arc<str>,
    /// All that are active.
    pub(crate) secrets: &'a [Secret],
    /// How far a signing time may stand from the clock, if not as the provider says; zero is any.
    pub(crate) tolerance: Option<Duration>,
    /// The hosts that may be asked for its keys.
    pub(crate) keys_from: &'a [String],
}

/// Why a request is not known to be genuine.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unproven {
    /// The plugin could not be asked, or broke.
    #[error(transparent)]
    Plugin(CallError),
    /// The plugin found nothing that it could claim.
    #[error("{}", .0.reason)]
    Claims(Refusal),
    /// What it claimed does not hold.
    #[error(transparent)]
    Evidence(signature::Error),
    /// A key that is needed to tell can't be had.
    #[error(transparent)]
    Key(KeyError),
}

/// What a provider's plugin claims of a request, once its evidence holds at the time that the
/// request was received. A validation challenge, which is never stored, needs no evidence.
pub(crate) async fn prove(
    host: &Host,
    keys: &Keys,
    plugin: &Arc<Plugin>,
    receiver: Receiver<'_>,
    request: &Arc<Request>,
) -> Result<Claims, Unproven> {
    let Receiver { name, settings, .. } = receiver;
    let claims = host
        .claims(plugin, settings, name, request)
        .await
        .map_err(Unproven::Plugin)?
        .map_err(Unproven::Claims)?;
    if needs_no_evidence(&claims) {
        return Ok(claims);
    }
    let info = plugin.provider().expect("only a provider claims anything");
    verify(keys, info, receiver, &claims, request).await?;
    Ok(claims)
}

/// Holds the evidence against the source's secrets, and against keys that are not its own.
async fn verify(
    keys: &Keys,
    info: &ProviderInfo,
    receiver: Receiver<'_>,
    claims: &Claims,
    request: &Request,
) -> Result<(), Unproven> {
    let found = find_keys(keys, info, receiver, claims, request).await?;
    let Receiver { secrets, tolerance, .. } = receiver;
    let keys = signature::Keyring { secrets, found: &found };
    let body = &request.body;
    let now = request.received_at;
    signature::verify(claims, info, keys, body, tolerance, now).map_err(Unproven::Evidence)
}

/// Whether a request may go without evidence: one that can't be stored, whatever it claims.
fn needs_no_evidence(claims: &Claims) -> bool {
    claims.handshake.is_some() && claims.evidence.is_empty()
}

/// The public keys that the evidence names; none for most providers.
async fn find_keys<'c>(
    keys: &Keys,
    info: &ProviderInfo,
    receiver: Receiver<'_>,
    claims: &'c Claims,
    request: &Request,
) -> Result<Vec<(PublicKey, &'c KeySource, Vec<u8>)>, Unproven> {
    let mut found = Vec::new();
    if claims.keys_to_find().next().is_none() {
        return Ok(found);
    }
    let body = &request.body;
    let now = request.received_at;
    let Receiver { secrets, keys_from, tolerance, .. } = receiver;
    let checked = signature::precheck(claims, info, secrets, body, tolerance, now);
    checked.map_err(Unproven::Evidence)?;
    let permission = Permission { info, hosts: keys_from, secrets };
    let mut fetched: Vec<&KeySource> = Vec::new();
    for (scheme, source) in claims.keys_to_find() {
        // Several proofs may name one key.
        if found.iter().any(|(of, known, _)| *of == scheme && *known == source) {
            continue;
        }
        let key = match source {
            KeySource::Configured(_) => continue,
            KeySource::Fetched(lookup) => {
                if !fetched.contains(&source) {
                    if fetched.len() == KEYS_MAX {
                        continue;
                    }
                    fetched.push(source);
                }
                keys.find(receiver.name, permission, scheme, lookup).await
            }
            KeySource::Chain(chain) => keys.vouch(permission, scheme, chain, now),
        };
        found.push((scheme, source, key.map_err(Unproven::Key)?));
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
