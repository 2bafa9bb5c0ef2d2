//! Has it looked at, every few seconds, what came and went.
//!
//! A task of the gateway beside the path of events. Never keeps anything itself.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::traffic::Traffic;

/// Between two looks: the most by which a request may count in the wrong minute.
const PAUSE: Duration = Duration::from_secs(5);

/// Looks until cancelled.
pub(super) async fn sample(traffic: Arc<Traffic>, cancel: CancellationToken) {
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => traffic.look(),
        }
    }
}
