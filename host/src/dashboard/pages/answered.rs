//! How the requests of a source were answered since the gateway started, and whether that is well.
//!
//! The overview and the pages of sources judge by the same figures. Never knows a source.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::dashboard::markup::{self, Markup, Mood};

/// A source with fewer requests than this is not judged by their share.
const REQUESTS_MIN: u64 = 20;
/// From more than this share of refused requests on a source is in trouble, in percent.
const REFUSED_PERCENT: u64 = 1;

/// How many requests had each outcome.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Answered(BTreeMap<String, u64>);

impl Answered {
    /// How many requests had this outcome.
    pub(super) fn of(&self, outcome: &str) -> u64 {
        self.0.get(outcome).copied().unwrap_or_default()
    }

    /// How many were judged: stored, known already or refused.
    pub(super) fn judged(&self) -> u64 {
        ["accepted", "duplicate", "refused"].map(|outcome| self.of(outcome)).iter().sum()
    }

    /// Whether too many were refused.
    pub(super) fn is_refusing(&self) -> bool {
        let (refused, judged) = (self.of("refused"), self.judged());
        judged >= REQUESTS_MIN && refused * 100 > judged * REFUSED_PERCENT
    }

    /// How their source fares, which may be stopped, or verified.
    pub(super) fn state(&self, is_stopped: bool, is_verified: bool) -> Markup {
        let (mood, said) = match (is_stopped, is_verified) {
            (true, _) => (Mood::Bad, "Stopped"),
            (false, _) if self.is_refusing() => (Mood::Warn, "Refusing"),
            (false, false) => (Mood::Warn, "Unverified"),
            (false, true) if self.judged() == 0 => (Mood::Plain, "Quiet"),
            (false, true) => (Mood::Ok, "Healthy"),
        };
        markup::pill(mood, said)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answered(accepted: u64, refused: u64) -> Answered {
        serde_json::from_value(json!({ "accepted": accepted, "refused": refused })).unwrap()
    }

    /// Guards both conditions of [`Answered::is_refusing`].
    #[test]
    fn a_source_is_in_trouble_from_more_than_one_percent_on() {
        let is_refusing = |(accepted, refused)| answered(accepted, refused).is_refusing();
        let judged = [(990, 10), (989, 11), (0, 19), (0, 20)].map(is_refusing);
        assert_eq!(judged, [false, true, false, true]);
    }

    /// Guards each arm of [`Answered::state`], by what a person reads.
    #[test]
    fn a_source_says_how_it_fares() {
        let state = |is_stopped, is_verified, (accepted, refused)| {
            answered(accepted, refused).state(is_stopped, is_verified).0
        };
        assert!(state(true, true, (9, 0)).contains("Stopped"));
        assert!(state(false, true, (98, 2)).contains("Refusing"));
        assert!(state(false, true, (99, 1)).contains("Healthy"));
        assert!(state(false, true, (0, 3)).contains("Healthy"));
        assert!(state(false, false, (9, 0)).contains("Unverified"));
        assert!(state(false, true, (0, 0)).contains("Quiet"));
    }
}
