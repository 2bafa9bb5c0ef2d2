//! The brackets that are open at a place in a document, a bit each.
//!
//! They take the place of recursion, so that no document overflows a plugin's small stack. Never
//! looks at the document itself.

use crate::limits::JSON_DEPTH_MAX;

/// From the outermost; an object's are set.
#[derive(Debug, Clone, Default)]
pub(super) struct Brackets {
    objects: [u64; JSON_DEPTH_MAX / 64],
    /// How many are open.
    pub(super) depth: usize,
}

impl Brackets {
    /// Opens one more; `None` if as many are open as there may be.
    pub(super) fn open(&mut self, is_object: bool) -> Option<()> {
        let word = self.objects.get_mut(self.depth / 64)?;
        let bit = 1 << (self.depth % 64);
        *word = if is_object { *word | bit } else { *word & !bit };
        self.depth += 1;
        Some(())
    }

    /// Closes the innermost.
    pub(super) fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Whether the innermost is an object's.
    pub(super) fn is_object(&self) -> bool {
        let innermost = self.depth.saturating_sub(1);
        self.objects[innermost / 64] >> (innermost % 64) & 1 == 1
    }
}
