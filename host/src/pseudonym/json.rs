//! Values within a JSON text, replaced where they stand: every other byte stays as it was.
//!
//! Pure. A string that is itself a JSON text is one level like any other. Never follows a path
//! further than its parts, and never recurses into what a sender has nested.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::place::below;
use super::{Pseudonym, Unreadable};
use crate::json_text::literal_bytes;

/// Bytes of a text that become others.
struct Edit {
    start: usize,
    end: usize,
    with: String,
}

/// Whether a text may be an object or a list of JSON, by how it begins.
pub(super) fn looks_like_json(text: &str) -> bool {
    text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with(['{', '['])
}

/// The text with a pseudonym for each value that a path leads to; `None` if there is none.
pub(super) fn replace(
    text: &str,
    paths: &[&[String]],
    pseudonym: &mut dyn Pseudonym,
) -> Result<Option<String>, Unreadable> {
    let mut edits = Vec::new();
    walk(text, text, paths, pseudonym, &mut edits)?;
    if edits.is_empty() {
        return Ok(None);
    }
    let mut replaced = String::with_capacity(text.len() + 32 * edits.len());
    let mut at = 0;
    // In their order, for so they were found.
    for Edit { start, end, with } in edits {
        replaced.push_str(&text[at..start]);
        replaced.push_str(&with);
        at = end;
    }
    replaced.push_str(&text[at..]);
    Ok(Some(replaced))
}

/// The same of a text that may be JSON. One that begins so and is not is replaced as a whole: what
/// was meant in it can't be told, and whoever writes such a text must not have the request refused.
pub(super) fn within(
    text: &str,
    paths: &[&[String]],
    pseudonym: &mut dyn Pseudonym,
) -> Option<String> {
    if !looks_like_json(text) {
        return None;
    }
    replace(text, paths, pseudonym).unwrap_or_else(|_| Some(pseudonym.text(text)))
}

/// Finds what is to be replaced in `value`, which is a part of `whole`.
fn walk(
    whole: &str,
    value: &str,
    paths: &[&[String]],
    pseudonym: &mut dyn Pseudonym,
    edits: &mut Vec<Edit>,
) -> Result<(), Unreadable> {
    let value = value.trim_matches([' ', '\t', '\n', '\r']);
    let start = value.as_ptr() as usize - whole.as_ptr() as usize;
    if paths.iter().any(|path| path.is_empty()) {
        leaves(value, start, pseudonym, edits);
        return Ok(());
    }
    match value.as_bytes().first() {
        Some(b'{') => {
            let Members(members) = serde_json::from_str(value).map_err(|_| Unreadable::Json)?;
            for (name, member) in members {
                if let Some(paths) = below(paths, &name) {
                    walk(whole, member.get(), &paths, pseudonym, edits)?;
                }
            }
        }
        Some(b'[') => {
            let Items(items) = serde_json::from_str(value).map_err(|_| Unreadable::Json)?;
            for (number, item) in items.into_iter().enumerate() {
                if let Some(paths) = below(paths, &number.to_string()) {
                    walk(whole, item.get(), &paths, pseudonym, edits)?;
                }
            }
        }
        Some(b'"') => {
            let text: String = serde_json::from_str(value).map_err(|_| Unreadable::Json)?;
            if let Some(with) = within(&text, paths, pseudonym) {
                let with = serde_json::Value::from(with).to_string();
                edits.push(Edit { start, end: start + value.len(), with });
            }
        }
        // Nothing can be below it.
        _ => (),
    }
    Ok(())
}

/// Replaces every string, number and `true` in a value that is JSON, and no name of a member: so
/// each keeps its type. `null` and an empty string say nothing.
fn leaves(value: &str, start: usize, pseudonym: &mut dyn Pseudonym, edits: &mut Vec<Edit>) {
    let mut at = 0;
    while let Some(byte) = value.as_bytes().get(at) {
        let rest = &value[at..];
        let (length, with) = match byte {
            b'"' => {
                let length = literal_bytes(rest);
                let is_name = rest[length..].trim_start().starts_with(':');
                let literal = &rest[..length];
                // One with half of a character is no text, and is replaced all the same.
                let text = serde_json::from_str(literal).unwrap_or_else(|_| literal.to_owned());
                let is_kept = is_name || text.is_empty();
                let with = (!is_kept).then(|| format!("\"{}\"", pseudonym.text(&text)));
                (length, with)
            }
            b'-' | b'0'..=b'9' => {
                let is_number = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
                let length = rest.find(|c| !is_number(c)).unwrap_or(rest.len());
                (length, Some(pseudonym.number(&rest[..length])))
            }
            b't' => (4, Some("false".to_owned())),
            // The letters of `false` and `null` hold no `t`, and all else is one byte.
            _ => (1, None),
        };
        let length = length.min(rest.len());
        if let Some(with) = with {
            edits.push(Edit { start: start + at, end: start + at + length, with });
        }
        at += length;
    }
}

/// The members of an object in their order, also those of one name.
struct Members<'t>(Vec<(String, &'t RawValue)>);

/// The items of a list.
struct Items<'t>(Vec<&'t RawValue>);

impl<'t> Deserialize<'t> for Members<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder).map(Self)
    }
}

impl<'t> Deserialize<'t> for Items<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<&RawValue>::deserialize(deserializer).map(Self)
    }
}

struct InOrder;

impl<'t> Visitor<'t> for InOrder {
    type Value = Vec<(String, &'t RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'t>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry::<String, &'t RawValue>()? {
            members.push(member);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts, so that a test sees what is replaced.
    struct Named;

    impl Pseudonym for Named {
        fn text(&mut self, text: &str) -> String {
            format!("<{}>", text.len())
        }

        fn number(&mut self, number: &str) -> String {
            number.len().to_string()
        }
    }

    fn replaced(text: &str, paths: &[&str]) -> Option<String> {
        let paths: Vec<Vec<String>> =
            paths.iter().map(|path| path.split('/').skip(1).map(str::to_owned).collect()).collect();
        let paths: Vec<&[String]> = paths.iter().map(Vec::as_slice).collect();
        replace(text, &paths, &mut Named).unwrap()
    }

    #[test]
    fn only_what_a_path_leads_to_is_replaced_and_every_other_byte_stays() {
        let text = "{ \"a\" : {\"card\":\"4242\", \"n\": 1.50 },\n \"b\":\"4242\" }";
        let expected = "{ \"a\" : {\"card\":\"<4>\", \"n\": 1.50 },\n \"b\":\"4242\" }";
        assert_eq!(replaced(text, &["/a/card"]).unwrap(), expected);
        assert_eq!(replaced(text, &["/a/none", "/c", "/b/x"]), None);
    }

    /// Take `Members` for a map, and the first of two members of one name stays as it was.
    #[test]
    fn every_member_of_a_name_is_replaced_however_it_is_written() {
        let text = r#"{"card":"one","c\u0061rd":"two"}"#;
        let expected = r#"{"card":"<3>","c\u0061rd":"<3>"}"#;
        assert_eq!(replaced(text, &["/card"]).unwrap(), expected);
    }

    #[test]
    fn items_are_named_by_their_number_or_all_at_once() {
        let text = r#"[{"iban":"ab"},{"iban":"abc"}]"#;
        assert_eq!(replaced(text, &["/1/iban"]).unwrap(), r#"[{"iban":"ab"},{"iban":"<3>"}]"#);
        assert_eq!(replaced(text, &["/*/iban"]).unwrap(), r#"[{"iban":"<2>"},{"iban":"<3>"}]"#);
    }

    #[test]
    fn what_stands_below_a_place_keeps_its_shape_and_its_types() {
        let text =
            r#"{"card":{"number":"4 \" 2","exp":[12,-2030.5e1],"live":true,"x":null,"e":""}}"#;
        let expected = r#"{"card":{"number":"<5>","exp":[2,9],"live":false,"x":null,"e":""}}"#;
        assert_eq!(replaced(text, &["/card", "/card/number"]).unwrap(), expected);
        assert_eq!(replaced(r#"{"a":"\ud800"}"#, &["/a"]).unwrap(), r#"{"a":"<8>"}"#);
    }

    #[test]
    fn a_string_that_is_json_is_one_level_more() {
        let text = r#"{"Message":"{\"card\":\"4242\",\"k\":1}"}"#;
        let expected = r#"{"Message":"{\"card\":\"<4>\",\"k\":1}"}"#;
        assert_eq!(replaced(text, &["/Message/card"]).unwrap(), expected);
        // What a customer wrote refuses no request.
        let text = r#"{"Message":"[VIP] 4242","k":1}"#;
        let expected = r#"{"Message":"<10>","k":1}"#;
        assert_eq!(replaced(text, &["/Message/card"]).unwrap(), expected);
        assert_eq!(replaced(text, &["/k/card"]), None);
    }

    #[test]
    fn what_is_no_json_is_an_error_and_deep_nesting_no_recursion() {
        let path = vec!["a".to_owned()];
        for text in ["{", r#"{"a":}"#, r#"{"a":1} x"#] {
            assert_eq!(replace(text, &[&path], &mut Named), Err(Unreadable::Json), "{text}");
        }
        let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(replaced(&deep, &["/a"]).is_some());
    }
}
