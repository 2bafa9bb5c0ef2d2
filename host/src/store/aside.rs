//! What is done beside the writer, on threads that may wait for the disk.
//!
//! A panic there is the error of whoever asked for it. Never changes the store.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::error::Error;
use crate::causes::words;
use crate::priority::yield_to_others;

/// Does it on such a thread.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = spawn_blocking(work).await;
    done.unwrap_or_else(|broken| match broken.try_into_panic() {
        Ok(panic) => Err(Error::Panicked(words(&*panic).into())),
        // The runtime is shutting down.
        Err(_) => Err(Error::Closed),
    })
}

/// Does it on a thread of its own that yields to all others: for long work that nobody waits for.
/// Where cores are short, whoever posts an event comes first.
pub(super) async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let (done, answer) = oneshot::channel();
    let work = move || {
        yield_to_others();
        let result = catch_unwind(AssertUnwindSafe(work));
        // Nobody may wait for it any more.
        drop(done.send(result.unwrap_or_else(|panic| Err(Error::Panicked(words(&*panic).into())))));
    };
    match thread::Builder::new().name("store-sweep".to_owned()).spawn(work) {
        Ok(_) => answer.await.unwrap_or(Err(Error::Closed)),
        Err(error) => Err(Error::Panicked(format!("it has no thread: {error}").into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_an_operation_is_that_operations_error() {
        let broken: Result<(), Error> = aside(|| panic!("no {}", "way")).await;
        assert!(matches!(&broken, Err(Error::Panicked(why)) if &**why == "no way"), "{broken:?}");
        assert!(matches!(aside(|| Ok(1)).await, Ok(1)));
        let broken: Result<(), Error> = in_background(|| panic!("no {}", "way")).await;
        assert!(matches!(&broken, Err(Error::Panicked(why)) if &**why == "no way"), "{broken:?}");
        assert!(matches!(in_background(|| Ok(1)).await, Ok(1)));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_is_done_in_the_background_yields_to_all_others() {
        let niceness = || rustix::process::getpriority_process(None).map_err(|_| Error::Closed);
        let ours = niceness().unwrap();
        let theirs = in_background(niceness).await.unwrap();
        assert!(theirs > ours || theirs == 19, "{theirs} beside {ours}");
        assert_eq!(niceness().unwrap(), ours);
    }
}
