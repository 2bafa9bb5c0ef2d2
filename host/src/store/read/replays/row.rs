//! How the row of a replay by filter spells it, in postcard.
//!
//! A filter that can say more is another variant, and an older Hookgate leaves a row alone whose
//! variant it does not know. Never decides how a replay goes on.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Replay, Replayed};
use crate::event::Timestamp;
use crate::failure::Reason;
use crate::ids::{Id, IdKind, Name};
use crate::route::Pattern;
use crate::store::error::Damaged;
use crate::store::kind::WorkKind;
use crate::store::read::filter::{EventFilter, ReplayFilter};
use crate::store::read::view::State;
use crate::tenant::Tenant;

/// The row of a replay.
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

/// A filter as it was asked for.
#[derive(Serialize, Deserialize)]
enum FilterRow {
    /// As an older Hookgate wrote it, which came from event to event and not from work to work.
    V1(EventsRow),
    V2(WorksRow),
    /// With the endpoints that the replay passed over, and from where on it comes back to each. One
    /// that has passed over none is written as before.
    V3(WorksRow, Vec<(Name, u64)>),
}

/// What is said of works, and how they are replayed.
#[derive(Serialize, Deserialize)]
struct WorksRow {
    events: EventsRow,
    tenant: Option<Tenant>,
    endpoint: Option<Name>,
    reason: Option<Reason>,
    /// By its number: 0 parse, 1 run, 2 delivery.
    kind: Option<u8>,
    rate: Option<u32>,
    paused: bool,
    total: Option<u64>,
}

/// What is said of events.
#[derive(Serialize, Deserialize)]
struct EventsRow {
    source: Option<Name>,
    event_type: Option<Pattern>,
    subject: Option<String>,
    /// By its number: 0 pending, 1 done, 2 dead.
    state: Option<u8>,
    after: Option<u64>,
    before: Option<u64>,
}

const STATES: [State; 3] = [State::Pending, State::Done, State::Dead];

impl EventsRow {
    fn of(filter: &EventFilter) -> Self {
        let EventFilter { source, event_type, subject, state, after, before, .. } = filter.clone();
        let millis = |time: Option<Timestamp>| time.map(|time| time.0);
        let number = |state: State| (0..).zip(STATES).find(|(_, known)| *known == state);
        Self {
            source,
            event_type,
            subject,
            state: state.and_then(number).map(|(number, _)| number),
            after: millis(after),
            before: millis(before),
        }
    }

    /// `None` if a newer Hookgate wrote its state.
    fn filter(self, tenant: Option<Tenant>) -> Option<EventFilter> {
        let Self { source, event_type, subject, state, after, before } = self;
        let state = match state {
            Some(number) => Some(*STATES.get(usize::from(number))?),
            None => None,
        };
        let (after, before) = (after.map(Timestamp), before.map(Timestamp));
        let any = EventFilter::default();
        Some(EventFilter { source, event_type, subject, state, after, before, tenant, ..any })
    }
}

/// What the row of a filter says.
struct Said {
    filter: ReplayFilter,
    rate: Option<u32>,
    paused: bool,
    total: Option<u64>,
    aside: Vec<(Name, u64)>,
}

impl FilterRow {
    fn of(replay: &Replay) -> Self {
        let ReplayFilter { events, endpoint, reason, kind } = &replay.filter;
        let works = WorksRow {
            events: EventsRow::of(events),
            tenant: events.tenant.clone(),
            endpoint: endpoint.clone(),
            reason: *reason,
            kind: kind.map(|kind| kind as u8),
            rate: replay.rate,
            paused: replay.paused,
            total: replay.total,
        };
        match replay.aside.is_empty() {
            true => Self::V2(works),
            false => Self::V3(works, replay.aside.clone()),
        }
    }

    /// `None` if a newer Hookgate wrote its state or its kind.
    fn said(self) -> Option<Said> {
        let (works, aside) = match self {
            Self::V1(events) => {
                let filter = events.filter(None)?.into();
                let (rate, total, aside) = (None, None, Vec::new());
                return Some(Said { filter, rate, paused: false, total, aside });
            }
            Self::V2(works) => (works, Vec::new()),
            Self::V3(works, aside) => (works, aside),
        };
        let WorksRow { events, tenant, endpoint, reason, kind, rate, paused, total } = works;
        let events = events.filter(tenant)?;
        let kind = match kind {
            Some(number) => Some(WorkKind::read(number)?),
            None => None,
        };
        let filter = ReplayFilter { events, endpoint, reason, kind };
        Some(Said { filter, rate, paused, total, aside })
    }
}

impl Replay {
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
            filter: FilterRow::of(self),
        };
        postcard::to_stdvec(&row).expect("a row can be written to memory").into()
    }

    /// The replay with this number, of the store with this tag.
    pub(in crate::store) fn read(number: u64, tag: u32, row: &[u8]) -> Result<Self, Damaged> {
        let damaged = || Damaged { position: number };
        let row: ReplayRow = postcard::from_bytes(row).map_err(|_| damaged())?;
        let ReplayRow { reopened, hastened, unchanged, damaged: unread, .. } = row;
        let Said { filter, rate, paused, total, aside } = row.filter.said().ok_or_else(damaged)?;
        Ok(Self {
            id: Id { kind: IdKind::Replay, position: number, tag },
            filter,
            requested_at: Timestamp(row.requested_at),
            replayed: Replayed { reopened, hastened, unchanged, damaged: unread },
            total,
            rate,
            finished_at: row.finished_at.map(Timestamp),
            canceled: row.canceled,
            paused,
            waits: false,
            next: row.next,
            aside,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replay(filter: ReplayFilter) -> Replay {
        Replay {
            id: Id { kind: IdKind::Replay, position: 300, tag: 7 },
            filter,
            requested_at: Timestamp(8),
            replayed: Replayed { reopened: 1, hastened: 2, unchanged: 3, damaged: 4 },
            total: Some(6),
            rate: Some(5),
            finished_at: Some(Timestamp(9)),
            canceled: true,
            paused: true,
            waits: false,
            next: 200,
            aside: Vec::new(),
        }
    }

    fn events(tenant: Option<Tenant>) -> EventFilter {
        EventFilter {
            source: Some("crm".parse().unwrap()),
            event_type: Some("a.*".parse().unwrap()),
            subject: Some("pi_1".into()),
            state: Some(State::Dead),
            after: Some(Timestamp(5)),
            before: Some(Timestamp(300)),
            tenant,
            ..EventFilter::default()
        }
    }

    fn filter() -> ReplayFilter {
        ReplayFilter {
            events: events(Some("acme".parse().unwrap())),
            endpoint: Some("erp".parse().unwrap()),
            reason: Some(Reason::EndpointTls),
            kind: Some(WorkKind::Delivery),
        }
    }

    #[test]
    fn a_replay_is_read_as_it_was_written_and_what_is_cut_is_damaged() {
        let aside = vec![("erp".parse().unwrap(), 7), ("crm".parse().unwrap(), 300)];
        let passed = Replay { aside, ..replay(ReplayFilter::default()) };
        for replay in [replay(filter()), replay(ReplayFilter::default()), passed] {
            let row = replay.write();
            assert_eq!(Replay::read(300, 7, &row).unwrap(), replay);
            for length in 0..row.len() {
                let cut = Replay::read(300, 7, &row[..length]);
                assert_eq!(cut.unwrap_err(), Damaged { position: 300 }, "{length} bytes");
            }
        }
    }

    const HEAD: [u8; 10] = [200, 1, 8, 1, 9, 1, 1, 2, 3, 4];

    /// What is said of the events, behind the variant.
    fn spelled() -> Vec<u8> {
        let names = [&[1, 3][..], b"crm", &[1, 3], b"a.*", &[1, 4], b"pi_1"].concat();
        [&names[..], &[1, 2, 1, 5, 1, 0xac, 2]].concat()
    }

    /// The bytes as another version reads them: a change here is another format.
    #[test]
    fn a_row_is_spelled_as_another_version_reads_it() {
        let row = replay(filter()).write();
        let (head, filter) = row.split_at(10);
        assert_eq!(head, HEAD);
        let tail = [&[1, 4][..], b"acme", &[1, 3], b"erp", &[1, 3, 1, 2, 1, 5, 1, 1, 6]].concat();
        assert_eq!(filter, [&[1][..], &spelled()[..], &tail[..]].concat());
        let aside = vec![("erp".parse().unwrap(), 7), ("crm".parse().unwrap(), 300)];
        let row = Replay { aside, ..replay(self::filter()) }.write();
        let aside = [&[2, 3][..], b"erp", &[7, 3], b"crm", &[0xac, 2]].concat();
        let filter = [&[2][..], &spelled()[..], &tail[..], &aside[..]].concat();
        assert_eq!(row, [&HEAD[..], &filter[..]].concat());
    }

    #[test]
    fn a_row_that_an_older_hookgate_wrote_is_read_without_what_it_could_not_say() {
        let row = [&HEAD[..], &[0], &spelled()[..]].concat();
        let read = Replay::read(300, 7, &row).unwrap();
        let (total, rate, paused) = (None, None, false);
        assert_eq!(read, Replay { total, rate, paused, ..replay(events(None).into()) });
    }

    #[test]
    fn a_row_of_a_state_or_a_kind_that_nobody_knows_is_damaged() {
        let state = 11 + spelled().len() - 6;
        let mut row = replay(filter()).write().to_vec();
        assert_eq!(row[state], 2);
        row[state] = 9;
        assert!(Replay::read(300, 7, &row).is_err());
        let mut row = replay(filter()).write().to_vec();
        let kind = row.len() - 6;
        assert_eq!(row[kind], 2);
        row[kind] = 9;
        assert!(Replay::read(300, 7, &row).is_err());
    }
}
