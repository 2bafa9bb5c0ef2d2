//! The replays by filter that are not finished: whose turn is next, and who waits for a mark or for
//! the end of what was opened again.
//!
//! One of an endpoint waits for what was opened again there alone: an endpoint at which nothing
//! ends, and whoever fills it, holds up no others.
//!
//! In memory; their rows say how far each has come. Never reads the file, and opens no work.

use std::collections::BTreeMap;

use super::tally::Tallies;
use crate::ids::{Id, Name};

/// With so many works open that were opened again, no replay by filter opens more: those that it
/// opens stand in the lanes of all others, and are to be in memory.
const REOPENED_MAX: usize = 1024;

/// A replay by filter that is not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct OpenReplay {
    pub(in crate::store) id: Id,
    /// Its filter's source.
    pub(in crate::store) source: Option<Name>,
    /// Its filter's endpoint.
    pub(in crate::store) endpoint: Option<Name>,
    /// Whether it may open works, beside those that it hastens.
    pub(in crate::store) opens: bool,
    /// Whether an operator has it stand still.
    pub(in crate::store) is_paused: bool,
}

/// What may keep replays from opening works.
#[derive(Debug, Clone)]
pub(super) struct Limits<'l> {
    pub(super) tallies: &'l Tallies,
    /// How many works are open that were opened again, and may end soon.
    pub(super) reopened: usize,
    /// How many of them, and of all others, are deliveries to these endpoints.
    pub(super) reopened_to: BTreeMap<Name, usize>,
}

impl Limits<'_> {
    /// How many works a replay may open for now, of all or of this endpoint.
    pub(super) fn room(&self, endpoint: Option<&Name>) -> usize {
        let open = match endpoint {
            None => self.reopened,
            Some(endpoint) => self.reopened_to.get(endpoint).copied().unwrap_or_default(),
        };
        REOPENED_MAX.saturating_sub(open)
    }
}

impl OpenReplay {
    /// Whether it waits, because what it would open comes on top of too much. One of all sources
    /// waits for the mark of all only: one source may be over its own mark for weeks.
    pub(super) fn waits(&self, limits: &Limits<'_>) -> bool {
        let has_room = || limits.room(self.endpoint.as_ref()) > 0;
        let is_full = || !has_room() || limits.tallies.are_full(self.source.as_ref());
        self.opens && !self.is_paused && is_full()
    }

    fn goes(&self, limits: &Limits<'_>) -> bool {
        !self.is_paused && !self.waits(limits)
    }
}

/// Whose turn it is behind this one; the replays are in the order of their ids.
pub(super) fn next(open: &[OpenReplay], after: Option<Id>, limits: &Limits<'_>) -> Option<Id> {
    let mut going = open.iter().filter(|replay| replay.goes(limits)).map(|replay| replay.id);
    let first = going.next()?;
    if after.is_none_or(|after| first > after) {
        return Some(first);
    }
    Some(going.find(|id| Some(*id) > after).unwrap_or(first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::IdKind;

    fn replay(position: u64, endpoint: Option<&str>) -> OpenReplay {
        let id = Id { kind: IdKind::Replay, position, tag: 7 };
        let endpoint = endpoint.map(|name| name.parse().unwrap());
        OpenReplay { id, source: None, endpoint, opens: true, is_paused: false }
    }

    #[test]
    fn a_replay_of_one_endpoint_waits_for_that_endpoint_alone() {
        let tallies = Tallies::default();
        let reopened_to = BTreeMap::from([("crm".parse().unwrap(), REOPENED_MAX)]);
        let limits = Limits { tallies: &tallies, reopened: REOPENED_MAX, reopened_to };
        let open = [replay(1, Some("crm")), replay(2, None), replay(3, Some("erp"))];
        assert_eq!(next(&open, None, &limits), Some(open[2].id));
        assert_eq!(limits.room(open[2].endpoint.as_ref()), REOPENED_MAX);
    }
}
