//! What whoever has queued a commit waits for.
//!
//! Resolves when the commit is on disk, and may say before that whether the slot of its work is
//! free. Never knows what is committed.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;

use super::error::Error;
use super::shared::Shared;
use crate::causes::words;

/// A commit that is queued: resolves when it is on disk. Commits take place in the order in which
/// they are queued.
#[derive(Debug)]
pub struct Committing<T> {
    answer: oneshot::Receiver<Result<T, Error>>,
    shared: Arc<Shared>,
    frees_slot: bool,
}

impl<T> Committing<T> {
    pub(super) fn new(
        answer: oneshot::Receiver<Result<T, Error>>,
        shared: &Arc<Shared>,
        frees_slot: bool,
    ) -> Self {
        Self { answer, shared: Arc::clone(shared), frees_slot }
    }

    /// Whether another work may be begun in the place of this one; else only when this resolves.
    pub fn frees_slot(&self) -> bool {
        self.frees_slot
    }
}

impl<T> Future for Committing<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.answer).poll(context));
        Poll::Ready(self.shared.told(answer))
    }
}

/// What is done once the writer has answered, by its thread: behind the answer, or when it is known
/// that none will come.
pub struct Heard(Option<Box<dyn FnOnce() + Send>>);

impl Heard {
    /// Does this, which must not take long.
    pub fn new(heard: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(heard)))
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        let Some(heard) = self.0.take() else { return };
        // The thread of the writer is everybody's: a panic there ends nothing but what is heard.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(heard)) {
            tracing::error!("the gateway panicked over an answer of the store: {}", words(&*panic));
        }
    }
}

impl fmt::Debug for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Heard(..)")
    }
}
