//! The replays by filter that are not finished: whose turn is next, and who waits for a mark or for
//! the end of what was opened again.
//!
//! One of an endpoint waits for what was opened again there alone, and one of all passes over an
//! endpoint that has enough of what may not end soon, and comes back: an endpoint at which nothing
//! ends, and whoever fills it, holds up no others.
//!
//! In memory; their rows say how far each has come. Never reads the file, and opens no work.

use std::collections::{BTreeMap, BTreeSet};

use super::tally::Tallies;
use crate::ids::{Id, Name};

/// With so many works open that were opened again, no replay by filter opens more: those that it
/// opens stand in the lanes of all others, and are to be in memory.
const REOPENED_MAX: usize = 1024;

/// Most endpoints that one replay passes over. What goes to more of them it opens.
const ASIDE_MAX: usize = 64;

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
    /// Whether it has come to all but what it passed over.
    pub(in crate::store) is_through: bool,
    /// The endpoints that it passed over and comes back to.
    pub(in crate::store) aside: Vec<Name>,
}

/// What the next slice of a replay is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Slice {
    /// The endpoint that it comes back to; `None` goes on with all.
    pub(in crate::store) aside: Option<Name>,
    /// It opens no more works.
    pub(in crate::store) most: usize,
    /// The endpoints that it passes over.
    pub(in crate::store) leaves: BTreeSet<Name>,
}

/// What may keep replays from opening works.
#[derive(Debug, Clone)]
pub(super) struct Limits<'l> {
    pub(super) tallies: &'l Tallies,
    /// How many works are open that were opened again, and may end soon.
    pub(super) reopened: usize,
    /// How many of them, and of all others, are deliveries to these endpoints.
    pub(super) reopened_to: BTreeMap<Name, usize>,
    /// The endpoints that have enough of those that may not end soon.
    pub(super) clogged: BTreeSet<Name>,
}

impl Limits<'_> {
    /// How many works a replay may open for now, of all or of this endpoint.
    fn room(&self, endpoint: Option<&Name>) -> usize {
        let open = match endpoint {
            None => self.reopened,
            Some(endpoint) => self.reopened_to.get(endpoint).copied().unwrap_or_default(),
        };
        REOPENED_MAX.saturating_sub(open)
    }

    /// Whether a replay may come back to an endpoint that it passed over.
    fn lets_in(&self, endpoint: &Name) -> bool {
        !self.clogged.contains(endpoint) && self.room(Some(endpoint)) > 0
    }
}

impl OpenReplay {
    /// Whether it waits, because what it would open comes on top of too much. One of all sources
    /// waits for the mark of all only: one source may be over its own mark for weeks.
    pub(super) fn waits(&self, limits: &Limits<'_>) -> bool {
        let is_full = || limits.tallies.are_full(self.source.as_ref());
        self.opens && !self.is_paused && (self.slice(limits).is_none() || is_full())
    }

    fn goes(&self, limits: &Limits<'_>) -> bool {
        !self.is_paused && !self.waits(limits)
    }

    /// Whether it stands still for nothing but endpoints at which nothing may end soon: those that
    /// are clogged, or `off`. That may be for as long as they fail, and whoever else wants to
    /// replay something is not to wait for it.
    pub(super) fn rests(&self, limits: &Limits<'_>, off: &BTreeSet<Name>) -> bool {
        let is_stuck = |it: &Name| limits.clogged.contains(it) || off.contains(it);
        let are_stuck = match &self.endpoint {
            _ if self.is_through => self.aside.iter().all(is_stuck),
            Some(endpoint) => is_stuck(endpoint),
            None => false,
        };
        are_stuck && self.opens && !self.is_paused && self.slice(limits).is_none()
    }

    /// What its next slice is for; `None` if it would find no room.
    pub(super) fn slice(&self, limits: &Limits<'_>) -> Option<Slice> {
        if !self.opens {
            return Some(Slice { aside: None, most: usize::MAX, leaves: BTreeSet::new() });
        }
        if self.is_through {
            let aside = self.aside.iter().find(|endpoint| limits.lets_in(endpoint))?;
            let (most, aside) = (limits.room(Some(aside)), Some(aside.clone()));
            return Some(Slice { aside, most, leaves: BTreeSet::new() });
        }
        let most = limits.room(self.endpoint.as_ref());
        (most > 0).then(|| Slice { aside: None, most, leaves: self.leaves(limits) })
    }

    /// The endpoints that it passes over: those of before, and those that are clogged now. One of
    /// an endpoint waits for that.
    fn leaves(&self, limits: &Limits<'_>) -> BTreeSet<Name> {
        let mut leaves: BTreeSet<Name> = self.aside.iter().cloned().collect();
        if self.endpoint.is_none() {
            let new = limits.clogged.iter().filter(|endpoint| !self.aside.contains(endpoint));
            leaves.extend(new.take(ASIDE_MAX.saturating_sub(self.aside.len())).cloned());
        }
        leaves
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
        OpenReplay {
            id,
            source: None,
            endpoint: endpoint.map(name),
            opens: true,
            is_paused: false,
            is_through: false,
            aside: Vec::new(),
        }
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn a_replay_of_one_endpoint_waits_for_that_endpoint_alone() {
        let tallies = Tallies::default();
        let reopened_to = BTreeMap::from([(name("crm"), REOPENED_MAX)]);
        let clogged = BTreeSet::new();
        let limits = Limits { tallies: &tallies, reopened: REOPENED_MAX, reopened_to, clogged };
        let open = [replay(1, Some("crm")), replay(2, None), replay(3, Some("erp"))];
        assert_eq!(next(&open, None, &limits), Some(open[2].id));
        assert_eq!(limits.room(open[2].endpoint.as_ref()), REOPENED_MAX);
    }

    #[test]
    fn a_replay_of_all_passes_over_clogged_endpoints_and_comes_back_to_each_that_is_clear() {
        let tallies = Tallies::default();
        let full = BTreeMap::from([(name("full"), REOPENED_MAX)]);
        let clogged = BTreeSet::from([name("crm"), name("erp")]);
        let mut limits = Limits { tallies: &tallies, reopened: 1_000, reopened_to: full, clogged };
        let open = OpenReplay { aside: vec![name("old")], ..replay(1, None) };
        let slice = open.slice(&limits).unwrap();
        let leaves = ["crm", "erp", "old"].map(name).into();
        assert_eq!(slice, Slice { aside: None, most: 24, leaves });
        assert!(replay(1, Some("crm")).slice(&limits).unwrap().leaves.is_empty());

        let aside = ["crm", "full", "erp"].map(name).to_vec();
        let open = OpenReplay { aside, is_through: true, ..open };
        assert!(open.waits(&limits), "each is clogged or full");
        limits.clogged.remove(&name("erp"));
        let slice = open.slice(&limits).unwrap();
        assert_eq!((slice.aside, slice.most), (Some(name("erp")), REOPENED_MAX));
    }

    /// Say that whatever waits rests, and a replay gives up its place because work is done.
    #[test]
    fn a_replay_rests_that_waits_for_clogged_endpoints_and_none_that_waits_for_what_may_end() {
        let tallies = Tallies::default();
        let reopened_to = ["crm", "full", "off"].map(|it| (name(it), REOPENED_MAX)).into();
        let (clogged, off) = (BTreeSet::from([name("crm")]), BTreeSet::from([name("off")]));
        let limits = Limits { tallies: &tallies, reopened: REOPENED_MAX, reopened_to, clogged };
        let of = |endpoint: Option<&str>| replay(1, endpoint).rests(&limits, &off);
        let each = ["crm", "off", "full", "erp"].map(|it| of(Some(it)));
        assert_eq!((each, of(None)), ([true, true, false, false], false));

        let through = |aside: &[&str]| {
            let aside = aside.iter().map(|it| name(it)).collect();
            OpenReplay { aside, is_through: true, ..replay(1, None) }
        };
        let rests = |aside: &[&str]| through(aside).rests(&limits, &off);
        assert!(rests(&["crm", "off"]) && !rests(&["crm", "full"]) && !rests(&["crm", "erp"]));
        assert!(!OpenReplay { is_paused: true, ..through(&["crm"]) }.rests(&limits, &off));
    }

    #[test]
    fn a_replay_passes_over_no_more_endpoints_than_its_row_may_have() {
        let tallies = Tallies::default();
        let clogged = (0..100).map(|number| name(&format!("e{number}"))).collect();
        let reopened_to = BTreeMap::new();
        let limits = Limits { tallies: &tallies, reopened: 0, reopened_to, clogged };
        let open = OpenReplay { aside: vec![name("old")], ..replay(1, None) };
        assert_eq!(open.slice(&limits).unwrap().leaves.len(), ASIDE_MAX);
    }
}
