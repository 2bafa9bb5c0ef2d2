//! Lines for the operator's log, to which the gateway adds the ids of the receipt or run.
//!
//! A call may write 50 lines of at most 1 KiB. The gateway counts and drops further lines, and all
//! lines that [`crate::Provider::claim`] writes. Never log personal or payment data, and never
//! panic with it: the text of a panic becomes the reason of the failed run.

#[cfg(target_family = "wasm")]
use crate::bindings::provider::hookgate::plugin::log as door;
#[cfg(not(target_family = "wasm"))]
use crate::testing::doors::log as door;

pub use crate::bindings::provider::hookgate::plugin::log::Level;

/// A detail for the plugin's author.
pub fn debug(message: &str) {
    door::write(Level::Debug, message);
}

/// An ordinary fact.
pub fn info(message: &str) {
    door::write(Level::Info, message);
}

/// Something odd that does no harm by itself.
pub fn warn(message: &str) {
    door::write(Level::Warn, message);
}

/// Something that went wrong.
pub fn error(message: &str) {
    door::write(Level::Error, message);
}

/// From here on a panic writes its text, file and line to the log before it ends the call. The
/// gateway makes that line the reason of the failure. A panic in a native test stays a panic.
pub(crate) fn panics() {
    #[cfg(target_family = "wasm")]
    std::panic::set_hook(Box::new(|panic| error(&panic.to_string())));
}
