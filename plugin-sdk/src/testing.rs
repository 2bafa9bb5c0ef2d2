//! Testing a plugin natively, with `cargo test` and without a gateway.
//!
//! A [`Bench`] stands in for the gateway: it hands over settings, records what a handler asks for,
//! and keeps state between runs, with the same all or nothing. With the feature `testing`,
//! `verify` holds claims against real keys like the gateway does, and `vectors` runs a file of
//! signed requests.

mod bench;
pub(crate) mod doors;
#[cfg(feature = "testing")]
mod key;
#[cfg(feature = "testing")]
mod send;
#[cfg(feature = "testing")]
pub mod vectors;
#[cfg(feature = "testing")]
mod verify;

pub use bench::{Bench, Ran};
pub use doors::{Effect, LogLine};
#[cfg(feature = "testing")]
pub use send::{send, sign};
#[cfg(feature = "testing")]
pub use verify::{Tolerance, Unproven, digests, verify};
