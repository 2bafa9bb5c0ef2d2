//! The end of what is owed to one endpoint, without a try: it is gone, or too much waits for it;
//! and how any one work ends without a try.
//!
//! In slices, each of them durable before it is answered: whoever asks goes on until there is no
//! more, also after a start. What ends is a dead letter that says why, and can be replayed. What
//! somebody works on is left. Never ends anything by itself.

use std::sync::Arc;
use std::time::Duration;

use super::draft::Draft;
use super::op::{Answer, Operation, Reply};
use crate::failure::{AttemptDetail, Reason};
use crate::ids::Name;
use crate::retry::{Outcome, Verdict};
use crate::store::Store;
use crate::store::committing::Committing;
use crate::store::error::{Error, Failure};
use crate::store::kind::WorkKind;
use crate::store::log::record::{AttemptRecord, TryRecord};
use crate::store::log::segment::RecordKind;
use crate::store::owed::Life;
use crate::store::owed::backlog::InFlight;
use crate::store::owed::lease::{DeliveryWork, Lease};
use crate::store::report::{Attempt, Try};

/// Deliveries that one slice ends at most.
const SLICE: usize = 256;

/// Endpoints at which one look is.
const LOOK: usize = 256;

/// What is owed and is to end.
#[derive(Debug, Clone)]
pub struct EndOwed {
    /// Whom it is owed to.
    pub endpoint: Name,
    /// About the newest that stay.
    pub keep: u64,
    /// Why it ends.
    pub reason: Reason,
    /// The same in words.
    pub detail: String,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Deliveries that ended.
    pub ended: usize,
    /// Whether more are to end, beside those that somebody works on.
    pub more: bool,
}

impl Store {
    /// How many deliveries wait for each of these endpoints, in their order, beside those that
    /// somebody works on. However many are asked for, takes and commits go on meanwhile.
    pub fn deliveries_to(&self, endpoints: &[Name]) -> Vec<usize> {
        let shared = &self.handle.shared;
        let mut waiting = Vec::with_capacity(endpoints.len());
        for slice in endpoints.chunks(LOOK) {
            let backlog = shared.backlog();
            let of = |endpoint: &Name| backlog.waiting_of(WorkKind::Delivery, endpoint);
            waiting.extend(slice.iter().map(of));
        }
        waiting
    }

    /// Ends some of the deliveries that are owed to an endpoint, about the oldest first, and none
    /// that somebody works on. What is on disk is read for that. If it ends none and there is more,
    /// that waits behind others that somebody works on.
    pub async fn end_owed(&self, what: EndOwed) -> Result<Ended, Error> {
        let EndOwed { endpoint: group, keep, reason, detail } = what;
        let mut moved = self.handle.shared.owed.moved();
        let (leases, more) = loop {
            self.trouble().map_or(Ok(()), Err)?;
            let (leases, more, is_coming) = self.draw(&group, keep);
            self.refill(WorkKind::Delivery);
            // For what waits behind one in flight nobody waits here: an attempt may take a minute.
            if !leases.is_empty() || !is_coming || moved.changed().await.is_err() {
                break (leases, more);
            }
        };
        let mut answers = Vec::with_capacity(leases.len());
        for lease in leases {
            let (reply, answer) = Reply::new();
            let (group, detail) = (group.clone(), detail.clone());
            self.send(EndOne { lease, group, reason, detail, reply }).await?;
            answers.push(answer);
        }
        let mut ended = 0;
        for answer in answers {
            ended += usize::from(self.handle.shared.answered(answer).await?);
        }
        Ok(Ended { ended, more })
    }

    /// Ends a delivery that was taken, without a try: resolves when that is queued. What that gives
    /// resolves when it is on disk, and says whether it has ended.
    pub async fn queue_end(
        &self,
        work: DeliveryWork,
        reason: Reason,
        detail: &str,
    ) -> Result<Committing<bool>, Error> {
        let DeliveryWork { endpoint: group, lease, .. } = work;
        let (reply, answer) = Reply::new();
        let mut op = EndOne { lease, group, reason, detail: detail.to_owned(), reply };
        let frees_slot = op.end_try();
        self.send(op).await?;
        Ok(Committing::new(answer, &self.handle.shared, frees_slot))
    }

    /// Takes what this slice ends. Whether there is more, and whether that comes into memory by
    /// itself.
    fn draw(&self, group: &Name, keep: u64) -> (Vec<Lease>, bool, bool) {
        let shared = &self.handle.shared;
        let keep = usize::try_from(keep).unwrap_or(usize::MAX);
        let whose = (WorkKind::Delivery, group);
        let (works, more, is_coming) = {
            let mut backlog = shared.backlog();
            let (works, more) = backlog.end_group(whose, keep, SLICE);
            (works, more, more && backlog.is_coming(whose))
        };
        let lease = |work| Lease::new(work, Arc::clone(&shared.owed));
        (works.into_iter().map(lease).collect(), more, is_coming)
    }
}

/// The end of one delivery. The answer is whether it has ended.
#[derive(Debug)]
struct EndOne {
    lease: Lease,
    group: Name,
    reason: Reason,
    detail: String,
    reply: Reply<bool>,
}

impl Operation for EndOne {
    fn bytes(&self) -> usize {
        self.detail.len()
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let is_ended = draft.admit(&self.lease).is_ok();
        if is_ended {
            let Self { lease, group, reason, detail, .. } = self;
            draft.end(lease, group, *reason, detail.clone())?;
        }
        self.reply.keep(Ok(is_ended));
        Ok(())
    }

    fn end_try(&mut self) -> bool {
        let bytes = self.bytes();
        self.lease.end_try(bytes)
    }

    fn end_lease(&mut self, life: Life) -> Option<InFlight> {
        self.lease.end(life)
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}

impl Draft<'_> {
    /// A delivery ends dead, of which nothing was sent now.
    pub(super) fn end(
        &mut self,
        lease: &Lease,
        group: &Name,
        reason: Reason,
        detail: String,
    ) -> Result<(), Failure> {
        let before = self.standing_of(lease)?;
        let attempt = Attempt {
            at: self.now,
            duration: Duration::ZERO,
            status: None,
            answer: String::new(),
            outcome: Outcome::Permanent { reason: detail },
            verdict: Verdict::Dead,
            detail: AttemptDetail { reason: Some(reason), ..AttemptDetail::default() },
        };
        let record = AttemptRecord::of(&attempt, lease.position(), before.last);
        let record = self.record(RecordKind::Attempt, &record);
        self.tried(lease, (group, None), (before, before.ended(record)), (&attempt).into())
    }

    /// A parse or a run ends dead, for which no plugin was called now.
    pub(super) fn end_uncalled(
        &mut self,
        lease: &Lease,
        group: &Name,
        reason: Reason,
        detail: String,
    ) -> Result<(), Failure> {
        let before = self.standing_of(lease)?;
        let tried = Try {
            at: self.now,
            duration: Duration::ZERO,
            plugin: None,
            outcome: Outcome::Permanent { reason: detail },
            verdict: Verdict::Dead,
            log: Vec::new(),
            reason: Some(reason),
        };
        let record = TryRecord::of(&tried, lease.position(), before.last);
        let record = self.record(RecordKind::Try, &record);
        self.tried(lease, (group, None), (before, before.ended(record)), (&tried).into())
    }
}
