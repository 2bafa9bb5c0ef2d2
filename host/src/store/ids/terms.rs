//! How long the event ids of each source are known.
//!
//! Values. A term is given to an id when it comes, and goes with it into the runs; what is said
//! later changes nothing of it. Never asks for the time.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::Name;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A run is forgotten as a whole, and its ids came one after the other: an id may be known longer
/// than its term by this share of it, an eighth.
const SPAN_SHARE: u32 = 8;

/// How long the event ids of each source are known, from when they come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms(BTreeMap<Name, Duration>);

impl Terms {
    /// The term of a source whose configuration says none.
    pub const DEFAULT: Duration = DAY.saturating_mul(40);
    /// No id is forgotten sooner: providers send a request again for up to 30 days.
    pub const LEAST: Duration = DAY.saturating_mul(35);

    /// These; the default for every other source.
    pub fn of(sources: impl IntoIterator<Item = (Name, Duration)>) -> Self {
        Self(sources.into_iter().collect())
    }

    /// That of a source.
    pub(in crate::store) fn term(&self, source: &Name) -> Term {
        let said = self.0.get(source).copied().unwrap_or(Self::DEFAULT);
        Term::of(said.max(Self::LEAST))
    }
}

/// How long an id is known, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(in crate::store) struct Term(u32);

impl Term {
    fn of(time: Duration) -> Self {
        Self(u32::try_from(time.as_secs()).unwrap_or(u32::MAX))
    }

    /// That of a run of an older Hookgate, which had only one and did not write it.
    pub(super) fn unsaid() -> Self {
        Self::of(Terms::DEFAULT)
    }

    pub(super) fn time(self) -> Duration {
        Duration::from_secs(u64::from(self.0))
    }

    /// The ids of one run came within about this time.
    pub(super) fn span(self) -> Duration {
        self.time() / SPAN_SHARE
    }
}

/// Whose an id is, and how long it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Owner {
    /// The position of the receipt that brought it first, or of an event that no receipt brings.
    pub(in crate::store) receipt: u64,
    pub(in crate::store) term: Term,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_its_own_term_or_the_default_and_never_less_than_the_least() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let terms = Terms::of([(name("slow"), 400 * DAY), (name("hasty"), DAY)]);
        let days = ["slow", "hasty", "stripe"].map(|of| terms.term(&name(of)).time().as_secs());
        assert_eq!(days, [400, 35, 40].map(|days| days * 86_400));
    }
}
