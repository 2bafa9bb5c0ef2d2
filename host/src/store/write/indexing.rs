//! Changes of the index beside a commit: its upkeep, which the writer makes in bounded steps.
//!
//! Never decides what to change: [`crate::store::index`] does.

use std::sync::Arc;

use super::draft::Draft;
use super::op::{Answer, Operation, Reply};
use crate::store::error::Failure;
use crate::store::index::IndexChange;
use crate::store::shared::Shared;

/// Changes of the index. Told is whether they were made.
#[derive(Debug)]
pub(in crate::store) struct WriteIndex {
    pub(in crate::store) shared: Arc<Shared>,
    /// The life of the index that they follow from.
    pub(in crate::store) life: u64,
    /// Shared, because a commit may be drafted more than once.
    pub(in crate::store) changes: Arc<[IndexChange]>,
    pub(in crate::store) reply: Reply<bool>,
}

impl Operation for WriteIndex {
    fn bytes(&self) -> usize {
        self.changes.iter().map(IndexChange::bytes).sum()
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let is_current = self.shared.index.life() == self.life;
        if is_current {
            draft.change_index(Arc::clone(&self.changes));
            draft.leave_segment();
        }
        self.reply.keep(Ok(is_current));
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}
