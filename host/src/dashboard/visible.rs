//! Text as it is printed into a page: no sign of it is markup, and none is invisible.
//!
//! Every template escapes by this. What turns the direction of writing around, and control
//! characters, are written out as `[U+202E]`, so that no name or payload reads as something else.
//! Never trusts a text.

use std::fmt;

use askama::filters::Escaper;

/// Escapes for text and for values of attributes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visible;

impl Escaper for Visible {
    fn write_escaped_str<W: fmt::Write>(&self, mut dest: W, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(is_special) {
            let (plain, special) = rest.split_at(at);
            dest.write_str(plain)?;
            let mut chars = special.chars();
            if let Some(char) = chars.next() {
                write_special(&mut dest, char)?;
            }
            rest = chars.as_str();
        }
        dest.write_str(rest)
    }
}

/// What is not written as it is.
fn is_special(char: char) -> bool {
    matches!(char, '<' | '>' | '&' | '"' | '\'') || is_hidden(char)
}

/// What a reader does not see, or what has them see something else.
fn is_hidden(char: char) -> bool {
    let turns = matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}')
        || matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_blank = matches!(char, '\u{ad}' | '\u{34f}' | '\u{180e}' | '\u{200b}' | '\u{feff}')
        || matches!(char, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}')
        || matches!(char, '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}');
    // Also tags, of which a whole second text can be made.
    let is_sign = matches!(char, '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}')
        || matches!(char, '\u{e0000}'..='\u{e007f}');
    turns || is_blank || is_sign || (char.is_control() && !matches!(char, '\n' | '\t'))
}

fn write_special(dest: &mut impl fmt::Write, char: char) -> fmt::Result {
    match char {
        '<' => dest.write_str("&lt;"),
        '>' => dest.write_str("&gt;"),
        '&' => dest.write_str("&amp;"),
        '"' => dest.write_str("&quot;"),
        '\'' => dest.write_str("&#39;"),
        hidden => write!(dest, "[U+{:04X}]", u32::from(hidden)),
    }
}

/// The text as it stands in a page.
pub(super) fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    // Writing to a string does not fail.
    let _written = Visible.write_escaped_str(&mut shown, text);
    shown
}

/// A text, cut where it is too long to look at.
pub(super) struct Cut<'t> {
    /// What is shown.
    pub(super) shown: &'t str,
    /// The bytes that are not.
    pub(super) left: usize,
}

/// The beginning of a text, at most so many bytes.
pub(super) fn cut(text: &str, most: usize) -> Cut<'_> {
    let shown = &text[..text.floor_char_boundary(most)];
    Cut { shown, left: text.len() - shown.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_markup_in_a_page() {
        let text = "<script>alert('1')</script> & \"quoted\"";
        let shown = escaped(text);
        assert_eq!(
            shown,
            "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;quoted&quot;"
        );
    }

    #[test]
    fn what_turns_the_writing_around_is_written_out() {
        assert_eq!(escaped("a\u{202e}b\u{2066}\u{0}c\r"), "a[U+202E]b[U+2066][U+0000]c[U+000D]");
        assert_eq!(escaped("a\u{200b}b\u{feff}"), "a[U+200B]b[U+FEFF]");
        assert_eq!(escaped("a\u{3164}\u{2028}\u{e0041}"), "a[U+3164][U+2028][U+E0041]");
        assert_eq!(escaped("line\n\tשלום é"), "line\n\tשלום é");
    }

    #[test]
    fn a_text_is_cut_between_two_characters() {
        let Cut { shown, left } = cut("aé", 2);
        assert_eq!((shown, left), ("a", 2));
        let Cut { shown, left } = cut("aé", 9);
        assert_eq!((shown, left), ("aé", 0));
    }
}
