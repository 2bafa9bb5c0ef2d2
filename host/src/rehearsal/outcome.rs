//! How a call ended, in a word that can be compared: of a call that was made now, and of a try that
//! is recorded.
//!
//! A record has an outcome and words; which words this gateway writes for which end is known. Pure.
//! What failed by the gateway's own doing has no word: it says nothing about a plugin.

use crate::plugin::CallError;
use crate::retry::Outcome;

/// It did its work.
const SUCCESS: &str = "success";
const TRANSIENT: &str = "transient";
const PERMANENT: &str = "permanent";
const TRAP: &str = "trap";
const DEADLINE: &str = "deadline";
const MEMORY: &str = "memory";
const CONTRACT: &str = "contract";

/// Why there is nothing to compare: the gateway failed now, or it did then.
pub(super) const GATEWAY_FAILED: &str = "gateway_failed";

/// What begins so was written by this gateway, and is the plugin's doing.
const BROKEN: [(&str, &str); 5] = [
    ("the plugin panicked", TRAP),
    ("the plugin trapped", TRAP),
    ("the plugin did not return within ", DEADLINE),
    ("the plugin needed more than its limit of ", MEMORY),
    ("the plugin broke the contract: ", CONTRACT),
];

/// What begins so is the gateway's doing, or that of a limit which no rehearsal has.
const NOT_THE_PLUGINS: [&str; 6] = [
    "the gateway did not call the plugin",
    "the gateway failed to run the plugin",
    "the gateway panicked",
    "the state of handler ",
    "the run emits ",
    "the chain of emitted events is longer than ",
];

/// How a call ended: a word, and what there is to say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    pub(super) word: &'static str,
    /// Empty for a success.
    pub(super) reason: String,
}

impl End {
    /// Of what is recorded; `None` if it says nothing about the plugin.
    pub(super) fn of_record(outcome: &Outcome) -> Option<Self> {
        let words = outcome.reason().unwrap_or_default();
        if NOT_THE_PLUGINS.iter().any(|beginning| words.starts_with(beginning)) {
            return None;
        }
        let broken = BROKEN.iter().find(|(beginning, _)| words.starts_with(beginning));
        let mut end = Self::of_answer(outcome);
        if let Some(&(_, word)) = broken {
            end.word = word;
        }
        Some(end)
    }

    /// Of what a plugin returned.
    pub(super) fn of_answer(outcome: &Outcome) -> Self {
        let word = match outcome {
            Outcome::Success => SUCCESS,
            Outcome::Transient { .. } => TRANSIENT,
            Outcome::Permanent { .. } => PERMANENT,
        };
        Self { word, reason: outcome.reason().unwrap_or_default().to_owned() }
    }

    /// Of a call without an answer; `None` if it says nothing about the plugin.
    pub(super) fn of_error(error: &CallError) -> Option<Self> {
        let word = match error {
            CallError::Trap { .. } => TRAP,
            CallError::Deadline { .. } => DEADLINE,
            CallError::Memory { .. } => MEMORY,
            CallError::Violation(_) => CONTRACT,
            CallError::Busy | CallError::Host(_) | CallError::Panicked { .. } => return None,
        };
        Some(Self { word, reason: error.to_string() })
    }

    /// What there is to say of it.
    pub(super) fn words(&self) -> &str {
        if self.word == SUCCESS { SUCCESS } else { &self.reason }
    }

    /// What to call the difference between this and what it is now; `None` if they are equal. Where
    /// a plugin broke down in the same way, its words tell only in which line of the code.
    pub(super) fn differs(&self, now: &Self) -> Option<String> {
        let is_said = matches!(self.word, TRANSIENT | PERMANENT);
        if self.word != now.word {
            Some(format!("{} -> {}", self.word, now.word))
        } else if is_said && self.reason != now.reason {
            Some(format!("{} reason", self.word))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn word(error: &CallError) -> Option<&'static str> {
        End::of_error(error).map(|outcome| outcome.word)
    }

    fn recorded(words: &str) -> Option<&'static str> {
        End::of_record(&Outcome::transient(words)).map(|outcome| outcome.word)
    }

    #[test]
    fn what_a_call_ends_in_has_the_same_word_once_it_is_recorded() {
        let trap = CallError::Trap { reason: "panicked at src/lib.rs:1:1: no".to_owned() };
        let late = CallError::Deadline { limit: Duration::from_millis(5) };
        for error in [trap, late, CallError::Memory { limit: 9 }] {
            assert!(word(&error).is_some());
            assert_eq!(recorded(&error.to_string()), word(&error), "{error}");
        }
        let panicked = CallError::Panicked { words: "no".to_owned() };
        for error in [CallError::Busy, CallError::Host("no".to_owned()), panicked] {
            assert_eq!(word(&error), None);
            assert_eq!(recorded(&error.to_string()), None, "{error}");
        }
        assert_eq!(recorded("no stock"), Some(TRANSIENT));
        let success = End::of_record(&Outcome::Success).unwrap();
        assert_eq!(
            (success.word, success.words(), success.reason.as_str()),
            (SUCCESS, SUCCESS, "")
        );
    }

    #[test]
    fn a_failure_differs_by_its_word_or_by_what_the_plugin_says() {
        let of = |outcome: Outcome| End::of_record(&outcome).unwrap();
        let success = of(Outcome::Success);
        let no = of(Outcome::permanent("no stock"));
        assert_eq!(success.differs(&no).as_deref(), Some("success -> permanent"));
        let other = of(Outcome::permanent("no customer"));
        assert_eq!(no.differs(&other).as_deref(), Some("permanent reason"));
        assert_eq!(no.differs(&no), None);
        let trap = |line| of(Outcome::transient(format!("the plugin panicked at lib.rs:{line}")));
        assert_eq!(trap(1).differs(&trap(2)), None);
    }
}
