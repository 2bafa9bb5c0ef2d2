//! What open works are on, read in the log: once for all works on it that are asked for one after
//! the other.
//!
//! Reads no bodies of what is only passed by. Never knows how a work stands.

use super::backlog::{OpenWork, OrderKeys};
use super::works::Stored;
use crate::event::Timestamp;
use crate::store::error::{Damaged, Failure};
use crate::store::log::reader::LogReader;
use crate::store::rows::Rows;

/// What open works are on that come one after the other. Ten thousand may be on one event: it is
/// decoded once for all of them.
#[derive(Debug)]
pub(in crate::store) struct Owing {
    reader: LogReader,
    last: Option<Stored>,
}

impl Owing {
    pub(in crate::store) fn new(tag: u32) -> Self {
        Self { reader: LogReader::new(tag), last: None }
    }

    /// The work at this position, as if it was never tried.
    pub(in crate::store) fn work(
        &mut self,
        log: &impl Rows,
        position: u64,
        keys: &OrderKeys,
    ) -> Result<OpenWork, Failure> {
        if self.last.as_ref().is_none_or(|last| !last.covers(position)) {
            self.last = self.reader.skim(log, position)?.and_then(Stored::of);
        }
        let work = self.last.as_ref().and_then(|last| last.work_at(position, keys));
        Ok(work.ok_or(Damaged { position })?)
    }

    /// When that was written which the last work is on, by its own account.
    pub(in crate::store) fn written_at(&self) -> Option<Timestamp> {
        self.last.as_ref().map(Stored::written_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::samples::event;
    use crate::store::log::record::EventRecord;
    use crate::store::log::segment::{RecordKind, SegmentWriter};

    /// A log of one segment.
    struct OneSegment(u64, Vec<u8>);

    impl Rows for OneSegment {
        fn row<R>(&self, number: u64, read: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, Failure> {
            Ok((number == self.0).then(|| read(&self.1)))
        }

        fn last_row<R>(
            &self,
            number: u64,
            read: impl FnOnce(u64, &[u8]) -> R,
        ) -> Result<Option<R>, Failure> {
            Ok((number >= self.0).then(|| read(self.0, &self.1)))
        }
    }

    #[test]
    fn an_event_is_decoded_once_for_all_its_open_works() {
        let mut writer = SegmentWriter::new(7);
        for position in [7, 11] {
            let new = event("evt_1", "pi_1").to(&["ledger"], &["crm", "erp"]);
            let stored = new.stored(position);
            writer.push(RecordKind::Event, stored.width(), &EventRecord::of(&stored));
        }
        let (first, packed) = writer.finish();
        let log = OneSegment(first, packed.to_vec());
        let keys = OrderKeys::default();

        let mut owing = Owing::new(0);
        for position in [8, 9, 10, 12, 13, 14] {
            let work = owing.work(&log, position, &keys).unwrap();
            assert_eq!(work.entry.position, position);
            let offset = work.entry.offset;
            assert_eq!(work.group.as_str(), ["ledger", "crm", "erp"][offset as usize - 1]);
            assert_eq!(work.entry.order.is_some(), offset == 1, "only runs go in order");
        }
        assert_eq!(owing.reader.decoded(), 2);
        assert!(owing.work(&log, 11, &keys).is_err(), "an event itself is no work");
    }
}
