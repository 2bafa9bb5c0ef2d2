//! The brackets that are open at a place in a document, one bit for each.
//!
//! This replaces recursion, so that no document overflows a plugin's small stack. It never reads
//! the document itself.

use crate::limits::JSON_DEPTH_MAX;

/// A stack of bits, the outermost bracket first. The bit of an object's bracket is set.
#[derive(Debug, Clone, Default)]
pub(super) struct Brackets {
    objects: [u64; JSON_DEPTH_MAX / 64],
    /// How many are open.
    pub(super) depth: usize,
}

impl Brackets {
    /// Opens a bracket; `None` if [`JSON_DEPTH_MAX`] are open already.
    pub(super) fn open(&mut self, is_object: bool) -> Option<()> {
        let word = self.objects.get_mut(self.depth / 64)?;
        let bit = 1 << (self.depth % 64);
        *word = if is_object { *word | bit } else { *word & !bit };
        self.depth += 1;
        Some(())
    }

    /// Closes the innermost bracket.
    pub(super) fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Whether the innermost bracket is an object's.
    pub(super) fn is_object(&self) -> bool {
        let innermost = self.depth.saturating_sub(1);
        self.objects[innermost / 64] >> (innermost % 64) & 1 == 1
    }
}
