//! How often a replay looks at what it opens again.

use std::cell::Cell;
use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;
use crate::event::Timestamp;
use crate::ids::IdKind;
use crate::retry::Verdict;
use crate::store::conformance::samples::event;
use crate::store::damage::Damages;
use crate::store::facts::StoredEvent;
use crate::store::file::kept_rows::Kept;
use crate::store::ids::IdKey;
use crate::store::ids::terms::Terms;
use crate::store::log::record::Record;
use crate::store::owed::Owed;
use crate::store::owed::backlog::{Backlog, OrderKeys};
use crate::store::owed::standing::Standing;
use crate::store::state::{AllUsed, Quotas};
use crate::store::write::batch::Batch;
use crate::store::write::draft::{Basis, Changes};
use crate::store::write::look::Look;

/// An event is committed, all works on it are dead, and it is the whole log.
struct OneEvent {
    stored: StoredEvent,
    /// How often somebody read it.
    read: Cell<usize>,
}

impl Look for OneEvent {
    fn owner(&self, _key: IdKey) -> Result<Option<u64>, Failure> {
        Ok(None)
    }

    fn standing(&self, _work: u64) -> Result<Option<Standing>, Failure> {
        Ok(Some(Standing::default().tried(Verdict::Dead, 50)))
    }

    fn letter(&self, _work: u64) -> Result<Option<u8>, Failure> {
        Ok(Some(WorkKind::Delivery as u8))
    }

    fn since(&self, _work: u64) -> Result<Option<Timestamp>, Failure> {
        Ok(None)
    }

    fn state(&self, _key: &[u8]) -> Result<Option<Bytes>, Failure> {
        Ok(None)
    }

    fn replays(&self) -> Result<BTreeMap<u64, Bytes>, Failure> {
        Ok(BTreeMap::new())
    }

    fn kept(&self, _kept: Kept, _key: &[u8]) -> Result<Option<Bytes>, Failure> {
        Ok(None)
    }

    fn all_kept(&self, _kept: Kept) -> Result<BTreeMap<Vec<u8>, Bytes>, Failure> {
        Ok(BTreeMap::new())
    }

    fn record(&self, _position: u64) -> Result<Option<Record>, Failure> {
        self.read.set(self.read.get() + 1);
        Ok(Some(Record::Event(self.stored.clone())))
    }
}

/// Has somebody draft on it, and gives what they say.
fn drafted<T>(
    one_event: &OneEvent,
    changes: &mut Changes,
    draft: impl FnOnce(&mut Draft<'_>) -> T,
) -> T {
    let (order_keys, damages) = (OrderKeys::default(), Damages::default());
    let owed = &Owed::new(Backlog::default());
    let terms = Terms::default();
    let (order_keys, damages, terms) = (&order_keys, &damages, &terms);
    let (quotas, used) = (&Quotas::default(), &AllUsed::new());
    let basis = Basis { tag: 0, owed, order_keys, damages, terms, quotas, used };
    let mut batch = Batch::new(60);
    draft(&mut Draft::new(basis, one_event, &mut batch, changes))
}

#[test]
fn the_deliveries_of_an_event_are_replayed_with_one_look_at_it() {
    let new = event("evt_1", "").to(&[], &["crm", "erp", "ledger"]);
    let one_event = OneEvent { stored: new.stored(7), read: Cell::new(0) };
    let mut changes = Changes::default();

    let target = |position| {
        let id = Id { kind: IdKind::Delivery, position, tag: 0 };
        Target { id, only: None, is_named: true }
    };
    let targets: Vec<Target> = (8..=10).map(target).collect();
    let replayed = drafted(&one_event, &mut changes, |draft| draft.replay(&targets).unwrap());
    let Ok(replayed) = replayed else { panic!("all are known") };

    assert_eq!(replayed, Replayed { reopened: 3, ..Replayed::default() });
    assert_eq!(one_event.read.get(), 1);
    // Take `keep_again` out of the replay, and whoever takes these reads the file.
    let kept = changes.read_again.iter().map(|stored| stored.id().position);
    assert_eq!(kept.collect::<Vec<_>>(), [7; 3]);
    let opened = changes.opened.iter().map(|work| work.group.as_str());
    assert_eq!(opened.collect::<Vec<_>>(), ["crm", "erp", "ledger"]);
}

/// Leave `is_blanked` out of the replay, and a handler gets what an erasure blanks in the same
/// commit.
#[test]
fn what_the_same_commit_blanks_is_not_replayed() {
    let new = event("evt_1", "").to(&["ledger"], &["crm"]);
    let one_event = OneEvent { stored: new.stored(7), read: Cell::new(0) };
    let mut changes = Changes::default();

    let id = Id { kind: IdKind::Event, position: 7, tag: 0 };
    let replayed = drafted(&one_event, &mut changes, |draft| {
        draft.note_blanked(&[7]);
        draft.replay(&[Target { id, only: None, is_named: true }]).unwrap()
    });

    let Ok(replayed) = replayed else { panic!("it is known") };
    assert_eq!(replayed, Replayed { unchanged: 2, ..Replayed::default() });
    assert!(changes.opened.is_empty() && changes.read_again.is_empty());
}
