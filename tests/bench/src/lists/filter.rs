//! The single filters of a list of events, each with a value that is drawn at random.
//!
//! Pure but for what it draws. Never asks.

use hookgate::event::Timestamp;

use super::filling::span;
use super::spread::{PATTERNS, SOURCES, Spread, TYPES};

/// What a list is filtered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Filter {
    Source,
    Type,
    Types,
    Subject,
    /// A subject that no event has.
    Nobody,
    Pending,
    Done,
    Dead,
    After,
    Before,
}

impl Filter {
    pub(crate) const ALL: [Self; 10] = [
        Self::Source,
        Self::Type,
        Self::Types,
        Self::Subject,
        Self::Nobody,
        Self::Pending,
        Self::Done,
        Self::Dead,
        Self::After,
        Self::Before,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Type => "type",
            Self::Types => "type, a pattern",
            Self::Subject => "subject",
            Self::Nobody => "subject that no event has",
            Self::Pending => "state=pending",
            Self::Done => "state=done",
            Self::Dead => "state=dead",
            Self::After => "after",
            Self::Before => "before",
        }
    }

    /// The part of the query string, with another value at each call: each source and type as often
    /// as the others, however many events it has.
    pub(crate) fn query(
        self,
        spread: Spread,
        now: Timestamp,
        random: &mut fastrand::Rng,
    ) -> String {
        let mut one_of = |all: &[&'static str]| all[random.usize(..all.len())];
        match self {
            Self::Source => format!("source={}", one_of(&SOURCES)),
            Self::Type => format!("type={}", one_of(&TYPES)),
            Self::Types => format!("type={}", one_of(&PATTERNS)),
            Self::Subject => {
                format!("subject={}", spread.subject(random.usize(..spread.events())))
            }
            Self::Nobody => format!("subject=nobody-{}", random.u32(..)),
            Self::Pending => "state=pending".to_owned(),
            Self::Done => "state=done".to_owned(),
            Self::Dead => "state=dead".to_owned(),
            Self::After => format!("after={}", earlier(spread, now, random)),
            Self::Before => format!("before={}", earlier(spread, now, random)),
        }
    }
}

/// The lists that are paged through: of few events, of many, and of one state each.
pub(super) fn paged() -> [String; 5] {
    let rarest = |all: &[&str]| all.last().copied().unwrap_or_default().to_owned();
    [
        format!("source={}", rarest(&SOURCES)),
        format!("type={}", rarest(&TYPES)),
        format!("type={}", TYPES[2]),
        "state=pending".to_owned(),
        "state=dead".to_owned(),
    ]
}

/// A time at which events were stored.
fn earlier(spread: Spread, now: Timestamp, random: &mut fastrand::Rng) -> Timestamp {
    let span = span(spread.events()).as_secs_f64() * 1000.0;
    Timestamp(now.0.saturating_sub((span * random.f64()) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_filter_is_one_parameter_with_a_value_that_events_have() {
        let (spread, now) = (Spread::of(1_000), Timestamp(1_700_000_000_000));
        let mut random = fastrand::Rng::with_seed(3);
        for filter in Filter::ALL {
            let query = filter.query(spread, now, &mut random);
            let (name, value) = query.split_once('=').unwrap();
            assert!(!value.is_empty() && !query.contains('&'), "{query}");
            assert!(filter.name().starts_with(name), "{query}");
        }
        let subjects = (0..1_000).map(|number| spread.subject(number));
        let subjects = subjects.collect::<std::collections::BTreeSet<_>>();
        let query = Filter::Subject.query(spread, now, &mut random);
        assert!(subjects.contains(query.strip_prefix("subject=").unwrap()), "{query}");
    }

    #[test]
    fn times_are_those_of_the_events() {
        let (spread, now) = (Spread::of(1_000), Timestamp(1_700_000_000_000));
        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..100 {
            let time = earlier(spread, now, &mut random);
            assert!(time <= now && now.since(time) <= span(1_000), "{time}");
        }
    }
}
