//! The export of spans: one batch after the other, beside everything else.
//!
//! A batch is what waits, once a second at least. While the collector is slow the queue fills, and
//! whoever ends a step drops its span. What the collector did not take is dropped too, and the next
//! batch waits longer each time. Never holds up a step.

use std::sync::Arc;
use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::collector::Collector;
use super::otlp;
use super::span::Span;
use crate::ids::Id;
use crate::metrics::Metrics;
use crate::store::Store;
use crate::trace_context::TraceContext;

/// Most spans of one export.
const BATCH_MAX: usize = 512;
/// How long a batch that is not full waits for more.
const GATHERED_FOR: Duration = Duration::from_secs(1);
/// The pause behind the first export that the collector did not take.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// How often it doubles.
const DOUBLED_MAX: u32 = 5;
/// Most receipts that are read for one export.
const RECEIPTS_MAX: usize = 64;

/// What is exported, and by what.
pub(super) struct Spans {
    pub(super) queued: mpsc::Receiver<Span>,
    pub(super) collector: Arc<Collector>,
    /// Knows the spans of receipts.
    pub(super) store: Store,
    pub(super) metrics: Metrics,
}

impl Spans {
    /// Exports what comes until it is told to stop, and what waits then.
    pub(super) async fn run(mut self, resource: Vec<(String, String)>, stop: CancellationToken) {
        let (mut batch, mut failed) = (Vec::with_capacity(BATCH_MAX), 0_u32);
        loop {
            tokio::select! {
                count = self.queued.recv_many(&mut batch, BATCH_MAX) => if count == 0 { return },
                // What is queued comes before the end, all the same.
                () = stop.cancelled(), if !self.queued.is_closed() => {
                    self.queued.close();
                    continue;
                }
            }
            if batch.len() < BATCH_MAX {
                tokio::select! {
                    () = sleep(GATHERED_FOR) => (),
                    () = stop.cancelled() => (),
                }
                while batch.len() < BATCH_MAX
                    && let Ok(span) = self.queued.try_recv()
                {
                    batch.push(span);
                }
            }
            let is_taken = self.export(&resource, &batch).await;
            batch.clear();
            failed = if is_taken { 0 } else { failed.saturating_add(1) };
            if let Some(pause) = pause(failed) {
                tokio::select! {
                    () = sleep(pause) => (),
                    () = stop.cancelled() => (),
                }
            }
        }
    }

    /// Whether the collector took it.
    async fn export(&mut self, resource: &[(String, String)], batch: &[Span]) -> bool {
        let duplicates = self.duplicates(batch).await;
        let body = otlp::spans(resource, batch, &duplicates);
        let is_taken = self.collector.send_traces(body).await;
        if !is_taken {
            self.metrics.spans_dropped("collector", batch.len());
        }
        is_taken
    }

    /// The spans of the receipts that duplicates are of. One that can't be read has none; nor has
    /// one beyond those that are worth their reading, for it is read with its body.
    async fn duplicates(&self, batch: &[Span]) -> FxHashMap<Id, TraceContext> {
        let ids = batch.iter().filter_map(|span| span.description.duplicate_of);
        let ids: FxHashSet<Id> = ids.collect();
        let mut found = FxHashMap::default();
        for id in ids.into_iter().take(RECEIPTS_MAX) {
            let receipt = self.store.read_receipt(id).await.ok().flatten();
            if let Some(trace) = receipt.and_then(|receipt| receipt.trace) {
                found.insert(id, trace);
            }
        }
        found
    }
}

/// How long to wait behind so many exports in a row that the collector did not take.
fn pause(failed: u32) -> Option<Duration> {
    let doubled = failed.checked_sub(1)?.min(DOUBLED_MAX);
    Some(FIRST_PAUSE * 2_u32.pow(doubled))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Give no pause, and a collector that is gone costs as much as the gateway can compute.
    #[test]
    fn behind_exports_that_failed_there_are_pauses_that_grow() {
        let seconds = |failed| pause(failed).map(|pause| pause.as_secs());
        assert_eq!([0, 1, 2, 3].map(seconds), [None, Some(1), Some(2), Some(4)]);
        assert_eq!([6, 7, u32::MAX].map(seconds), [Some(32); 3]);
    }
}
