//! Order: the runs of one handler on one subject, one at a time; and so the deliveries to an
//! endpoint that wants it.
//!
//! Pure. An order key is a hash of handler and subject: two subjects that share a key only wait for
//! each other now and then, and a key costs no texts. Never knows what is due or in flight.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU64;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustc_hash::FxHashMap;

use super::window::When;
use super::{Entry, OpenWork};
use crate::endpoint::Order;
use crate::ids::Name;
use crate::store::kind::WorkKind;

/// What goes in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::store) struct OrderKey(NonZeroU64);

/// Gives order keys; keyed anew in every process, so that nobody outside can make subjects meet.
#[derive(Debug, Default)]
pub(in crate::store) struct OrderKeys {
    keyed: RandomState,
    /// The endpoints whose deliveries go in order, and by which rule.
    ordered: ArcSwap<BTreeMap<Name, Order>>,
}

impl OrderKeys {
    /// The deliveries to these endpoints go by these rules too.
    pub(in crate::store) fn learn(&self, mut more: BTreeMap<Name, Order>) {
        more.retain(|_, order| *order != Order::None);
        more.extend(self.ordered().iter().map(|(name, order)| (name.clone(), *order)));
        self.ordered.store(Arc::new(more));
    }

    /// The key of a handler's runs on this subject.
    pub(in crate::store) fn key(&self, handler: &Name, subject: &str) -> OrderKey {
        self.key_of((handler, subject))
    }

    /// The key of the deliveries to an endpoint that are about this subject, if they go in order.
    pub(in crate::store) fn delivery(&self, to: &Name, subject: Option<&str>) -> Option<OrderKey> {
        let subject = subject?;
        // No handler has it too, though they may share a name.
        let key = || self.key_of((WorkKind::Delivery, to, subject));
        self.is_ordered(to).then(key)
    }

    fn key_of(&self, of: impl std::hash::Hash) -> OrderKey {
        OrderKey(NonZeroU64::MIN.saturating_add(self.keyed.hash_one(of)))
    }

    fn is_ordered(&self, endpoint: &Name) -> bool {
        let ordered = self.ordered.load();
        !ordered.is_empty() && ordered.contains_key(endpoint)
    }

    /// Whether works of this group go by their positions alone, and not by since when each may be
    /// tried: all where some have an order, so that none of them is left behind.
    pub(in crate::store) fn by_position(&self, kind: WorkKind, group: &Name) -> bool {
        match kind {
            WorkKind::Parse => false,
            WorkKind::Run => true,
            WorkKind::Delivery => self.is_ordered(group),
        }
    }

    /// The endpoints whose deliveries go in order, and by which rule.
    pub(in crate::store) fn ordered(&self) -> Arc<BTreeMap<Name, Order>> {
        self.ordered.load_full()
    }

    /// What is stored from now on goes to this endpoint by this rule.
    pub(in crate::store) fn set(&self, endpoint: &Name, order: Order) {
        let is_set = |ordered: &BTreeMap<Name, Order>| {
            ordered.get(endpoint).copied().unwrap_or_default() == order
        };
        if is_set(&self.ordered.load()) {
            return;
        }
        self.ordered.rcu(|ordered| {
            let mut ordered = BTreeMap::clone(ordered);
            match order {
                Order::None => ordered.remove(endpoint),
                Order::Subject { .. } => ordered.insert(endpoint.clone(), order),
            };
            ordered
        });
    }

    /// A work that was tried so often that it holds up no others has no order, as it had none when
    /// it was tried last.
    pub(in crate::store) fn let_pass(&self, work: &mut OpenWork) {
        if work.kind == WorkKind::Delivery && work.entry.order.is_some() {
            let order = self.ordered.load().get(&work.group).copied().unwrap_or_default();
            if lets_pass(order, work.entry) {
                work.entry.order = None;
            }
        }
    }
}

/// Whether a work that has failed holds up no others any more.
pub(super) fn lets_pass(order: Order, entry: Entry) -> bool {
    match order {
        Order::Subject { skip_after: Some(tries) } => entry.tries.made() >= tries.get(),
        Order::None | Order::Subject { skip_after: None } => false,
    }
}

/// Who waits behind whom.
#[derive(Debug, Default)]
pub(super) struct SubjectOrder {
    /// A key is here while a work of it may go; the queue holds those behind, and when they may.
    /// It is a keyed hash already.
    waiting: FxHashMap<OrderKey, VecDeque<(Entry, When)>>,
}

impl SubjectOrder {
    /// Whether it may go now; if not, it waits in here for its turn: behind what is older, before
    /// what is newer, so that what is opened again keeps its place among what waits.
    pub(super) fn enter(&mut self, entry: Entry, when: When) -> bool {
        let Some(key) = entry.order else { return true };
        match self.waiting.get_mut(&key) {
            Some(behind) => {
                let older = |waiting: &(Entry, When)| waiting.0.position < entry.position;
                behind.insert(behind.partition_point(older), (entry, when));
                false
            }
            None => {
                self.waiting.insert(key, VecDeque::new());
                true
            }
        }
    }

    /// Whether it waits in here; then it may go as soon as its turn comes.
    pub(super) fn hasten(&mut self, entry: Entry, now: When) -> bool {
        let behind = entry.order.and_then(|key| self.waiting.get_mut(&key));
        let found =
            behind.into_iter().flatten().find(|(waiting, _)| waiting.position == entry.position);
        found.is_some_and(|(_, when)| {
            *when = now;
            true
        })
    }

    /// The one in front is finished; gives the next.
    pub(super) fn leave(&mut self, entry: Entry) -> Option<(Entry, When)> {
        let key = entry.order?;
        let next = self.waiting.get_mut(&key)?.pop_front();
        if next.is_none() {
            self.waiting.remove(&key);
        }
        next
    }

    /// Takes the work at this position out of those that wait behind others: of this key, or of
    /// whichever it is.
    pub(super) fn take_out(
        &mut self,
        key: Option<OrderKey>,
        position: u64,
    ) -> Option<(OrderKey, Entry)> {
        let is_it = move |waiting: &(Entry, When)| waiting.0.position == position;
        let (key, behind) = match key {
            Some(key) => (key, self.waiting.get_mut(&key)?),
            None => {
                let mut all = self.waiting.iter_mut().map(|(key, behind)| (*key, behind));
                all.find(|(_, behind)| behind.iter().any(is_it))?
            }
        };
        let found = behind.iter().position(is_it)?;
        let (entry, _) = behind.remove(found)?;
        Some((key, Entry { order: None, ..entry }))
    }

    /// Takes up to `most` of those that wait behind the one in front, which stays there.
    pub(super) fn draw(&mut self, key: OrderKey, most: usize) -> Vec<Entry> {
        let Some(behind) = self.waiting.get_mut(&key) else { return Vec::new() };
        let drawn = behind.drain(..most.min(behind.len()));
        drawn.map(|(entry, _)| Entry { order: None, ..entry }).collect()
    }
}
