//! A store of format 2 becomes one of format 3 where it lies, when a gateway opens it.
//!
//! In format 2 the row of an open work says no more than that it is open. Each gives way to rows
//! that say where the work waits, in transactions of bounded size. The first says that the format
//! is the new one, so that no older Hookgate takes what is left for all; a start after a kill goes
//! on. A work whose record can't be read keeps its old row, for the next start. Never decides where
//! a work waits: whoever can read the log does.

use std::time::{Duration, Instant};

use super::File;
use super::owed_rows::OwedWork;
use super::schema::{FORMAT, FORMAT_2, FORMAT_KNOWN};
use super::view::View;
use crate::store::error::{Error, Failure};

/// Works in one transaction.
const PORTION_WORKS: usize = 4096;
/// Between two lines of the log.
const PAUSE: Duration = Duration::from_secs(10);

/// Where works wait, those of them that can be read; `None` for one that is finished.
pub(in crate::store) type Resolved = Vec<(u64, Option<OwedWork>)>;

impl File {
    /// Gives every open work before the low-water mark the rows of this format. `resolve` says of
    /// the works at some positions where they wait.
    pub(in crate::store) fn upgrade(
        &self,
        mut resolve: impl FnMut(&View, &[u64]) -> Result<Resolved, Failure>,
    ) -> Result<(), Error> {
        if self.read()?.fact(FORMAT)? == Some(FORMAT_2) {
            self.begin_upgrade()?;
        }
        let began = Instant::now();
        let (mut told, mut count, mut from) = (began, 0, 0_u64);
        loop {
            // A new one each time: as long as it lives, no page that is written over is free.
            let view = self.read()?;
            let works = view.open_in_format_2(from..)?.take(PORTION_WORKS);
            let works = works.collect::<Result<Vec<u64>, Failure>>()?;
            let Some(last) = works.last() else { break };
            from = last + 1;
            let resolved = resolve(&view, &works)?;
            drop(view);
            self.put_portion(&resolved)?;
            count += resolved.len();
            if told.elapsed() >= PAUSE {
                told = Instant::now();
                tracing::info!(works = count, "upgrading the store: {count} open works so far");
            }
        }
        if count > 0 {
            let seconds = began.elapsed().as_secs();
            tracing::info!(works = count, seconds, "upgraded {count} open works in {seconds} s");
        }
        Ok(())
    }

    /// From here on the store has the new format.
    fn begin_upgrade(&self) -> Result<(), Error> {
        tracing::info!(
            path = %self.place.path.display(),
            "upgrading the store from format 2 to format {FORMAT_KNOWN}; the gateway starts when \
             this is done"
        );
        let mut change = self.write()?;
        change.make_tables_of_works()?;
        change.tables().remember(FORMAT, FORMAT_KNOWN)?;
        self.commit(change)
    }

    fn put_portion(&self, resolved: &[(u64, Option<OwedWork>)]) -> Result<(), Error> {
        if resolved.is_empty() {
            return Ok(());
        }
        let mut change = self.write()?;
        {
            let mut rows = change.tables();
            for (work, owed) in resolved {
                rows.remove_open(*work)?;
                rows.put_owed(*work, owed.as_ref().map(OwedWork::row))?;
            }
        }
        // It adds nothing to the log: it is durable by a checkpoint.
        self.commit(change)
    }
}
