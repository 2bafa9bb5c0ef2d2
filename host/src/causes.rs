//! An error and what caused it, or a panic, as one text.
//!
//! A pure value that knows no particular error: log lines, statuses and answers of the command line
//! all say a failure by it. Never repeats what the text says already.

use std::any::Any;
use std::error::Error;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

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

/// Waits for what may panic.
///
/// Nobody looks at what a panic has left behind: a lock that was held is poisoned and taken all the
/// same, and who is caught here shares nothing else with others.
///
/// # Errors
///
/// What the panic said.
pub(crate) async fn caught<T>(doing: impl Future<Output = T>) -> Result<T, String> {
    let mut doing = pin!(doing);
    let done = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| doing.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(words(&*panic))),
    });
    done.await
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

    #[tokio::test]
    async fn a_panic_ends_nothing_but_what_panicked() {
        async fn broken() -> u8 {
            tokio::task::yield_now().await;
            panic!("no way")
        }
        assert_eq!(caught(broken()).await, Err("no way".to_owned()));
        assert_eq!(caught(async { 7 }).await, Ok(7));
    }
}
