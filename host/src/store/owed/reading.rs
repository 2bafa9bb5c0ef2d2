//! Reads lanes: the works that are next in the rows of the file, with what each is.
//!
//! All of a reading goes by one view. A work whose record can't be read is found as such, and stops
//! no other. Never changes what is owed.

use super::backlog::{Entry, FarWork, Key, LaneRead, OrderKeys, Tries, Wanted};
use super::lane::{lane, read_note};
use super::owing::Owing;
use super::standing::Standing;
use super::tally::count::SourceNumber;
use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::damage::Damages;
use crate::store::error::{Damaged, Failure};
use crate::store::file::owed_rows::OwedWork;
use crate::store::file::view::{Outcomes, Segments, View};
use crate::store::kind::WorkKind;
use crate::store::time::StoreClock;

/// The first key of those runs that wait for a retry: all others go by their positions alone. Where
/// deliveries do so too, others may be behind it as well: they came before they did.
const FIRST_WAITING: Key = (Timestamp(1), 0);

/// What lanes are read with.
pub(in crate::store) struct LaneReader<'a> {
    pub(in crate::store) view: &'a View,
    pub(in crate::store) tag: u32,
    pub(in crate::store) keys: &'a OrderKeys,
    pub(in crate::store) damages: &'a Damages,
    pub(in crate::store) clock: &'a StoreClock,
}

/// What works are looked up in.
struct LookUp {
    log: Segments,
    outcomes: Outcomes,
    owing: Owing,
}

/// A work that is next in a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Next {
    position: u64,
    since: Timestamp,
    /// Which of the lanes.
    lane: usize,
    /// Whether it goes by its position and waits for a retry.
    waits: bool,
}

impl LaneReader<'_> {
    /// Reads what is wanted of lanes of this kind. Of runs it reads none that wait for a retry,
    /// which are in memory.
    pub(in crate::store) fn read(
        &self,
        kind: WorkKind,
        wanted: &[Wanted],
    ) -> Result<Vec<LaneRead>, Failure> {
        self.read_beside(kind, wanted, Vec::new())
    }

    /// The same at a start: of works that go by their positions, all that wait for a retry come
    /// with the others.
    pub(in crate::store) fn read_first(
        &self,
        kind: WorkKind,
        wanted: &[Wanted],
    ) -> Result<Vec<LaneRead>, Failure> {
        let mut waiting = Vec::new();
        let by_position = |group: &Name| self.keys.by_position(kind, group);
        let lanes = wanted.iter().enumerate().filter(|(_, wanted)| by_position(&wanted.group));
        for (lane, wanted) in lanes {
            for next in self.keys_from(kind, &wanted.group, FIRST_WAITING)? {
                let (since, position) = next?;
                if kind == WorkKind::Run || self.waits(position)? {
                    waiting.push(Next { position, since, lane, waits: true });
                }
            }
        }
        self.read_beside(kind, wanted, waiting)
    }

    /// Whether a work waits for a retry, by its row.
    fn waits(&self, position: u64) -> Result<bool, Failure> {
        let row = self.damages.pass(self.view.owed(position))?.flatten();
        Ok(row.and_then(|row| read_note(&row.note)).is_some_and(|(waits, _)| waits))
    }

    fn read_beside(
        &self,
        kind: WorkKind,
        wanted: &[Wanted],
        mut all: Vec<Next>,
    ) -> Result<Vec<LaneRead>, Failure> {
        let mut found = Vec::with_capacity(wanted.len());
        for (lane, wanted) in wanted.iter().enumerate() {
            let until = self.next_of(kind, wanted, lane, &mut all)?;
            let (works, waiting) = (Vec::new(), Vec::new());
            found.push(LaneRead { number: wanted.number, works, until, waiting });
        }
        // Neighbours in the log are read one after the other.
        all.sort_unstable();
        let (log, outcomes) = (self.view.log()?, self.view.outcomes()?);
        let mut look_up = LookUp { log, outcomes, owing: Owing::new(self.tag) };
        for Next { position, since, lane, waits } in all {
            let group = &wanted[lane].group;
            let work = self.work(&mut look_up, (kind, group), (since, position))?;
            let LaneRead { works, waiting, .. } = &mut found[lane];
            let into = if waits { waiting } else { works };
            into.extend(work);
        }
        Ok(found)
    }

    /// Adds the keys of so many works as are wanted; gives that of the next.
    fn next_of(
        &self,
        kind: WorkKind,
        wanted: &Wanted,
        lane: usize,
        all: &mut Vec<Next>,
    ) -> Result<Option<Key>, Failure> {
        let mut left = wanted.works;
        for next in self.keys_from(kind, &wanted.group, wanted.from)? {
            let key @ (since, position) = next?;
            if kind == WorkKind::Run && key >= FIRST_WAITING {
                break;
            }
            if left == 0 {
                return Ok(Some(key));
            }
            left -= 1;
            all.push(Next { position, since, lane, waits: false });
        }
        Ok(None)
    }

    fn keys_from(
        &self,
        kind: WorkKind,
        group: &Name,
        (since, position): Key,
    ) -> Result<impl Iterator<Item = Result<Key, Failure>> + use<>, Failure> {
        let keys = self.view.lane(&lane(kind, group), (since.0, position))?;
        Ok(keys.map(|key| key.map(|(since, position)| (Timestamp(since), position))))
    }

    /// The work under this key in its lane, if it is there by its own row too.
    fn work(
        &self,
        look_up: &mut LookUp,
        (kind, group): (WorkKind, &Name),
        key @ (since, position): Key,
    ) -> Result<Option<FarWork>, Failure> {
        let Some(row) = self.damages.pass(self.view.owed(position))? else { return Ok(None) };
        let is_its = |row: &OwedWork| row.since == since.0 && row.lane == lane(kind, group);
        let Some(row) = row.filter(is_its) else {
            // Both rows come and go together.
            self.damages.note(Damaged { position });
            return Ok(None);
        };
        let note = read_note(&row.note).ok_or(Damaged { position });
        let (waits, root) = self.damages.pass(note)?.unwrap_or((false, None));
        let found = self.damages.pass(self.entry(look_up, (kind, group), key))?;
        let work = found.unwrap_or_else(|| Some(unreadable(position)));
        Ok(Some(FarWork { key, waits, root, work }))
    }

    /// What it is, and when it is due; `None` if its row is not of such a work.
    fn entry(
        &self,
        look_up: &mut LookUp,
        (kind, group): (WorkKind, &Name),
        (since, position): Key,
    ) -> Result<Option<(Entry, Timestamp)>, Failure> {
        let work = look_up.owing.work(&look_up.log, position, self.keys)?;
        let standing = Standing::at(&look_up.outcomes, position)?;
        if work.kind != kind || work.group != *group || !standing.is_open() {
            self.damages.note(Damaged { position });
            return Ok(None);
        }
        let mut work = work.standing(standing);
        self.keys.let_pass(&mut work);
        let is_at_once = work.due == Timestamp(0);
        let due = if is_at_once { work.due } else { self.clock.due_by(work.due, since) };
        Ok(Some((work.entry, due)))
    }
}

/// A work whose record can't be read: whoever takes it finds that too, and has it end as dead. It
/// has been tried as far as anybody knows, so its history is looked for.
fn unreadable(position: u64) -> (Entry, Timestamp) {
    let (tries, source) = (Tries::new(1, false), SourceNumber::default());
    (Entry { position, offset: 0, tries, source, order: None }, Timestamp(0))
}
