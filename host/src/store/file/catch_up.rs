//! The rows catch up with the log: changes behind the last checkpoint are made in them again.
//!
//! A kill leaves the rows as the last checkpoint made them, and in the log a frame for each commit
//! behind it. Each frame's changes are made in order, in transactions of bounded size; what can't
//! be read is noted and passed over. Never writes to the log.

use redb::{Database, Durability, ReadableDatabase, ReadableTable};

use super::counts::{Counted, Counts};
use super::redo::{self, RowChange};
use super::schema::{APPLIED, END, META, SEGMENTS, UNREAD_WIDTH};
use super::tables::Tables;
use super::volumes::{self, Extent, Found, Point, Scan, Scanned, Volumes};
use crate::store::damage::Damages;
use crate::store::error::{Damaged, Failure};

/// As much of the log is applied in one transaction.
const PORTION_BYTES: usize = 8 << 20;

/// How far the rows have caught up.
#[derive(Debug)]
pub(super) struct CaughtUp {
    /// Up to where the rows had what the log says.
    pub(super) found: Point,
    /// Up to where they have it now.
    pub(super) applied: Point,
    /// Where the next frame goes.
    pub(super) end: Point,
    pub(super) counts: Counts,
}

/// Up to where the rows have what the log says.
pub(super) fn applied(database: &Database) -> Result<Point, Failure> {
    let meta = database.begin_read()?.open_table(META)?;
    Ok(meta.get(APPLIED)?.map_or(Point::START, |fact| Point::read(fact.value())))
}

/// Makes the rows what the log says. It had come as far as `least`: if it ends before that, what is
/// missing is damage and no tail. `left` is what was counted, and when, if that
/// is known.
pub(super) fn catch_up(
    database: &Database,
    volumes: &Volumes,
    least: Point,
    left: Option<(Point, Counts)>,
    damages: &Damages,
) -> Result<CaughtUp, Failure> {
    let found = applied(database)?;
    let mut catch_up = CatchUp {
        database,
        damages,
        counts: Counts::load(&database.begin_read()?, left)?,
        applied: found,
        next: next_position(database)?,
        broken: None,
    };
    let mut scan = volumes.frames_from(found);
    while let Some(scanned) = scan.next().transpose()? {
        catch_up.portion(scanned, &mut scan)?;
    }
    let Point { volume, offset } = scan.end();
    if scan.end() < least {
        catch_up.broken.get_or_insert(Extent { volume, offset, length: 0 });
    }
    catch_up.finish()?;
    let CatchUp { counts, applied, .. } = catch_up;
    Ok(CaughtUp { found, applied, end: scan.end(), counts })
}

/// The first position behind all that was ever given out, as far as the rows know.
fn next_position(database: &Database) -> Result<u64, Failure> {
    let transaction = database.begin_read()?;
    let told = transaction.open_table(META)?.get(END)?.map_or(0, |fact| fact.value());
    let segments = transaction.open_table(SEGMENTS)?;
    let last = segments.last()?.map_or(0, |(first, _)| first.value() + 1);
    Ok(told.max(last))
}

/// The rows, while they catch up.
struct CatchUp<'r> {
    database: &'r Database,
    damages: &'r Damages,
    counts: Counts,
    applied: Point,
    /// The first position behind all that was applied.
    next: u64,
    /// Where bytes lie that are no frame, while nobody knows which positions they took.
    broken: Option<Extent>,
}

impl CatchUp<'_> {
    /// Applies the next frames, as many as fit in a transaction.
    fn portion(&mut self, first: Scanned, scan: &mut Scan) -> Result<(), Failure> {
        self.commit(|catch_up, tables| {
            let (mut next, mut bytes) = (Some(first), 0);
            while let Some(scanned) = next {
                bytes += catch_up.apply(scanned, tables)?;
                next = if bytes < PORTION_BYTES { scan.next().transpose()? } else { None };
            }
            Ok(())
        })
    }

    /// Makes changes that are durable with the next checkpoint.
    fn commit(
        &mut self,
        change: impl FnOnce(&mut Self, &mut Tables<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut counted = Counted::default();
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::None).expect("it makes no savepoint");
        change(self, &mut Tables::of(&transaction, &mut counted))?;
        transaction.commit()?;
        self.counts.apply(&counted);
        Ok(())
    }

    /// Applies what comes next, and gives how much that was.
    fn apply(&mut self, scanned: Scanned, tables: &mut Tables<'_>) -> Result<usize, Failure> {
        match scanned {
            Scanned::Broken { volume, offset } => {
                // Where there is more of it, all of it lies before the next frame.
                self.broken.get_or_insert(Extent { volume, offset, length: 0 });
                Ok(0)
            }
            Scanned::Frame(found) => {
                self.apply_frame(&found, tables)?;
                Ok(found.body.len())
            }
        }
    }

    fn apply_frame(&mut self, found: &Found, tables: &mut Tables<'_>) -> Result<(), Failure> {
        let Found { first, extent, body } = found;
        if let Some(broken) = self.broken.take()
            && *first > self.next
        {
            self.lose(broken, tables)?;
        }
        tables.place(*first, *extent)?;
        let parts = volumes::parts(body);
        match parts.and_then(|(_, redo)| redo::read(redo)) {
            Some(changes) => {
                for change in &changes {
                    tables.make(change)?;
                    if let RowChange::Fact { name: END, value } = *change {
                        self.next = value;
                    }
                }
            }
            // Its sum is right: nobody but another Hookgate can have written it.
            None => {
                self.damages.note(Damaged { position: *first });
                self.pass(first.saturating_add(UNREAD_WIDTH), tables)?;
            }
        }
        self.applied = extent.end();
        tables.remember(APPLIED, self.applied.write())
    }

    /// Notes that what took the next positions can't be read; a row points to the bytes, so that
    /// whoever asks for it learns that.
    fn lose(&mut self, broken: Extent, tables: &mut Tables<'_>) -> Result<(), Failure> {
        self.damages.note(Damaged { position: self.next });
        tables.place(self.next, broken)
    }

    /// No position before this is given out again.
    fn pass(&mut self, next: u64, tables: &mut Tables<'_>) -> Result<(), Failure> {
        self.next = self.next.max(next);
        tables.remember(END, self.next)
    }

    /// The log ends here. If it ends with what can't be read, nobody knows what that took.
    fn finish(&mut self) -> Result<(), Failure> {
        let Some(broken) = self.broken.take() else { return Ok(()) };
        self.commit(|catch_up, tables| {
            catch_up.lose(broken, tables)?;
            catch_up.pass(catch_up.next.saturating_add(UNREAD_WIDTH), tables)
        })
    }
}
