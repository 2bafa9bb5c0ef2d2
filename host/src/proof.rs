//! Whether a request is genuine: what its provider plugin claims of it, held against the keys of
//! the source that it is for.
//!
//! One way to tell for all who ask: a request that is posted and one that was recorded
//! (`hookgate plugin test`) are proven by the same steps and within the same limits. Fails closed.
//! Anybody can send what takes long to verify, so that is done where the plugin claimed it, on a
//! thread and in the turn that the source has anyway. Only what had to wait for a key is verified
//! where it is awaited, unless it takes long. Never stores a request, and never answers one.

use std::sync::Arc;
use std::time::Duration;

use crate::event::Request;
use crate::ids::Name;
use crate::keys::{KeyError, Keys, Permission};
use crate::plugin::{CallError, Host, Kept, Plugin, Tell};
use crate::provider::{Claims, KeyLookup, KeySource, ProviderInfo, PublicKey, Refusal};
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
    pub(crate) secrets: &'a Arc<[Secret]>,
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

impl Unproven {
    /// Whether the same request may be genuine all the same: then its sender should come again.
    /// Claims are made of what a request says, and anybody can send one: so those that break the
    /// contract are no failure of the gateway.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Plugin(CallError::Violation(_)) | Self::Claims(_) | Self::Evidence(_) => false,
            Self::Plugin(_) => true,
            Self::Key(error) => error.is_passing(),
        }
    }

    /// The case, for counting; none where nobody got as far as to judge the request.
    pub(crate) fn label(&self) -> Option<&'static str> {
        match self {
            Self::Plugin(CallError::Violation(_)) => Some("violation"),
            Self::Plugin(_) => None,
            Self::Claims(_) => Some("claims"),
            Self::Evidence(error) => Some(error.label()),
            Self::Key(error) => Some(error.label()),
        }
    }
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
    let proven =
        prove_and(host, keys, plugin, receiver, request, |_, _| None::<()>, |tell| tell()).await;
    proven.map(|(claims, _)| claims)
}

/// The same, and makes something of what holds on the thread and in the turn in which the plugin
/// claimed it, with the instance in which it did if that may be used again: nothing if a key has to
/// be fetched for that. `hand` has this resolve, behind what is made.
pub(crate) async fn prove_and<T: Send + 'static>(
    host: &Host,
    keys: &Keys,
    plugin: &Arc<Plugin>,
    receiver: Receiver<'_>,
    request: &Arc<Request>,
    make: impl FnOnce(&Claims, Option<Kept<'_>>) -> Option<T> + Send + 'static,
    hand: impl FnOnce(Tell) + Send + 'static,
) -> Result<(Claims, Option<T>), Unproven> {
    let Receiver { name, settings, secrets, .. } = receiver;
    let judge = {
        let (plugin, trial) = (Arc::clone(plugin), Trial::of(keys, receiver, request));
        move |claims: Claims, kept: Option<Kept<'_>>| {
            trial.begin(info(&plugin), &claims)?;
            let made = if waits_for_key(&claims) { None } else { make(&claims, kept) };
            Ok::<_, Unproven>((trial, claims, made))
        }
    };
    let judged = host.claims_handing(plugin, settings, name, request, judge, hand).await;
    let (trial, claims, made) = judged.map_err(Unproven::Plugin)?.map_err(Unproven::Claims)??;
    if !waits_for_key(&claims) {
        return Ok((claims, made));
    }
    let fetched = trial.fetch(info(plugin), receiver, &claims).await?;
    let takes_long = signature::takes_long(&claims, secrets, &request.body);
    let judge = {
        let plugin = Arc::clone(plugin);
        move || trial.verify(info(&plugin), &claims, &fetched).map(|()| (claims, None))
    };
    if takes_long { host.in_turn(name, judge).await.map_err(Unproven::Plugin)? } else { judge() }
}

/// The same as [`prove`] on the thread that asks, which waits, for a request that was received long
/// ago. Nothing is fetched: evidence that waits for a key is [`Unproven::Key`] at once.
pub(crate) fn prove_here(
    host: &Host,
    plugin: &Plugin,
    receiver: Receiver<'_>,
    request: &Arc<Request>,
) -> Result<Claims, Unproven> {
    let claimed = host.alone(plugin).claims(receiver.settings, request);
    let claims = claimed.map_err(Unproven::Plugin)?.map_err(Unproven::Claims)?;
    let keys = Keys::recorded(Vec::new());
    Trial::of(&keys, receiver, request).begin(info(plugin), &claims)?;
    if waits_for_key(&claims) { Err(Unproven::Key(KeyError::Unknown)) } else { Ok(claims) }
}

fn info(plugin: &Plugin) -> &ProviderInfo {
    plugin.provider().expect("only a provider claims anything")
}

/// Whether a request may go without evidence: one that can't be stored, whatever it claims.
fn needs_no_evidence(claims: &Claims) -> bool {
    claims.handshake.is_some() && claims.evidence.is_empty()
}

/// Whether a key has to be fetched before the evidence can be verified; for most providers not.
fn waits_for_key(claims: &Claims) -> bool {
    claims.keys_to_find().any(|(_, key)| matches!(key, KeySource::Fetched(_)))
}

/// All that one request is judged by, on whatever thread.
#[derive(Debug)]
struct Trial {
    keys: Keys,
    secrets: Arc<[Secret]>,
    tolerance: Option<Duration>,
    request: Arc<Request>,
}

/// A key that was fetched for a scheme, as the family's own bytes.
#[derive(Debug)]
struct FetchedKey {
    scheme: PublicKey,
    lookup: KeyLookup,
    bytes: Vec<u8>,
}

impl Trial {
    fn of(keys: &Keys, receiver: Receiver<'_>, request: &Arc<Request>) -> Self {
        Self {
            keys: keys.clone(),
            secrets: Arc::clone(receiver.secrets),
            tolerance: receiver.tolerance,
            request: Arc::clone(request),
        }
    }

    /// Judges as far as that can be done before a key is fetched, and to the end if none has to be.
    fn begin(&self, info: &ProviderInfo, claims: &Claims) -> Result<(), Unproven> {
        if needs_no_evidence(claims) {
            return Ok(());
        }
        if claims.keys_to_find().next().is_some() {
            let Self { secrets, tolerance, request, .. } = self;
            let now = request.received_at;
            signature::precheck(claims, info, secrets, &request.body, *tolerance, now)
                .map_err(Unproven::Evidence)?;
        }
        if waits_for_key(claims) { Ok(()) } else { self.verify(info, claims, &[]) }
    }

    /// The public keys that the evidence names, each once and no more than may be fetched.
    async fn fetch(
        &self,
        info: &ProviderInfo,
        Receiver { name, keys_from: hosts, secrets, .. }: Receiver<'_>,
        claims: &Claims,
    ) -> Result<Vec<FetchedKey>, Unproven> {
        let permission = Permission { info, hosts, secrets };
        let mut lookups: Vec<&KeyLookup> = Vec::new();
        let mut fetched: Vec<FetchedKey> = Vec::new();
        for (scheme, source) in claims.keys_to_find() {
            let KeySource::Fetched(lookup) = source else { continue };
            // Several proofs may name one key.
            if fetched.iter().any(|key| key.is(scheme, lookup)) {
                continue;
            }
            if !lookups.contains(&lookup) {
                if lookups.len() == KEYS_MAX {
                    continue;
                }
                lookups.push(lookup);
            }
            let bytes = self.keys.find(name, permission, scheme, lookup).await;
            let bytes = bytes.map_err(Unproven::Key)?;
            fetched.push(FetchedKey { scheme, lookup: lookup.clone(), bytes });
        }
        Ok(fetched)
    }

    /// Holds the evidence against the source's secrets, and against keys that are not its own.
    fn verify(
        &self,
        info: &ProviderInfo,
        claims: &Claims,
        fetched: &[FetchedKey],
    ) -> Result<(), Unproven> {
        let Self { secrets, tolerance, request, .. } = self;
        let now = request.received_at;
        let permission = Permission { info, hosts: &[], secrets };
        let mut found: Vec<(PublicKey, &KeySource, Vec<u8>)> = Vec::new();
        for (scheme, source) in claims.keys_to_find() {
            if found.iter().any(|(of, known, _)| *of == scheme && *known == source) {
                continue;
            }
            let key = match source {
                KeySource::Configured(_) => None,
                KeySource::Fetched(lookup) => {
                    let key = fetched.iter().find(|key| key.is(scheme, lookup));
                    key.map(|key| key.bytes.clone())
                }
                KeySource::Chain(chain) => {
                    let key = self.keys.vouch(permission, scheme, chain, now);
                    Some(key.map_err(Unproven::Key)?)
                }
            };
            found.extend(key.map(|key| (scheme, source, key)));
        }
        let keys = signature::Keyring { secrets, found: &found };
        signature::verify(claims, info, keys, &request.body, *tolerance, now)
            .map_err(Unproven::Evidence)
    }
}

impl FetchedKey {
    fn is(&self, scheme: PublicKey, lookup: &KeyLookup) -> bool {
        self.scheme == scheme && self.lookup == *lookup
    }
}

#[cfg(test)]
mod tests;
