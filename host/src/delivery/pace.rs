//! How many attempts an endpoint gets at a time: more while it answers, down to one probe while it
//! does not, and then with growing pauses.
//!
//! Pure: from how attempts went and what time it is follows what the endpoint may have in flight.
//! Never decides about a delivery: one that is held back here costs no try.

use std::time::Duration;

use crate::endpoint::Order;
use crate::event::Timestamp;
use crate::store::Allowance;

/// What an endpoint that nothing is known of may have at a time, if it may have so many.
const FIRST: usize = 2;

/// The pause after the first probe that got no answer; each that follows doubles it.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// What an endpoint asks for counts up to this: the store lets none rest for longer.
const ASKED_MAX: Duration = Duration::from_secs(5 * 60);

/// Each pause is stretched or shortened by up to this share.
const JITTER: f64 = 0.2;

/// An endpoint is away when so many probes in a row got no answer.
const AWAY: u32 = 3;

/// Bytes of a body that one slot stands for.
const SLOT_BYTES: usize = 64 * 1024;

/// An endpoint may take one in so many of all slots.
const SHARE: usize = 8;

/// How an attempt ended for the endpoint, whatever became of the delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It answered.
    Answered,
    /// It answered that it has too much to do, and perhaps for how long.
    Overloaded { asked: Option<Duration> },
    /// It can't be reached, or gave no answer.
    Unanswered,
    /// Nothing was sent.
    Unsent,
}

/// An attempt under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticket {
    /// The answers that had come when it began.
    answers: u64,
    /// Whether it is alone, so that a failure says that the endpoint is away.
    is_probe: bool,
}

/// What is known of one endpoint.
#[derive(Debug)]
pub(super) struct Pace {
    /// What the operator allows.
    ceiling: usize,
    /// What the endpoint bears, 1 to `ceiling`.
    limit: usize,
    /// Answers that have come.
    answers: u64,
    /// Whether the last attempt that ended got no answer.
    is_failing: bool,
    /// Whether no answer has come for a while although one is waited for.
    is_silent: bool,
    /// Probes in a row that got no answer.
    probes: u32,
    rests_until: Timestamp,
    /// It has asked for nothing before this time.
    asked_until: Timestamp,
    /// About the largest of the last bodies.
    bytes: usize,
}

impl Pace {
    pub(super) fn new(ceiling: usize) -> Self {
        let ceiling = ceiling.max(1);
        Self {
            ceiling,
            limit: ceiling.min(FIRST),
            answers: 0,
            is_failing: false,
            is_silent: false,
            probes: 0,
            rests_until: Timestamp(0),
            asked_until: Timestamp(0),
            bytes: 0,
        }
    }

    /// The configuration was changed: it is probed again without a pause.
    pub(super) fn configured(&mut self, ceiling: usize) {
        self.ceiling = ceiling.max(1);
        self.limit = self.limit.min(self.ceiling);
        self.probes = 0;
        (self.rests_until, self.asked_until) = (Timestamp(0), Timestamp(0));
    }

    /// From now on it gets one attempt at a time, and more as it answers.
    pub(super) fn slow(&mut self) {
        self.limit = 1;
    }

    /// An attempt begins.
    pub(super) fn begin(&self) -> Ticket {
        Ticket { answers: self.answers, is_probe: self.at_a_time() == 1 }
    }

    /// An attempt has got no answer for a while; whether that changes anything.
    pub(super) fn late(&mut self, ticket: Ticket) -> bool {
        let no_other_answered = ticket.answers == self.answers;
        let is_news = no_other_answered && !self.is_silent;
        self.is_silent |= no_other_answered;
        is_news
    }

    /// An attempt has ended. `bytes` is how large its body was, `jitter` is 0 to 1, chosen at
    /// random.
    pub(super) fn end(
        &mut self,
        ticket: Ticket,
        ended: Ended,
        bytes: usize,
        now: Timestamp,
        jitter: f64,
    ) {
        self.bytes = bytes.max(self.bytes - self.bytes / 8);
        match ended {
            Ended::Answered => {
                self.answered();
                self.limit = (self.limit + 1).min(self.ceiling);
            }
            Ended::Overloaded { asked } => {
                self.answered();
                self.limit = (self.limit / 2).max(1);
                if let Some(asked) = asked {
                    self.asked_until = now.after(asked.min(ASKED_MAX));
                }
            }
            Ended::Unanswered => {
                self.is_failing = true;
                self.limit = (self.limit / 2).max(1);
                if ticket.is_probe {
                    self.probes = self.probes.saturating_add(1);
                    self.rests_until = now.after(pause(self.probes, jitter));
                }
            }
            Ended::Unsent => (),
        }
    }

    fn answered(&mut self) {
        self.answers += 1;
        self.is_failing = false;
        self.is_silent = false;
        self.probes = 0;
        self.rests_until = Timestamp(0);
    }

    /// Attempts at a time.
    pub(super) fn at_a_time(&self) -> usize {
        if self.is_silent { 1 } else { self.limit }
    }

    /// Whether it answers, as far as is known.
    pub(super) fn is_trusted(&self) -> bool {
        !self.is_failing && !self.is_silent
    }

    /// Whether it gets single attempts with pauses, none of which was answered of late.
    pub(super) fn is_away(&self) -> bool {
        self.probes >= AWAY
    }

    /// What it may have in flight, out of so many slots.
    pub(super) fn allowance(&self, slots: usize) -> Allowance {
        let each = 1 + self.bytes / SLOT_BYTES;
        let share = (slots / SHARE / each).max(1);
        Allowance {
            at_a_time: self.at_a_time().min(share),
            not_before: self.rests_until.max(self.asked_until),
            slots: each,
            is_trusted: self.is_trusted(),
            rate: None,
            order: Order::None,
        }
    }
}

/// The pause after so many probes in a row that got no answer.
fn pause(probes: u32, jitter: f64) -> Duration {
    let doubled = 1_u32.checked_shl(probes.saturating_sub(1)).unwrap_or(u32::MAX);
    let pause = PAUSE_MIN.saturating_mul(doubled).min(PAUSE_MAX);
    pause.mul_f64(1.0 + JITTER * (2.0 * jitter.clamp(0.0, 1.0) - 1.0))
}

#[cfg(test)]
mod tests;
