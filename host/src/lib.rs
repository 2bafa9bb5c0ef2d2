//! Hookgate, a webhook gateway for payments.

pub mod claims;
pub mod clock;
pub mod effect;
pub mod egress;
pub mod event;
pub mod ids;
pub mod listener;
pub mod metrics;
pub mod outbound;
pub mod retry;
pub mod route;
pub mod secrets;
pub mod signature;
