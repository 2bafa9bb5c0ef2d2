//! The rows of open works: by position, by lane and counted, they say the same, whatever a kill
//! takes.

use std::collections::BTreeMap;

use super::*;
use crate::store::file::owed_rows::OwedWork;
use crate::store::file::redo::{OwedRow, Raw};

/// Where some work waits.
pub(super) const ANY: OwedRow<'_> = OwedRow { lane: Raw(b"\x03crm"), since: 7, note: Raw(b"\0") };

/// The open works, by their rows.
pub(super) fn open_works(view: &View) -> Vec<u64> {
    let rows = view.owed_within(..).expect("it can be read");
    rows.map(|row| row.expect("it is whole").0).collect()
}

/// A work that waits anywhere, or is not open.
pub(super) fn any_owed(
    rows: &mut ChangedRows<'_>,
    random: &mut fastrand::Rng,
    work: u64,
) -> Result<(), Failure> {
    let (lane, since) = (vec![random.u8(1..4); random.usize(1..3)], random.u64(..5));
    let owed = OwedWork { lane, since, note: vec![random.u8(..2)] };
    let row = (random.u8(..4) > 0).then(|| owed.row());
    rows.put_owed(work, row)
}

fn owed(lane: &[u8], since: u64) -> OwedWork {
    OwedWork { lane: lane.to_vec(), since, note: vec![0] }
}

/// All works of the lanes that there are, by their positions.
fn by_lane(view: &View) -> BTreeMap<u64, (Vec<u8>, u64)> {
    let mut works = BTreeMap::new();
    let totals = view.counted_totals().expect("it can be read");
    for (lane, _) in totals.owed.keys() {
        for key in view.lane(lane, (0, 0)).expect("it can be read") {
            let (since, work) = key.expect("it can be read");
            works.insert(work, (lane.clone(), since));
        }
    }
    works
}

#[track_caller]
fn check(bench: &Bench) -> Totals {
    let view = bench.view();
    let owed = view.owed_within(..).expect("it can be read").map(|row| row.expect("it is whole"));
    let owed: BTreeMap<_, _> = owed.map(|(work, owed)| (work, (owed.lane, owed.since))).collect();
    assert_eq!(by_lane(&view), owed);
    assert_eq!(view.all_due().expect("it can be read").count(), owed.len());
    let totals = bench.file.totals();
    assert_eq!(totals, view.counted_totals().expect("it can be read"));
    totals
}

#[test]
fn rows_by_position_and_by_lane_and_their_totals_agree_behind_any_kill() {
    let mut random = fastrand::Rng::with_seed(3);
    let mut bench = Bench::new();
    for number in 0..120 {
        commit_any(&mut bench, &mut random);
        if random.u8(..20) == 0 {
            bench.file.checkpoint().unwrap();
            assert_eq!(bench.view().totals().unwrap(), Some(bench.file.totals()), "{number}");
        }
        if number % 24 == 23 {
            let totals = check(&bench);
            assert_eq!(check(&bench.killed()), totals, "{number}");
            assert_eq!(bench.file.reopen().unwrap(), Reopened::AsLeft);
            assert_eq!(check(&bench), totals, "{number}");
        }
    }
    assert!(!bench.file.totals().owed.is_empty() && !bench.file.totals().dead.is_empty());
}

#[test]
fn a_lane_is_read_in_the_order_in_which_its_works_may_be_tried() {
    let mut bench = Bench::new();
    let crm = b"\x03crm";
    bench.commit(b"one", &|rows| {
        for (work, since) in [(1, 9), (2, 0), (3, 300), (4, 9), (5, u64::MAX)] {
            rows.put_owed(work, Some(owed(crm, since).row())).unwrap();
        }
        rows.put_owed(6, Some(owed(b"\x03crm-2", 1).row())).unwrap();
        rows.put_owed(7, Some(owed(b"\x02crm", 1).row())).unwrap();
        rows.put_owed(2, Some(owed(crm, 10).row())).unwrap();
    });

    let view = bench.view();
    let from = |key| view.lane(crm, key).unwrap().map(Result::unwrap).collect::<Vec<_>>();
    assert_eq!(from((0, 0)), [(9, 1), (9, 4), (10, 2), (300, 3), (u64::MAX, 5)]);
    assert_eq!(from((9, 2)), [(9, 4), (10, 2), (300, 3), (u64::MAX, 5)]);
    assert_eq!(view.owed(2).unwrap(), Some(owed(crm, 10)));
    assert_eq!(view.owed(8).unwrap(), None);
}

#[test]
fn a_row_that_can_not_be_decoded_stops_no_other() {
    let mut bench = Bench::new();
    bench.commit(b"one", &|rows| {
        for work in 1..4 {
            rows.put_owed(work, Some(owed(b"\x03crm", 1).row())).unwrap();
        }
    });
    bench.file.checkpoint().unwrap();
    let copy = bench.copy();
    let database = Database::open(copy.path().join(FILE_NAME)).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(OWED).unwrap().insert(2_u64, &b"torn"[..]).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let mut bench = Bench::at(copy);

    let view = bench.view();
    let found = view.owed_within(..).unwrap().map(|row| row.map(|(work, _)| work));
    let found: Vec<Option<u64>> = found.map(Result::ok).collect();
    assert_eq!(found, [Some(1), None, Some(3)]);
    assert!(matches!(view.owed(2), Err(Failure::Damaged(damaged)) if damaged.position == 2));
    bench.commit(b"two", &|rows| rows.put_owed(2, None).unwrap());
    assert_eq!(bench.view().owed(2).unwrap(), None);
}

#[test]
fn what_a_change_without_a_segment_does_is_in_the_totals_of_its_checkpoint() {
    let bench = Bench::new();
    let mut change = bench.file.write().unwrap();
    change.tables().put_owed(1, Some(owed(b"\x03crm", 1).row())).unwrap();
    change.tables().put_letter(2, Some(1)).unwrap();
    bench.file.commit(change).unwrap();

    assert_eq!(bench.view().totals().unwrap(), Some(bench.file.totals()));
    let killed = bench.killed();
    assert_eq!(check(&killed), check(&bench));
    assert_eq!(killed.file.totals().owed.into_values().collect::<Vec<_>>(), [1]);
}
