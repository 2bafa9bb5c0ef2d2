//! A step of tidying: what is frozen becomes a run, runs become one, a run goes.
//!
//! Writes a bounded part with a transaction that is under way anyway. A run counts from the
//! transaction that completes it, and in the same one its inputs no longer do, so that a crash
//! anywhere leaves either. What is half written is gone on with after a restart.

use std::collections::BTreeMap;

use super::IdKey;
use super::sorted::{self, CHUNK, Cursor, Entry, Group, MARK, ROW, Row, Shape, SortedRun, State};
use super::terms::Term;
use crate::event::Timestamp;
use crate::store::error::Failure;
use crate::store::file::id_rows::{IdRows, IdTable};

/// Groups that may be removed where one may be written: that is cheaper.
const REMOVED_PER_GROUP: usize = 4;

/// What is to be done.
#[derive(Debug, Clone)]
pub(super) enum Task {
    /// Write the last of so many that are frozen to this run: those behind it are written.
    Flush { run: u64, left: usize },
    /// Write these runs to this run.
    Fold { run: u64, inputs: Vec<u64> },
    /// Remove this run.
    Remove { run: u64 },
}

/// What was done, for the index to know once it is committed.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) run: u64,
    /// As it is now; `None` if there is no such run.
    pub(super) row: Option<Row>,
    /// Written behind those before.
    pub(super) groups: Vec<Group>,
    /// The last id of these.
    pub(super) last: Option<IdKey>,
    pub(super) done: Done,
    /// As dear as to write so many groups. As many as it was given, if it was not finished.
    pub(super) cost: usize,
}

/// What a step has finished.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Done {
    Partly,
    /// The last of what was frozen is in the run.
    Written,
    /// The same, and it was all.
    Flushed,
    /// All of these runs is in the run.
    Folded(Vec<u64>),
}

/// Ids of one term on the way into a run, sorted.
#[derive(Debug)]
pub(super) struct Frozen {
    pub(super) term: Term,
    pub(super) entries: Vec<Entry>,
}

/// The ids as a step finds them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Runs<'a> {
    pub(super) shape: Shape,
    /// On the way into runs, the last first.
    pub(super) frozen: &'a [Frozen],
    /// All ids before this position of the log are in runs or frozen.
    pub(super) frozen_end: u64,
    pub(super) runs: &'a BTreeMap<u64, SortedRun>,
}

impl Runs<'_> {
    /// Writes up to so many groups of ids, or removes as much.
    pub(super) fn perform(
        &self,
        table: &mut IdTable<'_>,
        task: Task,
        groups: usize,
        now: Timestamp,
    ) -> Result<Step, Failure> {
        match task {
            Task::Flush { run, left } => self.flush_some(table, (run, left), groups, now),
            Task::Fold { run, inputs } => self.fold_some(table, run, inputs, groups),
            Task::Remove { run } => self.remove_some(table, run, groups),
        }
    }

    fn flush_some(
        &self,
        table: &mut IdTable<'_>,
        (run, left): (u64, usize),
        groups: usize,
        now: Timestamp,
    ) -> Result<Step, Failure> {
        let Some((Frozen { term, entries }, others)) = self.frozen[..left].split_last() else {
            // Nothing has come since: only the mark moves.
            table.put(MARK, &self.frozen_end.to_be_bytes())?;
            let done = Done::Flushed;
            return Ok(Step { run, row: None, groups: Vec::new(), last: None, done, cost: 0 });
        };
        let written = self.runs.get(&run).map_or(0, |run| run.row.ids);
        let written = usize::try_from(written).map_err(|_| sorted::damaged(run))?;
        let room = groups.saturating_mul(self.shape.group_ids());
        let behind = entries.len().min(written.saturating_add(room));

        let (mut state, mut done) = (State::Growing { inputs: Vec::new() }, Done::Partly);
        if behind == entries.len() {
            (state, done) = (State::Complete, Done::Written);
            if others.is_empty() {
                table.put(MARK, &self.frozen_end.to_be_bytes())?;
                done = Done::Flushed;
            }
        }
        let row = Row { state, ids: written as u64, newest: now, term: *term, oldest: now };
        self.grow(table, run, &entries[written..behind], row, done)
    }

    fn fold_some(
        &self,
        table: &mut IdTable<'_>,
        run: u64,
        inputs: Vec<u64>,
        groups: usize,
    ) -> Result<Step, Failure> {
        let after = self.runs.get(&run).and_then(|run| run.last);
        let room = groups.saturating_mul(self.shape.group_ids());
        let entries = merge(table, &inputs, after, room)?;

        let rows = || inputs.iter().map(|input| &self.runs[input].row);
        let (oldest, newest) = sorted::times(rows());
        let term = rows().next().map_or_else(Term::unsaid, |row| row.term);
        let ids = self.runs.get(&run).map_or(0, |run| run.row.ids);
        let row = Row { state: State::Complete, ids, newest, term, oldest };
        if entries.len() == room {
            let row = Row { state: State::Growing { inputs }, ..row };
            return self.grow(table, run, &entries, row, Done::Partly);
        }
        for input in &inputs {
            let row = Row { state: State::Going, ..self.runs[input].row.clone() };
            sorted::write_row(table, *input, &row)?;
        }
        self.grow(table, run, &entries, row, Done::Folded(inputs))
    }

    /// Writes ids behind those that the run has, and its row.
    fn grow(
        &self,
        table: &mut IdTable<'_>,
        run: u64,
        entries: &[Entry],
        mut row: Row,
        done: Done,
    ) -> Result<Step, Failure> {
        row.ids += entries.len() as u64;
        let groups = sorted::append(table, run, entries, self.shape)?;
        sorted::write_row(table, run, &row)?;
        let last = entries.last().map(|(key, _)| *key);
        let cost = groups.len();
        Ok(Step { run, row: Some(row), groups, last, done, cost })
    }

    fn remove_some(
        &self,
        table: &mut IdTable<'_>,
        run: u64,
        groups: usize,
    ) -> Result<Step, Failure> {
        let Some(SortedRun { row, .. }) = self.runs.get(&run) else {
            return Err(sorted::damaged(run));
        };
        let row = Row { state: State::Going, ..row.clone() };
        sorted::write_row(table, run, &row)?;

        let rows = REMOVED_PER_GROUP * (self.shape.group_chunks + 1);
        let room = groups.saturating_mul(rows);
        let all = (run, CHUNK, 0)..=(run, ROW, u128::MAX);
        let removed = table.remove_within(all, room)?;
        let (row, cost) = ((removed == room).then_some(row), removed.div_ceil(rows));
        Ok(Step { run, row, groups: Vec::new(), last: None, done: Done::Partly, cost })
    }
}

/// The first ids of these runs behind `after`, each once.
fn merge(
    table: &impl IdRows,
    inputs: &[u64],
    after: Option<IdKey>,
    room: usize,
) -> Result<Vec<Entry>, Failure> {
    let cursor = |input: &u64| Cursor::behind(table, *input, after);
    let mut cursors: Vec<Cursor<'_>> = inputs.iter().map(cursor).collect::<Result<_, _>>()?;
    let mut merged: Vec<Entry> = Vec::new();
    while merged.len() < room {
        let mut least: Option<(usize, Entry)> = None;
        for (index, cursor) in cursors.iter_mut().enumerate() {
            if let Some(entry) = cursor.peek()?
                && least.is_none_or(|(_, least)| entry < least)
            {
                least = Some((index, entry));
            }
        }
        let Some((index, entry)) = least else { break };
        cursors[index].skip();
        // An id that the log told of again is in two runs, with the same owner.
        if merged.last().is_none_or(|(key, _)| *key != entry.0) {
            merged.push(entry);
        }
    }
    Ok(merged)
}
