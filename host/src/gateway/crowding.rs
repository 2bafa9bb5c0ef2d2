//! Has it looked at, now and then, whether too much waits for handlers that do not work.
//!
//! A task of the gateway beside the path of events. Which runs end is dispatch's to say; this never
//! touches one.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::dispatch::Dispatch;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(5);

/// Looks until cancelled, once the plugins are loaded that were there at the start: a handler that
/// is still being compiled is not missing.
pub(super) async fn look(
    dispatch: Arc<Dispatch>,
    loaded: CancellationToken,
    cancel: CancellationToken,
) {
    tokio::select! {
        () = cancel.cancelled() => return,
        () = loaded.cancelled() => (),
    }
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => dispatch.bound_waiting(),
        }
    }
}
