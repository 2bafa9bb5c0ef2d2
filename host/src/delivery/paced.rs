//! One endpoint as deliveries find it: whether they go there, how many at a time, and how the last
//! ones fared.
//!
//! In memory, and pure: what must outlast a start is given to whoever notes it in the store. Never
//! sends, and never touches a delivery.

use std::sync::Arc;
use std::time::Duration;

use super::breaker::{Breaker, Change, Fared, Gate, Judged};
use super::pace::{Ended, Pace, Ticket};
use super::tally::Tally;
use crate::directory::{Held, Listed};
use crate::endpoint::{Order, Settings, Status};
use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::{Allowance, EndpointNote, Health};

/// What a rate counts attempts in.
const MINUTE: Duration = Duration::from_secs(60);
/// Deliveries at a time that end without an attempt.
const ENDED_AT_A_TIME: usize = 16;

/// What becomes of the deliveries to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// They go out.
    Goes,
    /// They wait.
    Waits,
    /// They end without an attempt.
    Ends,
}

impl Fate {
    pub(super) fn of(listed: &Listed) -> Self {
        if listed.deleted.is_some() {
            return Self::Ends;
        }
        match listed.endpoint.standing.status {
            Status::Enabled => Self::Goes,
            Status::Paused => Self::Waits,
            Status::Disabled => Self::Ends,
        }
    }
}

/// How deliveries to an endpoint may wait for long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    /// How many may.
    pub(crate) held: u64,
    /// Whether none goes out for now, rather than few at a time.
    pub(crate) is_cut_off: bool,
}

/// An endpoint, with the allowance that the store has of it.
#[derive(Debug)]
pub(super) struct Paced {
    pub(super) pace: Pace,
    breaker: Breaker,
    /// Whether the breaker counts.
    use_breaker: bool,
    fate: Fate,
    settings: Arc<Settings>,
    /// If it waits because a secret does not open: when that is looked at again.
    again_at: Option<Timestamp>,
    tally: Tally,
    /// Whether there is something to note.
    is_changed: bool,
    pub(super) allowance: Option<Allowance>,
    /// Whether its breaker counts as open in the metrics.
    pub(super) counts_as_open: bool,
}

/// An attempt that has ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observed {
    pub(super) ended: Ended,
    pub(super) status: Option<u16>,
    /// Of the body.
    pub(super) bytes: usize,
    pub(super) took: Duration,
}

/// What follows from an attempt.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct News {
    pub(super) change: Option<Change>,
    pub(super) judged: Option<Judged>,
}

impl Paced {
    /// One that has fared so, with a breaker or without.
    pub(super) fn of(listed: &Listed, health: &Health, use_breaker: bool) -> Self {
        let settings = Arc::clone(&listed.endpoint.settings);
        Self {
            pace: Pace::new(settings.limits.concurrency),
            breaker: Breaker::of(health),
            use_breaker,
            fate: Fate::of(listed),
            settings,
            again_at: None,
            tally: Tally::default(),
            is_changed: false,
            allowance: None,
            counts_as_open: false,
        }
    }

    /// If it was changed, it is tried without a pause, which a start is no reason for. If it was
    /// disabled, it begins anew. Whether there is something to note that was not before.
    pub(super) fn configured(&mut self, listed: &Listed, use_breaker: bool) -> bool {
        let was = std::mem::replace(&mut self.fate, Fate::of(listed));
        let before = std::mem::replace(&mut self.settings, Arc::clone(&listed.endpoint.settings));
        let used = std::mem::replace(&mut self.use_breaker, use_breaker);
        self.again_at = None;
        self.pace.configured(self.settings.limits.concurrency);
        if before != self.settings || was != self.fate || used != use_breaker {
            self.breaker.configured();
        }
        if was != Fate::Ends || self.fate == Fate::Ends {
            return false;
        }
        self.breaker.forget();
        !std::mem::replace(&mut self.is_changed, true)
    }

    /// Nothing goes there for now: a secret does not open. It is looked at again when one is over.
    pub(super) fn hold(&mut self, listed: &Listed, now: Timestamp) {
        self.fate = Fate::Waits;
        let expiry = |held: &Held| match held {
            Held::Sealed(secret) => secret.expires_at.filter(|at| *at > now),
            Held::Plain(_) | Held::Other(..) => None,
        };
        self.again_at = listed.secrets.iter().filter_map(expiry).min();
    }

    /// Whether it is time to look at it again.
    pub(super) fn is_due_again(&self, now: Timestamp) -> bool {
        self.again_at.is_some_and(|at| at <= now)
    }

    /// Until when its breaker holds everything back, and then lets one attempt go at a time.
    fn open_until(&self) -> Option<Timestamp> {
        self.breaker.open_until().filter(|_| self.use_breaker)
    }

    /// Whether its breaker holds back what would go there.
    pub(super) fn is_open(&self) -> bool {
        self.fate == Fate::Goes && self.open_until().is_some()
    }

    /// What it may have in flight, out of so many slots.
    pub(super) fn allowance(&self, slots: usize) -> Allowance {
        let (rate, order) = (self.settings.limits.rate, self.settings.order);
        let rate = rate.map(|rate| (MINUTE / rate.per_minute, rate.burst));
        let allowance = match self.fate {
            Fate::Goes => self.pace.allowance(slots),
            // What comes meanwhile goes in order too, once it goes.
            Fate::Waits => return Allowance { rate, order, ..Allowance::of(0) },
            // None of them is waited for.
            Fate::Ends => return Allowance::of(ENDED_AT_A_TIME),
        };
        let allowance = Allowance { rate, order, ..allowance };
        match self.open_until() {
            None => allowance,
            Some(until) => Allowance {
                at_a_time: 1,
                not_before: until.max(allowance.not_before),
                is_trusted: false,
                ..allowance
            },
        }
    }

    /// Whether deliveries go there at this time.
    pub(super) fn goes(&self, allowance: Allowance, now: Timestamp) -> bool {
        self.fate == Fate::Goes && allowance.not_before <= now
    }

    /// How deliveries may wait, if they may wait for long.
    pub(super) fn waits(&self) -> Option<Wait> {
        let limits = &self.settings.limits;
        let is_slow = limits.rate.is_some() || self.settings.order != Order::None;
        let is_cut_off = match self.fate {
            // One attempt without an answer says nothing: those that wait go out.
            Fate::Goes => self.pace.is_away() || self.open_until().is_some(),
            Fate::Waits => true,
            Fate::Ends => return None,
        };
        (is_slow || is_cut_off).then_some(Wait { held: limits.held, is_cut_off })
    }

    /// An attempt has ended: what follows, and whether there is something to note that was not
    /// before. `jitter` is 0 to 1, chosen at random.
    pub(super) fn ended(
        &mut self,
        ticket: Ticket,
        observed: Observed,
        now: Timestamp,
        jitter: f64,
    ) -> (News, bool) {
        let Observed { ended, status, bytes, took } = observed;
        self.pace.end(ticket, ended, bytes, now, jitter);
        if ended == Ended::Unsent {
            return (News::default(), false);
        }
        let fared = Fared::of(status);
        self.tally.add(fared == Fared::Succeeded, took, bytes, now);
        let change = if self.use_breaker {
            self.breaker.ended(fared, now, jitter)
        } else {
            self.breaker.note(fared, now);
            None
        };
        if change.is_some() {
            self.pace.slow();
        }
        let after = self.settings.limits.disable_after.time();
        let judged = after.and_then(|after| self.breaker.judge(now, after));
        (News { change, judged }, !std::mem::replace(&mut self.is_changed, true))
    }

    /// What there is to note of it, under this key.
    pub(super) fn note(&mut self, key: Name) -> EndpointNote {
        self.is_changed = false;
        EndpointNote { key, health: Some(self.breaker.health()), hours: self.tally.take() }
    }

    /// It was not noted; whether it was not known before that there is something to note. Its
    /// attempts are lost: while the store can't be written, hardly any is made.
    pub(super) fn unnoted(&mut self) -> bool {
        !std::mem::replace(&mut self.is_changed, true)
    }

    /// How it fares at this time.
    pub(super) fn health(&self, now: Timestamp) -> Health {
        let gate = if self.use_breaker { self.breaker.gate(now) } else { Gate::Closed };
        let (breaker, open_until) = match gate {
            Gate::Closed => (0, None),
            Gate::Open { until } => (1, Some(until)),
            Gate::HalfOpen => (2, None),
        };
        Health { breaker, open_until, ..self.breaker.health() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::{Endpoint, Origin, RawSettings, Standing, check};
    use crate::ids::Id;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn paced(use_breaker: bool, order: Option<&str>) -> Paced {
        let raw = RawSettings {
            name: "crm".to_owned(),
            url: "https://crm.example".to_owned(),
            events: vec!["*".to_owned()],
            order: order.map(str::to_owned),
            ..RawSettings::default()
        };
        let settings = Arc::new(check(raw, Origin::File).unwrap());
        let key = settings.name.clone();
        let endpoint = Endpoint {
            id: Id::endpoint_of(&key, 7),
            key,
            origin: Origin::File,
            settings,
            standing: Standing::enabled(NOW),
            created_at: NOW,
            updated_at: NOW,
            revision: 1,
        };
        let listed = Listed { endpoint, secrets: Arc::from([]), deleted: None };
        Paced::of(&listed, &Health::default(), use_breaker)
    }

    fn fail(paced: &mut Paced) {
        let ticket = paced.pace.begin();
        let (ended, took) = (Ended::Unanswered, Duration::ZERO);
        paced.ended(ticket, Observed { ended, status: None, bytes: 0, took }, NOW, 0.5);
    }

    /// Guards that a long queue is not thrown away for one attempt that went wrong.
    #[test]
    fn what_waits_is_bounded_once_an_endpoint_is_away_and_not_when_one_attempt_fails() {
        for use_breaker in [true, false] {
            let mut paced = paced(use_breaker, None);
            fail(&mut paced);
            assert_eq!(paced.waits(), None);
            (0..10).for_each(|_| fail(&mut paced));
            assert_eq!(paced.waits(), Some(Wait { held: 100_000, is_cut_off: true }));
        }
    }

    /// Guards that what waits in its order for an endpoint that answers is nobody's but its own.
    /// Say in [`Paced::waits`] that whoever is slow is cut off, and the first look fails.
    #[test]
    fn an_endpoint_with_an_order_is_cut_off_only_once_it_is_away() {
        let mut paced = paced(false, Some("subject"));
        assert_eq!(paced.waits(), Some(Wait { held: 100_000, is_cut_off: false }));
        (0..10).for_each(|_| fail(&mut paced));
        assert_eq!(paced.waits(), Some(Wait { held: 100_000, is_cut_off: true }));
    }
}
