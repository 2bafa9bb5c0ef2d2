//! The disk fails and recovers: what was refused may come again, what was done takes effect once,
//! and the store goes on by itself.

use super::disk::{Disk, Fault, Part};
use super::*;
use crate::store::conformance::cuts::{REQUESTS, check_end, effects, verdict};
use crate::store::conformance::once::append_all;
use crate::store::write::outage::PAUSE_MAX;

struct Patient {
    disk: Disk,
    clock: Clock,
    store: Store,
}

impl Patient {
    fn new() -> Self {
        Self::with(&Config::at("nowhere"))
    }

    fn with(config: &Config) -> Self {
        let (disk, clock) = (Disk::default(), Clock::manual(NOW));
        let store = Store::open_on(disk.clone(), &alone(config), clock.clone()).unwrap();
        Self { disk, clock, store }
    }

    /// Waits for the next outage, then ends it.
    async fn heal(&self) {
        let mut outage = self.store.handle.shared.outage.subscribe();
        outage.wait_for(Option::is_some).await.unwrap();
        self.disk.mend();
        self.clock.advance(PAUSE_MAX);
        self.store.available().await;
    }

    /// Appends as a provider does that tries again.
    async fn append(&self, ids: &[&str]) -> Appended {
        loop {
            match self.store.append(receipt(ids)).await {
                Err(Error::Unavailable(_)) => self.store.available().await,
                appended => return appended.unwrap(),
            }
        }
    }

    /// Takes as a worker does that waits while there is nothing.
    fn take<T>(&self, taken: Result<Vec<T>, Error>) -> Vec<T> {
        match taken {
            Err(Error::Unavailable(_)) => Vec::new(),
            taken => taken.unwrap(),
        }
    }

    async fn drive(&self) {
        let store = &self.store;
        for ids in REQUESTS {
            self.append(ids).await;
        }
        let is_left = |kind| store.stats().works[&kind].pending() > 0;
        while WorkKind::ALL.into_iter().any(is_left) {
            store.available().await;
            for work in self.take(store.take_parses(9, usize::MAX).await) {
                let routed = |id: &String| event(id, "pi_1").to(&["ledger"], &["crm"]);
                let events = work.receipt.event_ids.iter().map(routed).collect();
                let tried = tried(verdict(work.tries_made));
                store.commit_parse(work, tried, events).await.unwrap().unwrap();
            }
            for work in self.take(store.take_runs(9, 9).await) {
                store.available().await;
                let tried = tried(verdict(work.tries_made));
                store.commit_run(work, tried, effects(store)).await.unwrap().unwrap();
            }
            for work in self.take(store.take_deliveries(9, usize::MAX).await) {
                let attempt = attempt(verdict(work.tries_made));
                store.record_attempt(work, attempt).await.unwrap().unwrap();
            }
        }
        // Not before the checkpoint behind the last commit has gone well.
        assert!(matches!(self.append(REQUESTS[0]).await, Appended::Duplicate(_)));
    }
}

/// Whether the fault was met.
async fn survive(part: Part, fault: Fault, accesses: usize) -> bool {
    let context = format!("with {fault:?} of {part:?} failing after {accesses}");
    // A checkpoint behind each commit, where it is about the rows.
    let checkpoint_bytes = if part == Part::Rows { 1 } else { u64::MAX };
    let patient = Patient::with(&Config { checkpoint_bytes, ..Config::at("nowhere") });
    patient.disk.fail_in(part, fault, accesses);
    let met = {
        let drive = patient.drive();
        tokio::pin!(drive);
        tokio::select! {
            () = &mut drive => false,
            () = patient.heal() => {
                drive.await;
                true
            }
        }
    };
    check_end(&patient.store, &context).await;

    // The file tells the same as memory does.
    let (live, synced) = (patient.store.stats(), patient.disk.synced());
    let Patient { store, clock, .. } = patient;
    drop(store);
    let disk = Disk::holding(synced);
    let store = Store::open_on(disk, &Config::at("nowhere"), clock).unwrap();
    check_end(&store, &context).await;
    assert_eq!(store.stats().end, live.end, "{context}");
    for ids in REQUESTS {
        let again = store.append(receipt(ids)).await.unwrap();
        assert!(matches!(again, Appended::Duplicate(_)), "{ids:?} {context}");
    }
    met
}

/// At how many places the fault was met.
async fn survive_anywhere(part: Part, fault: Fault) -> usize {
    let mut accesses = 0;
    while survive(part, fault, accesses).await {
        accesses += 1;
    }
    accesses
}

/// A commit is one write to a volume, and some to the rows with its checkpoint.
#[tokio::test]
async fn a_write_to_the_log_that_fails_anywhere_is_survived() {
    let accesses = survive_anywhere(Part::Volumes, Fault::Write).await;
    assert!(accesses > 40, "{accesses}");
}

/// Apart from the other, because either is among the longest of all tests.
#[tokio::test]
async fn a_write_to_the_rows_that_fails_anywhere_is_survived() {
    let accesses = survive_anywhere(Part::Rows, Fault::Write).await;
    assert!(accesses > 100, "{accesses}");
}

#[tokio::test]
async fn a_sync_that_fails_anywhere_is_survived() {
    for part in [Part::Volumes, Part::Rows] {
        let accesses = survive_anywhere(part, Fault::Sync).await;
        assert!(accesses > 40, "{accesses} of {part:?}");
    }
}

/// What it has lost is still read, until the store tells the file to forget it.
#[tokio::test]
async fn a_sync_that_fails_anywhere_and_loses_what_was_written_is_survived() {
    for part in [Part::Volumes, Part::Rows] {
        let accesses = survive_anywhere(part, Fault::LostSync).await;
        assert!(accesses > 40, "{accesses} of {part:?}");
    }
}

#[tokio::test]
async fn a_disk_that_fails_takes_nothing_and_gives_no_work_until_it_recovers() {
    let patient = Patient::new();
    let store = &patient.store;
    patient.append(&["evt_0"]).await;
    patient.disk.fail_after(Fault::Write, 0);

    let refused = store.append(receipt(&["evt_1"])).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))));
    let refused = store.append(receipt(&["evt_1"])).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))));
    assert!(store.take_parses(9, usize::MAX).await.unwrap().is_empty());

    patient.heal().await;
    assert!(matches!(store.append(receipt(&["evt_1"])).await, Ok(Appended::Stored(_))));
    assert_eq!(store.take_parses(9, usize::MAX).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_disk_is_looked_at_again_as_soon_though_somebody_sets_the_clock_back() {
    let patient = Patient::new();
    patient.append(&["evt_0"]).await;
    patient.disk.fail_after(Fault::Write, 0);
    assert!(patient.store.append(receipt(&["evt_1"])).await.is_err());

    patient.clock.set(Timestamp(NOW.0 - 60_000));
    patient.heal().await;

    assert!(matches!(patient.append(&["evt_1"]).await, Appended::Stored(_)));
}

#[tokio::test]
async fn a_worker_that_finds_nothing_in_an_outage_is_woken_at_its_end() {
    let patient = Patient::new();
    patient.append(&["evt_0"]).await;
    patient.disk.fail_after(Fault::Write, 0);
    assert!(patient.store.append(receipt(&["evt_1"])).await.is_err());

    let ready = patient.store.ready(WorkKind::Parse);
    assert!(patient.store.take_parses(9, usize::MAX).await.unwrap().is_empty());
    patient.heal().await;
    ready.await;
    assert_eq!(patient.store.take_parses(9, usize::MAX).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_done_in_an_outage_is_committed_at_its_end() {
    let patient = Patient::new();
    let store = &patient.store;
    patient.append(&["evt_0"]).await;
    patient.append(&["evt_1"]).await;
    let mut works = store.take_parses(2, usize::MAX).await.unwrap().into_iter();
    patient.disk.fail_after(Fault::Write, 0);
    let mut outage = store.handle.shared.outage.subscribe();

    // The first begins the outage, the second comes in the middle of it.
    let mut commit = |id: &str| {
        let events = vec![event(id, "").to(&[], &["crm"])];
        store.queue_parse(works.next().unwrap(), tried(Verdict::Done), events)
    };
    let first = commit("evt_0").await.unwrap();
    outage.wait_for(Option::is_some).await.unwrap();
    let second = commit("evt_1").await.unwrap();
    let (first, second, ()) = tokio::join!(first, second, patient.heal());

    assert!(first.unwrap().unwrap() < second.unwrap().unwrap());
    assert_eq!(store.take_deliveries(9, usize::MAX).await.unwrap().len(), 2);
    assert!(store.take_parses(9, usize::MAX).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_was_taken_in_another_life_is_refused_at_the_end_of_an_outage() {
    let Patient { disk, clock, store } = Patient::new();
    store.append(receipt(&["evt_0"])).await.unwrap();
    let taken = store.take_parses(1, usize::MAX).await.unwrap().pop().unwrap();
    store.close().await.unwrap();
    let store = Store::open_on(disk.clone(), &Config::at("nowhere"), clock.clone()).unwrap();
    let patient = Patient { disk, clock, store };
    patient.disk.fail_after(Fault::Write, 0);
    assert!(patient.store.append(receipt(&["evt_1"])).await.is_err());

    let commit = patient.store.queue_parse(taken, tried(Verdict::Done), Vec::new()).await.unwrap();
    let (refused, ()) = tokio::join!(commit, patient.heal());

    assert_eq!(refused.unwrap(), Err(Refused::OtherLife));
    assert!(patient.store.trouble().is_none());
}

#[tokio::test]
async fn what_was_done_is_done_again_if_the_outage_never_ends() {
    let Patient { disk, clock, store } = Patient::new();
    store.append(receipt(&["evt_0"])).await.unwrap();
    let work = store.take_parses(1, usize::MAX).await.unwrap().pop().unwrap();
    disk.fail_after(Fault::Write, 0);
    let commit = store.queue_parse(work, tried(Verdict::Done), vec![event("evt_0", "")]);
    let commit = commit.await.unwrap();

    assert!(matches!(store.clone().close().await, Err(Error::Unavailable(_))));
    assert!(matches!(commit.await, Err(Error::Unavailable(_))));
    drop(store);
    disk.mend();
    let store = Store::open_on(disk, &Config::at("nowhere"), clock).unwrap();
    assert_eq!(store.take_parses(9, usize::MAX).await.unwrap().len(), 1);
}

/// A store right after its start, of which nothing can be read any more but the end of its log, and
/// its first receipt. A replay of all events is not finished.
async fn unreadable() -> (Patient, Id) {
    let patient = Patient::new();
    for number in 0..200 {
        patient.append(&[&format!("evt_{number}")]).await;
    }
    let works = patient.store.take_parses(200, usize::MAX).await.unwrap();
    let first = works[0].id;
    for work in works {
        patient.store.commit_parse(work, tried(Verdict::Done), Vec::new()).await.unwrap().unwrap();
    }
    patient.store.begin_replay(EventFilter::default()).await.unwrap();
    let Patient { disk, clock, store } = patient;
    store.close().await.unwrap();
    // Nothing is owed, so the start reads no more than that.
    let store = Store::open_on(disk.clone(), &Config::at("nowhere"), clock.clone()).unwrap();
    let patient = Patient { disk, clock, store };
    patient.disk.fail_after(Fault::Read, 0);
    (patient, first)
}

#[tokio::test]
async fn a_reader_that_can_not_read_is_enough_to_begin_an_outage() {
    let (patient, first) = unreadable().await;

    let read = patient.store.read_receipt(first).await;
    assert!(matches!(read, Err(Error::Unavailable(_))));
    // The writer has looked for itself.
    patient.store.idle().await;
    patient.heal().await;
    assert!(patient.store.read_receipt(first).await.unwrap().is_some());
}

#[tokio::test]
async fn a_reader_that_fails_in_an_outage_leaves_the_outage_its_cause() {
    let (patient, first) = unreadable().await;
    let store = &patient.store;
    let cause = || match store.outage() {
        Some(Error::Unavailable(cause)) => cause,
        other => panic!("{other:?}"),
    };
    assert!(store.read_receipt(first).await.is_err());
    // The writer has looked for itself, and knows why.
    store.idle().await;
    let known = cause();

    let read = store.read_receipt(first).await;

    assert!(matches!(read, Err(Error::Unavailable(_))), "{read:?}");
    assert!(Arc::ptr_eq(&known, &cause()), "who asks what is wrong is told what the writer met");
    patient.heal().await;
}

#[tokio::test]
async fn whoever_asks_and_can_not_read_waits_for_the_end_of_an_outage() {
    for asker in ["an operator", "a list", "a replay", "a sweep"] {
        let (patient, first) = unreadable().await;
        let store = &patient.store;
        let (all, page) = (ReceiptFilter::default(), Page { cursor: None, limit: 9 });
        let asked = match asker {
            "an operator" => store.receipt(first).await.map(drop),
            "a list" => store.receipts(&all, page).await.map(drop),
            "a replay" => {
                let begun = store.next_replay(None).expect("one is not finished");
                store.advance_replay(begun, 1).await.map(drop)
            }
            _ => store.sweep(&Retention::default()).await.map(drop),
        };
        assert!(matches!(asked, Err(Error::Unavailable(_))), "{asker}: {asked:?}");

        assert!(store.outage().is_some(), "{asker} would ask again at once");
        // The writer has looked for itself.
        store.idle().await;
        patient.heal().await;
        assert!(store.receipt(first).await.unwrap().is_some(), "{asker}");
    }
}

#[tokio::test]
async fn a_failed_commit_is_told_to_everybody_and_changes_nothing() {
    let disk = Disk::default();
    let config = Config::at("nowhere");
    let store = Store::open_on(disk.clone(), &config, Clock::manual(NOW)).unwrap();
    let kept = store.append(receipt(&["evt_0"])).await.unwrap();
    disk.fail();

    let appended = append_all(&store, vec![receipt(&["evt_1"]); 5]).await;
    let later = store.append(receipt(&["evt_2"])).await;

    assert!(appended.iter().all(|it| matches!(it, Err(Error::Unavailable(_)))), "{appended:?}");
    assert!(matches!(later, Err(Error::Unavailable(_))));
    assert!(store.take_parses(9, usize::MAX).await.unwrap().is_empty());
    assert!(matches!(store.close().await, Err(Error::Unavailable(_))));

    let disk = Disk::holding(disk.synced());
    let store = Store::open_on(disk, &config, Clock::manual(NOW)).unwrap();
    let parses = store.take_parses(9, usize::MAX).await.unwrap();
    assert_eq!(parses.iter().map(|work| Appended::Stored(work.id)).collect::<Vec<_>>(), [kept]);
}
