//! How state lies in the file: rows of an older gateway, what was set since the sweep looked, the
//! limit of size, and the records of what runs set.

use bytes::Bytes;

use super::disk::{Disk, Fault};
use super::*;
use crate::store::log::record::{Record, StateRecord};
use crate::store::state::{self, Used};
use crate::store::write::outage::PAUSE_MAX;
use crate::store::write::states::SweepStates;

/// The key of what the handler `ledger` remembers of `pi_1`.
fn key(of: &str) -> Vec<u8> {
    state::key(&name("ledger"), "pi_1", of)
}

impl Bench {
    /// Has a run set a key, or delete it.
    async fn set(&self, id: &str, of: &str, value: Option<Bytes>) -> Result<(), RunRefused> {
        self.bring(vec![event(id, "pi_1").to(&["ledger"], &[])]).await;
        let run = self.runs().await.pop().unwrap();
        let (state, scope) = (vec![(of.to_owned(), value)], "pi_1".to_owned());
        let effects = Effects { state, scope, ..Effects::default() };
        self.store.commit_run(run, tried(Verdict::Done), effects).await.unwrap()
    }

    fn get(&self, of: &str) -> Option<Bytes> {
        self.store.state(&name("ledger"), "pi_1", of).unwrap()
    }

    fn used(&self) -> Used {
        self.store.handle.shared.used.load().get(&name("ledger")).copied().unwrap_or_default()
    }

    /// What the rows take, by the rows themselves.
    fn counted(&self) -> Used {
        let view = self.store.handle.shared.file.read().unwrap();
        let rows = view.states(&state::all_of(&name("ledger")), Used::of).unwrap();
        let most = self.used().keys.try_into().unwrap();
        rows.take(most).map(Result::unwrap).fold(Used::default(), Used::and)
    }
}

fn one(text: &'static str) -> Option<Bytes> {
    Some(Bytes::from_static(text.as_bytes()))
}

#[tokio::test]
async fn rows_of_an_older_gateway_are_read_replaced_and_spelled_anew() {
    let bench = Bench::new();
    for of in ["kept", "replaced", "deleted"] {
        let file = &bench.store.handle.shared.file;
        let mut change = file.write().unwrap();
        change.tables().put_state(state::old(&key(of)), Some(&b"old"[..])).unwrap();
        file.commit(change).unwrap();
    }
    assert_eq!((bench.get("kept"), bench.used()), (one("old"), Used::default()));

    bench.set("evt_1", "replaced", one("new")).await.unwrap();
    bench.set("evt_2", "deleted", None).await.unwrap();
    let bench = bench.restart().await;
    bench.store.sweep(&Retention::default()).await.unwrap();

    let all = ["kept", "replaced", "deleted"].map(|of| bench.get(of));
    assert_eq!(all, [one("old"), one("new"), None]);
    assert_eq!((bench.used().keys, bench.used()), (2, bench.counted()));
    let view = bench.store.handle.shared.file.read().unwrap();
    let is_old = |key: &[u8], _: &[u8]| key.starts_with(state::ALL_OLD);
    assert!(!view.states(&[], is_old).unwrap().any(Result::unwrap), "none is left");
}

#[tokio::test]
async fn what_was_set_again_since_the_sweep_looked_stays() {
    let bench = Bench::new();
    bench.set("evt_1", "count", one("1")).await.unwrap();
    bench.clock.advance(days(1));
    bench.set("evt_2", "count", one("2")).await.unwrap();

    let expired = vec![(key("count"), NOW)];
    bench.store.ask(|reply| SweepStates { expired, old: Vec::new(), reply }).await.unwrap();
    assert_eq!((bench.get("count"), bench.used()), (one("2"), bench.counted()));

    let expired = vec![(key("count"), NOW.after(days(1)))];
    bench.store.ask(|reply| SweepStates { expired, old: Vec::new(), reply }).await.unwrap();
    assert_eq!((bench.get("count"), bench.used()), (None, Used::default()));
}

#[tokio::test]
async fn what_a_sweep_that_fails_has_not_removed_goes_at_the_next() {
    let quota = Quota { term: Some(days(1)), ..Quota::default() };
    let quotas = Quotas::of([(name("ledger"), quota)]);
    let config = Config { quotas, ..Config::at("nowhere") };
    let disk = Disk::default();
    let bench = Bench::with(disk.clone(), Clock::manual(NOW), &config);
    bench.set("evt_1", "count", one("1")).await.unwrap();
    let sweep = async || bench.store.sweep(&Retention::default()).await;
    assert_eq!(sweep().await.unwrap().states, 0);
    bench.clock.advance(days(2));

    disk.fail_after(Fault::Write, 0);
    assert!(sweep().await.is_err());
    disk.mend();
    bench.clock.advance(PAUSE_MAX);
    bench.store.available().await;

    assert_eq!(sweep().await.unwrap().states, 1);
}

#[tokio::test]
async fn what_state_takes_counts_for_the_limit_of_size_and_is_never_removed_for_it() {
    let bench = Bench::new();
    let (_, old) = bench.finished("evt_old", Verdict::Done).await;
    let bench = bench.restart().await;
    bench.clock.advance(days(2));
    bench.store.sweep(&Retention::default()).await.unwrap();
    let packed = {
        let view = bench.store.handle.shared.file.read().unwrap();
        let swept = view.swept().unwrap().expect("something is packed");
        swept.within(..).unwrap().map(|packed| packed.unwrap().bytes).sum::<u64>()
    };
    let retention = Retention { size_bytes: Some(packed + 5_000), ..Retention::default() };
    bench.store.sweep(&retention).await.unwrap();
    assert!(bench.store.event(old).await.unwrap().is_some());

    let large = Bytes::from(vec![7; 10_000]);
    bench.set("evt_new", "large", Some(large.clone())).await.unwrap();
    bench.store.sweep(&retention).await.unwrap();

    assert!(bench.store.event(old).await.unwrap().is_none());
    assert_eq!(bench.get("large"), Some(large));
}

/// What the tries in the log did with the state, oldest first.
fn recorded(bench: &Bench) -> Vec<StateRecord<'static>> {
    let file = &bench.store.handle.shared.file;
    let log = file.read().unwrap().log().unwrap();
    let mut found = Vec::new();
    for row in log.within(..).unwrap() {
        for entry in row.unwrap().1.unwrap().entries() {
            if let Record::Try(tried) = Record::read(&entry, file.tag).unwrap() {
                found.extend(tried.state.map(|state| *state));
            }
        }
    }
    found
}

#[tokio::test]
async fn what_a_run_set_stays_in_its_record_as_long_as_events_stay() {
    let bench = Bench::new();
    bench.set("evt_1", "count", one("7")).await.unwrap();
    let (_, plain) = bench.finished("evt_2", Verdict::Done).await;
    let (state, scope) = (vec![("count".to_owned(), one("7"))], "pi_1".to_owned());
    let effects = Effects { state, scope, ..Effects::default() };
    let set = StateRecord::of(&effects).expect("it sets a key");

    let bench = bench.restart().await;
    bench.clock.advance(days(40));
    bench.store.sweep(&Retention::default()).await.unwrap();
    let view = bench.store.event(plain).await.unwrap().unwrap();
    assert!(view.runs[0].tries.is_empty(), "attempts are kept for 30 days");
    assert_eq!(recorded(&bench), [set]);

    let bench = bench.restart().await;
    bench.clock.advance(days(60));
    bench.store.sweep(&Retention::default()).await.unwrap();
    assert!(recorded(&bench).is_empty());
    assert_eq!(bench.get("count"), one("7"), "the state itself has no term");
}
