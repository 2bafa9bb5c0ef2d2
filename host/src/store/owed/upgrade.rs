//! Where the open works of a store of format 2 wait: resolved from the log, for the rows that they
//! get.
//!
//! A work that waits for a retry waits since that is due, any other since its record was written,
//! and a run that may go at once goes by its position alone. Never writes anything itself.

use super::backlog::OrderKeys;
use super::lane::{lane, note};
use super::owing::Owing;
use super::standing::{Progress, Standing};
use crate::event::Timestamp;
use crate::store::damage::Damages;
use crate::store::error::{Error, Failure};
use crate::store::file::owed_rows::OwedWork;
use crate::store::file::upgrade::Resolved;
use crate::store::file::view::{Outcomes, Segments, View};
use crate::store::file::{self, File};
use crate::store::kind::WorkKind;
use crate::store::time::line::Line;

/// Gives the open works of a store of format 2 the rows of this format. One whose record is damaged
/// stays as it is.
pub(in crate::store) fn upgrade(file: &File, damages: &Damages) -> Result<(), Error> {
    let owing = Owing::new(file.tag);
    let mut resolver = Resolver { owing, keys: OrderKeys::default(), damages };
    file.upgrade(|view, works| resolver.resolve(view, works))
}

/// Finds out where works wait.
struct Resolver<'d> {
    owing: Owing,
    keys: OrderKeys,
    damages: &'d Damages,
}

/// What it reads for some works.
struct Sight {
    log: Segments,
    outcomes: Outcomes,
    line: Line,
}

impl Resolver<'_> {
    fn resolve(&mut self, view: &View, works: &[u64]) -> Result<Resolved, Failure> {
        let counted = view.fact(file::TOLD)?.map_or(Timestamp::MAX, Timestamp);
        let line = Line::read(view, counted)?;
        let sight = Sight { log: view.log()?, outcomes: view.outcomes()?, line };
        let mut resolved = Vec::with_capacity(works.len());
        for position in works.iter().copied() {
            let owed = self.damages.pass(self.work(&sight, position))?;
            resolved.extend(owed.map(|owed| (position, owed)));
        }
        Ok(resolved)
    }

    /// Where the work at this position waits; `None` if it is finished.
    fn work(&mut self, sight: &Sight, position: u64) -> Result<Option<OwedWork>, Failure> {
        let Sight { log, outcomes, line } = sight;
        let work = self.owing.work(log, position, &self.keys)?;
        let standing = Standing::at(outcomes, position)?;
        let (waits, since) = match standing.progress {
            Progress::Done | Progress::Dead => return Ok(None),
            Progress::RetryAt(due) => {
                let since = line.in_count(standing.last.unwrap_or(position), due);
                // Only what may go at once is before all others.
                (true, since.max(Timestamp(1)))
            }
            Progress::Ready if work.kind == WorkKind::Run => (false, Timestamp(0)),
            Progress::Ready => {
                let written = self.owing.written_at().unwrap_or_default();
                (false, line.counted(position, written))
            }
        };
        let note = note(waits, work.is_parcel(), work.root.as_ref());
        let lane = lane(work.kind, &work.group);
        Ok(Some(OwedWork { lane, since: since.0, note }))
    }
}
