//! Testing a plugin natively, with `cargo test` and without a gateway.
//!
//! A [`Bench`] stands in for the gateway: it hands over settings, records what a handler asks for,
//! and keeps state between runs, with the same all or nothing. With the feature `testing`,
//! `verify` holds claims against real keys like the gateway does, `vectors` runs a file of signed
//! requests, and a `Suite` is all that a provider is tested with.

mod bench;
mod contract;
pub(crate) mod doors;
#[cfg(feature = "testing")]
mod golden;
#[cfg(feature = "testing")]
mod key;
#[cfg(feature = "testing")]
mod send;
#[cfg(feature = "testing")]
mod suite;
#[cfg(feature = "testing")]
pub mod vectors;
#[cfg(feature = "testing")]
mod verify;

pub use bench::{Bench, Ran};
pub use doors::{Effect, LogLine};
#[cfg(feature = "testing")]
pub use send::{send, sign};
#[cfg(feature = "testing")]
pub use suite::Suite;
#[cfg(feature = "testing")]
pub use verify::{Tolerance, Unproven, answer, digests, verify};
