//! Has it looked at, now and then, whether too much waits for handlers that are stopped.
//!
//! A task of the gateway beside the path of events. Which runs end is dispatch's to say; this never
//! touches one.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::dispatch::Dispatch;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(5);

/// Looks until cancelled.
pub(super) async fn look(dispatch: Arc<Dispatch>, cancel: CancellationToken) {
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => dispatch.bound_stopped(),
        }
    }
}
