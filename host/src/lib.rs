//! Hookgate, a webhook gateway for payments.

pub mod claims;
pub mod clock;
pub mod effect;
pub mod event;
pub mod ids;
pub mod retry;
pub mod route;
pub mod store;
