//! How far a command is with what takes over a second, on standard error.
//!
//! On a terminal one line that is written over and goes away at the end; elsewhere, as in the log
//! of a job, a line a minute. Never writes to standard output, nor slows down what it watches.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::output::note;
use crate::dashboard::figure;

/// What takes less than this shows no progress.
const FIRST: Duration = Duration::from_secs(1);
/// Between two looks, on a terminal.
const LOOK: Duration = Duration::from_millis(200);
/// Between two lines elsewhere.
const LINE: Duration = Duration::from_secs(60);

/// To where the line begins, and from there everything goes away.
const BEGIN: &str = "\r";
const ERASE: &str = "\x1b[K";

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Things, in the plural: `records`.
    Of(&'static str),
    Bytes,
}

/// The progress of one command.
#[derive(Debug)]
pub(super) struct Progress {
    what: &'static str,
    unit: Unit,
    begun: Instant,
    /// When the next line is due, from where it began.
    next: Duration,
    is_terminal: bool,
    is_shown: bool,
}

impl Progress {
    /// Begins now. `what` says what is done in the past tense: `checked`.
    pub(super) fn new(what: &'static str, unit: Unit) -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|kind| kind == "dumb");
        let is_terminal = io::stderr().is_terminal() && !is_dumb;
        let next = if is_terminal { FIRST } else { LINE };
        Self { what, unit, begun: Instant::now(), next, is_terminal, is_shown: false }
    }

    /// Shows how far it is, if a line is due. May be called as often as something is done.
    pub(super) fn tell(&mut self, done: u64, of: Option<u64>) {
        let time = self.begun.elapsed();
        if time < self.next {
            return;
        }
        let line = line((self.what, self.unit), done, of, time);
        if self.is_terminal {
            self.next = time + LOOK;
            self.is_shown = true;
            let mut terminal = io::stderr();
            // The command goes on where somebody has closed the terminal.
            drop(write!(terminal, "{BEGIN}{line}{ERASE}").and_then(|()| terminal.flush()));
        } else {
            self.next = time + LINE;
            note(format_args!("hookgate: {line}"));
        }
    }

    /// Does something that blocks this thread, and shows how far it is: `far` gives what is done,
    /// and of how much, where that is known.
    pub(super) fn during<T>(
        mut self,
        far: impl Fn() -> (u64, Option<u64>) + Send,
        work: impl FnOnce() -> T,
    ) -> T {
        let (end, ended) = mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                while ended.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                    let (done, of) = far();
                    self.tell(done, of);
                }
            });
            let worked = work();
            drop(end);
            worked
        })
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            let mut terminal = io::stderr();
            drop(write!(terminal, "{BEGIN}{ERASE}").and_then(|()| terminal.flush()));
        }
    }
}

/// `checked 3,000 of 12,000 records, 25 %, 412/s, 21 s left`; without a rate before there is one.
fn line((what, unit): (&str, Unit), done: u64, of: Option<u64>, time: Duration) -> String {
    let amount = |amount: u64| match unit {
        Unit::Of(_) => figure::number(amount),
        Unit::Bytes => figure::bytes(amount),
    };
    let mut parts = vec![match of {
        Some(of) => format!("{what} {} of {}", amount(done), amount(of)),
        None => format!("{what} {}", amount(done)),
    }];
    if let Unit::Of(things) = unit {
        parts[0] += &format!(" {things}");
    }
    parts.extend(of.filter(|of| *of > 0).map(|of| figure::share(done.min(of), of)));
    if done > 0 && !time.is_zero() {
        let rate = done as f64 / time.as_secs_f64();
        let shown = match unit {
            Unit::Of(_) => figure::per_second(done, time),
            Unit::Bytes => figure::bytes(rate as u64),
        };
        parts.push(format!("{shown}/s"));
        let left = of.map(|of| of.saturating_sub(done) as f64 / rate);
        let left = left.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        parts.extend(left.map(|left| format!("{} left", figure::span(left))));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_count_the_rate_and_the_time_that_is_left() {
        let of = |unit, done, of, seconds| {
            line(("checked", unit), done, of, Duration::from_secs(seconds))
        };
        let records = Unit::Of("records");
        assert_eq!(
            of(records, 3_000, Some(12_000), 10),
            "checked 3,000 of 12,000 records, 25 %, 300/s, 30 s left"
        );
        assert_eq!(of(records, 3_000, None, 10), "checked 3,000 records, 300/s");
        assert_eq!(of(records, 0, Some(12_000), 10), "checked 0 of 12,000 records, 0 %");
        assert_eq!(of(records, 0, Some(0), 10), "checked 0 of 0 records");
        let (mib, gib) = (1 << 20, 1 << 30);
        assert_eq!(
            of(Unit::Bytes, gib, Some(4 * gib), 64),
            "checked 1.0 GiB of 4.0 GiB, 25 %, 16 MiB/s, 3 min left"
        );
        assert_eq!(of(Unit::Bytes, mib, None, 1), "checked 1.0 MiB, 1.0 MiB/s");
    }

    #[test]
    fn what_is_watched_gives_what_it_gives_and_ends_the_watching() {
        let looked = std::sync::atomic::AtomicU64::new(7);
        let far = || (looked.load(std::sync::atomic::Ordering::Relaxed), None);
        let progress = Progress::new("checked", Unit::Of("records"));
        assert_eq!(progress.during(far, || 42), 42);
    }
}
