//! What is asked of a rehearsal, what it has at hand, and how far it has come.
//!
//! Values of whoever asks, who read the configuration. Nothing here runs a plugin.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::event::Timestamp;
use crate::ids::Name;
use crate::plugin::{EndpointFinder, Grant, Host, Plugin, Role};
use crate::route::Pattern;
use crate::secrets::{Redaction, Secret};

/// What to rehearse.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The version to try. It has the name of the one that it is held against: its runs, or the
    /// sources in the [stage](Stage::sources), are those that are run again.
    pub plugin: Arc<Plugin>,
    /// In which role.
    pub role: Role,
    /// Only receipts of this source, or runs on events of this source or handler.
    pub source: Option<Name>,
    /// Only runs on events of these types, or receipts that brought one.
    pub event_type: Option<Pattern>,
    /// Only receipts and events that were stored at this time or later.
    pub since: Option<Timestamp>,
    /// And before this time.
    pub until: Option<Timestamp>,
    /// At most so many receipts or runs, the oldest of those that match; `u64::MAX` is all.
    pub limit: u64,
}

impl Ask {
    /// Whether what was stored at this time is asked for.
    pub(super) fn is_within(&self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }

    /// Whether what is of this source is asked for.
    pub(super) fn is_of(&self, source: &Name) -> bool {
        self.source.as_ref().is_none_or(|wanted| wanted == source)
    }
}

/// What the plugin finds, as the configuration has it now.
#[derive(Clone)]
pub struct Stage {
    /// Calls the plugin, within the bounds of its name.
    pub host: Host,
    /// The JSON object that a handler gets.
    pub settings: Arc<str>,
    /// What a handler may reach.
    pub grant: Arc<Grant>,
    /// Which endpoints there are.
    pub endpoints: EndpointFinder,
    /// After which time what a handler remembers goes, if nobody sets it again.
    pub state_term: Option<Duration>,
    /// Knows the secrets that no report shows.
    pub redaction: Redaction,
    /// The sources that a provider is for; receipts of others are passed over.
    pub sources: BTreeMap<Name, SourceSetup>,
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage").field("sources", &self.sources).finish_non_exhaustive()
    }
}

/// How a source is set up.
#[derive(Debug, Clone)]
pub struct SourceSetup {
    /// The JSON object that its provider gets.
    pub settings: Arc<str>,
    /// Those that verify its requests and decrypt their bodies.
    pub secrets: Arc<[Secret]>,
    /// How far a signing time may stand from the time of receipt, if not as the provider says; zero
    /// is any.
    pub tolerance: Option<Duration>,
    /// Whether its requests are accepted without a proof.
    pub is_unverified: bool,
    /// Whether its receipts are redacted: no signature holds over what is left, so each counts as
    /// genuine as it did when it came.
    pub is_redacted: bool,
}

/// How far a rehearsal has come, for whoever watches it or wants it to end.
#[derive(Debug, Default)]
pub struct Progress {
    from: AtomicU64,
    done: AtomicU64,
    of: AtomicU64,
    is_cancelled: Arc<AtomicBool>,
}

impl Progress {
    /// The positions of the log that it has passed.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// The positions of the log that it has to pass in all; zero until it has begun.
    pub fn of(&self) -> u64 {
        self.of.load(Ordering::Relaxed)
    }

    /// Ends the rehearsal, and cuts off the calls that are under way. That it has ended is said by
    /// what it returns.
    pub fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether somebody wants it to end.
    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }

    /// What is set once somebody wants it to end.
    pub(super) fn end(&self) -> &Arc<AtomicBool> {
        &self.is_cancelled
    }

    pub(super) fn begin(&self, from: u64, end: u64) {
        self.from.store(from, Ordering::Relaxed);
        self.of.store(end.saturating_sub(from), Ordering::Relaxed);
    }

    pub(super) fn reach(&self, position: u64) {
        let from = self.from.load(Ordering::Relaxed);
        self.done.store(position.saturating_sub(from), Ordering::Relaxed);
    }
}
