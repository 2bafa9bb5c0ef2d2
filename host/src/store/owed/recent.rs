//! What was stored last, or opened again, and is worked on: kept in memory so that neither fresh
//! work nor a replay has whoever takes works read the file.
//!
//! Pure. Bounded by bytes; the oldest goes first. What all work on has ended goes at once: where
//! works flow, little is kept, and what comes next gets memory that is still near the processor.
//! Holds only what is committed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::works::Stored;

/// The latest of what is stored.
#[derive(Debug)]
pub(in crate::store) struct Recent {
    bytes_max: usize,
    bytes: usize,
    /// By position: the first is the oldest.
    kept: BTreeMap<u64, Kept>,
}

#[derive(Debug)]
struct Kept {
    stored: Stored,
    /// What it takes.
    bytes: usize,
    /// Works on it that have not ended; of a receipt also the events that go back to it, which may
    /// be delivered as it came. Of what was read again only those count that were opened again:
    /// where another ends, it goes too soon, and whoever asks for it reads the file.
    open: usize,
}

impl Recent {
    pub(in crate::store) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, bytes: 0, kept: BTreeMap::new() }
    }

    /// Keeps what was stored behind all else, unless nobody works on it.
    pub(in crate::store) fn keep(&mut self, stored: Stored) {
        let (position, bytes, open) = (stored.id().position, stored.bytes(), stored.works_max());
        if open > 0 {
            self.put(position, Kept { stored, bytes, open });
        }
    }

    /// Keeps what a work was opened again on: it was read for that, and whoever takes the work asks
    /// for it next.
    pub(in crate::store) fn keep_again(&mut self, stored: Stored) {
        let (position, bytes) = (stored.id().position, stored.bytes());
        match self.kept.get_mut(&position) {
            Some(kept) => kept.open += 1,
            None => self.put(position, Kept { stored, bytes, open: 1 }),
        }
    }

    fn put(&mut self, position: u64, kept: Kept) {
        if let Some(receipt) = receipt_of(&kept.stored).and_then(|it| self.kept.get_mut(&it)) {
            receipt.open += 1;
        }
        self.bytes += kept.bytes;
        self.kept.insert(position, kept);
        while self.bytes > self.bytes_max {
            let Some((_, oldest)) = self.kept.pop_first() else { break };
            self.bytes -= oldest.bytes;
        }
    }

    /// A work has ended on what stands at this position. Adds to `gone` what is not kept any more.
    pub(in crate::store) fn ended(&mut self, position: u64, gone: &mut Vec<Stored>) {
        let Entry::Occupied(mut kept) = self.kept.entry(position) else { return };
        kept.get_mut().open -= 1;
        if kept.get().open > 0 {
            return;
        }
        let Kept { stored, bytes, .. } = kept.remove();
        self.bytes -= bytes;
        let receipt = receipt_of(&stored);
        gone.push(stored);
        if let Some(receipt) = receipt {
            self.ended(receipt, gone);
        }
    }

    /// What stands at these positions is not what it was any more.
    pub(in crate::store) fn forget(&mut self, positions: &[u64]) {
        for position in positions {
            let gone = self.kept.remove(position);
            self.bytes -= gone.map_or(0, |kept| kept.bytes);
        }
    }

    pub(in crate::store) fn get(&self, position: u64) -> Option<Stored> {
        self.kept.get(&position).map(|kept| kept.stored.clone())
    }
}

/// Where the receipt stands that an event goes back to.
fn receipt_of(stored: &Stored) -> Option<u64> {
    match stored {
        Stored::Event(event) => event.receipt.map(|id| id.position),
        Stored::Receipt(_) | Stored::Parcel(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ids::{Id, IdKind};
    use crate::store::conformance::samples::{self, event};
    use crate::store::facts::{NewReceipt, Receipt};

    fn id(kind: IdKind, position: u64) -> Id {
        Id { kind, position, tag: 0 }
    }

    fn receipt(position: u64) -> Stored {
        let NewReceipt { source, request, event_ids, proven, plugin, trace } =
            samples::receipt(&["evt_1"]);
        let id = id(IdKind::Receipt, position);
        let (taken, body_expired) = (Vec::new(), false);
        let receipt =
            Receipt { id, source, request, event_ids, taken, proven, plugin, trace, body_expired };
        Stored::Receipt(Arc::new(receipt))
    }

    /// An event of the receipt at another position, owed to these endpoints.
    fn of(receipt: u64, position: u64, endpoints: &[&str]) -> Stored {
        let mut stored = event("evt_1", "").to(&[], endpoints).stored(position);
        stored.receipt = Some(id(IdKind::Receipt, receipt));
        Stored::Event(Arc::new(stored))
    }

    /// The positions of what goes when a work at this position ends.
    fn end(recent: &mut Recent, position: u64) -> Vec<u64> {
        let mut gone = Vec::new();
        recent.ended(position, &mut gone);
        gone.iter().map(|stored| stored.id().position).collect()
    }

    #[test]
    fn the_oldest_goes_when_the_room_is_full() {
        let mut recent = Recent::new(3 * receipt(1).bytes());
        for position in 1..=4 {
            recent.keep(receipt(position));
        }
        assert!(recent.get(1).is_none());
        assert!((2..=4).all(|position| recent.get(position).is_some()));
        assert!(end(&mut recent, 1).is_empty(), "it went before its end");
    }

    #[test]
    fn what_is_worked_on_no_more_goes_and_a_receipt_with_the_last_of_its_events() {
        let mut recent = Recent::new(1 << 20);
        recent.keep(receipt(1));
        recent.keep(of(1, 2, &["crm", "erp"]));
        recent.keep(of(1, 5, &[]));
        recent.keep(of(1, 6, &["crm"]));
        assert!(recent.get(5).is_none(), "nobody works on it");

        assert!(end(&mut recent, 1).is_empty(), "it is parsed, and may be delivered as it came");
        assert!(end(&mut recent, 2).is_empty(), "one of its two deliveries");
        assert!(recent.get(1).is_some() && recent.get(2).is_some());
        assert_eq!(end(&mut recent, 2), [2]);
        assert_eq!(end(&mut recent, 6), [6, 1]);
        assert_eq!((recent.bytes, recent.kept.len()), (0, 0));
    }

    /// Have `keep_again` add nothing to what is there, and it goes with the first of both.
    #[test]
    fn what_is_opened_again_is_kept_until_that_has_ended() {
        let mut recent = Recent::new(1 << 20);
        recent.keep_again(of(1, 2, &["crm", "erp"]));
        assert!(recent.get(2).is_some(), "nobody has to read it");
        recent.keep_again(of(1, 2, &["crm", "erp"]));

        assert!(end(&mut recent, 2).is_empty(), "one of the two deliveries");
        assert_eq!(end(&mut recent, 2), [2]);
        assert_eq!((recent.bytes, recent.kept.len()), (0, 0));
    }

    #[test]
    fn what_is_opened_again_goes_before_what_is_new() {
        let mut recent = Recent::new(2 * receipt(9).bytes());
        recent.keep(receipt(8));
        recent.keep(receipt(9));
        recent.keep_again(receipt(1));
        assert_eq!([1, 8, 9].map(|it| recent.get(it).is_some()), [false, true, true]);
    }
}
