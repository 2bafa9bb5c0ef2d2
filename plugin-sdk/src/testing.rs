//! Testing a plugin natively, with `cargo test` and without a gateway.
//!
//! A [`Bench`] stands in for the gateway: it passes settings, records the effects that a handler
//! asks for, and keeps state between runs; a failed run has no effects, as in the gateway. With the
//! feature `testing`, `verify` checks claims with real keys as the gateway does, `vectors` runs a
//! file of signed requests, and a `Suite` runs all tests of a provider. Nothing here reaches the
//! network.

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
