//! What changes in memory when a batch is committed.
//!
//! Values. Never says what is written.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::kind::{PerKind, WorkKind};
use crate::store::owed::backlog::OpenWork;
use crate::store::owed::replays::OpenReplay;
use crate::store::owed::standing::Standing;
use crate::store::owed::works::Stored;

/// What changes in memory when the batch is committed.
#[derive(Debug, Default)]
pub(in crate::store) struct Changes {
    /// Works that may now be taken.
    pub(in crate::store) opened: Vec<OpenWork>,
    /// Works that were tried, in the order of their operations, and how they stand now.
    pub(in crate::store) tried: Vec<(WorkKind, u64, Standing)>,
    /// Works that need not wait any more. With each since when it waited, as far as its row says.
    pub(in crate::store) hastened: Vec<(OpenWork, Option<Timestamp>)>,
    /// What was stored.
    pub(in crate::store) stored: Vec<Stored>,
    /// What was read of the log to open a work again, once for each.
    pub(in crate::store) read_again: Vec<Stored>,
    /// Works that were done when what owes them was stored, in the order of their positions.
    pub(in crate::store) finished: Vec<(WorkKind, u64, Standing)>,
    /// The sources of which a receipt is to be parsed from this commit on.
    pub(super) unparsed: FxHashSet<Name>,
    /// The works of `tried` that go by their positions alone.
    pub(in crate::store) in_order: InOrder,
    /// How many parses of each source were tried.
    pub(super) parses_tried: FxHashMap<Name, usize>,
    /// More dead works of a kind, or fewer.
    pub(in crate::store) dead: PerKind<i64>,
    /// The replays by filter that are not finished, if one begins or ends.
    pub(in crate::store) replays: Option<Vec<OpenReplay>>,
    /// Where records stand that were blanked.
    pub(in crate::store) blanked: Vec<u64>,
    /// Segments were removed or written anew.
    pub(in crate::store) swept: bool,
}

/// Works that go by their positions alone: all runs, and some deliveries.
#[derive(Debug, Default)]
pub(in crate::store) struct InOrder(FxHashSet<u64>);

impl InOrder {
    /// A work does, or does not.
    pub(super) fn note(&mut self, (kind, work): (WorkKind, u64), by_position: bool) {
        if kind == WorkKind::Delivery && by_position {
            self.0.insert(work);
        } else if !self.0.is_empty() {
            self.0.remove(&work);
        }
    }

    pub(in crate::store) fn has(&self, kind: WorkKind, work: u64) -> bool {
        kind == WorkKind::Run || self.0.contains(&work)
    }
}
