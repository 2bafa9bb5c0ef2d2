//! A file of rows made anew from the volumes alone, beside the one that can't be read.
//!
//! Finds where each segment lies whose frame is whole, and makes the changes of rows again that the
//! log still spells; what follows from the records themselves is put by whoever reads them. Until
//! the last step the old file is the store, and it is kept under another name after that. Whatever
//! a kill has left is removed, and all begins again. Never changes a volume that is there: what
//! joins the log goes to a new one.

mod beside;
mod named;
mod places;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use redb::{Database, ReadableDatabase};

use self::named::Named;
use self::places::{KNOWN_STATE, Portion, settle};
use super::backend::{Lent, Medium};
use super::change::{Change, ChangedRows};
use super::counts::Counted;
use super::death_rows::DEATHS_KNOWN;
use super::failure::guarded;
use super::folder::Folder;
use super::identity::{builder, check_restored, create_tables, hold_folder};
use super::inspection::{SaidRows, said_rows};
use super::kept_rows::{self, Kept};
use super::open_error::{OpenError, failed};
use super::redo::{Raw, RowChange};
use super::schema::{END, FIRST_POSITION, META, TAG, UNREAD_WIDTH};
use super::tables::Tables;
use super::view::View;
use super::volumes::{
    Found, Point, Scan, Scanned, VOLUME_BYTES, VolumeWriter, Volumes, file_name, first_tag,
};
use super::{FILE_NAME, sums};
use crate::store::error::Failure;
use crate::store::log::segment::SegmentWriter;
use crate::store::volume_keys::VolumeKeys;

/// The new file until it is whole.
pub(super) const DRAFT_NAME: &str = "hookgate.redb.repair";
/// The old file, once the new one is whole. Where this name is taken, a number follows.
const KEPT_NAME: &str = "hookgate.redb.before-repair";

/// Frames with so many bytes are taken in one transaction.
const PORTION_BYTES: usize = 8 << 20;
/// Counted for each frame beside its body.
const FRAME_BYTES: usize = 256;

/// What was found in the volumes.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::store) struct Collected {
    /// Volumes whose heads can be read.
    pub(in crate::store) volumes: u64,
    /// Frames that are whole.
    pub(in crate::store) frames: u64,
    /// Places that are not, with frames behind them, and volumes that are missing or whose heads
    /// can't be read.
    pub(in crate::store) damaged: u64,
    /// Segments that the store has now.
    pub(in crate::store) segments: u64,
    /// Nothing that was packed is damaged.
    pub(in crate::store) is_packed_whole: bool,
}

/// A file of rows in the making.
#[derive(Debug)]
pub(in crate::store) struct Rebuild {
    folder: PathBuf,
    medium: Arc<dyn Medium>,
    database: Database,
    volumes: Volumes,
    /// The last of the volumes that were there before.
    last: u32,
    /// Adds to the log; `None` until there is something to add.
    writer: Option<VolumeWriter>,
    /// No record has this position or a greater one.
    end: u64,
    pub(in crate::store) tag: u32,
    /// Keeps gateways out.
    _held: Option<fs::File>,
}

impl Rebuild {
    /// Begins, in a folder with volumes on which no gateway runs and whose rows are not sound.
    pub(in crate::store) fn begin(folder: &Path, keys: &VolumeKeys) -> Result<Self, OpenError> {
        Self::begin_unless(folder, keys, is_sound)
    }

    /// The same, whatever the rows are.
    pub(in crate::store) fn begin_anyway(
        folder: &Path,
        keys: &VolumeKeys,
    ) -> Result<Self, OpenError> {
        Self::begin_unless(folder, keys, |_, _| Ok(false))
    }

    fn begin_unless(
        folder: &Path,
        keys: &VolumeKeys,
        is_sound: fn(&Arc<dyn Medium>, &SaidRows) -> Result<bool, Failure>,
    ) -> Result<Self, OpenError> {
        let path = folder.join(FILE_NAME);
        let held = hold_folder(folder, &path)?;
        let medium: Arc<dyn Medium> = Arc::new(Folder::new(folder));
        check_restored(&*medium, &path)?;
        let said = said_rows(&path)?;
        let is_sound = said.as_ref().map(|said| is_sound(&medium, said)).transpose();
        if is_sound.map_err(|source| failed(&path, source))? == Some(true) {
            return Err(OpenError::Sound { path });
        }
        let said = said.map(|said| said.tag);
        let tag = tag(&medium, said).map_err(|source| failed(&path, source))?;
        let Some(tag) = tag else { return Err(OpenError::NoLog { folder: folder.to_owned() }) };
        let volumes = Volumes::open_with(Arc::clone(&medium), tag, VOLUME_BYTES, keys);
        let volumes = volumes.map_err(|source| failed(&path, source))?;
        // What can't be read for want of a key must not count as lost.
        volumes.check_unlocked().map_err(|source| failed(&path, source))?;
        let database = draft(&medium, tag)
            .map_err(|source| failed(&path.with_file_name(DRAFT_NAME), source))?;
        let shown = volumes.shown();
        let last = shown.numbers().chain(shown.damaged()).max().unwrap_or(0);
        Ok(Self {
            folder: folder.to_owned(),
            medium,
            database,
            volumes,
            last,
            writer: None,
            end: FIRST_POSITION,
            tag,
            _held: held,
        })
    }

    /// Finds where the segments lie, and makes the changes of rows that the log spells.
    pub(in crate::store) fn collect(&mut self) -> Result<Collected, Failure> {
        let shown = self.volumes.shown();
        let numbers: Vec<u32> = shown.numbers().collect();
        let mut collected = Collected { volumes: numbers.len() as u64, ..Collected::default() };
        let named = Named::find(self.volumes.frames_from(Point::START))?;
        collected.damaged = named.missing(&shown);
        for number in numbers {
            if let Some(frames) = self.volumes.frames_of(number) {
                self.take((frames, &named), &mut collected, |portion, found| {
                    portion.packed(found)
                })?;
            }
        }
        collected.is_packed_whole = collected.damaged == 0 && shown.damaged().next().is_none();
        let frames = self.volumes.frames_from(Point::START);
        self.take((frames, &named), &mut collected, |portion, found| portion.logged(found))?;
        collected.segments = settle(&self.database)?;
        // The last commits may be among what can't be read, and somebody may know their ids.
        self.end = self.end.saturating_add(UNREAD_WIDTH);
        Ok(collected)
    }

    /// Takes all frames of a scan, in transactions of bounded size.
    fn take(
        &mut self,
        (mut frames, named): (Scan, &Named),
        collected: &mut Collected,
        take: fn(&mut Portion<'_>, &Found) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let shown = self.volumes.shown();
        let mut is_more = true;
        while is_more {
            let transaction = self.database.begin_write()?;
            {
                let mut counted = Counted::default();
                let mut portion = Portion::open(&transaction, &mut counted, (&shown, named))?;
                let mut room = PORTION_BYTES;
                while is_more && room > 0 {
                    match frames.next().transpose()? {
                        None => is_more = false,
                        Some(Scanned::Broken { .. }) => collected.damaged += 1,
                        Some(Scanned::Frame(found)) => {
                            collected.frames += 1;
                            room = room.saturating_sub(FRAME_BYTES + found.body.len());
                            take(&mut portion, &found)?;
                        }
                    }
                }
                self.end = self.end.max(portion.end());
            }
            transaction.commit()?;
        }
        Ok(())
    }

    /// Takes a table of which the log says nothing over from the old file. False if nobody can tell
    /// any more all that it had.
    pub(in crate::store) fn keep(&self, kept: Kept) -> Result<bool, Failure> {
        beside::copy(&self.path(), kept, &self.database)
    }

    /// Puts rows of such a table.
    pub(in crate::store) fn put_kept(
        &self,
        rows: impl IntoIterator<Item = ((Kept, Vec<u8>), Option<Bytes>)>,
    ) -> Result<(), Failure> {
        let transaction = self.database.begin_write()?;
        for ((kept, key), row) in rows {
            kept_rows::put(&transaction, kept, &key, row.as_deref())?;
        }
        Ok(transaction.commit()?)
    }

    /// The file that it will be.
    pub(in crate::store) fn path(&self) -> PathBuf {
        self.folder.join(FILE_NAME)
    }

    /// What is there by now.
    pub(in crate::store) fn view(&self) -> Result<View, Failure> {
        Ok(View::of(self.database.begin_read()?, self.volumes.shown()))
    }

    /// Where the next record goes.
    pub(in crate::store) fn end(&self) -> u64 {
        self.end
    }

    /// Says how works stand, and gives each that is dead a letter with the number of its kind.
    pub(in crate::store) fn stand(
        &self,
        works: impl IntoIterator<Item = (u64, Vec<u8>, Option<u8>)>,
    ) -> Result<(), Failure> {
        self.change(|tables| {
            for (work, standing, kind) in works {
                let standing = Some(Raw(&standing));
                tables.make(&RowChange::Outcome { work, standing })?;
                tables.make(&RowChange::Letter { work, kind })?;
            }
            Ok(())
        })
    }

    /// Puts rows of what handlers remember, or removes them.
    pub(in crate::store) fn remember(
        &self,
        rows: impl IntoIterator<Item = (Vec<u8>, Option<Bytes>)>,
    ) -> Result<(), Failure> {
        self.change(|tables| {
            for (key, value) in rows {
                let value = value.as_deref().map(Raw);
                tables.make(&RowChange::State { key: Raw(&key), value })?;
            }
            Ok(())
        })
    }

    /// Puts rows of what handlers remember, as records of the log say, or removes them. A redo of
    /// the log is newer: what it says of a key counts.
    pub(in crate::store) fn recall(
        &self,
        rows: impl IntoIterator<Item = (Vec<u8>, Option<Bytes>)>,
    ) -> Result<(), Failure> {
        let known = self.database.begin_read()?.open_table(KNOWN_STATE)?;
        self.change(|tables| {
            for (key, value) in rows {
                if known.get(key.as_slice())?.is_none() {
                    let value = value.as_deref().map(Raw);
                    tables.make(&RowChange::State { key: Raw(&key), value })?;
                }
            }
            Ok(())
        })
    }

    fn change(
        &self,
        make: impl FnOnce(&mut Tables<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let transaction = self.database.begin_write()?;
        let mut counted = Counted::default();
        make(&mut Tables::of(&transaction, &mut counted))?;
        Ok(transaction.commit()?)
    }

    /// Adds a segment to the log, whose first record stands at [`Self::end`], with changes of rows.
    pub(in crate::store) fn commit(
        &mut self,
        segment: &mut SegmentWriter,
        make: impl FnOnce(&mut ChangedRows<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let next = segment.next();
        let mut change = Change::of(self.database.begin_write()?);
        {
            let mut tables = change.tables();
            make(&mut tables)?;
            tables.remember(END, next)?;
            let (first, bytes) = segment.finish();
            tables.put_segment(first, bytes);
        }
        let writer = match self.writer.take() {
            Some(writer) => writer,
            // Behind no volume that is there: the log goes on in a new one.
            None => VolumeWriter::at(self.volumes.clone(), Point::START)?,
        };
        let writer = self.writer.insert(writer);
        change.write_log(writer)?;
        change.commit()?;
        self.end = next;
        Ok(())
    }

    /// Removes what it made, as far as that can be done.
    pub(in crate::store) fn give_up(self) {
        let Self { medium, database, volumes, last, writer, .. } = self;
        drop(writer);
        drop(database);
        let shown = volumes.shown();
        let made = shown.numbers().filter(|number| *number > last).map(file_name);
        for name in made.chain([DRAFT_NAME.to_owned()]) {
            if let Err(error) = medium.remove(&name) {
                tracing::warn!(file = name, "failed to remove a file of a repair: {error}");
            }
        }
    }

    /// Puts the new file in the place of the old one. Gives where that is now, if there was one.
    pub(in crate::store) fn finish(self) -> Result<Option<PathBuf>, OpenError> {
        let path = self.path();
        self.put_in_place(&path).map_err(|source| failed(&path, source))
    }

    fn put_in_place(self, path: &Path) -> Result<Option<PathBuf>, Failure> {
        let Self { folder, medium, database, writer, _held, .. } = self;
        drop(writer);
        let mut transaction = database.begin_write()?;
        transaction.delete_table(KNOWN_STATE)?;
        // Letters were made anew without what they are found by.
        transaction.open_table(META)?.insert(DEATHS_KNOWN, 0_u64)?;
        transaction.set_quick_repair(true);
        transaction.commit()?;
        database.close()?;
        medium.open(DRAFT_NAME)?.sync()?;
        sums::remove(&*medium)?;
        let names = medium.names()?;
        let kept = names.iter().any(|name| name == FILE_NAME).then(|| folder.join(kept(&names)));
        if let Some(kept) = &kept {
            fs::rename(path, kept)?;
        }
        fs::rename(folder.join(DRAFT_NAME), path)?;
        medium.sync_names()?;
        Ok(kept)
    }
}

/// Whether a start finds in these rows and volumes what it needs.
fn is_sound(medium: &Arc<dyn Medium>, said: &SaidRows) -> Result<bool, Failure> {
    let Some(end) = said.sound_to else { return Ok(false) };
    let volumes = Volumes::open(Arc::clone(medium), said.tag, VOLUME_BYTES)?;
    Ok(volumes.check_present(end).is_ok())
}

/// The tag of the store: what its rows say, if there is a volume of it; else what a volume says.
fn tag(medium: &Arc<dyn Medium>, said: Option<u32>) -> Result<Option<u32>, Failure> {
    if let Some(tag) = said {
        let volumes = Volumes::open(Arc::clone(medium), tag, VOLUME_BYTES)?;
        if volumes.shown().numbers().next().is_some() {
            return Ok(said);
        }
    }
    Ok(first_tag(&**medium)?)
}

/// An empty file of rows of the store with this tag.
fn draft(medium: &Arc<dyn Medium>, tag: u32) -> Result<Database, Failure> {
    if medium.names()?.iter().any(|name| name == DRAFT_NAME) {
        medium.remove(DRAFT_NAME)?;
    }
    let backend = Lent(medium.open(DRAFT_NAME)?);
    let database = guarded(|| builder().create_with_backend(backend))?;
    create_tables(&database)?;
    let transaction = database.begin_write()?;
    transaction.open_table(META)?.insert(TAG, u64::from(tag))?;
    transaction.commit()?;
    Ok(database)
}

/// A name for the old file that no other has.
fn kept(names: &[String]) -> String {
    let mut name = KEPT_NAME.to_owned();
    let mut number = 1;
    while names.contains(&name) {
        number += 1;
        name = format!("{KEPT_NAME}.{number}");
    }
    name
}
