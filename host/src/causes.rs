//! An error and what caused it, or a panic, as one text.
//!
//! A pure value that knows no particular error: log lines, statuses and answers of the command line
//! all say a failure by it. Never repeats what the text says already.

use std::any::Any;
use std::error::Error;

/// An error with its causes, from the nearest to the first, each of which is said once.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |said, cause| {
        let cause = cause.to_string();
        if said.contains(&cause) { said } else { format!("{said}: {cause}") }
    })
}

/// What a panic said.
pub(crate) fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Failed {
        text: &'static str,
        source: Option<Box<Failed>>,
    }

    #[test]
    fn an_error_is_said_with_its_causes_and_none_of_it_twice() {
        let first = Failed { text: "disk full", source: None };
        let second = Failed { text: "failed to sync: disk full", source: Some(first.into()) };
        let third = Failed { text: "failed to commit", source: Some(second.into()) };
        assert_eq!(chain(&third), "failed to commit: failed to sync: disk full");
    }

    #[test]
    fn a_panic_is_told_in_its_own_words() {
        assert_eq!(words(&"no way"), "no way");
        assert_eq!(words(&"no way".to_owned()), "no way");
        assert_eq!(words(&7), "a panic without a message");
    }
}
