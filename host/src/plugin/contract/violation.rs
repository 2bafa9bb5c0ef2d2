//! What a plugin said that the contract does not allow, and the checks that find it.
//!
//! A guest's types are checked by wasmtime; its sizes, counts and texts here. Nothing is corrected:
//! a value fits or is refused by the name of its field.

use crate::event::{ALERT_TYPE, Money, OWN_TYPES};
use crate::json_text::JsonText;
use crate::route;

/// Longest id of an event, in bytes.
pub(super) const ID_BYTES_MAX: usize = 255;
/// Longest subject, in bytes.
pub(super) const SUBJECT_BYTES_MAX: usize = 255;
/// Most labels on an event.
pub(super) const LABELS_MAX: usize = 64;
/// Longest name of a label, in bytes.
const LABEL_NAME_BYTES_MAX: usize = 64;
/// Longest value of a label, in bytes.
const LABEL_VALUE_BYTES_MAX: usize = 1024;
/// Longest content type, in bytes.
const CONTENT_TYPE_BYTES_MAX: usize = 255;
/// Deepest nesting of an event's data.
const JSON_DEPTH_MAX: usize = 512;
/// Longest text for a person, in bytes: reasons, alerts. What is longer is cut.
pub(in crate::plugin) const TEXT_BYTES_MAX: usize = 4 * 1024;

/// A value of a guest that the contract does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {reason}")]
pub struct Violation {
    /// The field, as `wit/` names it: `event.id`.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

/// The violation at this field.
pub(in crate::plugin) fn violation(field: &'static str, reason: impl Into<String>) -> Violation {
    Violation { field, reason: reason.into() }
}

/// Checks that a text has 1 to `most` bytes.
pub(super) fn text(field: &'static str, text: String, most: usize) -> Result<String, Violation> {
    if (1..=most).contains(&text.len()) {
        Ok(text)
    } else {
        Err(violation(field, format!("has {} bytes, not 1 to {most}", text.len())))
    }
}

/// Checks that a text has 1 to `most` bytes and is a line that a terminal shows as it is.
pub(super) fn line(field: &'static str, text: String, most: usize) -> Result<String, Violation> {
    let line = self::text(field, text, most)?;
    if line.chars().any(char::is_control) {
        return Err(violation(field, "has control characters"));
    }
    Ok(line)
}

/// Checks that there are at most `most`.
pub(super) fn at_most<T>(
    field: &'static str,
    list: Vec<T>,
    most: usize,
) -> Result<Vec<T>, Violation> {
    if list.len() <= most {
        Ok(list)
    } else {
        Err(violation(field, format!("has {} items; the limit is {most}", list.len())))
    }
}

/// Checks an event type, which must not be one of the gateway's own.
pub(in crate::plugin) fn event_type(
    field: &'static str,
    text: String,
) -> Result<String, Violation> {
    if !route::is_event_type(&text) {
        let shown = shortened(&text, route::TYPE_BYTES_MAX);
        return Err(violation(
            field,
            format!("is `{shown}`, not an event type such as payment.failed"),
        ));
    }
    if text.starts_with(OWN_TYPES) && text != ALERT_TYPE {
        return Err(violation(field, format!("is `{text}`, a type of the gateway's own events")));
    }
    Ok(text)
}

/// Checks the subject of an event.
pub(in crate::plugin) fn subject(
    field: &'static str,
    id: Option<String>,
) -> Result<Option<String>, Violation> {
    id.map(|id| text(field, id, SUBJECT_BYTES_MAX)).transpose()
}

/// Checks an amount and its currency.
pub(in crate::plugin) fn money(
    field: &'static str,
    amount: String,
    currency: String,
) -> Result<Money, Violation> {
    let refused = |reason: String| violation(field, shortened(&reason, TEXT_BYTES_MAX));
    Money::new(amount, currency).map_err(refused)
}

/// Checks the labels of an event.
pub(in crate::plugin) fn labels(
    field: &'static str,
    labels: Vec<(String, String)>,
) -> Result<Vec<(String, String)>, Violation> {
    let known =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte);
    for (name, value) in &labels {
        if !(1..=LABEL_NAME_BYTES_MAX).contains(&name.len()) || !name.bytes().all(known) {
            let shown = shortened(name, LABEL_NAME_BYTES_MAX);
            return Err(violation(
                field,
                format!("has the name `{shown}`, not 1 to 64 of a-z 0-9 _ - ."),
            ));
        }
        if value.len() > LABEL_VALUE_BYTES_MAX {
            return Err(violation(field, format!("has more than 1024 bytes under `{name}`")));
        }
    }
    at_most(field, labels, LABELS_MAX)
}

/// Checks that a text is one JSON document, and not nested deeper than its readers can follow.
pub(in crate::plugin) fn json(field: &'static str, text: String) -> Result<JsonText, Violation> {
    let refused = |error| violation(field, format!("is not JSON: {error}"));
    let json = JsonText::new(text).map_err(refused)?;
    // Mostly it has fewer brackets than that, and to count them takes next to no time.
    if brackets(json.as_str()) > JSON_DEPTH_MAX && depth(json.as_str()) > JSON_DEPTH_MAX {
        let reason = format!("is nested more than {JSON_DEPTH_MAX} levels deep");
        return Err(violation(field, reason));
    }
    Ok(json)
}

/// How many brackets open in a text, those in strings included: no fewer than are nested.
fn brackets(json: &str) -> usize {
    json.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count()
}

/// How deep the brackets of a JSON document are nested.
fn depth(json: &str) -> usize {
    let mut depth = 0_usize;
    let mut deepest = 0;
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => {
                while let Some(byte) = bytes.next().filter(|&byte| byte != b'"') {
                    if byte == b'\\' {
                        bytes.next();
                    }
                }
            }
            _ => (),
        }
    }
    deepest
}

/// Checks a content type, so that it can stand in a header.
pub(in crate::plugin) fn content_type(
    field: &'static str,
    value: String,
) -> Result<String, Violation> {
    let value = text(field, value, CONTENT_TYPE_BYTES_MAX)?;
    if value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        Ok(value)
    } else {
        Err(violation(field, "has characters that a header can't have"))
    }
}

/// A text as it may be logged and shown: without control characters, and cut to `most` bytes.
pub(in crate::plugin) fn shortened(text: &str, most: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(most));
    for char in text.chars() {
        let length = shown.len();
        if char.is_control() {
            shown.extend(char.escape_default());
        } else {
            shown.push(char);
        }
        if shown.len() > most {
            shown.truncate(length);
            break;
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_has_no_control_characters_and_an_end() {
        assert_eq!(shortened("red \x1b[31m\nnext", 100), "red \\u{1b}[31m\\nnext");
        assert_eq!(shortened("ééé", 5), "éé");
        assert_eq!(shortened("ab\n", 3), "ab");
    }

    #[test]
    fn a_lie_names_its_field() {
        let labels = labels("event.labels", vec![("Country".to_owned(), "DE".to_owned())]);
        assert_eq!(
            labels.unwrap_err().to_string(),
            "`event.labels` has the name `Country`, not 1 to 64 of a-z 0-9 _ - ."
        );
        assert!(text("event.id", String::new(), ID_BYTES_MAX).is_err());
        let typed = |text: &str| event_type("event.type", text.to_owned());
        assert!(typed("hookgate.alert").is_ok() && typed("hookgates.alert").is_ok());
        assert_eq!(
            typed("hookgate.disk.low").unwrap_err().to_string(),
            "`event.type` is `hookgate.disk.low`, a type of the gateway's own events"
        );
        let shown = |text: &str| line("provider-info.scheme", text.to_owned(), 200);
        assert!(shown("HMAC of the body é").is_ok());
        for text in ["", "a\nb", "\x1b[2J", "a\u{9b}2J"] {
            assert_eq!(shown(text).unwrap_err().field, "provider-info.scheme", "{text:?}");
        }
        assert!(json("event.data", "{} {}".to_owned()).is_err());
        assert!(json("event.data", "[".repeat(10_000)).is_err());
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(json("event.data", nested(JSON_DEPTH_MAX)).is_ok());
        let deep = json("event.data", nested(JSON_DEPTH_MAX + 1)).unwrap_err().to_string();
        assert_eq!(deep, "`event.data` is nested more than 512 levels deep");
        let wide = format!("[{}0]", "[],".repeat(JSON_DEPTH_MAX));
        assert!(json("event.data", wide).is_ok(), "many brackets are not deep yet");
        let text = format!(r#"["{}\"[",{{}}]"#, "[".repeat(JSON_DEPTH_MAX));
        assert_eq!(depth(&text), 2);
        assert!(content_type("reply.content-type", "text/plain\r\nx: y".to_owned()).is_err());
    }
}
