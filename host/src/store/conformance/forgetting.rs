//! Forgetting: sweeps that keep nothing for longer than seconds, packs, kills, and clocks that are
//! years off for a while. No id is forgotten, and nothing goes that is owed or that this needs
//! [I3, I8].
//!
//! A seed gives a history, as in [`super::histories`]. What is finished may be there or gone; held
//! against a model is only what must never go.

use std::collections::{BTreeMap, BTreeSet};

use super::histories::seeds;
use super::once::{TWO_HOURS, keeping};
use super::replays::reopened;
use super::*;

const STEPS: usize = 40;
/// Ids that are asked for after a kill.
const ASKED: usize = 30;
/// By how much a clock is off, in milliseconds.
const THREE_YEARS: u64 = 3 * 365 * 86_400_000;

/// A history on its way.
struct History<S> {
    random: fastrand::Rng,
    case: Case<S>,
    /// Ids that were made up.
    sent: usize,
    /// Which receipt each id belongs to.
    owners: BTreeMap<String, Id>,
    /// The receipts that are to be parsed, each with the ids that belong to it.
    unparsed: BTreeMap<Id, BTreeSet<String>>,
    /// The events that are to be delivered.
    undelivered: BTreeSet<String>,
    /// What sweeps came to.
    swept: Swept,
}

impl<S: Subject> History<S> {
    fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            // So few that most ids are in runs.
            case: Case::with(Config { fresh_ids: 100, ..Config::at("nowhere") }),
            sent: 0,
            owners: BTreeMap::new(),
            unparsed: BTreeMap::new(),
            undelivered: BTreeSet::new(),
            swept: Swept::default(),
        }
    }

    async fn step(&mut self) {
        match self.random.u32(..20) {
            0..7 => self.append_some().await,
            7..11 => self.parse_some(40).await,
            11..14 => self.deliver_some(60).await,
            14 => self.case.clock.advance(Duration::from_secs(60 * self.random.u64(1..90))),
            15 | 16 => self.sweep().await,
            17 => self.be_off_for_a_while().await,
            18 => self.case.reopen().await,
            _ => self.kill().await,
        }
    }

    async fn append_some(&mut self) {
        for _ in 0..self.random.usize(10..50) {
            let known = self.random.choice(self.owners.keys()).cloned();
            self.sent += 1;
            let fresh = Some(format!("evt_{}", self.sent));
            let ids: Vec<String> = match self.random.u32(..8) {
                0 if known.is_some() => known.into_iter().collect(),
                1 => fresh.into_iter().chain(known).collect(),
                _ => fresh.into_iter().collect(),
            };
            self.append(&ids).await;
        }
    }

    async fn append(&mut self, ids: &[String]) {
        let sent: Vec<&str> = ids.iter().map(String::as_str).collect();
        let new = ids.iter().filter(|id| !self.owners.contains_key(*id));
        let new: BTreeSet<String> = new.cloned().collect();
        match self.case.store.append(receipt(&sent)).await.unwrap() {
            Appended::Duplicate(owner) => {
                assert!(new.is_empty(), "{new:?} are new");
                assert_eq!(owner, self.owners[&ids[0]], "whose {ids:?} are");
            }
            Appended::Stored(id) => {
                assert!(!new.is_empty(), "{ids:?} are forgotten");
                self.owners.extend(new.iter().map(|event_id| (event_id.clone(), id)));
                self.unparsed.insert(id, new);
            }
        }
    }

    /// Parses so many, drops some and puts some off.
    async fn parse_some(&mut self, most: usize) {
        for work in self.case.store.take_parses(most, usize::MAX).await.unwrap() {
            assert!(self.unparsed.contains_key(&work.id), "{} is not owed", work.id);
            match self.random.u32(..8) {
                0 => (),
                1 => {
                    let later = tried(Verdict::RetryAt(self.case.clock.now()));
                    self.case.store.commit_parse(work, later, Vec::new()).await.unwrap().unwrap();
                }
                _ => self.parse(work).await,
            }
        }
    }

    async fn parse(&mut self, work: ParseWork) {
        let ids = self.unparsed.remove(&work.id).expect("it is owed");
        let events = work.receipt.event_ids.iter().map(|id| event(id, "").to(&[], &["crm"]));
        let (events, report) = (events.collect(), tried(Verdict::Done));
        let added = self.case.store.commit_parse(work, report, events).await.unwrap().unwrap();
        assert_eq!(added.len(), ids.len(), "what {ids:?} came to");
        self.undelivered.extend(ids);
    }

    /// Delivers so many, and drops some.
    async fn deliver_some(&mut self, most: usize) {
        for work in self.case.store.take_deliveries(most, usize::MAX).await.unwrap() {
            match self.random.u32(..8) {
                0 => (),
                1 => self.deliver(work, Verdict::Dead).await,
                _ => self.deliver(work, Verdict::Done).await,
            }
        }
    }

    async fn deliver(&mut self, work: DeliveryWork, verdict: Verdict) {
        let Payload::Event(stored) = &work.payload else { panic!("an event") };
        let id = stored.event.id.clone();
        assert!(self.undelivered.remove(&id), "{id} is not owed");
        self.case.end_delivery(work, verdict).await;
    }

    async fn sweep(&mut self) {
        let retention = keeping(Duration::from_secs(2));
        let swept = if self.random.bool() {
            self.case.store.sweep(&retention).await
        } else {
            self.case.store.pack(&retention).await
        };
        self.swept += swept.unwrap();
    }

    /// Somebody sets the clock, and sets it right again.
    async fn be_off_for_a_while(&mut self) {
        let right = self.case.clock.now();
        let ahead = self.random.bool();
        let wrong = if ahead { right.0 + THREE_YEARS } else { right.0 - THREE_YEARS };
        self.case.clock.set(Timestamp(wrong));
        self.sweep().await;
        self.append_some().await;
        self.case.clock.set(right);
    }

    async fn kill(&mut self) {
        self.case = self.case.killed();
        for _ in 0..ASKED {
            if let Some(id) = self.random.choice(self.owners.keys()).cloned() {
                self.append(&[id]).await;
            }
        }
    }

    /// Sweeps all that may go, kills, and asks for all that may not.
    async fn end(mut self) {
        self.case.reopen().await;
        self.case.clock.advance(TWO_HOURS);
        self.swept += self.case.store.sweep(&keeping(Duration::from_secs(2))).await.unwrap();
        assert!(self.swept.records > 0, "{:?}", self.swept);
        self.case = self.case.killed();

        for id in self.owners.keys().cloned().collect::<Vec<_>>() {
            self.append(&[id]).await;
        }
        for work in self.case.store.take_parses(usize::MAX, usize::MAX).await.unwrap() {
            self.parse(work).await;
        }
        for work in self.case.deliveries().await {
            self.deliver(work, Verdict::Done).await;
        }
        assert!(self.unparsed.is_empty(), "lost: {:?}", self.unparsed);
        assert!(self.undelivered.is_empty(), "lost: {:?}", self.undelivered);
    }
}

/// [I3, I8]
pub(in crate::store) async fn whatever_is_swept_no_id_is_forgotten_and_nothing_owed_goes<
    S: Subject,
>() {
    for seed in seeds() {
        let mut history = History::<S>::new(seed);
        for _ in 0..STEPS {
            history.step().await;
        }
        history.end().await;
    }
}

/// [I8]
pub(in crate::store) async fn a_dead_letter_keeps_what_a_replay_needs<S: Subject>() {
    let case = Case::<S>::new();
    let (_, event) = case.finished("evt_1", Verdict::Dead).await;
    let case = case.restart().await;
    case.clock.advance(days(40));

    let retention = Retention { dead: days(90), ..keeping(days(2)) };
    case.store.sweep(&retention).await.unwrap();

    for case in [&case, &case.killed()] {
        assert_eq!(case.store.replay(vec![event]).await.unwrap(), reopened(2));
        case.end_run(case.runs().await.pop().unwrap(), Verdict::Done).await;
        case.end_delivery(case.deliveries().await.pop().unwrap(), Verdict::Done).await;
    }
}

/// It may be delivered as it came [I8].
pub(in crate::store) async fn what_is_owed_keeps_the_body_that_it_goes_back_to<S: Subject>() {
    let case = Case::<S>::new();
    let later = Verdict::RetryAt(NOW.after(days(45)));
    let (id, _) = case.finished("evt_1", later).await;
    let mut case = case.restart().await;
    case.clock.advance(days(40));
    case.store.sweep(&keeping(days(2))).await.unwrap();

    for case in [&case, &case.killed()] {
        assert!(case.store.read_receipt(id).await.unwrap().is_some());
    }
    case.clock.advance(days(5));
    case.end_delivery(case.deliveries().await.pop().unwrap(), Verdict::Done).await;
    case.reopen().await;
    case.clock.advance(days(3));
    case.store.sweep(&keeping(days(2))).await.unwrap();
    assert!(case.store.read_receipt(id).await.unwrap().is_none(), "nothing needs it any more");
}
