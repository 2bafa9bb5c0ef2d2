//! The export of spans: one batch after the other, beside everything else.
//!
//! A batch is what waits, once a second at least. While the collector is slow the queue fills, and
//! whoever ends a step drops its span. What the collector did not take is dropped too. Never holds
//! up a step.

use std::time::Duration;

use rustc_hash::FxHashMap;
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

/// What is exported, and by what.
pub(super) struct Spans {
    pub(super) queued: mpsc::Receiver<Span>,
    pub(super) collector: Collector,
    /// Knows the spans of receipts.
    pub(super) store: Store,
    pub(super) metrics: Metrics,
}

impl Spans {
    /// Exports what comes until it is told to stop, and what waits then.
    pub(super) async fn run(mut self, resource: Vec<(String, String)>, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
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
            self.export(&resource, &batch).await;
            batch.clear();
        }
    }

    async fn export(&mut self, resource: &[(String, String)], batch: &[Span]) {
        let duplicates = self.duplicates(batch).await;
        let body = otlp::spans(resource, batch, &duplicates);
        if !self.collector.send_traces(body).await {
            self.metrics.spans_dropped("collector", batch.len());
        }
    }

    /// The spans of the receipts that duplicates are of. One that can't be read has none.
    async fn duplicates(&self, batch: &[Span]) -> FxHashMap<Id, TraceContext> {
        let mut found = FxHashMap::default();
        for id in batch.iter().filter_map(|span| span.description.duplicate_of) {
            if found.contains_key(&id) {
                continue;
            }
            let receipt = self.store.read_receipt(id).await.ok().flatten();
            if let Some(trace) = receipt.and_then(|receipt| receipt.trace) {
                found.insert(id, trace);
            }
        }
        found
    }
}
