//! Events, their types and labels, and failures.
//!
//! An [`Event`] is a CloudEvents event without its source, which the gateway adds. Nothing here
//! knows a provider.

use std::fmt;

use serde::Deserialize;

use crate::limits;

pub use crate::bindings::provider::hookgate::plugin::types::{
    Event, Failure, FailureKind, Timestamp,
};

impl Event {
    /// An event without subject, time, amount and labels. `data` is a JSON document.
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

    /// The data as a type of serde. Data of another form is a permanent failure.
    ///
    /// ```
    /// # use hookgate_sdk::{Event, Failure};
    /// #[derive(serde::Deserialize)]
    /// struct Payment<'e> {
    ///     customer: &'e str,
    /// }
    ///
    /// # fn run() -> Result<(), Failure> {
    /// let event = Event::new("evt_1", "payment.failed", r#"{"customer":"cus_1","amount":100}"#);
    /// assert_eq!(event.json::<Payment>()?.customer, "cus_1");
    /// # Ok(())
    /// # }
    /// # run().unwrap();
    /// ```
    pub fn json<'e, T: Deserialize<'e>>(&'e self) -> Result<T, Failure> {
        let unreadable =
            |error| Failure::permanent(format!("the event's data is invalid: {error}"));
        serde_json::from_str(&self.data).map_err(unreadable)
    }

    /// The value of the label with this name.
    pub fn label(&self, name: &str) -> Option<&str> {
        let known = self.labels.iter().find(|(known, _)| known == name);
        known.map(|(_, value)| value.as_str())
    }
}

/// Whether `text` is an event type: words of `a-z A-Z 0-9 _ -` joined by dots, at most 128 bytes.
pub fn is_event_type(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    text.len() <= limits::TYPE_BYTES_MAX
        && text.split('.').all(|word| !word.is_empty() && word.bytes().all(known))
}

/// The type of an event: the canonical type, else the provider's own name behind the name of the
/// provider, with its characters replaced as [`words`] does. An empty name becomes `unnamed`.
///
/// ```
/// use hookgate_sdk::event_type;
///
/// assert_eq!(event_type(Some("payment.failed"), "acme", "charge:failed"), "payment.failed");
/// assert_eq!(event_type(None, "acme", "charge:late fee"), "acme.charge.late_fee");
/// assert_eq!(event_type(None, "acme", ""), "acme.unnamed");
/// ```
pub fn event_type(canonical: Option<&str>, provider: &str, own: &str) -> String {
    // `payout.:` has no word behind its family, so it is no canonical type.
    let canonical = canonical.map(words).filter(|canonical| canonical.contains('.'));
    canonical.unwrap_or_else(|| words(&format!("{provider}.{}", words(own))))
}

/// Makes any text an event type, so that no genuine event is refused because of its name. The
/// separators `:`, `/`, `#` and brackets become dots, every other character that a type can't have
/// becomes an underscore, and the result is cut after 128 bytes. A text without words becomes
/// `unnamed`.
pub fn words(text: &str) -> String {
    // Most texts are one already.
    if is_event_type(text) {
        return text.to_owned();
    }
    let mut fit = String::with_capacity(text.len());
    let mut is_between = false;
    for character in text.chars() {
        if matches!(character, '.' | ':' | '/' | '#' | '[' | ']') {
            is_between = !fit.is_empty();
            continue;
        }
        if std::mem::take(&mut is_between) {
            fit.push('.');
        }
        let known = character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
        fit.push(if known { character } else { '_' });
    }
    // All of it is ASCII by now.
    fit.truncate(limits::TYPE_BYTES_MAX);
    if fit.ends_with('.') {
        fit.pop();
    }
    if fit.is_empty() { "unnamed".to_owned() } else { fit }
}

/// Makes labels of the values that are there and have 1 to 1,024 bytes. A longer value is left out
/// and not cut, because two references that begin alike must not become the same; the event's data
/// still has it.
///
/// Three names mean the same for every provider: `account` says whose event it is (the provider's
/// account, merchant, shop or business), `livemode` (`true` or `false`) whether it is about real
/// money, and `reference` ties it to the receiver's own records.
pub fn labels<const N: usize>(known: [(&str, Option<String>); N]) -> Vec<(String, String)> {
    let known = known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    known.filter(|(_, value)| (1..=limits::LABEL_VALUE_BYTES_MAX).contains(&value.len())).collect()
}

impl Failure {
    /// Another try would not help: the work becomes a dead letter at once.
    pub fn permanent(reason: impl fmt::Display) -> Self {
        let reason = reason.to_string();
        Self { kind: FailureKind::Permanent, reason, retry_after_ms: None }
    }

    /// Another try may help: the gateway retries on its schedule.
    pub fn transient(reason: impl fmt::Display) -> Self {
        let reason = reason.to_string();
        Self { kind: FailureKind::Transient, reason, retry_after_ms: None }
    }

    /// Another try may help, but not before `retry_after_ms` milliseconds have passed.
    pub fn transient_for(retry_after_ms: u64, reason: impl fmt::Display) -> Self {
        Self { retry_after_ms: Some(retry_after_ms), ..Self::transient(reason) }
    }
}

/// JSON that can't be read or written would be the same at the next try.
impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::permanent(error)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
        let typed = |canonical, own| event_type(canonical, "acme", own);
        assert_eq!(typed(Some("payment.failed"), "x"), "payment.failed");
        assert_eq!(typed(None, "orders/create"), "acme.orders.create");
        assert_eq!(typed(None, "charge:failed"), "acme.charge.failed");
        assert_eq!(
            typed(None, "core.account[requirements].updated"),
            "acme.core.account.requirements.updated"
        );
    }

    #[test]
    fn any_name_is_made_fit_for_a_type() {
        for (own, fit) in [
            ("", "acme.unnamed"),
            ("../", "acme.unnamed"),
            ("a b", "acme.a_b"),
            (".a..b.", "acme.a.b"),
            ("zahlung.gepr\u{fc}ft", "acme.zahlung.gepr_ft"),
            ("\u{65e5}\u{672c}", "acme.__"),
        ] {
            assert_eq!(event_type(None, "acme", own), fit, "{own}");
        }
        assert_eq!(event_type(Some("payout.on hold"), "acme", "x"), "payout.on_hold");
        assert_eq!(event_type(Some("payout.:"), "acme", "payouts.:"), "acme.payouts");
        for length in 120..140 {
            let own = format!("{}.b", "a".repeat(length));
            assert!(is_event_type(&event_type(None, "acme", &own)), "{own}");
        }
    }

    proptest! {
        #[test]
        fn words_are_what_stands_between_separators(text in "[a-z._:/#\\[\\] é-]{0,12}|.{0,200}") {
            let word = |word: &str| -> String {
                let known = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                word.chars().map(|c| if known(c) { c } else { '_' }).collect()
            };
            let split = text.split(['.', ':', '/', '#', '[', ']']).filter(|word| !word.is_empty());
            let mut joined = split.map(word).collect::<Vec<_>>().join(".");
            joined.truncate(limits::TYPE_BYTES_MAX);
            let expected = match joined.trim_end_matches('.') {
                "" => "unnamed",
                fit => fit,
            };
            prop_assert_eq!(words(&text), expected);
        }
    }

    #[test]
    fn a_label_without_a_value_is_none() {
        let labels = labels([("a", Some("1".to_owned())), ("b", None), ("c", Some(String::new()))]);
        assert_eq!(labels, [("a".to_owned(), "1".to_owned())]);
        assert!(super::labels([("a", Some("x".repeat(1025)))]).is_empty());
    }

    #[test]
    fn data_is_read_as_a_type() {
        let event = Event::new("1", "payment.failed", r#"{"amount":100,"currency":"EUR"}"#);
        assert_eq!(event.json::<Amount>(), Ok(Amount { amount: 100 }));
        let failure = Event { data: "[]".to_owned(), ..event }.json::<Amount>().unwrap_err();
        assert_eq!(failure.kind, FailureKind::Permanent);
        assert!(failure.reason.starts_with("the event's data is invalid: "), "{}", failure.reason);
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Amount {
        amount: u32,
    }

    #[test]
    fn a_failure_says_whether_trying_again_can_help() {
        assert_eq!(Failure::permanent("x").kind, FailureKind::Permanent);
        assert_eq!(Failure::transient_for(5, "x").retry_after_ms, Some(5));
        assert_eq!(Failure::transient("x").retry_after_ms, None);
    }
}
