//! How the pieces of a worker end, so that those that are done wake nobody.
//!
//! Nothing follows from a piece that is done, and nearly all are: the worker puts many away at a
//! time, or when it looks for more in any case. Of one that is not done it hears at once, for that
//! may be due again. Never knows a piece.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// So many that are done are put away together: until then each keeps the memory that it had.
const TOGETHER: usize = 64;

/// How the pieces of one worker have ended that are not put away. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Ends(Arc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    done: AtomicUsize,
    /// Also those that are about to end.
    undone: AtomicUsize,
    bell: Notify,
}

/// A piece under way. Whoever drops it without a word says that the piece was not done.
#[derive(Debug)]
pub(super) struct Begun {
    ends: Ends,
    is_done: bool,
}

impl Ends {
    /// Another piece begins.
    pub(super) fn begin(&self) -> Begun {
        Begun { ends: self.clone(), is_done: false }
    }

    /// Resolves when the worker should look at what has ended.
    pub(super) async fn heard(&self) {
        self.0.bell.notified().await;
    }

    /// The worker looks at all that has ended.
    pub(super) fn looks(&self) {
        self.0.done.store(0, Ordering::Relaxed);
    }

    /// Whether a piece that was not done has ended, or is about to, and is not put away.
    pub(super) fn has_undone(&self) -> bool {
        self.0.undone.load(Ordering::Acquire) > 0
    }

    /// A piece that was not done is put away.
    pub(super) fn put_undone_away(&self) {
        self.0.undone.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Begun {
    /// The piece is done.
    pub(super) fn done(mut self) {
        self.is_done = true;
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let Counted { done, undone, bell } = &*self.ends.0;
        let is_news = if self.is_done {
            done.fetch_add(1, Ordering::Relaxed) + 1 == TOGETHER
        } else {
            undone.fetch_add(1, Ordering::AcqRel);
            true
        };
        if is_news {
            bell.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    fn is_heard(ends: &Ends) -> bool {
        let mut unheard = Context::from_waker(Waker::noop());
        pin!(ends.heard()).poll(&mut unheard).is_ready()
    }

    #[test]
    fn pieces_that_are_done_are_heard_of_together_and_one_that_is_not_at_once() {
        let ends = Ends::default();
        let end_well = |pieces: usize| (0..pieces).for_each(|_| ends.begin().done());
        end_well(TOGETHER - 1);
        assert!(!is_heard(&ends), "nothing follows from them");
        end_well(1);
        assert!(is_heard(&ends) && !is_heard(&ends), "they are to be put away");

        ends.looks();
        drop(ends.begin());
        assert!(is_heard(&ends) && ends.has_undone());
        ends.put_undone_away();
        assert!(!ends.has_undone());
    }
}
