//! Who goes on with erasures: one after the other, the oldest request first.
//!
//! A task of the gateway beside the path of events, so that an erasure needs nobody who waits for
//! it, and goes on after a start. One that fails is told and tried again; it never ends the
//! gateway. The end of each is in the audit log. Never knows a subject.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::rehearsing::Desk;
use crate::admin::Auditor;
use crate::causes::chain;
use crate::refused::RefusedRequests;
use crate::store::{self, Deed, Erasure, Store};

/// Until an erasure is tried again that failed.
const TROUBLE_PAUSE: Duration = Duration::from_secs(10);

pub(super) struct Erasing {
    pub(super) store: Store,
    pub(super) auditor: Auditor,
    /// These have texts in memory, of which nobody can tell whom they are about.
    pub(super) refused: Arc<RefusedRequests>,
    pub(super) desk: Desk,
}

impl Erasing {
    /// Goes on with erasures until cancelled.
    pub(super) async fn run(self, cancel: CancellationToken) {
        tokio::select! {
            () = cancel.cancelled() => (),
            () = self.erase() => (),
        }
    }

    async fn erase(&self) {
        loop {
            let begun = self.store.erasure_begun();
            match self.store.erase_next().await {
                Ok(Some(erasure)) if erasure.is_done() => self.done(&erasure).await,
                // Somebody asked for it again.
                Ok(Some(_)) => (),
                Ok(None) => begun.await,
                Err(store::Error::Unavailable(_)) => self.store.available().await,
                // Others end the gateway for that.
                Err(store::Error::Closed | store::Error::Failed(_)) => pending().await,
                Err(error) => {
                    let reason = chain(&error);
                    error!("failed to erase a subject; the gateway will try again: {reason}");
                    tokio::time::sleep(TROUBLE_PAUSE).await;
                }
            }
        }
    }

    async fn done(&self, erasure: &Erasure) {
        let Erasure { id, events, records, ended, states, damaged, .. } = erasure;
        // A tenant takes nothing from the operator.
        if erasure.tenant.is_none() {
            self.refused.forget();
            self.desk.forget();
        }
        info!(id, events, records, ended, states, damaged, "erased what was known of a subject");
        let deed = Deed {
            who: "the gateway".to_owned(),
            from: "an erasure".to_owned(),
            what: "erase a subject".to_owned(),
            after: json!(erasure),
            outcome: "done".to_owned(),
            ..Deed::default()
        };
        // What keeps it from that is in the log.
        drop(self.auditor.record(deed).await);
    }
}
