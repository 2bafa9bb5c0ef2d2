//! What a provider and a worker do with a store, in short.
//!
//! Goes through the store's own operations. Never looks at how they are done.

use std::pin::Pin;
use std::task::{Context, Waker};

use super::samples::{attempt, event, receipt, tried};
use crate::ids::Id;
use crate::retry::Verdict;
use crate::store::{
    Appended, DeliveryWork, Effects, Error, EventFilter, NewEvent, NewReceipt, ParseWork, Replay,
    Replayed, RunWork, Store,
};

/// Most works of a slice where a test drives a replay.
pub(in crate::store) const SLICE: usize = 32;

/// Something with a store that is driven through one event after the other.
pub(in crate::store) trait Drive {
    fn store(&self) -> &Store;

    async fn append(&self, event_ids: &[&str]) -> Id {
        match self.store().append(receipt(event_ids)).await.unwrap() {
            Appended::Stored(id) => id,
            Appended::Duplicate(_) => panic!("a duplicate"),
        }
    }

    async fn parse(&self) -> ParseWork {
        let mut works = self.store().take_parses(1, usize::MAX).await.unwrap();
        works.pop().expect("a parse is due")
    }

    async fn runs(&self) -> Vec<RunWork> {
        self.store().take_runs(usize::MAX, usize::MAX).await.unwrap()
    }

    async fn deliveries(&self) -> Vec<DeliveryWork> {
        self.store().take_deliveries(usize::MAX, usize::MAX).await.unwrap()
    }

    /// Appends a receipt and parses it into these events.
    async fn bring(&self, events: Vec<NewEvent>) -> Vec<Id> {
        let ids: Vec<&str> = events.iter().map(|new| new.event.id.as_str()).collect();
        self.append(&ids).await;
        self.store()
            .commit_parse(self.parse().await, tried(Verdict::Done), events)
            .await
            .unwrap()
            .unwrap()
    }

    async fn end_run(&self, work: RunWork, verdict: Verdict) {
        self.store().commit_run(work, tried(verdict), Effects::default()).await.unwrap().unwrap();
    }

    async fn end_delivery(&self, work: DeliveryWork, verdict: Verdict) {
        self.store().record_attempt(work, attempt(verdict)).await.unwrap().unwrap();
    }

    /// Goes on with a replay by filter to its end.
    async fn finish_replay(&self, mut replay: Replay) -> Replay {
        while replay.finished_at.is_none() {
            replay =
                self.store().advance_replay(replay.id, SLICE).await.unwrap().expect("it is kept");
        }
        replay
    }

    /// Replays all that matches.
    async fn replay_matching(&self, filter: EventFilter) -> Replayed {
        let begun = self.store().begin_replay(filter).await.unwrap();
        self.finish_replay(begun).await.replayed
    }

    /// A finished receipt with an event, whose run is done and whose delivery ended so.
    async fn finished(&self, id: &str, delivered: Verdict) -> (Id, Id) {
        let ids = self.bring(vec![event(id, "pi_1").to(&["ledger"], &["crm"])]).await;
        self.end_run(self.runs().await.pop().unwrap(), Verdict::Done).await;
        self.end_delivery(self.deliveries().await.pop().unwrap(), delivered).await;
        let receipt = self.store().event(ids[0]).await.unwrap().unwrap().receipt.unwrap();
        (receipt, ids[0])
    }
}

/// An append that is in the queue.
pub(in crate::store) type Started = Pin<Box<dyn Future<Output = Result<Appended, Error>>>>;

/// Asks for an append, and does not wait for it.
pub(in crate::store) fn start(store: &Store, receipt: NewReceipt) -> Started {
    let store = store.clone();
    let mut append: Started = Box::pin(async move { store.append(receipt).await });
    assert!(is_pending(&mut append), "it was answered before anything was written");
    append
}

/// Whether it has not been answered yet.
pub(in crate::store) fn is_pending<F: Future + Unpin>(asked: &mut F) -> bool {
    Pin::new(asked).poll(&mut Context::from_waker(Waker::noop())).is_pending()
}
