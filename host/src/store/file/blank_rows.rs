//! Rows of zeros: they take every free page of the file, so that nothing stays there of rows that
//! are gone.
//!
//! redb takes free pages first and makes the file longer only where there is none, so whoever adds
//! rows until the file grows has overwritten all. No redo spells these rows: a start that finds
//! some left over has them removed by the erasure that goes on. Never holds anything but zeros.

use redb::WriteTransaction;

use super::schema::BLANK;
use crate::store::error::Failure;

/// With its key and the head of the page, a row fills a page of the file by itself.
const ROW_BYTES: usize = 4_064;

/// A change of these rows.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) enum Blank {
    /// Some more, from this number on.
    Fill { from: u64, rows: u64 },
    /// Fewer, by this number.
    Drain { rows: u64 },
    /// None any more.
    Clear,
}

/// Changes the rows.
pub(super) fn put(transaction: &WriteTransaction, blank: Blank) -> Result<(), Failure> {
    match blank {
        Blank::Fill { from, rows } => {
            let mut table = transaction.open_table(BLANK)?;
            for number in from..from.saturating_add(rows) {
                table.insert(number, &[0; ROW_BYTES][..])?;
            }
        }
        Blank::Drain { rows } => {
            let mut table = transaction.open_table(BLANK)?;
            for _ in 0..rows {
                if table.pop_last()?.is_none() {
                    break;
                }
            }
        }
        Blank::Clear => {
            transaction.delete_table(BLANK)?;
        }
    }
    Ok(())
}
