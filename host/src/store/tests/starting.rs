//! What a start reads, and what is read again after an outage: what lies behind the last
//! checkpoint, however much lies before it.
//!
//! Counted in bytes that the disk is asked for. Never measures time.

use super::disk::{Disk, Fault, Part, Reads};
use super::*;
use crate::store::write::outage::PAUSE_MAX;

/// Ids that are in memory and in the log only, so few that most of the log is not read for them.
const FRESH_IDS: usize = 64;
/// The same for what the index has in memory.
const INDEX_ITEMS: usize = 64;
/// Events behind the last checkpoint.
const BEHIND: usize = 20;

fn config() -> Config {
    Config {
        fresh_ids: FRESH_IDS,
        index_items: INDEX_ITEMS,
        volume_bytes: 64 << 10,
        // Or all of it would be little enough to be read again.
        lag: Duration::ZERO,
        ..Config::at("nowhere")
    }
}

/// Brings events, and has nothing left to do with them.
async fn bring(bench: &Bench, numbers: std::ops::Range<usize>) {
    for number in numbers {
        bench.finished(&format!("evt_{number}"), Verdict::Done).await;
    }
}

/// A store with so many events, the last of them behind the last checkpoint.
async fn filled(events: usize) -> (Disk, Bench) {
    let disk = Disk::default();
    let bench = Bench::with(disk.clone(), Clock::manual(NOW), &config());
    bring(&bench, 0..events - BEHIND).await;
    bench.store.handle.shared.file.checkpoint().unwrap();
    bring(&bench, events - BEHIND..events).await;
    (disk, bench)
}

/// What a start reads after a kill.
fn start_after_kill(disk: &Disk, clock: &Clock) -> (Reads, Store) {
    let killed = Disk::holding(disk.synced());
    let store = Store::open_on(killed.clone(), &config(), clock.clone()).unwrap();
    (killed.reads(), store)
}

/// Bytes of all volumes.
fn log_bytes(disk: &Disk) -> usize {
    let files = disk.synced();
    let volumes = files.iter().filter(|(name, _)| super::frames::is_volume(name));
    volumes.map(|(_, bytes)| bytes.length()).sum()
}

/// Not by more than what a start reads of any store: the heads of volumes, and where the tables
/// grow in height.
#[track_caller]
fn check_alike(small: Reads, large: Reads) {
    let grown = |small: usize, large: usize| large > 2 * small + (256 << 10);
    assert!(!grown(small.volumes, large.volumes), "{small:?}, then {large:?}");
    assert!(!grown(small.rows, large.rows), "{small:?}, then {large:?}");
}

#[tokio::test]
async fn a_start_after_a_kill_reads_no_more_of_a_store_that_has_grown() {
    let (disk, bench) = filled(400).await;
    let (small, store) = start_after_kill(&disk, &bench.clock);
    let pending = |store: &Store| WorkKind::ALL.map(|kind| store.stats().works[&kind].pending());
    assert_eq!(pending(&store), [0; 3]);

    bring(&bench, 400..4000).await;
    bench.store.handle.shared.file.checkpoint().unwrap();
    bring(&bench, 4000..4000 + BEHIND).await;
    let (large, store) = start_after_kill(&disk, &bench.clock);

    assert_eq!(pending(&store), [0; 3]);
    assert_eq!(store.stats().end, bench.store.stats().end);
    assert!(log_bytes(&disk) > 4 * large.volumes, "{large:?} of {}", log_bytes(&disk));
    check_alike(small, large);
}

/// One that comes back by itself must not cost more, the more it has kept.
#[tokio::test]
async fn each_of_many_outages_reads_what_the_first_has_read() {
    let (disk, bench) = filled(2500).await;
    let mut outage = bench.store.handle.shared.outage.subscribe();
    let mut first = None;
    for number in 0..20 {
        let part = if number % 2 == 0 { Part::Volumes } else { Part::Rows };
        disk.fail_in(part, Fault::Sync, 0);
        if part == Part::Rows {
            assert!(bench.store.handle.shared.file.checkpoint().is_err(), "its sync fails");
        }
        let refused = bench.store.append(receipt(&[&format!("later_{number}")])).await;
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{number}: {refused:?}");
        outage.wait_for(Option::is_some).await.unwrap();
        disk.mend();
        disk.reads();
        bench.clock.advance(PAUSE_MAX);
        bench.store.available().await;

        let reads = disk.reads();
        let first = *first.get_or_insert(reads);
        check_alike(first, reads);
        assert!(log_bytes(&disk) > 4 * reads.volumes, "{reads:?} of {}", log_bytes(&disk));
    }
}
