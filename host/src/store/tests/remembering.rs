//! An id is known as long as it must be, also when its records were packed or removed and the
//! store crashed right behind that [I3].

use std::sync::atomic::Ordering;

use super::disk::Disk;
use super::*;
use crate::store::ids::Shape;
use crate::store::log::segment::{RecordKind, Segment};

/// So many that the low-water mark passes most of them.
const EVENTS: usize = 700;

/// Two hours are enough for every retention here.
const TWO_HOURS: Duration = Duration::from_secs(2 * 60 * 60);

/// Keeps nothing for longer than this.
fn of(time: Duration) -> Retention {
    Retention { bodies: time, events: time, attempts: time, dead: time, size_bytes: None }
}

/// What a crash leaves: the disk as it was synced, at the same time.
fn crash(bench: &Bench, disk: &Disk) -> Bench {
    Bench::on(Disk::holding(disk.synced()), bench.clock.clone())
}

fn id(number: usize) -> String {
    format!("evt_{number}")
}

impl Bench {
    /// Brings events that go nowhere.
    async fn bring_all(&self) {
        for number in 0..EVENTS {
            self.bring(vec![event(&id(number), "")]).await;
        }
    }

    async fn check_all_are_known(&self) {
        for number in 0..EVENTS {
            let again = self.store.append(receipt(&[&id(number)])).await.unwrap();
            assert!(matches!(again, Appended::Duplicate(_)), "{}", id(number));
        }
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
async fn an_event_whose_records_were_swept_before_a_crash_is_known_after_it() {
    let disk = Disk::default();
    let bench = Bench::on(disk.clone(), Clock::manual(NOW));
    bench.bring_all().await;
    bench.clock.advance(TWO_HOURS);

    let swept = bench.store.sweep(&of(Duration::from_secs(2))).await.unwrap();

    assert!(swept.records > 1000, "it goes up to the mark: {swept:?}");
    crash(&bench, &disk).check_all_are_known().await;
}

#[tokio::test]
async fn a_log_is_packed_also_where_its_ids_are_nowhere_else_and_a_start_finds_them_there() {
    let disk = Disk::default();
    // So few that some ids are in a run, and later ones in the log only.
    let config = Config { fresh_ids: 400, ..Config::at("nowhere") };
    let clock = Clock::manual(NOW);
    let store = Store::open_on(disk.clone(), &config, clock.clone()).unwrap();
    let bench = Bench { folder: TempDir::new().unwrap(), clock, store };
    bench.bring_all().await;
    bench.clock.advance(TWO_HOURS);
    let retention = of(Duration::from_secs(2));

    bench.store.pack(&retention).await.unwrap();

    let id_mark = bench.store.handle.shared.id_mark.load(Ordering::Relaxed);
    let packed_to = bench.fact(file::SWEPT_TO);
    assert!(0 < id_mark && id_mark < packed_to, "{id_mark} is not before {packed_to}");
    assert!(bench.segments_before(packed_to) > 0, "what is old enough to go stays");
    crash(&bench, &disk).check_all_are_known().await;

    bench.clock.advance(TWO_HOURS);
    bench.store.sweep(&retention).await.unwrap();

    assert_eq!(bench.segments_before(packed_to), 0, "a sweep settles the ids first");
    crash(&bench, &disk).check_all_are_known().await;
}

#[tokio::test]
async fn sweeps_of_a_quiet_store_leave_few_runs_of_ids() {
    let bench = Bench::on(Disk::default(), Clock::manual(NOW));
    let retention = of(Duration::from_secs(60 * 60));
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
