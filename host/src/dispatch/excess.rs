//! The excess of what waits for a handler that is stopped, or missing: new events still go to it,
//! and without a bound what waits would bring their sources to their marks.
//!
//! The oldest runs beyond the bound end as dead letters, each in the turn of its handler, and can
//! be replayed. A handler that is missing and that the configuration does not name gets no new
//! events, so nothing of it is ever excess. Never ends a run of a handler that works.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use tracing::warn;

use super::emitted::Wishes;
use super::{Dispatch, Ended, Rules};
use crate::ids::Name;
use crate::lock::lock;
use crate::retry::Outcome;
use crate::store::WorkKind;

/// Why a run ends for which there is no room.
const NO_ROOM: &str =
    "more runs wait for the handler, which is missing or refuses its settings, than may";

/// What part of a high-water mark may wait for all handlers that do not work: the rest is for what
/// goes on.
const OF_WAITING: usize = 2;

/// How many runs of each handler are still to end; no handler has none.
#[derive(Debug, Default)]
pub(crate) struct Excess(Mutex<BTreeMap<Name, usize>>);

impl Excess {
    fn is_of(&self, handler: &Name) -> bool {
        lock(&self.0).contains_key(handler)
    }

    /// Takes one of this handler: whether there was one, and whether it was the last.
    fn take(&self, handler: &Name) -> (bool, bool) {
        let mut all = lock(&self.0);
        let Some(left) = all.get_mut(handler) else { return (false, false) };
        *left -= 1;
        let is_last = *left == 0;
        if is_last {
            all.remove(handler);
        }
        (true, is_last)
    }
}

impl Dispatch {
    /// Looks at how many runs wait for handlers that do not work and still get events, and has the
    /// oldest end of those that have more than their share.
    pub(crate) fn bound_waiting(&self) {
        let rules = self.rules.load();
        let named = rules.stopped_handlers.keys().chain(rules.handlers.keys());
        let growing: BTreeSet<&Name> =
            named.filter(|handler| self.is_growing(&rules, handler)).collect();
        lock(&self.excess.0).retain(|handler, _| growing.contains(handler));
        if growing.is_empty() {
            return;
        }
        let marks = self.store.open_works().marks;
        let keep = (marks.per_source.min(marks.all) / OF_WAITING / growing.len()).max(1);
        let mut is_more = false;
        for (handler, works) in self.store.waiting(WorkKind::Run) {
            // One that is at it goes on: those in its hands are no part of what waits.
            if works <= keep || !growing.contains(&handler) || self.excess.is_of(&handler) {
                continue;
            }
            warn!(handler.name = %handler, ending = works - keep, keep, "ending runs: {NO_ROOM}");
            lock(&self.excess.0).insert(handler, works - keep);
            is_more = true;
        }
        if is_more {
            self.store.ask_again(WorkKind::Run);
        }
    }

    /// Whether new events go to a handler that does not work.
    fn is_growing(&self, rules: &Rules, handler: &Name) -> bool {
        rules.stopped_handlers.contains_key(handler)
            || rules.handlers.contains_key(handler)
                && self.missing_of_handler(rules, handler).is_some()
    }

    /// Whether runs of a handler may be taken to end, which does not work.
    pub(super) fn has_excess(&self, rules: &Rules, handler: &Name) -> bool {
        self.excess.is_of(handler) && self.is_growing(rules, handler)
    }

    /// How a run of a handler that does not work ends, if it is excess.
    pub(super) fn ended_as_excess(&self, handler: &Name) -> Option<Ended<'_, Wishes>> {
        let (is_excess, is_last) = self.excess.take(handler);
        if is_last {
            // Its other runs are not taken any more.
            self.store.ask_again(WorkKind::Run);
        }
        let outcome = Outcome::permanent(NO_ROOM);
        is_excess.then(|| Ended { outcome, ..self.missing(NO_ROOM.to_owned()) })
    }
}
