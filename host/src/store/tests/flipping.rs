//! One bit of a store is not what was written, and nothing altered is shown or given out [I12].
//!
//! In a volume: the store starts all the same, what has nothing to do with that bit is there as it
//! was, and what has is told as damaged. Every bit of every volume may be the one, in heads too.
//! `HOOKGATE_FLIPS` says how many are flipped, `HOOKGATE_SEED` which, and `HOOKGATE_FLIPS_FROM` the
//! number of the first, to repeat one or to go on.

mod rows;

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Value, json};

use super::disk::{Disk, Files};
use super::frames::{COMMIT, Frame, PACKED, frame_of, frames, is_volume};
use super::*;
use crate::effect::Parcel;
use crate::store::conformance::histories::number;

const ALL: Page = Page { cursor: None, limit: PAGE_ITEMS_MAX };

/// Bits in an ordinary test run.
const FLIPS: u64 = 100;
/// Items of each half of the store: one half is packed.
const ITEMS: usize = 16;

/// Which bits to flip.
struct Flips {
    seed: u64,
    numbers: Range<u64>,
}

impl Flips {
    fn new() -> Self {
        let seed = number("HOOKGATE_SEED").unwrap_or(1);
        println!("HOOKGATE_SEED={seed}");
        let from = number("HOOKGATE_FLIPS_FROM").unwrap_or(0);
        let flips = number("HOOKGATE_FLIPS").unwrap_or(FLIPS);
        Self { seed, numbers: from..from + flips }
    }

    /// The number of each flip, and what chooses its bit: the same for the same seed and number.
    fn each(&self) -> impl Iterator<Item = (u64, fastrand::Rng)> {
        let random = |number: u64| {
            let mut seeds = fastrand::Rng::with_seed(self.seed);
            fastrand::Rng::with_seed(seeds.u64(..).wrapping_add(number))
        };
        self.numbers.clone().map(move |number| (number, random(number)))
    }

    /// Whether so many are flipped that some must be such as count.
    fn are_many(&self) -> bool {
        self.numbers.end - self.numbers.start >= FLIPS
    }
}

/// One receipt and what came of it.
#[derive(Debug)]
struct Item {
    id: String,
    receipt: Id,
    event: Option<Id>,
    /// All positions that any of its records takes.
    span: Range<u64>,
}

/// A store in which work has come to every stand there is.
struct Filled {
    disk: Disk,
    bench: Bench,
    items: Vec<Item>,
}

/// It keeps nothing in memory, so that everything is read.
fn config() -> Config {
    Config { recent_bytes: 0, fresh_ids: 8, ..Config::at("nowhere") }
}

fn open(disk: &Disk, clock: &Clock) -> Bench {
    Bench::with(disk.clone(), clock.clone(), &config())
}

impl Bench {
    /// Brings one receipt as far as its number says.
    async fn item(&self, number: usize) -> Item {
        let (id, begin) = (format!("evt_{number}"), self.store.stats().end);
        let receipt = self.append(&[&id]).await;
        let event = match number % 8 {
            0 => None,
            1 => {
                self.parse_of(receipt, Verdict::Dead, Vec::new()).await;
                None
            }
            course => {
                let new = event(&id, &format!("pi_{number}")).to(&["ledger"], &["crm"]);
                let event = self.parse_of(receipt, Verdict::Done, vec![new]).await.pop();
                self.work_on(event.expect("it has one"), course).await;
                event
            }
        };
        Item { id, receipt, event, span: begin..self.store.stats().end }
    }

    async fn parse_of(&self, receipt: Id, verdict: Verdict, events: Vec<NewEvent>) -> Vec<Id> {
        let works = self.store.take_parses(usize::MAX, usize::MAX).await.unwrap();
        let work = works.into_iter().find(|work| work.id == receipt).expect("it is owed");
        self.store.commit_parse(work, tried(verdict), events).await.unwrap().unwrap()
    }

    async fn run_of(&self, event: Id, verdict: Verdict) {
        let work = self.runs().await.into_iter().find(|work| work.event.id == event);
        let work = work.expect("it is owed");
        let parcel = Parcel {
            endpoint: name("crm"),
            content_type: "text/plain".into(),
            body: format!("of {event}").into(),
        };
        let state = vec![("seen".to_owned(), Some(event.to_string().into()))];
        let scope = work.event.event.subject.clone().expect("it has one");
        let effects = Effects { parcels: vec![parcel], state, scope, ..Effects::default() };
        self.store.commit_run(work, tried(verdict), effects).await.unwrap().unwrap();
    }

    async fn delivery_of(&self, event: Id, verdict: Verdict) {
        let is_it = |work: &DeliveryWork| match &work.payload {
            Payload::Event(stored) => stored.id == event,
            Payload::Parcel(_) => false,
        };
        let work = self.deliveries().await.into_iter().find(is_it).expect("it is owed");
        self.end_delivery(work, verdict).await;
    }

    async fn work_on(&self, event: Id, course: usize) {
        let later = Verdict::RetryAt(NOW.after(days(100)));
        match course {
            2 => (),
            3 => self.run_of(event, Verdict::Done).await,
            4 => self.delivery_of(event, later).await,
            5 => self.delivery_of(event, Verdict::Dead).await,
            6 => {
                self.run_of(event, Verdict::RetryAt(NOW)).await;
                self.run_of(event, Verdict::Dead).await;
            }
            _ => {
                self.run_of(event, Verdict::RetryAt(NOW)).await;
                self.run_of(event, Verdict::Done).await;
                self.delivery_of(event, Verdict::Done).await;
            }
        }
    }
}

impl Filled {
    /// Half of it is packed.
    async fn new() -> Self {
        let (disk, clock) = (Disk::default(), Clock::manual(NOW));
        let bench = open(&disk, &clock);
        let mut items = Vec::new();
        for number in 0..ITEMS {
            items.push(bench.item(number).await);
        }
        bench.store.clone().close().await.unwrap();
        let bench = open(&disk, &clock);
        clock.advance(days(2));
        bench.store.sweep(&Retention::default()).await.unwrap();
        for number in ITEMS..2 * ITEMS {
            items.push(bench.item(number).await);
        }
        let filled = Self { disk, bench, items };
        let kinds: Vec<u8> = frames(&filled.disk.synced()).iter().map(|it| it.kind).collect();
        assert!(kinds.contains(&PACKED) && kinds.contains(&COMMIT), "{kinds:?}");
        filled
    }

    /// The item that has this position.
    fn item_at(&self, position: u64) -> &Item {
        let has = |item: &&Item| item.span.contains(&position);
        self.items.iter().find(has).unwrap_or_else(|| panic!("{position} belongs to nothing"))
    }

    /// Everything that can be seen of a copy of it, by position and name, and how much damage was
    /// met. Alters the copy.
    async fn look(&self, files: Files) -> (Seen, usize) {
        self.look_at(&open(&Disk::holding(files), &self.bench.clock)).await
    }

    /// The same of a copy that is open.
    async fn look_at(&self, bench: &Bench) -> (Seen, usize) {
        let store = &bench.store;
        let mut seen = Seen::new();
        for item in &self.items {
            seen.put(item.receipt, "", shown(store.receipt(item.receipt).await));
            if let Some(event) = item.event {
                seen.put(event, "", shown(store.event(event).await));
                let subject = format!("pi_{}", item.id.trim_start_matches("evt_"));
                let state = store.state(&name("ledger"), &subject, "seen").unwrap();
                seen.put(event, "state", json!(state.map(|state| state.to_vec())));
            }
        }
        for event in store.events(&EventFilter::default(), ALL).await.unwrap().items {
            seen.put(event.id, "listed", json!(event));
        }
        for letter in store.dead(ALL).await.unwrap().items {
            seen.put(letter.id, "letter", json!(letter));
        }
        for work in store.take_parses(usize::MAX, usize::MAX).await.unwrap() {
            seen.put(work.id, "owed", json!(format!("{:?}", work.receipt)));
        }
        for work in bench.runs().await {
            seen.put(work.id, "owed", json!(format!("{:?}", work.event)));
        }
        for work in bench.deliveries().await {
            seen.put(work.id, "owed", json!(format!("{:?}", work.payload)));
        }
        for item in &self.items {
            let again = store.append(receipt(&[&item.id])).await.unwrap();
            seen.put(item.receipt, "again", json!(format!("{again:?}")));
        }
        assert!(store.trouble().is_none(), "{:?}", store.trouble());
        (seen, store.stats().damaged)
    }
}

/// What can be seen of a store: each thing by its position, its id and what of it.
#[derive(Debug, Default, PartialEq)]
struct Seen(BTreeMap<(u64, String), Value>);

impl Seen {
    fn new() -> Self {
        Self::default()
    }

    fn put(&mut self, id: Id, what: &str, value: Value) {
        self.0.insert((id.position, format!("{id} {what}")), value);
    }
}

fn shown<T: serde::Serialize>(asked: Result<Option<T>, Error>) -> Value {
    match asked {
        Ok(view) => serde_json::to_value(view).expect("it can be shown"),
        Err(Error::Damaged(_)) => json!("damaged"),
        Err(error) => panic!("{error:?}"),
    }
}

/// Whether all that is shown is in the whole too: a part of a history may be missing, nothing may
/// be another.
fn is_part_of(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => part.iter().all(|(name, part)| {
            // What its parts come to is that of the parts that can be read.
            let is_sum = name == "state" && whole.contains_key("runs");
            let is_told = name == "damaged_at" || name == "damaged";
            is_sum || is_told || whole.get(name).is_some_and(|whole| is_part_of(part, whole))
        }),
        (Value::Array(part), Value::Array(whole)) => {
            part.iter().all(|part| whole.iter().any(|whole| is_part_of(part, whole)))
        }
        _ => part == whole,
    }
}

/// Only what is never written again: what came, and what it was parsed into.
fn content(view: &Value) -> Value {
    const NAMES: [&str; 6] = ["id", "source", "url", "headers", "body", "event"];
    match view {
        Value::Object(members) => {
            let kept = members.iter().filter(|(name, _)| NAMES.contains(&name.as_str()));
            kept.map(|(name, value)| (name.clone(), value.clone())).collect()
        }
        other => other.clone(),
    }
}

/// What a flip is in.
fn hit(files: &Files, file: &str, bit: usize) -> Option<Frame> {
    frames(files).into_iter().find(|frame| frame.has(file, bit / 8))
}

/// A bit of some volume, each as likely.
fn any_bit(files: &Files, random: &mut fastrand::Rng) -> (String, usize) {
    let volumes: Vec<_> = files.iter().filter(|(name, _)| is_volume(name)).collect();
    let bits: usize = volumes.iter().map(|(_, bytes)| bytes.length() * 8).sum();
    let mut bit = random.usize(..bits);
    for (name, bytes) in volumes {
        if bit < bytes.length() * 8 {
            return (name.clone(), bit);
        }
        bit -= bytes.length() * 8;
    }
    unreachable!("it is in one of them")
}

fn flipped(files: &Files, file: &str, bit: usize) -> Files {
    let mut files = files.clone();
    files.get_mut(file).expect("it is there").flip(bit);
    files
}

fn overlap(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}

/// The positions of each segment, by the first.
fn segments(bench: &Bench) -> BTreeMap<u64, Range<u64>> {
    let log = bench.store.handle.shared.file.read().unwrap().log().unwrap();
    let rows = log.within(..).unwrap().map(|row| row.unwrap());
    rows.map(|(first, segment)| (first, first..segment.unwrap().next())).collect()
}

#[tokio::test]
async fn a_flipped_bit_in_a_copy_is_told_and_costs_no_more_than_it_must() {
    let filled = Filled::new().await;
    let segments = segments(&filled.bench);
    filled.bench.store.clone().close().await.unwrap();
    let files = filled.disk.synced();
    let (whole, damaged) = filled.look(files.clone()).await;
    assert_eq!(damaged, 0);

    let flips = Flips::new();
    let mut told = 0;
    for (number, mut random) in flips.each() {
        let (file, bit) = any_bit(&files, &mut random);
        let context = format!("flip {number}, bit {bit} of {file}");
        let frame = hit(&files, &file, bit).filter(|it| frame_of(&files, it.first) == *it);
        let lost = frame.and_then(|frame| segments.get(&frame.first).cloned());
        let (seen, damaged) = filled.look(flipped(&files, &file, bit)).await;

        let touches = |position: u64| {
            let span = &filled.item_at(position).span;
            lost.as_ref().is_some_and(|lost| overlap(lost, span))
        };
        for (key, value) in &whole.0 {
            let now = seen.0.get(key);
            if now == Some(value) {
                continue;
            }
            assert!(touches(key.0), "{context}: {key:?} is {now:?} and was {value}");
            let is_told = now.is_none_or(|now| *now == "damaged" || is_part_of(now, value));
            assert!(is_told, "{context}: {key:?} is {now:?} and was {value}");
            assert!(damaged > 0, "{context}: {key:?} is missing, and nobody is told");
        }
        let made_up = seen.0.keys().find(|key| !whole.0.contains_key(*key));
        assert!(made_up.is_none(), "{context}: {made_up:?} never was");
        told += usize::from(damaged > 0);
    }
    assert!(told > 0 || !flips.are_many(), "no bit was one that counts");
}

/// Behind the last checkpoint a start reads the frames for the changes of rows in them too. Those
/// of a damaged one are lost with it: what it finished is owed again. The last one may be taken for
/// what a kill has cut off.
#[tokio::test]
async fn a_flipped_bit_in_what_a_start_has_to_read_alters_nothing_else() {
    let mut filled = Filled::new().await;
    filled.bench.store.handle.shared.file.checkpoint().unwrap();
    let durable = frames(&filled.disk.synced()).len();
    for number in 2 * ITEMS..3 * ITEMS {
        filled.items.push(filled.bench.item(number).await);
    }
    // One more, so that none of those is the last.
    let last = filled.bench.append(&["the last"]).await;
    let files = filled.disk.synced();
    let log = frames(&files).into_iter().filter(|frame| frame.kind == COMMIT);
    let behind: Vec<Frame> = log.filter(|it| it.first < last.position).collect();
    let behind = &behind[behind.len() - (frames(&files).len() - durable - 1)..];
    let (whole, damaged) = filled.look(files.clone()).await;
    assert_eq!(damaged, 0);

    for (number, mut random) in Flips::new().each() {
        let frame = &behind[random.usize(..behind.len())];
        let bit = (frame.offset * 8) + random.usize(..frame.length * 8);
        let context = format!("flip {number}, bit {bit} of {}, in {frame:?}", frame.file);
        let (seen, damaged) = filled.look(flipped(&files, &frame.file, bit)).await;

        assert!(damaged > 0, "{context}: nobody is told");
        let touched = filled.item_at(frame.first);
        for (key, value) in &whole.0 {
            let now = seen.0.get(key);
            if !touched.span.contains(&key.0) {
                assert_eq!(now, Some(value), "{context}: {key:?}");
            } else if let Some(now) = now.filter(|now| now.is_object()) {
                assert_eq!(content(now), content(value), "{context}: {key:?}");
            }
        }
        let is_its =
            |key: &(u64, String)| whole.0.contains_key(key) || touched.span.contains(&key.0);
        let made_up = seen.0.keys().find(|key| !is_its(key));
        assert!(made_up.is_none(), "{context}: {made_up:?} never was");
    }
}
