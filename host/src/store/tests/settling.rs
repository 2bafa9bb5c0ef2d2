//! What the last commits have left to do is done though nobody commits any more, so that a start
//! after a kill finds nothing behind the last checkpoint of a quiet store.

use super::disk::{Disk, Fault, Files, Part};
use super::*;
use crate::store::file::inspection::Inspection;
use crate::store::write::outage::PAUSE_MAX;
use crate::store::write::writer::QUIET;

/// How many frames a start would have to read for their changes of rows.
fn frames_behind(files: &Files) -> usize {
    let folder = TempDir::new().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes.to_vec()).unwrap();
    }
    let inspection = Inspection::open(folder.path()).unwrap();
    let applied = inspection.applied().unwrap().expect("the rows can be read");
    inspection.volumes.frames_from(applied).map(Result::unwrap).count()
}

/// A store with one commit, behind which nothing comes.
async fn quiet() -> (Disk, Bench) {
    let disk = Disk::default();
    let bench = Bench::on(disk.clone(), Clock::manual(NOW));
    bench.append(&["evt_0"]).await;
    (disk, bench)
}

#[tokio::test]
async fn a_second_behind_the_last_commit_no_start_has_to_read_it_again() {
    let (disk, bench) = quiet().await;

    bench.clock.advance(QUIET);

    disk.wait_until(|files| frames_behind(files) == 0);
}

#[tokio::test]
async fn known_events_do_not_put_that_off() {
    let (disk, bench) = quiet().await;
    bench.clock.advance(QUIET / 2);
    let again = bench.store.append(receipt(&["evt_0"])).await;
    assert!(matches!(again, Ok(Appended::Duplicate(_))), "{again:?}");

    bench.clock.advance(QUIET / 2);

    disk.wait_until(|files| frames_behind(files) == 0);
}

#[tokio::test]
async fn a_disk_that_fails_while_nobody_commits_begins_an_outage_that_ends() {
    let (disk, bench) = quiet().await;
    let mut outage = bench.store.handle.shared.outage.subscribe();
    disk.fail_in(Part::Rows, Fault::Sync, 0);

    bench.clock.advance(QUIET);
    outage.wait_for(Option::is_some).await.unwrap();
    disk.mend();
    bench.clock.advance(PAUSE_MAX);
    bench.store.available().await;

    assert_eq!(frames_behind(&disk.synced()), 0);
    let again = bench.store.append(receipt(&["evt_0"])).await;
    assert!(matches!(again, Ok(Appended::Duplicate(_))), "{again:?}");
}

#[tokio::test]
async fn a_store_can_be_closed_whose_disk_has_failed_while_nobody_committed() {
    let (disk, bench) = quiet().await;
    let mut outage = bench.store.handle.shared.outage.subscribe();
    disk.fail_in(Part::Rows, Fault::Sync, 0);
    bench.clock.advance(QUIET);
    outage.wait_for(Option::is_some).await.unwrap();

    let closed = bench.store.clone().close().await;

    assert!(matches!(closed, Err(Error::Unavailable(_))), "{closed:?}");
}
