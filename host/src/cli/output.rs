//! What a command prints: lines on standard output, and notes on standard error.
//!
//! Anybody may have chosen some of it, such as the subject of an event: no control character of it
//! reaches the terminal. A line that can't be written, on a full disk or because nobody reads it,
//! is an error of the command. Never panics, as `println!` and `eprintln!` do.

use std::fmt;
use std::io::{self, Write};

use anyhow::Context;

/// The control characters that lay a text out.
const LAYOUT: &[char] = &['\n', '\t'];

/// Prints a line on standard output, as `println!` does, and says whether that was possible.
macro_rules! say {
    ($($text:tt)+) => {
        $crate::cli::output::line(format_args!($($text)+))
    };
}

/// Writes a line to standard output.
pub(super) fn line(text: fmt::Arguments<'_>) -> anyhow::Result<()> {
    written(writeln!(io::stdout(), "{}", escaped(&text.to_string(), LAYOUT)))
}

/// A text as a cell of a table, which begins no other line.
pub(super) fn cell(text: &str) -> String {
    escaped(text, &[])
}

/// What became of writing to standard output, as an error of the command.
pub(super) fn written(result: io::Result<()>) -> anyhow::Result<()> {
    result.context("failed to write to standard output")
}

/// Writes a line to standard error. A failure to write it can't be reported anywhere.
pub(super) fn note(text: fmt::Arguments<'_>) {
    drop(writeln!(io::stderr(), "{}", escaped(&text.to_string(), LAYOUT)));
}

/// The text with every control character except these as JSON escapes it, so that JSON stays JSON.
fn escaped(text: &str, but: &[char]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() && !but.contains(&char) {
            escaped += &format!("\\u{:04x}", u32::from(char));
        } else {
            escaped.push(char);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lays_a_text_out_reaches_the_terminal() {
        assert_eq!(escaped("a\n\tb\x1b[2J\u{9b}é", LAYOUT), "a\n\tb\\u001b[2J\\u009bé");
        assert_eq!(cell("pi\n1\x7f"), "pi\\u000a1\\u007f");
    }
}
