//! A backup of the files of a store: all rows as of one commit, and the volumes up to there.
//!
//! What is written comes from a view, which stays as it is while the store goes on: rows first, so
//! that redb need not keep old pages for longer than that takes. A volume that retention removes
//! meanwhile is read to its end. Neither the configuration nor a master key is in it. Never holds
//! up a commit, and never has more than a part in memory.

mod parts;
mod restored;
mod rows;

use std::io::{self, Read};

use serde::{Deserialize, Serialize};

pub use self::parts::BackupFault;
use self::parts::{Kind, PART_BYTES, PartsReader, PartsWriter};
pub(in crate::store) use self::restored::restore;
pub use self::restored::{RestoreError, Restored};
use super::open_error::OpenError;
use super::schema::{APPLIED, FORMAT_KNOWN};
use super::view::View;
use super::volumes::{Point, Shown};
use crate::event::Timestamp;
use crate::store::error::{Error, Failure};

/// Takes the next bytes of a backup.
pub(in crate::store) type Take<'t> = dyn FnMut(Vec<u8>) -> io::Result<()> + 't;

/// Why a backup was not made.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store can't be read.
    #[error("failed to read the store")]
    Store(#[source] Error),
    /// It can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A table of it belongs to a newer Hookgate.
    #[error("the store has a table `{table}` that this Hookgate does not know: use the newer one")]
    UnknownTable {
        /// Its name.
        table: String,
    },
    /// The bytes can't be put where they are to go.
    #[error("failed to write the backup")]
    Taken(#[source] io::Error),
}

impl From<Failure> for BackupError {
    fn from(failure: Failure) -> Self {
        Self::Store(failure.into())
    }
}

/// Which store a backup is of, and as of when.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    /// The Hookgate that made it.
    hookgate: String,
    /// The format of the store.
    format: u64,
    tag: u32,
    made_at: Timestamp,
}

/// How much a backup has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupCounts {
    /// Tables of rows.
    pub tables: u64,
    /// The rows in them.
    pub rows: u64,
    /// Volumes of the log.
    pub volumes: u64,
    /// Their bytes.
    pub volume_bytes: u64,
    /// Volumes that it lacks, because their heads can't be read.
    pub unreadable: u64,
}

/// What was made.
#[derive(Debug, Clone, Serialize)]
pub struct BackupMade {
    /// When.
    pub made_at: Timestamp,
    /// What it has.
    #[serde(flatten)]
    pub counts: BackupCounts,
    /// How long it is.
    pub bytes: u64,
    /// The hash over all of it.
    pub sha256: String,
}

/// Which rows a view shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum RowsOf {
    /// Those of the last commit: the log behind it is not part of the view.
    LastCommit,
    /// Those of the last checkpoint. Nobody writes to the log, and all of it belongs to them.
    LastCheckpoint,
}

/// Where parts go.
struct Sink<'s> {
    parts: PartsWriter,
    take: &'s mut Take<'s>,
    bytes: u64,
}

impl Sink<'_> {
    fn part(&mut self, kind: Kind, body: &[u8]) -> Result<(), BackupError> {
        let part = self.parts.part(kind, body);
        self.put(part)
    }

    fn said(&mut self, kind: Kind, said: &impl Serialize) -> Result<(), BackupError> {
        let body = serde_json::to_vec(said).map_err(|error| BackupError::Taken(error.into()))?;
        self.part(kind, &body)
    }

    fn put(&mut self, bytes: Vec<u8>) -> Result<(), BackupError> {
        self.bytes += bytes.len() as u64;
        (self.take)(bytes).map_err(BackupError::Taken)
    }
}

/// Writes a backup of what a view shows of the store with this tag.
pub(in crate::store) fn write<'t>(
    view: View,
    rows_of: RowsOf,
    (tag, made_at): (u32, Timestamp),
    take: &'t mut Take<'t>,
) -> Result<BackupMade, BackupError> {
    let applied = view.fact(APPLIED)?.map_or(Point::START, Point::read);
    let log_to = (rows_of == RowsOf::LastCommit).then_some(applied);
    let (parts, head) = PartsWriter::begin();
    let mut sink = Sink { parts, take, bytes: 0 };
    sink.put(head)?;
    let hookgate = env!("CARGO_PKG_VERSION").to_owned();
    sink.said(Kind::About, &About { hookgate, format: FORMAT_KNOWN, tag, made_at })?;
    let (transaction, shown) = view.into_parts();
    let written = rows::write(&transaction, &mut sink)?;
    // From here on redb may give the pages of that commit to others.
    drop(transaction);
    let sizes = shown.sizes(log_to, &written.ends).map_err(Failure::from)?;
    let counts = BackupCounts {
        tables: written.tables,
        rows: written.rows,
        volumes: sizes.len() as u64,
        volume_bytes: sizes.iter().map(|(_, bytes)| bytes).sum(),
        unreadable: shown.damaged().count() as u64,
    };
    for volume in sizes {
        write_volume(&shown, volume, &mut sink)?;
    }
    sink.said(Kind::End, &counts)?;
    let sha256 = hex::encode(sink.parts.hash());
    Ok(BackupMade { made_at, counts, bytes: sink.bytes, sha256 })
}

/// Writes the first bytes of a volume.
fn write_volume(
    shown: &Shown,
    (number, bytes): (u32, u64),
    sink: &mut Sink<'_>,
) -> Result<(), BackupError> {
    let head = [&number.to_le_bytes()[..], &bytes.to_le_bytes()].concat();
    sink.part(Kind::Volume, &head)?;
    let mut offset = 0;
    while offset < bytes {
        let mut body =
            vec![0; PART_BYTES.min(usize::try_from(bytes - offset).unwrap_or(PART_BYTES))];
        shown.read(number, offset, &mut body).map_err(Failure::from)?;
        sink.part(Kind::Bytes, &body)?;
        offset += body.len() as u64;
    }
    Ok(())
}

/// Reads a backup to its end, and says what it has.
pub(in crate::store) fn look_through(
    from: impl Read,
    far: &mut dyn FnMut(u64),
) -> Result<BackupMade, BackupFault> {
    let mut parts = PartsReader::open(from)?;
    let About { made_at, .. } = about(&mut parts)?;
    loop {
        let (kind, body) = parts.part()?;
        far(parts.offset());
        if kind == Kind::End {
            let counts = serde_json::from_slice(&body).ok();
            let counts = counts.ok_or_else(|| parts.misplaced("it does not say what there was"))?;
            parts.end()?;
            let sha256 = hex::encode(parts.hash());
            return Ok(BackupMade { made_at, counts, bytes: parts.offset(), sha256 });
        }
    }
}

/// What the first part says.
fn about(parts: &mut PartsReader<impl Read>) -> Result<About, BackupFault> {
    let (kind, body) = parts.part()?;
    let about = serde_json::from_slice(&body).ok().filter(|_| kind == Kind::About);
    about.ok_or_else(|| parts.misplaced("a backup begins with what it is of"))
}

/// What the part before the bytes of a volume says: its number, and how many bytes follow.
fn volume_in(body: &[u8]) -> Option<(u32, u64)> {
    let (number, bytes) = body.split_first_chunk()?;
    Some((u32::from_le_bytes(*number), u64::from_le_bytes(bytes.try_into().ok()?)))
}
