//! JSON as some providers sign it: without white space, and the members of every object by name.
//!
//! Names, texts and numbers stay as they are written, so what reads differently is never the same
//! text. Nothing here is a scheme of its own.

use super::{Json, members, quotes};

/// Deepest nesting that is sorted: each level is read once more, and providers nest two or three.
const DEPTH_MAX: usize = 8;

impl Json<'_> {
    /// The value without white space, and with the members of every object in the order of their
    /// names. Members of one name stay in their order. `None` if brackets are nested more than 8
    /// deep.
    pub fn sorted(self) -> Option<String> {
        let mut text = String::with_capacity(self.raw().len());
        write(self, DEPTH_MAX, &mut text)?;
        Some(text)
    }
}

/// Writes a value whose brackets are nested at most `depth` deep.
fn write(value: Json<'_>, depth: usize, text: &mut String) -> Option<()> {
    match value.raw().as_bytes().first()? {
        b'{' => {
            let depth = depth.checked_sub(1)?;
            let mut members: Vec<_> = members(value.raw()).collect();
            members.sort_by_cached_key(|&(name, _)| quotes::text_of(name));
            text.push('{');
            for (place, (name, member)) in members.into_iter().enumerate() {
                text.push_str(if place == 0 { "" } else { "," });
                text.push_str(name);
                text.push(':');
                write(member, depth, text)?;
            }
            text.push('}');
        }
        b'[' => {
            let depth = depth.checked_sub(1)?;
            text.push('[');
            for (place, element) in value.items("").into_iter().enumerate() {
                text.push_str(if place == 0 { "" } else { "," });
                write(element, depth, text)?;
            }
            text.push(']');
        }
        _ => text.push_str(value.raw()),
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn sorted(text: &str) -> Option<String> {
        Json::parse(text.as_bytes()).unwrap().sorted()
    }

    #[test]
    fn only_order_and_white_space_change() {
        for (written, expected) in [
            (
                r#" {"b":1.10,"a" : [ 2e-7, {"d":"x, y","c":null} ] } "#,
                r#"{"a":[2e-7,{"c":null,"d":"x, y"}],"b":1.10}"#,
            ),
            (r#"{"\u0062":"\u00e9\/","a":"é"}"#, r#"{"a":"é","\u0062":"\u00e9\/"}"#),
            (r#"{"a":2,"b":0,"a":1}"#, r#"{"a":2,"a":1,"b":0}"#),
            (r#"{"B":1,"a":2,"_":3,"10":4,"9":5}"#, r#"{"10":4,"9":5,"B":1,"_":3,"a":2}"#),
            ("{ }", "{}"),
            ("[ ]", "[]"),
            (" -1.0 ", "-1.0"),
        ] {
            assert_eq!(sorted(written).as_deref(), Some(expected), "{written}");
        }
    }

    #[test]
    fn what_is_no_text_is_written_all_the_same() {
        assert_eq!(sorted(r#"{"a":1,"\ud800":2}"#).as_deref(), Some(r#"{"\ud800":2,"a":1}"#));
    }

    #[test]
    fn nesting_has_an_end() {
        let nested = |depth: usize| format!("{}1{}", "{\"a\":[".repeat(depth), "]}".repeat(depth));
        assert_eq!(sorted(&nested(4)), Some(nested(4)));
        assert_eq!(sorted(&nested(5)), None);
        assert_eq!(sorted(&nested(4).replace('1', "[]")), None);
    }

    proptest! {
        #[test]
        fn it_means_the_same_in_any_order(pairs: Vec<(String, i64)>) {
            let pairs = pairs.into_iter().map(|(name, value)| (name, Value::from(value)));
            let object: Value = pairs.collect();
            // `serde_json` writes the names of an object in order.
            let compact = object.to_string();
            let pretty = serde_json::to_string_pretty(&object).unwrap();
            prop_assert_eq!(sorted(&pretty), Some(compact));
        }
    }
}
