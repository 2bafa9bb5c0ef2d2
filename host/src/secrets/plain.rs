//! What of a configuration may be repeated, in an error or a list.
//!
//! Any text of the file may be a secret that stands in the wrong place. What is repeated
//! nevertheless looks like what a person calls something, and never like a secret.

use std::path::{Component, Path};

use super::redaction::HIDDEN;

/// Longest word that is repeated, in bytes.
const WORD_BYTES_MAX: usize = 24;

/// Whether a key is a word such as `tolerance`: short, of letters, `_` and `-` only, and lower case
/// from the second on.
pub(crate) fn is_plain(word: &str) -> bool {
    let known = |byte: &u8| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'-');
    let Some((first, rest)) = word.as_bytes().split_first() else { return false };
    first.is_ascii_alphabetic() && word.len() <= WORD_BYTES_MAX && rest.iter().all(known)
}

/// A name of which nothing else is known, as it is shown.
pub(crate) fn shown(name: &str) -> &str {
    if is_plain(name) { name } else { HIDDEN }
}

/// Whether a text names a variable of the environment as people name them: `STRIPE_SECRET`.
pub(crate) fn is_plain_variable(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
    name.contains('_') && name.len() <= 2 * WORD_BYTES_MAX && name.bytes().all(known)
}

/// Whether each part of a path is plain, up to a dot: `secrets/stripe-old.key`.
pub(crate) fn is_plain_path(path: &Path) -> bool {
    path.components().all(|part| match part {
        Component::Normal(part) => part
            .to_str()
            .is_some_and(|part| part.split('.').all(|word| word.is_empty() || is_plain(word))),
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_call_something_is_repeated_and_what_may_be_a_secret_is_not() {
        for word in ["tolerence", "Stripe", "requests-per-source", "a_b"] {
            assert!(is_plain(word), "{word}");
        }
        for word in ["", "hunter2", "whsec_MfKQ", "MfKQrGKY", "correct-horse-battery-staple", "a b"]
        {
            assert!(!is_plain(word), "{word}");
        }
        assert_eq!((shown("stripe"), shown("sk-live-4242")), ("stripe", HIDDEN));
        assert!(is_plain_variable("STRIPE_SECRET") && is_plain_path(Path::new("secrets/old.key")));
        for name in ["whsec_abc", "DEADBEEF", "44782DEF_547AAA", ""] {
            assert!(!is_plain_variable(name), "{name}");
        }
        for path in ["secrets/hunter2", "whsec_MfKQ9r8G", "a/MfKQ+==", "x/é"] {
            assert!(!is_plain_path(Path::new(path)), "{path}");
        }
    }
}
