//! An id is known as long as it must be, also when its records were packed or removed and the
//! store crashed right behind that [I3].

use std::sync::atomic::Ordering;

use super::disk::Disk;
use super::*;
use crate::store::conformance::once::{TWO_HOURS, bring_many, check_all_are_known, keeping};
use crate::store::ids::Shape;
use crate::store::log::segment::{RecordKind, Segment};

/// What a crash leaves: the disk as it was synced, at the same time.
fn crash(bench: &Bench, disk: &Disk) -> Bench {
    Bench::on(Disk::holding(disk.synced()), bench.clock.clone())
}

/// A store of whose many events some have their ids in a run, and later ones in the log only.
async fn with_few_fresh_ids() -> (Disk, Bench) {
    let config = Config { fresh_ids: 400, ..Config::at("nowhere") };
    let open = |disk: &Disk| Bench::with(disk.clone(), Clock::manual(NOW), &config);
    let disk = Disk::default();
    let bench = open(&disk);
    bring_many(&bench).await;
    // Of a run that no checkpoint has made durable nobody may make use.
    bench.store.handle.shared.file.checkpoint().expect("the disk is whole");
    let disk = Disk::holding(disk.synced());
    let bench = open(&disk);
    (disk, bench)
}

impl Bench {
    fn id_mark(&self) -> u64 {
        self.store.handle.shared.id_mark.load(Ordering::Relaxed)
    }

    /// Where the last segment begins that begins before this position.
    fn last_segment_before(&self, position: u64) -> u64 {
        let view = self.store.handle.shared.file.read().expect("the file is open");
        let log = view.log().expect("it has a log");
        log.key_up_to(position - 1).expect("it can be read").expect("something is packed")
    }

    fn fact(&self, name: &str) -> u64 {
        self.store.handle.shared.file.read().unwrap().fact(name).unwrap().unwrap()
    }

    /// Segments that begin before this position and hold more than gaps.
    fn segments_before(&self, position: u64) -> usize {
        let view = self.store.handle.shared.file.read().unwrap();
        let rows = view.log().unwrap().within(..position).unwrap();
        let segments = rows.map(|row| row.unwrap().1.unwrap());
        let kinds = |segment: &Segment| segment.entries().any(|it| it.kind != RecordKind::Gap);
        segments.filter(kinds).count()
    }
}

#[tokio::test]
async fn a_log_is_packed_also_where_its_ids_are_nowhere_else_and_a_start_finds_them_there() {
    let (disk, bench) = with_few_fresh_ids().await;
    bench.clock.advance(TWO_HOURS);
    let retention = keeping(Duration::from_secs(2));

    bench.store.pack(&retention).await.unwrap();

    let id_mark = bench.id_mark();
    let packed_to = bench.fact(file::SWEPT_TO);
    assert!(0 < id_mark && id_mark < packed_to, "{id_mark} is not before {packed_to}");
    assert!(bench.segments_before(packed_to) > 0, "what is old enough to go stays");
    check_all_are_known(&crash(&bench, &disk)).await;

    bench.clock.advance(TWO_HOURS);
    bench.store.sweep(&retention).await.unwrap();

    assert_eq!(bench.segments_before(packed_to), 0, "a sweep settles the ids first");
    check_all_are_known(&crash(&bench, &disk)).await;
}

/// Where nothing is stored any more, nothing else tells of them.
#[tokio::test]
async fn a_sweep_settles_ids_in_the_middle_of_a_packed_segment() {
    let (disk, bench) = with_few_fresh_ids().await;
    bench.clock.advance(TWO_HOURS);
    bench.store.pack(&keeping(days(1))).await.unwrap();
    let packed_to = bench.fact(file::SWEPT_TO);
    let (begins_at, id_mark) = (bench.last_segment_before(packed_to), bench.id_mark());
    assert!(begins_at < id_mark && id_mark < packed_to, "{begins_at} {id_mark} {packed_to}");

    bench.clock.advance(TWO_HOURS);
    bench.store.sweep(&keeping(Duration::from_secs(2))).await.unwrap();

    assert_eq!(bench.segments_before(packed_to), 0, "what is old enough goes");
    check_all_are_known(&crash(&bench, &disk)).await;
}

#[tokio::test]
async fn sweeps_of_a_quiet_store_leave_few_runs_of_ids() {
    let bench = Bench::on(Disk::default(), Clock::manual(NOW));
    let retention = keeping(Duration::from_secs(60 * 60));
    for round in 0..12 {
        for number in 0..70 {
            bench.finished(&format!("evt_{round}_{number}"), Verdict::Done).await;
        }
        bench.clock.advance(TWO_HOURS);
        bench.store.sweep(&retention).await.unwrap();
    }
    let view = bench.store.handle.shared.file.read().unwrap();
    let runs = crate::store::ids::load(&view, Shape::DEFAULT).unwrap().runs_held();
    assert!(runs.0.len() + runs.1 < 8, "{runs:?}");
}
