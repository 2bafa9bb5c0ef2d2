//! A plugin's words about its settings, without the settings themselves.
//!
//! A library that a plugin reads its settings with quotes what it found, and that may be a secret
//! in the wrong place. Pure; keys and everything else that a plugin says stay as they are.

use serde_json::Value;

use crate::secrets::HIDDEN;

/// From this length on a value is taken out wherever it stands, and not only where it is quoted.
const BARE_BYTES_MIN: usize = 8;

/// `text` without the values of `settings`, a JSON object.
pub(super) fn unquoted(settings: &str, mut text: String) -> String {
    let settings: Value = serde_json::from_str(settings).unwrap_or_default();
    let mut values = Vec::new();
    collect(&settings, &mut values);
    // The longest first: one value may be a part of another.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    for value in values.iter().filter(|value| !value.is_empty()) {
        for quoted in [format!("{value:?}"), format!("`{value}`"), format!("'{value}'")] {
            text = text.replace(&quoted, HIDDEN);
        }
        if value.len() >= BARE_BYTES_MIN {
            text = text.replace(value.as_str(), HIDDEN);
        }
    }
    text
}

fn collect(value: &Value, values: &mut Vec<String>) {
    match value {
        Value::String(text) => values.push(text.clone()),
        Value::Number(number) => values.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, values)),
        Value::Object(members) => members.values().for_each(|member| collect(member, values)),
        Value::Null | Value::Bool(_) => (),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_plugin_quotes_of_its_settings_is_taken_out() {
        let settings = r#"{"mode": "hunter2", "after": 12345678, "in": ["a\"b"], "ok": "key"}"#;
        let check =
            |said: &str, expected: &str| assert_eq!(unquoted(settings, said.into()), expected);
        check(
            "invalid type: string \"hunter2\", expected u32",
            "invalid type: string (hidden), expected u32",
        );
        check(
            "invalid type: integer `12345678`, expected a map",
            "invalid type: integer (hidden), expected a map",
        );
        check(
            "unknown variant `hunter2`, expected `live`",
            "unknown variant (hidden), expected `live`",
        );
        check(r#"not "a\"b""#, "not (hidden)");
        check("`mode` must be a key", "`mode` must be a key");
    }
}
