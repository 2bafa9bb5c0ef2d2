//! The pages that are looked at.
//!
//! Pure. Never asks for one.

use crate::lists::Filter;

/// A page of the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Page {
    /// One that is always at this address.
    At(&'static str),
    /// The events, by a filter.
    EventsBy(Filter),
    /// One event.
    Event,
    /// One endpoint.
    Endpoint,
}

/// Those of which there is one each.
const ALONE: [&str; 10] = [
    "/",
    "/?span=week",
    "/sources",
    "/events",
    "/endpoints",
    "/dead",
    "/plugins",
    "/audit",
    "/settings",
    "/replays",
];

impl Page {
    /// All of them.
    pub(super) fn all() -> Vec<Self> {
        let alone = ALONE.into_iter().map(Self::At);
        let filtered = Filter::ALL.into_iter().map(Self::EventsBy);
        alone.chain(filtered).chain([Self::Event, Self::Endpoint]).collect()
    }

    /// As it stands in the table.
    pub(super) fn name(self) -> String {
        match self {
            Self::At(path) => path.to_owned(),
            Self::EventsBy(filter) => format!("/events by {}", filter.name()),
            Self::Event => "/events/{id}".to_owned(),
            Self::Endpoint => "/endpoints/{id}".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_pages_have_a_name_in_common() {
        let all = Page::all();
        let names: BTreeSet<String> = all.iter().map(|page| page.name()).collect();
        assert_eq!(names.len(), all.len());
        assert!(names.contains("/events by subject") && names.contains("/audit"), "{names:?}");
    }
}
