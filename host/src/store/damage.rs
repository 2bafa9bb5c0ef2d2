//! Damage that was met in the log: told once for each position, and counted.
//!
//! A record that can't be read stops nothing but its own work: whoever meets one passes over it by
//! way of this file. Never mends anything.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::error::Failure;
use crate::lock::lock;
use crate::store::error::Damaged;

/// Positions that are remembered; more are passed over all the same.
const KEPT_MAX: usize = 10_000;
/// Positions that the log names; the metric counts on.
const TOLD_MAX: usize = 100;

/// The positions at which damage was met since the start.
#[derive(Debug, Default)]
pub(super) struct Damages {
    met: Mutex<BTreeSet<u64>>,
}

impl Damages {
    /// How many.
    pub(super) fn count(&self) -> usize {
        lock(&self.met).len()
    }

    /// Remembers one, and tells of it if it is new.
    pub(super) fn note(&self, damaged: Damaged) {
        let Damaged { position } = damaged;
        let count = {
            let mut met = lock(&self.met);
            if met.len() >= KEPT_MAX || !met.insert(position) {
                return;
            }
            met.len()
        };
        if count <= TOLD_MAX {
            tracing::error!(position, "{damaged}: the gateway skips that record and goes on");
        }
        if count == TOLD_MAX {
            tracing::error!("the log names no further damage: see hookgate_damaged_records");
        }
    }

    /// What was read; `None` where it is damaged.
    pub(super) fn pass<T, E>(&self, read: Result<T, E>) -> Result<Option<T>, Failure>
    where
        Failure: From<E>,
    {
        match read.map_err(Failure::from) {
            Ok(value) => Ok(Some(value)),
            Err(Failure::Damaged(damaged)) => {
                self.note(damaged);
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }
}
