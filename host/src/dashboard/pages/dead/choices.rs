//! The kinds and reasons of dead letters in words, and as choices of a form.
//!
//! The words are for people; programs go by the names of the API, which stand in addresses. Never
//! leaves out a reason that the API knows.

use crate::failure::Reason;

/// The kinds of work that can die, as the API names them, and in words.
const KINDS: [(&str, &str); 3] = [("parse", "Parse"), ("run", "Run"), ("delivery", "Delivery")];

/// A choice of a form.
pub(super) struct Choice {
    pub(super) value: &'static str,
    pub(super) label: &'static str,
    pub(super) is_chosen: bool,
}

/// All kinds of work, and before them that any will do.
pub(super) fn kinds(chosen: &str) -> Vec<Choice> {
    all(("", "Any kind"), KINDS.into_iter(), chosen)
}

/// All reasons, and before them that any will do.
pub(super) fn reasons(chosen: &str) -> Vec<Choice> {
    let reasons = Reason::ALL.into_iter().map(|it| (it.as_str(), reason_said(it)));
    all(("", "Any reason"), reasons, chosen)
}

fn all(
    any: (&'static str, &'static str),
    rest: impl Iterator<Item = (&'static str, &'static str)>,
    chosen: &str,
) -> Vec<Choice> {
    let choice = |(value, label)| Choice { value, label, is_chosen: value == chosen };
    [any].into_iter().chain(rest).map(choice).collect()
}

/// What was tried.
pub(super) fn kind_said(kind: &str) -> &'static str {
    KINDS.into_iter().find(|(name, _)| *name == kind).map_or("Work", |(_, said)| said)
}

/// Why it failed.
pub(super) fn reason_said(reason: Reason) -> &'static str {
    match reason {
        Reason::EndpointRefused => "The endpoint refused it",
        Reason::EndpointUnreachable => "The endpoint was out of reach",
        Reason::EndpointTimeout => "The endpoint did not answer in time",
        Reason::EndpointTls => "TLS with the endpoint failed",
        Reason::EndpointGone => "The endpoint is gone or disabled",
        Reason::BlockedByGuard => "The guard blocked the address",
        Reason::PluginFailed => "The plugin failed",
        Reason::PluginMissing => "The plugin was missing or stopped",
        Reason::Unparsable => "The plugin found no event in it",
        Reason::Unreadable => "The store can't read it",
        Reason::NotGranted => "The plugin lacked a grant",
        Reason::Discarded => "Somebody discarded it",
        Reason::Erased => "What it was about is erased",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_choice_has_words_of_its_own_and_the_chosen_one_is_marked() {
        let reasons = reasons("endpoint_tls");
        let labels: std::collections::BTreeSet<_> = reasons.iter().map(|it| it.label).collect();
        assert_eq!(labels.len(), Reason::ALL.len() + 1);
        let chosen: Vec<_> = reasons.iter().filter(|it| it.is_chosen).map(|it| it.value).collect();
        assert_eq!(chosen, ["endpoint_tls"]);
        assert!(kinds("")[0].is_chosen && kind_said("run") == "Run");
    }
}
