//! A writer that panics: the store has failed, and nobody takes what the writer had in hand.

use tokio::sync::oneshot;

use super::*;
use crate::store::shared::Shared;
use crate::store::write::draft::Draft;
use crate::store::write::op::Answer;

/// Where the writer panics over an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Perform,
    Drop,
}

/// An operation over which the writer panics, and that sees when it is dropped whether the store
/// has failed.
#[derive(Debug)]
struct Panicking {
    place: Place,
    shared: Arc<Shared>,
    seen: Option<oneshot::Sender<bool>>,
}

impl Operation for Panicking {
    fn bytes(&self) -> usize {
        0
    }

    fn perform(&mut self, _draft: &mut Draft<'_>) -> Result<(), Failure> {
        assert!(self.place != Place::Perform, "over what it does");
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        None
    }
}

impl Drop for Panicking {
    fn drop(&mut self) {
        if let Some(seen) = self.seen.take() {
            _ = seen.send(self.shared.check().is_err());
        }
        assert!(self.place != Place::Drop, "over what it gives back");
    }
}

/// Has the writer panic; whether the store has failed when the operation is dropped.
async fn panic_in(bench: &Bench, place: Place) -> bool {
    let (seen, sees) = oneshot::channel();
    let shared = Arc::clone(&bench.store.handle.shared);
    bench.store.send(Panicking { place, shared, seen: Some(seen) }).await.unwrap();
    sees.await.unwrap()
}

/// Guards that no attempt goes out again because the writer has panicked behind the first. Take
/// the drop of `Queued` out, and leases go back before anybody knows.
#[tokio::test]
async fn a_writer_that_panics_has_failed_before_it_gives_anything_back() {
    let bench = Bench::new();
    bench.bring(vec![event("evt_1", "").to(&[], &["crm"])]).await;
    assert!(panic_in(&bench, Place::Perform).await, "it has failed by then");
    let taken = bench.store.take_deliveries(1, 1).await;
    assert!(matches!(taken, Err(Error::Failed(_))), "{taken:?}");
}

/// Guards that the gateway hears of it also if nobody waits for an answer. Take `Alarm` out of
/// `Writer::run`, and the store is as well as ever.
#[tokio::test]
async fn a_writer_that_panics_with_nothing_in_hand_has_failed_too() {
    let bench = Bench::new();
    panic_in(&bench, Place::Drop).await;
    bench.store.queue().closed().await;
    let taken = bench.store.take_deliveries(1, 1).await;
    assert!(matches!(taken, Err(Error::Failed(_))), "{taken:?}");
}
