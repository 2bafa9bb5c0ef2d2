//! Which event types go where.
//!
//! Pure: patterns over event types, and the types themselves. Nothing here knows endpoints, plugins
//! or the configuration.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest event type.
pub const TYPE_BYTES_MAX: usize = 128;

/// Event types: one (`payment.failed`), all below a prefix (`payment.*`), or all (`*`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(String);

/// A text that is not a [`Pattern`].
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an event type such as payment.failed, payment.* or *")]
pub struct InvalidPattern(String);

impl Pattern {
    /// Whether it is this very type, and no pattern that happens to match it.
    pub fn names(&self, event_type: &str) -> bool {
        self.0 == event_type
    }

    /// Whether an event of this type goes there.
    pub fn matches(&self, event_type: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => event_type.starts_with(prefix),
            None => event_type == self.0,
        }
    }
}

/// Whether `text` can be an event type: words of `a-z A-Z 0-9 _ -` joined by dots.
pub fn is_event_type(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    text.len() <= TYPE_BYTES_MAX
        && text.split('.').all(|word| !word.is_empty() && word.bytes().all(known))
}

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let fits = text == "*" || is_event_type(text.strip_suffix(".*").unwrap_or(text));
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidPattern(text.to_owned())) }
    }
}

impl TryFrom<String> for Pattern {
    type Error = InvalidPattern;

    fn try_from(text: String) -> Result<Self, InvalidPattern> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, event_type: &str, expected: bool) {
        assert_eq!(pattern.parse::<Pattern>().unwrap().matches(event_type), expected);
    }

    #[test]
    fn patterns_match_a_type_a_prefix_or_all() {
        check("payment.failed", "payment.failed", true);
        check("payment.failed", "payment.failed.again", false);
        check("payment.*", "payment.failed", true);
        check("payment.*", "payments.failed", false);
        check("payment.*", "payment", false);
        check("*", "stripe.radar.rule.updated", true);
    }

    #[test]
    fn only_a_type_itself_names_it() {
        let names = |pattern: &str| pattern.parse::<Pattern>().unwrap().names("payment.failed");
        assert!(names("payment.failed"));
        assert!(!names("payment.*") && !names("*"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", ".", "a..b", "a.", "*.failed", "pay*", "a b", "é.*", ".*"] {
            assert!(text.parse::<Pattern>().is_err(), "{text}");
        }
    }
}
