//! Locks that a panic does not close.
//!
//! Every holder leaves what it holds whole at each step, so what one that panicked left is as good
//! as any. Never waits for anything but the other holders.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Waits until nobody else holds it, even if somebody who did has panicked.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
