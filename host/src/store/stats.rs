//! How much there is of everything: for metrics and for people.
//!
//! Counted in memory as it changes; reading it touches no file.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use serde::Serialize;

use super::Store;
use super::kind::WorkKind;
use crate::ids::Name;

/// How many works of one kind there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct KindStats {
    /// Could be taken now, as far as limits allow.
    pub ready: usize,
    /// Taken.
    pub in_flight: usize,
    /// Wait for a time.
    pub retrying: usize,
    /// Wait behind another of their subject.
    pub blocked: usize,
    /// Can't be done, because their record is damaged.
    pub parked: usize,
    /// Dead letters.
    pub dead: u64,
}

impl KindStats {
    /// All that will be tried by itself.
    pub fn pending(&self) -> usize {
        self.ready + self.in_flight + self.retrying + self.blocked
    }
}

/// The store at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Stats {
    /// By kind of work.
    pub works: BTreeMap<WorkKind, KindStats>,
    /// Writes that wait for the writer or are being written.
    pub queued: usize,
    /// Commits since the start.
    pub commits: u64,
    /// Where the log ends.
    pub end: u64,
    /// Positions of the log at which damage was met since the start.
    pub damaged: usize,
}

impl Store {
    /// The store at a glance.
    pub fn stats(&self) -> Stats {
        let shared = &self.handle.shared;
        Stats {
            works: shared.backlog().stats(),
            damaged: shared.damages.count(),
            queued: shared.queued.load(Ordering::Relaxed),
            commits: shared.commits.load(Ordering::Relaxed),
            end: shared.end.load(Ordering::Relaxed),
        }
    }

    /// Where more works wait than this, and how many do: parses of one source, runs of one handler,
    /// or deliveries to one endpoint.
    pub fn lanes_longer_than(&self, works: usize) -> Vec<(WorkKind, Name, usize)> {
        self.handle.shared.backlog().longer_than(works)
    }
}
