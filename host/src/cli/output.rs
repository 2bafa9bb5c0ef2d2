//! What a command prints: lines on standard output, and notes on standard error.
//!
//! Anybody may have chosen some of it, such as the subject of an event: no control character of it
//! reaches the terminal. A line that can't be written, on a full disk or because nobody reads it,
//! is an error of the command. Never panics, as `println!` and `eprintln!` do.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use anyhow::Context;

/// The control characters that lay a text out.
const LAYOUT: &[char] = &['\n', '\t'];

/// Prints a line on standard output, as `println!` does, and says whether that was possible.
macro_rules! say {
    ($($text:tt)+) => {
        $crate::cli::output::line(format_args!($($text)+))
    };
}

/// How a part of a line looks, on a terminal. Never the only sign of what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Plain,
    Dim,
    Good,
    Warning,
    Bad,
}

impl Ink {
    /// What a terminal takes before such a part.
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Dim => "\x1b[2m",
            Self::Good => "\x1b[32m",
            Self::Warning => "\x1b[33m",
            Self::Bad => "\x1b[31m",
        }
    }
}

/// What a terminal takes to make it plain again.
const PLAIN: &str = "\x1b[0m";

/// Whether this stream of the program shows colours: a terminal does, unless its user does not want
/// any (<https://no-color.org>) or it can't.
pub(super) fn has_colours(stream: &impl IsTerminal) -> bool {
    let is_unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|kind| kind == "dumb");
    stream.is_terminal() && !is_unwanted && !is_dumb
}

/// Writes a line of several parts to standard output.
pub(super) fn parts(parts: &[(Ink, &str)]) -> anyhow::Result<()> {
    let text = painted(parts, has_colours(&io::stdout()));
    written(writeln!(io::stdout(), "{text}"))
}

/// The same to standard error. A failure to write it can't be reported anywhere.
pub(super) fn note_parts(parts: &[(Ink, &str)]) {
    let text = painted(parts, has_colours(&io::stderr()));
    drop(writeln!(io::stderr(), "{text}"));
}

/// The parts one behind the other. No part brings a colour of its own.
fn painted(parts: &[(Ink, &str)], has_colours: bool) -> String {
    let part = |&(ink, text): &(Ink, &str)| {
        let text = escaped(text, LAYOUT);
        match ink.code() {
            code if has_colours && !code.is_empty() => format!("{code}{text}{PLAIN}"),
            _ => text,
        }
    };
    parts.iter().map(part).collect()
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

    /// Guards the escaping of each part: a text from outside paints nothing.
    #[test]
    fn a_part_is_painted_on_a_terminal_only_and_paints_nothing_itself() {
        let parts = [(Ink::Bad, "error"), (Ink::Plain, "  a\x1b[31m")];
        assert_eq!(painted(&parts, true), "\x1b[31merror\x1b[0m  a\\u001b[31m");
        assert_eq!(painted(&parts, false), "error  a\\u001b[31m");
    }
}
