//! What there is to tidy among the known ids, and in which order.
//!
//! A look at the runs. All that one look finds may be done in one transaction, one after the other,
//! because no two of it touch the same run; what only comes of it is found by the next. Never does
//! any of it.

use std::collections::{BTreeMap, BTreeSet};

use super::IdIndex;
use crate::event::Timestamp;
use crate::store::ids::sorted::{self, Row, SortedRun, State};
use crate::store::ids::step::Task;
use crate::store::ids::terms::Term;

impl IdIndex {
    /// What is to be done: what is frozen first, then what gives room, then the smallest runs.
    pub(in crate::store::ids) fn tasks(&self, now: Timestamp) -> Vec<Task> {
        let mut tasks = self.flushes();
        // Runs that are new have the numbers behind all others.
        let first = self.next_run() + tasks.len() as u64;
        let read = self.inputs();
        tasks.extend(self.removals(now, &read));
        tasks.extend(self.folds(now, &read, first));
        tasks
    }

    /// All that is frozen, the last first.
    pub(in crate::store::ids) fn flushes(&self) -> Vec<Task> {
        if self.frozen_end == self.mark {
            return Vec::new();
        }
        let ours = |row: &Row| row.state == State::Growing { inputs: Vec::new() };
        let growing = self.runs.iter().find(|(_, run)| ours(&run.row)).map(|(number, _)| *number);
        let numbers = growing.into_iter().chain(self.next_run()..);
        // Where nothing is frozen, the mark has to move all the same.
        let left = (self.frozen.len().min(1)..=self.frozen.len()).rev();
        numbers.zip(left).map(|(run, left)| Task::Flush { run, left }).collect()
    }

    fn removals(&self, now: Timestamp, read: &BTreeSet<u64>) -> impl Iterator<Item = Task> {
        let is_gone = move |number: u64, run: &SortedRun| match run.row.state {
            State::Going => true,
            State::Growing { .. } => false,
            State::Complete => is_over(&run.row, now) && !read.contains(&number),
        };
        let gone = self.runs.iter().filter(move |(number, run)| is_gone(**number, run));
        gone.map(|(number, _)| Task::Remove { run: *number })
    }

    /// Runs of one level and one term become one, if their ids came at about the same time: what
    /// came early would be known too long otherwise. New ones have the numbers from `first` on.
    fn folds(
        &self,
        now: Timestamp,
        read: &BTreeSet<u64>,
        mut first: u64,
    ) -> impl Iterator<Item = Task> {
        let mut levels: BTreeMap<(u32, Term), Vec<u64>> = BTreeMap::new();
        let mut growing = BTreeMap::new();
        for (number, run) in &self.runs {
            match &run.row.state {
                State::Growing { inputs } if !inputs.is_empty() => {
                    let ids = inputs.iter().map(|input| self.runs[input].row.ids);
                    let level = (self.shape.level(ids.max().unwrap_or(0)), run.row.term);
                    growing.insert(level, Task::Fold { run: *number, inputs: inputs.clone() });
                }
                State::Complete if !read.contains(number) && !is_over(&run.row, now) => {
                    let level = (self.shape.level(run.row.ids), run.row.term);
                    levels.entry(level).or_default().push(*number);
                }
                _ => (),
            }
        }
        for (level, mut runs) in levels {
            runs.sort_by_key(|run| self.runs[run].row.newest);
            let mut neighbours = runs.windows(self.shape.fan_in);
            if let Some(inputs) = neighbours.find(|runs| self.are_near(runs)) {
                growing.entry(level).or_insert_with(|| {
                    first += 1;
                    Task::Fold { run: first - 1, inputs: inputs.to_vec() }
                });
            }
        }
        growing.into_values()
    }

    /// Whether the ids of these runs, which have one term, came at about the same time.
    fn are_near(&self, runs: &[u64]) -> bool {
        let rows = || runs.iter().map(|run| &self.runs[run].row);
        let (oldest, newest) = sorted::times(rows());
        rows().all(|row| newest.since(oldest) <= row.term.span())
    }

    /// The runs that others are being written from. Found once for all runs, of which there are
    /// many where there are many terms.
    fn inputs(&self) -> BTreeSet<u64> {
        let growing = self.runs.values().filter_map(|run| match &run.row.state {
            State::Growing { inputs } => Some(inputs),
            State::Complete | State::Going => None,
        });
        growing.flatten().copied().collect()
    }

    /// Behind all runs that there are.
    fn next_run(&self) -> u64 {
        self.runs.last_key_value().map_or(1, |(number, _)| number + 1)
    }
}

/// Whether the term of its ids is over.
fn is_over(row: &Row, now: Timestamp) -> bool {
    now.since(row.newest) > row.term.time()
}
