//! A store made from a backup, in a folder that has nothing.
//!
//! Its file of rows has another name until every part was read and all is durable; as long as that
//! name is there, no gateway starts in the folder and no repair makes a store of it. So whatever a
//! kill leaves is not taken for the whole. Never writes beside what is there already.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, ReadableTable, WriteTransaction};
use serde::Serialize;

use super::parts::{BackupFault, Kind, PartsReader};
use super::rows::{self, NotPut};
use super::{About, BackupCounts, about, volume_in};
use crate::event::Timestamp;
use crate::store::error::{Error, Failure};
use crate::store::file::backend::{Backend, Lent, Medium};
use crate::store::file::failure::guarded;
use crate::store::file::folder::Folder;
use crate::store::file::identity::{
    Identity, RESTORE_NAME, builder, check_restored, create_folder, hold_folder, read_identity,
};
use crate::store::file::open_error::{OpenError, failed};
use crate::store::file::schema::{END, FORMAT_KNOWN, META, UNREAD_WIDTH};
use crate::store::file::volumes::file_name;
use crate::store::file::{file_in, sums};

/// About so many bytes of rows are put in one transaction.
const CHANGE_BYTES: usize = 16 << 20;

/// Why a backup was not restored. The folder is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The file is not a backup, or not a whole one.
    #[error("this file can't be restored")]
    Backup(#[from] BackupFault),
    /// There is something in the folder.
    #[error(
        "the folder {} is not empty: a backup is restored into a new folder or an empty one",
        folder.display()
    )]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder can't be used.
    #[error(transparent)]
    Folder(#[from] OpenError),
    /// The store can't be written.
    #[error("failed to write the store into {}", folder.display())]
    Store {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        source: Error,
    },
}

/// What was restored.
#[derive(Debug, Clone, Serialize)]
pub struct Restored {
    /// When the backup was made.
    pub made_at: Timestamp,
    /// The Hookgate that made it.
    pub hookgate: String,
    /// What the store has.
    #[serde(flatten)]
    pub counts: BackupCounts,
    /// How long the backup is.
    pub bytes: u64,
    /// The hash over all of it.
    pub sha256: String,
}

/// Makes a store in a folder from a backup, and says now and then how much of it was read.
pub(in crate::store) fn restore(
    from: impl Read,
    folder: &Path,
    far: &mut dyn FnMut(u64),
) -> Result<Restored, RestoreError> {
    // Nothing is made for a file that is none.
    let mut parts = PartsReader::open(from)?;
    let About { hookgate, format, tag, made_at } = about(&mut parts)?;
    if format != FORMAT_KNOWN {
        let other = BackupFault::OtherFormat { found: format, known: FORMAT_KNOWN };
        return Err(other.into());
    }
    let mut restoring = Restoring::begin(folder)?;
    let counts = match restoring.all(&mut parts, far) {
        Ok(counts) => counts,
        Err(stopped) => {
            restoring.give_up();
            return Err(stopped.because(folder));
        }
    };
    let sha256 = hex::encode(parts.hash());
    let finished = restoring.finish(tag);
    finished.map_err(|stopped| stopped.because(folder))?;
    Ok(Restored { made_at, hookgate, counts, bytes: parts.offset(), sha256 })
}

/// Why a restore does not go on.
#[derive(Debug)]
enum Stopped {
    Fault(BackupFault),
    Failed(Failure),
}

impl Stopped {
    fn because(self, folder: &Path) -> RestoreError {
        match self {
            Self::Fault(fault) => fault.into(),
            Self::Failed(failure) => {
                RestoreError::Store { folder: folder.to_owned(), source: failure.into() }
            }
        }
    }
}

impl From<BackupFault> for Stopped {
    fn from(fault: BackupFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<std::io::Error> for Stopped {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// A volume that is being written.
#[derive(Debug)]
struct Filling {
    backend: Box<dyn Backend>,
    offset: u64,
    /// How long it will be.
    bytes: u64,
}

/// A store in the making.
struct Restoring {
    folder: PathBuf,
    medium: Arc<dyn Medium>,
    database: Database,
    /// Rows that are put and not committed yet, and how many bytes those are.
    change: Option<WriteTransaction>,
    uncommitted: usize,
    filling: Option<Filling>,
    counts: BackupCounts,
    /// The volumes that were made.
    made: Vec<String>,
    /// Keeps gateways out.
    _held: Option<fs::File>,
}

impl Restoring {
    fn begin(folder: &Path) -> Result<Self, RestoreError> {
        let path = file_in(folder);
        create_folder(folder)?;
        let held = hold_folder(folder, &path)?;
        let medium: Arc<dyn Medium> = Arc::new(Folder::new(folder));
        check_restored(&*medium, &path)?;
        let is_empty = fs::read_dir(folder).map(|mut entries| entries.next().is_none());
        if !is_empty.map_err(|source| failed(&path, source.into()))? {
            return Err(RestoreError::NotEmpty { folder: folder.to_owned() });
        }
        let database = draft(&*medium).map_err(|source| failed(&path, source))?;
        Ok(Self {
            folder: folder.to_owned(),
            medium,
            database,
            change: None,
            uncommitted: 0,
            filling: None,
            counts: BackupCounts::default(),
            made: Vec::new(),
            _held: held,
        })
    }

    /// Takes all parts but the first.
    fn all(
        &mut self,
        parts: &mut PartsReader<impl Read>,
        far: &mut dyn FnMut(u64),
    ) -> Result<BackupCounts, Stopped> {
        loop {
            let (kind, body) = parts.part()?;
            far(parts.offset());
            let why = match kind {
                Kind::Rows if self.counts.volumes == 0 => match self.rows(&body) {
                    Ok(()) => continue,
                    Err(NotPut::Failed(failure)) => return Err(failure.into()),
                    Err(NotPut::Wrong(why)) => why,
                },
                Kind::Volume if self.fill_up()? => match self.volume(&body)? {
                    true => continue,
                    false => "it is of no volume, or of one that was there already",
                },
                Kind::Bytes => match self.bytes(&body)? {
                    true => continue,
                    false => "its bytes are of no volume",
                },
                Kind::End if self.fill_up()? => {
                    let said: Option<BackupCounts> = serde_json::from_slice(&body).ok();
                    if let Some(said) = said.filter(|said| self.has(said)) {
                        parts.end()?;
                        return Ok(said);
                    }
                    "it says that there was something else"
                }
                Kind::About | Kind::Rows => "it stands behind its place",
                Kind::Volume | Kind::End => "the volume before it is not whole",
            };
            return Err(parts.misplaced(why).into());
        }
    }

    /// Whether that is what was read.
    fn has(&self, said: &BackupCounts) -> bool {
        let of = |counts: &BackupCounts| (counts.rows, counts.volumes, counts.volume_bytes);
        of(said) == of(&self.counts)
    }

    fn rows(&mut self, body: &[u8]) -> Result<(), NotPut> {
        let transaction = match self.change.take() {
            Some(transaction) => transaction,
            None => self.database.begin_write().map_err(Failure::from)?,
        };
        self.counts.rows += guarded(|| rows::restore(&transaction, body))?;
        self.uncommitted += body.len();
        if self.uncommitted < CHANGE_BYTES {
            self.change = Some(transaction);
        } else {
            transaction.commit().map_err(Failure::from)?;
            self.uncommitted = 0;
        }
        Ok(())
    }

    /// Makes the last volume durable; false if it is not whole.
    fn fill_up(&mut self) -> Result<bool, Stopped> {
        let Some(filling) = self.filling.take() else { return Ok(true) };
        if filling.offset < filling.bytes {
            return Ok(false);
        }
        filling.backend.sync()?;
        Ok(true)
    }

    /// Begins a volume; false if there is no such volume.
    fn volume(&mut self, body: &[u8]) -> Result<bool, Stopped> {
        let Some((number, bytes)) = volume_in(body) else { return Ok(false) };
        let name = file_name(number);
        if self.made.contains(&name) {
            return Ok(false);
        }
        let backend = self.medium.open(&name)?;
        self.made.push(name);
        self.counts.volumes += 1;
        self.filling = Some(Filling { backend, offset: 0, bytes });
        Ok(true)
    }

    /// Adds to the volume; false if they do not belong to it.
    fn bytes(&mut self, body: &[u8]) -> Result<bool, Stopped> {
        let Some(filling) = &mut self.filling else { return Ok(false) };
        let end = filling.offset + body.len() as u64;
        if end > filling.bytes {
            return Ok(false);
        }
        filling.backend.write(filling.offset, body)?;
        filling.offset = end;
        self.counts.volume_bytes += body.len() as u64;
        Ok(true)
    }

    /// Removes what was made, as far as that can be done. What says that it is not whole goes last.
    fn give_up(self) {
        let Self { medium, database, change, filling, made, .. } = self;
        drop((change, filling));
        drop(database);
        for name in made.iter().map(String::as_str).chain([RESTORE_NAME]) {
            if let Err(error) = medium.remove(name) {
                tracing::warn!(file = name, "failed to remove a file of a restore: {error}");
            }
        }
    }

    /// Makes all of it durable, and then the store of this tag.
    fn finish(mut self, tag: u32) -> Result<(), Stopped> {
        if let Err(stopped) = self.seal(tag) {
            self.give_up();
            return Err(stopped);
        }
        let Self { folder, medium, database, _held, .. } = self;
        database.close().map_err(Failure::from)?;
        medium.open(RESTORE_NAME)?.sync()?;
        sums::remove(&*medium)?;
        medium.sync_names()?;
        // With this it is a store.
        fs::rename(folder.join(RESTORE_NAME), file_in(&folder))?;
        Ok(medium.sync_names()?)
    }

    /// Commits the last rows, and looks whether they are those of this store.
    fn seal(&mut self, tag: u32) -> Result<(), Stopped> {
        if let Some(change) = self.change.take() {
            change.commit().map_err(Failure::from)?;
        }
        let mut last = self.database.begin_write().map_err(Failure::from)?;
        pass(&last)?;
        // A start need not look at all pages then.
        last.set_quick_repair(true);
        last.commit().map_err(Failure::from)?;
        match read_identity(&self.database)? {
            Identity::Known { tag: found } if found == tag => Ok(()),
            _ => Err(Failure::Replaced.into()),
        }
    }
}

/// Gives out no position that may have been given out since the backup was made: whoever knows the
/// id of a delivery from that time would take another one for it.
fn pass(transaction: &WriteTransaction) -> Result<(), Failure> {
    let mut meta = transaction.open_table(META)?;
    let end = meta.get(END)?.map_or(0, |end| end.value());
    meta.insert(END, end.saturating_add(UNREAD_WIDTH))?;
    Ok(())
}

/// An empty file of rows under its name for now, before there is anything else.
fn draft(medium: &dyn Medium) -> Result<Database, Failure> {
    let backend = Lent(medium.open(RESTORE_NAME)?);
    medium.sync_names()?;
    guarded(|| Ok(builder().create_with_backend(backend)?))
}
