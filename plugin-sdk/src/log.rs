//! Lines for the operator's log, beside the ids of what is being worked on.
//!
//! A call may write 50 lines of at most 1 KiB; the gateway counts and drops what is over, and all
//! that [`crate::Provider::claim`] writes. Never log what a customer would mind, and never panic
//! with it: the text of a panic is the reason of a run that failed.

#[cfg(target_family = "wasm")]
use crate::bindings::provider::hookgate::plugin::log as door;
#[cfg(not(target_family = "wasm"))]
use crate::testing::doors::log as door;

pub use crate::bindings::provider::hookgate::plugin::log::Level;

/// For the plugin's author.
pub fn debug(message: &str) {
    door::write(Level::Debug, message);
}

/// Ordinary.
pub fn info(message: &str) {
    door::write(Level::Info, message);
}

/// Odd.
pub fn warn(message: &str) {
    door::write(Level::Warn, message);
}

/// Wrong.
pub fn error(message: &str) {
    door::write(Level::Error, message);
}

/// From here on a panic leaves its text, file and line in the log before it ends the call. The
/// gateway takes it as the reason. In a native test the panic stays the test's.
pub(crate) fn panics() {
    #[cfg(target_family = "wasm")]
    std::panic::set_hook(Box::new(|panic| error(&panic.to_string())));
}
