//! The allocator of a plugin: it bumps a pointer and gives back next to nothing, until no block is
//! left.
//!
//! An instance lives for one request or run, so a fast start counts: the heap begins in the memory
//! that the module starts with, and small work never asks for more. Behind `claim` nothing is left
//! of a plugin that keeps nothing, so `parse` of the same request begins where `claim` did. Never
//! use it in an instance that serves many calls: turn off the feature `bump-allocator` there.

/// Bytes of a page of WebAssembly memory.
pub(crate) const PAGE: usize = 65_536;
/// Most pages that the heap grows by beyond what a block needs.
const GROWTH_MAX: usize = 256;

/// Where the heap stands: memory from `base` to `next` is in use, memory from there to `end` is
/// free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heap {
    pub(crate) base: usize,
    pub(crate) next: usize,
    pub(crate) end: usize,
    /// The number of blocks in use.
    pub(crate) blocks: usize,
}

impl Heap {
    /// Where a block would lie, from its first byte to behind its last; `None` beyond the address
    /// space. `align` is a power of two.
    pub(crate) fn place(self, size: usize, align: usize) -> Option<(usize, usize)> {
        let start = self.next.checked_next_multiple_of(align)?;
        Some((start, start.checked_add(size)?))
    }

    /// The heap with one more block, which ends there.
    pub(crate) fn with(self, behind: usize) -> Self {
        Self { next: behind, blocks: self.blocks + 1, ..self }
    }

    /// The heap without this block. Its memory is free again if it is the last block, and all
    /// memory is if no other is in use.
    pub(crate) fn without(self, start: usize, size: usize) -> Self {
        let blocks = self.blocks.saturating_sub(1);
        let is_last = start + size == self.next;
        let next = if is_last { start } else { self.next };
        Self { next: if blocks == 0 { self.base } else { next }, blocks, ..self }
    }

    /// The number of pages that are missing until memory reaches `behind`.
    pub(crate) fn missing(self, behind: usize) -> usize {
        behind.saturating_sub(self.end).div_ceil(PAGE)
    }

    /// The number of pages to ask for when some are missing: as many as there are, up to
    /// [`GROWTH_MAX`], so that a call that needs much memory asks seldom.
    pub(crate) fn growth(self, missing: usize) -> usize {
        missing.max((self.end / PAGE).min(GROWTH_MAX))
    }

    /// The heap after memory grew by `pages` from the address `from`. That is `end` unless other
    /// code grew the memory too; then the memory between the two belongs to that code.
    pub(crate) fn grown(self, from: usize, pages: usize) -> Self {
        let end = from.saturating_add(pages.saturating_mul(PAGE));
        if from == self.end {
            return Self { end, ..self };
        }
        Self { base: from, next: from, end, ..self }
    }
}

#[cfg(all(target_arch = "wasm32", target_os = "unknown", not(target_feature = "atomics")))]
mod wasm {
    use core::alloc::{GlobalAlloc, Layout};
    use core::arch::wasm32::{memory_grow, memory_size};
    use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::{Heap, PAGE};

    #[global_allocator]
    static ALLOCATOR: Bump = Bump {
        base: AtomicUsize::new(0),
        next: AtomicUsize::new(0),
        end: AtomicUsize::new(0),
        blocks: AtomicUsize::new(0),
    };

    /// One thread, so the atomics are plain cells that may stand in a static.
    struct Bump {
        base: AtomicUsize,
        next: AtomicUsize,
        end: AtomicUsize,
        blocks: AtomicUsize,
    }

    impl Bump {
        fn heap(&self) -> Heap {
            let end = self.end.load(Relaxed);
            if end != 0 {
                return Heap {
                    base: self.base.load(Relaxed),
                    next: self.next.load(Relaxed),
                    end,
                    blocks: self.blocks.load(Relaxed),
                };
            }
            #[expect(unsafe_code, reason = "only its address is used, which the linker provides")]
            let base = {
                unsafe extern "C" {
                    safe static __heap_base: u8;
                }
                (&raw const __heap_base).addr()
            };
            Heap { base, next: base, end: memory_size(0).saturating_mul(PAGE), blocks: 0 }
        }

        fn keep(&self, heap: Heap) {
            self.base.store(heap.base, Relaxed);
            self.next.store(heap.next, Relaxed);
            self.end.store(heap.end, Relaxed);
            self.blocks.store(heap.blocks, Relaxed);
        }

        /// Takes a block, growing memory if it must; `None` if it can't.
        fn take(&self, size: usize, align: usize) -> Option<usize> {
            let mut heap = self.heap();
            loop {
                let (start, behind) = heap.place(size, align)?;
                let missing = heap.missing(behind);
                if missing == 0 {
                    self.keep(heap.with(behind));
                    return Some(start);
                }
                heap = grow(heap, heap.growth(missing)).or_else(|| grow(heap, missing))?;
            }
        }
    }

    fn grow(heap: Heap, pages: usize) -> Option<Heap> {
        let from = memory_grow(0, pages);
        (from != usize::MAX).then(|| heap.grown(from.saturating_mul(PAGE), pages))
    }

    #[expect(
        unsafe_code,
        reason = "the trait is unsafe; blocks are disjoint, aligned and in memory"
    )]
    unsafe impl GlobalAlloc for Bump {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            match self.take(layout.size(), layout.align()) {
                Some(start) => core::ptr::with_exposed_provenance_mut(start),
                None => core::ptr::null_mut(),
            }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            self.keep(self.heap().without(block.addr(), layout.size()));
        }

        unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            let heap = self.heap();
            if block.addr() + layout.size() == heap.next {
                // The last block is taken again from its own start, so that it stays where it is.
                self.keep(Heap {
                    next: block.addr(),
                    blocks: heap.blocks.saturating_sub(1),
                    ..heap
                });
            } else if size <= layout.size() {
                return block;
            } else {
                // The new block is counted in its place.
                self.keep(Heap { blocks: heap.blocks.saturating_sub(1), ..heap });
            }
            let Some(start) = self.take(size, layout.align()) else {
                self.keep(heap);
                return core::ptr::null_mut();
            };
            let moved: *mut u8 = core::ptr::with_exposed_provenance_mut(start);
            if start != block.addr() {
                // SAFETY: the new block lies behind the old one, and the smaller length fits both.
                unsafe { block.copy_to_nonoverlapping(moved, layout.size().min(size)) };
            }
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAP: Heap = Heap { base: 1_000, next: 1_001, end: PAGE, blocks: 1 };

    #[test]
    fn a_block_is_aligned() {
        assert_eq!(HEAP.place(10, 1), Some((1_001, 1_011)));
        assert_eq!(HEAP.place(10, 8), Some((1_008, 1_018)));
        assert_eq!(HEAP.place(0, 16), Some((1_008, 1_008)));
    }

    #[test]
    fn what_is_beyond_the_address_space_is_no_block() {
        assert_eq!(HEAP.place(usize::MAX, 1), None);
        let full = Heap { next: usize::MAX - 2, end: usize::MAX, ..HEAP };
        assert_eq!(full.place(1, 16), None);
        assert_eq!(full.place(2, 1), Some((usize::MAX - 2, usize::MAX)));
    }

    #[test]
    fn memory_grows_by_what_is_missing_and_more() {
        assert_eq!(HEAP.missing(PAGE), 0);
        assert_eq!(HEAP.missing(PAGE + 1), 1);
        assert_eq!(HEAP.missing(3 * PAGE), 2);
        assert_eq!(HEAP.growth(1), 1);
        assert_eq!(Heap { next: 0, end: 10 * PAGE, ..HEAP }.growth(1), 10);
        assert_eq!(Heap { next: 0, end: 10_000 * PAGE, ..HEAP }.growth(1), GROWTH_MAX);
        assert_eq!(HEAP.growth(700), 700);
    }

    #[test]
    fn what_somebody_else_grew_is_theirs() {
        assert_eq!(HEAP.grown(PAGE, 2), Heap { end: 3 * PAGE, ..HEAP });
        let beyond = Heap { base: 4 * PAGE, next: 4 * PAGE, end: 6 * PAGE, ..HEAP };
        assert_eq!(HEAP.grown(4 * PAGE, 2), beyond);
        // Nor is it the heap's when no block is left.
        assert_eq!(beyond.without(1_000, 1).next, 4 * PAGE);
    }

    #[test]
    fn a_heap_without_blocks_begins_anew() {
        let two = HEAP.with(1_010);
        assert_eq!(two.without(1_001, 9), HEAP);
        assert_eq!(two.without(1_000, 1), Heap { blocks: 1, ..two });
        let none = Heap { next: HEAP.base, blocks: 0, ..HEAP };
        assert_eq!(two.without(1_000, 1).without(1_001, 9), none);
        assert_eq!(two.without(1_001, 9).without(1_000, 1), none);
    }

    proptest! {
        #[test]
        fn blocks_lie_behind_one_another(sizes in prop::collection::vec((0_usize..5_000, 0_u32..7), 1..50)) {
            let mut heap = HEAP;
            for (size, log2) in sizes {
                let align = 1 << log2;
                let (start, behind) = heap.place(size, align).unwrap();
                prop_assert!(start >= heap.next && start % align == 0 && behind - start == size);
                let missing = heap.missing(behind);
                if missing > 0 {
                    heap = heap.grown(heap.end, heap.growth(missing));
                }
                prop_assert!(behind <= heap.end);
                heap = heap.with(behind);
            }
        }
    }
}
