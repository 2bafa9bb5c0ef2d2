//! How much memory one instance may have, for a call or for two about one request.
//!
//! Counts all linear memories of the instance together, where wasmtime's own limits count each for
//! itself. Refusing is not trapping: the guest sees an allocation fail, as on a small machine.

use wasmtime::ResourceLimiter;

use crate::plugin::engine::{INSTANCES_MAX, MEMORIES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX};

/// The memory of one instance.
#[derive(Debug)]
pub(super) struct MemoryLimit {
    /// How much there is as long as it lives.
    pub(super) most: usize,
    left: usize,
    /// Whether the guest asked for more than there was.
    pub(super) exceeded: bool,
}

impl MemoryLimit {
    /// A limit of so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self { most: bytes, left: bytes, exceeded: false }
    }

    /// How many bytes there are: memory never shrinks, so it is the most that there were.
    pub(super) fn used(&self) -> usize {
        self.most - self.left
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
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
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
        assert!(!limit.exceeded);
        assert!(!limit.memory_growing(0, 60, None).unwrap());
        assert!(limit.exceeded);
        assert!(limit.memory_growing(60, 100, None).unwrap());
        assert_eq!(limit.used(), 100);
    }
}
