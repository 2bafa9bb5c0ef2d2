//! What operations see of each other in a draft, and what they look for.

use std::cell::Cell;

use super::*;
use crate::retry::Verdict;
use crate::store::file::kept_rows::Kept;
use crate::store::owed::backlog::{Backlog, Entry, Room};
use crate::store::owed::tally::count::SourceNumber;

/// Nothing is committed.
#[derive(Default)]
struct Nothing {
    /// How often somebody asked how a work stands.
    asked: Cell<usize>,
}

impl Look for Nothing {
    fn owner(&self, _key: IdKey) -> Result<Option<u64>, Failure> {
        Ok(None)
    }

    fn standing(&self, _work: u64) -> Result<Option<Standing>, Failure> {
        self.asked.set(self.asked.get() + 1);
        Ok(None)
    }

    fn letter(&self, _work: u64) -> Result<Option<u8>, Failure> {
        Ok(None)
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
        Ok(None)
    }
}

#[test]
fn an_operation_sees_what_those_before_it_added() {
    let (order_keys, damages) = (OrderKeys::default(), Damages::default());
    let owed = &Owed::new(Backlog::default());
    let terms = Terms::default();
    let (order_keys, damages, terms) = (&order_keys, &damages, &terms);
    let (quotas, used) = (&Quotas::default(), &AllUsed::new());
    let basis = Basis { tag: 0, owed, order_keys, damages, terms, quotas, used };
    let (mut batch, mut changes) = (Batch::new(1), Changes::default());
    let nothing = Nothing::default();
    let mut draft = Draft::new(basis, &nothing, &mut batch, &mut changes);

    let source = "stripe".parse().unwrap();
    let key = IdKey::new(&source, "evt_1");
    assert_eq!(draft.owner(key).unwrap(), None);
    draft.bind(key, &source, 1);
    assert_eq!(draft.owner(key).unwrap(), Some(1));

    let (kind, work, fresh) = (WorkKind::Run, 3, Standing::default());
    let dead = fresh.tried(Verdict::Dead, 5);
    draft.stand((kind, work), fresh, dead, None).unwrap();
    assert_eq!(draft.standing(work).unwrap(), dead);
    assert_eq!(draft.letter(work).unwrap(), Some(kind as u8));
    draft.drop_letter(work).unwrap();
    draft.stand((kind, work), dead, Standing::reopened(6), None).unwrap();
    assert_eq!(draft.letter(work).unwrap(), None);
    assert_eq!(changes.dead[kind], 0, "it died, and its letter was dropped once");
}

#[test]
fn nobody_looks_how_a_work_stands_that_was_never_tried() {
    let kind = WorkKind::Delivery;
    let mut backlog = Backlog::default();
    for (position, tries) in [(1, Tries::default()), (2, Tries::new(1, false))] {
        let source = SourceNumber::default();
        let entry = Entry { position, offset: 0, tries, source, order: None };
        let (group, due) = ("crm".parse().unwrap(), Timestamp(0));
        backlog.push(OpenWork { kind, group, entry, due, since: due, root: None });
    }
    let owed = Arc::new(Owed::new(backlog));
    let taken = owed.backlog().take(kind, Room::of(2, &|_| 2), Timestamp(1));
    let leases = taken.into_iter().map(|work| Lease::new(work, Arc::clone(&owed)));
    let (order_keys, damages) = (OrderKeys::default(), Damages::default());
    let terms = Terms::default();
    let (order_keys, damages, terms) = (&order_keys, &damages, &terms);
    let (owed, quotas, used) = (&*owed, &Quotas::default(), &AllUsed::new());
    let basis = Basis { tag: 0, owed, order_keys, damages, terms, quotas, used };
    let (mut batch, mut changes) = (Batch::new(3), Changes::default());
    let nothing = Nothing::default();
    let draft = Draft::new(basis, &nothing, &mut batch, &mut changes);

    let asked = leases.map(|lease| {
        draft.standing_of(&lease).unwrap();
        nothing.asked.get()
    });

    assert_eq!(asked.collect::<Vec<_>>(), [0, 1]);
}
