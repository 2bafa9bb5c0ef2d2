//! The log goes on in the next volume: what becomes of the one before, and of a commit that fails
//! there.

use super::*;
use crate::causes::chain;

/// Commits segments until the log is in another volume, and gives the positions of those before.
fn fill_a_volume(bench: &mut Bench) -> Vec<u64> {
    let mut filled = Vec::new();
    loop {
        let first = bench.commit(&[7; 500], &|_| ());
        if bench.extent(first).volume > 1 {
            return filled;
        }
        filled.push(first);
    }
}

#[test]
fn a_volume_with_nothing_live_goes_after_a_checkpoint_and_a_view_reads_it_still() {
    let mut bench = Bench::new();
    let filled = fill_a_volume(&mut bench);
    let view = bench.view();
    bench.commit(b"", &|rows| {
        filled.iter().for_each(|first| rows.remove_segment(*first).unwrap());
    });

    assert!(bench.has(1), "a start may find rows that point into it");
    assert_eq!(bench.killed().rows(), bench.rows());
    bench.file.checkpoint().unwrap();
    assert!(!bench.has(1) && bench.has(2));

    let read = view.log().unwrap().row(filled[0], <[u8]>::to_vec).unwrap();
    assert_eq!(read.unwrap(), [7; 500]);
    assert_eq!(bench.killed().rows(), bench.rows());
}

#[test]
fn a_volume_with_one_live_segment_stays() {
    let mut bench = Bench::new();
    let filled = fill_a_volume(&mut bench);
    let (kept, gone) = filled.split_first().unwrap();
    bench.commit(b"", &|rows| {
        gone.iter().for_each(|first| rows.remove_segment(*first).unwrap());
    });

    bench.file.checkpoint().unwrap();
    bench.file.checkpoint().unwrap();

    assert!(bench.has(1));
    assert_eq!(bench.segment(*kept).unwrap().unwrap(), [7; 500]);
}

#[test]
fn a_volume_filled_since_the_last_checkpoint_stays_through_an_outage_and_goes_when_it_is_due() {
    let mut bench = Bench::new();
    let filled = fill_a_volume(&mut bench);

    bench.file.reopen().unwrap();

    assert!(bench.has(1));
    for first in &filled {
        assert_eq!(bench.segment(*first).unwrap().unwrap(), [7; 500]);
    }
    bench.commit(b"", &|rows| {
        filled.iter().for_each(|first| rows.remove_segment(*first).unwrap());
    });
    bench.file.checkpoint().unwrap();
    assert!(!bench.has(1));
}

#[test]
fn a_kill_between_a_checkpoint_and_the_removal_leaves_a_volume_for_the_next_start() {
    let mut bench = Bench::new();
    let filled = fill_a_volume(&mut bench);
    bench.commit(b"", &|rows| {
        filled.iter().for_each(|first| rows.remove_segment(*first).unwrap());
    });
    // A checkpoint that removes nothing.
    bench.file.commit(bench.file.write().unwrap()).unwrap();
    assert!(bench.has(1));

    assert!(!bench.killed().has(1));
}

#[test]
fn a_log_without_its_newest_volume_is_not_gone_on_with() {
    let mut bench = Bench::new();
    fill_a_volume(&mut bench);
    bench.file.checkpoint().unwrap();
    let copy = bench.copy();
    std::fs::remove_file(copy.path().join("volume-00000002.hgv")).unwrap();

    let Err(error) = open(copy.path()) else { panic!("it opened") };

    let said = chain(&error);
    assert!(said.contains("volume-00000002.hgv is missing"), "{said}");
}

#[test]
fn the_rows_name_the_newest_volume_as_soon_as_the_log_goes_on_there() {
    let mut bench = Bench::new();
    fill_a_volume(&mut bench);

    assert!(bench.file.checkpoint_if_due().unwrap());

    let copy = bench.copy();
    std::fs::remove_file(copy.path().join("volume-00000002.hgv")).unwrap();
    assert!(open(copy.path()).is_err());
}

#[test]
fn behind_a_failure_nothing_is_committed_before_the_files_are_opened_anew() {
    let mut bench = Bench::new();
    bench.commit(b"one", &|_| ());
    // The log can't roll: the name of its next volume is that of a folder.
    fill_a_volume(&mut bench);
    let rows = bench.rows();
    let place = bench.folder.path().join("volume-00000003.hgv");
    std::fs::create_dir(&place).unwrap();
    let failed = loop {
        match bench.file.commit(bench.change(&[7; 500], &|_| ())) {
            Ok(()) => bench.next += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(failed, Error::Unavailable(_)), "{failed:?}");
    std::fs::remove_dir(&place).unwrap();

    assert!(matches!(bench.file.write(), Err(Failure::Access { may_pass: true, .. })));
    assert!(bench.file.checkpoint().is_err() && bench.file.probe().is_err());
    bench.file.reopen().unwrap();
    let first = bench.commit(b"two", &|_| ());

    assert!(bench.rows().len() > rows.len());
    assert_eq!(bench.killed().segment(first).unwrap().unwrap(), b"two");
}
