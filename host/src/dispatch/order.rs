//! Order and room: what is parsed side by side is committed in the order in which it was accepted,
//! and a source asks for no more calls at a time than its plugin could make.
//!
//! Only between receipts of one source, and only from one try to the next: a receipt that is tried
//! again later holds nobody back. Never knows what is parsed or how it ended.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::ids::Name;
use crate::lock::lock;

/// The sources that ever had a place.
#[derive(Debug)]
pub(super) struct Order {
    /// Calls of its plugin that a source may have asked for at a time. No more than can be made:
    /// what still waits here goes to the plugin that is loaded when it has room.
    calls: usize,
    sources: Mutex<BTreeMap<Name, Source>>,
}

#[derive(Debug)]
struct Source {
    /// Resolves when the last place that was given has passed.
    last: Option<oneshot::Receiver<()>>,
    calls: Arc<Semaphore>,
}

/// One place in the order; it passes when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    before: Option<oneshot::Receiver<()>>,
    calls: Arc<Semaphore>,
    _passed: oneshot::Sender<()>,
}

impl Order {
    pub(super) fn new(calls: usize) -> Self {
        Self { calls, sources: Mutex::default() }
    }

    /// The place behind all that were given for this source.
    pub(super) fn next(&self, source: &Name) -> Place {
        let (passed, passing) = oneshot::channel();
        let mut sources = lock(&self.sources);
        let new = || Source { last: None, calls: Arc::new(Semaphore::new(self.calls)) };
        let source = sources.entry(source.clone()).or_insert_with(new);
        let before = source.last.replace(passing);
        Place { before, calls: source.calls.clone(), _passed: passed }
    }
}

impl Place {
    /// Room for a call of the plugin, until it is dropped. First come, first served.
    pub(super) async fn room(&self) -> OwnedSemaphorePermit {
        self.calls.clone().acquire_owned().await.expect("it is never closed")
    }

    /// Resolves when all places before it have passed.
    pub(super) async fn comes(&mut self) {
        if let Some(before) = &mut self.before {
            // Nothing is ever sent: an end is all that there is to hear.
            drop(before.await);
            self.before = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_comes_when_those_before_it_have_passed() {
        let order = Order::new(2);
        let stripe = "stripe".parse().unwrap();
        let adyen = "adyen".parse().unwrap();
        let mut first = order.next(&stripe);
        let mut second = order.next(&stripe);

        order.next(&adyen).comes().await;
        first.comes().await;
        tokio::select! {
            biased;
            () = second.comes() => panic!("the first has not passed"),
            () = std::future::ready(()) => drop(first),
        }
    }

    #[tokio::test]
    async fn who_leaves_passes() {
        let order = Order::new(2);
        let source = "stripe".parse().unwrap();
        drop(order.next(&source));
        order.next(&source).comes().await;
    }
}
