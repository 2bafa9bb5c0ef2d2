//! The rows that follow from what a commit says: the one place that knows them.
//!
//! Pure. Whoever keeps rows puts these, in this order. Never says where they lie.

use super::batch::{Batch, Update};
use crate::ids::Name;
use crate::store::file::death_rows::DeathRow;
use crate::store::kind::WorkKind;
use crate::store::log::low_water::Waiting;
use crate::store::owed::standing::{Progress, Standing};
use crate::store::state::Used;

/// A row to put, or to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Row<'u> {
    /// How a work stands.
    Outcome { work: u64, standing: Option<Standing> },
    /// Where a work before the low-water mark waits, if it is open.
    Owed { work: u64, waiting: Option<&'u Waiting> },
    /// The letter of a dead work.
    Letter { work: u64, kind: Option<WorkKind> },
    /// What the letter of a dead work is found by.
    Death { work: u64, row: DeathRow },
    /// What a handler remembers.
    State { key: &'u [u8], value: Option<&'u [u8]> },
    /// What a handler's rows take.
    Used { handler: &'u Name, used: Used },
    /// A replay by filter.
    Replay { number: u64, row: Option<&'u [u8]> },
    /// A fact of the store itself.
    Fact { name: &'static str, value: u64 },
}

/// All rows that a batch says.
pub(super) fn all_rows(batch: &Batch) -> impl Iterator<Item = Row<'_>> {
    // First, for an operation of the same batch may finish what the mark passes.
    let passed = batch.passed.iter();
    let passed = passed.map(|(work, waiting)| Row::Owed { work: *work, waiting: Some(waiting) });
    let updates = batch.updates.iter().flat_map(|update| rows(update, batch.low_water));
    let used = batch.used.iter().map(|(handler, used)| Row::Used { handler, used: *used });
    passed.chain(updates).chain(used)
}

/// The rows of an update; works before the low-water mark that are open have one.
fn rows(update: &Update, low_water: u64) -> impl Iterator<Item = Row<'_>> {
    let one = |row| [Some(row), None, None];
    let rows = match update {
        Update::Stands { kind, work, before, after, waiting } => {
            let (work, standing) = (*work, Some(*after));
            let waiting = waiting.as_ref();
            let owed = (work < low_water).then_some(Row::Owed { work, waiting });
            [Some(Row::Outcome { work, standing }), letter(*kind, work, *before, *after), owed]
        }
        Update::State { key, value } => one(Row::State { key, value: value.as_deref() }),
        Update::Forgotten { work } => one(Row::Outcome { work: *work, standing: None }),
        Update::Died { work, row } => one(Row::Death { work: *work, row: *row }),
        Update::LetterDropped { work } => one(Row::Letter { work: *work, kind: None }),
        Update::Replay { number, row } => one(Row::Replay { number: *number, row: row.as_deref() }),
        Update::Fact { name, value } => one(Row::Fact { name, value: *value }),
    };
    rows.into_iter().flatten()
}

/// A work that dies gets a letter, and one that lives again loses it.
fn letter<'u>(kind: WorkKind, work: u64, before: Standing, after: Standing) -> Option<Row<'u>> {
    let is_dead = |standing: Standing| standing.progress == Progress::Dead;
    match (is_dead(before), is_dead(after)) {
        (false, true) => Some(Row::Letter { work, kind: Some(kind) }),
        (true, false) => Some(Row::Letter { work, kind: None }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Timestamp;
    use crate::retry::Verdict;
    use crate::store::log::low_water::Move;

    fn waiting() -> Waiting {
        let (kind, group) = (WorkKind::Run, "ledger".parse().unwrap());
        let (since, is_parcel) = (Timestamp(5), false);
        Waiting { kind, group, since, waits: true, is_parcel, root: None }
    }

    fn stands(before: Standing, after: Standing) -> Update {
        let waiting = after.is_open().then(waiting);
        Update::Stands { kind: WorkKind::Run, work: 7, before, after, waiting }
    }

    #[test]
    fn a_work_that_dies_gets_a_letter_and_loses_it_when_it_is_opened_again() {
        let fresh = Standing::default();
        let dead = fresh.tried(Verdict::Dead, 9);
        let again = Standing::reopened(11);
        let rows_of = |update: &Update| -> Vec<String> {
            rows(update, 0).map(|row| format!("{row:?}")).collect()
        };
        let letter = |kind| format!("{:?}", Row::Letter { work: 7, kind });

        let died = rows_of(&stands(fresh, dead));
        assert_eq!((died.len(), &died[1]), (2, &letter(Some(WorkKind::Run))));
        assert_eq!(rows_of(&stands(dead, again))[1], letter(None));
        assert_eq!(rows_of(&stands(dead, dead.tried(Verdict::Dead, 12))).len(), 1);
    }

    #[test]
    fn only_a_work_before_the_mark_has_a_row_that_says_where_it_waits() {
        let fresh = Standing::default();
        let done = stands(fresh, fresh.tried(Verdict::Done, 9));
        let put_off = stands(fresh, fresh.tried(Verdict::RetryAt(Timestamp(90)), 9));
        let is_owed = |row: &Row<'_>| matches!(row, Row::Owed { .. });

        assert!(!rows(&put_off, 7).any(|row| is_owed(&row)));
        let owed = |update| rows(update, 8).filter(is_owed).collect::<Vec<Row<'_>>>();
        assert_eq!(owed(&done), [Row::Owed { work: 7, waiting: None }]);
        assert_eq!(owed(&put_off), [Row::Owed { work: 7, waiting: Some(&waiting()) }]);
    }

    #[test]
    fn a_work_that_the_mark_passes_has_its_row_before_the_same_commit_finishes_it() {
        let fresh = Standing::default();
        let mut batch = Batch::new(9);
        batch.updates.push(stands(fresh, fresh.tried(Verdict::Done, 9)));
        batch.advance(Move { mark: 8, passed: vec![(7, waiting())] });

        let owed = all_rows(&batch).filter(|row| matches!(row, Row::Owed { .. }));
        let waits = waiting();
        let [first, last] = [Some(&waits), None].map(|waiting| Row::Owed { work: 7, waiting });
        assert_eq!(owed.collect::<Vec<_>>(), [first, last]);
    }
}
