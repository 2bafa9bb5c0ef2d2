//! What a command prints: lines on standard output, and notes on standard error.
//!
//! A line that can't be written, on a full disk or because nobody reads it, is an error of the
//! command. Never panics, as `println!` and `eprintln!` do.

use std::fmt;
use std::io::{self, Write};

use anyhow::Context;

/// Prints a line on standard output, as `println!` does, and says whether that was possible.
macro_rules! say {
    ($($text:tt)+) => {
        $crate::cli::output::line(format_args!($($text)+))
    };
}

/// Writes a line to standard output.
pub(super) fn line(text: fmt::Arguments<'_>) -> anyhow::Result<()> {
    written(writeln!(io::stdout(), "{text}"))
}

/// What became of writing to standard output, as an error of the command.
pub(super) fn written(result: io::Result<()>) -> anyhow::Result<()> {
    result.context("failed to write to standard output")
}

/// Writes a line to standard error. A failure to write it can't be reported anywhere.
pub(super) fn note(text: fmt::Arguments<'_>) {
    drop(writeln!(io::stderr(), "{text}"));
}
