//! JSON as people read it: one member in a line, and its parts told apart.
//!
//! Works on the text as it is, so that no number loses a digit and no member its place. Bounded:
//! what is too long is cut, and says so. Never parses a value.

use askama::filters::Safe;

use super::figure;
use super::markup::Markup;
use super::visible::{Cut, cut, escaped};
use crate::json_text::literal_bytes;

/// Most bytes of one string that are shown.
const STRING_BYTES_MAX: usize = 4 << 10;
/// What is shown has at most about so many times the bytes that may be shown of the text: each
/// value has a line and a colour of its own.
const GROWTH_MAX: usize = 4;
/// Nothing is moved further to the right than this, however deep it lies.
const DEPTH_MAX: usize = 40;

/// The text of a JSON value laid out, at most about so many bytes of it. What is not JSON is shown
/// all the same.
pub(super) fn json(text: &str, most: usize) -> Markup {
    let mut layout = Layout::default();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_enough = layout.shown.len() >= most.saturating_mul(GROWTH_MAX);
        if is_enough || text.len() - rest.len() >= most {
            layout.left_out(rest.len());
            break;
        }
        let length = match first {
            '{' | '[' => layout.open(first, rest),
            '}' | ']' => layout.close(first),
            ',' => layout.comma(),
            ':' => layout.colon(),
            '"' => layout.string(rest),
            _ => layout.word(rest),
        };
        rest = rest[length..].trim_start();
    }
    Safe(layout.shown)
}

/// What is laid out already.
#[derive(Default)]
struct Layout {
    shown: String,
    depth: usize,
}

/// Each gives the bytes that it has taken of the text.
impl Layout {
    fn new_line(&mut self) {
        self.shown.push('\n');
        self.shown.extend(std::iter::repeat_n("  ", self.depth.min(DEPTH_MAX)));
    }

    fn open(&mut self, bracket: char, rest: &str) -> usize {
        self.shown.push(bracket);
        let inside = rest[1..].trim_start();
        let end = if bracket == '{' { '}' } else { ']' };
        if inside.starts_with(end) {
            self.shown.push(end);
            return rest.len() - inside.len() + 1;
        }
        self.depth += 1;
        self.new_line();
        1
    }

    fn close(&mut self, bracket: char) -> usize {
        self.depth = self.depth.saturating_sub(1);
        self.new_line();
        self.shown.push(bracket);
        1
    }

    fn comma(&mut self) -> usize {
        self.shown.push(',');
        self.new_line();
        1
    }

    fn colon(&mut self) -> usize {
        self.shown.push_str(": ");
        1
    }

    fn string(&mut self, rest: &str) -> usize {
        let length = literal_bytes(rest);
        let is_name = rest[length..].trim_start().starts_with(':');
        let Cut { shown, left } = cut(&rest[..length], STRING_BYTES_MAX);
        self.part(if is_name { "k" } else { "s" }, shown);
        if left > 0 {
            self.left_out(left);
        }
        length
    }

    /// A number, or `true`, `false` and `null`; or what is not JSON.
    fn word(&mut self, rest: &str) -> usize {
        let is_end =
            |c: char| c.is_whitespace() || matches!(c, ',' | ':' | '{' | '}' | '[' | ']' | '"');
        let length = rest.find(is_end).unwrap_or(rest.len());
        let Cut { shown, left } = cut(&rest[..length], STRING_BYTES_MAX);
        self.part("n", shown);
        if left > 0 {
            self.left_out(left);
        }
        length
    }

    fn part(&mut self, class: &str, text: &str) {
        let text = escaped(text);
        self.shown.push_str(&format!("<span class=\"{class}\">{text}</span>"));
    }

    fn left_out(&mut self, bytes: usize) {
        let left = figure::bytes(bytes as u64);
        self.shown.push_str(&format!("<span class=\"cut\">… {left} more</span>"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        let Safe(shown) = json(text, 1 << 20);
        let mut plain = String::new();
        let mut is_tag = false;
        for char in shown.chars() {
            match char {
                '<' => is_tag = true,
                '>' => is_tag = false,
                char if !is_tag => plain.push(char),
                _ => (),
            }
        }
        plain
    }

    /// Guards that a number is shown as it came: a float would lose digits of an amount.
    #[test]
    fn json_is_laid_out_and_nothing_of_it_is_changed() {
        let text = r#"{"a":[1,{"b":12345678901234567890.10}],"c":{},"d":[ ],"e":null}"#;
        let expected = "{\n  &quot;a&quot;: [\n    1,\n    {\n      &quot;b&quot;: \
                        12345678901234567890.10\n    }\n  ],\n  &quot;c&quot;: {},\n  \
                        &quot;d&quot;: [],\n  &quot;e&quot;: null\n}";
        assert_eq!(plain(text), expected);
        let Safe(shown) = json(r#"{"k":"v","n":1}"#, 100);
        for part in
            ["<span class=\"k\">&quot;k", "<span class=\"s\">&quot;v", "<span class=\"n\">1"]
        {
            assert!(shown.contains(part), "{shown}");
        }
    }

    #[test]
    fn markup_in_a_string_is_text_and_what_is_too_long_is_cut() {
        let Safe(shown) = json(r#"{"a":"</pre><script>\"x"}"#, 100);
        assert!(!shown.contains("<script") && !shown.contains("</pre"), "{shown}");
        let long = format!("[\"{}\",1,2]", "x".repeat(1 << 20));
        let Safe(shown) = json(&long, 64 << 10);
        assert!(shown.len() < 8_192 && shown.contains("more</span>"));
        let many = format!("{}1{}", "[".repeat(60), ",1".repeat(30_000));
        let Safe(shown) = json(&many, 64 << 10);
        assert!(shown.len() < 300_000 && shown.contains("more</span>"), "{}", shown.len());
        for broken in ["", "{", "}}]", "\"", "{\"a", "nul", "\\\"é"] {
            let Safe(_shown) = json(broken, 100);
        }
    }
}
