//! Where commits go: to the log first, where they are durable, then to the rows, which are durable
//! with the next checkpoint.
//!
//! Knows how far the rows have what the log says, and when the next checkpoint is due. Behind a
//! failure nothing is added before the file is opened anew: the next frame must not lie behind one
//! that is not whole. Never reads the log.

use std::time::{Duration, Instant};

use super::change::Change;
use super::counts::Counts;
use super::failure::away;
use super::totals::Totals;
use super::volumes::{Point, VolumeWriter, Volumes};
use crate::store::error::Failure;

/// Between two checkpoints, if there is something to be made durable.
const CHECKPOINT_PAUSE: Duration = Duration::from_secs(1);
/// No start has to read more than about so many bytes of the log again.
pub(in crate::store) const CHECKPOINT_BYTES: u64 = 32 << 20;

/// Where commits go.
#[derive(Debug)]
pub(super) struct Journal {
    writer: VolumeWriter,
    volumes: Volumes,
    counts: Counts,
    /// Up to here the rows have what the log says.
    applied: Point,
    /// Bytes of frames since the last checkpoint.
    behind: u64,
    /// At this many the next is due.
    checkpoint_bytes: u64,
    checkpointed: Instant,
    /// The log has gone on in another volume since. Until the rows name it, a start would not miss
    /// it, and give out its positions again.
    has_rolled: bool,
    /// The volumes that no row pointed into at the last checkpoint, and none will. Before it they
    /// must stay: a start might find older rows.
    dead: Vec<u32>,
    /// A write has failed: nobody knows what stands on the disk.
    has_failed: bool,
}

impl Journal {
    /// Goes on where the log ends; the rows have its changes up to `applied`. A checkpoint is due
    /// after `checkpoint_bytes` of frames.
    pub(super) fn new(
        writer: VolumeWriter,
        volumes: Volumes,
        counts: Counts,
        applied: Point,
        checkpoint_bytes: u64,
    ) -> Self {
        Self {
            writer,
            volumes,
            counts,
            applied,
            behind: 0,
            checkpoint_bytes,
            checkpointed: Instant::now(),
            has_rolled: false,
            dead: Vec::new(),
            has_failed: false,
        }
    }

    pub(super) fn applied(&self) -> Point {
        self.applied
    }

    /// Up to where the rows have what the log says, and what was counted then.
    pub(super) fn into_left(self) -> (Point, Counts) {
        (self.applied, self.counts)
    }

    /// How many works are open before the low-water mark, and how many are dead.
    pub(super) fn totals(&self) -> Totals {
        self.counts.totals()
    }

    /// Whether something may be added.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.has_failed { Err(away()) } else { Ok(()) }
    }

    /// Whether the log lies where it was made, and nobody else writes to it.
    pub(super) fn check_place(&self) -> Result<(), Failure> {
        self.writer.check_place()
    }

    /// Commits a change. Returns when it is durable: one that adds to the log by that, any other by
    /// a checkpoint.
    pub(super) fn commit(&mut self, change: Change) -> Result<(), Failure> {
        self.poisoning(|journal| journal.write(change))
    }

    /// What comes next goes to new volumes.
    pub(super) fn leave_volumes(&mut self) -> Result<(), Failure> {
        self.poisoning(|journal| journal.writer.leave())
    }

    /// Adds a frame without a body to the log.
    pub(super) fn probe(&mut self) -> Result<(), Failure> {
        self.poisoning(|journal| journal.writer.probe())
    }

    /// Writes. If that fails or panics, nothing is added any more before the files are opened anew.
    fn poisoning(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.check()?;
        self.has_failed = true;
        write(self)?;
        self.has_failed = false;
        Ok(())
    }

    fn write(&mut self, mut change: Change) -> Result<(), Failure> {
        let Some(frame) = change.write_log(&mut self.writer)? else {
            return self.checkpoint(change);
        };
        let counted = change.commit()?;
        self.counts.apply(&counted);
        self.has_rolled |= frame.volume != self.applied.volume;
        self.applied = frame.end();
        self.behind += u64::from(frame.length);
        Ok(())
    }

    fn checkpoint(&mut self, change: Change) -> Result<(), Failure> {
        let applied = self.writer.end();
        self.counts.write(change.transaction(), applied, change.counted())?;
        let counted = change.checkpoint(applied)?;
        self.counts.apply(&counted);
        (self.applied, self.behind) = (applied, 0);
        (self.checkpointed, self.has_rolled) = (Instant::now(), false);
        let is_dead =
            |number: &u32| !self.counts.is_live(*number) && !self.writer.is_written(*number);
        self.dead = self.volumes.shown().numbers().filter(is_dead).collect();
        Ok(())
    }

    /// Whether enough has come since the last checkpoint, or long enough ago.
    pub(super) fn is_checkpoint_due(&self) -> bool {
        let is_late = self.checkpointed.elapsed() >= CHECKPOINT_PAUSE;
        let is_far = self.has_rolled || self.behind >= self.checkpoint_bytes;
        self.behind > 0 && (is_late || is_far)
    }

    /// Whether frames have come since the last checkpoint, and another can be made.
    pub(super) fn is_behind(&self) -> bool {
        self.behind > 0 && !self.has_failed
    }

    /// Removes the volumes that no durable row points into.
    pub(super) fn remove_dead(&mut self) {
        self.writer.remove(&std::mem::take(&mut self.dead));
    }
}
