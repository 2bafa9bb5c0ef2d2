//! What came in each hour, for operators: receipts, events and tries.
//!
//! Adds up what the index counts: what has no block yet and is not in memory, such as what an older
//! Hookgate stored, counts from the next sweep on. Never reads the log.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::event::Timestamp;
use crate::store::Store;
use crate::store::error::Error;
use crate::store::index::counted;
use crate::store::index::hours::{Count, add_all, begin, hour};
use crate::store::kind::WorkKind;
use crate::store::shared::Shared;

/// Most hours that are given at once: a month.
pub const HOURS_MAX: usize = 744;
/// How often to look again, if a block came in between.
const LOOKS_MAX: usize = 3;

/// What came in an hour.
#[derive(Debug, Clone, Serialize)]
pub struct Hour {
    /// When it begins.
    pub hour: Timestamp,
    /// Accepted requests, by source.
    pub receipts: BTreeMap<String, u64>,
    /// Events, by source or handler and by type.
    pub events: Vec<EventCount>,
    /// Tries of works, by kind and verdict.
    pub tries: Vec<TryCount>,
}

/// How many events of a source and type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventCount {
    /// The source or handler.
    pub source: String,
    /// The type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// How many.
    pub count: u64,
}

/// How many tries of a kind of work, with the same verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TryCount {
    /// The kind of work.
    pub kind: WorkKind,
    /// `done`, `retry` or `dead`.
    pub verdict: &'static str,
    /// How many.
    pub count: u64,
}

impl Hour {
    fn at(number: u64) -> Self {
        let (receipts, events, tries) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { hour: begin(number), receipts, events, tries }
    }

    fn add(&mut self, what: Count, count: u64) {
        match what {
            Count::Receipts { source } => {
                self.receipts.insert(source, count);
            }
            Count::Events { source, event_type } => {
                self.events.push(EventCount { source, event_type, count });
            }
            Count::Tries { kind, verdict } => {
                let verdict = match verdict {
                    0 => "done",
                    1 => "retry",
                    _ => "dead",
                };
                if let Some(kind) = WorkKind::read(kind) {
                    self.tries.push(TryCount { kind, verdict, count });
                }
            }
        }
    }
}

impl Store {
    /// What came in each hour that has something of this time, the oldest first: the last
    /// [`HOURS_MAX`] of them.
    pub async fn hours(
        &self,
        after: Option<Timestamp>,
        before: Option<Timestamp>,
    ) -> Result<Vec<Hour>, Error> {
        self.aside(move |shared| shared.hours(after, before)).await
    }
}

impl Shared {
    fn hours(
        &self,
        after: Option<Timestamp>,
        before: Option<Timestamp>,
    ) -> Result<Vec<Hour>, Error> {
        let is_wanted = |number: u64| {
            after.is_none_or(|after| number >= hour(after))
                && before.is_none_or(|before| begin(number) < before)
        };
        let mut looks = 0;
        let counts = loop {
            let (end, mut counts) = counted(&self.file.read()?.index()?, is_wanted)?;
            let (first, mut newest) = self.index.counts();
            looks += 1;
            // A block that came since has what the view lacks and the memory let go; one that is
            // in the view has what the memory is about to let go.
            if first != end && looks < LOOKS_MAX {
                continue;
            }
            if first >= end {
                newest.retain(|(number, _), _| is_wanted(*number));
                add_all(newest, &mut counts);
            }
            break counts;
        };
        let mut hours: Vec<Hour> = Vec::new();
        for ((number, what), count) in counts {
            if hours.last().is_none_or(|last| last.hour != begin(number)) {
                hours.push(Hour::at(number));
            }
            if let Some(last) = hours.last_mut() {
                last.add(what, count);
            }
        }
        let first = hours.len().saturating_sub(HOURS_MAX);
        Ok(hours.split_off(first))
    }
}
