//! How much memory one instance may have, for all calls that are made in it.
//!
//! Counts all linear memories of the instance together, and all its tables, where wasmtime's own
//! limits count each for itself. Refusing is not trapping: the guest sees an allocation fail, as on
//! a small machine.

use wasmtime::ResourceLimiter;

use crate::plugin::engine::{
    ALL_TABLE_ELEMENTS_MAX, INSTANCES_MAX, MEMORIES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX,
};

/// The memory of one instance.
#[derive(Debug)]
pub(super) struct MemoryLimit {
    /// How much there is as long as it lives.
    pub(super) most: usize,
    left: usize,
    /// How many elements all its tables may still grow by.
    elements_left: usize,
    /// Whether the guest asked for more memory than there was.
    pub(super) exceeded: bool,
}

impl MemoryLimit {
    /// A limit of so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        let elements_left = ALL_TABLE_ELEMENTS_MAX;
        Self { most: bytes, left: bytes, elements_left, exceeded: false }
    }

    /// How many bytes there are: memory never shrinks, so it is the most that there were.
    pub(super) fn used(&self) -> usize {
        self.most - self.left
    }

    /// Whether less than a quarter is left of the memory, or of the elements of tables: what the
    /// next call needs may not be there.
    pub(super) fn is_short(&self) -> bool {
        self.left < self.most / 4 || self.elements_left < ALL_TABLE_ELEMENTS_MAX / 4
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let Some(left) = self.left.checked_sub(desired.saturating_sub(current)) else {
            self.exceeded = true;
            return Ok(false);
        };
        self.left = left;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // What wasmtime refuses behind this must not be counted.
        let most = maximum.unwrap_or(TABLE_ELEMENTS_MAX).min(TABLE_ELEMENTS_MAX);
        let left = self.elements_left.checked_sub(desired.saturating_sub(current));
        let Some(left) = left.filter(|_| desired <= most) else { return Ok(false) };
        self.elements_left = left;
        Ok(true)
    }

    fn instances(&self) -> usize {
        INSTANCES_MAX as usize
    }

    fn tables(&self) -> usize {
        TABLES_MAX as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_memories_share_one_limit() {
        let mut limit = MemoryLimit::new(100);
        assert!(limit.memory_growing(0, 60, None).unwrap());
        assert!(!limit.exceeded && !limit.is_short());
        assert!(!limit.memory_growing(0, 60, None).unwrap());
        assert!(limit.exceeded);
        assert!(limit.memory_growing(60, 100, None).unwrap());
        assert!(limit.is_short());
        assert_eq!(limit.used(), 100);
    }

    #[test]
    fn all_tables_share_one_limit_and_each_has_its_own() {
        let mut limit = MemoryLimit::new(100);
        assert!(!limit.table_growing(0, TABLE_ELEMENTS_MAX + 1, None).unwrap());
        assert!(!limit.table_growing(0, 11, Some(10)).unwrap());
        assert!(limit.table_growing(0, TABLE_ELEMENTS_MAX, None).unwrap());
        assert!(!limit.is_short());
        assert!(limit.table_growing(0, TABLE_ELEMENTS_MAX - 10, None).unwrap());
        // Without the elements in `is_short` the next call finds none left.
        assert!(limit.is_short());
        assert!(!limit.table_growing(0, 11, None).unwrap());
        assert!(limit.table_growing(0, 10, Some(10)).unwrap());
        assert!(!limit.exceeded);
    }
}
