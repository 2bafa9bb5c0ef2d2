//! Replays by filter: which events each is for, how far it has come, and how its row spells that.
//!
//! A replay by ids has no row: it is done when it is answered. Never opens a work: the writer does,
//! and writes the row in the same commit.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::filter::EventFilter;
use super::view::State;
use crate::event::Timestamp;
use crate::ids::{Id, IdKind, Name};
use crate::route::Pattern;
use crate::store::Store;
use crate::store::damage::Damages;
use crate::store::error::{Damaged, Error, Failure};
use crate::store::file::File;
use crate::store::owed::replays::OpenReplay;
use crate::store::shared::Shared;

/// What a replay came to, in works: receipts to parse, runs, deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Replayed {
    /// Works that were done or dead and are done again.
    pub reopened: usize,
    /// Works that waited for another try and are tried now.
    pub hastened: usize,
    /// Works that are as they were: under way already, or in another state than was asked for.
    pub unchanged: usize,
    /// What could not be read and was left as it is.
    #[serde(skip_serializing_if = "is_none")]
    pub damaged: usize,
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

impl std::ops::AddAssign for Replayed {
    fn add_assign(&mut self, more: Self) {
        self.reopened += more.reopened;
        self.hastened += more.hastened;
        self.unchanged += more.unchanged;
        self.damaged += more.damaged;
    }
}

/// A replay by filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Replay {
    /// `rpl_`. Its position is where the log ended when the replay began: it never comes to what is
    /// behind that, such as what it caused itself.
    pub id: Id,
    /// Which events it is for.
    pub filter: EventFilter,
    /// When somebody asked for it.
    pub requested_at: Timestamp,
    /// What it has come to so far.
    #[serde(flatten)]
    pub replayed: Replayed,
    /// When it came to its end, or an operator ended it; `None` while it goes on.
    pub finished_at: Option<Timestamp>,
    /// Whether an operator ended it before it came to its end.
    pub canceled: bool,
    /// Whether it stands still for now, because too much work is open or the disk has too little
    /// room: as it was when somebody looked.
    pub waits: bool,
    /// Its next slice begins at this position.
    #[serde(skip)]
    pub(in crate::store) next: u64,
}

/// The row of a replay, in postcard.
#[derive(Serialize, Deserialize)]
struct ReplayRow {
    next: u64,
    requested_at: u64,
    finished_at: Option<u64>,
    canceled: bool,
    reopened: usize,
    hastened: usize,
    unchanged: usize,
    damaged: usize,
    filter: FilterRow,
}

/// A filter as it was asked for. A filter that can say more is another variant, at the end.
#[derive(Serialize, Deserialize)]
enum FilterRow {
    V1 {
        source: Option<Name>,
        event_type: Option<Pattern>,
        subject: Option<String>,
        /// By its number: 0 pending, 1 done, 2 dead.
        state: Option<u8>,
        after: Option<u64>,
        before: Option<u64>,
    },
}

const STATES: [State; 3] = [State::Pending, State::Done, State::Dead];

impl FilterRow {
    fn of(filter: &EventFilter) -> Self {
        // Nobody begins a replay for a tenant: this row could not say so.
        let EventFilter { source, event_type, subject, state, after, before, tenant: _ } =
            filter.clone();
        let millis = |time: Option<Timestamp>| time.map(|time| time.0);
        let number = |state: State| (0..).zip(STATES).find(|(_, known)| *known == state);
        Self::V1 {
            source,
            event_type,
            subject,
            state: state.and_then(number).map(|(number, _)| number),
            after: millis(after),
            before: millis(before),
        }
    }

    /// `None` if a newer Hookgate wrote its state.
    fn filter(self) -> Option<EventFilter> {
        let Self::V1 { source, event_type, subject, state, after, before } = self;
        let state = match state {
            Some(number) => Some(*STATES.get(usize::from(number))?),
            None => None,
        };
        let (after, before) = (after.map(Timestamp), before.map(Timestamp));
        let tenant = None;
        Some(EventFilter { source, event_type, subject, state, after, before, tenant })
    }
}

impl Replay {
    /// One that begins now.
    pub(in crate::store) fn begun(id: Id, filter: EventFilter, now: Timestamp) -> Self {
        let (replayed, finished_at, canceled) = (Replayed::default(), None, false);
        let (waits, next) = (false, 0);
        Self { id, filter, requested_at: now, replayed, finished_at, canceled, waits, next }
    }

    /// As it is for whoever looks now.
    fn seen(self, shared: &Shared) -> Self {
        Self { waits: shared.owed.replay_waits(self.id), ..self }
    }

    /// What is in memory of it while it goes on.
    pub(in crate::store) fn open(&self) -> Option<OpenReplay> {
        let source = self.filter.source.clone();
        let opens = self.filter.state != Some(State::Pending);
        self.finished_at.is_none().then_some(OpenReplay { id: self.id, source, opens })
    }

    pub(in crate::store) fn write(&self) -> Bytes {
        let Replayed { reopened, hastened, unchanged, damaged } = self.replayed;
        let row = ReplayRow {
            next: self.next,
            requested_at: self.requested_at.0,
            finished_at: self.finished_at.map(|at| at.0),
            canceled: self.canceled,
            reopened,
            hastened,
            unchanged,
            damaged,
            filter: FilterRow::of(&self.filter),
        };
        postcard::to_stdvec(&row).expect("a row can be written to memory").into()
    }

    /// The replay with this number, of the store with this tag.
    pub(in crate::store) fn read(number: u64, tag: u32, row: &[u8]) -> Result<Self, Damaged> {
        let damaged = || Damaged { position: number };
        let row: ReplayRow = postcard::from_bytes(row).map_err(|_| damaged())?;
        let ReplayRow { reopened, hastened, unchanged, damaged: unread, .. } = row;
        Ok(Self {
            id: Id { kind: IdKind::Replay, position: number, tag },
            filter: row.filter.filter().ok_or_else(damaged)?,
            requested_at: Timestamp(row.requested_at),
            replayed: Replayed { reopened, hastened, unchanged, damaged: unread },
            finished_at: row.finished_at.map(Timestamp),
            canceled: row.canceled,
            waits: false,
            next: row.next,
        })
    }
}

impl Store {
    /// How far a replay by filter has come; `None` if there is no such replay. Of those that are
    /// finished, the last hundred are kept.
    pub async fn replay_progress(&self, id: Id) -> Result<Option<Replay>, Error> {
        self.aside(move |shared| Ok(shared.replay(id)?.map(|replay| replay.seen(shared)))).await
    }

    /// All replays by filter that are kept, newest first. What can't be read is left out.
    pub async fn replays(&self) -> Result<Vec<Replay>, Error> {
        let mut replays = self.aside(|shared| Ok(kept(&shared.file, &shared.damages)?)).await?;
        replays.reverse();
        let shared = &self.handle.shared;
        Ok(replays.into_iter().map(|replay| replay.seen(shared)).collect())
    }
}

impl Shared {
    /// A replay by filter, as it is committed.
    pub(in crate::store) fn replay(&self, id: Id) -> Result<Option<Replay>, Failure> {
        let tag = self.file.tag;
        if (id.kind, id.tag) != (IdKind::Replay, tag) {
            return Ok(None);
        }
        let row = self.file.read()?.replays()?.remove(&id.position);
        Ok(row.map(|row| Replay::read(id.position, tag, &row)).transpose()?)
    }
}

/// The replays by filter that are kept, in the order of their ids. What can't be read is left out.
fn kept(file: &File, damages: &Damages) -> Result<Vec<Replay>, Failure> {
    let mut replays = Vec::new();
    for (number, row) in file.read()?.replays()? {
        replays.extend(damages.pass(Replay::read(number, file.tag, &row))?);
    }
    Ok(replays)
}

/// The same, of those that are not finished.
pub(in crate::store) fn open_replays(
    file: &File,
    damages: &Damages,
) -> Result<Vec<OpenReplay>, Failure> {
    Ok(kept(file, damages)?.iter().filter_map(Replay::open).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replay(filter: EventFilter) -> Replay {
        let id = Id { kind: IdKind::Replay, position: 300, tag: 7 };
        let replayed = Replayed { reopened: 1, hastened: 2, unchanged: 3, damaged: 4 };
        let finished_at = Some(Timestamp(9));
        let (requested_at, canceled, waits) = (Timestamp(8), true, false);
        Replay { id, filter, requested_at, replayed, finished_at, canceled, waits, next: 200 }
    }

    fn filter() -> EventFilter {
        EventFilter {
            source: Some("crm".parse().unwrap()),
            event_type: Some("a.*".parse().unwrap()),
            subject: Some("pi_1".into()),
            state: Some(State::Dead),
            after: Some(Timestamp(5)),
            before: Some(Timestamp(300)),
            tenant: None,
        }
    }

    #[test]
    fn a_replay_is_read_as_it_was_written_and_what_is_cut_is_damaged() {
        for filter in [filter(), EventFilter::default()] {
            let replay = replay(filter);
            let row = replay.write();
            assert_eq!(Replay::read(300, 7, &row).unwrap(), replay);
            for length in 0..row.len() {
                let cut = Replay::read(300, 7, &row[..length]);
                assert_eq!(cut.unwrap_err(), Damaged { position: 300 }, "{length} bytes");
            }
        }
    }

    /// The bytes as another version reads them: a change here is another format.
    #[test]
    fn a_row_is_spelled_as_it_was_by_the_version_before() {
        let row = replay(filter()).write();
        let (head, filter) = row.split_at(10);
        assert_eq!(head, [200, 1, 8, 1, 9, 1, 1, 2, 3, 4]);
        let names = [&[0, 1, 3][..], b"crm", &[1, 3], b"a.*", &[1, 4], b"pi_1"].concat();
        assert_eq!(filter, [&names[..], &[1, 2, 1, 5, 1, 0xac, 2]].concat());
        assert_eq!(replay(EventFilter::default()).write()[10..], [0; 7]);
    }

    #[test]
    fn a_row_of_a_state_that_nobody_knows_is_damaged() {
        let mut row = replay(filter()).write().to_vec();
        let state = row.len() - 6;
        assert_eq!(row[state], 2);
        row[state] = 9;
        assert!(Replay::read(300, 7, &row).is_err());
    }
}
