//! Why a call has no answer of the plugin's.
//!
//! What a worker goes by: whose fault it was, and whether it may pass. Never calls anything.

use std::time::Duration;

use super::pool::PoolError;
use crate::plugin::contract::violation::{TEXT_BYTES_MAX, Violation, shortened};

/// Why a call has no answer of the plugin's.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The plugin broke down.
    #[error("the plugin {reason}")]
    Trap {
        /// What it did: `panicked at src/lib.rs:15:114: ...`, with the text of the panic, or
        /// `trapped: ...`, with what happened, what it said last, and in which functions.
        reason: String,
    },
    /// It took too long.
    #[error("the plugin did not return within {} ms", limit.as_millis())]
    Deadline {
        /// How long it had.
        limit: Duration,
    },
    /// It wanted too much memory.
    #[error("the plugin needed more than its limit of {limit} bytes of memory")]
    Memory {
        /// How many it may have.
        limit: usize,
    },
    /// It said what the contract does not allow.
    #[error("the plugin broke the contract: {0}")]
    Violation(#[source] Violation),
    /// It was not called: everything is taken. Nobody's fault, and passing.
    #[error("the gateway did not call the plugin: all threads are busy and the queue is full")]
    Busy,
    /// The host failed. Not the plugin's fault, and perhaps passing.
    #[error("the gateway failed to run the plugin: {0}")]
    Host(String),
    /// The host's own code panicked over what the plugin gave it, or over what it asked for.
    #[error("the gateway panicked while it called the plugin: {words}")]
    Panicked {
        /// What the panic said.
        words: String,
    },
}

impl From<PoolError> for CallError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Busy => Self::Busy,
            PoolError::Panicked(words) => {
                Self::Panicked { words: shortened(&words, TEXT_BYTES_MAX) }
            }
        }
    }
}
