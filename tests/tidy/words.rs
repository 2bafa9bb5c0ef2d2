//! Words that have another: one word stands for one thing.

use super::log_lines::without_texts;
use super::{code, sources};

/// The widest line, of code by `rustfmt` and of prose by this.
const COLUMNS_MAX: usize = 100;

/// What must not be a name, and the word for it.
const NAMES: [(&str, &str); 10] = [
    ("lie", "violation"),
    ("Lie", "Violation"),
    ("veil", "redact"),
    ("Veil", "Redaction"),
    ("shelf", "cache"),
    ("Shelf", "KeyCache"),
    ("Face", "Role"),
    ("Frontier", "LowWater"),
    ("LaneKeys", "OrderKeys"),
    ("DamagedRun", "DamagedIds"),
];

/// The words of code, in order.
fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

#[test]
fn one_word_stands_for_one_thing() {
    for (path, text) in sources(&["host/src", "plugin-sdk/src", "plugins", "examples", "tests"]) {
        // Here they are listed.
        if path.ends_with("tidy/words.rs") {
            continue;
        }
        let code = without_texts(&code(&text));
        for (name, better) in NAMES {
            assert!(!words(&code).any(|word| word == name), "{path}: say `{better}`, not `{name}`");
        }
    }
}

#[test]
fn no_comment_is_wider_than_a_hundred_columns() {
    for (path, text) in sources(&["host/src", "plugin-sdk/src", "plugins", "examples", "tests"]) {
        for (number, line) in text.lines().enumerate() {
            let is_comment = line.trim_start().starts_with("//");
            let columns = line.chars().count();
            assert!(
                !is_comment || columns <= COLUMNS_MAX,
                "{path}:{}: {columns} columns in a comment",
                number + 1
            );
        }
    }
}
