//! Lines for the operator's log, to which the gateway adds the ids of the receipt or run.
//!
//! A call may write 50 lines of at most 1 KiB. The gateway counts and drops further lines, and all
//! lines that [`crate::Provider::claim`] writes. Never log personal or payment data, and never
//! panic with it: the text of a panic becomes the reason of the failed run.
//!
//! ```
//! use hookgate_sdk::log;
//!
//! # let tries = 3;
//! log::info!("the payment failed {tries} times");
//! ```

use std::fmt;

#[cfg(target_family = "wasm")]
use crate::bindings::provider::hookgate::plugin::log as door;
#[cfg(not(target_family = "wasm"))]
use crate::testing::doors::log as door;

pub use crate::bindings::provider::hookgate::plugin::log::Level;
#[doc(inline)]
pub use crate::{log_debug as debug, log_error as error, log_info as info, log_warn as warn};

/// Writes a line. The macros of this module call this.
pub fn write(level: Level, text: fmt::Arguments<'_>) {
    match text.as_str() {
        Some(text) => door::write(level, text),
        None => door::write(level, &text.to_string()),
    }
}

/// A detail for the plugin's author, with the arguments of [`format!`].
#[doc(hidden)]
#[macro_export]
macro_rules! log_debug {
    ($($text:tt)+) => {
        $crate::log::write($crate::log::Level::Debug, ::core::format_args!($($text)+))
    };
}

/// An ordinary fact, with the arguments of [`format!`].
#[doc(hidden)]
#[macro_export]
macro_rules! log_info {
    ($($text:tt)+) => {
        $crate::log::write($crate::log::Level::Info, ::core::format_args!($($text)+))
    };
}

/// Something odd that does no harm by itself, with the arguments of [`format!`].
#[doc(hidden)]
#[macro_export]
macro_rules! log_warn {
    ($($text:tt)+) => {
        $crate::log::write($crate::log::Level::Warn, ::core::format_args!($($text)+))
    };
}

/// Something that went wrong, with the arguments of [`format!`].
#[doc(hidden)]
#[macro_export]
macro_rules! log_error {
    ($($text:tt)+) => {
        $crate::log::write($crate::log::Level::Error, ::core::format_args!($($text)+))
    };
}

/// From here on a panic writes its text, file and line to the log before it ends the call. The
/// gateway makes that line the reason of the failure. A panic in a native test stays a panic.
pub(crate) fn panics() {
    #[cfg(target_family = "wasm")]
    std::panic::set_hook(Box::new(|panic| write(Level::Error, format_args!("{panic}"))));
}
