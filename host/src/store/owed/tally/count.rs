//! Counts the open works for the backlog, which holds its lock around it.
//!
//! Works that open and finish together are counted first and judged then: a commit that finishes a
//! parse and opens a delivery never looks for a moment as if less were left. Never read by anybody
//! else than the backlog.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Marks, Tallies, Tally};
use crate::ids::Name;
use crate::store::kind::WorkKind;

/// The number of a source, small because every work in the backlog has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::store) struct SourceNumber(u16);

impl SourceNumber {
    /// Of works that go back to a source that is not known.
    const UNKNOWN: Self = Self(0);

    fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// What is counted, by source.
#[derive(Debug)]
pub(in crate::store) struct Count {
    tallies: Arc<Tallies>,
    numbers: HashMap<Name, SourceNumber>,
    /// The last that was asked for: works of one source join together.
    last: Option<(Name, SourceNumber)>,
    /// By number.
    counted: Vec<Counted>,
    /// Those that were counted since the last judgement, each once.
    touched: Vec<SourceNumber>,
}

#[derive(Debug)]
struct Counted {
    /// Of a source that is known.
    name: Option<Name>,
    tally: Arc<Tally>,
    is_touched: bool,
}

impl Counted {
    fn new(name: Option<Name>, tally: Arc<Tally>) -> Self {
        Self { name, tally, is_touched: false }
    }
}

impl Default for Count {
    fn default() -> Self {
        let tallies = Arc::<Tallies>::default();
        Self {
            counted: vec![Counted::new(None, Arc::clone(&tallies.unknown))],
            tallies,
            numbers: HashMap::new(),
            last: None,
            touched: Vec::new(),
        }
    }
}

impl Count {
    /// What others may read.
    pub(in crate::store) fn tallies(&self) -> &Arc<Tallies> {
        &self.tallies
    }

    /// The number of the source of this name.
    pub(in crate::store) fn number(&mut self, source: Option<&Name>) -> SourceNumber {
        let Some(name) = source else { return SourceNumber::UNKNOWN };
        if let Some((last, number)) = &self.last
            && last == name
        {
            return *number;
        }
        let known = self.numbers.get(name).copied();
        let number = known.unwrap_or_else(|| self.add(name));
        self.last = Some((name.clone(), number));
        number
    }

    fn add(&mut self, name: &Name) -> SourceNumber {
        // Names are configured and not posted. Should there be more of them all the same, the
        // others have no mark of their own.
        let Ok(number) = u16::try_from(self.counted.len()) else { return SourceNumber::UNKNOWN };
        let tally = Arc::<Tally>::default();
        let mut sources = (**self.tallies.sources.load()).clone();
        sources.insert(name.clone(), Arc::clone(&tally));
        self.tallies.sources.store(Arc::new(sources));
        self.counted.push(Counted::new(Some(name.clone()), tally));
        self.numbers.insert(name.clone(), SourceNumber(number));
        SourceNumber(number)
    }

    /// A work joins the backlog.
    pub(in crate::store) fn opened(&mut self, source: SourceNumber, kind: WorkKind) {
        self.touch(source);
        self.tallies.all.opened(kind);
        self.counted[source.index()].tally.opened(kind);
    }

    /// So many works join the backlog.
    pub(in crate::store) fn opened_many(
        &mut self,
        source: SourceNumber,
        kind: WorkKind,
        works: usize,
    ) {
        self.touch(source);
        self.tallies.all.opened_many(kind, works);
        self.counted[source.index()].tally.opened_many(kind, works);
    }

    /// A work leaves the backlog.
    pub(in crate::store) fn closed(&mut self, source: SourceNumber, kind: WorkKind) {
        self.touch(source);
        self.tallies.all.closed(kind);
        self.counted[source.index()].tally.closed(kind);
    }

    /// Says how many receipts may be parsed now, of each source that was counted since the last
    /// judgement.
    pub(in crate::store) fn note_unparsed(&self, unparsed: impl Fn(&Name) -> usize) {
        for source in &self.touched {
            let Counted { name, tally, .. } = &self.counted[source.index()];
            if let Some(name) = name {
                tally.note_unparsed(unparsed(name));
            }
        }
    }

    /// Holds what was counted since the last time against the marks. Whether one of them was
    /// reached by that, or is not any more.
    pub(in crate::store) fn judge(&mut self) -> bool {
        let marks = self.tallies.marks();
        let mut crossed = self.tallies.all.judge_all(marks.all);
        for source in self.touched.drain(..) {
            let counted = &mut self.counted[source.index()];
            counted.is_touched = false;
            if source != SourceNumber::UNKNOWN {
                crossed |= counted.tally.judge(marks.per_source);
            }
        }
        if crossed {
            self.tallies.crossed.send_replace(());
        }
        crossed
    }

    /// The marks are these from now on; the same as [`Count::judge`] of all sources.
    pub(in crate::store) fn set_marks(&mut self, marks: Marks) -> bool {
        self.tallies.mark.store(marks.all, Ordering::Relaxed);
        self.tallies.mark_per_source.store(marks.per_source, Ordering::Relaxed);
        let known: Vec<SourceNumber> = self.numbers.values().copied().collect();
        known.into_iter().for_each(|source| self.touch(source));
        self.judge()
    }

    /// Something has changed that is noted of a source.
    pub(in crate::store) fn touch(&mut self, source: SourceNumber) {
        let counted = &mut self.counted[source.index()];
        if !counted.is_touched {
            counted.is_touched = true;
            self.touched.push(source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Reached;
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn a_source_at_its_mark_closes_no_door_but_its_own() {
        let mut count = Count::default();
        count.set_marks(Marks { all: 5, per_source: 2 });
        let (one, other) = (name("one"), name("other"));
        let numbers = [count.number(Some(&one)), count.number(Some(&other)), count.number(None)];
        let tallies = Arc::clone(count.tallies());

        count.opened(numbers[0], WorkKind::Delivery);
        assert!(!count.judge());
        count.opened(numbers[0], WorkKind::Delivery);
        assert!(count.judge());
        let reached = |source| tallies.reached(source);
        assert_eq!((reached(&one), reached(&other)), (Some(Reached::Source), None));

        // Those of which nobody knows the source count for all, and for no other source.
        (0..3).for_each(|_| count.opened(numbers[2], WorkKind::Run));
        assert!(count.judge());
        let both = (Some(Reached::Source), Some(Reached::All));
        assert_eq!((reached(&one), reached(&other)), both);

        count.closed(numbers[0], WorkKind::Delivery);
        assert!(count.judge());
        assert_eq!((reached(&one), reached(&other)), (None, None));
    }

    #[test]
    fn replays_open_nothing_from_three_quarters_of_a_mark_on_and_senders_have_the_rest() {
        let mut count = Count::default();
        count.set_marks(Marks { all: 100, per_source: 8 });
        let (one, other) = (name("one"), name("other"));
        let number = count.number(Some(&one));
        let tallies = Arc::clone(count.tallies());
        let sources = [Some(&one), Some(&other), None];
        let full = || sources.map(|source| tallies.are_full(source));

        (0..5).for_each(|_| count.opened(number, WorkKind::Run));
        assert!(!count.judge() && full() == [false; 3]);
        count.opened(number, WorkKind::Run);
        assert!(count.judge() && full() == [true, false, false]);
        assert_eq!(tallies.reached(&one), None, "a quarter is left to whoever posts");

        count.closed(number, WorkKind::Run);
        assert!(count.judge() && full() == [false; 3], "an eighth less");
        (0..70).for_each(|_| count.opened(SourceNumber::UNKNOWN, WorkKind::Run));
        assert!(count.judge() && full() == [true; 3], "75 of all together");
        assert_eq!(tallies.reached(&other), None);
    }

    #[test]
    fn what_finishes_and_opens_together_is_judged_together() {
        let mut count = Count::default();
        count.set_marks(Marks { all: 100, per_source: 2 });
        let one = count.number(Some(&name("one")));
        (0..2).for_each(|_| count.opened(one, WorkKind::Parse));
        assert!(count.judge());

        count.closed(one, WorkKind::Parse);
        count.opened(one, WorkKind::Delivery);

        assert!(!count.judge(), "there are as many as before");
        assert_eq!(count.tallies().reached(&name("one")), Some(Reached::Source));
    }

    #[test]
    fn a_mark_that_is_moved_counts_at_once() {
        let mut count = Count::default();
        let crossed = count.tallies().crossings();
        let one = count.number(Some(&name("one")));
        (0..9).for_each(|_| count.opened(one, WorkKind::Parse));
        assert!(!count.judge(), "there are no marks");

        assert!(count.set_marks(Marks { all: 9, per_source: 4 }));
        assert!(crossed.has_changed().unwrap());
        assert_eq!(count.tallies().reached(&name("one")), Some(Reached::Source));
        assert_eq!(count.tallies().reached(&name("other")), Some(Reached::All));

        assert!(count.set_marks(Marks { all: 90, per_source: 40 }));
        assert_eq!(count.tallies().reached(&name("one")), None);
    }
}
