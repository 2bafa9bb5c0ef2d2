//! Point reads in the log: from a position to the record that takes it.
//!
//! A look-up finds the last segment at or before the position and unpacks it. The segments read
//! last are kept, since the works of a backlog lie side by side. Never writes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::record::Record;
use super::segment::{Entry, RecordKind, Segment};
use crate::lock::lock;
use crate::store::error::{Damaged, Failure};
use crate::store::rows::Rows;

/// Unpacked segments that are kept.
const SEGMENTS_KEPT: usize = 4;

/// Reads records, and remembers where it was.
#[derive(Debug)]
pub(in crate::store) struct LogReader {
    tag: u32,
    kept: Mutex<VecDeque<Arc<Segment>>>,
    /// Records that were decoded so far.
    decoded: AtomicU64,
}

impl LogReader {
    /// A reader for the store with this tag.
    pub(in crate::store) fn new(tag: u32) -> Self {
        Self { tag, kept: Mutex::default(), decoded: AtomicU64::new(0) }
    }

    /// The record that takes this position, if there is one.
    pub(in crate::store) fn record(
        &self,
        log: &impl Rows,
        position: u64,
    ) -> Result<Option<Record>, Failure> {
        self.read(log, position, Record::read)
    }

    /// The same, [skimmed](Record::skim).
    pub(in crate::store) fn skim(
        &self,
        log: &impl Rows,
        position: u64,
    ) -> Result<Option<Record>, Failure> {
        self.read(log, position, Record::skim)
    }

    /// The record that must be at this position.
    pub(in crate::store) fn expect(
        &self,
        log: &impl Rows,
        position: u64,
    ) -> Result<Record, Failure> {
        Ok(self.record(log, position)?.ok_or(Damaged { position })?)
    }

    /// What the record is that takes this position, if there is one. Decodes nothing.
    pub(in crate::store) fn kind(
        &self,
        log: &impl Rows,
        position: u64,
    ) -> Result<Option<RecordKind>, Failure> {
        let segment = self.segment(log, position)?;
        Ok(segment.and_then(|segment| Some(segment.find(position)?.kind)))
    }

    fn read(
        &self,
        log: &impl Rows,
        position: u64,
        read: impl FnOnce(&Entry<'_>, u32) -> Result<Record, Damaged>,
    ) -> Result<Option<Record>, Failure> {
        let Some(segment) = self.segment(log, position)? else { return Ok(None) };
        let Some(entry) = segment.find(position) else { return Ok(None) };
        self.decoded.fetch_add(1, Ordering::Relaxed);
        Ok(Some(read(&entry, self.tag)?))
    }

    /// How many records it has decoded.
    #[cfg(test)]
    pub(in crate::store) fn decoded(&self) -> u64 {
        self.decoded.load(Ordering::Relaxed)
    }

    /// Forgets what was read: the log has changed behind it.
    pub(in crate::store) fn clear(&self) {
        lock(&self.kept).clear();
    }

    fn segment(&self, log: &impl Rows, position: u64) -> Result<Option<Arc<Segment>>, Failure> {
        let kept = || lock(&self.kept);
        if let Some(segment) = kept().iter().find(|segment| segment.covers(position)) {
            return Ok(Some(Arc::clone(segment)));
        }
        let Some(segment) = log.last_row(position, Segment::read)? else { return Ok(None) };
        let segment = segment?;
        if !segment.covers(position) {
            return Ok(None);
        }
        let segment = Arc::new(segment);
        let mut kept = kept();
        kept.push_front(Arc::clone(&segment));
        kept.truncate(SEGMENTS_KEPT);
        Ok(Some(segment))
    }
}
