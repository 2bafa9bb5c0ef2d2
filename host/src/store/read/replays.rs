//! Replays by filter: which works each is for, how it goes on, and how far it has come.
//!
//! A replay by ids has no row: it is done when it is answered. Never opens a work: the writer does,
//! and writes the row in the same commit.

mod preview;
mod row;

use std::collections::BTreeMap;

use serde::Serialize;

pub use self::preview::{EndpointMatches, Preview, Sample};
use super::filter::{NewReplay, ReplayFilter};
use crate::event::Timestamp;
use crate::ids::{Id, IdKind, Name};
use crate::store::Store;
use crate::store::damage::Damages;
use crate::store::error::{Error, Failure};
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
    /// Which works it is for.
    pub filter: ReplayFilter,
    /// When somebody asked for it.
    pub requested_at: Timestamp,
    /// What it has come to so far.
    #[serde(flatten)]
    pub replayed: Replayed,
    /// How many works matched when it began; `None` if nobody has counted that many.
    pub total: Option<u64>,
    /// Works a second, at most; `None` has no limit of its own.
    pub rate: Option<u32>,
    /// When it came to its end, or an operator ended it; `None` while it goes on.
    pub finished_at: Option<Timestamp>,
    /// Whether an operator ended it before it came to its end.
    pub canceled: bool,
    /// Whether an operator has it stand still until it is resumed.
    pub paused: bool,
    /// Whether it stands still for now, because too much work is open or the disk has too little
    /// room: as it was when somebody looked.
    pub waits: bool,
    /// Its next slice begins at this position.
    #[serde(skip)]
    pub(in crate::store) next: u64,
    /// The endpoints that it passed over, and from where on it comes back to each.
    #[serde(skip)]
    pub(in crate::store) aside: Vec<(Name, u64)>,
}

impl Replay {
    /// One that begins now.
    pub(in crate::store) fn begun(id: Id, new: NewReplay, now: Timestamp) -> Self {
        let NewReplay { filter, rate, total } = new;
        Self {
            id,
            filter,
            requested_at: now,
            replayed: Replayed::default(),
            total,
            rate,
            finished_at: None,
            canceled: false,
            paused: false,
            waits: false,
            next: 0,
            aside: Vec::new(),
        }
    }

    /// Where its next slice begins, of all or of an endpoint that it comes back to.
    pub(in crate::store) fn place(&self, aside: Option<&Name>) -> Option<u64> {
        match aside {
            None => Some(self.next),
            Some(endpoint) => {
                let place = self.aside.iter().find(|(name, _)| name == endpoint);
                place.map(|(_, from)| *from)
            }
        }
    }

    /// A slice of it has come up to here, or to the end, and has passed over these endpoints.
    pub(in crate::store) fn went(
        &mut self,
        aside: Option<&Name>,
        next: Option<u64>,
        passed: &BTreeMap<Name, u64>,
    ) {
        let Some(endpoint) = aside else {
            self.next = next.unwrap_or(self.id.position);
            for (name, from) in passed {
                if self.place(Some(name)).is_none() {
                    self.aside.push((name.clone(), *from));
                }
            }
            return;
        };
        match next {
            None => self.aside.retain(|(name, _)| name != endpoint),
            Some(next) => {
                let place = self.aside.iter_mut().find(|(name, _)| name == endpoint);
                place.into_iter().for_each(|(_, from)| *from = next);
            }
        }
    }

    /// Whether nothing is left that it is for.
    pub(in crate::store) fn is_done(&self) -> bool {
        self.next >= self.id.position && self.aside.is_empty()
    }

    /// As it is for whoever looks now.
    fn seen(self, shared: &Shared) -> Self {
        Self { waits: shared.owed.replay_waits(self.id), ..self }
    }

    /// What is in memory of it while it goes on.
    pub(in crate::store) fn open(&self) -> Option<OpenReplay> {
        let (source, endpoint) = (self.filter.events.source.clone(), self.filter.endpoint.clone());
        let open = OpenReplay {
            id: self.id,
            source,
            endpoint,
            opens: self.filter.opens(),
            is_paused: self.paused,
            is_through: self.next >= self.id.position && !self.aside.is_empty(),
            aside: self.aside.iter().map(|(name, _)| name.clone()).collect(),
        };
        self.finished_at.is_none().then_some(open)
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
