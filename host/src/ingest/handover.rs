//! From the thread of the claims to the writer's: what is proven, new and parsed goes there at
//! once, if its answer needs nothing more.
//!
//! The task of the request is woken once then, when the receipt is stored, and not in between only
//! to leave it to the writer and to wait again. Where anything else is to be decided, its task
//! decides: nothing is refused here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::Ingest;
use super::early::{self, Found, Telling, Told};
use super::source::Source;
use super::traced::Verifying;
use crate::event::Request;
use crate::ids::Name;
use crate::lock::lock;
use crate::plugin::{Kept, Plugin, Tell};
use crate::provider::{Claims, Proven};
use crate::signature::{self, Asker};
use crate::store::{Heard, NewReceipt, Parsed};
use crate::trace_context::TraceContext;

/// A request on the thread of its claims.
pub(super) struct Handing {
    pub(super) ingest: Arc<Ingest>,
    /// Its own is among them.
    pub(super) sources: Arc<BTreeMap<Name, Source>>,
    pub(super) source: Name,
    pub(super) plugin: Arc<Plugin>,
    pub(super) request: Arc<Request>,
    pub(super) handover: Handover,
    /// That of its task.
    pub(super) runtime: Handle,
    /// The span of the request, if it has one.
    pub(super) trace: Option<TraceContext>,
    /// That of its proof.
    pub(super) verifying: Option<Verifying>,
}

/// Whether the task of a request is told of its claims at once. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Handover(Arc<Mutex<Stage>>);

#[derive(Default)]
enum Stage {
    /// The writer has nothing of it, or has answered.
    #[default]
    Open,
    /// The writer has its receipt.
    Left,
    /// The same, and nothing else is missing.
    Awaited(Tell),
}

impl Handing {
    /// What is found out of the request, whose evidence holds.
    pub(super) fn find(&self, claims: &Claims, kept: Option<Kept<'_>>) -> Option<Found> {
        let Self { ingest, source, plugin, request, trace, verifying, .. } = self;
        if let Some(verifying) = verifying {
            verifying.ended(&ingest.telemetry, source, claims);
        }
        let parse = || {
            let parsed = ingest.early.parse(source, plugin, request, claims, kept, *trace)?;
            Some(match self.proven(claims) {
                Some(proven) => self.leave(claims, proven, parsed),
                None => Found::Parsed(Box::new(parsed)),
            })
        };
        early::found(&ingest.store, source, claims, parse)
    }

    /// What the request proved, if it may be stored now and is answered with the id of its receipt.
    fn proven(&self, claims: &Claims) -> Option<Proven> {
        let Self { ingest, source, request, .. } = self;
        let info = self.plugin.provider()?;
        let proven = signature::worth(claims, info).into();
        let asker = Asker::of(info, &request.method, proven);
        let has_reply = signature::reply(info, claims, asker).is_some();
        if has_reply || ingest.check_marks(source).is_err() {
            return None;
        }
        // Last, for it counts.
        let passed = self.sources.get(source)?.gate.pass(Instant::now());
        passed.ok().map(|()| proven)
    }

    fn leave(&self, claims: &Claims, proven: Proven, parsed: Parsed) -> Found {
        let receipt = NewReceipt {
            source: self.source.clone(),
            request: Arc::clone(&self.request),
            event_ids: claims.event_ids.clone(),
            proven: Some(proven),
            plugin: self.sources.get(&self.source).and_then(|source| source.stamp(&self.plugin)),
            trace: self.trace,
        };
        let began = self.trace.map(|_| Instant::now());
        let by = (&*self.ingest, self.runtime.clone());
        let told = Told::of(by, (&self.source, self.trace), &self.plugin, &parsed);
        let heard = self.handover.leave();
        let committing = self.ingest.store.queue_parsed_and(receipt, parsed, heard);
        Found::Left(committing.map(|committing| Telling::new(committing, told)), began)
    }
}

impl Handover {
    /// The writer gets the receipt, and drops this when it has answered.
    fn leave(&self) -> Heard {
        *lock(&self.0) = Stage::Left;
        let own = self.clone();
        Heard::new(move || own.answered())
    }

    /// All else is there: has the task told now, or when the writer has answered.
    pub(super) fn hand(&self, tell: Tell) {
        let mut stage = lock(&self.0);
        if matches!(*stage, Stage::Left) {
            *stage = Stage::Awaited(tell);
        } else {
            drop(stage);
            tell();
        }
    }

    fn answered(&self) {
        let stage = std::mem::take(&mut *lock(&self.0));
        if let Stage::Awaited(tell) = stage {
            tell();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_task_is_told_once_and_behind_the_answer_of_the_writer_if_that_has_its_receipt() {
        let (handover, told) = (Handover::default(), Arc::new(AtomicUsize::new(0)));
        let tell = || -> Tell {
            let told = Arc::clone(&told);
            Box::new(move || _ = told.fetch_add(1, Ordering::Relaxed))
        };
        let count = || told.load(Ordering::Relaxed);

        handover.hand(tell());
        assert_eq!(count(), 1, "the writer has nothing");
        let heard = handover.leave();
        handover.hand(tell());
        assert_eq!(count(), 1, "the writer has not answered");
        drop(heard);
        assert_eq!(count(), 2);
        drop(handover.leave());
        assert_eq!(count(), 2, "the claims are not there");
        handover.hand(tell());
        assert_eq!(count(), 3);
    }
}
