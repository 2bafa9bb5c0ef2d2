//! What others are told of the backlog who never wait for it: whether its runs and deliveries lag,
//! and how many receipts are not parsed.
//!
//! What is due in lanes that do not move is no lag: it waits for an endpoint that is down, however
//! long that takes. Told at each commit. Never changes what is owed.

use std::time::Duration;

use super::Backlog;
use crate::event::Timestamp;
use crate::store::kind::WorkKind;

/// With so many due in lanes that move, runs and deliveries lag,
const HIGH: usize = 2_048;
/// until there are so many.
const LOW: usize = HIGH / 2;
/// What a lane got done is counted for so long.
const SECOND: Duration = Duration::from_secs(1);
/// If more lanes move, they are not added up at each commit,
const LANES_MAX: usize = 64;
/// but as often as this.
const SPACING: Duration = Duration::from_millis(10);

/// When what was looked at for the lag.
#[derive(Debug, Default)]
pub(super) struct Lag {
    /// When the second began that is not over.
    began: Timestamp,
    /// When the lanes were added up.
    added_up: Timestamp,
}

impl Backlog {
    /// Finds out whether runs and deliveries lag, once all is finished and opened that is committed
    /// together.
    pub(in crate::store) fn look_for_lag(&mut self, now: Timestamp) {
        let kinds = [WorkKind::Run, WorkKind::Delivery];
        let second = now.since(self.lag.began);
        if second >= SECOND {
            self.lag.began = now;
            let just_now = second < 2 * SECOND;
            WorkKind::ALL.into_iter().for_each(|kind| self.queues[kind].second_ends(just_now));
        }
        // Mostly that is all.
        if self.count.derived() <= LOW {
            return self.count.judge_lag(0, HIGH, LOW);
        }
        let lanes: usize = kinds.into_iter().map(|kind| self.queues[kind].moving()).sum();
        if lanes > LANES_MAX && now.since(self.lag.added_up) < SPACING {
            return;
        }
        self.lag.added_up = now;
        let due = kinds.into_iter().map(|kind| self.queues[kind].due_in_moving()).sum();
        self.count.judge_lag(due, HIGH, LOW);
    }

    /// Says how many receipts may be parsed now, of the sources of which something was counted.
    pub(super) fn note_unparsed(&self) {
        let parses = &self.queues[WorkKind::Parse];
        self.count.note_unparsed(|source| parses.due(source));
    }
}
