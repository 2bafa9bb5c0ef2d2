//! What is in memory of the known ids: the latest themselves, and the filters of the runs.
//!
//! Changed only by what was committed, and found again at every start. It decides what there is to
//! tidy and how fast, so that runs stay few and no commit waits for the tidying.

mod tasks;

use std::collections::BTreeMap;
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::sorted::{self, CHUNK, END, Entry, MARK, ROW, Row, Shape, SortedRun, State};
use super::step::{Done, Frozen, Runs, Step, Task};
use super::terms::{Owner, Term};
use super::{IdChanges, IdKey};
use crate::event::Timestamp;
use crate::store::error::Failure;
use crate::store::file::id_rows::{IdRows, IdTable, IdView};

/// No id stays longer in memory only; then the log behind the mark is not needed for ids.
pub(super) const FRESH_AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// For each new id this many are moved. Each is moved once for every level of runs, of which there
/// are five with ten million ids: so the tidying keeps up.
const PACE: usize = 8;

/// The known ids between transactions.
#[derive(Debug)]
pub(in crate::store) struct IdIndex {
    shape: Shape,
    /// Keys are hashes already: any hasher spreads them.
    fresh: FxHashMap<IdKey, Owner>,
    /// When the first of them came.
    fresh_since: Option<Timestamp>,
    /// On the way into runs, the last first.
    frozen: Vec<Frozen>,
    /// All ids before this position of the log are in runs or frozen.
    frozen_end: u64,
    mark: u64,
    runs: BTreeMap<u64, SortedRun>,
    debt: usize,
}

impl IdIndex {
    /// Reads what is in runs. The rest is in the log, from [`IdIndex::mark`] on.
    pub(in crate::store) fn load(table: &impl IdRows, shape: Shape) -> Result<Self, Failure> {
        let mark = table
            .row(MARK, |mark| mark.try_into().map(u64::from_be_bytes))?
            .transpose()
            .map_err(|_| sorted::damaged(0))?
            .unwrap_or(0);
        let mut runs = BTreeMap::new();
        let mut from = (1, CHUNK, 0);
        while let Some(next) = table.within(from..=END)?.next().transpose()? {
            let (number, ..) = next.key();
            let row = table.row((number, ROW, 0), <[u8]>::to_vec)?;
            let row = row.ok_or_else(|| sorted::damaged(number))?;
            let mut row = Row::read(&row).ok_or_else(|| sorted::damaged(number))?;
            // What it was written from is in the log still, and will be written again.
            if matches!(&row.state, State::Growing { inputs } if inputs.is_empty()) {
                row.state = State::Going;
            }
            let (groups, last) = match row.state {
                State::Going => (Vec::new(), None),
                _ => (sorted::read_groups(table, number)?, sorted::last_key(table, number)?),
            };
            runs.insert(number, SortedRun { row, groups, last });
            from = (number + 1, CHUNK, 0);
        }
        Ok(Self {
            shape,
            fresh: FxHashMap::default(),
            fresh_since: None,
            frozen: Vec::new(),
            frozen_end: mark,
            mark,
            runs,
            debt: 0,
        })
    }

    /// From here on ids are found in the log only: no start can do without it.
    pub(in crate::store) fn mark(&self) -> u64 {
        self.mark
    }

    /// An id that the log tells of. The first that is told for it is its owner.
    pub(in crate::store) fn learn(&mut self, key: IdKey, owner: Owner) {
        self.fresh.entry(key).or_insert(owner);
    }

    /// The position of the receipt that an id belongs to. Asks for the rows if memory can't tell.
    pub(in crate::store) fn owner<'r>(
        &self,
        key: IdKey,
        rows: impl Fn() -> Result<&'r IdView, Failure>,
    ) -> Result<Option<u64>, Failure> {
        if let Some(receipt) = self.fresh(key) {
            return Ok(Some(receipt));
        }
        for run in self.runs_that_may_hold(key) {
            if let Some(receipt) = sorted::find(rows()?, run, key)? {
                return Ok(Some(receipt));
            }
        }
        Ok(None)
    }

    /// The same of an id that is in memory, or else the runs that may hold it.
    pub(in crate::store) fn owner_or_runs(&self, key: IdKey) -> Result<u64, Vec<u64>> {
        self.fresh(key).ok_or_else(|| self.runs_that_may_hold(key).collect())
    }

    /// The owner of an id that is in memory.
    fn fresh(&self, key: IdKey) -> Option<u64> {
        let frozen = |Frozen { entries, .. }: &Frozen| {
            let found = entries.binary_search_by_key(&key, |(key, _)| *key);
            found.ok().map(|index| entries[index].1)
        };
        let fresh = self.fresh.get(&key).map(|owner| owner.receipt);
        fresh.or_else(|| self.frozen.iter().find_map(frozen))
    }

    fn runs_that_may_hold(&self, key: IdKey) -> impl Iterator<Item = u64> {
        let counts = move |run: &SortedRun| run.row.state == State::Complete && run.may_hold(key);
        self.runs.iter().filter(move |&(_, run)| counts(run)).map(|(number, _)| *number)
    }

    /// The sizes of the runs that are complete, and how many others there are.
    #[cfg(test)]
    pub(in crate::store) fn runs_held(&self) -> (Vec<u64>, usize) {
        let complete = |run: &&SortedRun| run.row.state == State::Complete;
        let sizes: Vec<u64> = self.runs.values().filter(complete).map(|run| run.row.ids).collect();
        let others = self.runs.len() - sizes.len();
        (sizes, others)
    }

    /// Freezes what is in memory if it is much or old, or if somebody set the clock back, because
    /// then nobody knows how old it is; the log ends at `end`.
    pub(in crate::store) fn freeze_if_due(&mut self, end: u64, now: Timestamp) {
        let since = *self.fresh_since.get_or_insert(now);
        let is_old = now.since(since).max(since.since(now)) >= FRESH_AGE_MAX;
        if self.fresh.len() >= self.shape.fresh_ids || is_old {
            self.freeze(end);
        }
    }

    /// Freezes what is in memory, unless something is frozen already.
    pub(in crate::store) fn freeze(&mut self, end: u64) {
        if self.frozen_end == self.mark {
            let mut terms: BTreeMap<Term, Vec<Entry>> = BTreeMap::new();
            for (key, Owner { receipt, term }) in self.fresh.drain() {
                terms.entry(term).or_default().push((key, receipt));
            }
            let sorted = |(term, mut entries): (Term, Vec<Entry>)| {
                entries.sort_unstable();
                Frozen { term, entries }
            };
            self.frozen = terms.into_iter().map(sorted).collect();
            self.frozen_end = end;
            self.fresh_since = None;
        }
    }

    /// How many groups a transaction may write that brings so many ids, and what remains for the
    /// next.
    pub(super) fn share(&self, bound: usize) -> (usize, usize) {
        let earned = self.debt + PACE * bound + self.shape.pace_idle;
        (earned / self.shape.group_ids(), earned % self.shape.group_ids())
    }

    /// Writes up to so many groups of ids, or removes as much.
    pub(super) fn perform(
        &self,
        table: &mut IdTable<'_>,
        task: Task,
        groups: usize,
        now: Timestamp,
    ) -> Result<Step, Failure> {
        let Self { shape, frozen, frozen_end, runs, .. } = self;
        let runs = Runs { shape: *shape, frozen, frozen_end: *frozen_end, runs };
        runs.perform(table, task, groups, now)
    }

    /// A transaction has committed that gave these ids to receipts and made these changes.
    pub(in crate::store) fn apply(
        &mut self,
        bound: impl IntoIterator<Item = (IdKey, Owner)>,
        changes: IdChanges,
    ) {
        let IdChanges { debt, steps } = changes;
        self.fresh.extend(bound);
        self.debt = debt;
        steps.into_iter().for_each(|step| self.follow(step));
    }

    fn follow(&mut self, step: Step) {
        let Step { run, row, groups, last, done, cost: _ } = step;
        match row {
            Some(row) => {
                let known = self.runs.entry(run).or_insert_with(|| SortedRun::empty(row.clone()));
                known.groups.extend(groups);
                known.last = last.or(known.last);
                known.becomes(row);
            }
            None => drop(self.runs.remove(&run)),
        }
        match done {
            Done::Partly => (),
            Done::Written => drop(self.frozen.pop()),
            Done::Flushed => {
                self.mark = self.frozen_end;
                self.frozen = Vec::new();
            }
            Done::Folded(inputs) => {
                for (_, input) in self.runs.iter_mut().filter(|(run, _)| inputs.contains(run)) {
                    input.becomes(Row { state: State::Going, ..input.row.clone() });
                }
            }
        }
    }
}
