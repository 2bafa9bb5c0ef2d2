//! Replay: what is done or dead is opened again.
//!
//! A reopened work starts with its tries anew and keeps its id and its history, so that a receiver
//! still recognizes a delivery. What is pending or in flight is left alone.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::draft::Draft;
use super::log::LogReader;
use super::owed::Stored;
use super::query::{EventFilter, Page};
use super::record::{Record, RecordKind, ReopeningRecord};
use super::standing::{Progress, Standing, WorkKind};
use super::view::{EventSummary, State};
use super::writer::Op;
use super::{Error, Failure, Shared, Store, file};
use crate::ids::{Id, Name};

/// Most events or dead letters that one transaction opens again.
const BATCH_MAX: usize = 256;

/// What to open again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    id: Id,
    /// Only what is dead of it, not what is done.
    only_dead: bool,
}

/// What a replay came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Replayed {
    /// Works that were done or dead and are pending now.
    pub reopened: usize,
    /// Works that are as they were: pending, or done where only the dead were asked for.
    pub left: usize,
}

impl std::ops::AddAssign for Replayed {
    fn add_assign(&mut self, more: Self) {
        self.reopened += more.reopened;
        self.left += more.left;
    }
}

impl Store {
    /// Opens again what is finished of these: a receipt's parse if it is dead, all runs and
    /// deliveries of an event, one run, or one delivery. An id that stands for nothing is an
    /// [`Error::Unknown`], and then nothing is opened.
    pub async fn replay(&self, ids: Vec<Id>) -> Result<Replayed, Error> {
        let target = |id| Target { id, only_dead: false };
        self.reopen(ids.into_iter().map(target).collect()).await
    }

    /// Opens again what is finished of all events that match; if the filter asks for dead ones,
    /// only what is dead of them. In many small transactions, newest first.
    pub async fn replay_matching(&self, filter: EventFilter) -> Result<Replayed, Error> {
        let filter = Arc::new(filter);
        let only_dead = filter.state == Some(State::Dead);
        let mut replayed = Replayed::default();
        let mut cursor = None;
        loop {
            let (store, wanted) = (self.clone(), Arc::clone(&filter));
            let page = Page { cursor, limit: BATCH_MAX };
            let listing = spawn_blocking(move || store.events(&wanted, page)).await;
            let listing = listing.expect("a query does not panic")?;

            let target = |event: EventSummary| Target { id: event.id, only_dead };
            replayed += self.reopen(listing.items.into_iter().map(target).collect()).await?;
            cursor = listing.next;
            if cursor.is_none() {
                return Ok(replayed);
            }
        }
    }

    /// Opens again the dead parses of these sources that were last tried by a plugin with another
    /// digest than this: for when a newer version of that plugin is loaded.
    pub async fn reopen_parses(
        &self,
        sources: &[Name],
        not_digest: &str,
    ) -> Result<Replayed, Error> {
        let sources: Arc<HashSet<Name>> = Arc::new(sources.iter().cloned().collect());
        let digest: Arc<str> = not_digest.into();
        let mut replayed = Replayed::default();
        let mut before = u64::MAX;
        loop {
            let (store, sources, digest) =
                (self.clone(), Arc::clone(&sources), Arc::clone(&digest));
            let find = move || store.handle.shared.outdated(&sources, &digest, before);
            let found = spawn_blocking(find).await.expect("a query does not panic")?;
            replayed += self.reopen(found.targets).await?;
            let Some(next) = found.next else { return Ok(replayed) };
            before = next;
        }
    }

    async fn reopen(&self, targets: Vec<Target>) -> Result<Replayed, Error> {
        if targets.is_empty() {
            return Ok(Replayed::default());
        }
        self.ask(|reply| Op::Replay { targets, reply }).await
    }
}

/// Dead parses to open again.
#[derive(Debug)]
struct Outdated {
    targets: Vec<Target>,
    /// Look on before this position.
    next: Option<u64>,
}

impl Shared {
    /// Looks through some dead letters, newest first.
    fn outdated(
        &self,
        sources: &HashSet<Name>,
        digest: &str,
        before: u64,
    ) -> Result<Outdated, Error> {
        let transaction = self.file.read()?;
        let find = || -> Result<Outdated, Failure> {
            let log = transaction.open_table(file::LOG)?;
            let outcomes = transaction.open_table(file::OUTCOMES)?;
            let mut found = Outdated { targets: Vec::new(), next: None };
            let dead = transaction.open_table(file::DEAD)?;
            for (looked_at, row) in dead.range(..before)?.rev().enumerate() {
                let (position, kind) = row?;
                let position = position.value();
                if looked_at == BATCH_MAX {
                    found.next = Some(position + 1);
                    break;
                }
                if kind.value() != WorkKind::Parse as u8 {
                    continue;
                }
                let Record::Receipt(receipt) = self.log.expect(&log, position)? else { continue };
                let last = outcomes.get(position)?;
                let last =
                    last.map(|stored| Standing::read(position, stored.value())).transpose()?;
                let Some(last) = last.and_then(|standing| standing.last) else { continue };
                let Record::Try(tried) = self.log.expect(&log, last)? else { continue };
                let outdated = tried.plugin.is_none_or(|plugin| plugin.digest != digest);
                if outdated && sources.contains(&receipt.source) {
                    found.targets.push(Target { id: receipt.id, only_dead: true });
                }
            }
            Ok(found)
        };
        Ok(find()?)
    }
}

impl Draft<'_> {
    /// Opens what is finished of the targets; nothing if one of them is unknown.
    pub(super) fn replay(&mut self, targets: &[Target]) -> Result<Replayed, Error> {
        let mut works = Vec::new();
        let mut unknown = Vec::new();
        // Reads what is there in this transaction: what was swept away can't be opened again.
        let log = LogReader::new(self.shared.file.tag);
        for Target { id, only_dead } in targets {
            let known = id.tag == self.shared.file.tag;
            let record = if known { log.record(&self.log, id.position)? } else { None };
            let stored = record.and_then(Stored::of);
            match stored.and_then(|stored| stored.works_of(*id, &self.shared.lanes)) {
                Some(owed) => works.extend(owed.into_iter().map(|work| (work, *only_dead))),
                None => unknown.push(*id),
            }
        }
        if !unknown.is_empty() {
            return Err(Error::Unknown(unknown));
        }

        let mut replayed = Replayed::default();
        for (work, only_dead) in works {
            let before = self.standing(work.entry.position)?;
            let reopens = match before.progress {
                Progress::Dead => true,
                // The events of a parsed receipt are there: those can be replayed.
                Progress::Done => !only_dead && work.kind != WorkKind::Parse,
                Progress::Ready | Progress::RetryAt(_) => false,
            };
            if !reopens {
                replayed.left += 1;
                continue;
            }
            let (position, previous) = (work.entry.position, before.last);
            let record = ReopeningRecord { work: position, previous, at: self.now };
            let record = self.record(RecordKind::Reopening, &record);
            self.reopen(work, before, Standing::reopened(record))?;
            replayed.reopened += 1;
        }
        Ok(replayed)
    }
}
