//! The store's clock: what is written down, how old things are, and what is waited for.
//!
//! Somebody may set the clock by years, while the gateway runs or while it does not. So only what
//! is written down is what the clock says. Ages and waits go by counts of the store's own, which
//! follow the clock as long as it agrees, within a day, with the time that has passed. Where it
//! does not it has leapt, and they go on from where they were: `line` says how far from the clock
//! that is. Never believes a leap, however long the clock stays there.

pub(super) mod line;

use std::future::pending;
use std::sync::Mutex;
use std::time::Duration;

use self::line::Point;
use crate::clock::{Clock, Moment};
use crate::event::Timestamp;
use crate::lock::lock;

/// A smaller leap changes nothing that matters.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A stop counts as time that has passed if it seems to be no longer than this; a longer one may be
/// a leap of the clock. Providers send a request again for up to 30 days, and an id is known for at
/// least 35: this is the difference.
const REST_MAX: Duration = DAY.saturating_mul(5);

/// Whoever sets the clock back, by the hours of a time zone or by years, holds up what waits by no
/// more than this.
const BACK_MAX: Duration = Duration::from_secs(5 * 60);

/// The one clock of a store.
#[derive(Debug)]
pub(super) struct StoreClock {
    clock: Clock,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    /// How old things are goes by this. No leap moves it: nothing gets older by one.
    age: Count,
    /// What waits for a time goes by this. A leap ahead moves it: it may be that the machine slept,
    /// and a try that comes too early does no harm. A leap back does not.
    wait: Count,
    /// When they were looked at last, by [`Clock::passed`].
    heard: Duration,
}

/// A count of time.
#[derive(Debug, Clone, Copy)]
struct Count {
    time: Timestamp,
    /// What it is ahead of the clock, in milliseconds.
    shift: i64,
}

/// How far a store had counted when it was asked last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) time: Timestamp,
    /// What that was ahead of the clock, in milliseconds.
    pub(super) shift: i64,
}

/// Both times of one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// What the clock says: this is written down.
    pub(super) now: Timestamp,
    /// How far the store has counted: ages go by this.
    pub(super) counted: Timestamp,
    /// The point to add to the line of time, if one is due.
    pub(super) point: Option<Point>,
}

impl Count {
    /// Goes on to what the clock says; if that is a leap, only by the time that has passed. Says
    /// whether it is one: more than `ahead_max` ahead of that, or more than a day behind it.
    fn go_on(
        &mut self,
        said: Timestamp,
        passed: Duration,
        (back_max, ahead_max): (Duration, Duration),
    ) -> bool {
        let expected = self.time.after(passed);
        let next = shifted(said, self.shift);
        let has_leapt = next > expected.after(ahead_max) || expected > next.after(back_max);
        if has_leapt {
            *self = Self { time: expected, shift: difference(expected, said) };
        } else {
            self.time = next;
        }
        has_leapt
    }
}

impl StoreClock {
    /// Goes on where the store was; a new one begins with what the clock says.
    pub(super) fn new(clock: Clock, told: Option<Told>) -> Self {
        let said = clock.now();
        let mut age = Count { time: said, shift: 0 };
        if let Some(Told { time, shift }) = told {
            age = Count { time: time.min(Timestamp::MAX), shift };
            if age.go_on(said, Duration::ZERO, (DAY, REST_MAX)) {
                tell_leap(said, age.time);
            }
        }
        let wait = Count { time: said, shift: 0 };
        let counts = Mutex::new(Counts { age, wait, heard: clock.passed() });
        Self { clock, counts }
    }

    /// What the clock says, and how far the store has counted.
    pub(super) fn times(&self) -> Times {
        let (now, age, _) = self.look();
        Times { now, counted: age.time, point: None }
    }

    /// How far what waits for a time has come.
    pub(super) fn waited(&self) -> Timestamp {
        self.look().2.time
    }

    /// How far the store has counted, and how far what waits for a time has come.
    pub(super) fn both(&self) -> (Timestamp, Timestamp) {
        let (_, age, wait) = self.look();
        (age.time, wait.time)
    }

    /// When, by [`StoreClock::waited`], something is due that is so by the clock as it is now. Zero
    /// is at once.
    pub(super) fn due(&self, due: Timestamp) -> Timestamp {
        if due == Timestamp(0) { due } else { shifted(due, self.look().2.shift) }
    }

    /// The same at a start, of something that was put off when the count was `shift` milliseconds
    /// ahead of the clock: it is due by the clock or by the count, whichever is first.
    pub(super) fn due_since(&self, due: Timestamp, shift: i64) -> Timestamp {
        let (_, age, wait) = self.look();
        due.min(wait.time.after(shifted(due, shift).since(age.time)))
    }

    /// How far the store will have counted at a time that was so far behind its count. Never zero.
    pub(super) fn counted_at(time: Timestamp, shift: i64) -> Timestamp {
        shifted(time, shift).max(Timestamp(1))
    }

    /// The same of something that waits until the store has counted up to `since`: it is due by the
    /// clock or by the count, whichever is first, and never at once.
    pub(super) fn due_by(&self, due: Timestamp, since: Timestamp) -> Timestamp {
        let (_, age, wait) = self.look();
        let by_count = wait.time.after(since.since(age.time));
        shifted(due, wait.shift).min(by_count).max(Timestamp(1))
    }

    /// The moment that comes after this span.
    pub(super) fn moment(&self, span: Duration) -> Moment {
        self.clock.moment(span)
    }

    /// Waits until this moment has come.
    pub(super) async fn comes(&self, moment: Moment) {
        self.clock.comes(Some(moment)).await;
    }

    /// Waits until what waits has come so far; for ever if it waits for nothing.
    pub(super) async fn reached(&self, due: Option<Timestamp>) {
        let Some(due) = due else { return pending().await };
        self.clock.until(|| due.since(self.waited())).await;
    }

    fn look(&self) -> (Timestamp, Count, Count) {
        let mut counts = lock(&self.counts);
        let (said, heard) = (self.clock.now(), self.clock.passed());
        let passed = heard.saturating_sub(counts.heard);
        counts.heard = heard;
        counts.wait.go_on(said, passed, (BACK_MAX, Duration::MAX));
        if counts.age.go_on(said, passed, (DAY, DAY)) {
            tell_leap(said, counts.age.time);
        }
        (said, counts.age, counts.wait)
    }
}

fn tell_leap(said: Timestamp, counted: Timestamp) {
    tracing::warn!(
        clock = %said, %counted,
        "the clock leapt by days: what the gateway stores expires by its own count of time"
    );
}

/// A time, so many milliseconds later.
fn shifted(time: Timestamp, shift: i64) -> Timestamp {
    Timestamp(time.0.saturating_add_signed(shift)).min(Timestamp::MAX)
}

/// By how many milliseconds a time is later than another.
fn difference(time: Timestamp, other: Timestamp) -> i64 {
    let millis = |time: Timestamp| time.0.min(Timestamp::MAX.0).cast_signed();
    millis(time) - millis(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn days(days: u32) -> Duration {
        DAY * days
    }

    fn counted(time: &StoreClock) -> Timestamp {
        time.times().counted
    }

    fn started(clock: &Clock, time: Timestamp) -> StoreClock {
        StoreClock::new(clock.clone(), Some(Told { time, shift: 0 }))
    }

    #[test]
    fn time_that_passes_counts_however_much_it_is() {
        let clock = Clock::manual(NOW);
        let time = started(&clock, NOW);
        for _ in 0..3 {
            clock.advance(days(100));
            assert_eq!((counted(&time), time.waited()), (clock.now(), clock.now()));
        }
    }

    #[test]
    fn a_clock_that_leaps_ahead_makes_nothing_older_however_long_it_stays_there() {
        let clock = Clock::manual(NOW);
        let time = started(&clock, NOW);
        clock.set(NOW.after(days(400)));
        assert_eq!(counted(&time), NOW);
        clock.advance(days(30));
        assert_eq!(counted(&time), NOW.after(days(30)));
        clock.set(NOW.after(days(31)));
        assert_eq!(counted(&time), NOW.after(days(30)));
        clock.advance(days(1));
        assert_eq!(counted(&time), NOW.after(days(31)));
    }

    #[test]
    fn a_clock_that_goes_back_holds_up_nothing() {
        let clock = Clock::manual(NOW);
        let time = started(&clock, NOW);
        for said in [Timestamp(0), NOW, Timestamp(5), NOW.after(days(900)), Timestamp(5)] {
            clock.set(said);
            let (age, waited) = (counted(&time), time.waited());
            assert_eq!(age, NOW, "{said}");
            let due = time.due(said.after(days(1)));
            assert_eq!(due, waited.after(days(1)), "{said}");
        }
    }

    #[test]
    fn ages_follow_small_steps_of_the_clock_either_way() {
        let clock = Clock::manual(NOW);
        let time = started(&clock, NOW);
        for said in [NOW.after(DAY / 2), NOW, Timestamp(NOW.0 - 3_600_000), NOW.after(DAY / 2)] {
            clock.set(said);
            assert_eq!(counted(&time), said);
        }
    }

    #[test]
    fn a_clock_that_is_set_back_by_hours_holds_up_nothing_either() {
        let hours = |hours: u64| Duration::from_secs(3_600 * hours);
        let clock = Clock::manual(NOW.after(hours(23)));
        let time = started(&clock, clock.now());
        let due = time.due(clock.now().after(hours(1)));
        for said in [NOW.after(hours(11)), NOW] {
            clock.set(said);
            assert_eq!(time.waited(), NOW.after(hours(23)));
        }
        // What is put off now waits for its delay, and what was put off before for the rest of it.
        assert_eq!(time.due(NOW.after(hours(1))), due);
        clock.advance(hours(1));
        assert_eq!(time.waited(), due);
        // Small steps are followed.
        clock.set(Timestamp(clock.now().0 - 240_000));
        assert_eq!(time.waited(), Timestamp(due.0 - 240_000));
    }

    #[test]
    fn a_rest_of_days_counts_and_one_that_may_be_a_leap_does_not() {
        let clock = Clock::manual(NOW);
        for (rest, counts) in [(0, true), (5, true), (6, false), (1000, false)] {
            let told = Timestamp(NOW.0 - 86_400_000 * rest);
            let time = started(&clock, told);
            assert_eq!(counted(&time), if counts { NOW } else { told }, "{rest} days");
        }
        let told = NOW.after(days(1000));
        assert_eq!(counted(&started(&clock, told)), told, "it was ahead, and is right now");
        assert_eq!(counted(&StoreClock::new(clock, None)), NOW);
    }

    #[test]
    fn a_start_goes_on_from_a_count_that_is_far_from_the_clock() {
        let clock = Clock::manual(NOW.after(days(400)));
        let shift = -difference(NOW.after(days(400)), NOW);
        clock.advance(days(2));
        let told = Some(Told { time: NOW, shift });
        let time = StoreClock::new(clock.clone(), told);
        assert_eq!(counted(&time), NOW.after(days(2)));
    }

    #[test]
    fn what_is_read_again_is_due_by_whichever_of_both_is_first() {
        let minute = Duration::from_secs(60);
        let clock = Clock::manual(NOW);
        let time = started(&clock, NOW);
        let (due, since) = (NOW.after(minute), NOW.after(minute));
        assert_eq!(time.due_by(due, since), due);
        assert_eq!(time.due_by(NOW.after(days(900)), since), due, "the clock was ahead");
        assert_eq!(time.due_by(due, NOW.after(days(900))), due, "the count was ahead");

        // The clock is back by years: what waits goes on where it was.
        clock.set(Timestamp(5));
        assert_eq!(time.due_by(Timestamp(5).after(minute), since), due);
        assert_eq!(time.due_by(due, since), due);
    }

    #[test]
    fn what_was_put_off_is_due_at_a_start_by_whichever_of_both_is_first() {
        let minute = Duration::from_secs(60);
        let clock = Clock::manual(NOW);
        let time = started(&clock, NOW);
        let due = NOW.after(minute);
        assert_eq!(time.due_since(due, 0), due);
        // It was put off by a clock that was ahead.
        let ahead = NOW.after(days(900));
        let shift = difference(NOW, ahead);
        assert_eq!(time.due_since(ahead.after(minute), shift), due);

        // The clock is back by years, or the gateway was off for long.
        let back = Clock::manual(Timestamp(5));
        let time = started(&back, NOW);
        assert_eq!(time.due_since(due, 0), Timestamp(5).after(minute));
        let later = Clock::manual(NOW.after(days(100)));
        assert_eq!(started(&later, NOW).due_since(due, 0), due);
    }
}
