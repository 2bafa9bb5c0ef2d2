//! Concurrency: many providers and workers at once, on threads, and kills in the middle
//! [I1, I3, I6].
//!
//! Nobody can say in which order all of it happened. But each id belongs to one receipt, each work
//! is in one hand, and the runs of a subject go one after the other: by these what is left is
//! checked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::effect::Parcel;
use crate::lock::lock;

const PROVIDERS: u64 = 8;
/// What each provider sends.
const APPENDS: usize = 50;
/// Ids that they draw from: few, so that they meet.
const IDS: usize = 120;
const SUBJECTS: usize = 4;
/// Workers of each kind.
const WORKERS: u64 = 3;

/// What was sent, and what the store said to that.
type Answers = Vec<(Vec<String>, Appended)>;

/// What providers and workers share.
struct World {
    store: Store,
    answers: Mutex<Answers>,
    /// Works and subjects that are in somebody's hands.
    held: Mutex<BTreeSet<String>>,
    /// By subject: where the events lie whose runs were done, in that order.
    ran: Mutex<BTreeMap<String, Vec<u64>>>,
    delivered: Mutex<usize>,
    ended: CancellationToken,
}

fn subject(event_id: &str) -> String {
    let number: usize = event_id.strip_prefix("evt_").unwrap().parse().unwrap();
    format!("pi_{}", number % SUBJECTS)
}

/// Mostly done, sometimes to be tried again at once.
fn verdict(random: &mut fastrand::Rng) -> Verdict {
    if random.u32(..5) == 0 { Verdict::RetryAt(NOW) } else { Verdict::Done }
}

impl World {
    /// The next works of a kind; `None` at the end.
    async fn next<T, F>(&self, kind: WorkKind, take: impl Fn(&Store) -> F) -> Option<Vec<T>>
    where
        F: Future<Output = Result<Vec<T>, Error>>,
    {
        loop {
            let ready = self.store.ready(kind);
            let works = take(&self.store).await.unwrap();
            if !works.is_empty() {
                return Some(works);
            }
            tokio::select! {
                () = ready => (),
                () = self.ended.cancelled() => return None,
            }
        }
    }

    /// Somebody has this in hand.
    fn hold(&self, what: String) {
        let mut held = lock(&self.held);
        assert!(!held.contains(&what), "{what} is in two hands");
        held.insert(what);
    }

    /// And is about to give it away.
    fn release(&self, what: &str) {
        lock(&self.held).remove(what);
    }

    async fn provide(self: Arc<Self>, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..APPENDS {
            let count = random.usize(1..4);
            let ids: Vec<String> =
                (0..count).map(|_| format!("evt_{}", random.usize(..IDS))).collect();
            let sent: Vec<&str> = ids.iter().map(String::as_str).collect();
            let answer = self.store.append(receipt(&sent)).await.unwrap();
            lock(&self.answers).push((ids, answer));
        }
    }

    async fn parse(self: Arc<Self>, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let take = |store: &Store| store.take_parses(3, usize::MAX);
        while let Some(works) = self.next(WorkKind::Parse, take).await {
            works.iter().for_each(|work| self.hold(work.id.to_string()));
            for work in works {
                self.release(&work.id.to_string());
                // Some are dropped.
                if random.u32(..4) > 0 {
                    let routed = |id: &String| event(id, &subject(id)).to(&["ledger"], &["crm"]);
                    let events = work.receipt.event_ids.iter().map(routed).collect();
                    let report = tried(verdict(&mut random));
                    self.store.commit_parse(work, report, events).await.unwrap().unwrap();
                }
            }
        }
    }

    async fn run(self: Arc<Self>, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let take = |store: &Store| store.take_runs(3, usize::MAX);
        while let Some(runs) = self.next(WorkKind::Run, take).await {
            for run in &runs {
                self.hold(run.id.to_string());
                self.hold(subject(&run.event.event.id));
            }
            for run in runs {
                let subject = subject(&run.event.event.id);
                let report = tried(verdict(&mut random));
                let is_dropped = random.u32(..4) == 0;
                let effects = self.count_one(&subject);
                if report.verdict == Verdict::Done && !is_dropped {
                    let position = run.event.id.position;
                    lock(&self.ran).entry(subject.clone()).or_default().push(position);
                }
                self.release(&run.id.to_string());
                self.release(&subject);
                if !is_dropped {
                    self.store.commit_run(run, report, effects).await.unwrap().unwrap();
                }
            }
        }
    }

    async fn deliver(self: Arc<Self>, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let take = |store: &Store| store.take_deliveries(3, usize::MAX);
        while let Some(works) = self.next(WorkKind::Delivery, take).await {
            works.iter().for_each(|work| self.hold(work.id.to_string()));
            for work in works {
                self.release(&work.id.to_string());
                let verdict = verdict(&mut random);
                self.store.record_attempt(work, attempt(verdict)).await.unwrap().unwrap();
                *lock(&self.delivered) += usize::from(verdict == Verdict::Done);
            }
        }
    }

    fn counted(store: &Store, subject: &str) -> usize {
        let count = store.state(&name("ledger"), subject, "count").unwrap();
        count.map_or(0, |count| std::str::from_utf8(&count).unwrap().parse().unwrap())
    }

    /// Counts in the subject's state, and tells the crm.
    fn count_one(&self, subject: &str) -> Effects {
        let count = (Self::counted(&self.store, subject) + 1).to_string();
        let (endpoint, content_type) = (name("crm"), "text/plain".to_owned());
        Effects {
            parcels: vec![Parcel { endpoint, content_type, body: count.clone().into() }],
            state: vec![("count".into(), Some(count.into()))],
            scope: subject.to_owned(),
            ..Effects::default()
        }
    }

    /// Whether this store shows what was answered and done, all of it once.
    async fn check(&self, store: &Store) {
        let answers = lock(&self.answers).clone();
        let mut stored: BTreeMap<Id, &[String]> = BTreeMap::new();
        for (ids, answer) in &answers {
            if let Appended::Stored(id) = answer {
                assert!(stored.insert(*id, ids).is_none(), "{id} was given twice");
            }
        }
        for (ids, answer) in &answers {
            if let Appended::Duplicate(owner) = answer {
                assert!(stored[owner].contains(&ids[0]), "{owner} never brought {ids:?}");
            }
        }

        let page = Page { cursor: None, limit: PAGE_ITEMS_MAX };
        let events = store.events(&EventFilter::default(), page).await.unwrap().items;
        let shown: BTreeSet<&String> = events.iter().map(|event| &event.event_id).collect();
        assert_eq!(shown.len(), events.len(), "an event is there twice");
        let brought: BTreeSet<&String> = stored.values().copied().flatten().collect();
        assert_eq!(shown, brought);
        assert!(events.iter().all(|event| event.state == State::Done));

        for (subject, ran) in &*lock(&self.ran) {
            assert!(ran.is_sorted_by(|a, b| a < b), "{subject} ran out of order: {ran:?}");
            let of_it = events.iter().filter(|event| event.subject.as_ref() == Some(subject));
            assert_eq!(ran.len(), of_it.count(), "runs of {subject}");
            assert_eq!(Self::counted(store, subject), ran.len(), "what {subject} remembers");
        }
        // Each as it is, and the parcel of its run.
        assert_eq!(*lock(&self.delivered), 2 * events.len());
        let works = store.stats().works;
        assert!(WorkKind::ALL.into_iter().all(|kind| works[&kind].pending() == 0), "{works:?}");
    }
}

/// [I1, I3, I6]
pub(in crate::store) async fn many_at_once_get_answers_that_hold_and_effects_that_happen_once<
    S: Subject,
>() {
    let case = Case::<S>::new();
    let world = Arc::new(World {
        store: case.store.clone(),
        answers: Mutex::default(),
        held: Mutex::default(),
        ran: Mutex::default(),
        delivered: Mutex::default(),
        ended: CancellationToken::new(),
    });
    let (mut providers, mut workers) = (JoinSet::new(), JoinSet::new());
    for seed in 0..PROVIDERS {
        providers.spawn(Arc::clone(&world).provide(seed));
    }
    for seed in 0..WORKERS {
        workers.spawn(Arc::clone(&world).parse(seed));
        workers.spawn(Arc::clone(&world).run(seed));
        workers.spawn(Arc::clone(&world).deliver(seed));
    }
    let mut kills = Vec::new();
    while let Some(ended) = providers.join_next().await {
        ended.unwrap();
        // First what was answered: a kill behind that must leave it.
        let answers = lock(&world.answers).clone();
        kills.push((answers, case.subject.killed()));
    }
    case.store.idle().await;
    world.ended.cancel();
    workers.join_all().await;

    world.check(&case.store).await;
    world.check(&case.killed().store).await;
    for (answers, left) in kills {
        check_answers(&left, &answers).await;
    }
}

/// Whether what was answered before a kill is there after it.
async fn check_answers(left: &impl Subject, answers: &Answers) {
    let store = left.open(&Config::at("nowhere"), Clock::manual(NOW));
    for (ids, answer) in answers {
        let (Appended::Stored(id) | Appended::Duplicate(id)) = answer;
        assert!(store.receipt(*id).await.unwrap().is_some(), "{id} is lost");
        let sent: Vec<&str> = ids.iter().map(String::as_str).collect();
        let again = store.append(receipt(&sent)).await.unwrap();
        assert!(matches!(again, Appended::Duplicate(_)), "{ids:?} were new again");
    }
}
