//! What a store must hold after a history, told without a log, a file or a position.
//!
//! The simplest store that keeps the invariants: everything in maps, by names that the history
//! chose.

use std::collections::{BTreeMap, BTreeSet};

use super::super::*;
use super::IN_ORDER;

/// Whatever is put off for longer was so by a clock that was off.
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// A work, by what it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// Of the receipt of this number.
    Parse(u64),
    /// Of this event, on this handler.
    Run(String, String),
    /// Of this event, to this endpoint.
    Delivery(String, String),
    /// Of the parcel of this number that this event's run on this handler sent.
    Parcel(String, String, usize),
}

impl Key {
    pub(super) fn kind(&self) -> WorkKind {
        match self {
            Self::Parse(_) => WorkKind::Parse,
            Self::Run(..) => WorkKind::Run,
            Self::Delivery(..) | Self::Parcel(..) => WorkKind::Delivery,
        }
    }
}

/// How a work stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stands {
    pub(super) state: State,
    pub(super) tries_made: u32,
    pub(super) retry_at: Option<Timestamp>,
    /// Tries that its history tells of.
    pub(super) tries: usize,
    /// How often it was opened again.
    pub(super) reopened: usize,
}

const FRESH: Stands =
    Stands { state: State::Pending, tries_made: 0, retry_at: None, tries: 0, reopened: 0 };

/// A receipt or an event, as far as it can be seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Seen {
    /// By the number in its body: the events that each receipt brought.
    pub(super) receipts: BTreeMap<u64, Vec<String>>,
    /// Every event, oldest first, with its depth.
    pub(super) events: Vec<(String, u8)>,
    pub(super) works: BTreeMap<Key, Stands>,
    pub(super) dead: BTreeSet<Key>,
    /// What handlers remember, by handler and subject.
    pub(super) state: BTreeMap<(String, String), String>,
}

/// What a [`Seen`] does not show.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) seen: Seen,
    /// Which receipt an event id belongs to.
    pub(super) owners: BTreeMap<String, u64>,
    taken: BTreeMap<u64, BTreeSet<String>>,
    ids: BTreeMap<u64, Vec<String>>,
    subjects: BTreeMap<String, String>,
}

/// What is done to a store.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// With the events of a parse that was made before, if that holds.
    Append {
        number: u64,
        ids: Vec<String>,
        parsed: Option<Vec<NewEvent>>,
    },
    Parse {
        number: u64,
        events: Vec<NewEvent>,
        verdict: Verdict,
    },
    Run {
        event: String,
        handler: String,
        verdict: Verdict,
        emitted: Option<Box<NewEvent>>,
    },
    Attempt {
        key: Key,
        verdict: Verdict,
    },
    Replay {
        event: String,
    },
    ReplayReceipt {
        number: u64,
    },
}

/// What the store says to that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Stored,
    Duplicate(u64),
    Added(usize),
    Committed,
    Replayed(Replayed),
}

impl Model {
    pub(super) fn apply(&mut self, act: &Act, now: Timestamp) -> Answer {
        match act {
            Act::Append { number, ids, parsed } => {
                let in_order = self.is_all_parsed();
                let answer = self.append(*number, ids);
                if let (Answer::Stored, Some(events)) = (&answer, parsed) {
                    assert!(in_order, "receipt {number} overtakes one that was never parsed");
                    self.parse(*number, events, Verdict::Done);
                }
                answer
            }
            Act::Parse { number, events, verdict } => self.parse(*number, events, *verdict),
            Act::Run { event, handler, verdict, emitted } => {
                self.run(event, handler, *verdict, emitted.as_deref());
                Answer::Committed
            }
            Act::Attempt { key, verdict } => {
                self.tried(key, *verdict);
                Answer::Committed
            }
            Act::Replay { event } => {
                let of_event = |key: &&Key| match key {
                    Key::Run(id, _) | Key::Delivery(id, _) => id == event,
                    Key::Parse(_) | Key::Parcel(..) => false,
                };
                let keys: Vec<Key> = self.seen.works.keys().filter(of_event).cloned().collect();
                self.reopen(keys, now)
            }
            Act::ReplayReceipt { number } => self.reopen(vec![Key::Parse(*number)], now),
        }
    }

    /// Once [I3]: an id belongs to the first that brings it.
    fn append(&mut self, number: u64, ids: &[String]) -> Answer {
        if !ids.is_empty() && ids.iter().all(|id| self.owners.contains_key(id)) {
            return Answer::Duplicate(self.owners[&ids[0]]);
        }
        let taken = ids.iter().filter(|id| self.owners.contains_key(*id)).cloned().collect();
        self.taken.insert(number, taken);
        self.ids.insert(number, ids.to_vec());
        for id in ids {
            self.owners.entry(id.clone()).or_insert(number);
        }
        self.seen.receipts.insert(number, Vec::new());
        self.seen.works.insert(Key::Parse(number), FRESH);
        Answer::Stored
    }

    fn is_all_parsed(&self) -> bool {
        let waits = |(key, work): (&Key, &Stands)| {
            key.kind() == WorkKind::Parse && work.state == State::Pending && work.tries_made == 0
        };
        !self.seen.works.iter().any(waits)
    }

    fn parse(&mut self, number: u64, events: &[NewEvent], verdict: Verdict) -> Answer {
        self.tried(&Key::Parse(number), verdict);
        let mut added = 0;
        for new in events.iter().filter(|_| verdict == Verdict::Done) {
            let id = &new.event.id;
            let owner = *self.owners.entry(id.clone()).or_insert(number);
            let is_there = self.seen.events.iter().any(|(known, _)| known == id);
            if owner == number && !is_there && !self.taken[&number].contains(id) {
                self.add(new, 0);
                self.seen.receipts.entry(number).or_default().push(id.clone());
                added += 1;
            }
        }
        Answer::Added(added)
    }

    /// All or nothing [I6].
    fn run(&mut self, event: &str, handler: &str, verdict: Verdict, emitted: Option<&NewEvent>) {
        self.tried(&Key::Run(event.into(), handler.into()), verdict);
        if verdict != Verdict::Done {
            return;
        }
        let parcel = Key::Parcel(event.into(), handler.into(), self.parcels(event, handler));
        self.seen.works.insert(parcel, FRESH);
        let subject = self.subject(event).to_owned();
        self.seen.state.insert((handler.into(), subject), event.into());
        if let Some(emitted) = emitted {
            let mut emitted = emitted.clone();
            let replays = self.seen.works[&Key::Run(event.into(), handler.into())].reopened;
            if replays > 0 {
                // What it emitted before has another id.
                let id = format!("{}.r{replays}", emitted.event.id);
                Arc::make_mut(&mut emitted.event).id = id;
            }
            self.add(&emitted, self.depth(event) + 1);
        }
    }

    fn add(&mut self, new: &NewEvent, depth: u8) {
        let id = new.event.id.clone();
        self.subjects.insert(id.clone(), new.event.subject.clone().unwrap_or_default());
        self.seen.events.push((id.clone(), depth));
        for handler in &new.routes.handlers {
            self.seen.works.insert(Key::Run(id.clone(), handler.to_string()), FRESH);
        }
        for endpoint in &new.routes.endpoints {
            self.seen.works.insert(Key::Delivery(id.clone(), endpoint.to_string()), FRESH);
        }
    }

    fn tried(&mut self, key: &Key, verdict: Verdict) {
        let work = self.seen.works.get_mut(key).expect("only what is owed is tried");
        assert_eq!(work.state, State::Pending, "{key:?} was finished");
        (work.tries_made, work.tries, work.retry_at) = (work.tries_made + 1, work.tries + 1, None);
        match verdict {
            Verdict::Done => work.state = State::Done,
            Verdict::RetryAt(due) => work.retry_at = Some(due),
            Verdict::Dead => {
                work.state = State::Dead;
                self.seen.dead.insert(key.clone());
            }
        }
    }

    fn reopen(&mut self, keys: Vec<Key>, now: Timestamp) -> Answer {
        let mut replayed = Replayed::default();
        for key in keys {
            let work = self.seen.works.get_mut(&key).expect("only what was owed is replayed");
            let done_for_good = work.state == State::Done && key.kind() == WorkKind::Parse;
            if work.state == State::Pending && work.retry_at.is_some_and(|due| due > now) {
                work.retry_at = None;
                replayed.hastened += 1;
                continue;
            }
            if work.state == State::Pending || done_for_good {
                replayed.unchanged += 1;
                continue;
            }
            (work.state, work.tries_made, work.reopened) = (State::Pending, 0, work.reopened + 1);
            self.seen.dead.remove(&key);
            replayed.reopened += 1;
        }
        Answer::Replayed(replayed)
    }

    /// Whether the store may hand out this work now: it is owed, due, in nobody's hands, and
    /// [order] nothing older of its subject is left.
    pub(super) fn check_lease(&self, key: &Key, tries_made: u32, now: Timestamp, held: &[Key]) {
        let work = self.seen.works.get(key).unwrap_or_else(|| panic!("{key:?} is not owed"));
        assert_eq!(work.state, State::Pending, "{key:?} was leased again");
        assert_eq!(work.tries_made, tries_made, "tries of {key:?}");
        let was_off = |due: Timestamp| due.since(now) > YEAR;
        assert!(work.retry_at.is_none_or(|due| due <= now || was_off(due)), "{key:?} is not due");
        assert!(!held.contains(key), "{key:?} is leased twice");
        let (event, group) = match key {
            Key::Run(event, handler) => (event, handler),
            Key::Delivery(event, endpoint) if endpoint == IN_ORDER => (event, endpoint),
            Key::Parse(_) | Key::Delivery(..) | Key::Parcel(..) => return,
        };
        let subject = self.subject(event);
        for (older, _) in &self.seen.events {
            let other = match key.kind() {
                WorkKind::Run => Key::Run(older.clone(), group.clone()),
                WorkKind::Parse | WorkKind::Delivery => Key::Delivery(older.clone(), group.clone()),
            };
            let Some(stands) = self.seen.works.get(&other) else { continue };
            if other == *key || subject.is_empty() || self.subject(older) != subject {
                continue;
            }
            assert!(!held.contains(&other), "{key:?} runs beside {other:?}");
            // What was opened again queues anew.
            let is_older = self.order(older) < self.order(event);
            let in_order = !is_older || stands.state != State::Pending;
            assert!(in_order || stands.reopened + work.reopened > 0, "{key:?} overtakes {other:?}");
        }
    }

    pub(super) fn subject(&self, event: &str) -> &str {
        &self.subjects[event]
    }

    pub(super) fn depth(&self, event: &str) -> u8 {
        self.seen.events[self.order(event)].1
    }

    pub(super) fn parcels(&self, event: &str, handler: &str) -> usize {
        let of_run =
            |key: &&Key| matches!(key, Key::Parcel(id, by, _) if id == event && by == handler);
        self.seen.works.keys().filter(of_run).count()
    }

    pub(super) fn ids_in(&self, number: u64) -> &[String] {
        &self.ids[&number]
    }

    pub(super) fn pending(&self) -> usize {
        self.seen.works.values().filter(|work| work.state == State::Pending).count()
    }

    fn order(&self, event: &str) -> usize {
        self.seen.events.iter().position(|(id, _)| id == event).expect("the event is there")
    }
}
