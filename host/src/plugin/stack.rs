//! How large a guest's stack is: what a crate asks for, and what a module was linked with.
//!
//! The stack lies below everything else in the guest's memory, so that one that overflows leaves
//! memory and traps instead of overwriting data. Never decides what a guest may do.

use std::fmt;
use std::str::FromStr;

use wasmparser::{Operator, Parser, Payload, ValType};

/// Sizes that a crate may ask for, in KiB.
const KIB: std::ops::RangeInclusive<u32> = 16..=4096;
/// What a crate gets that asks for nothing: enough to read JSON with `serde_json::Value`, which
/// follows 127 levels of brackets, with as much again for what the plugin makes of it.
const KIB_DEFAULT: u32 = 128;

/// The size of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stack {
    bytes: u32,
}

/// A text that is no size of a stack.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not a stack size from {min}KiB to {max}KiB, such as 256KiB",
    min = KIB.start(), max = KIB.end()
)]
pub(crate) struct InvalidStack(String);

impl Stack {
    /// The stack that a module was linked with, if it can be told: what linkers call the stack
    /// pointer is the first global, and begins at the end of the stack.
    pub(crate) fn of_module(wasm: &[u8]) -> Option<Self> {
        let mut sections = Parser::new(0).parse_all(wasm).map_while(Result::ok);
        let globals = sections.find_map(|section| match section {
            Payload::GlobalSection(globals) => Some(globals),
            _ => None,
        })?;
        let pointer = globals.into_iter().next()?.ok()?;
        let is_pointer = pointer.ty.mutable && pointer.ty.content_type == ValType::I32;
        match pointer.init_expr.get_operators_reader().read().ok()? {
            Operator::I32Const { value } if is_pointer => {
                u32::try_from(value).ok().filter(|&bytes| bytes > 0).map(|bytes| Self { bytes })
            }
            _ => None,
        }
    }

    /// In bytes.
    pub(crate) fn bytes(self) -> u32 {
        self.bytes
    }
}

impl Default for Stack {
    fn default() -> Self {
        Self { bytes: KIB_DEFAULT << 10 }
    }
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} KiB", self.bytes >> 10)
    }
}

impl FromStr for Stack {
    type Err = InvalidStack;

    fn from_str(text: &str) -> Result<Self, InvalidStack> {
        let size = text
            .strip_suffix("KiB")
            .and_then(|kib| kib.trim_end().parse().ok())
            .filter(|kib| KIB.contains(kib))
            .map(|kib: u32| Self { bytes: kib << 10 });
        size.ok_or_else(|| InvalidStack(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_asks_for_a_size_within_bounds() {
        for (text, kib) in [("16KiB", 16), ("256KiB", 256), ("256 KiB", 256), ("4096KiB", 4096)] {
            assert_eq!(text.parse::<Stack>().unwrap().bytes(), kib << 10, "{text}");
        }
        for text in ["", "KiB", "15KiB", "4097KiB", "1MiB", "256", "-1KiB", "99999999999KiB"] {
            assert!(text.parse::<Stack>().is_err(), "{text}");
        }
        assert_eq!(
            "1MiB".parse::<Stack>().unwrap_err().to_string(),
            "`1MiB` is not a stack size from 16KiB to 4096KiB, such as 256KiB"
        );
    }

    #[test]
    fn a_module_tells_its_stack() {
        let of = |wat: &str| Stack::of_module(&wat::parse_str(wat).unwrap());
        let pointer = of("(module (memory 1) (global (mut i32) (i32.const 32768)))");
        assert_eq!(pointer.unwrap().to_string(), "32 KiB");
        for wat in [
            "(module)",
            "(module (global i32 (i32.const 32768)))",
            "(module (global (mut i64) (i64.const 32768)))",
            "(module (global (mut i32) (i32.const -1)))",
        ] {
            assert_eq!(of(wat), None, "{wat}");
        }
    }
}
