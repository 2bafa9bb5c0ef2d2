//! Histories out of a seed: what is done to a store, step by step, and what must be true after
//! each.
//!
//! Every choice is drawn from the seed, so the same seed is the same history.

use tokio::task::JoinSet;

use super::super::*;
use super::model::{Act, Answer, Key, Model};
use super::watch::{self, Leased, Receipts};
use super::{HANDLERS, SUBJECTS, config};

/// Event ids that a history draws from: few, so that they meet.
const IDS: usize = 24;
/// Most acts that one commit takes.
const GROUP_MAX: usize = 5;
/// What somebody sets the clock by, in milliseconds.
const DECADES: u64 = 30 * 365 * 86_400_000;

/// A history on its way.
pub(super) struct History<S> {
    pub(super) random: fastrand::Rng,
    pub(super) case: Case<S>,
    pub(super) receipts: Receipts,
    pub(super) model: Model,
    /// In somebody's hands.
    held: Vec<Leased>,
    /// What sweeps came to.
    pub(super) swept: Swept,
    /// How far what waits for a time has come: no leap of the clock holds that up.
    waited: Timestamp,
    /// How much time has passed, whatever the clock says: a start waits by this or by the clock,
    /// whichever is further.
    counted: Timestamp,
    appended: u64,
    emitted: usize,
}

/// An act, and the leased work that it commits.
struct Planned {
    act: Act,
    leased: Option<Leased>,
    parcel: usize,
    target: Option<Id>,
}

impl<S: Subject> History<S> {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            case: Case::with(config()),
            receipts: Receipts::new(),
            model: Model::default(),
            held: Vec::new(),
            swept: Swept::default(),
            waited: NOW,
            counted: NOW,
            appended: 0,
            emitted: 0,
        }
    }

    /// One step; gives the models that its commits lead through, the last being the present.
    pub(super) async fn step(&mut self) -> Vec<Model> {
        match self.random.u32(..21) {
            0 => {
                let minutes = self.random.u64(1..10);
                self.pass(Duration::from_secs(60 * minutes));
            }
            1 => self.restart().await,
            2 => self.held.clear(),
            3 => self.sweep().await,
            4 => return self.be_off_for_a_while().await,
            _ => return self.commit().await,
        }
        Vec::new()
    }

    fn pass(&mut self, time: Duration) {
        self.case.clock.advance(time);
        self.waited = self.waited.after(time);
        self.counted = self.counted.after(time);
    }

    async fn restart(&mut self) {
        self.case.reopen().await;
        self.held.clear();
        self.waited = self.case.clock.now().max(self.counted);
    }

    /// Somebody sets the clock by decades, something is done meanwhile, and it is set right again.
    async fn be_off_for_a_while(&mut self) -> Vec<Model> {
        let ahead = self.random.bool();
        self.leap(ahead);
        let models = match self.random.u32(..4) {
            0 => {
                self.restart().await;
                Vec::new()
            }
            1 => {
                self.sweep().await;
                Vec::new()
            }
            _ => self.commit().await,
        };
        self.leap(!ahead);
        models
    }

    fn leap(&mut self, ahead: bool) {
        let now = self.case.clock.now().0;
        self.case.clock.set(Timestamp(if ahead { now + DECADES } else { now - DECADES }));
        if ahead {
            self.waited = self.waited.after(Duration::from_millis(DECADES));
        }
    }

    /// Packs what is old, which changes nothing that can be seen.
    async fn sweep(&mut self) {
        let years = Duration::from_secs(10 * 365 * 86_400);
        let (bodies, events, attempts, dead) = (years, years, years, years);
        let retention = Retention { bodies, events, attempts, dead, size_bytes: None };
        // Only what lies before the mark is swept, and only what is not young.
        self.restart().await;
        self.pass(Duration::from_secs(2 * 86_400));
        self.swept += self.case.store.sweep(&retention).await.unwrap();
    }

    /// Commits one act by itself, and often others that wait meanwhile and go together.
    async fn commit(&mut self) -> Vec<Model> {
        let group = if self.random.bool() { self.random.usize(..GROUP_MAX) } else { 0 };
        // The others wait while the first is synced, so it must be one that is written for sure.
        let first = if group == 0 { self.plan().await } else { Some(self.append_unnamed()) };
        let Some(first) = first else { return Vec::new() };
        let mut models = Vec::new();
        let mut others = Vec::new();
        let mut replays = matches!(first.act, Act::Replay { .. } | Act::ReplayReceipt { .. });
        for _ in 0..group {
            let Some(other) = self.plan().await else { break };
            // What a replay finds depends on what goes before it: one is enough.
            let replay = matches!(other.act, Act::Replay { .. } | Act::ReplayReceipt { .. });
            if !(replay && replays) {
                replays |= replay;
                others.push(other);
            }
        }

        let mut tasks = JoinSet::new();
        let mut acts = Vec::new();
        let mut spawn = |number: usize, planned: Planned| {
            acts.push(planned.act.clone());
            let store = self.case.store.clone();
            tasks.spawn(async move { (number, perform(&store, planned).await) });
        };
        if group > 0 {
            self.case.subject.hold_commits();
        }
        spawn(0, first);
        tokio::task::yield_now().await;
        if group > 0 {
            self.case.subject.wait_for_commit();
        }
        others.into_iter().enumerate().for_each(|(number, other)| spawn(number + 1, other));
        tokio::task::yield_now().await;
        self.case.subject.let_commits_go();
        let mut answers = tasks.join_all().await;
        answers.sort_by_key(|(number, _)| *number);

        for (number, (_, (answer, id))) in answers.into_iter().enumerate() {
            let act = &mut acts[number];
            if let (Act::Append { parsed, .. }, Given::Appended(_, false)) = (&mut *act, &answer) {
                *parsed = None;
            }
            let act = &*act;
            let answer = answer.resolve(&self.receipts, act);
            let now = self.case.clock.now();
            assert_eq!(answer, self.model.apply(act, now), "the answer to {act:?}");
            if let (Act::Append { number, .. }, Answer::Stored, Some(id)) = (act, &answer, id) {
                self.receipts.insert(*number, id);
            }
            if number == 0 {
                models.push(self.model.clone());
            }
        }
        models.push(self.model.clone());
        models
    }

    async fn plan(&mut self) -> Option<Planned> {
        let lone = |act| Some(Planned { act, leased: None, parcel: 0, target: None });
        match self.random.u32(..12) {
            0..3 => lone(self.append()),
            3 => self.replay().await,
            _ => self.commit_leased().await,
        }
    }

    fn append(&mut self) -> Act {
        self.appended += 1;
        let count = self.random.usize(..4);
        let ids: Vec<String> =
            (0..count).map(|_| format!("e{}", self.random.usize(..IDS))).collect();
        let is_parsed = self.random.bool();
        let parsed = is_parsed.then(|| ids.iter().map(|id| self.routed(id, 2)).collect());
        Act::Append { number: self.appended, ids, parsed }
    }

    fn append_unnamed(&mut self) -> Planned {
        self.appended += 1;
        let act = Act::Append { number: self.appended, ids: Vec::new(), parsed: None };
        Planned { act, leased: None, parcel: 0, target: None }
    }

    async fn replay(&mut self) -> Option<Planned> {
        let planned = |act, id| Some(Planned { act, leased: None, parcel: 0, target: Some(id) });
        if self.random.bool() {
            let (number, id) = self.random.choice(self.receipts.iter())?;
            return planned(Act::ReplayReceipt { number: *number }, *id);
        }
        let page = Page { cursor: None, limit: PAGE_ITEMS_MAX };
        let events = self.case.store.events(&EventFilter::default(), page).await.unwrap().items;
        let summary = self.random.choice(events)?;
        planned(Act::Replay { event: summary.event_id }, summary.id)
    }

    /// Takes something, and commits a try of that or of what was taken before.
    async fn commit_leased(&mut self) -> Option<Planned> {
        let kind = self.random.choice(WorkKind::ALL)?;
        let most = self.random.usize(1..3);
        for leased in watch::take(&self.case.store, kind, most).await {
            let held: Vec<Key> = self.held.iter().map(Leased::key).collect();
            self.model.check_lease(&leased.key(), leased.tries_made(), self.waited, &held);
            self.held.push(leased);
        }
        if self.held.is_empty() {
            return None;
        }
        let leased = self.held.swap_remove(self.random.usize(..self.held.len()));
        let act = self.act(leased.key());
        let parcel = match &act {
            Act::Run { event, handler, .. } => self.model.parcels(event, handler),
            _ => 0,
        };
        Some(Planned { act, leased: Some(leased), parcel, target: None })
    }

    fn act(&mut self, key: Key) -> Act {
        let retry_at = self.case.clock.now().after(Duration::from_secs(60 * self.random.u64(..9)));
        let verdict = match self.random.u32(..8) {
            0 => Verdict::Dead,
            1 | 2 => Verdict::RetryAt(retry_at),
            _ => Verdict::Done,
        };
        match key {
            Key::Parse(number) => {
                let mut ids = self.model.ids_in(number).to_vec();
                if self.random.u32(..4) == 0 {
                    ids.push(format!("e{}", self.random.usize(..IDS)));
                }
                let events = ids.iter().map(|id| self.routed(id, 2)).collect();
                Act::Parse { number, events, verdict }
            }
            Key::Run(event, handler) => {
                self.emitted += 1;
                let emits = self.random.u32(..3) == 0 && self.model.depth(&event) < 2;
                let emitted =
                    emits.then(|| Box::new(self.routed(&format!("n{}", self.emitted), 1)));
                Act::Run { event, handler, verdict, emitted }
            }
            key => Act::Attempt { key, verdict },
        }
    }

    fn routed(&mut self, id: &str, handlers_max: usize) -> NewEvent {
        let subject = self.random.choice(SUBJECTS).unwrap();
        let handlers = &HANDLERS[..self.random.usize(..=handlers_max)];
        let endpoints = &["crm", "erp"][..self.random.usize(..=2)];
        event(id, subject).to(handlers, endpoints)
    }
}

/// An answer as the store gave it, with the id in it.
enum Given {
    /// With whether the parse holds that was made before.
    Appended(Appended, bool),
    Other(Answer),
}

impl Given {
    /// The answer in the model's words.
    fn resolve(self, receipts: &Receipts, act: &Act) -> Answer {
        match self {
            Self::Other(answer) => answer,
            Self::Appended(Appended::Stored(_), _) => Answer::Stored,
            Self::Appended(Appended::Duplicate(owner), _) => {
                let known = receipts.iter().find(|(_, known)| **known == owner);
                let known = known.unwrap_or_else(|| panic!("{owner} for {act:?}"));
                Answer::Duplicate(*known.0)
            }
        }
    }
}

async fn perform(store: &Store, planned: Planned) -> (Given, Option<Id>) {
    let Planned { act, leased, parcel, target } = planned;
    match (&act, leased) {
        (Act::Append { number, ids, parsed }, _) => {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let mut new = receipt(&ids);
            Arc::get_mut(&mut new.request).unwrap().body = format!("r{number}").into();
            let parsed = parsed.clone();
            let parsed = parsed.map(|events| Parsed { report: tried(Verdict::Done), events });
            let (appended, holds) = store.append_parsed(new, parsed).await.unwrap();
            let (Appended::Stored(id) | Appended::Duplicate(id)) = appended;
            (Given::Appended(appended, holds), Some(id))
        }
        (Act::Replay { .. } | Act::ReplayReceipt { .. }, _) => {
            let replayed = store.replay(target.into_iter().collect()).await.unwrap();
            (Given::Other(Answer::Replayed(replayed)), None)
        }
        (Act::Parse { .. }, Some(leased)) => {
            (Given::Other(Answer::Added(watch::commit(store, leased, &act, parcel).await)), None)
        }
        (_, Some(leased)) => {
            watch::commit(store, leased, &act, parcel).await;
            (Given::Other(Answer::Committed), None)
        }
        (_, None) => panic!("{act:?} needs a leased work"),
    }
}
