//! Rows of bytes by a number, wherever they are read: in a view of the file or in a transaction.
//!
//! Nothing in here knows what a row holds, nor what keeps it.

use super::error::Failure;

/// Rows of bytes, in the order of their numbers.
pub(super) trait Rows {
    /// What is read in the row of this number, if there is one.
    fn row<R>(&self, number: u64, read: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, Failure>;

    /// What is read in the last row up to this number, if there is one.
    fn last_row<R>(
        &self,
        number: u64,
        read: impl FnOnce(u64, &[u8]) -> R,
    ) -> Result<Option<R>, Failure>;
}
