//! The files of a store for whoever only looks at them: nothing on the disk changes, and no gateway
//! has them open meanwhile.
//!
//! Shows the rows as the last checkpoint left them; what the log says behind it is read in the
//! frames. A flipped bit in a page is put right in memory, as a start puts it right in the file.
//! Where redb can't read the rows, the volumes are there all the same. Never makes a store, never
//! mends one and never converts one.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use redb::{Database, DatabaseError, ReadableDatabase, StorageError};

use super::backend::Medium;
use super::catch_up;
use super::failure::guarded;
use super::folder::Folder;
use super::identity::{Identity, builder, check_vacant, hold_folder, is_redb, read_identity};
use super::open_error::{OpenError, failed, foreign, refused};
use super::overlay::Overlay;
use super::summed::Summed;
use super::sums::Sums;
use super::view::View;
use super::volumes::{Point, VOLUME_BYTES, Volumes};
use super::{FILE_NAME, file_in};
use crate::causes::chain;
use crate::store::error::Failure;
use crate::store::volume_keys::VolumeKeys;

/// The files of a store, open for a look.
#[derive(Debug)]
pub(in crate::store) struct Inspection {
    /// `None` where redb can't read the rows.
    database: Option<Database>,
    pub(in crate::store) volumes: Volumes,
    pub(in crate::store) tag: u32,
    /// What redb finds wrong with its own pages.
    pub(in crate::store) rows_fault: Option<String>,
    /// How many bits of its pages are not what was written, and are put right.
    pub(in crate::store) rows_mended: u64,
    /// Keeps gateways out, also where redb can't open its file.
    _held: Option<File>,
}

impl Inspection {
    /// Opens the store in this folder, if it is there and no gateway runs on it.
    pub(in crate::store) fn open(folder: &Path) -> Result<Self, OpenError> {
        Self::open_with(folder, &VolumeKeys::default())
    }

    /// The same where volumes may be encrypted. Those that no key opens are there all the same.
    pub(in crate::store) fn open_with(folder: &Path, keys: &VolumeKeys) -> Result<Self, OpenError> {
        let path = file_in(folder);
        let held = hold_folder(folder, &path)?;
        let medium: Arc<dyn Medium> = Arc::new(Folder::new(folder));
        if !path.exists() && folder.is_dir() {
            check_vacant(&*medium, &path)?;
        }
        if !is_redb(&path)? {
            return Err(foreign(&*medium, path));
        }
        let (database, looked, rows_mended) = look(&path);
        let rows_fault = match looked {
            Ok(fault) => fault,
            Err(error) if is_of_the_world(&error) => return Err(refused(&path, error)),
            Err(error) => Some(format!("{}: {REPAIR}", chain(&error))),
        };
        let tag = match &database {
            Some(database) => known_tag(database, &path)?,
            None => first_tag(&*medium, &path)?,
        };
        let volumes = Volumes::open_with(medium, tag, VOLUME_BYTES, keys);
        let volumes = volumes.map_err(|source| failed(&path, source))?;
        Ok(Self { database, volumes, tag, rows_fault, rows_mended, _held: held })
    }

    /// The rows and the volumes; `None` where redb can't read the rows.
    pub(in crate::store) fn view(&self) -> Result<Option<View>, Failure> {
        let Some(database) = &self.database else { return Ok(None) };
        let transaction = guarded(|| database.begin_read())?;
        Ok(Some(View::of(transaction, self.volumes.shown())))
    }

    /// Up to where the rows have what the log says; `None` where redb can't read them.
    pub(in crate::store) fn applied(&self) -> Result<Option<Point>, Failure> {
        self.database.as_ref().map(catch_up::applied).transpose()
    }

    /// The name of the file of rows.
    pub(in crate::store) fn rows_file(&self) -> &'static str {
        FILE_NAME
    }
}

/// What a file of rows says of itself.
pub(super) struct SaidRows {
    /// The store's.
    pub(super) tag: u32,
    /// Where the log ended at the last checkpoint, if redb finds nothing wrong with its pages.
    pub(super) sound_to: Option<Point>,
}

/// Whether a start that opens the store in this folder neither makes one nor brings it to this
/// format. Where that can't be told, the start says why.
pub(in crate::store) fn is_of_this_format(folder: &Path) -> bool {
    let path = file_in(folder);
    if !path.exists() {
        return false;
    }
    if !is_redb(&path).unwrap_or(false) {
        return true;
    }
    let Ok(database) = Look::default().open(&path) else { return true };
    let identity = read_identity(&database);
    let_go(database);
    !matches!(identity, Ok(Identity::Before { .. } | Identity::Older { .. }))
}

/// What the rows in this file say; `None` if there is no such file, or nobody can tell any more
/// what it is.
pub(super) fn said_rows(path: &Path) -> Result<Option<SaidRows>, OpenError> {
    if !path.exists() || !is_redb(path)? {
        return Ok(None);
    }
    let (database, looked, _) = look(path);
    match (database, looked) {
        (Some(database), looked) => {
            let tag = match read_identity(&database) {
                Ok(Identity::Known { tag } | Identity::Before { tag }) => tag,
                Ok(_) => known_tag(&database, path)?,
                Err(_) => return Ok(None),
            };
            let is_sound = matches!(looked, Ok(None));
            let sound_to = is_sound.then(|| catch_up::applied(&database).ok()).flatten();
            Ok(Some(SaidRows { tag, sound_to }))
        }
        (None, Err(error)) if is_of_the_world(&error) => Err(refused(path, error)),
        (None, _) => Ok(None),
    }
}

/// What redb finds wrong with its pages, or why it can't read them.
type Looked = Result<Option<String>, DatabaseError>;

const MENDED: &str =
    "redb finds its pages damaged: `hookgate store repair` makes a new file from the volumes";
const REPAIR: &str = "`hookgate store repair` makes a new file from the volumes";

/// Whether it says nothing of what is in the file.
fn is_of_the_world(error: &DatabaseError) -> bool {
    match error {
        DatabaseError::DatabaseAlreadyOpen => true,
        // A file that ends too early was cut.
        DatabaseError::Storage(StorageError::Io(error)) => {
            error.kind() != io::ErrorKind::UnexpectedEof
        }
        _ => false,
    }
}

/// The file of rows for a look: what redb writes to it stays in memory.
fn overlay(path: &Path) -> Result<Overlay, DatabaseError> {
    // Its locks are for who may write.
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    Overlay::of(file)
}

/// Opens the file of rows as it is, so that what redb writes stays in memory.
pub(super) fn open_over(path: &Path) -> Result<Database, DatabaseError> {
    let overlay = overlay(path)?;
    guarded(|| builder().create_with_backend(overlay))
}

/// A look at the file of rows with the sums of its pages: what is put right stays in memory too.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// How many bits are put right.
    mended: Arc<AtomicU64>,
    /// Whether more than a bit of a page is not what was written.
    doubt: Arc<AtomicBool>,
}

impl Look {
    /// Opens the file.
    pub(super) fn open(&self, path: &Path) -> Result<Database, DatabaseError> {
        let overlay = overlay(path)?;
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        let medium: Arc<dyn Medium> = Arc::new(Folder::new(folder));
        let sums = Arc::new(Sums::load(&medium, &overlay, true)?);
        let (doubt, mended) = (Arc::clone(&self.doubt), Arc::clone(&self.mended));
        let summed = Summed::looked_at(Box::new(overlay), sums, doubt, mended);
        guarded(|| builder().create_with_backend(summed))
    }

    /// Whether a page was read that is not what was written, and that nobody can put right.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.doubt.load(Ordering::Acquire)
    }
}

/// Opens the file of rows, and has redb look at all its pages. Gives how many bits were put right.
/// Where that is not enough, redb says what it finds in the file as it is.
fn look(path: &Path) -> (Option<Database>, Looked, u64) {
    let look = Look::default();
    if let Ok(database) = look.open(path) {
        let (database, looked) = look_at_pages(database);
        if !look.is_in_doubt() {
            return (database, looked, look.mended.load(Ordering::Acquire));
        }
        if let Some(database) = database {
            let_go(database);
        }
    }
    let (database, looked) = match open_over(path) {
        Ok(database) => look_at_pages(database),
        Err(error) => (None, Err(error)),
    };
    (database, looked, 0)
}

/// Closes what may not even be in a state to be closed.
pub(super) fn let_go(database: Database) {
    drop(guarded(|| {
        drop(database);
        Ok::<_, StorageError>(())
    }));
}

/// Has redb look at all its pages, and says what it finds. What it mends, it mends in memory.
fn look_at_pages(mut database: Database) -> (Option<Database>, Looked) {
    match guarded(|| database.check_integrity()) {
        Ok(true) => (Some(database), Ok(None)),
        Ok(false) => (Some(database), Ok(Some(MENDED.to_owned()))),
        Err(error) => {
            let_go(database);
            (None, Err(error))
        }
    }
}

/// The tag of a store of this format.
fn known_tag(database: &Database, path: &Path) -> Result<u32, OpenError> {
    let path = path.to_owned();
    match read_identity(database).map_err(|source| failed(&path, source))? {
        Identity::Known { tag } => Ok(tag),
        Identity::Before { .. } => Err(OpenError::Older { path, found: 2 }),
        Identity::Older { .. } => Err(OpenError::Older { path, found: 1 }),
        Identity::Newer { found } => Err(OpenError::Newer { path, found }),
        Identity::None | Identity::Foreign => Err(OpenError::Foreign { path }),
    }
}

/// The tag in the head of a volume, where the rows can't say it; zero where no volume says one.
fn first_tag(medium: &dyn Medium, path: &Path) -> Result<u32, OpenError> {
    let found = super::volumes::first_tag(medium);
    Ok(found.map_err(|source| failed(path, source.into()))?.unwrap_or(0))
}
