//! JSON laid out for a person.
//!
//! Works on the text, so that it keeps every digit and the order of members, and follows any depth
//! of brackets. Never checks what it lays out: that is what a gateway answered.

/// A step to the right.
const STEP: &str = "  ";

/// The document with a line for every member and every item.
pub(super) fn indented(json: &str) -> String {
    let mut laid_out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut rest = json.trim();
    while let Some(first) = rest.chars().next() {
        let length = if first == '"' { string(rest) } else { first.len_utf8() };
        let (token, after) = rest.split_at(length);
        let after = after.trim_start();
        match first {
            '{' | '[' if !after.starts_with(['}', ']']) => {
                depth += 1;
                line(&mut laid_out, token, depth);
            }
            ',' => line(&mut laid_out, token, depth),
            ':' => laid_out.push_str(": "),
            '}' | ']' if !laid_out.ends_with(['{', '[']) => {
                depth = depth.saturating_sub(1);
                line(&mut laid_out, "", depth);
                laid_out.push_str(token);
            }
            _ => laid_out.push_str(token),
        }
        rest = after;
    }
    laid_out
}

/// Ends a line behind a token, and begins the next.
fn line(laid_out: &mut String, token: &str, depth: usize) {
    laid_out.push_str(token);
    laid_out.push('\n');
    laid_out.extend(std::iter::repeat_n(STEP, depth));
}

/// The length of the string that a text begins with, its quotes included.
fn string(text: &str) -> usize {
    let mut is_escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_keeps_its_digits_and_its_order() {
        let json =
            r#"{"b":1.10,"a":[12345678901234567890,true, null],"e":{},"f":[ ],"s":"{\"[,:é\\"}"#;
        let expected = r#"{
  "b": 1.10,
  "a": [
    12345678901234567890,
    true,
    null
  ],
  "e": {},
  "f": [],
  "s": "{\"[,:é\\"
}"#;
        assert_eq!(indented(json), expected);
        assert_eq!(indented(expected), expected);
    }

    #[test]
    fn no_depth_is_too_deep() {
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        let laid_out = indented(&format!(r#"{{"data":{deep}}}"#));
        assert_eq!(
            laid_out.split_whitespace().collect::<String>(),
            format!(r#"{{"data":{deep}}}"#)
        );
        assert_eq!(indented("\"open"), "\"open");
    }
}
