//! Hookgate, a webhook gateway for payments.
#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test may"))]

pub mod claims;
pub mod clock;
pub mod effect;
pub mod event;
pub mod ids;
pub mod retry;
pub mod route;
