//! A circuit breaker: whether an endpoint gets attempts at all, by how the last ones fared, and
//! since when it has done nothing but fail.
//!
//! Pure: from how attempts ended and what time it is follows what it says. It stands in front of
//! the pace, which decides how many attempts there are at a time. Never decides about a delivery:
//! one that waits for it costs no try, and its probe is a try of some delivery.

use std::time::Duration;

use crate::event::Timestamp;
use crate::store::Health;

/// It opens after this many failures in a row.
const IN_A_ROW: u32 = 10;
/// Or if at least half of at least this many attempts within [`Window::SPAN`] failed.
const ATTEMPTS_MIN: u32 = 20;

/// The first pause; each that follows doubles it. No pause is longer than the store lets an
/// endpoint rest.
const PAUSE_MIN: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_secs(5 * 60);
/// Each pause is stretched or shortened by up to this share.
const JITTER: f64 = 0.2;

/// Nobody is warned or disabled for fewer failures, for however long they last.
const FAILURES_MIN: u32 = 20;

/// So much of the time between two failures counts at most. Of longer ones nobody knows: nothing
/// was sent, or the clock has leapt.
const SILENCE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How an attempt fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fared {
    Succeeded,
    /// The endpoint is there, and did not want this delivery.
    Refused,
    /// It gave no answer, or one that says it is in trouble.
    Failed,
}

/// What an endpoint gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    /// What its pace allows.
    Closed,
    /// Nothing before this time.
    Open { until: Timestamp },
    /// One attempt at a time, to find out.
    HalfOpen,
}

/// What an attempt has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Opened { until: Timestamp },
    Closed,
}

/// What follows for an endpoint that has failed for long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judged {
    /// Half of the time is over; said once.
    Failing { since: Timestamp },
    /// All of it is.
    Disable { since: Timestamp },
}

/// What is known of one endpoint.
#[derive(Debug, Clone)]
pub(super) struct Breaker {
    /// Until when it was opened last, if it has not closed since.
    open_until: Option<Timestamp>,
    /// How often it has opened without closing.
    opened: u32,
    /// Failures in a row.
    row: u32,
    window: Window,
    failing_since: Option<Timestamp>,
    /// Attempts since then.
    failures: u32,
    is_warned: bool,
    last_success: Option<Timestamp>,
    last_failure: Option<Timestamp>,
}

impl Fared {
    /// By the status of the answer, if one came.
    pub(super) fn of(status: Option<u16>) -> Self {
        match status {
            Some(200..=299) => Self::Succeeded,
            Some(408 | 429) | None => Self::Failed,
            Some(300..=499) => Self::Refused,
            Some(_) => Self::Failed,
        }
    }
}

impl Breaker {
    /// One as it was noted last. What went before in its window is forgotten.
    pub(super) fn of(health: &Health) -> Self {
        Self {
            open_until: health.open_until.filter(|_| health.breaker != 0),
            opened: health.opened,
            row: 0,
            window: Window::default(),
            failing_since: health.failing_since,
            failures: health.failures,
            is_warned: health.warned,
            last_success: health.last_success,
            last_failure: health.last_failure,
        }
    }

    /// As it is to be noted. Where the endpoint stands is noted elsewhere.
    pub(super) fn health(&self) -> Health {
        Health {
            breaker: u8::from(self.open_until.is_some()),
            open_until: self.open_until,
            opened: self.opened,
            failing_since: self.failing_since,
            failures: self.failures,
            warned: self.is_warned,
            last_success: self.last_success,
            last_failure: self.last_failure,
            standing: None,
        }
    }

    /// Until when nothing goes, and then one attempt at a time; `None` while it is closed.
    pub(super) fn open_until(&self) -> Option<Timestamp> {
        self.open_until
    }

    /// The endpoint was changed: if it is open, the next attempt goes at once.
    pub(super) fn configured(&mut self) {
        self.open_until = self.open_until.map(|_| Timestamp(0));
    }

    /// Nothing counts any more that the endpoint did before.
    pub(super) fn forget(&mut self) {
        let (last_success, last_failure) = (self.last_success, self.last_failure);
        *self = Self { last_success, last_failure, ..Self::of(&Health::default()) };
    }

    /// What its endpoint gets now.
    pub(super) fn gate(&self, now: Timestamp) -> Gate {
        match self.open_until {
            None => Gate::Closed,
            // A clock that was set back holds nobody for longer than a pause.
            Some(until) if until > now && until.since(now) <= PAUSE_MAX => Gate::Open { until },
            Some(_) => Gate::HalfOpen,
        }
    }

    /// An attempt has ended. `jitter` is 0 to 1, chosen at random.
    pub(super) fn ended(&mut self, fared: Fared, now: Timestamp, jitter: f64) -> Option<Change> {
        self.note(fared, now);
        match (self.gate(now), fared) {
            // It began before that.
            (Gate::Open { .. }, _) => None,
            (Gate::HalfOpen, Fared::Failed) => Some(self.open(now, jitter)),
            (Gate::HalfOpen, Fared::Succeeded | Fared::Refused) => {
                (self.open_until, self.opened) = (None, 0);
                Some(Change::Closed)
            }
            (Gate::Closed, Fared::Failed) => {
                self.row = self.row.saturating_add(1);
                self.window.add(now, true);
                let opens = self.row >= IN_A_ROW || self.window.fails(now);
                opens.then(|| self.open(now, jitter))
            }
            (Gate::Closed, Fared::Succeeded | Fared::Refused) => {
                self.row = 0;
                self.window.add(now, false);
                None
            }
        }
    }

    /// An attempt has ended, at an endpoint that has attempts whatever became of the last ones.
    pub(super) fn note(&mut self, fared: Fared, now: Timestamp) {
        if fared == Fared::Succeeded {
            self.last_success = Some(now);
            (self.failing_since, self.failures, self.is_warned) = (None, 0, false);
        } else {
            let silence = self.last_failure.map_or(Duration::ZERO, |last| now.since(last));
            let since = self.failing_since.unwrap_or(now);
            self.failing_since = Some(since.after(silence.saturating_sub(SILENCE_MAX)).min(now));
            self.last_failure = Some(now);
            self.failures = self.failures.saturating_add(1);
        }
    }

    fn open(&mut self, now: Timestamp, jitter: f64) -> Change {
        self.opened = self.opened.saturating_add(1);
        let until = now.after(pause(self.opened, jitter));
        (self.open_until, self.row, self.window) = (Some(until), 0, Window::default());
        Change::Opened { until }
    }

    /// What follows from all failures, if an endpoint is disabled that does nothing else for this
    /// time.
    pub(super) fn judge(&mut self, now: Timestamp, disable_after: Duration) -> Option<Judged> {
        let since = self.failing_since.filter(|_| self.failures >= FAILURES_MIN)?;
        let failing = now.since(since);
        if failing >= disable_after {
            return Some(Judged::Disable { since });
        }
        if failing < disable_after / 2 || self.is_warned {
            return None;
        }
        self.is_warned = true;
        Some(Judged::Failing { since })
    }
}

/// The pause when it has opened this often without closing.
fn pause(opened: u32, jitter: f64) -> Duration {
    let doubled = 1_u32.checked_shl(opened.saturating_sub(1)).unwrap_or(u32::MAX);
    let pause = PAUSE_MIN.saturating_mul(doubled).min(PAUSE_MAX);
    let jittered = pause.mul_f64(1.0 + JITTER * (2.0 * jitter.clamp(0.0, 1.0) - 1.0));
    jittered.min(PAUSE_MAX)
}

/// The attempts of about the last minute, in parts.
#[derive(Debug, Clone, Default)]
struct Window {
    parts: [Part; Window::PARTS as usize],
}

#[derive(Debug, Clone, Copy, Default)]
struct Part {
    number: u64,
    attempts: u32,
    failures: u32,
}

impl Window {
    const SPAN: Duration = Duration::from_secs(60);
    const PARTS: u64 = 6;
    const PART_MS: u64 = Self::SPAN.as_secs() * 1000 / Self::PARTS;

    fn add(&mut self, now: Timestamp, failed: bool) {
        let number = now.0 / Self::PART_MS;
        let part = &mut self.parts[(number % Self::PARTS) as usize];
        if part.number != number {
            *part = Part { number, ..Part::default() };
        }
        part.attempts = part.attempts.saturating_add(1);
        part.failures = part.failures.saturating_add(u32::from(failed));
    }

    /// Whether there were many, and half of them failed.
    fn fails(&self, now: Timestamp) -> bool {
        let last = now.0 / Self::PART_MS;
        let recent = self.parts.iter().filter(|part| part.number + Self::PARTS > last);
        let sum = |(attempts, failures): (u32, u32), part: &Part| {
            (attempts.saturating_add(part.attempts), failures.saturating_add(part.failures))
        };
        let (attempts, failures) = recent.fold((0, 0), sum);
        attempts >= ATTEMPTS_MIN && failures >= attempts.div_ceil(2)
    }
}

#[cfg(test)]
mod tests;
