//! Whether an id is known, held against a set, through foldings, restarts and power cuts.
//!
//! The sizes are small, so that a few hundred ids go through every level of runs.

use std::collections::HashMap;

use proptest::prelude::*;

use super::disk::Disk;
use super::*;
use crate::store::file::id_rows::IdRows;
use crate::store::ids::terms::{Owner, Term};
use crate::store::ids::{self as known_ids, IdIndex, IdKey, Shape};
use crate::store::rows::Rows;
use crate::store::time::Times;

const SMALL: Shape =
    Shape { fresh_ids: 24, chunk_ids: 3, group_chunks: 2, fan_in: 3, pace_idle: 1 };

/// So many commits come between two checkpoints.
const CHECKPOINT_COMMITS: u64 = 8;
/// So little that the log goes through many volumes.
const SIZES: Sizes = Sizes { volume_bytes: 4096, checkpoint_bytes: CHECKPOINT_BYTES };

/// The known ids in files with no store around them. In their log, each commit adds a segment with
/// the ids that it brought: each stands for its position.
struct Ids {
    file: File,
    index: IdIndex,
    end: u64,
    now: Timestamp,
    commits: u64,
    /// Of the ids that it brings.
    term: Term,
}

/// The term of a source of which so many days are said.
fn term(said: Option<u64>) -> Term {
    let source = name("stripe");
    Terms::of(said.map(|said| (source.clone(), days(said)))).term(&source)
}

/// A commit takes a position also if it brings nothing.
fn width(brought: &[u32]) -> u64 {
    brought.len().max(1) as u64
}

fn key(id: u32) -> IdKey {
    IdKey::new(&name("stripe"), &id.to_string())
}

impl Ids {
    fn open(disk: Disk) -> Self {
        let nowhere = std::path::Path::new("nowhere");
        let file =
            File::open_on(disk, nowhere, (SIZES, &VolumeKeys::default()), Arc::default()).unwrap();
        let index = known_ids::load(&file.read().unwrap(), SMALL).unwrap();
        let mut ids = Self { file, index, end: 1, now: NOW, commits: 0, term: term(None) };
        for (id, position) in ids.model() {
            if position >= ids.index.mark() {
                ids.index.learn(key(id), Owner { receipt: position, term: ids.term });
            }
        }
        let last = ids.log().pop();
        ids.end = last.map_or(1, |(first, brought)| first + width(&brought));
        ids
    }

    /// What each commit brought, by its first position, oldest first.
    fn log(&self) -> Vec<(u64, Vec<u32>)> {
        let segments = self.file.read().unwrap().log().unwrap();
        let read = |first: u64, bytes: &[u8]| {
            let id = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes"));
            (first, bytes.chunks_exact(4).map(id).collect::<Vec<_>>())
        };
        let mut log = Vec::new();
        let mut before = u64::MAX;
        while let Some(segment) = segments.last_row(before, read).unwrap() {
            before = segment.0 - 1;
            log.push(segment);
        }
        log.reverse();
        log
    }

    /// What was committed, by id.
    fn model(&self) -> HashMap<u32, u64> {
        let mut model = HashMap::new();
        for (first, brought) in self.log() {
            for (id, position) in brought.into_iter().zip(first..) {
                model.entry(id).or_insert(position);
            }
        }
        model
    }

    /// Brings these in one change, and gives who owned each before.
    fn bring(&mut self, ids: &[u32]) -> Vec<Option<u64>> {
        self.index.freeze_if_due(self.end, self.now);
        let mut bound: HashMap<IdKey, Owner> = HashMap::new();
        let mut change = self.file.write().unwrap();
        let mut owners = Vec::new();
        let mut brought = Vec::new();
        let mut end = self.end;
        for id in ids {
            let known = || self.owners([*id])[0];
            let owner = bound.get(&key(*id)).map(|owner| owner.receipt).or_else(known);
            if owner.is_none() {
                bound.insert(key(*id), Owner { receipt: end, term: self.term });
                brought.extend(id.to_le_bytes());
                end += 1;
            }
            owners.push(owner);
        }
        change.tables().put_segment(self.end, &brought);
        let now = Times { now: self.now, counted: self.now, point: None };
        let changes = known_ids::tidy(&self.index, &change, bound.len(), 0, now).unwrap();
        self.file.commit(change).unwrap();
        self.index.apply(bound, changes);
        self.end = end.max(self.end + 1);
        self.commits += 1;
        if self.commits.is_multiple_of(CHECKPOINT_COMMITS) {
            self.file.checkpoint().unwrap();
        }
        owners
    }

    /// Who owns each by what is committed.
    fn owners(&self, ids: impl IntoIterator<Item = u32>) -> Vec<Option<u64>> {
        let rows = self.file.read().unwrap().ids().unwrap();
        ids.into_iter().map(|id| self.index.owner(key(id), || Ok(&rows)).unwrap()).collect()
    }

    /// How many rows the runs have.
    fn rows(&self) -> usize {
        let ids = self.file.read().unwrap().ids().unwrap();
        let all = (1, 0, 0)..=(u64::MAX, u8::MAX, u128::MAX);
        ids.within(all).unwrap().map(Result::unwrap).count()
    }
}

#[derive(Debug, Clone)]
enum Turn {
    Bring(Vec<u32>),
    Idle(u8),
    Restart,
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let bring = prop::collection::vec(0..300_u32, 0..12).prop_map(Turn::Bring);
    let turn =
        prop_oneof![8 => bring, 1 => (0..20_u8).prop_map(Turn::Idle), 1 => Just(Turn::Restart)];
    prop::collection::vec(turn, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_id_is_known_once_it_was_brought_and_never_before(turns in turns()) {
        let disk = Disk::default();
        let mut ids = Ids::open(disk.clone());
        let mut model: HashMap<u32, u64> = HashMap::new();
        for turn in turns {
            match turn {
                Turn::Bring(brought) => {
                    let mut next = ids.end;
                    let expect = |id: &u32| {
                        let owner = model.get(id).copied();
                        model.entry(*id).or_insert_with(|| { next += 1; next - 1 });
                        owner
                    };
                    let expected: Vec<Option<u64>> = brought.iter().map(expect).collect();
                    prop_assert_eq!(ids.bring(&brought), expected);
                }
                Turn::Idle(commits) => (0..commits).for_each(|_| drop(ids.bring(&[]))),
                Turn::Restart => {
                    drop(ids);
                    ids = Ids::open(disk.clone());
                }
            }
            let expected: Vec<Option<u64>> = (0..300).map(|id| model.get(&id).copied()).collect();
            prop_assert_eq!(ids.owners(0..300), expected);
        }
    }
}

#[test]
fn a_power_cut_at_any_sync_forgets_nothing_and_makes_nothing_up() {
    const BROUGHT_IDS: u32 = 160;
    let disk = Disk::default();
    let mut ids = Ids::open(disk.clone());
    disk.record_cuts();
    for first in (0..BROUGHT_IDS).step_by(2) {
        ids.bring(&[first, first + 1]);
    }
    let cuts = disk.cuts();
    assert!(cuts.len() >= 80, "{} syncs", cuts.len());

    let mut random = fastrand::Rng::with_seed(11);
    for (number, cut) in cuts.iter().enumerate() {
        for torn in [cut.disk(|| false), cut.disk(|| random.bool())] {
            let mut ids = Ids::open(torn);
            let model = ids.model();
            let known = |model: &HashMap<u32, u64>| -> Vec<Option<u64>> {
                (0..2 * BROUGHT_IDS).map(|id| model.get(&id).copied()).collect()
            };
            assert_eq!(ids.owners(0..2 * BROUGHT_IDS), known(&model), "after cut {number}");

            for first in (0..2 * BROUGHT_IDS).step_by(8) {
                ids.bring(&(first..first + 8).collect::<Vec<_>>());
            }
            let model = ids.model();
            assert_eq!(model.len(), 2 * BROUGHT_IDS as usize, "after cut {number}");
            assert_eq!(ids.owners(0..2 * BROUGHT_IDS), known(&model), "after cut {number}");

            ids.index.freeze(ids.end);
            (0..400).for_each(|_| drop(ids.bring(&[])));
            let (sizes, others) = ids.index.runs_held();
            assert_eq!(sizes.iter().sum::<u64>(), u64::from(2 * BROUGHT_IDS), "after cut {number}");
            assert_eq!(others, 0, "after cut {number}");
        }
    }
}

#[test]
fn runs_stay_few_and_leave_nothing_behind() {
    let mut ids = Ids::open(Disk::default());
    for id in 0..3000 {
        ids.bring(&[id]);
        let (complete, others) = ids.index.runs_held();
        let runs = complete.len() + others;
        assert!(runs <= 20, "{runs} runs with {id} ids");
    }
    (0..9000).for_each(|_| drop(ids.bring(&[])));

    // 3000 ids are 1000 chunks with 500 filters, and the rows of the runs.
    let rows = ids.rows();
    assert!((1500..1700).contains(&rows), "{rows} rows");
}

#[test]
fn runs_stay_few_however_many_ids_come_at_once() {
    for at_once in [7, 24, 40, 100] {
        let mut ids = Ids::open(Disk::default());
        for first in (0..4000).step_by(at_once as usize) {
            ids.bring(&(first..first + at_once).collect::<Vec<_>>());
            let (complete, others) = ids.index.runs_held();
            let runs = complete.len() + others;
            assert!(runs <= 25, "{runs} runs with {first} ids, {at_once} at once");
        }
    }
}

#[test]
fn a_commit_that_brings_many_ids_writes_down_those_before_it_of_all_terms() {
    let mut ids = Ids::open(Disk::default());
    for (id, said) in [(100, 100), (101, 300), (102, 3000)] {
        ids.term = term(Some(said));
        ids.bring(&[id]);
    }
    ids.bring(&(0..60).collect::<Vec<_>>());
    let end = ids.end;

    ids.bring(&(200..260).collect::<Vec<_>>());

    assert_eq!(ids.index.mark(), end, "no start looks in the log for those");
    let (mut sizes, others) = ids.index.runs_held();
    sizes.sort_unstable();
    assert_eq!((sizes, others), (vec![1, 1, 61], 0));
    assert!(ids.owners((0..60).chain(100..103).chain(200..260)).iter().all(Option::is_some));
}

#[test]
fn what_is_older_than_any_provider_retries_is_forgotten() {
    let mut ids = Ids::open(Disk::default());
    ids.bring(&(0..60).collect::<Vec<_>>());
    (0..60).for_each(|_| drop(ids.bring(&[])));

    ids.now = NOW.after(days(36));
    (0..60).for_each(|_| drop(ids.bring(&[])));
    assert!(ids.owners(0..60).iter().all(Option::is_some));

    ids.now = NOW.after(days(41));
    (0..600).for_each(|_| drop(ids.bring(&[])));
    assert!(ids.owners(0..60).iter().all(Option::is_none));
    assert_eq!(ids.rows(), 0);
}

#[test]
fn an_id_goes_when_its_own_term_is_over_and_no_other() {
    let disk = Disk::default();
    let mut ids = Ids::open(disk.clone());
    for first in (0..90).step_by(9) {
        ids.bring(&[first, first + 1, first + 2]);
        for (id, said) in [(first + 3, 100), (first + 6, 3000)] {
            ids.term = term(Some(said));
            ids.bring(&[id, id + 1, id + 2]);
        }
        ids.term = term(None);
    }
    for _ in 0..2 {
        (0..200).for_each(|_| drop(ids.bring(&[])));
        ids.index.freeze(ids.end);
    }
    (0..200).for_each(|_| drop(ids.bring(&[])));

    for (age, kept) in [(39, [true; 3]), (99, [false, true, true]), (101, [false, false, true])] {
        ids.now = NOW.after(days(age));
        (0..600).for_each(|_| drop(ids.bring(&[])));
        // Not by what is in memory: a start finds the same.
        drop(ids);
        ids = Ids::open(disk.clone());
        ids.now = NOW.after(days(age));
        for (id, owner) in ids.owners(0..90).into_iter().enumerate() {
            assert_eq!(owner.is_some(), kept[id % 9 / 3], "{id} after {age} days");
        }
    }
}

#[test]
fn no_id_is_known_much_longer_than_its_term_because_of_younger_ones() {
    let mut ids = Ids::open(Disk::default());
    let of_day = |day: u32| (24 * day..24 * (day + 1)).collect::<Vec<u32>>();
    for day in 0..=60 {
        ids.now = NOW.after(days(u64::from(day)));
        ids.bring(&of_day(day));
        (0..100).for_each(|_| drop(ids.bring(&[])));
    }
    // Its term, an eighth of that, and a day on the way into a run.
    let forgotten = |day| ids.owners(of_day(day)).iter().all(Option::is_none);
    let known = |day| ids.owners(of_day(day)).iter().all(Option::is_some);
    assert!((0..60 - 40 - 5 - 1).all(forgotten) && (60 - 40..=60).all(known));
}
