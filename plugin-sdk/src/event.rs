//! What happened, and what went wrong.
//!
//! An [`Event`] is a CloudEvents event without its source, which the gateway knows.

use std::fmt;

use crate::limits;

pub use crate::bindings::provider::hookgate::plugin::types::{
    Event, Failure, FailureKind, Timestamp,
};

pub use crate::limits::TYPE_BYTES_MAX;

impl Event {
    /// An event about no particular subject, time or amount. `data` is a JSON document.
    pub fn new(
        id: impl Into<String>,
        event_type: impl Into<String>,
        data: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            type_: event_type.into(),
            subject: None,
            time: None,
            money: None,
            labels: Vec::new(),
            data: data.into(),
        }
    }

    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        let known = self.labels.iter().find(|(known, _)| known == name);
        known.map(|(_, value)| value.as_str())
    }
}

/// Whether `text` can be an event type: words of `a-z A-Z 0-9 _ -` joined by dots.
pub fn is_event_type(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    text.len() <= TYPE_BYTES_MAX
        && text.split('.').all(|word| !word.is_empty() && word.bytes().all(known))
}

/// The type of an event: the canonical one, else the provider's own name for it under the provider's
/// name. What separates words otherwise, `:` or `/`, becomes a dot: `charge:failed` of `coinbase` is
/// `coinbase.charge.failed`.
pub fn event_type(canonical: Option<&str>, provider: &str, own: &str) -> Result<String, Failure> {
    let named = match canonical {
        Some(canonical) => canonical.to_owned(),
        None => format!("{provider}.{}", own.replace([':', '/'], ".")),
    };
    if is_event_type(&named) {
        Ok(named)
    } else {
        Err(Failure::permanent(format!("`{own}` can't be an event type")))
    }
}

/// Labels of those that are known, not empty, and no longer than the gateway takes.
pub fn labels<const N: usize>(known: [(&str, Option<String>); N]) -> Vec<(String, String)> {
    let known = known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    known.filter(|(_, value)| (1..=limits::LABEL_VALUE_BYTES_MAX).contains(&value.len())).collect()
}

impl Failure {
    /// Trying again would not help: a dead letter at once.
    pub fn permanent(reason: impl fmt::Display) -> Self {
        let reason = reason.to_string();
        Self { kind: FailureKind::Permanent, reason, retry_after_ms: None }
    }

    /// Trying again may help: tried on the gateway's schedule.
    pub fn transient(reason: impl fmt::Display) -> Self {
        let reason = reason.to_string();
        Self { kind: FailureKind::Transient, reason, retry_after_ms: None }
    }

    /// Trying again may help, but not before so many milliseconds.
    pub fn transient_for(retry_after_ms: u64, reason: impl fmt::Display) -> Self {
        Self { retry_after_ms: Some(retry_after_ms), ..Self::transient(reason) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_type_is_words_joined_by_dots() {
        for text in ["payment.failed", "stripe.v1.x_y", "contact", "a-b.C"] {
            assert!(is_event_type(text), "{text}");
        }
        for text in ["", ".", "a.", ".a", "a..b", "a b", "zahlung.geprüft"] {
            assert!(!is_event_type(text), "{text}");
        }
        assert!(!is_event_type(&"a".repeat(129)));
    }

    #[test]
    fn what_has_no_canonical_type_keeps_its_own() {
        let typed = |canonical, own| event_type(canonical, "acme", own).ok();
        assert_eq!(typed(Some("payment.failed"), "x").unwrap(), "payment.failed");
        assert_eq!(typed(None, "orders/create").unwrap(), "acme.orders.create");
        assert_eq!(typed(None, "charge:failed").unwrap(), "acme.charge.failed");
        for own in ["", "a b", ".a", "a:", &"a".repeat(124)] {
            assert_eq!(typed(None, own), None, "{own}");
        }
    }

    #[test]
    fn a_label_without_a_value_is_none() {
        let labels = labels([("a", Some("1".to_owned())), ("b", None), ("c", Some(String::new()))]);
        assert_eq!(labels, [("a".to_owned(), "1".to_owned())]);
        assert!(super::labels([("a", Some("x".repeat(1025)))]).is_empty());
    }

    #[test]
    fn a_failure_says_whether_trying_again_can_help() {
        assert_eq!(Failure::permanent("x").kind, FailureKind::Permanent);
        assert_eq!(Failure::transient_for(5, "x").retry_after_ms, Some(5));
        assert_eq!(Failure::transient("x").retry_after_ms, None);
    }
}
