//! Which payload is next, for all who send at the same time.
//!
//! A clone takes from the same supply. Numbers come once each and in order; a supply without an end
//! begins anew with the payloads when they are over.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::payload::Batch;

/// Payloads that are left to be sent.
#[derive(Clone)]
pub(crate) struct Supply {
    batch: Arc<Batch>,
    next: Arc<AtomicUsize>,
    end: usize,
    /// Numbers from here on begin anew with the first payload.
    turn: usize,
}

impl Supply {
    /// Each payload once.
    pub(crate) fn once(batch: &Arc<Batch>) -> Self {
        Self { batch: batch.clone(), next: Arc::default(), end: batch.count(), turn: batch.count() }
    }

    /// The payloads again and again.
    pub(crate) fn endless(batch: &Arc<Batch>) -> Self {
        Self { end: usize::MAX, ..Self::once(batch) }
    }

    /// The first `count` of those that are left, taken from this one.
    pub(crate) fn part(&self, count: usize) -> Self {
        let first = self.next.fetch_add(count, Ordering::Relaxed).min(self.end);
        let end = self.end.min(first + count);
        Self { next: Arc::new(first.into()), end, ..self.clone() }
    }

    /// What was taken of this one, again and again.
    pub(crate) fn again(&self) -> Self {
        Self { next: Arc::default(), end: usize::MAX, turn: self.taken(), ..self.clone() }
    }

    /// The next number, if there is one.
    pub(crate) fn take(&self) -> Option<usize> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.end).then_some(number)
    }

    /// Where it ends: no number from here on is taken.
    pub(crate) fn end(&self) -> usize {
        self.end
    }

    /// How many are left.
    pub(crate) fn left(&self) -> usize {
        self.end - self.taken()
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.left() == 0
    }

    /// How many were taken, counted from the first payload.
    pub(crate) fn taken(&self) -> usize {
        self.next.load(Ordering::Relaxed).min(self.end)
    }

    /// The whole request of a number.
    pub(crate) fn request(&self, number: usize) -> &[u8] {
        self.batch.request(number % self.turn)
    }
}
