//! The lines that a plugin writes during one call, and what it said last.
//!
//! Bounded in number and length, and harmless to a terminal: whoever reads them later need not
//! look again. What a guest prints comes in here too. Of claims nobody keeps the lines.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard};

use tracing::{debug, error, info, warn};

use crate::effect::{LogLevel, LogLine};
use crate::ids::Name;
use crate::lock::lock;
use crate::plugin::contract::violation::shortened;

/// Most lines in one call, unless the operator sets another limit.
pub(in crate::plugin) const LINES_MAX: usize = 50;
/// Longest line, in bytes.
const LINE_BYTES_MAX: usize = 1024;
/// How a panic begins that the SDK, and Rust itself, writes.
const PANIC: &str = "panicked at ";
/// Most lines of standard error in a reason: a traceback has its message first, or last.
const LAST_LINES_MAX: usize = 12;
/// Most bytes of them.
const LAST_BYTES_MAX: usize = 1024;
/// What Rust prints below every panic, and tells nobody anything here.
const NOISE: &str = "note: run with `RUST_BACKTRACE=";

/// Where a guest prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Printed {
    /// Standard output, whose lines are ordinary.
    Output,
    /// Standard error, whose lines are odd: many a runtime has its warnings there.
    Error,
}

/// What a plugin said last before it broke down.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LastWords {
    /// Of a panic, from `panicked at` on: `panicked at src/lib.rs:15:114: told to`.
    Panic(String),
    /// The end of its standard error.
    Printed(String),
    /// The last line that it wrote at level error.
    Error(String),
}

/// What a call has written so far. All clones are the same log.
#[derive(Debug, Clone)]
pub(in crate::plugin) struct Log(Arc<Mutex<Written>>);

#[derive(Debug, Default)]
struct Written {
    /// Most lines that are kept; more are counted.
    most: usize,
    lines: Vec<LogLine>,
    dropped: u64,
    /// What was printed without an end of the line yet.
    output: Vec<u8>,
    error: Vec<u8>,
    /// These are kept although their lines may be among those that are dropped.
    last_error: Option<String>,
    last_printed: VecDeque<String>,
}

impl Default for Log {
    fn default() -> Self {
        Self::new(LINES_MAX)
    }
}

impl Log {
    /// Of a call that may write so many lines.
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Mutex::new(Written { most, ..Written::default() })))
    }

    /// Of another call that may write as many.
    pub(super) fn anew(&self) -> Self {
        Self::new(self.written().most)
    }

    /// Forgets the call that it was of, and is that of another one that may write as many lines as
    /// the other log.
    pub(super) fn begin_again(&self, as_many_as: &Self) {
        let most = as_many_as.written().most;
        *self.written() = Written { most, ..Written::default() };
    }

    /// Takes a line, or counts it.
    pub(super) fn write(&self, level: LogLevel, message: &str) {
        let message = if message.starts_with(PANIC) {
            shortened(&message.replacen(":\n", ": ", 1), LINE_BYTES_MAX)
        } else {
            shortened(message, LINE_BYTES_MAX)
        };
        let mut written = self.written();
        if level == LogLevel::Error {
            written.last_error = Some(message.clone());
        }
        written.take(level, message);
    }

    /// Takes what a guest prints, and of it every line that has an end.
    pub(super) fn print(&self, printed: Printed, bytes: &[u8]) {
        let mut written = self.written();
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let line = written.unfinished(printed);
            // A byte more than a line has, so that one that is cut is seen to be.
            let room = (LINE_BYTES_MAX + 1).saturating_sub(line.len());
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            line.extend_from_slice(&text[..text.len().min(room)]);
            if piece.ends_with(b"\n") {
                written.finish(printed);
            }
        }
    }

    /// What may explain that the call broke down; nothing, if the plugin said nothing.
    pub(super) fn last_words(&self) -> Option<LastWords> {
        let mut written = self.written();
        written.finish_all();
        let error = written.last_error.clone();
        if let Some(panic) = error.clone().filter(|line| line.starts_with(PANIC)) {
            return Some(LastWords::Panic(panic));
        }
        let mut last = VecDeque::new();
        let mut bytes = 0;
        for line in written.last_printed.iter().rev() {
            bytes += line.len();
            if bytes > LAST_BYTES_MAX && !last.is_empty() {
                break;
            }
            last.push_front(line.as_str());
        }
        let printed = Vec::from(last).join(" / ");
        if printed.is_empty() {
            error.map(LastWords::Error)
        } else {
            Some(LastWords::Printed(printed))
        }
    }

    /// The lines, and a last one that says how many there are not.
    pub(in crate::plugin) fn into_lines(self) -> Vec<LogLine> {
        let mut written = self.written();
        written.finish_all();
        let mut lines = mem::take(&mut written.lines);
        if written.dropped > 0 {
            let message = format!(
                "the gateway dropped {} more lines: a call may write {}",
                written.dropped, written.most
            );
            lines.push(LogLine { level: LogLevel::Warn, message });
        }
        lines
    }

    /// How many lines are kept, and how many are not, of a call that is over.
    pub(super) fn count(&self) -> (usize, u64) {
        let mut written = self.written();
        written.finish_all();
        (written.lines.len(), written.dropped)
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        lock(&self.0)
    }
}

/// Logs the lines of a call that only an operator or a developer causes, and that has no record of
/// its own to keep them.
pub fn tell(lines: Vec<LogLine>, plugin: &Name, function: &str) {
    for LogLine { level, message } in lines {
        match level {
            LogLevel::Debug => debug!(plugin.name = %plugin, function, "{message}"),
            LogLevel::Info => info!(plugin.name = %plugin, function, "{message}"),
            LogLevel::Warn => warn!(plugin.name = %plugin, function, "{message}"),
            LogLevel::Error => error!(plugin.name = %plugin, function, "{message}"),
        }
    }
}

impl Written {
    fn take(&mut self, level: LogLevel, message: String) {
        if self.lines.len() < self.most {
            self.lines.push(LogLine { level, message });
        } else {
            self.dropped += 1;
        }
    }

    fn unfinished(&mut self, printed: Printed) -> &mut Vec<u8> {
        match printed {
            Printed::Output => &mut self.output,
            Printed::Error => &mut self.error,
        }
    }

    /// The line ends here. An empty one is none.
    fn finish(&mut self, printed: Printed) {
        let bytes = mem::take(self.unfinished(printed));
        let line = shortened(String::from_utf8_lossy(&bytes).trim_end(), LINE_BYTES_MAX);
        if line.is_empty() {
            return;
        }
        if printed == Printed::Error && !line.starts_with(NOISE) {
            if self.last_printed.len() == LAST_LINES_MAX {
                self.last_printed.pop_front();
            }
            self.last_printed.push_back(line.clone());
        }
        let level = if printed == Printed::Error { LogLevel::Warn } else { LogLevel::Info };
        self.take(level, line);
    }

    fn finish_all(&mut self) {
        self.finish(Printed::Output);
        self.finish(Printed::Error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(log: Log) -> Vec<String> {
        log.into_lines().into_iter().map(|line| line.message).collect()
    }

    #[test]
    fn a_flood_is_cut_and_counted() {
        let log = Log::default();
        for _ in 0..60 {
            log.write(LogLevel::Info, &"x".repeat(2000));
        }
        let lines = log.into_lines();
        assert_eq!(lines.len(), 51);
        assert_eq!(lines[0].message.len(), 1024);
        assert_eq!(lines[50].message, "the gateway dropped 10 more lines: a call may write 50");
    }

    #[test]
    fn a_log_has_as_many_lines_as_its_call_may_write_and_so_has_the_next() {
        let log = Log::new(2);
        for log in [log.anew(), log] {
            (0..3).for_each(|_| log.write(LogLevel::Info, "line"));
            let dropped = "the gateway dropped 1 more lines: a call may write 2";
            assert_eq!(messages(log), ["line", "line", dropped]);
        }
    }

    #[test]
    fn a_log_that_begins_again_has_nothing_of_the_call_before() {
        let log = Log::new(2);
        let output = log.clone();
        output.write(LogLevel::Error, "panicked at src/lib.rs:1:1: before");
        output.print(Printed::Error, "before\n".repeat(3).as_bytes());
        output.print(Printed::Output, b"unfinished");

        log.begin_again(&Log::new(1));

        assert_eq!(log.last_words(), None);
        output.print(Printed::Output, b"one\ntwo\n");
        assert_eq!(messages(log), ["one", "the gateway dropped 1 more lines: a call may write 1"]);
    }

    #[test]
    fn what_is_printed_becomes_lines_however_it_is_cut() {
        let log = Log::default();
        log.print(Printed::Output, b"one\r\n\ntw");
        log.print(Printed::Error, b"odd \x1b[31m\xff\n");
        log.print(Printed::Output, b"o\nthree");
        log.print(Printed::Output, "x".repeat(2000).as_bytes());
        let lines = log.into_lines();
        let told: Vec<_> = lines.iter().map(|line| (line.level, &*line.message)).collect();
        assert_eq!(told[0], (LogLevel::Info, "one"));
        assert_eq!(told[1], (LogLevel::Warn, "odd \\u{1b}[31m\u{fffd}"));
        assert_eq!(told[2], (LogLevel::Info, "two"));
        assert_eq!((told.len(), told[3].1.len()), (4, 1024));
    }

    #[test]
    fn a_flood_that_is_printed_is_cut_and_counted() {
        let log = Log::default();
        log.print(Printed::Output, "line\n".repeat(60).as_bytes());
        log.print(Printed::Error, b"the end\n");
        assert_eq!(log.last_words(), Some(LastWords::Printed("the end".to_owned())));
        let dropped = "the gateway dropped 11 more lines: a call may write 50";
        assert_eq!(messages(log)[49..], ["line", dropped]);
    }

    #[test]
    fn a_panic_is_the_last_word_also_when_its_line_is_dropped() {
        let log = Log::default();
        for _ in 0..60 {
            log.write(LogLevel::Error, "wrong");
        }
        assert_eq!(log.last_words(), Some(LastWords::Error("wrong".to_owned())));
        log.write(LogLevel::Error, "panicked at src/lib.rs:15:114:\nindex out of bounds");
        log.write(LogLevel::Info, "after");
        let panic = "panicked at src/lib.rs:15:114: index out of bounds".to_owned();
        assert_eq!(log.last_words(), Some(LastWords::Panic(panic)));
    }

    #[test]
    fn the_end_of_standard_error_is_the_last_word_within_its_limits() {
        let log = Log::default();
        log.print(Printed::Error, "a line before\n".repeat(20).as_bytes());
        log.print(Printed::Error, b"Traceback:\n  app.py, line 3\nValueError: no\n");
        log.print(Printed::Error, b"note: run with `RUST_BACKTRACE=1` to see more\n");
        let Some(LastWords::Printed(words)) = log.last_words() else { panic!("nothing") };
        assert!(words.ends_with(" / Traceback: /   app.py, line 3 / ValueError: no"), "{words}");
        assert_eq!(words.split(" / ").count(), LAST_LINES_MAX);

        log.print(Printed::Error, "x".repeat(900).as_bytes());
        let Some(LastWords::Printed(words)) = log.last_words() else { panic!("nothing") };
        assert!(words.len() <= LAST_BYTES_MAX + LAST_LINES_MAX * 3, "{}", words.len());
    }
}
