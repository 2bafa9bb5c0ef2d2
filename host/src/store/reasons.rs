//! Why a try failed, to programs: as its record says it, or else by the words of it.
//!
//! Records of an older Hookgate have only words, and so does every failed try of a parse or a run
//! that another one followed. Which words there were is known: they are this gateway's own, but for
//! what a plugin says. Pure, and never says more than one of the closed list.

use super::kind::WorkKind;
use super::log::record::{AttemptRecord, DetailRecord, TryRecord};
use super::report::{Attempt, Try};
use crate::failure::Reason;
use crate::retry::Outcome;

/// What is said of a try that failed.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Account<'a> {
    /// The reason itself.
    pub(in crate::store) said: Option<Reason>,
    /// The status of the answer to an attempt, if one came.
    pub(in crate::store) status: Option<u16>,
    pub(in crate::store) outcome: &'a Outcome,
}

impl Account<'_> {
    /// Why a try of a work of this kind failed.
    pub(in crate::store) fn reason(self, kind: WorkKind) -> Reason {
        let words = self.outcome.reason().unwrap_or_default();
        self.said.unwrap_or_else(|| match (kind, self.status) {
            (WorkKind::Parse | WorkKind::Run, _) => of_plugin(kind, words),
            (WorkKind::Delivery, Some(410)) => Reason::EndpointGone,
            (WorkKind::Delivery, Some(_)) => Reason::EndpointRefused,
            (WorkKind::Delivery, None) => of_endpoint(words),
        })
    }
}

impl<'a> From<&'a Try> for Account<'a> {
    fn from(tried: &'a Try) -> Self {
        Self { said: tried.reason, status: None, outcome: &tried.outcome }
    }
}

impl<'a> From<&'a Attempt> for Account<'a> {
    fn from(attempt: &'a Attempt) -> Self {
        Self { said: attempt.detail.reason, status: attempt.status, outcome: &attempt.outcome }
    }
}

impl<'a> From<&'a TryRecord<'_>> for Account<'a> {
    fn from(record: &'a TryRecord<'_>) -> Self {
        Self { said: record.reason, status: None, outcome: &record.outcome }
    }
}

impl<'a> From<&'a AttemptRecord<'_>> for Account<'a> {
    fn from(record: &'a AttemptRecord<'_>) -> Self {
        let said = record.detail.as_deref().and_then(|DetailRecord::V1(detail)| detail.reason);
        Self { said, status: record.status, outcome: &record.outcome }
    }
}

/// Whether the words are about what the store has of a work: `unreadable`, `repaired`, and of a
/// damaged receipt whose bytes an endpoint wants.
fn is_unreadable(words: &str) -> bool {
    let beginnings = ["the log is damaged at position ", "a row in hookgate.redb is damaged"];
    matches!(words, "unreadable" | "repaired")
        || beginnings.into_iter().any(|beginning| words.starts_with(beginning))
}

fn of_endpoint(words: &str) -> Reason {
    let begins = |beginning: &str| words.starts_with(beginning);
    let has = |part: &str| words.contains(part);
    if is_unreadable(words) {
        Reason::Unreadable
    } else if begins("the configuration no longer has endpoint ") {
        Reason::EndpointGone
    } else if has(" did not answer within ")
        || begins("failed to ") && (has(": timed out after ") || has(": no connection within "))
    {
        Reason::EndpointTimeout
    } else if begins("failed to negotiate TLS with ") {
        Reason::EndpointTls
    } else if has(" address that [egress] does not allow")
        || begins("the scheme `")
        || begins("the URL has no host")
    {
        Reason::BlockedByGuard
    } else {
        Reason::EndpointUnreachable
    }
}

fn of_plugin(kind: WorkKind, words: &str) -> Reason {
    let begins = |beginning: &str| words.starts_with(beginning);
    let is_missing = words.ends_with(" is not loaded")
        || begins("the configuration no longer has source ")
        || (begins("source ") || begins("handler ")) && words.contains(" is stopped: ");
    let broke = [
        "the plugin panicked",
        "the plugin trapped",
        "the plugin did not return within ",
        "the plugin needed more than its limit of ",
        "the gateway did not call the plugin",
        "the gateway failed to run the plugin",
        "the gateway panicked",
    ];
    if is_unreadable(words) {
        Reason::Unreadable
    } else if is_missing {
        Reason::PluginMissing
    } else if broke.into_iter().any(begins) {
        Reason::PluginFailed
    } else if kind == WorkKind::Parse {
        Reason::Unparsable
    } else if words.contains("the operator has not granted the ") {
        Reason::NotGranted
    } else {
        Reason::PluginFailed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: WorkKind, status: Option<u16>, words: &str) -> Reason {
        Account { said: None, status, outcome: &Outcome::transient(words) }.reason(kind)
    }

    #[test]
    fn what_a_record_says_counts_and_not_its_words() {
        let outcome = &Outcome::permanent("the endpoint answered 500");
        let said = Some(Reason::Discarded);
        let account = Account { said, status: Some(500), outcome };
        assert_eq!(account.reason(WorkKind::Delivery), Reason::Discarded);
    }

    #[test]
    fn an_attempt_of_an_older_hookgate_is_told_by_its_status_or_its_words() {
        let delivery = |status, words: &str| of(WorkKind::Delivery, status, words);
        assert_eq!(delivery(Some(410), "the endpoint answered 410 Gone"), Reason::EndpointGone);
        assert_eq!(delivery(Some(307), "the endpoint answered 307"), Reason::EndpointRefused);
        let at = "`hooks.example:443` at 192.0.2.7";
        for (words, expected) in [
            (format!("{at} did not answer within 15s"), Reason::EndpointTimeout),
            (
                format!("failed to connect to {at}: no connection within 5s"),
                Reason::EndpointTimeout,
            ),
            (format!("failed to connect to {at}: connection refused"), Reason::EndpointUnreachable),
            ("failed to resolve `a.example`: unknown".to_owned(), Reason::EndpointUnreachable),
            (
                format!("connection to {at} ended before the answer: connection closed"),
                Reason::EndpointUnreachable,
            ),
            (
                format!("failed to negotiate TLS with {at}: the certificate has expired"),
                Reason::EndpointTls,
            ),
            (
                "`127.0.0.1` is a loopback address that [egress] does not allow".to_owned(),
                Reason::BlockedByGuard,
            ),
            ("the configuration no longer has endpoint crm".to_owned(), Reason::EndpointGone),
            ("the log is damaged at position 7".to_owned(), Reason::Unreadable),
            ("unreadable".to_owned(), Reason::Unreadable),
            ("repaired".to_owned(), Reason::Unreadable),
        ] {
            assert_eq!(delivery(None, &words), expected, "{words}");
        }
    }

    #[test]
    fn a_try_of_an_older_hookgate_is_told_by_its_words() {
        use WorkKind::{Parse, Run};

        for (kind, words, expected) in [
            (Parse, "no such form", Reason::Unparsable),
            (Parse, "the plugin broke the contract: `type` is empty", Reason::Unparsable),
            (Parse, "the plugin trapped: unreachable", Reason::PluginFailed),
            (Parse, "provider plugin stripe is not loaded", Reason::PluginMissing),
            (Parse, "source shop is stopped: no currency", Reason::PluginMissing),
            (Parse, "the gateway panicked: index out of bounds", Reason::PluginFailed),
            (Run, "no stock", Reason::PluginFailed),
            (Run, "the plugin broke the contract: `state.delete`", Reason::PluginFailed),
            (Run, "the plugin did not return within 500 ms", Reason::PluginFailed),
            (Run, "handler ledger is not loaded", Reason::PluginMissing),
            (
                Run,
                "not granted: the operator has not granted the endpoint `bank`",
                Reason::NotGranted,
            ),
            (Run, "repaired", Reason::Unreadable),
        ] {
            assert_eq!(of(kind, None, words), expected, "{words}");
        }
    }
}
