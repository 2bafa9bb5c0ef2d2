//! The gateway's side of `wit/`: the types that a guest sees, the values that the gateway makes of
//! them, and the checks between the two.
//!
//! Whatever a plugin says comes in through here. Pure: no store, no engine, no clock, and nothing
//! of how a plugin is loaded or called.

pub(super) mod bindings;
pub(super) mod convert;
pub(super) mod handler;
pub(super) mod violation;
