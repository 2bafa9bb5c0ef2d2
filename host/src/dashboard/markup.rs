//! Small pieces of markup that many pages have: a pill, a time, a link, a cut text.
//!
//! The only place beside the templates, the charts and the highlighting where markup is made; each
//! piece escapes what it is given. Never laid out: that is the style sheet's.

use askama::filters::Safe;

use super::figure;
use super::visible::{Cut, cut, escaped};
use crate::event::Timestamp;

/// Markup that is ready: a template prints it as it is.
pub(super) type Markup = Safe<String>;

/// How something fares. Colour is never the only sign: words stand beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    /// Nothing to say.
    Plain,
    Ok,
    Info,
    Warn,
    Bad,
}

impl Mood {
    /// Its class in the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// The state of an event, a receipt, a run or a delivery as people say it, and how that is.
pub(super) fn state(state: &str) -> Markup {
    match state {
        "pending" => pill(Mood::Warn, "Pending"),
        "done" => pill(Mood::Ok, "Done"),
        "dead" => pill(Mood::Bad, "Dead"),
        other => pill(Mood::Plain, other),
    }
}

/// A word in a rounded frame.
pub(super) fn pill(mood: Mood, text: &str) -> Markup {
    Safe(format!("<span class=\"pill {}\">{}</span>", mood.class(), escaped(text)))
}

/// A moment: how long ago, and when exactly.
pub(super) fn when(now: Timestamp, at: Timestamp) -> Markup {
    let distance = figure::distance(now, at);
    Safe(format!("<time datetime=\"{at}\" title=\"{at}\">{distance}</time>"))
}

/// A link with a text that came from outside.
pub(super) fn link(href: &str, text: &str) -> Markup {
    Safe(format!("<a href=\"{}\"><bdi>{}</bdi></a>", escaped(href), escaped(text)))
}

/// A link with an id or another text for machines.
pub(super) fn code_link(href: &str, text: &str) -> Markup {
    let (href, text) = (escaped(href), escaped(text));
    Safe(format!("<a class=\"mono\" href=\"{href}\"><bdi>{text}</bdi></a>"))
}

/// A text that came from outside, at most so many bytes of it, and how much is left out.
pub(super) fn long(text: &str, most: usize) -> Markup {
    let Cut { shown, left } = cut(text, most);
    whole(&escaped(shown), left)
}

/// The same of a sentence, such as why something failed: what stands in it between back quotes
/// looks like code.
pub(super) fn sentence(text: &str, most: usize) -> Markup {
    let Cut { shown: mut rest, left } = cut(text, most);
    let mut shown = String::new();
    while let Some((before, (quoted, after))) =
        rest.split_once('`').and_then(|(before, rest)| Some((before, rest.split_once('`')?)))
    {
        shown.push_str(&format!("{}<code>{}</code>", escaped(before), escaped(quoted)));
        rest = after;
    }
    shown.push_str(&escaped(rest));
    whole(&shown, left)
}

/// Markup of a text, and how many bytes of the text are left out.
fn whole(shown: &str, left: usize) -> Markup {
    if left == 0 {
        return Safe(format!("<bdi>{shown}</bdi>"));
    }
    let left = figure::bytes(left as u64);
    Safe(format!("<bdi>{shown}</bdi><span class=\"cut\">… {left} more</span>"))
}

/// A text that stands in a sentence beside other pieces.
pub(super) fn text(text: &str) -> Markup {
    Safe(escaped(text))
}

/// These pieces one behind the other.
pub(super) fn joined(pieces: impl IntoIterator<Item = Markup>) -> Markup {
    Safe(pieces.into_iter().map(|Safe(piece)| piece).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards each call of `escaped` in here.
    #[test]
    fn no_piece_lets_markup_through() {
        let evil = "\"><script>x</script>";
        let pieces = [
            pill(Mood::Bad, evil),
            state(evil),
            link(evil, evil),
            code_link(evil, evil),
            long(evil, 99),
            sentence(evil, 99),
            sentence(&format!("`{evil}` `{evil}"), 99),
            text(evil),
            joined([text(evil), text(evil)]),
        ];
        for Safe(piece) in pieces {
            assert!(!piece.contains("<script") && !piece.contains("\"><s"), "{piece}");
        }
    }

    #[test]
    fn what_a_sentence_quotes_is_code_and_one_quote_is_a_sign() {
        let Safe(shown) = sentence("connection to `a` and `b` ended, `c", 99);
        let quoted = "connection to <code>a</code> and <code>b</code> ended, `c";
        assert_eq!(shown, format!("<bdi>{quoted}</bdi>"));
        let Safe(cut) = sentence("to `abc`", 5);
        assert_eq!(cut, "<bdi>to `a</bdi><span class=\"cut\">… 3 bytes more</span>");
    }

    #[test]
    fn a_long_text_says_how_much_is_left_out() {
        let Safe(shown) = long(&"x".repeat(3_000), 10);
        let expected = "<bdi>xxxxxxxxxx</bdi><span class=\"cut\">… 2,990 bytes more</span>";
        assert_eq!(shown, expected);
    }
}
