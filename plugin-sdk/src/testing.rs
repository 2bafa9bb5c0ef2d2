//! Testing a plugin natively, with `cargo test` and without a gateway.
//!
//! A [`Bench`] stands in for the gateway: it passes settings, records the effects that a handler
//! asks for, and keeps state between runs; a failed run has no effects, as in the gateway. With the
//! feature `testing`, `verify` checks claims with real keys as the gateway does, `vectors` runs a
//! file of signed requests, and a `Suite` runs all tests of a provider. Nothing here reaches the
//! network.

#[cfg(feature = "testing")]
mod answer;
mod bench;
#[cfg(feature = "testing")]
mod chain;
mod contract;
#[cfg(feature = "testing")]
mod cost;
#[cfg(feature = "testing")]
mod crypto;
#[cfg(feature = "testing")]
mod der;
#[cfg(feature = "testing")]
mod digests;
pub(crate) mod doors;
mod emitted;
#[cfg(feature = "testing")]
mod golden;
#[cfg(feature = "testing")]
mod jws;
#[cfg(feature = "testing")]
mod key;
#[cfg(feature = "testing")]
mod message;
#[cfg(feature = "testing")]
mod open;
#[cfg(feature = "testing")]
mod send;
pub(crate) mod setting;
#[cfg(feature = "testing")]
mod suite;
#[cfg(feature = "testing")]
mod times;
#[cfg(feature = "testing")]
pub mod vectors;
#[cfg(feature = "testing")]
mod verify;
#[cfg(feature = "testing")]
mod worth;

#[cfg(feature = "testing")]
pub use answer::answer;
pub use bench::{Bench, Ran};
#[cfg(feature = "testing")]
pub use digests::digests;
pub use doors::{Effect, LogLine};
#[cfg(feature = "testing")]
pub use send::{send, sign};
#[cfg(feature = "testing")]
pub use suite::Suite;
#[cfg(feature = "testing")]
pub use times::Tolerance;
#[cfg(feature = "testing")]
pub use verify::{Unproven, plain_body, verify};
