//! What a handler remembers about the subject of the event that it runs on.
//!
//! No run on another subject and no other plugin reads or changes it. A failed run never changes
//! it.

#[cfg(target_family = "wasm")]
use crate::bindings::handler::hookgate::plugin::state as door;
use crate::event::Failure;
#[cfg(not(target_family = "wasm"))]
use crate::testing::doors::state as door;

pub use crate::bindings::handler::hookgate::plugin::state::Refusal;

/// The value of a key. A value that this run has set is seen at once.
pub fn get(key: &str) -> Option<Vec<u8>> {
    door::get(key)
}

/// Sets a key of 1 to 256 bytes to a value of at most 256 KiB.
pub fn set(key: &str, value: &[u8]) -> Result<(), Refusal> {
    door::set(key, value)
}

/// Deletes a key, even one that was never set; either way it counts as an effect.
pub fn delete(key: &str) {
    door::delete(key);
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::permanent(match refusal {
            Refusal::Invalid(what) => format!("invalid state: {what}"),
            Refusal::TooMuch(what) => format!("limit exceeded: {what}"),
        })
    }
}
