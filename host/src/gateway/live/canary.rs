//! The next versions of handlers: their files come, change and go as others do, and the gateway
//! ends one itself that is worse than the live version.
//!
//! A promotion is the file of the live version becoming that of the next one, whoever moves it; the
//! registry swaps both at once. Beside everything else: nothing waits for a file that is moved.
//! Never decides which run gets which version.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tracing::{error, info, warn};

use super::Live;
use super::trusting::UNTRUSTED;
use crate::admin::ReloadRow;
use crate::dispatch::Dispatch;
use crate::ids::Name;
use crate::lock::lock;
use crate::notices::Notice;
use crate::plugin::{Folder, MoveError, NEXT, Plugin, Reloaded, Wish, name_of};
use crate::store::{CanaryRow, CanaryVerdict, Deed};

/// A file that was set aside, or was not.
type Aside = (CanaryRow, Result<(), MoveError>);
type Moved = Result<Aside, JoinError>;

/// What goes on with the files of next versions.
pub(super) struct NextFiles {
    /// Hears of verdicts.
    verdicts: watch::Receiver<()>,
    /// Whose next version has no file any more. If the live version is still being compiled, that
    /// may be the same file under its new name.
    leaving: BTreeSet<Name>,
    /// Files that are being set aside.
    moving: JoinSet<Aside>,
}

impl NextFiles {
    pub(super) fn of(dispatch: &Dispatch) -> Self {
        let verdicts = dispatch.canaries.changes();
        Self { verdicts, leaving: BTreeSet::new(), moving: JoinSet::new() }
    }

    /// Whether a file is being set aside.
    pub(super) fn is_moving(&self) -> bool {
        !self.moving.is_empty()
    }

    /// Resolves when there is a verdict, or a file that was to be set aside. Nothing is lost if
    /// nobody waits to the end.
    pub(super) async fn next(&mut self) -> Option<Moved> {
        tokio::select! {
            Ok(()) = self.verdicts.changed() => None,
            Some(moved) = self.moving.join_next() => Some(moved),
            else => pending().await,
        }
    }
}

impl Live {
    /// Lets the next version of a handler run beside the live one, unless it may not.
    pub(super) async fn admit_next(&mut self, stem: String, plugin: &Arc<Plugin>) -> ReloadRow {
        let name = plugin.name();
        self.next_files.leaving.remove(name);
        if let Err(reason) = self.may_be_next(&stem, plugin).await {
            return self.keep(stem, reason);
        }
        self.refused.remove(&stem);
        info!(plugin.name = stem, plugin.digest = %plugin.digest(), "loaded a canary");
        if self.config.plugin_rules.get(name).is_none_or(|rules| rules.canary.is_none()) {
            warn!(
                plugin.name = stem,
                "[plugins.{name}] has no `canary`: the canary gets no events"
            );
        }
        self.registry.insert_next(plugin);
        self.admission.forget(&self.registry);
        self.follow_canary(name);
        ReloadRow { plugin: stem, outcome: "loaded", reason: None }
    }

    async fn may_be_next(&mut self, stem: &str, plugin: &Arc<Plugin>) -> Result<(), String> {
        let name = plugin.name();
        if !self.is_trusted(plugin) {
            return Err(UNTRUSTED.to_owned());
        }
        if let Some(row) = self.dispatch.canaries.dropped(name, plugin.digest()) {
            return Err(dropped(&row));
        }
        if self.registry.get(name).is_some_and(|live| live.digest() == plugin.digest()) {
            return Err(format!("it is the version that runs as {name}"));
        }
        self.admission.admit_next(&self.host, &self.config, stem, plugin).await
    }

    /// Asks the next versions whether they work with the configuration as it is now. One that
    /// refuses it runs no more, until its file or the configuration is another.
    pub(super) async fn ask_canaries(&mut self) {
        for plugin in self.registry.list_next() {
            let stem = stem_of(plugin.name());
            let admitted =
                self.admission.admit_next(&self.host, &self.config, &stem, &plugin).await;
            if let Err(reason) = admitted {
                self.registry.remove_next(plugin.name());
                self.keep(stem, reason);
            }
        }
    }

    /// Takes out next versions that nobody has signed whom the operator trusts now, but for those
    /// that one of these files replaces.
    pub(super) fn distrust_canaries(&mut self, files: &[(String, Reloaded)]) {
        if !self.loading.has_looked_for(&self.config.trusted_keys) {
            return;
        }
        for plugin in self.registry.list_next() {
            let stem = stem_of(plugin.name());
            let replaces = |(of, change): &(String, Reloaded)| {
                *of == stem && matches!(change, Reloaded::Loaded(_))
            };
            if !self.is_trusted(&plugin) && !files.iter().any(replaces) {
                error!(plugin.name = stem, "the gateway no longer runs a canary: {UNTRUSTED}");
                self.registry.remove_next(plugin.name());
                self.refused.entry(stem).or_insert_with(|| UNTRUSTED.to_owned());
            }
        }
    }

    /// The file of a next version is gone.
    pub(super) fn remove_next(&mut self, stem: String) -> ReloadRow {
        self.refused.remove(&stem);
        self.admission.removed(&self.config, &stem);
        if let Ok(name) = name_of(&stem)
            && self.registry.next(&name).is_some()
        {
            self.next_files.leaving.insert(name);
        }
        ReloadRow { plugin: stem, outcome: "removed", reason: None }
    }

    /// Ends the next versions whose files are gone and did not become those of the live ones.
    pub(super) fn let_canaries_go(&mut self) {
        let loading: BTreeSet<&str> = self.loading.unfinished().collect();
        let leaving = self.next_files.leaving.iter();
        let gone: Vec<Name> =
            leaving.filter(|name| !loading.contains(name.as_str())).cloned().collect();
        for name in gone {
            self.next_files.leaving.remove(&name);
            if self.registry.next(&name).is_some() {
                self.registry.remove_next(&name);
                self.end_canary(&name);
            }
        }
    }

    /// Ends the canaries of which nothing was there at the start.
    pub(super) fn end_missing_canaries(&mut self) {
        for CanaryRow { handler, .. } in self.dispatch.canaries.all_running() {
            let is_refused = self.refused.contains_key(&stem_of(&handler));
            if self.registry.next(&handler).is_none() && !is_refused {
                self.end_canary(&handler);
            }
        }
    }

    /// The files say that there is no canary of this handler any more.
    fn end_canary(&mut self, handler: &Name) {
        let now = self.dispatch.clock.now();
        let verdict = CanaryVerdict::Removed;
        let ended = self.dispatch.canaries.end(handler, verdict, "the files", now);
        ended.into_iter().for_each(|row| self.tell_verdict(&row));
    }

    /// Compares the versions of a handler that there are now.
    pub(super) fn follow_canary(&mut self, handler: &Name) {
        let now = self.dispatch.clock.now();
        let ended = self.dispatch.canaries.follow(&self.registry, handler, now);
        ended.into_iter().for_each(|row| self.tell_verdict(&row));
    }

    /// Acts on a verdict, or on a file that was set aside.
    pub(super) fn act_on_canaries(&mut self, moved: Option<Moved>) {
        match moved {
            None => (),
            Some(Ok((row, moved))) => {
                if let Err(why) = moved {
                    let reason = format!("{}; {why}", dropped(&row));
                    warn!(handler.name = %row.handler, "failed to set a canary aside: {why}");
                    self.refused.insert(stem_of(&row.handler), reason);
                }
                self.loading.look(Wish::default());
            }
            Some(Err(error)) => error!("failed to set a canary aside: {error}"),
        }
        self.take_out_dropped();
    }

    /// Takes the versions out that were dropped, and has their files set aside.
    pub(super) fn take_out_dropped(&mut self) {
        let canaries = &self.dispatch.canaries;
        let next = self.registry.list_next();
        let dropped: Vec<CanaryRow> =
            next.iter().filter_map(|it| canaries.dropped(it.name(), it.digest())).collect();
        if dropped.is_empty() {
            return;
        }
        for row in dropped {
            self.registry.remove_next(&row.handler);
            self.tell_verdict(&row);
            let folder = self.folder();
            self.next_files.moving.spawn_blocking(move || {
                let moved = lock(&folder).set_aside(&row.handler, &row.digest);
                (row, moved)
            });
        }
        let before = self.rows.swap(Arc::new(self.plugin_rows()));
        self.note_plugins(&before);
    }

    /// The folder of the plugins, for whoever moves a file while nobody looks at it.
    pub(in crate::gateway) fn folder(&self) -> Arc<Mutex<Folder>> {
        self.loading.shared()
    }

    /// Tells everybody what became of a canary.
    fn tell_verdict(&mut self, row: &CanaryRow) {
        let CanaryRow { handler, digest, verdict, .. } = row;
        let why = why(row);
        info!(handler.name = %handler, plugin.digest = %digest, "canary {verdict}: {why}");
        self.metrics.canary_verdict(handler, verdict.as_str());
        self.notices.tell(Notice::Canary {
            plugin: handler.to_string(),
            digest: digest.clone(),
            verdict: verdict.as_str(),
            why: why.clone(),
        });
        self.note(Deed {
            who: row.by.clone(),
            from: self.config.plugins.display().to_string(),
            what: format!("canary of {handler}"),
            before: json!({ "digest": row.live_digest }),
            after: json!({
                "digest": digest, "reason": why, "canary": row.canary, "live": row.live,
            }),
            outcome: verdict.as_str().to_owned(),
        });
    }
}

/// The stem of the file that has the next version of a handler.
pub(super) fn stem_of(handler: &Name) -> String {
    format!("{handler}{NEXT}")
}

/// Why a version that was dropped is no canary any more.
fn dropped(row: &CanaryRow) -> String {
    format!("this version was dropped as a canary: {}", why(row))
}

/// How it came to a verdict.
fn why(row: &CanaryRow) -> String {
    let CanaryRow { canary, live, .. } = row;
    match row.verdict {
        CanaryVerdict::Running => "it runs".to_owned(),
        CanaryVerdict::Promoted => "its file has the name of the live version".to_owned(),
        CanaryVerdict::DroppedByTest => format!(
            "it failed in {} of {} runs and the live version in {} of {}: p = {:.1e} by Fisher's \
             exact test",
            canary.failures,
            canary.runs,
            live.failures,
            live.runs,
            row.p.unwrap_or_default()
        ),
        CanaryVerdict::DroppedBroke => {
            "its runs ended one after the other at a deadline, at the memory limit or in a trap"
                .to_owned()
        }
        CanaryVerdict::DroppedByOperator => "an operator dropped it".to_owned(),
        CanaryVerdict::Removed => "its file is gone, or another one is in its place".to_owned(),
    }
}
