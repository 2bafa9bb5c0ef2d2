//! How long each commit takes until it is on the disk, for whoever wants to hear it.
//!
//! Heard on the thread that writes, so whoever hears it must not wait for anything. Never counts
//! anything itself.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use super::Store;

/// Who hears it.
#[derive(Default)]
pub(super) struct Syncs(OnceLock<Box<dyn Fn(Duration) + Send + Sync>>);

impl fmt::Debug for Syncs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Syncs").field(&self.0.get().is_some()).finish()
    }
}

impl Syncs {
    /// A commit is on the disk, after this time.
    pub(super) fn took(&self, time: Duration) {
        if let Some(hear) = self.0.get() {
            hear(time);
        }
    }
}

impl Store {
    /// Has somebody hear how long each commit takes, from now on. Only the first who asks does.
    pub fn hear_syncs(&self, hear: impl Fn(Duration) + Send + Sync + 'static) {
        drop(self.handle.shared.syncs.0.set(Box::new(hear)));
    }
}
