//! The repair: a store whose file of rows can't be read gets a new one, made from its volumes.
//!
//! Where segments lie, and what the log spells of rows, the file's room finds. How works stand
//! besides follows from the records of their histories; of what nothing tells any more, the
//! operator says what becomes of it. Runs while no gateway does, and keeps no more than a bounded
//! part of anything in memory. Never removes the old file, and never serves anything.

mod ages;
mod histories;
mod undecided;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use self::histories::Histories;
use self::undecided::UndecidedWorks;
use super::access::{Sheet, tokens};
use super::error::Failure;
use super::file::OpenError;
use super::file::kept_rows::Kept;
use super::file::rebuild::{Collected, Rebuild};
use super::log::segment::{RecordKind, SegmentWriter};
use super::state::{self, AllUsed, Used};
use super::volume_keys::VolumeKeys;
use crate::event::Timestamp;
use crate::ids::Name;

/// Works and rows that are put in one transaction.
const BATCH: usize = 4096;

/// What becomes of a work of which nothing tells any more whether it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Undecided {
    /// It is a dead letter with the reason `repaired`: an operator may replay it.
    #[default]
    Dead,
    /// It counts as done.
    Done,
}

/// What a repair found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// Volumes whose heads can be read.
    pub volumes: u64,
    /// Frames that are whole.
    pub frames: u64,
    /// Places in volumes that can't be read, and volumes that are missing.
    pub damaged: u64,
    /// Segments that the store has now.
    pub segments: u64,
    /// Works that stand as their histories say.
    pub histories: u64,
    /// Works of which nothing told whether they were done.
    pub undecided: u64,
    /// Histories of works whose own records can't be read any more.
    pub lost: u64,
    /// Handlers of whose keys some can't be recovered.
    pub state_lost: Vec<LostState>,
    /// Nobody can tell any more which tokens there were: the admin port asks for one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tokens_lost: bool,
    /// Entries of the audit log may be gone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub audit_lost: bool,
    /// Endpoints that the API made may be gone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub endpoints_lost: bool,
    /// Verdicts of canaries may be gone: a version that was dropped may be one again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub canaries_lost: bool,
    /// What missing handlers run on may be gone: new events may pass these by.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub handlers_lost: bool,
    /// Erasures that went on may be gone: ask for them again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub erasures_lost: bool,
    /// Where the old file is now, if there was one.
    pub kept: Option<PathBuf>,
}

/// What a handler remembered and can't be recovered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LostState {
    /// The handler.
    pub handler: Name,
    /// How many keys.
    pub keys: u64,
}

/// Makes a new file of rows for the store in a data folder. `attempts` is how long attempts were
/// kept, if that is known: a work is undecided only if what it is on is older than that. Refuses a
/// store in whose rows nothing is wrong.
pub fn repair(
    folder: &Path,
    undecided: Undecided,
    attempts: Option<Duration>,
) -> Result<Repaired, OpenError> {
    put(Rebuild::begin(folder, &VolumeKeys::default())?, undecided, attempts)
}

/// The same, and does not refuse.
pub fn repair_anyway(
    folder: &Path,
    undecided: Undecided,
    attempts: Option<Duration>,
) -> Result<Repaired, OpenError> {
    put(Rebuild::begin_anyway(folder, &VolumeKeys::default())?, undecided, attempts)
}

/// The same where volumes may be encrypted: all of them must open with these keys. Refuses as
/// [`repair`] does, unless `anyway`.
pub fn repair_with(
    folder: &Path,
    keys: &VolumeKeys,
    anyway: bool,
    (undecided, attempts): (Undecided, Option<Duration>),
) -> Result<Repaired, OpenError> {
    let begin = if anyway { Rebuild::begin_anyway } else { Rebuild::begin };
    put(begin(folder, keys)?, undecided, attempts)
}

fn put(
    mut rebuild: Rebuild,
    undecided: Undecided,
    attempts: Option<Duration>,
) -> Result<Repaired, OpenError> {
    match remake(&mut rebuild, undecided, attempts) {
        Ok(repaired) => Ok(Repaired { kept: rebuild.finish()?, ..repaired }),
        Err(source) => {
            let path = rebuild.path();
            rebuild.give_up();
            Err(OpenError::Unrepaired { path, source: source.into() })
        }
    }
}

fn remake(
    rebuild: &mut Rebuild,
    undecided: Undecided,
    attempts: Option<Duration>,
) -> Result<Repaired, Failure> {
    let Collected { volumes, frames, damaged, segments, is_packed_whole } = rebuild.collect()?;
    let mut histories = Histories::new(rebuild.tag);
    histories.put(rebuild)?;
    let state_lost = recount(rebuild)?;
    let (stood, lost) = (histories.stood(), histories.lost());
    // What is young was tried all the same if the history of it lies in what is damaged.
    let attempts = attempts.filter(|_| is_packed_whole);
    let mut works = UndecidedWorks::new(undecided, attempts, histories.into_ages());
    works.put(rebuild)?;
    let tokens_lost = !keep_tokens(rebuild)?;
    let audit_lost = !rebuild.keep(Kept::Audit)?;
    let endpoints_lost = !rebuild.keep(Kept::Endpoints)?;
    let canaries_lost = !rebuild.keep(Kept::Canaries)?;
    let handlers_lost = !rebuild.keep(Kept::Handlers)?;
    let erasures_lost = !rebuild.keep(Kept::Erasures)?;
    mark(rebuild)?;
    Ok(Repaired {
        volumes,
        frames,
        damaged,
        segments,
        histories: stood,
        undecided: works.count(),
        lost,
        state_lost,
        tokens_lost,
        audit_lost,
        endpoints_lost,
        canaries_lost,
        handlers_lost,
        erasures_lost,
        kept: None,
    })
}

/// Counts what the rows of each handler take, and gives whose were more.
fn recount(rebuild: &Rebuild) -> Result<Vec<LostState>, Failure> {
    let view = rebuild.view()?;
    let mut told = AllUsed::new();
    for row in view.states(state::ALL_USED, Used::read)? {
        told.extend(row?);
    }
    let mut counted = AllUsed::new();
    let read = |key: &[u8], row: &[u8]| Some((state::handler_of(key)?, Used::of(key, row)));
    for row in view.states(&[], read)? {
        if let Some((handler, used)) = row? {
            let sum = counted.entry(handler).or_default();
            *sum = sum.and(used);
        }
    }
    let mut lost = Vec::new();
    for (handler, used) in &told {
        let keys = used.keys.saturating_sub(counted.get(handler).map_or(0, |found| found.keys));
        if keys > 0 {
            lost.push(LostState { handler: handler.clone(), keys });
        }
    }
    let gone = told.keys().filter(|handler| !counted.contains_key(*handler));
    let gone = gone.map(|handler| (state::used_key(handler), None::<Bytes>));
    let there =
        counted.iter().map(|(handler, used)| (state::used_key(handler), Some(used.write())));
    rebuild.remember(gone.chain(there))?;
    Ok(lost)
}

/// Takes the tokens over. Where nobody can tell any more what there was, one is needed: what was
/// closed must not be open behind a repair.
fn keep_tokens(rebuild: &Rebuild) -> Result<bool, Failure> {
    if rebuild.keep(Kept::Tokens)? {
        return Ok(true);
    }
    let mut sheet = Sheet::of(rebuild.view()?);
    tokens::need(&mut sheet, Timestamp(0))?;
    rebuild.put_kept(sheet.puts)?;
    Ok(false)
}

/// Ends the log with a commit that says nothing: the rows name its volume, and where it ends.
fn mark(rebuild: &mut Rebuild) -> Result<(), Failure> {
    let mut segment = SegmentWriter::new(rebuild.end());
    segment.push_bytes(RecordKind::Gap, 1, &[]);
    rebuild.commit(&mut segment, |_| Ok(()))
}
