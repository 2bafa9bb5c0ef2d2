//! State: what a run sets is written with it, if the handler has room; what has expired goes.
//!
//! Whether there is room is decided in the draft, where everything that was set before is known:
//! also between runs that end at the same time. Never removes what was set again since the sweep
//! looked.

use std::fmt;

use bytes::Bytes;

use super::draft::Draft;
use super::op::{Answer, Operation, Reply};
use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::error::Failure;
use crate::store::state::{self, Quota, Used};

/// Why a run may not set what it wants to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct NoRoom {
    handler: Name,
    quota: Quota,
    /// What the handler would have with it.
    wanted: Used,
}

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { handler, quota, wanted } = self;
        let (keys, bytes) = (wanted.keys, wanted.bytes);
        let (keys_max, bytes_max) = (quota.keys, quota.bytes);
        write!(
            f,
            "the state of handler {handler} is full: with this run it would have {keys} keys and \
             {bytes} bytes; `state_keys` allows {keys_max} and `state_bytes` {bytes_max}"
        )
    }
}

impl Draft<'_> {
    /// Sets keys of a scope, or deletes them (`None`): the last word on each counts. Nothing of it
    /// if the handler has no room. One that was promised room has it, also if the quota is less by
    /// now, or others were quicker.
    pub(super) fn set_state(
        &mut self,
        (handler, scope): (&Name, &str),
        changes: &[(String, Option<Bytes>)],
        is_promised: bool,
    ) -> Result<Result<(), NoRoom>, Failure> {
        if changes.is_empty() {
            return Ok(Ok(()));
        }
        let before = self.used(handler);
        let mut used = before;
        let mut rows = Vec::new();
        for (key, value) in state::last_words(changes) {
            let key = state::key(handler, scope, key);
            match self.state_row(&key)? {
                Some(row) => used = used.without(Used::of(&key, &row)),
                None if self.state_row(state::old(&key))?.is_some() => {
                    rows.push((state::old(&key).to_vec(), None));
                }
                None => (),
            }
            let row = value.map(|value| state::row(&key, self.counted(), value));
            if let Some(row) = &row {
                used = used.and(Used::of(&key, row));
            }
            rows.push((key, row));
        }
        let quota = self.basis.quotas.quota(handler);
        if !is_promised && !used.is_within(quota, before) {
            return Ok(Err(NoRoom { handler: handler.clone(), quota, wanted: used }));
        }
        rows.into_iter().for_each(|(key, row)| self.put_state_row(key, row));
        self.put_used(handler, used);
        Ok(Ok(()))
    }

    /// Removes a row if it is still the one that was written then.
    fn expire(&mut self, key: &[u8], written_at: Timestamp) -> Result<(), Failure> {
        let Some(handler) = state::handler_of(key) else { return Ok(()) };
        let Some(row) = self.state_row(key)? else { return Ok(()) };
        if state::written_at(key, &row) == Some(written_at) {
            let used = self.used(&handler).without(Used::of(key, &row));
            self.put_state_row(key.to_vec(), None);
            self.put_used(&handler, used);
        }
        Ok(())
    }

    /// Spells a row of an older Hookgate anew, as one that is written now.
    fn respell(&mut self, old: &[u8]) -> Result<(), Failure> {
        let Some(value) = self.state_row(old)? else { return Ok(()) };
        let key = state::anew(old);
        let Some(handler) = state::handler_of(&key) else { return Ok(()) };
        self.put_state_row(old.to_vec(), None);
        if self.state_row(&key)?.is_none() {
            let row = state::row(&key, self.counted(), &value);
            let used = self.used(&handler).and(Used::of(&key, &row));
            self.put_state_row(key, Some(row));
            self.put_used(&handler, used);
        }
        Ok(())
    }
}

/// Rows of state that a sweep has found.
#[derive(Debug)]
pub(in crate::store) struct SweepStates {
    /// Those to remove, each with when it was written.
    pub(in crate::store) expired: Vec<(Vec<u8>, Timestamp)>,
    /// Those of an older Hookgate.
    pub(in crate::store) old: Vec<Vec<u8>>,
    pub(in crate::store) reply: Reply<()>,
}

impl Operation for SweepStates {
    fn bytes(&self) -> usize {
        self.expired.iter().map(|(key, _)| key.len()).chain(self.old.iter().map(Vec::len)).sum()
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        self.expired.iter().try_for_each(|(key, written_at)| draft.expire(key, *written_at))?;
        self.old.iter().try_for_each(|key| draft.respell(key))?;
        draft.leave_segment();
        self.reply.keep(Ok(()));
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}
