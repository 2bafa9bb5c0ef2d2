//! Replays by filter: durable, so that one goes on when whoever asked hangs up, and after a start.
//!
//! Each slice opens works and writes down how far its replay has come, in one commit: a kill
//! neither repeats a slice nor loses one. Whoever drives the replays asks for one slice after the
//! other. Never decides when that is, but opens nothing where too much is open that was opened
//! again.

use std::future::pending;
use std::sync::atomic::Ordering;

use super::{BATCH_MAX, TARGET_BYTES, Targets};
use crate::ids::{Id, IdKind, Name};
use crate::store::Store;
use crate::store::error::{Error, Failure};
use crate::store::log::segment::RecordKind;
use crate::store::owed::replays::Slice;
use crate::store::read::filter::NewReplay;
use crate::store::read::replays::{Replay, Replayed};
use crate::store::read::snapshot::Course;
use crate::store::write::draft::Draft;
use crate::store::write::op::{Answer, Operation, Reply};
use crate::tenant::Tenant;

/// How many replays may be unfinished.
struct Places {
    /// Without those that rest.
    going: usize,
    /// With them.
    all: usize,
}

/// Of everybody.
const OF_ALL: Places = Places { going: 16, all: 100 };
/// Of one tenant: none has all places of the others.
const OF_TENANT: Places = Places { going: 4, all: 16 };
/// A slice of so few works shares the commit of what comes in the next moment: what comes live then
/// pays for no other. Who opens more at a time wants to get on.
const SMALL: usize = 8;
/// Finished replays that are kept.
const FINISHED_MAX: usize = 100;

impl Store {
    /// Begins to open again what is finished of all works that match, and to hasten what waits:
    /// oldest first, up to where the log ends now. If the filter asks for a state, only what stands
    /// so. Returns when that is on disk; [`Store::advance_replay`] goes on with it. Beyond 16 that
    /// are not finished, or 4 of the filter's tenant, it is [`Error::TooManyReplays`]. Those that
    /// wait for nothing but endpoints at which nothing may end soon do not count, up to 100 in all
    /// and 16 of the tenant.
    pub async fn begin_replay(&self, new: impl Into<NewReplay>) -> Result<Replay, Error> {
        let new = new.into();
        self.ask(|reply| BeginReplay { new, reply }).await
    }

    /// The replay by filter whose turn is next, behind this one; `None` if there is none that is
    /// neither paused nor has to wait: for a high-water mark, or until fewer than 1,024 works are
    /// open that were opened again, of the endpoint that it is for if there is one. One of all
    /// passes over endpoints that have enough of what may not end soon, comes back to them, and
    /// waits if nothing else is left. One that only hastens opens nothing, and never waits.
    pub fn next_replay(&self, after: Option<Id>) -> Option<Id> {
        self.handle.shared.owed.next_replay(after)
    }

    /// Resolves when [`Store::next_replay`] may give something that it did not give before this
    /// call. Counts from the call, not from the first poll.
    pub fn replays_moved(&self) -> impl Future<Output = ()> + Send + use<> {
        let owed = &self.handle.shared.owed;
        let mut replays = owed.replays.subscribe();
        let mut crossed = owed.tallies.crossings();
        let moved = owed.is_replay_to_open().then(|| owed.moved());
        async move {
            let ended = async move {
                match moved {
                    Some(mut moved) => moved.changed().await,
                    None => pending().await,
                }
            };
            tokio::select! {
                // The senders live as long as the store.
                _ = replays.changed() => (),
                _ = crossed.changed() => (),
                _ = ended => (),
            }
        }
    }

    /// How many receipts were stored since the start: if it grows, something comes live.
    pub fn receipts_stored(&self) -> u64 {
        self.handle.shared.receipts.load(Ordering::Relaxed)
    }

    /// Does the next slice of a replay by filter, of at most so many works, if it goes on and may
    /// open works, and gives how far it is then; `None` if there is no such replay. Dropped, it may
    /// have done the slice.
    pub async fn advance_replay(&self, id: Id, works: usize) -> Result<Option<Replay>, Error> {
        // Where cores are short, whoever posts an event comes first.
        let looked = self.in_background(move |shared| {
            let Some(replay) = shared.replay(id)? else { return Ok(None) };
            let open = replay.open().filter(|_| !replay.paused);
            let slice = open.and_then(|open| shared.owed.next_slice(&open));
            let Some(Slice { aside, most, leaves }) = slice else {
                return Ok(Some((replay, None)));
            };
            let Some(from) = replay.place(aside.as_ref()) else {
                return Ok(Some((replay, None)));
            };
            let course = aside.as_ref().map_or(Course::Past(&leaves), Course::To);
            let (part, most) = (from..id.position, works.min(most));
            let found = shared.matching(course, &replay.filter, part, most)?;
            Ok(Some((replay, Some((aside, from, found)))))
        });
        match looked.await? {
            None => Ok(None),
            Some((replay, None)) => Ok(Some(replay)),
            Some((_, Some((aside, from, found)))) => {
                self.ask(|reply| AdvanceReplay { id, aside, from, found, reply }).await
            }
        }
    }

    /// Ends a replay by filter, or has it stand still or go on, if it is not finished, and gives
    /// how far it is; `None` if there is no such replay. The works that it opened go on.
    pub async fn change_replay(
        &self,
        id: Id,
        change: ReplayChange,
    ) -> Result<Option<Replay>, Error> {
        self.ask(|reply| ChangeReplay { id, change, reply }).await
    }

    /// Whoever drives the replays lets none of them go on, or does again: while they are held,
    /// [`Store::idle`] does not wait for them.
    pub fn hold_replays(&self, are_held: bool) {
        self.handle.shared.owed.hold_replays(are_held);
    }
}

/// A replay to begin.
#[derive(Debug)]
struct BeginReplay {
    new: NewReplay,
    reply: Reply<Replay>,
}

impl Operation for BeginReplay {
    fn bytes(&self) -> usize {
        TARGET_BYTES
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let begun = draft.begin_replay(&self.new)?;
        self.reply.keep(begun.map_err(|TooMany(open)| Error::TooManyReplays { open }));
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}

/// So many are not finished, and no more may be.
struct TooMany(usize);

impl Places {
    /// Whether there is none for another beside these, of each of which is said whether it rests.
    fn full(&self, rest: impl Iterator<Item = bool>) -> Option<TooMany> {
        let (mut going, mut all) = (0, 0);
        for rests in rest {
            going += usize::from(!rests);
            all += 1;
        }
        if going >= self.going {
            return Some(TooMany(self.going));
        }
        (all >= self.all).then_some(TooMany(self.all))
    }
}

/// A slice of a replay.
#[derive(Debug)]
struct AdvanceReplay {
    id: Id,
    /// The endpoint that it comes back to, if it does.
    aside: Option<Name>,
    /// Where the slice begins.
    from: u64,
    found: Targets,
    reply: Reply<Option<Replay>>,
}

impl Operation for AdvanceReplay {
    fn bytes(&self) -> usize {
        self.found.targets.len().clamp(1, BATCH_MAX) * TARGET_BYTES
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let from = (self.aside.as_ref(), self.from);
        let advanced = draft.advance_replay(self.id, from, &self.found)?;
        self.reply.keep(Ok(advanced));
        Ok(())
    }

    fn is_patient(&self) -> bool {
        self.found.targets.len() <= SMALL
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}

/// What becomes of a replay by filter that is not finished.
#[derive(Debug, Clone, Copy)]
pub enum ReplayChange {
    /// It ends where it is.
    Cancel,
    /// It stands still where it is, until it is resumed.
    Pause,
    /// A paused one goes on.
    Resume,
}

/// A replay to end, or to have stand still or go on.
#[derive(Debug)]
struct ChangeReplay {
    id: Id,
    change: ReplayChange,
    reply: Reply<Option<Replay>>,
}

impl Operation for ChangeReplay {
    fn bytes(&self) -> usize {
        TARGET_BYTES
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let changed = draft.change_replay(self.id, self.change)?;
        self.reply.keep(Ok(changed));
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}

impl Draft<'_> {
    /// Adds a replay, unless too many are not finished.
    fn begin_replay(&mut self, new: &NewReplay) -> Result<Result<Replay, TooMany>, Failure> {
        let mut replays = self.replays()?;
        let owed = self.basis.owed;
        let rests = owed.resting();
        let open = |replay: &Replay| {
            let open = replay.open()?;
            Some((rests(&open), replay.filter.events.tenant.clone()))
        };
        let open: Vec<(bool, Option<Tenant>)> = replays.iter().filter_map(open).collect();
        let tenant = &new.filter.events.tenant;
        let of_tenant = open.iter().filter(|(_, of)| tenant.is_some() && of == tenant);
        let full = OF_ALL.full(open.iter().map(|(rests, _)| *rests));
        if let Some(full) = full.or_else(|| OF_TENANT.full(of_tenant.map(|(rests, _)| *rests))) {
            return Ok(Err(full));
        }
        // The position of this record is the number of the replay.
        let id = self.next_id(IdKind::Replay);
        self.record(RecordKind::Gap, &());
        let replay = Replay::begun(id, new.clone(), self.now);
        self.put_replay_row(id.position, Some(replay.write()));
        replays.push(replay.clone());
        self.put_open(&replays);
        Ok(Ok(replay))
    }

    /// Opens what was found for a slice of a replay, and writes down how far that is then. Nothing
    /// if that slice is done already.
    fn advance_replay(
        &mut self,
        id: Id,
        (aside, from): (Option<&Name>, u64),
        found: &Targets,
    ) -> Result<Option<Replay>, Failure> {
        let mut replays = self.replays()?;
        let Some(place) = replays.iter().position(|replay| replay.id == id) else {
            return Ok(None);
        };
        let replay = &mut replays[place];
        let is_over = replay.finished_at.is_some() || replay.place(aside) != Some(from);
        if is_over || replay.paused {
            return Ok(Some(replay.clone()));
        }
        let before = replay.open();
        // Nobody has named these, so none of them is unknown.
        let replayed = self.replay(&found.targets)?.unwrap_or_default();
        if replayed.reopened + replayed.hastened == 0 {
            self.leave_segment();
        }
        replay.replayed += replayed;
        replay.replayed += Replayed { damaged: found.damaged, ..Replayed::default() };
        replay.went(aside, found.next, &found.aside);
        if replay.is_done() {
            let replay = replays.remove(place);
            return Ok(Some(self.finish(replay, &replays)));
        }
        let replay = replay.clone();
        self.put_replay_row(id.position, Some(replay.write()));
        if replay.open() != before {
            self.put_open(&replays);
        }
        Ok(Some(replay))
    }

    /// Ends a replay where it is, or has it stand still or go on, if it is not finished.
    fn change_replay(&mut self, id: Id, change: ReplayChange) -> Result<Option<Replay>, Failure> {
        let mut replays = self.replays()?;
        let Some(place) = replays.iter().position(|replay| replay.id == id) else {
            return Ok(None);
        };
        let paused = match change {
            _ if replays[place].finished_at.is_some() => return Ok(Some(replays.remove(place))),
            ReplayChange::Cancel => {
                self.leave_segment();
                let canceled = Replay { canceled: true, paused: false, ..replays.remove(place) };
                return Ok(Some(self.finish(canceled, &replays)));
            }
            ReplayChange::Pause => true,
            ReplayChange::Resume => false,
        };
        let replay = &mut replays[place];
        if replay.paused != paused {
            replay.paused = paused;
            let (row, replay) = (replay.write(), replay.clone());
            self.leave_segment();
            self.put_replay_row(id.position, Some(row));
            self.put_open(&replays);
            return Ok(Some(replay));
        }
        Ok(Some(replay.clone()))
    }

    /// A replay is finished now; these are the others.
    fn finish(&mut self, replay: Replay, others: &[Replay]) -> Replay {
        let finished = Replay { finished_at: Some(self.now), ..replay };
        self.put_replay_row(finished.id.position, Some(finished.write()));
        self.put_open(others);
        self.drop_finished(others);
        finished
    }

    /// Forgets those of these replays that were finished first, so that no more are kept than may
    /// be beside one that is finished now.
    fn drop_finished(&mut self, others: &[Replay]) {
        let finished = |replay: &Replay| replay.finished_at.map(|at| (at, replay.id.position));
        let mut finished: Vec<_> = others.iter().filter_map(finished).collect();
        finished.sort_unstable();
        let more = (finished.len() + 1).saturating_sub(FINISHED_MAX);
        for (_, number) in finished.into_iter().take(more) {
            self.put_replay_row(number, None);
        }
    }

    /// All replays by filter, in the order of their ids. What can't be read is left out.
    fn replays(&self) -> Result<Vec<Replay>, Failure> {
        let mut replays = Vec::new();
        for (number, row) in self.replay_rows()? {
            let replay = Replay::read(number, self.basis.tag, &row);
            replays.extend(self.basis.damages.pass(replay)?);
        }
        Ok(replays)
    }

    /// Says which of all replays are not finished.
    fn put_open(&mut self, replays: &[Replay]) {
        self.put_open_replays(replays.iter().filter_map(Replay::open).collect());
    }
}
