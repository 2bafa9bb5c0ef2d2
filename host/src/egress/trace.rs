//! What is seen on the way to an answer: how far a request came, where to, and for how long.
//!
//! A value that is filled as a request goes along. Never decides anything.

use std::net::SocketAddr;

use crate::failure::Phase;

/// How a request went, so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Trace {
    /// The address that it went to.
    pub(crate) peer: Option<SocketAddr>,
    /// The phase that it is in; `None` if nothing was done yet, or that is not seen.
    pub(crate) phase: Option<Phase>,
    /// Microseconds in each phase; `None` for one that was not come to.
    pub(crate) times_us: [Option<u32>; 6],
    /// Whether the connection was open already.
    pub(crate) reused: bool,
    /// Whether it goes over HTTP/2.
    pub(crate) http2: bool,
}
