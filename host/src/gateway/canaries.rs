//! Canaries on their way to the store, and what operators do with them.
//!
//! A task of the gateway beside the path of events: it has each verdict written down at once, and
//! the counts of those that run now and then and at a stop. Never judges a canary.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::live::Live;
use super::{Parts, Reloads};
use crate::admin::{Acting, Ask, CanaryAct, CanaryDesk, CanaryRefused, CanaryView};
use crate::causes::chain;
use crate::clock::Clock;
use crate::dispatch::{Canaries, Dispatch};
use crate::ids::Name;
use crate::lock::lock;
use crate::plugin::{Folder, MoveError, Registry};
use crate::store::{self, CanaryVerdict, Store};

/// Between two times that counts are written down.
const PAUSE: Duration = Duration::from_secs(60);

/// Who decides at the API: its audit log says which token.
const API: &str = "the API";

/// The canaries as the store has them.
pub(super) async fn restored(store: &Store) -> Result<Canaries, store::Error> {
    let canaries = Canaries::default();
    canaries.restore(store.canaries().await?);
    Ok(canaries)
}

pub(super) struct Canarying {
    store: Store,
    dispatch: Arc<Dispatch>,
    clock: Clock,
}

impl Canarying {
    pub(super) fn of(parts: &Parts) -> Self {
        Self {
            store: parts.store.clone(),
            dispatch: parts.dispatch.clone(),
            clock: parts.clock.clone(),
        }
    }

    /// Goes on until cancelled.
    pub(super) async fn run(self, cancel: CancellationToken) {
        tokio::select! {
            () = cancel.cancelled() => (),
            () = self.go_on() => (),
        }
        // What went wrong is in the log.
        drop(self.note().await);
    }

    async fn go_on(&self) {
        let mut verdicts = self.dispatch.canaries.changes();
        let mut due = self.clock.moment(PAUSE);
        loop {
            tokio::select! {
                // The sender is in the dispatch.
                Ok(()) = verdicts.changed() => (),
                () = self.clock.comes(Some(due)) => due = self.clock.moment(PAUSE),
            }
            while let Err(store::Error::Unavailable(_)) = self.note().await {
                self.store.available().await;
            }
        }
    }

    /// Writes down what the store does not have. What it does not take is tried the next time.
    async fn note(&self) -> Result<(), store::Error> {
        let canaries = &self.dispatch.canaries;
        let mut noted = Ok(());
        for row in canaries.take_unstored(self.clock.now()) {
            if noted.is_err() {
                canaries.not_stored(row);
                continue;
            }
            if let Err(error) = self.store.note_canary(row.clone()).await {
                warn!(handler.name = %row.handler, "failed to note a canary: {}", chain(&error));
                canaries.not_stored(row);
                noted = Err(error);
            }
        }
        noted
    }
}

/// What shows, promotes and drops canaries for operators.
#[derive(Clone)]
struct Desk {
    store: Store,
    dispatch: Arc<Dispatch>,
    registry: Arc<Registry>,
    folder: Arc<Mutex<Folder>>,
    reloads: Reloads,
}

/// The same for the API.
pub(super) fn desk(parts: &Parts, live: &Live, reload: mpsc::Sender<Ask>) -> CanaryDesk {
    let desk = Desk {
        store: parts.store.clone(),
        dispatch: parts.dispatch.clone(),
        registry: parts.registry.clone(),
        folder: live.folder(),
        reloads: Reloads(reload),
    };
    let acting = desk.clone();
    CanaryDesk {
        show: Arc::new(move |handler: &Name| desk.show(handler)),
        act: Arc::new(move |handler: Name, act: CanaryAct| {
            let desk = acting.clone();
            let acting: Acting = Box::pin(async move {
                match act {
                    CanaryAct::Promote => desk.promote(&handler).await,
                    CanaryAct::Drop => desk.drop_canary(&handler).await,
                }
            });
            acting
        }),
    }
}

impl Desk {
    fn show(&self, handler: &Name) -> Option<CanaryView> {
        let row = self.dispatch.canaries.row(handler)?;
        let rules = self.dispatch.rules.load();
        let canary = rules.plugins.get(handler).and_then(|rules| rules.canary.as_ref());
        Some(CanaryView::new(row, canary.map(ToString::to_string)))
    }

    async fn drop_canary(&self, handler: &Name) -> Result<CanaryView, CanaryRefused> {
        let now = self.dispatch.clock.now();
        let verdict = CanaryVerdict::DroppedByOperator;
        let ended = self.dispatch.canaries.end(handler, verdict, API, now);
        let row = ended.ok_or(CanaryRefused::None)?;
        self.store.note_canary(row).await.map_err(CanaryRefused::Store)?;
        self.show(handler).ok_or(CanaryRefused::None)
    }

    /// Moves the file of the canary into the place of the live version's, and waits until that is
    /// what runs.
    async fn promote(&self, handler: &Name) -> Result<CanaryView, CanaryRefused> {
        let canaries = &self.dispatch.canaries;
        let running = canaries.row(handler).filter(|row| row.verdict == CanaryVerdict::Running);
        let digest = running.ok_or(CanaryRefused::None)?.digest;
        if self.registry.next(handler).is_none_or(|next| next.digest() != digest) {
            return Err(CanaryRefused::None);
        }
        canaries.expect_promotion(handler, &digest, Some(API));
        if let Err(error) = self.move_file(handler, &digest).await {
            canaries.expect_promotion(handler, &digest, None);
            return Err(error);
        }
        let report = self.reloads.reload().await.ok_or(CanaryRefused::Stopping)?;
        let promoted = canaries
            .row(handler)
            .filter(|row| row.digest == digest && row.verdict == CanaryVerdict::Promoted);
        let Some(row) = promoted else {
            let reason = report.why_not(handler.as_str());
            return Err(CanaryRefused::NotYet(format!(
                "the gateway has moved the file into the place of the live version, and does not \
                 run it yet: {reason}"
            )));
        };
        self.store.note_canary(row).await.map_err(CanaryRefused::Store)?;
        self.show(handler).ok_or(CanaryRefused::None)
    }

    async fn move_file(&self, handler: &Name, digest: &str) -> Result<(), CanaryRefused> {
        let (folder, handler, digest) = (self.folder.clone(), handler.clone(), digest.to_owned());
        let moving = move || lock(&folder).promote(&handler, &digest);
        let moved = tokio::task::spawn_blocking(moving).await;
        moved.map_err(|_| CanaryRefused::Panicked)?.map_err(|error| refused(&error))
    }
}

/// Why a file was not moved, and what an operator can type instead.
fn refused(error: &MoveError) -> CanaryRefused {
    match error {
        MoveError::Other(_) => CanaryRefused::Changed(error.to_string()),
        MoveError::Read { .. } => CanaryRefused::NotMoved(error.to_string()),
        MoveError::Move { from, to, .. } => {
            let (from, to) = (from.display(), to.display());
            let typed = format!("mv '{from}' '{to}'");
            CanaryRefused::NotMoved(format!(
                "{error}; as a user who may write to that folder, type: {typed} (before it the \
                 same with .minisig behind both names, if the file is signed)"
            ))
        }
    }
}
