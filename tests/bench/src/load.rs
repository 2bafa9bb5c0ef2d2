//! The generators: closed, where each connection sends as soon as it was answered, and open, where
//! requests go out at their times whatever became of those before.
//!
//! Closed loops tell how much can be done, open loops how long it takes: latency in an open loop
//! counts from when a request should have been sent, so that a stall is felt by all who would have
//! come meanwhile. Neither knows what it posts to.

mod closed;
mod open;

pub(crate) use closed::{Closed, closed};
pub(crate) use open::{Schedule, open};
