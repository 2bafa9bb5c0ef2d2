//! Backups of a store: of one that goes on meanwhile, and of one on which no gateway runs; and the
//! store that is made from one.
//!
//! There is one backup at a time, on a thread of its own that yields to all others. Whoever takes
//! it too slowly gets no more of it: until it is whole, the files have to keep what it still has to
//! read. Never changes the store that it is of.

use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::Store;
use super::error::{Damaged, Error, Failure};
use super::file::backup::{
    self, BackupError, BackupFault, BackupMade, RestoreError, Restored, RowsOf,
};
use super::file::inspection::Inspection;
use super::shared::Shared;
use crate::causes::words;
use crate::event::Timestamp;
use crate::priority::yield_to_others;

/// Pieces that wait to be taken. Each is a MiB or less.
const PIECES: usize = 2;
/// How long one waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// The next bytes of a backup, or nothing behind the last.
type Piece = Result<Option<Vec<u8>>, BackupError>;

/// A backup that is being made.
#[derive(Debug)]
pub struct Backup {
    pieces: mpsc::Receiver<Piece>,
    /// The first, if it was not taken yet.
    first: Option<Vec<u8>>,
}

impl Backup {
    /// The next bytes; nothing when it is whole. After an error it never is.
    pub fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Vec<u8>, BackupError>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        self.pieces.poll_recv(cx).map(|piece| match piece {
            Some(piece) => piece.transpose(),
            // Whoever makes it has waited for too long.
            None => Some(Err(BackupError::Taken(io::ErrorKind::TimedOut.into()))),
        })
    }
}

impl Store {
    /// Begins a backup of all that is committed now; nothing if another one is being made.
    pub async fn backup(&self, made_at: Timestamp) -> Result<Option<Backup>, Error> {
        let shared = Arc::clone(&self.handle.shared);
        let Ok(turn) = Arc::clone(&shared.backing_up).try_lock_owned() else { return Ok(None) };
        let (give, mut pieces) = mpsc::channel(PIECES);
        let runtime = Handle::current();
        let work = move || {
            yield_to_others();
            give_all(&shared, made_at, (&runtime, &give));
            drop(turn);
        };
        let begun = thread::Builder::new().name("store-backup".to_owned()).spawn(work);
        begun.map_err(|error| Error::Panicked(format!("it has no thread: {error}").into()))?;
        // With this the view is there.
        match pieces.recv().await {
            Some(Ok(first)) => Ok(Some(Backup { pieces, first })),
            Some(Err(BackupError::Store(error))) => Err(error),
            Some(Err(_)) | None => Err(Error::Closed),
        }
    }
}

/// Makes a backup, and gives it to whoever takes it, piece by piece.
fn give_all(shared: &Shared, made_at: Timestamp, to: (&Handle, &mpsc::Sender<Piece>)) {
    let mut take = |piece| give(to, Ok(Some(piece)));
    let made = catch_unwind(AssertUnwindSafe(|| {
        let view = shared.file.read()?;
        backup::write(view, RowsOf::LastCommit, (shared.file.tag, made_at), &mut take)
    }));
    let ended = match made {
        Ok(Ok(made)) => {
            tracing::debug!(bytes = made.bytes, "a backup of the store was made");
            give(to, Ok(None))
        }
        // Nobody takes anything any more.
        Ok(Err(BackupError::Taken(error))) => Err(error),
        Ok(Err(error)) => give(to, Err(error)),
        Err(panic) => {
            let panicked = Error::Panicked(words(&*panic).into());
            give(to, Err(BackupError::Store(panicked)))
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a backup of the store was not taken to its end: {error}");
    }
}

/// Gives a piece, and waits until there is room for it.
fn give((runtime, pieces): (&Handle, &mpsc::Sender<Piece>), piece: Piece) -> io::Result<()> {
    match runtime.block_on(async { timeout(PATIENCE, pieces.send(piece)).await }) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Makes a backup of the store in this folder, on which no gateway runs, and gives it to `take`,
/// piece by piece.
///
/// # Errors
///
/// There is no store, a gateway runs on it, its rows can't be read, or `take` gave an error.
pub fn backup_folder<'t>(
    folder: &Path,
    made_at: Timestamp,
    take: &'t mut (dyn FnMut(Vec<u8>) -> io::Result<()> + 't),
) -> Result<BackupMade, BackupError> {
    let inspection = Inspection::open(folder)?;
    let unreadable = || BackupError::from(Failure::Damaged(Damaged { position: 0 }));
    if inspection.rows_fault.is_some() {
        return Err(unreadable());
    }
    let view = inspection.view()?.ok_or_else(unreadable)?;
    backup::write(view, RowsOf::LastCheckpoint, (inspection.tag, made_at), take)
}

/// Looks whether a backup is whole and as it was written, and says what it has. Calls `far` with
/// the number of bytes that were read.
///
/// # Errors
///
/// It is not.
pub fn check_backup(from: impl Read, far: &mut dyn FnMut(u64)) -> Result<BackupMade, BackupFault> {
    backup::look_through(from, far)
}

/// Makes a store in this folder, which is empty or not there, from a backup. Calls `far` with the
/// number of bytes that were read. Until it returns, there is no store in the folder.
///
/// # Errors
///
/// The folder is not empty, the backup is not whole, or the store can't be written.
pub fn restore(
    from: impl Read,
    folder: &Path,
    far: &mut dyn FnMut(u64),
) -> Result<Restored, RestoreError> {
    backup::restore(from, folder, far)
}
