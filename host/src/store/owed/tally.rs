//! How many works are open, by the source that they go back to, held against the high-water marks.
//!
//! Whoever decides about a request reads a flag in here, and waits for nobody: [`count`] writes it
//! where works join the backlog and leave it. Never decides what follows when a mark is reached.

pub(in crate::store) mod count;

use std::collections::{BTreeMap, HashMap};
use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::ids::Name;
use crate::store::kind::WorkKind;

/// How many works may be open before no more requests should come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    /// Of all sources together.
    pub all: usize,
    /// Of each source: what goes back to its receipts.
    pub per_source: usize,
}

/// The open works of one source, or of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Open {
    /// How many there are.
    pub works: usize,
    /// Whether they have reached the mark, and not fallen far enough below it since.
    pub is_over: bool,
}

/// The open works at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenWorks {
    /// All of them.
    pub all: Open,
    /// Those of every source that has had any since the start.
    pub sources: BTreeMap<Name, Open>,
    /// Those that go back to a source that is not known: an earlier Hookgate did not write it down.
    pub unknown: usize,
    /// What they are held against.
    pub marks: Marks,
}

/// Which mark the open works have reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// The source's own.
    Source,
    /// That of all sources together.
    All,
}

impl Marks {
    /// No number reaches these.
    const NONE: Self = Self { all: usize::MAX, per_source: usize::MAX };

    /// Once a mark was reached, requests may come in again at this many open works: an eighth less,
    /// so that the gateway does not accept and refuse by turns.
    pub fn low(mark: usize) -> usize {
        mark.saturating_sub((mark / 8).max(1))
    }

    /// At this many runs and deliveries the parses wait too. With few receipts to parse it is a
    /// quarter above the mark, so that those that came just before the mark was reached can usually
    /// be parsed. With many it is less, so that all works together are about half above the mark:
    /// what a source whose receipts have piled up opens must not take the room of others. It is at
    /// least half of the mark, so that receipts alone never hold each other.
    fn hold(mark: usize, parses: usize) -> usize {
        let together = mark.saturating_add(mark / 2);
        let least = (mark / 2).max(1);
        together.saturating_sub(parses).clamp(least, mark.saturating_add(mark / 4))
    }

    /// At this many open works no replay by filter opens more: a replay that went on to the mark
    /// would keep senders out for as long as it lasts.
    fn full(mark: usize) -> usize {
        (mark - mark / 4).max(1)
    }
}

/// Whether a number has reached a mark.
#[derive(Debug, Default)]
struct Flag(AtomicBool);

impl Flag {
    /// Whether the number has reached the mark now and had not, or has fallen to the lower one.
    fn judge(&self, count: usize, high: usize, low: usize) -> bool {
        let was_set = self.is_set();
        let is_set = if was_set { count > low } else { count >= high };
        self.0.store(is_set, Ordering::Relaxed);
        is_set != was_set
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number, and whether it has reached a mark.
#[derive(Debug, Default)]
struct Level {
    count: AtomicUsize,
    is_over: Flag,
}

impl Level {
    /// Whether it has reached the mark now and had not, or has fallen to the lower one.
    fn judge(&self, high: usize, low: usize) -> bool {
        self.is_over.judge(self.count(), high, low)
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    fn is_over(&self) -> bool {
        self.is_over.is_set()
    }
}

/// The open works of one source, or of all.
#[derive(Debug, Default)]
struct Tally {
    all: Level,
    /// The runs and deliveries: a parse opens more of them, and none of them waits for a parse.
    derived: Level,
    /// Whether there are too many for a replay by filter to open more.
    is_full: Flag,
    /// How many receipts of the source may be parsed now or are being parsed, as of the last
    /// commit. Wakes whoever waits for the end of the last.
    unparsed: watch::Sender<usize>,
}

impl Tally {
    fn open(&self) -> Open {
        Open { works: self.all.count(), is_over: self.all.is_over() }
    }

    fn opened(&self, kind: WorkKind) {
        self.opened_many(kind, 1);
    }

    fn opened_many(&self, kind: WorkKind, works: usize) {
        for level in self.levels(kind) {
            level.count.fetch_add(works, Ordering::Relaxed);
        }
    }

    fn closed(&self, kind: WorkKind) {
        for level in self.levels(kind) {
            level.count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn note_unparsed(&self, now: usize) {
        self.unparsed.send_if_modified(|unparsed| {
            let before = std::mem::replace(unparsed, now);
            before > 0 && now == 0
        });
    }

    fn levels(&self, kind: WorkKind) -> impl Iterator<Item = &Level> {
        iter::once(&self.all).chain((kind != WorkKind::Parse).then_some(&self.derived))
    }

    /// Whether the mark of a source was reached by what was counted, or is not any more.
    fn judge(&self, mark: usize) -> bool {
        self.judge_beside(self.all.count().saturating_sub(self.derived.count()), mark)
    }

    /// The same of that of all sources. Receipts that have piled up count for nothing here: what is
    /// owed to a dead endpoint of one source must not hold the receipts of all others for that.
    fn judge_all(&self, mark: usize) -> bool {
        self.judge_beside(0, mark)
    }

    fn judge_beside(&self, parses: usize, mark: usize) -> bool {
        let mark = mark.max(1);
        let hold = Marks::hold(mark, parses);
        let full = Marks::full(mark);
        let all = self.all.judge(mark, Marks::low(mark));
        // Usually that is down to the mark.
        let derived = self.derived.judge(hold, (hold - hold / 5).min(hold - 1));
        let is_full = self.is_full.judge(self.all.count(), full, Marks::low(full));
        all || derived || is_full
    }
}

/// The tallies of all sources.
#[derive(Debug)]
pub(in crate::store) struct Tallies {
    all: Tally,
    sources: ArcSwap<HashMap<Name, Arc<Tally>>>,
    unknown: Arc<Tally>,
    mark: AtomicUsize,
    mark_per_source: AtomicUsize,
    /// A mark was reached, or is not any more.
    crossed: watch::Sender<()>,
}

impl Default for Tallies {
    fn default() -> Self {
        Self {
            all: Tally::default(),
            sources: ArcSwap::default(),
            unknown: Arc::default(),
            mark: AtomicUsize::new(Marks::NONE.all),
            mark_per_source: AtomicUsize::new(Marks::NONE.per_source),
            crossed: watch::Sender::default(),
        }
    }
}

impl Tallies {
    /// The mark that keeps a request of this source out, if one does: its own first, which says
    /// more.
    pub(in crate::store) fn reached(&self, source: &Name) -> Option<Reached> {
        if self.sources.load().get(source).is_some_and(|tally| tally.all.is_over()) {
            return Some(Reached::Source);
        }
        self.all.all.is_over().then_some(Reached::All)
    }

    /// Whether no replay by filter may open more: of this source, if it is of one.
    pub(in crate::store) fn are_full(&self, source: Option<&Name>) -> bool {
        let sources = self.sources.load();
        let own = source.and_then(|source| sources.get(source));
        self.all.is_full.is_set() || own.is_some_and(|tally| tally.is_full.is_set())
    }

    /// Whether the receipts of this source wait, because what came of others is still open.
    pub(in crate::store) fn holds(&self, source: &Name) -> bool {
        let own = || self.sources.load().get(source).is_some_and(|tally| tally.derived.is_over());
        self.all.derived.is_over() || own()
    }

    /// How many receipts of this source may be parsed now or are being parsed.
    pub(in crate::store) fn unparsed(&self, source: &Name) -> usize {
        self.sources.load().get(source).map_or(0, |tally| *tally.unparsed.borrow())
    }

    /// Changes when the last of those has ended; nothing if there never was one.
    pub(in crate::store) fn watch_unparsed(&self, source: &Name) -> Option<watch::Receiver<usize>> {
        self.sources.load().get(source).map(|tally| tally.unparsed.subscribe())
    }

    /// Changes whenever a mark was reached, or is not any more.
    pub(in crate::store) fn crossings(&self) -> watch::Receiver<()> {
        self.crossed.subscribe()
    }

    pub(in crate::store) fn open(&self) -> OpenWorks {
        let sources = self.sources.load();
        let sources = sources.iter().map(|(name, tally)| (name.clone(), tally.open()));
        OpenWorks {
            all: self.all.open(),
            sources: sources.collect(),
            unknown: self.unknown.open().works,
            marks: self.marks(),
        }
    }

    fn marks(&self) -> Marks {
        Marks {
            all: self.mark.load(Ordering::Relaxed),
            per_source: self.mark_per_source.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a level is over its mark at each of these numbers, one after the other.
    fn is_over(level: &Level, mark: usize, counts: &[usize]) -> Vec<bool> {
        let judged = counts.iter().map(|count| {
            level.count.store(*count, Ordering::Relaxed);
            level.judge(mark, Marks::low(mark));
            level.is_over()
        });
        judged.collect()
    }

    #[test]
    fn a_mark_that_was_reached_holds_until_the_number_is_an_eighth_below_it() {
        let level = Level::default();
        let over = is_over(&level, 80, &[79, 80, 79, 71, 70, 79, 80]);
        assert_eq!(over, [false, true, true, true, false, false, true]);
    }

    #[test]
    fn the_smallest_mark_is_reached_by_one_and_left_with_none() {
        let tally = Tally::default();
        for _ in 0..2 {
            tally.opened(WorkKind::Delivery);
            assert!(tally.judge(1) && tally.all.is_over() && tally.derived.is_over());
            assert!(!tally.judge(1), "it is where it was");
            tally.closed(WorkKind::Delivery);
            assert!(tally.judge(1) && !tally.all.is_over() && !tally.derived.is_over());
        }
    }

    #[test]
    fn receipts_close_the_door_and_never_hold_each_other() {
        let tally = Tally::default();
        (0..100).for_each(|_| tally.opened(WorkKind::Parse));
        tally.judge(8);
        assert!(tally.all.is_over() && !tally.derived.is_over());
        (0..100).for_each(|_| tally.closed(WorkKind::Parse));

        // A few more than the mark go on; then the parses wait until the mark is reached again.
        let holds = |more: usize| {
            (0..more).for_each(|_| tally.opened(WorkKind::Run));
            tally.judge(8);
            tally.derived.is_over()
        };
        assert_eq!([holds(9), holds(1)], [false, true]);
        tally.closed(WorkKind::Run);
        assert!(holds(0));
        tally.closed(WorkKind::Run);
        assert!(!holds(0));
    }

    #[test]
    fn a_source_whose_receipts_have_piled_up_never_comes_to_twice_its_mark() {
        let tally = Tally::default();
        (0..100).for_each(|_| tally.opened(WorkKind::Parse));
        tally.judge(100);
        let parse = || {
            tally.closed(WorkKind::Parse);
            (0..10).for_each(|_| tally.opened(WorkKind::Delivery));
            tally.judge(100);
        };
        while !tally.derived.is_over() {
            parse();
        }
        assert_eq!(tally.open().works, 154);

        while tally.derived.is_over() {
            tally.closed(WorkKind::Delivery);
            tally.judge(100);
        }
        assert_eq!(tally.open().works, 94 + 45, "a fifth less than 56, and the receipts");
    }

    #[test]
    fn receipts_that_have_piled_up_hold_none_of_other_sources() {
        let tally = Tally::default();
        (0..100).for_each(|_| tally.opened(WorkKind::Parse));
        (0..124).for_each(|_| tally.opened(WorkKind::Delivery));
        tally.judge_all(100);
        assert!(tally.all.is_over() && !tally.derived.is_over());
        tally.opened(WorkKind::Delivery);
        tally.judge_all(100);
        assert!(tally.derived.is_over(), "a quarter above the mark");
    }
}
