//! A source: a place to post to, as the operator set it up, and its share of what all have.
//!
//! What ingest and the rest of the gateway know of it; clones have one share. Never takes a request
//! itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::gate::Gate;
use super::intake::Share;
use super::pacing::Pacing;
use crate::event::Timestamp;
use crate::ids::Name;
use crate::plugin::Plugin;
use crate::proof::Receiver;
use crate::pseudonym::Pseudonyms;
use crate::secrets::Secret;
use crate::store::{PluginStamp, Terms};
use crate::tenant::TenantOf;

/// Whether requests must prove where they come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verify {
    /// By the evidence that the provider plugin reads off them.
    #[default]
    Evidence,
    /// Not at all: everybody may post.
    None,
}

/// How many requests a source should bring, as the operator says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expected {
    /// At least this many,
    pub(crate) requests: u32,
    /// within any span of this length.
    pub(crate) within: Duration,
}

/// A place to post to.
#[derive(Debug, Clone)]
pub struct Source {
    /// The provider plugin that reads its requests.
    pub(crate) plugin: Name,
    /// All that are active: several during a rotation.
    pub(crate) secrets: Arc<[Secret]>,
    /// When the file of each was written last; `None` for one that is in no file.
    pub(crate) secret_dates: Arc<[Option<Timestamp>]>,
    /// How far a signing time may stand from the clock, if not as the provider says; zero is any.
    pub(crate) tolerance: Option<Duration>,
    /// Whether anything is verified.
    pub(crate) verify: Verify,
    /// The JSON object that the plugin gets.
    pub(crate) settings: Arc<str>,
    /// The hosts that may be asked for its keys.
    pub(crate) keys_from: Vec<String>,
    /// How long its event ids are known, so that an event that comes again is a duplicate.
    pub(crate) duplicates: Duration,
    /// Who may post to it at all.
    pub(crate) gate: Gate,
    /// Whose its events are.
    pub(crate) tenant: TenantOf,
    /// How much it should bring, if anybody is to be told that it does not.
    pub(crate) expected: Option<Expected>,
    /// What is kept of its requests only as pseudonyms, if anything.
    pub(crate) redact: Option<Arc<Pseudonyms>>,
    /// Why its plugin refuses to work for it, if it does: then nothing is taken.
    pub(crate) stopped: Option<Arc<str>>,
    /// Requests that are worked on at a time.
    pub(super) requests: Arc<Semaphore>,
    /// What is held of its bodies.
    pub(super) held: Arc<Share>,
    /// How soon its refused requests are answered.
    pub(super) refusals: Arc<Pacing>,
    /// The plugin that last claimed anything of its requests: all of their receipts share it.
    claimed_by: Arc<ArcSwapOption<PluginStamp>>,
}

/// What one source may have of what all share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shares {
    /// Requests that are worked on at a time.
    pub(crate) requests: usize,
    /// What is held of its bodies until they are answered, in bytes.
    pub(crate) held_bytes: usize,
}

impl Source {
    /// A source that may have so much of what all share.
    pub(crate) fn new(
        plugin: Name,
        secrets: Vec<Secret>,
        tolerance: Option<Duration>,
        verify: Verify,
        settings: Arc<str>,
        shares: Shares,
    ) -> Self {
        Self {
            plugin,
            secrets: secrets.into(),
            secret_dates: Arc::default(),
            tolerance,
            verify,
            settings,
            keys_from: Vec::new(),
            duplicates: Terms::DEFAULT,
            gate: Gate::default(),
            tenant: TenantOf::default(),
            expected: None,
            redact: None,
            stopped: None,
            requests: Arc::new(Semaphore::new(shares.requests)),
            held: Share::of(shares.held_bytes),
            refusals: Arc::default(),
            claimed_by: Arc::default(),
        }
    }

    /// With the hosts that may be asked for its keys.
    #[must_use]
    pub(crate) fn with_keys_from(self, keys_from: Vec<String>) -> Self {
        Self { keys_from, ..self }
    }

    /// With when the file of each secret was written last.
    #[must_use]
    pub(crate) fn with_secret_dates(self, secret_dates: Arc<[Option<Timestamp>]>) -> Self {
        Self { secret_dates, ..self }
    }

    /// With who may post to it.
    #[must_use]
    pub(crate) fn with_gate(self, gate: Gate) -> Self {
        Self { gate, ..self }
    }

    /// With whose its events are.
    #[must_use]
    pub(crate) fn with_tenant(self, tenant: TenantOf) -> Self {
        Self { tenant, ..self }
    }

    /// With how much it should bring.
    #[must_use]
    pub(crate) fn with_expected(self, expected: Option<Expected>) -> Self {
        Self { expected, ..self }
    }

    /// With what is kept of its requests only as pseudonyms.
    #[must_use]
    pub(crate) fn with_redact(self, redact: Option<Arc<Pseudonyms>>) -> Self {
        Self { redact, ..self }
    }

    /// With how long its event ids are known.
    #[must_use]
    pub(crate) fn with_duplicates(self, duplicates: Duration) -> Self {
        Self { duplicates, ..self }
    }

    /// What a receipt says of the plugin that claimed it: the same value for as long as it is the
    /// same file. `None` if it is no provider.
    pub(super) fn stamp(&self, plugin: &Plugin) -> Option<Arc<PluginStamp>> {
        let version = &plugin.provider()?.version;
        let last = self.claimed_by.load_full();
        let is_it =
            |it: &Arc<PluginStamp>| it.digest == plugin.digest() && it.name == *plugin.name();
        if let Some(stamp) = last.filter(is_it) {
            return Some(stamp);
        }
        let stamp = Arc::new(PluginStamp::new(plugin.name(), version, plugin.digest()));
        self.claimed_by.store(Some(Arc::clone(&stamp)));
        Some(stamp)
    }

    /// What its requests are proven by.
    pub(super) fn receiver<'a>(&'a self, name: &'a Name) -> Receiver<'a> {
        let Self { settings, secrets, tolerance, keys_from, .. } = self;
        Receiver { name, settings, secrets, tolerance: *tolerance, keys_from }
    }
}

/// The sources as they are now; swapped whole when the configuration changes.
pub(crate) type Sources = ArcSwap<BTreeMap<Name, Source>>;
