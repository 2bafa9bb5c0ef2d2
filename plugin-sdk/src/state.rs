//! What a handler remembers about the subject of the event that it runs on.
//!
//! No run on another subject and no other plugin reads or changes it. A failed run never changes
//! it.
//!
//! ```
//! use hookgate_sdk::{Failure, state};
//!
//! fn count() -> Result<u32, Failure> {
//!     let count = state::load("count")?.unwrap_or(0) + 1;
//!     state::save("count", &count)?;
//!     Ok(count)
//! }
//! # assert_eq!((count(), count()), (Ok(1), Ok(2)));
//! ```

use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(target_family = "wasm")]
use crate::bindings::handler::hookgate::plugin::state as door;
use crate::event::Failure;
#[cfg(not(target_family = "wasm"))]
use crate::testing::doors::state as door;

pub use crate::bindings::handler::hookgate::plugin::state::Refusal;

/// The value of a key as a type of serde; `None` if the key has no value. A value that this run has
/// saved is seen at once. A value of another form is a permanent failure.
pub fn load<T: DeserializeOwned>(key: &str) -> Result<Option<T>, Failure> {
    let Some(value) = get(key) else { return Ok(None) };
    let unreadable = |error| Failure::permanent(format!("the state `{key}` is invalid: {error}"));
    serde_json::from_slice(&value).map(Some).map_err(unreadable)
}

/// Sets a key of 1 to 256 bytes to a value, as JSON of at most 256 KiB.
pub fn save<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<(), Failure> {
    Ok(set(key, &serde_json::to_vec(value)?)?)
}

/// The bytes of a key. Bytes that this run has set are seen at once.
pub fn get(key: &str) -> Option<Vec<u8>> {
    door::get(key)
}

/// Sets a key of 1 to 256 bytes to at most 256 KiB.
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
