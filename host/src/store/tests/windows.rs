//! What is owed for long lies on disk, and a little of it in memory: each work is done once all the
//! same, in its order, over restarts and kills.

use std::collections::{BTreeMap, BTreeSet};

use super::damaging::{Damage, damage};
use super::disk::Disk;
use super::*;

/// So little that the smallest lane has more on disk than in memory.
const WINDOWS: Windows = Windows { total: 16, least: 2, most: 8, held: 8 };

/// What is open gets its rows as soon as it is 256 commits old.
fn config() -> Config {
    let lag = Duration::ZERO;
    Config { windows: WINDOWS, recent_bytes: 0, lag, ..Config::at("nowhere") }
}

/// A store on a disk that a kill can take away.
struct Killable {
    disk: Disk,
    bench: Bench,
}

impl Killable {
    fn new() -> Self {
        Self::on(Disk::default(), Clock::manual(NOW))
    }

    fn on(disk: Disk, clock: Clock) -> Self {
        let bench = Bench::with(disk.clone(), clock, &config());
        Self { disk, bench }
    }

    /// After a kill.
    fn killed(self) -> Self {
        Self::on(Disk::holding(self.disk.synced()), self.bench.clock.clone())
    }

    /// After an orderly end: whatever is owed has a row.
    async fn restarted(self) -> Self {
        let Self { disk, bench } = self;
        bench.store.clone().close().await.unwrap();
        Self::on(disk, bench.clock.clone())
    }

    fn store(&self) -> &Store {
        &self.bench.store
    }

    /// Brings so many events to an endpoint, and gives their ids.
    async fn owe(&self, events: usize, endpoint: &str) -> Vec<Id> {
        let mut ids = Vec::new();
        for number in 0..events {
            let new = event(&format!("{endpoint}_{number}"), "").to(&[], &[endpoint]);
            ids.extend(self.bench.bring(vec![new]).await);
        }
        ids
    }

    /// Some of the deliveries that are due, once there are any.
    async fn taken(&self, most: usize) -> Vec<DeliveryWork> {
        loop {
            let ready = self.store().ready(WorkKind::Delivery);
            let taken = self.store().take_deliveries(most, usize::MAX).await.unwrap();
            if !taken.is_empty() {
                return taken;
            }
            ready.await;
        }
    }

    /// Takes so many deliveries, each of them once, and ends them so. Gives their positions.
    async fn end(&self, works: usize, tries_made: u32, verdict: Verdict) -> BTreeSet<u64> {
        let mut ended = BTreeSet::new();
        while ended.len() < works {
            for work in self.taken(5.min(works - ended.len())).await {
                assert_eq!(work.tries_made, tries_made, "{}", work.id);
                assert!(ended.insert(work.id.position), "{} comes twice", work.id);
                self.bench.end_delivery(work, verdict).await;
            }
        }
        ended
    }

    fn deliveries(&self) -> KindStats {
        self.store().stats().works[&WorkKind::Delivery]
    }

    fn in_memory(&self) -> usize {
        self.store().handle.shared.backlog().in_memory()
    }

    async fn check_done(&self) {
        self.store().idle().await;
        assert_eq!(self.deliveries().pending(), 0);
        assert_eq!(self.store().open_works().all.works, 0);
        assert_eq!(self.in_memory(), 0);
    }
}

/// [I8]
#[tokio::test]
async fn each_of_many_deliveries_is_made_once_over_restarts_and_kills() {
    const EVENTS: usize = 600;
    let mut killable = Killable::new();
    killable.owe(EVENTS, "crm").await;
    assert_eq!(killable.deliveries().ready, EVENTS);

    let mut delivered = BTreeSet::new();
    for part in 0..6 {
        let some = killable.end(EVENTS / 6, 0, Verdict::Done).await;
        assert!(delivered.is_disjoint(&some), "part {part}");
        delivered.extend(some);
        let left = EVENTS - delivered.len();
        assert_eq!(killable.deliveries().pending(), left, "part {part}");
        killable = if part % 2 == 0 { killable.killed() } else { killable.restarted().await };
        assert_eq!(killable.deliveries().pending(), left, "part {part}");
    }
    killable.check_done().await;
}

#[tokio::test]
async fn a_start_counts_what_is_owed_and_has_little_of_it_in_memory() {
    let killable = Killable::new();
    killable.owe(90, "crm").await;
    killable.end(40, 0, Verdict::RetryAt(in_minutes(5))).await;
    killable.bench.finished("dead", Verdict::Dead).await;
    let before = killable.deliveries();
    let killable = killable.restarted().await;

    assert_eq!(killable.deliveries(), before);
    assert_eq!((before.ready, before.retrying, before.dead), (50, 40, 1));
    let open = killable.store().open_works();
    assert_eq!((open.all.works, open.sources[&name("stripe")].works), (90, 90));
    assert!(killable.in_memory() <= WINDOWS.most, "{} are in memory", killable.in_memory());
}

/// [I8]
#[tokio::test]
async fn what_waits_on_disk_for_a_retry_is_tried_when_it_is_due() {
    let killable = Killable::new();
    killable.owe(90, "crm").await;
    let first = killable.end(90, 0, Verdict::RetryAt(in_minutes(5))).await;
    killable.store().idle().await;
    let killable = killable.restarted().await;
    killable.store().idle().await;
    assert_eq!(killable.deliveries().retrying, 90);
    assert!(killable.bench.deliveries().await.is_empty());

    killable.bench.clock.set(in_minutes(5));

    assert_eq!(killable.end(90, 1, Verdict::Done).await, first);
    killable.check_done().await;
}

/// Rows cost a commit more than all else that it writes for a work.
#[tokio::test]
async fn a_delivery_that_ends_within_a_minute_never_has_a_row() {
    let (disk, clock) = (Disk::default(), Clock::manual(NOW));
    let config = Config { lag: Config::at("nowhere").lag, ..config() };
    let bench = Bench::with(disk.clone(), clock, &config);
    let killable = Killable { disk, bench };
    let rows = |killable: &Killable| -> u64 {
        killable.store().handle.shared.file.totals().owed.values().sum()
    };
    killable.owe(600, "crm").await;
    killable.bench.clock.advance(Duration::from_secs(59));
    killable.end(300, 0, Verdict::Done).await;
    assert_eq!(rows(&killable), 0, "there were 1,500 commits");

    killable.bench.clock.advance(Duration::from_secs(2));
    killable.owe(20, "erp").await;
    assert!(rows(&killable) > 0, "they had their minute");
    killable.end(320, 0, Verdict::Done).await;
    assert_eq!(rows(&killable), 0);
    killable.check_done().await;
}

#[tokio::test]
async fn what_waits_on_disk_is_hastened_by_a_replay_and_dead_letters_join_it() {
    let killable = Killable::new();
    let ids = killable.owe(60, "crm").await;
    let put_off = killable.end(45, 0, Verdict::RetryAt(in_minutes(5))).await;
    let dead = killable.end(15, 0, Verdict::Dead).await;
    let killable = killable.restarted().await;

    let replayed = killable.store().replay(ids).await.unwrap();

    assert_eq!((replayed.hastened, replayed.reopened), (45, 15));
    let (mut again, mut anew) = (BTreeSet::new(), BTreeSet::new());
    while again.len() + anew.len() < 60 {
        for work in killable.taken(7).await {
            let set = if work.tries_made == 1 { &mut again } else { &mut anew };
            assert!(set.insert(work.id.position), "{} comes twice", work.id);
            killable.bench.end_delivery(work, Verdict::Done).await;
        }
    }
    assert_eq!((again, anew), (put_off, dead));
    killable.check_done().await;
}

/// Runs what is due of a handler; gives the ids of the events, by subject. Each fifth is tried
/// again.
async fn run_some(killable: &Killable, runs: usize) -> BTreeMap<String, Vec<String>> {
    let store = killable.store();
    let (mut ran, mut count) = (BTreeMap::<String, Vec<String>>::new(), 0);
    while count < runs {
        let ready = store.ready(WorkKind::Run);
        let taken = store.take_runs(4, usize::MAX).await.unwrap();
        if taken.is_empty() {
            ready.await;
        }
        for run in taken {
            let event = Arc::clone(&run.event.event);
            if run.tries_made == 0 && run.id.position % 5 == 0 {
                killable
                    .bench
                    .end_run(run, Verdict::RetryAt(NOW.after(Duration::from_millis(1))))
                    .await;
                killable.bench.clock.advance(Duration::from_millis(1));
                continue;
            }
            killable.bench.end_run(run, Verdict::Done).await;
            let subject = event.subject.clone().unwrap_or_default();
            ran.entry(subject).or_default().push(event.id.clone());
            count += 1;
        }
    }
    ran
}

#[tokio::test]
async fn runs_of_a_subject_that_lie_on_disk_go_in_their_order() {
    let mut killable = Killable::new();
    let mut brought = BTreeMap::<String, Vec<String>>::new();
    for number in 0..120 {
        let (id, subject) = (format!("evt_{number:03}"), format!("pi_{}", number % 3));
        killable.bench.bring(vec![event(&id, &subject).to(&["ledger"], &[])]).await;
        brought.entry(subject).or_default().push(id);
    }
    let mut ran = BTreeMap::<String, Vec<String>>::new();
    for part in 0..4 {
        killable = if part % 2 == 0 { killable.restarted().await } else { killable.killed() };
        for (subject, ids) in run_some(&killable, if part == 3 { 30 } else { 29 }).await {
            ran.entry(subject).or_default().extend(ids);
        }
    }
    let left = killable.store().stats().works[&WorkKind::Run].pending();
    for (subject, ids) in run_some(&killable, left).await {
        ran.entry(subject).or_default().extend(ids);
    }
    assert_eq!(ran, brought);
}

/// [I12]
#[tokio::test]
async fn a_record_that_can_not_be_read_ends_its_work_as_dead_and_stops_no_other() {
    let killable = Killable::new();
    let ids = killable.owe(40, "crm").await;
    damage(&killable.disk, killable.store(), ids[20].position, Damage::Record);
    let killable = killable.restarted().await;

    let ended = killable.end(39, 0, Verdict::Done).await;

    assert!(!ended.contains(&(ids[20].position + 1)));
    killable.check_done().await;
    assert_eq!((killable.deliveries().dead, killable.deliveries().parked), (1, 0));
    assert!(killable.store().stats().damaged > 0);
}

#[tokio::test]
async fn an_endpoint_that_is_switched_off_is_read_when_it_is_switched_on() {
    let killable = Killable::new();
    killable.owe(30, "crm").await;
    let killable = killable.restarted().await;
    killable.store().allow(&name("crm"), Allowance::of(0));
    assert!(killable.bench.deliveries().await.is_empty());
    killable.store().idle().await;
    assert_eq!(killable.deliveries().ready, 30);

    let ready = killable.store().ready(WorkKind::Delivery);
    killable.store().allow(&name("crm"), Allowance::of(3));
    ready.await;

    killable.end(30, 0, Verdict::Done).await;
    killable.check_done().await;
}

/// [I11]
#[tokio::test]
async fn a_lane_that_lies_on_disk_delays_no_other() {
    let killable = Killable::new();
    killable.owe(60, "dead").await;
    let killable = killable.restarted().await;
    killable.store().allow(&name("dead"), Allowance::of(1));
    killable.owe(3, "quick").await;

    let taken = killable.bench.deliveries().await;
    let quick = taken.iter().filter(|work| work.endpoint == name("quick"));
    assert_eq!((quick.count(), taken.len()), (3, 4));
}

#[tokio::test]
async fn ten_thousand_endpoints_have_their_share_of_memory_and_get_all() {
    const ENDPOINTS: usize = 10_000;
    let disk = Disk::default();
    let clock = Clock::manual(NOW);
    let config = Config { windows: WINDOWS, ..Config::at("nowhere") };
    let bench = Bench::with(disk.clone(), clock.clone(), &config);
    let names: Vec<String> = (0..ENDPOINTS).map(|number| format!("crm-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for number in 0..3 {
        bench.bring(vec![event(&format!("evt_{number}"), "").to(&[], &names)]).await;
    }
    bench.store.clone().close().await.unwrap();
    let killable = Killable { bench: Bench::with(disk.clone(), clock, &config), disk };
    assert_eq!(killable.deliveries().ready, 3 * ENDPOINTS);
    let in_memory = killable.in_memory();
    assert!(in_memory <= WINDOWS.least * ENDPOINTS, "{in_memory} are in memory");

    let mut held = BTreeMap::new();
    while held.len() < 3 * ENDPOINTS {
        for work in killable.taken(usize::MAX).await {
            let id = work.id;
            assert!(held.insert(id.position, work).is_none(), "{id} comes twice");
        }
    }
    assert_eq!((killable.deliveries().in_flight, killable.in_memory()), (3 * ENDPOINTS, 0));
}
