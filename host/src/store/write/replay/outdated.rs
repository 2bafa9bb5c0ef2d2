//! What another version of a plugin may make good: the works that died of the one before it.
//!
//! They are found among the dead letters, oldest first and some at a time, so that no commit is
//! large and those of one subject go in their order. Never asks which version is the newer one.

use std::collections::HashSet;
use std::sync::Arc;

use super::{BATCH_MAX, Target, Targets};
use crate::failure::Reason;
use crate::ids::Name;
use crate::store::Store;
use crate::store::error::{Error, Failure};
use crate::store::kind::WorkKind;
use crate::store::owed::works::work_id;
use crate::store::read::replays::Replayed;
use crate::store::read::snapshot::Snapshot;
use crate::store::read::view::State;
use crate::store::shared::Shared;

/// Works that died of a file of a plugin with another digest than this.
#[derive(Debug)]
struct Outdated {
    whose: Whose,
    digest: String,
}

#[derive(Debug)]
enum Whose {
    /// Parses of these sources.
    Sources(HashSet<Name>),
    /// Runs of this handler.
    Handler(Name),
}

impl Store {
    /// Opens again the dead parses of these sources that were last tried by a plugin with another
    /// digest than this: for when a newer version of that plugin is loaded.
    pub async fn reopen_parses(
        &self,
        sources: &[Name],
        not_digest: &str,
    ) -> Result<Replayed, Error> {
        let whose = Whose::Sources(sources.iter().cloned().collect());
        self.reopen_outdated(Outdated { whose, digest: not_digest.to_owned() }).await
    }

    /// Opens again the dead runs of this handler that were last tried by a plugin with another
    /// digest than this and died of that plugin's own fault: for when a newer version of it is
    /// loaded. What was refused a grant, or had no plugin, stays dead.
    pub async fn reopen_runs(&self, handler: &Name, not_digest: &str) -> Result<Replayed, Error> {
        let whose = Whose::Handler(handler.clone());
        self.reopen_outdated(Outdated { whose, digest: not_digest.to_owned() }).await
    }

    async fn reopen_outdated(&self, outdated: Outdated) -> Result<Replayed, Error> {
        let outdated = Arc::new(outdated);
        let mut replayed = Replayed::default();
        let mut from = 0;
        loop {
            let outdated = Arc::clone(&outdated);
            let found = self.aside(move |shared| shared.outdated(&outdated, from)).await?;
            replayed.damaged += found.damaged;
            replayed += self.reopen(found.targets).await?;
            let Some(next) = found.next else { return Ok(replayed) };
            from = next;
        }
    }
}

impl Shared {
    /// Looks through some dead letters, oldest first.
    fn outdated(&self, outdated: &Outdated, from: u64) -> Result<Targets, Error> {
        let snapshot = self.snapshot()?;
        let kind = outdated.kind();
        let find = || -> Result<Targets, Failure> {
            let mut found = Targets::default();
            for (looked_at, row) in snapshot.dead_from(from)?.enumerate() {
                let (position, of_kind) = row?;
                if looked_at == BATCH_MAX {
                    found.next = Some(position);
                    break;
                }
                if of_kind != kind as u8 {
                    continue;
                }
                match self.damages.pass(outdated.has(&snapshot, position))? {
                    Some(true) => {
                        let id = work_id(kind, position, self.file.tag);
                        let only = Some(State::Dead);
                        found.targets.push(Target { id, only, is_named: false });
                    }
                    Some(false) => (),
                    None => found.damaged += 1,
                }
            }
            Ok(found)
        };
        Ok(find()?)
    }
}

impl Outdated {
    fn kind(&self) -> WorkKind {
        match self.whose {
            Whose::Sources(_) => WorkKind::Parse,
            Whose::Handler(_) => WorkKind::Run,
        }
    }

    /// Whether the dead work at this position is one of them.
    fn has(&self, snapshot: &Snapshot<'_>, position: u64) -> Result<bool, Failure> {
        match &self.whose {
            Whose::Sources(sources) => {
                let Some((source, plugin)) = snapshot.parse_tried(position)? else {
                    return Ok(false);
                };
                let is_outdated = plugin.is_none_or(|plugin| plugin.digest != self.digest);
                Ok(is_outdated && sources.contains(&source))
            }
            Whose::Handler(handler) => {
                let Some((plugin, reason)) = snapshot.run_tried(position)? else {
                    return Ok(false);
                };
                let is_outdated = plugin.name == *handler && plugin.digest != self.digest;
                Ok(is_outdated && reason == Reason::PluginFailed)
            }
        }
    }
}
