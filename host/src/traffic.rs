//! What came and went: the figures of the last hour by minutes, of the last day by five minutes,
//! and of the last week by hours.
//!
//! Looks at what the metrics and the store have counted, and keeps the differences, in memory and
//! in a fixed number of points: after a start it begins anew, and says since when it counts. Never
//! counts anything itself.

use std::collections::VecDeque;
use std::str::FromStr;
use std::sync::Mutex;
use std::time::Duration;

use crate::clock::Clock;
use crate::event::{Timestamp, in_millis};
use crate::lock::lock;
use crate::metrics::{Metrics, Totals};
use crate::store::Store;

/// How far back somebody looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Span {
    /// Sixty points of a minute.
    #[default]
    Hour,
    /// 288 points of five minutes.
    Day,
    /// 168 points of an hour.
    Week,
}

impl Span {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    /// As it is written.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
        }
    }

    /// The time of one point, and the number of points.
    fn steps(self) -> (Duration, usize) {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        match self {
            Self::Hour => (minutes(1), 60),
            Self::Day => (minutes(5), 288),
            Self::Week => (minutes(60), 168),
        }
    }

    /// The time of one point.
    pub(crate) fn step(self) -> Duration {
        self.steps().0
    }
}

/// A text that is not a [`Span`].
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a span: the spans are hour, day and week")]
pub(crate) struct InvalidSpan(String);

impl FromStr for Span {
    type Err = InvalidSpan;

    fn from_str(text: &str) -> Result<Self, InvalidSpan> {
        let found = Self::ALL.into_iter().find(|span| span.as_str() == text);
        found.ok_or_else(|| InvalidSpan(text.to_owned()))
    }
}

/// What there was in one step of time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Point {
    /// When it begins.
    pub(crate) at: Timestamp,
    /// What was counted in it.
    pub(crate) counted: Totals,
    /// The most works that waited at any look.
    pub(crate) waiting: u64,
    /// The dead letters at the last look.
    pub(crate) dead: u64,
}

/// What came and went.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// From when on anything was counted.
    pub(crate) since: Timestamp,
    /// Oldest first; the last one is not over. A step in which nobody looked is missing.
    pub(crate) points: Vec<Point>,
    /// Of all points together.
    pub(crate) total: Totals,
    /// For how long about the oldest work has waited; `None` if none does.
    pub(crate) waiting_for: Option<Duration>,
}

/// Keeps what came and went.
#[derive(Debug)]
pub(crate) struct Traffic {
    metrics: Metrics,
    store: Store,
    clock: Clock,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    since: Timestamp,
    /// As it was at the last look.
    last: Totals,
    /// By [`Span`].
    rings: [Ring; Span::ALL.len()],
}

#[derive(Debug)]
struct Ring {
    step: u64,
    most: usize,
    points: VecDeque<Point>,
}

impl Ring {
    fn new(span: Span) -> Self {
        let (step, most) = span.steps();
        Self { step: in_millis(step), most, points: VecDeque::new() }
    }

    /// Adds what came since the last look to the point of now. A clock that is set back adds to the
    /// newest.
    fn add(&mut self, now: Timestamp, (counted, before): (&Totals, &Totals), level: Level) {
        let at = Timestamp(now.0 - now.0 % self.step);
        if self.points.back().is_none_or(|last| last.at < at) {
            if self.points.len() >= self.most {
                self.points.pop_front();
            }
            self.points.push_back(Point { at, ..Point::default() });
        }
        let Some(point) = self.points.back_mut() else { return };
        point.counted.add_since(counted, before);
        point.waiting = point.waiting.max(level.waiting);
        point.dead = level.dead;
    }

    /// Those that are not older than its time.
    fn recent(&self, now: Timestamp) -> impl Iterator<Item = &Point> {
        let reach = self.step.saturating_mul(self.most as u64);
        let oldest = now.0.saturating_sub(reach);
        self.points.iter().filter(move |point| point.at.0 > oldest)
    }
}

/// What the store has at a moment.
#[derive(Debug, Clone, Copy)]
struct Level {
    waiting: u64,
    dead: u64,
}

impl Traffic {
    /// Counts from now on.
    pub(crate) fn new(metrics: Metrics, store: Store, clock: Clock) -> Self {
        let kept =
            Kept { since: clock.now(), last: metrics.totals(), rings: Span::ALL.map(Ring::new) };
        Self { metrics, store, clock, kept: Mutex::new(kept) }
    }

    /// Takes in what was counted since the last look.
    pub(crate) fn look(&self) {
        let stats = self.store.stats();
        let level = Level {
            waiting: stats.works.values().map(|works| works.pending() as u64).sum(),
            dead: stats.works.values().map(|works| works.dead).sum(),
        };
        // Under the lock, so that nobody adds what another has added.
        let mut kept = lock(&self.kept);
        let (totals, now) = (self.metrics.totals(), self.clock.now());
        let Kept { last, rings, .. } = &mut *kept;
        for ring in rings {
            ring.add(now, (&totals, &*last), level);
        }
        *last = totals;
    }

    /// What came and went within a span, up to now.
    pub(crate) fn over(&self, span: Span) -> Seen {
        self.look();
        let waiting_for = self.store.waiting_for().into_iter().filter_map(|(_, age)| age).max();
        let (now, kept) = (self.clock.now(), lock(&self.kept));
        let points: Vec<Point> = kept.rings[span as usize].recent(now).cloned().collect();
        let mut total = Totals::default();
        points.iter().for_each(|point| total.add(&point.counted));
        Seen { since: kept.since, points, total, waiting_for }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Answered, Counted};
    use crate::store;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);
    const MINUTE: Duration = Duration::from_secs(60);

    struct Bench {
        traffic: Traffic,
        metrics: Metrics,
        clock: Clock,
        _folder: tempfile::TempDir,
    }

    fn bench() -> Bench {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::manual(NOW));
        let store = Store::open(&store::Config::at(folder.path()), clock.clone()).unwrap();
        let metrics = Metrics::new();
        let traffic = Traffic::new(metrics.clone(), store, clock.clone());
        Bench { traffic, metrics, clock, _folder: folder }
    }

    impl Bench {
        fn accept(&self) {
            let source = "stripe".parse().unwrap();
            self.metrics.request(&source, Answered::Accepted, Duration::from_millis(1));
        }

        fn accepted(&self, span: Span) -> Vec<u64> {
            let seen = self.traffic.over(span);
            seen.points.iter().map(|point| point.counted.of(Counted::Accepted)).collect()
        }
    }

    /// Guards the difference in [`Ring::add`]: a total that is added twice is a wrong rate.
    #[tokio::test]
    async fn each_request_counts_in_the_minute_in_which_it_came_and_once() {
        let bench = bench();
        bench.accept();
        bench.traffic.look();
        bench.accept();
        bench.clock.advance(MINUTE);
        bench.traffic.look();
        bench.accept();

        assert_eq!(bench.accepted(Span::Hour), [1, 2]);
        assert_eq!(bench.accepted(Span::Week), [3]);
        let total = bench.traffic.over(Span::Day).total;
        assert_eq!((total.of(Counted::Accepted), total.of(Counted::Refused)), (3, 0));
        assert_eq!(bench.traffic.over(Span::Hour).since, NOW);
    }

    /// Guards the bound of a ring, and that a quiet hour shows nothing old.
    #[tokio::test]
    async fn an_hour_has_sixty_minutes_however_long_it_goes_on() {
        let bench = bench();
        for _ in 0..100 {
            bench.accept();
            bench.traffic.look();
            bench.clock.advance(MINUTE);
        }
        assert_eq!(lock(&bench.traffic.kept).rings[0].points.len(), 60);
        bench.clock.advance(MINUTE * 90);
        assert_eq!(bench.accepted(Span::Hour), [0]);
    }

    #[test]
    fn a_span_is_read_as_it_is_written() {
        for span in Span::ALL {
            assert_eq!(span.as_str().parse::<Span>().unwrap(), span);
        }
        assert!("month".parse::<Span>().is_err());
    }
}
