//! The erasure: nothing stays of what is known of a subject, but ids and counts.
//!
//! First whatever is open on the subject's events ends, and what handlers remember of it goes. Then
//! the records are blanked, each page in bounded steps, and the log leaves all volumes that are
//! there. Volumes that still hold bytes of what was blanked, or of what sweeps have packed anew
//! before, are emptied: what is needed of them moves, and the files go. At last zeros take every
//! free page of the file of rows. All of it may be killed anywhere: the row of the erasure stands
//! until the end, and what was done is not done again. What came after the request stays. Never
//! tells anybody the subject.

mod blanking;
mod gathering;
mod rewriting;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use self::gathering::Gathered;
use self::rewriting::Step;
use crate::store::Store;
use crate::store::access::answers;
use crate::store::erasures::{Erasure, ErasureState};
use crate::store::error::Error;
use crate::store::file::blank_rows::Blank;
use crate::store::file::kept_rows::Kept;
use crate::store::kind::WorkKind;
use crate::store::read::cursor::Cursor;
use crate::store::read::replays::Replay;
use crate::store::shared::Shared;
use crate::store::state;
use crate::store::write::discard::Discarded;
use crate::store::write::erasing::{
    EraseRows, LeaveVolumes, NoteErasure, PutBlank, Rewrite, Turn, WriteAgain,
};
use crate::store::write::replay::by_filter::ReplayChange;
use crate::tenant::Tenant;

/// Until whoever waits for works in flight looks again, if nobody says that one has ended.
const LOOK_PAUSE: Duration = Duration::from_secs(1);
/// Rows of state that one step removes.
const STATES: usize = 512;
/// How often the log leaves its volumes, if something stays in one of those before.
const LEAVES_MAX: usize = 4;
/// Rows of zeros that one step adds, and removes.
const FILL_ROWS: u64 = 256;
const DRAIN_ROWS: u64 = 4096;
/// redb uses pages again that were free before this many durable commits.
const COMMITS_UNTIL_FREE: usize = 4;
/// Bytes of a page of the file.
const PAGE_BYTES: u64 = 4096;

impl Store {
    /// Does the oldest erasure that is not done, to its end; `None` if there is none. Dropped, it
    /// goes on with the next call, also after a start.
    pub async fn erase_next(&self) -> Result<Option<Erasure>, Error> {
        let all = self.erasures().await?;
        let Some(mut erasure) = all.into_iter().find(|it| !it.is_done()) else { return Ok(None) };
        if erasure.state == ErasureState::Erasing {
            // It is met again; what is blanked is not.
            erasure.damaged = 0;
            self.erase(&mut erasure).await?;
            erasure.state = ErasureState::Overwriting;
            erasure.subject = None;
            if !self.note(&erasure).await? {
                return Ok(Some(erasure));
            }
        }
        // While a backup is read, redb keeps old pages for it, which nothing overwrites.
        let _alone = self.handle.shared.backing_up.lock().await;
        for _ in 1..COMMITS_UNTIL_FREE {
            self.note(&erasure).await?;
        }
        self.overwrite(&erasure).await?;
        erasure.state = ErasureState::Done;
        erasure.finished_at = Some(self.handle.shared.clock.times().now);
        self.note(&erasure).await?;
        Ok(Some(erasure))
    }

    /// Notes how far it is; says whether that counts. Makes all rows durable, and lets volumes go.
    async fn note(&self, erasure: &Erasure) -> Result<bool, Error> {
        let erasure = erasure.clone();
        self.ask(|reply| NoteErasure { erasure, reply }).await
    }

    /// Ends what is open, and takes everything out of the log and the rows.
    async fn erase(&self, erasure: &mut Erasure) -> Result<(), Error> {
        let mut next = None;
        // Before a kill it may have blanked all that it had found.
        let mut is_its_own = erasure.tenant.is_none() || erasure.events > 0;
        loop {
            let page = self.settled_page(erasure, next).await?;
            erasure.state_kept |= page.is_shared;
            is_its_own |= !page.roots.is_empty();
            if page.scopes.is_empty() {
                self.note(erasure).await?;
            } else {
                self.erase_states(page.scopes, erasure).await?;
            }
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        // What handlers remember names no tenant: without an event of the tenant's, it is of others
        // whose events were kept long enough.
        erasure.state_kept |= !is_its_own;
        self.erase_rows(erasure).await?;
        let turn = Arc::new(Arc::clone(&self.handle.shared.sweeping).lock_owned().await);
        for _ in 0..LEAVES_MAX {
            self.blank_pages(erasure, &turn).await?;
            // Behind all steps: what one has packed may say what the next one blanks.
            let position = self.ask(|reply| LeaveVolumes { reply }).await?;
            let first = self.aside(move |shared| shared.volume_of(position)).await?;
            let first = first.unwrap_or(0);
            let has_left = self.leave_before(first, erasure, &turn).await?;
            // A run that was replayed in between may have set something.
            let set = self.erase_rows(erasure).await?;
            if has_left && set == 0 {
                return Ok(());
            }
        }
        tracing::warn!(
            erasure = erasure.id,
            "the gateway can't empty all volumes of the store that an erasure leaves: those in \
             which something is damaged stay"
        );
        Ok(())
    }

    /// A page, once nothing of it is open.
    async fn settled_page(
        &self,
        erasure: &mut Erasure,
        cursor: Option<Cursor>,
    ) -> Result<Gathered, Error> {
        loop {
            // Before the look.
            let mut moved = self.handle.shared.owed.moved();
            let of = erasure.clone();
            let page = self.in_background(move |shared| shared.gather(&of, cursor)).await?;
            let (mut ended, mut in_flight) = (0, false);
            for id in &page.open {
                match self.end_erased(*id).await {
                    Ok(Discarded::Ended) => ended += 1,
                    Ok(Discarded::InFlight) => in_flight = true,
                    Ok(Discarded::Finished) | Err(Error::Unknown(_) | Error::Damaged(_)) => (),
                    Err(error) => return Err(error),
                }
            }
            erasure.ended += ended;
            if ended == 0 && !in_flight {
                return Ok(page);
            }
            if ended == 0 {
                drop(tokio::time::timeout(LOOK_PAUSE, moved.changed()).await);
            }
        }
    }

    /// Blanks all records, page by page.
    async fn blank_pages(&self, erasure: &mut Erasure, turn: &Turn) -> Result<(), Error> {
        let mut next = None;
        loop {
            let page = self.settled_page(erasure, next).await?;
            // What is found by the events that the page begins with must not outlive them.
            let below = page.records.iter().filter(|(position, _)| !page.roots.contains(position));
            let below: BTreeMap<u64, WorkKind> = below.map(|(at, kind)| (*at, *kind)).collect();
            let works: Arc<[u64]> = page.works.into();
            let is_blank = self.blank(below, &works, erasure, turn).await?
                && self.blank(page.records, &works, erasure, turn).await?;
            if !is_blank {
                // Somebody replayed it meanwhile: the same page again.
                continue;
            }
            erasure.events += page.events;
            erasure.damaged += page.damaged;
            self.note(erasure).await?;
            next = page.next;
            if next.is_none() {
                return Ok(());
            }
        }
    }

    /// Blanks these records; not all if one of the works is open.
    async fn blank(
        &self,
        records: BTreeMap<u64, WorkKind>,
        works: &Arc<[u64]>,
        erasure: &mut Erasure,
        turn: &Turn,
    ) -> Result<bool, Error> {
        let records = Arc::new(records);
        let mut from = 0;
        loop {
            let of = Arc::clone(&records);
            let step = self.in_background(move |shared| shared.blank(&of, from)).await?;
            let Step { replacement, blanked, damaged, next } = step;
            let count = blanked.len() as u64;
            if let Some(replacement) = replacement {
                let (ended, _turn) = (Arc::clone(works), Arc::clone(turn));
                let rewrite = |reply| Rewrite { replacement, blanked, ended, _turn, reply };
                if !self.ask(rewrite).await? {
                    return Ok(false);
                }
            }
            erasure.records += count;
            erasure.damaged += damaged;
            match next {
                Some(next) => from = next,
                None => return Ok(true),
            }
        }
    }

    /// Moves what is needed out of the volumes before this one that hold more than that. Says
    /// whether all of it could be moved.
    async fn leave_before(
        &self,
        first: u32,
        erasure: &mut Erasure,
        turn: &Turn,
    ) -> Result<bool, Error> {
        let volumes = self.in_background(move |shared| shared.stale_volumes(first)).await?;
        let volumes = Arc::new(volumes);
        let mut from = 0;
        let mut stays = 0;
        loop {
            let of = Arc::clone(&volumes);
            let step = self.in_background(move |shared| shared.leave(&of, from)).await?;
            let Step { replacement, blanked, damaged, next } = step;
            if let Some(replacement) = replacement {
                let (ended, _turn) = (Arc::default(), Arc::clone(turn));
                self.ask(|reply| Rewrite { replacement, blanked, ended, _turn, reply }).await?;
            }
            stays += damaged;
            match next {
                Some(next) => from = next,
                None => break,
            }
        }
        // The volumes go with the checkpoint.
        self.note(erasure).await?;
        erasure.damaged += stays;
        Ok(stays == 0)
    }

    /// Removes what handlers remember of these scopes; gives how many keys.
    async fn erase_states(&self, scopes: Vec<String>, erasure: &mut Erasure) -> Result<u64, Error> {
        let (scopes, mut count) = (Arc::new(scopes), 0);
        loop {
            let of = Arc::clone(&scopes);
            let states = self.in_background(move |shared| shared.states_of(&of)).await?;
            if states.is_empty() {
                break;
            }
            count += states.len() as u64;
            let (replays, answers) = (Vec::new(), Vec::new());
            self.ask(|reply| EraseRows { states, replays, answers, reply }).await?;
        }
        erasure.states += count;
        // What is written to a page behind a durable commit has the page made anew.
        self.note(erasure).await?;
        let states = self.in_background(move |shared| shared.states_beside(&scopes)).await?;
        let answers = Vec::new();
        self.ask(|reply| WriteAgain { states, answers, reply }).await?;
        Ok(count)
    }

    /// Removes all rows that name the subject; gives how many.
    async fn erase_rows(&self, erasure: &mut Erasure) -> Result<u64, Error> {
        let Some(subject) = erasure.subject.clone() else { return Ok(0) };
        // Rows of an older Hookgate are spelled anew.
        self.sweep_states().await?;
        let mut count = 0;
        if !erasure.state_kept {
            count = self.erase_states(vec![subject.clone()], erasure).await?;
        }
        let tenant = erasure.tenant.clone();
        let naming = move |shared: &Shared| shared.rows_naming(&subject, tenant.as_ref());
        let naming = self.in_background(naming).await?;
        let (states, answers) = (Vec::new(), naming.answers.iter().map(|(key, _)| key.clone()));
        let answers = answers.collect();
        let named = self.erase_naming(naming).await?;
        if named > 0 {
            self.note(erasure).await?;
            self.ask(|reply| WriteAgain { states, answers, reply }).await?;
        }
        Ok(count + named)
    }

    /// Removes rows of replays and answers that name a subject; gives how many.
    async fn erase_naming(&self, naming: Naming) -> Result<u64, Error> {
        let Naming { replays, answers } = naming;
        for replay in replays.iter().filter(|replay| replay.finished_at.is_none()) {
            self.change_replay(replay.id, ReplayChange::Cancel).await?;
        }
        let replays: Vec<u64> = replays.iter().map(|replay| replay.id.position).collect();
        let rows = (replays.len() + answers.len()) as u64;
        if rows > 0 {
            let states = Vec::new();
            self.ask(|reply| EraseRows { states, replays, answers, reply }).await?;
        }
        Ok(rows)
    }

    /// Has zeros take every page of the file of rows that is free, and gives them back.
    async fn overwrite(&self, erasure: &Erasure) -> Result<(), Error> {
        let shared = &self.handle.shared;
        let bytes = || shared.file.rows_bytes();
        let mut from = 0;
        if let Some(before) = bytes() {
            // No more pages than the file has can be free.
            let most = before / PAGE_BYTES + FILL_ROWS;
            while from < most && bytes() == Some(before) {
                let blank = Blank::Fill { from, rows: FILL_ROWS };
                self.ask(|reply| PutBlank { blank, reply }).await?;
                from += FILL_ROWS;
            }
        }
        // redb writes no page that is free again before it is durable.
        self.note(erasure).await?;
        for _ in 0..from.div_ceil(DRAIN_ROWS) {
            let blank = Blank::Drain { rows: DRAIN_ROWS };
            self.ask(|reply| PutBlank { blank, reply }).await?;
        }
        self.ask(|reply| PutBlank { blank: Blank::Clear, reply }).await
    }
}

/// Rows that name a subject.
struct Naming {
    replays: Vec<Replay>,
    /// As they are to be.
    answers: Vec<(Vec<u8>, Bytes)>,
}

impl Shared {
    /// The keys of what handlers remember that lie beside what they remembered of these scopes.
    fn states_beside(&self, scopes: &[String]) -> Result<Vec<Vec<u8>>, Error> {
        let states = self.file.read()?.state_rows()?;
        let mut keys = Vec::new();
        for handler in self.remembering() {
            for scope in scopes {
                keys.extend(states.keys_beside(&state::all_in(&handler, scope))?);
            }
        }
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    /// The keys of some of what handlers remember of these scopes.
    fn states_of(&self, scopes: &[String]) -> Result<Vec<Vec<u8>>, Error> {
        let view = self.file.read()?;
        let mut keys = Vec::new();
        for handler in self.remembering() {
            for scope in scopes {
                let prefix = state::all_in(&handler, scope);
                for key in view.states(&prefix, |key, _| key.to_vec())? {
                    let key = key?;
                    if !key.starts_with(&prefix) || keys.len() == STATES {
                        break;
                    }
                    keys.push(key);
                }
            }
        }
        Ok(keys)
    }

    /// The replays and the answers that name a subject; the replays of this tenant's events alone,
    /// if one is named, for nobody knows whose an answer was.
    fn rows_naming(&self, subject: &str, tenant: Option<&Tenant>) -> Result<Naming, Error> {
        let view = self.file.read()?;
        let mut replays = Vec::new();
        for (number, row) in view.replays()? {
            let replay = self.damages.pass(Replay::read(number, self.file.tag, &row))?;
            let names = |replay: &Replay| {
                let of = &replay.filter.events;
                of.subject.as_deref() == Some(subject)
                    && (tenant.is_none() || of.tenant.as_ref() == tenant)
            };
            replays.extend(replay.filter(names));
        }
        let mut found = Vec::new();
        if tenant.is_some() {
            return Ok(Naming { replays, answers: found });
        }
        for row in view.kept(Kept::Answers)?.within(&[], &[u8::MAX; 16])? {
            let (key, row) = row?;
            found.extend(answers::without_naming(&row, subject).map(|row| (key, row)));
        }
        Ok(Naming { replays, answers: found })
    }
}
