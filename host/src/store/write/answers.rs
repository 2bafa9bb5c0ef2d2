//! Writes of the admin port that are done once: begun, and answered.
//!
//! Each is durable when this returns. Never does the write itself.

use super::draft::Draft;
use super::op::{Answer, Operation, Reply};
use crate::store::Store;
use crate::store::access::Rows;
use crate::store::access::answers::{self, KeptAnswer, Once, OnceKey};
use crate::store::error::{Error, Failure};
use crate::store::file::kept_rows::Kept;

/// Most rows that a write removes which are known no longer.
const EXPIRED_MAX: usize = 64;
/// About what a row adds to a transaction, in bytes, beside its answer.
const ROW_BYTES: usize = 256;
/// Of the write, and of how many keys its owner has.
const ROWS: usize = 2;

impl Store {
    /// Begins a write that is to be done once, if it was not begun within the last day. Where its
    /// owner has no room for another key it is [`Error::TooManyKeys`].
    pub async fn begin_once(&self, key: OnceKey, request: [u8; 32]) -> Result<Once, Error> {
        let looked = self.aside(|shared| {
            let rows = shared.file.read()?.kept(Kept::Answers)?;
            let last = answers::last_expired(shared.clock.times().now);
            let expired = rows.within(&[], &last)?.take(EXPIRED_MAX);
            let expired = expired.map(|row| row.map(|(key, _)| key));
            let expired = expired.collect::<Result<Vec<_>, Failure>>()?;
            // Where some go there is room.
            let known = if expired.is_empty() { rows.count()? } else { 0 };
            Ok((known, expired))
        });
        let (known, expired) = looked.await?;
        self.ask(|reply| BeginOnce { key, request, known, expired, reply }).await
    }

    /// A write that was begun has its answer; without one it was not done, and may be begun again.
    pub async fn end_once(
        &self,
        key: OnceKey,
        request: [u8; 32],
        answer: Option<KeptAnswer>,
    ) -> Result<(), Error> {
        self.ask(|reply| EndOnce { key, request, answer, reply }).await
    }
}

/// A write to begin.
#[derive(Debug)]
struct BeginOnce {
    key: OnceKey,
    request: [u8; 32],
    /// How many keys are known.
    known: u64,
    /// Rows to remove.
    expired: Vec<Vec<u8>>,
    reply: Reply<Once>,
}

impl Operation for BeginOnce {
    fn bytes(&self) -> usize {
        ROW_BYTES * (ROWS + self.expired.len())
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let now = draft.now;
        let begun = answers::begin(draft, self.key, self.request, (self.known, now))?;
        if matches!(begun, Ok(Once::First)) {
            for key in &self.expired {
                draft.put(Kept::Answers, key.clone(), None);
            }
            draft.leave_segment();
        }
        self.reply.keep(begun);
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}

/// A write that ends.
#[derive(Debug)]
struct EndOnce {
    key: OnceKey,
    request: [u8; 32],
    answer: Option<KeptAnswer>,
    reply: Reply<()>,
}

impl Operation for EndOnce {
    fn bytes(&self) -> usize {
        ROW_BYTES * ROWS + self.answer.as_ref().map_or(0, |answer| answer.body.len())
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let now = draft.now;
        answers::end(draft, self.key, self.request, self.answer.clone(), now)?;
        draft.leave_segment();
        self.reply.keep(Ok(()));
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}
