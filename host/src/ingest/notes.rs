//! What is written to the log of requests that were not accepted.
//!
//! Whoever can reach the port can cause such a line: so each is short, harmless to a terminal and
//! without the source's secrets, and of each source only a few are written in a second. The next
//! one says how many were not. Never counts for anybody else: that is the metrics' task.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::ids::Name;
use crate::lock::lock;
use crate::secrets::{HIDDEN, Secret};

/// Most lines of one kind and source within [`WINDOW`].
const LINES_MAX: u32 = 5;
const WINDOW: Duration = Duration::from_secs(1);
/// Longest text of a reason, in bytes.
const TEXT_BYTES_MAX: usize = 300;

/// What a line is about. Each has lines of its own, so that a flood of one hides no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Note {
    /// A request that was refused.
    Refused,
    /// A request that the gateway failed to accept.
    Failed,
    /// A validation challenge that was answered.
    Asked,
}

/// How much was written lately.
#[derive(Debug, Default)]
pub(crate) struct Notes(Mutex<BTreeMap<(Name, Note), Lately>>);

#[derive(Debug)]
struct Lately {
    since: Instant,
    lines: u32,
    /// Lines that were not written since the last one that was.
    not_logged: u64,
}

impl Notes {
    /// Whether a line may be written now, and then how many were not since the last one.
    pub(super) fn admit(&self, source: &Name, note: Note) -> Option<u64> {
        self.admit_at(source, note, Instant::now())
    }

    fn admit_at(&self, source: &Name, note: Note, now: Instant) -> Option<u64> {
        let mut sources = lock(&self.0);
        let fresh = || Lately { since: now, lines: 0, not_logged: 0 };
        let lately = sources.entry((source.clone(), note)).or_insert_with(fresh);
        if now.saturating_duration_since(lately.since) >= WINDOW {
            (lately.since, lately.lines) = (now, 0);
        }
        if lately.lines == LINES_MAX {
            lately.not_logged += 1;
            return None;
        }
        lately.lines += 1;
        Some(std::mem::take(&mut lately.not_logged))
    }
}

/// A reason as it may be logged: at most 300 bytes, without control characters and without these
/// secrets.
pub(super) fn excerpt(reason: &impl Display, secrets: &[Secret]) -> String {
    let mut text = reason.to_string();
    for secret in secrets {
        secret.take_out_of(&mut text, HIDDEN);
    }
    let mut shown = String::new();
    for char in text.chars() {
        let length = shown.len();
        if char.is_control() || turns_the_line(char) {
            shown.extend(char.escape_unicode());
        } else {
            shown.push(char);
        }
        if shown.len() > TEXT_BYTES_MAX {
            shown.truncate(length);
            shown.push_str(&format!("... ({} bytes)", text.len()));
            break;
        }
    }
    shown
}

/// Whether a character changes the order in which others are shown.
fn turns_the_line(char: char) -> bool {
    matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_writes_a_few_lines_and_says_how_many_it_did_not() {
        let notes = Notes::default();
        let now = Instant::now();
        let (one, other): (Name, Name) = ("one".parse().unwrap(), "other".parse().unwrap());
        let admit = |source, note, after| notes.admit_at(source, note, now + after);
        let logged = (0..1_000).filter_map(|_| admit(&one, Note::Refused, Duration::ZERO)).count();
        assert_eq!(logged, 5);
        assert_eq!(admit(&other, Note::Refused, Duration::ZERO), Some(0), "each has its own");
        assert_eq!(admit(&one, Note::Failed, Duration::ZERO), Some(0), "and each kind");
        assert_eq!(admit(&one, Note::Refused, WINDOW), Some(995));
        assert_eq!(admit(&one, Note::Refused, WINDOW), Some(0));
    }

    #[test]
    fn what_a_forger_chose_is_short_and_harmless() {
        let long = excerpt(&"x".repeat(5_000), &[]);
        assert_eq!(long, format!("{}... (5000 bytes)", "x".repeat(300)));
        assert_eq!(excerpt(&"a\n\x1b[31m\u{202e}é", &[]), "a\\u{a}\\u{1b}[31m\\u{202e}é");
        let secret = Secret::new("hunter2hunter2").unwrap();
        assert_eq!(excerpt(&"token `hunter2hunter2`", &[secret]), "token `(hidden)`");
    }
}
