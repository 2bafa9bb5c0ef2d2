//! The lines that a plugin writes during one call.
//!
//! Bounded in number and length, and harmless to a terminal: whoever reads them later need not
//! look again. Where they go is not known here.

use super::lie::shortened;
use crate::effect::{LogLevel, LogLine};

/// Most lines in one call.
const LINES_MAX: usize = 50;
/// Longest line, in bytes.
const LINE_BYTES_MAX: usize = 1024;

/// What a call has written so far.
#[derive(Debug, Default)]
pub(super) struct Log {
    lines: Vec<LogLine>,
    dropped: u64,
}

impl Log {
    /// Takes a line, or counts it.
    pub(super) fn write(&mut self, level: LogLevel, message: &str) {
        if self.lines.len() < LINES_MAX {
            self.lines.push(LogLine { level, message: shortened(message, LINE_BYTES_MAX) });
        } else {
            self.dropped += 1;
        }
    }

    /// The lines, and a last one that says how many there are not.
    pub(super) fn into_lines(mut self) -> Vec<LogLine> {
        if self.dropped > 0 {
            let message = format!("{} lines dropped", self.dropped);
            self.lines.push(LogLine { level: LogLevel::Warn, message });
        }
        self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_counted() {
        let mut log = Log::default();
        for _ in 0..60 {
            log.write(LogLevel::Info, &"x".repeat(2000));
        }
        let lines = log.into_lines();
        assert_eq!(lines.len(), 51);
        assert_eq!(lines[0].message.len(), 1024);
        assert_eq!(lines[50].message, "10 lines dropped");
    }
}
