//! The memory that a plugin's module starts with: its stack, its data, and room for a small heap.
//!
//! Growing memory is a system call in every call that needs it, and every page that a module
//! starts with is cleared after every call. A linker gives room for a heap in whole pages only, so
//! the room that is left in the last page of data would be there twice. Never makes a memory
//! smaller.

use wasmparser::{ExternalKind, Operator, Parser, Payload};

/// What a call of a small request needs, and a little more.
const HEAP_BYTES: u64 = 24 << 10;
/// What a linker calls the end of the stack and the data.
const HEAP_BASE: &str = "__heap_base";
const PAGE_BYTES: u64 = 64 << 10;

/// Gives a module room for a heap, if it says where its heap begins and has less.
pub(super) fn give(wasm: &mut [u8]) {
    if let Some((place, pages)) = missing(wasm) {
        wasm[place] = pages;
    }
}

/// Where the number of pages is that the module starts with, which has one byte, and what it should
/// be.
fn missing(wasm: &[u8]) -> Option<(usize, u8)> {
    let (mut place, mut globals, mut base) = (None, Vec::new(), None);
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.ok()? {
            // One memory: the count, the flags, and the number of pages.
            Payload::MemorySection(memories) if memories.count() == 1 => {
                place = usize::try_from(memories.range().start + 2).ok();
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    globals.push(
                        match global.ok()?.init_expr.get_operators_reader().read().ok()? {
                            Operator::I32Const { value } => u64::try_from(value).ok(),
                            _ => None,
                        },
                    );
                }
            }
            Payload::ExportSection(exports) => {
                let mut exports = exports.into_iter().map_while(Result::ok);
                base = exports
                    .find(|it| it.name == HEAP_BASE && it.kind == ExternalKind::Global)
                    .map(|it| it.index);
            }
            _ => (),
        }
    }
    let base = (*globals.get(usize::try_from(base?).ok()?)?)?;
    let pages = u8::try_from((base + HEAP_BYTES).div_ceil(PAGE_BYTES)).ok()?;
    let place = place?;
    // From 128 on, a number has two bytes; such a module has room enough.
    (wasm[place] < pages && pages < 128).then_some((place, pages))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pages of a module that starts with so many, and whose heap begins there.
    fn given(pages: u32, base: u64) -> u64 {
        let module = format!(
            "(module (memory {pages}) (global i32 (i32.const 7)) (global i32 (i32.const {base})) \
             (export \"__heap_base\" (global 1)))"
        );
        let mut wasm = wat::parse_str(module).unwrap();
        give(&mut wasm);
        wasmparser::validate(&wasm).unwrap();
        let memory = Parser::new(0).parse_all(&wasm).find_map(|payload| match payload.unwrap() {
            Payload::MemorySection(memories) => memories.into_iter().next(),
            _ => None,
        });
        memory.unwrap().unwrap().initial
    }

    #[test]
    fn a_module_gets_room_for_its_heap_in_as_few_pages_as_there_are() {
        assert_eq!(given(1, PAGE_BYTES - HEAP_BYTES), 1);
        assert_eq!(given(1, PAGE_BYTES - HEAP_BYTES + 1), 2);
        assert_eq!(given(2, 100_000), 2);
        assert_eq!(given(2, 110_000), 3);
    }

    #[test]
    fn a_module_never_gets_less_than_it_asks_for() {
        assert_eq!(given(9, 1_000), 9);
        assert_eq!(given(200, 1_000), 200);
        assert_eq!(given(120, 126 * PAGE_BYTES), 127);
        assert_eq!(given(120, 127 * PAGE_BYTES), 120);
    }

    #[test]
    fn what_does_not_say_where_its_heap_begins_stays_as_it_is() {
        for module in ["(module)", "(module (memory 1))", "(component)"] {
            let mut wasm = wat::parse_str(module).unwrap();
            let before = wasm.clone();
            give(&mut wasm);
            assert_eq!(wasm, before);
        }
        give(&mut b"no wasm".to_vec());
    }
}
