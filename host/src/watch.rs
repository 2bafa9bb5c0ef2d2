//! Notices that files changed: the plugins, the configuration, the secrets.
//!
//! What `notify` says is only a hint to look sooner; the folder is scanned every few seconds
//! anyway, because some file systems tell nothing. It says that something may have changed, never
//! what.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify_debouncer_full::notify::event::{AccessKind, AccessMode};
use notify_debouncer_full::notify::{EventKind, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, NoCache, new_debouncer_opt};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;
use tracing::warn;

/// Changes are collected for this long, so that a copy in progress is seen once, whole.
const QUIET: Duration = Duration::from_millis(200);

/// Without a hint, look this often.
const RESCAN: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Watch {
    hints: mpsc::Receiver<()>,
    watcher: Option<Debouncer<RecommendedWatcher, NoCache>>,
    folders: BTreeSet<PathBuf>,
    /// When to look without a hint.
    due: Instant,
}

impl Watch {
    /// Watches nothing yet. Where the system can't watch, only the regular look is left.
    pub(crate) fn new() -> Self {
        let (told, hints) = mpsc::channel(1);
        let on_change = move |seen: DebounceEventResult| {
            if seen.map_or(true, |events| events.iter().any(|event| is_change(event.kind))) {
                tell(&told);
            }
        };
        let config = notify_debouncer_full::notify::Config::default();
        let watcher = new_debouncer_opt(QUIET, None, on_change, NoCache, config)
            .inspect_err(|error| {
                let seconds = RESCAN.as_secs();
                warn!("failed to watch files; the gateway reads them every {seconds} s: {error}");
            })
            .ok();
        Self { hints, watcher, folders: BTreeSet::new(), due: Instant::now() + RESCAN }
    }

    /// Watches the folder of every one of these files from now on, and these folders.
    pub(crate) fn follow<'a>(
        &mut self,
        files: impl IntoIterator<Item = &'a Path>,
        folders: impl IntoIterator<Item = &'a Path>,
    ) {
        let parents = files.into_iter().filter_map(Path::parent);
        for folder in parents.chain(folders) {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            if !self.folders.insert(folder.to_owned()) {
                continue;
            }
            let Some(watcher) = &mut self.watcher else { continue };
            if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
                warn!(folder = %folder.display(), "failed to watch a folder: {error}");
                // Tried again when it is followed next: it may not be there yet.
                self.folders.remove(folder);
            }
        }
    }

    /// Resolves when something may have changed. Nothing is lost if nobody waits to the end.
    pub(crate) async fn changed(&mut self) {
        tokio::select! {
            // Without a watcher there are no hints.
            Some(()) = self.hints.recv() => (),
            () = tokio::time::sleep_until(self.due) => (),
        }
        self.due = Instant::now() + RESCAN;
    }
}

/// Whether somebody wrote. That a file was opened, read or closed is mostly our own doing.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

fn tell(told: &mpsc::Sender<()>) {
    match told.try_send(()) {
        // A hint that is waiting already says as much as two, and nobody may listen any more.
        Ok(()) | Err(TrySendError::Full(()) | TrySendError::Closed(())) => (),
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_new_file_is_noticed_sooner_than_the_regular_look() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = Watch::new();
        watch.follow([], [folder.path()]);
        std::fs::write(folder.path().join("new"), "1").unwrap();
        let noticed = tokio::time::timeout(RESCAN / 2, watch.hints.recv()).await;
        assert_eq!(noticed.unwrap(), Some(()));
    }
    #[tokio::test]
    async fn to_read_a_file_is_no_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "1").unwrap();
        let mut watch = Watch::new();
        watch.follow([], [folder.path()]);

        for _ in 0..3 {
            std::fs::read(&file).unwrap();
        }
        let read = tokio::time::timeout(QUIET * 5, watch.hints.recv()).await;
        let open = std::fs::File::options().append(true).open(&file).unwrap();
        drop(open);
        let written = tokio::time::timeout(RESCAN, watch.hints.recv()).await;

        assert!(read.is_err(), "reading was taken for a change");
        assert_eq!(written.unwrap(), Some(()));
    }
}
