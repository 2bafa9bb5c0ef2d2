//! What redb's errors and the system's come to.
//!
//! Decides which of them may pass. Nothing outside of the file's room sees one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::store::error::{Error, Failure};

macro_rules! access_failure {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                access(error.into())
            }
        }
    )*};
}
access_failure!(
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::DatabaseError,
    std::io::Error
);

/// The file can't be read or written, for this reason.
pub(super) fn access(error: redb::Error) -> Failure {
    let may_pass = matches!(
        error,
        redb::Error::Io(_)
            | redb::Error::PreviousIo
            | redb::Error::DatabaseAlreadyOpen
            // What was being read while the file was opened anew.
            | redb::Error::DatabaseClosed
    );
    Failure::Access { source: Box::new(error), may_pass }
}

/// Whether a file ends before what it says: then it was cut, or says it because it is damaged.
pub(super) fn is_cut(failure: &Failure) -> bool {
    let Failure::Access { source, .. } = failure else { return false };
    let is_end = |error: &std::io::Error| error.kind() == std::io::ErrorKind::UnexpectedEof;
    match source.downcast_ref::<redb::Error>() {
        Some(redb::Error::Io(error)) => is_end(error),
        _ => false,
    }
}

/// The file is being opened anew, or has to be.
pub(super) fn away() -> Failure {
    access(redb::Error::PreviousIo)
}

/// What redb gives. It takes a file at its word, and panics where one contradicts itself, such as
/// one that was not closed and was cut short.
pub(super) fn guarded<T, E>(ask: impl FnOnce() -> Result<T, E>) -> Result<T, E>
where
    E: From<redb::StorageError>,
{
    catch_unwind(AssertUnwindSafe(ask)).unwrap_or_else(|_| Err(contradiction().into()))
}

/// The same for whoever asks redb by way of the file's room.
pub(in crate::store) fn unbroken<T>(ask: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let asked = catch_unwind(AssertUnwindSafe(ask));
    asked.unwrap_or_else(|_| Err(Failure::from(contradiction()).into()))
}

fn contradiction() -> redb::StorageError {
    redb::StorageError::Corrupted("the file contradicts itself".to_owned())
}
