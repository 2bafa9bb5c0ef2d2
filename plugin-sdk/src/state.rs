//! What a handler remembers about the subject of the event that it runs on.
//!
//! No other subject and no other plugin meets it. A failed run has changed nothing.

#[cfg(target_family = "wasm")]
use crate::bindings::handler::hookgate::plugin::state as door;
use crate::event::Failure;
#[cfg(not(target_family = "wasm"))]
use crate::testing::doors::state as door;

pub use crate::bindings::handler::hookgate::plugin::state::Refusal;

/// The value of a key, as this run has set it, if it has.
pub fn get(key: &str) -> Option<Vec<u8>> {
    door::get(key)
}

/// Sets a key of 1 to 256 bytes to a value of at most 256 KiB.
pub fn set(key: &str, value: &[u8]) -> Result<(), Refusal> {
    door::set(key, value)
}

/// Forgets a key, also one that was never set.
pub fn delete(key: &str) {
    door::delete(key);
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::permanent(match refusal {
            Refusal::Invalid(what) => format!("state refused as invalid: {what}"),
            Refusal::TooMuch(what) => format!("too much state: {what}"),
        })
    }
}
