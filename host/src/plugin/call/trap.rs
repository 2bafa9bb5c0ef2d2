//! Why a call has no answer of the plugin's, out of wasmtime's error and the plugin's last words.
//!
//! Texts are bounded and harmless to a terminal. What follows from it is not decided here.

use std::time::Duration;

use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};

use super::error::CallError;
use super::log::{LastWords, Log};
use super::outbox::StateUnread;
use crate::plugin::contract::violation::{TEXT_BYTES_MAX, Violation, shortened, violation};
use crate::plugin::stack::Stack;

/// What wasmtime says of a guest that passes more than it may at once; it has no type for it.
const TOO_MUCH_AT_ONCE: &str = "fuel allocated for hostcalls has been exhausted";
/// Addresses from here on are more likely below 0 than beyond the memory: no frame is as large as
/// what lies between here and the last address, and no guest has as much memory.
const BELOW_MEMORY: u64 = 0xf000_0000;
/// How much of a guest's stack is shown.
const FRAMES_MAX: usize = 8;
/// Longest name of a function that is shown, in bytes: generic ones can be very long.
const FUNCTION_BYTES_MAX: usize = 256;

/// What a call had.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) stack: Option<Stack>,
    pub(super) deadline: Duration,
    pub(super) lift_bytes_max: usize,
    /// How many bytes of memory, if it wanted more.
    pub(super) memory_exceeded: Option<usize>,
    pub(super) log: Log,
}

/// What an error of wasmtime means.
pub(super) fn judge(error: &wasmtime::Error, ran: &Ran) -> CallError {
    if error.downcast_ref::<Trap>() == Some(&Trap::Interrupt) {
        CallError::Deadline { limit: ran.deadline }
    } else if let Some(violation) = error.downcast_ref::<Violation>() {
        CallError::Violation(violation.clone())
    } else if let Some(unread) = error.downcast_ref::<StateUnread>() {
        CallError::Host(unread.to_string())
    } else if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
        CallError::Busy
    } else if let Some(limit) = ran.memory_exceeded {
        // A guest whose allocation fails gives up in its own way.
        CallError::Memory { limit }
    } else if error.root_cause().to_string().contains(TOO_MUCH_AT_ONCE) {
        let reason = format!("has more than {} bytes", ran.lift_bytes_max);
        CallError::Violation(violation("a value", reason))
    } else {
        CallError::Trap { reason: reason(error, ran) }
    }
}

/// Whether a guest reached below its memory. There ends its stack: from 0 the next address down is
/// the last that there is. wasmtime tells the address in words only.
fn is_below_memory(error: &wasmtime::Error) -> bool {
    let address = |cause: &(dyn std::error::Error + 'static)| {
        let told = cause.to_string();
        let (_, address) = told.split_once("at wasm address 0x")?;
        u64::from_str_radix(address.split(' ').next()?, 16).ok()
    };
    error.downcast_ref::<Trap>() == Some(&Trap::MemoryOutOfBounds)
        && error.chain().find_map(address).is_some_and(|address| address >= BELOW_MEMORY)
}

/// What the plugin did, in its own words as far as it has some.
fn reason(error: &wasmtime::Error, ran: &Ran) -> String {
    let gave_up = error.downcast_ref::<Trap>() == Some(&Trap::UnreachableCodeReached);
    let reason = match ran.log.last_words() {
        // The functions below it are those of the panic.
        Some(LastWords::Panic(panic)) if gave_up => panic,
        Some(LastWords::Panic(error_line) | LastWords::Error(error_line)) => {
            format!("trapped after the error `{error_line}`: {}", cause(error, ran.stack))
        }
        Some(LastWords::Printed(printed)) => {
            format!("trapped: `{printed}` on its standard error; {}", cause(error, ran.stack))
        }
        None => format!("trapped: {}", cause(error, ran.stack)),
    };
    shortened(&reason, TEXT_BYTES_MAX)
}

/// What happened, and the innermost functions that it happened in.
fn cause(error: &wasmtime::Error, stack: Option<Stack>) -> String {
    let mut reason = match stack.filter(|_| is_below_memory(error)) {
        Some(stack) => format!(
            "its stack of {stack} overflowed (`stack` in [package.metadata.hookgate] sets its size)"
        ),
        None => error.root_cause().to_string(),
    };
    let frames = error.downcast_ref::<WasmBacktrace>().map_or(&[][..], WasmBacktrace::frames);
    for (depth, frame) in frames.iter().take(FRAMES_MAX).enumerate() {
        reason += if depth == 0 { ", in " } else { ", called by " };
        match frame.symbols().first().and_then(|symbol| symbol.name()).or(frame.func_name()) {
            Some(name) => {
                let name = format!("{:#}", rustc_demangle::demangle(name));
                reason += &shortened(&name, FUNCTION_BYTES_MAX);
            }
            None => reason += &format!("function {}", frame.func_index()),
        }
    }
    reason
}
