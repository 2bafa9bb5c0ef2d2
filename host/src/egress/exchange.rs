//! An answer whose body is still to be read, and the connection that it comes over.
//!
//! Reads as much as is worth keeping, for a time that is worth waiting, and gives the connection
//! back to the pool if another request may use it. Never judges an answer.

use std::string::FromUtf8Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::carrier::Carrier;
use super::error::{EgressError, http_reason};
use super::patience::Patience;
use super::pool::{Line, Pool};

/// Most bytes that are read of a body, so that the connection can be used again.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Longest time that is spent on it.
const BODY_WAIT_MAX: Duration = Duration::from_secs(1);

/// An answer whose body is still to be read.
pub(super) struct Exchange {
    pub(super) response: Response<Incoming>,
    pub(super) carrier: Carrier,
    /// Whom the connection may serve afterwards, and where it waits for them.
    pub(super) line: Line,
    pub(super) idle: Arc<Pool>,
}

impl Exchange {
    /// The beginning of the body. The status counts, however the body ends.
    pub(super) async fn beginning<L: FnOnce()>(
        mut self,
        bytes_max: usize,
        patience: &mut Patience<L>,
    ) -> Vec<u8> {
        let end = Instant::now() + BODY_WAIT_MAX;
        let mut head = Vec::new();
        let mut bytes_read = 0;
        let mut is_whole = false;
        loop {
            let frame = self.carrier.frame(self.response.body_mut());
            let Some(frame) = patience.wait_until(end, frame).await else { break };
            let Some(frame) = frame else {
                is_whole = true;
                break;
            };
            let Ok(frame) = frame else { break };
            let Some(chunk) = frame.data_ref() else { continue };
            let room = bytes_max - head.len();
            head.extend_from_slice(&chunk[..room.min(chunk.len())]);
            bytes_read += chunk.len();
            if bytes_read > BODY_BYTES_MAX {
                break;
            }
        }
        // Who answers before all of the request has come may read the rest nevertheless: what was
        // answered with success is delivered by then.
        if is_whole && patience.wait(self.carrier.sent()).await.is_some() {
            self.idle.put(self.line, self.carrier);
        }
        head
    }

    /// All of the body, which has so many bytes at most.
    pub(super) async fn whole(mut self, bytes_max: usize) -> Result<Bytes, EgressError> {
        let peer = self.carrier.peer().clone();
        let mut whole = Vec::new();
        while let Some(frame) = self.carrier.frame(self.response.body_mut()).await {
            let frame = frame.map_err(|error| {
                let reason = http_reason(&error);
                EgressError::Broken { peer: peer.clone(), reason }
            })?;
            let Some(chunk) = frame.data_ref() else { continue };
            if whole.len() + chunk.len() > bytes_max {
                return Err(EgressError::TooLarge { peer, bytes_max });
            }
            whole.extend_from_slice(chunk);
        }
        self.idle.put(self.line, self.carrier);
        Ok(whole.into())
    }
}

/// The beginning of a body as text of at most so many bytes.
pub(super) fn excerpt(beginning: Vec<u8>, bytes_max: usize) -> String {
    let lossy = |error: FromUtf8Error| String::from_utf8_lossy(error.as_bytes()).into_owned();
    let mut text = String::from_utf8(beginning).unwrap_or_else(lossy);
    // What replaces a byte is longer than it.
    text.truncate(text.floor_char_boundary(bytes_max));
    text
}
