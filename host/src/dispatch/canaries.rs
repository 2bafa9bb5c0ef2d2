//! Canaries at work: which version of a handler a run gets, what is counted of both, and when the
//! next version is dropped.
//!
//! Each decision is in force at once: from then on no run gets the version that was dropped. Moving
//! files, the registry and the store follow; others do that, woken by [`Canaries::changes`]. Counts
//! first tries, and never those of replays: what failed before is more likely to fail again.

mod remembered;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use self::remembered::Remembered;
use super::Rules;
use crate::canary::{Canary, LOOK_EVERY, is_worse, p_value};
use crate::event::Timestamp;
use crate::ids::Name;
use crate::lock::lock;
use crate::metrics::Cause;
use crate::plugin::{Plugin, Registry};
use crate::store::{CanaryRow, CanaryTally, CanaryVerdict, PluginStamp, RunWork};

/// Who drops what fails.
const GATEWAY: &str = "the gateway";
/// Who moves files, as far as the gateway knows.
const FILES: &str = "the files";

/// What a call that ran out of time or memory counts for, and one that trapped.
const DEAR: u32 = 10;
const TRAP: u32 = 3;
/// The sum in a row at which the canary is dropped: 3 calls that ran out of time or memory, or 10
/// first tries that trapped.
const PATIENCE: u32 = 30;

/// The versions that are known as dropped of one handler; the store keeps no more.
const DROPPED_MAX: usize = 256;

/// Which of its two versions a run of a handler got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Live,
    Next,
}

impl Version {
    /// As metrics have it.
    fn label(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Next => "next",
        }
    }
}

/// One run that counts for a canary or against it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    version: Version,
    /// The comparison that it belongs to.
    epoch: u64,
    /// Whether it is the first try, and nobody asked for it again.
    is_first: bool,
    /// Events, parcels and alerts that it asked for.
    effects: usize,
}

/// The canaries of all handlers.
#[derive(Debug, Default)]
pub(crate) struct Canaries {
    book: Mutex<Book>,
    /// How many run, so that nothing is locked while there are none.
    running: AtomicUsize,
    /// Sent at each verdict.
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Book {
    /// The last canary of each handler.
    states: BTreeMap<Name, State>,
    /// The versions that were dropped, by handler and digest.
    dropped: BTreeMap<Name, BTreeMap<String, CanaryRow>>,
    /// What ended, and the store does not have yet.
    ended: Vec<CanaryRow>,
    /// What was decided about subjects of handlers whose canaries are chosen by a label.
    remembered: BTreeMap<Name, Remembered>,
    epochs: u64,
}

/// The last canary of a handler.
#[derive(Debug)]
struct State {
    row: CanaryRow,
    epoch: u64,
    /// How much of the canary broke in a row.
    strain: u32,
    /// Who puts it into the place of the live version, if somebody is about to.
    promoter: Option<String>,
    /// Whether the store has other counts of it.
    is_unstored: bool,
}

impl State {
    fn new(row: CanaryRow, epoch: u64, is_unstored: bool) -> Self {
        Self { row, epoch, strain: 0, promoter: None, is_unstored }
    }

    fn runs(&self) -> bool {
        self.row.verdict == CanaryVerdict::Running
    }

    fn end(&mut self, verdict: CanaryVerdict, by: &str, now: Timestamp) -> CanaryRow {
        self.row.verdict = verdict;
        self.row.by = by.to_owned();
        self.row.at = now;
        // From now on it is among what ended.
        self.is_unstored = false;
        self.row.clone()
    }

    /// Counts a try of the plugin's, and says what follows for the canary.
    fn count(
        &mut self,
        sample: Sample,
        cause: Option<Cause>,
        took: Duration,
    ) -> Option<CanaryVerdict> {
        let is_next = sample.version == Version::Next;
        let tally = if is_next { &mut self.row.canary } else { &mut self.row.live };
        if sample.is_first {
            self.is_unstored = true;
            tally.runs += 1;
            tally.failures += u64::from(cause.is_some());
            let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            tally.time_us = tally.time_us.saturating_add(took);
            tally.effects = tally.effects.saturating_add(sample.effects as u64);
        }
        if !is_next {
            return None;
        }
        match cause {
            // It costs a core for its whole deadline, also when it is tried again.
            Some(Cause::Deadline | Cause::Memory) => self.strain += DEAR,
            Some(Cause::Trap) if sample.is_first => self.strain += TRAP,
            Some(Cause::Trap) => (),
            _ => self.strain = 0,
        }
        if self.strain >= PATIENCE {
            return Some(CanaryVerdict::DroppedBroke);
        }
        let (canary, live) = (self.row.canary.counted(), self.row.live.counted());
        if !sample.is_first || !canary.runs.is_multiple_of(LOOK_EVERY) {
            return None;
        }
        self.row.p = Some(p_value(canary, live));
        is_worse(canary, live).map(|_| CanaryVerdict::DroppedByTest)
    }
}

impl Canaries {
    /// Goes on from what the store has.
    pub(crate) fn restore(&self, rows: Vec<CanaryRow>) {
        let mut book = lock(&self.book);
        for row in rows {
            if row.verdict.is_dropped() {
                book.note_dropped(&row);
            }
            // Of two of one moment the one that runs came behind the other.
            let when = |row: &CanaryRow| (row.at, row.verdict == CanaryVerdict::Running);
            let is_newer = |state: &State| when(&state.row) > when(&row);
            if !book.states.get(&row.handler).is_some_and(is_newer) {
                let epoch = book.next_epoch();
                book.states.insert(row.handler.clone(), State::new(row, epoch, false));
            }
        }
        self.recount(&book);
    }

    /// Resolves at each verdict, and may at others.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Compares the versions of a handler that the registry has now. Gives what became of the
    /// canary before, if that ends by this.
    pub(crate) fn follow(
        &self,
        registry: &Registry,
        handler: &Name,
        now: Timestamp,
    ) -> Option<CanaryRow> {
        let (live, next) = (registry.get(handler), registry.next(handler));
        let [is_live, is_next] = [&live, &next].map(|plugin| plugin.as_ref().map(|it| it.digest()));
        let mut book = lock(&self.book);
        let mut ended = None;
        let mut goes_on = false;
        if let Some(state) = book.states.get_mut(handler).filter(|state| state.runs()) {
            let digest = Some(state.row.digest.as_str());
            if is_live == digest {
                let by = state.promoter.take();
                let by = by.as_deref().unwrap_or(FILES);
                ended = Some(state.end(CanaryVerdict::Promoted, by, now));
            } else if is_next.is_some() && is_next != digest {
                ended = Some(state.end(CanaryVerdict::Removed, FILES, now));
            } else {
                // Of another live version nothing was counted yet.
                goes_on = is_next.is_none() || is_live.is_none_or(|it| it == state.row.live_digest);
            }
        }
        if let (Some(live), Some(next), false) = (&live, &next, goes_on) {
            let epoch = book.next_epoch();
            let row = begin(handler, live, next, now);
            book.states.insert(handler.clone(), State::new(row, epoch, true));
        }
        // One that takes the place of another gets the same subjects.
        if next.is_none() {
            book.remembered.remove(handler);
        }
        book.ended.extend(ended.clone());
        self.recount(&book);
        drop(book);
        if ended.is_some() {
            self.changed.send_replace(());
        }
        ended
    }

    /// Why this version may be no canary any more, if it was dropped.
    pub(crate) fn dropped(&self, handler: &Name, digest: &str) -> Option<CanaryRow> {
        lock(&self.book).dropped.get(handler)?.get(digest).cloned()
    }

    /// The last canary of a handler, as it stands.
    pub(crate) fn row(&self, handler: &Name) -> Option<CanaryRow> {
        Some(lock(&self.book).states.get(handler)?.row.clone())
    }

    /// Those that run.
    pub(crate) fn all_running(&self) -> Vec<CanaryRow> {
        let book = lock(&self.book);
        let running = book.states.values().filter(|state| state.runs());
        running.map(|state| state.row.clone()).collect()
    }

    /// Somebody is about to put the canary of this digest into the place of the live version.
    pub(crate) fn expect_promotion(&self, handler: &Name, digest: &str, by: Option<&str>) {
        if let Some(state) = lock(&self.book).states.get_mut(handler)
            && state.row.digest == digest
        {
            state.promoter = by.map(str::to_owned);
        }
    }

    /// Ends the canary of a handler, if one runs. In force at once.
    pub(crate) fn end(
        &self,
        handler: &Name,
        verdict: CanaryVerdict,
        by: &str,
        now: Timestamp,
    ) -> Option<CanaryRow> {
        let ended = {
            let mut book = lock(&self.book);
            let state = book.states.get_mut(handler).filter(|state| state.runs())?;
            let ended = state.end(verdict, by, now);
            book.note_ended(&ended);
            self.recount(&book);
            ended
        };
        self.changed.send_replace(());
        Some(ended)
    }

    /// What the store does not have yet, as of now. Whoever takes it stores it.
    pub(crate) fn take_unstored(&self, now: Timestamp) -> Vec<CanaryRow> {
        let mut book = lock(&self.book);
        let mut rows = std::mem::take(&mut book.ended);
        for state in book.states.values_mut().filter(|state| state.is_unstored) {
            state.is_unstored = false;
            state.row.at = now;
            rows.push(state.row.clone());
        }
        rows
    }

    /// The store could not take this.
    pub(crate) fn not_stored(&self, row: CanaryRow) {
        let mut book = lock(&self.book);
        if row.verdict != CanaryVerdict::Running {
            book.ended.push(row);
        } else if let Some(state) = book.states.get_mut(&row.handler).filter(|it| it.runs()) {
            state.is_unstored = true;
        }
    }

    /// Whether the next version of its handler gets this run.
    pub(super) fn takes(&self, next: &Plugin, rules: &Rules, work: &RunWork, scope: &str) -> bool {
        let handler = &work.handler;
        let Some(canary) = rules.plugins.get(handler).and_then(|rules| rules.canary.as_ref())
        else {
            return false;
        };
        let mut book = lock(&self.book);
        // It is in the registry until somebody has taken it out.
        if book.dropped.get(handler).is_some_and(|dropped| dropped.contains_key(next.digest())) {
            return false;
        }
        match canary {
            Canary::Share(share) => share.takes(handler, scope),
            Canary::Label { name, value } => {
                let labels = &work.event.event.labels;
                let has_it = || labels.iter().any(|(key, is)| key == name && is == value);
                let remembered = book.remembered.entry(handler.clone()).or_default();
                remembered.decision((name.as_str(), value.as_str()), scope, has_it)
            }
        }
    }

    /// What a run of this plugin counts as, if a canary of its handler runs.
    pub(super) fn sample(
        &self,
        work: &RunWork,
        plugin: Option<&PluginStamp>,
        effects: usize,
    ) -> Option<Sample> {
        if self.running.load(Ordering::Acquire) == 0 {
            return None;
        }
        let digest = &plugin?.digest;
        let book = lock(&self.book);
        let state = book.states.get(&work.handler).filter(|state| state.runs())?;
        let version = if *digest == state.row.digest {
            Version::Next
        } else if *digest == state.row.live_digest {
            Version::Live
        } else {
            return None;
        };
        let is_first = work.tries_made == 0 && !work.is_replay;
        Some(Sample { version, epoch: state.epoch, is_first, effects })
    }

    /// A run of a handler ended so. Gives which version is counted to have succeeded or failed by
    /// it, as metrics have it.
    pub(super) fn ended(
        &self,
        handler: &Name,
        sample: Sample,
        (cause, took, now): (Option<Cause>, Duration, Timestamp),
    ) -> Option<(&'static str, bool)> {
        if cause.is_some_and(|cause| !is_its_own(cause)) {
            return None;
        }
        let mut book = lock(&self.book);
        let state = book.states.get_mut(handler)?;
        if state.epoch != sample.epoch || !state.runs() {
            return None;
        }
        if let Some(verdict) = state.count(sample, cause, took) {
            let ended = state.end(verdict, GATEWAY, now);
            book.note_ended(&ended);
            self.recount(&book);
            drop(book);
            self.changed.send_replace(());
        }
        sample.is_first.then_some((sample.version.label(), cause.is_some()))
    }

    fn recount(&self, book: &Book) {
        let running = book.states.values().filter(|state| state.runs()).count();
        self.running.store(running, Ordering::Release);
    }
}

impl Book {
    fn next_epoch(&mut self) -> u64 {
        self.epochs += 1;
        self.epochs
    }

    fn note_ended(&mut self, row: &CanaryRow) {
        self.ended.push(row.clone());
        self.remembered.remove(&row.handler);
        if row.verdict.is_dropped() {
            self.note_dropped(row);
        }
    }

    fn note_dropped(&mut self, row: &CanaryRow) {
        let dropped = self.dropped.entry(row.handler.clone()).or_default();
        dropped.insert(row.digest.clone(), row.clone());
        if dropped.len() > DROPPED_MAX {
            let oldest = dropped.values().min_by_key(|row| row.at);
            if let Some(digest) = oldest.map(|row| row.digest.clone()) {
                dropped.remove(&digest);
            }
        }
    }
}

/// A canary of which nothing is counted yet.
fn begin(handler: &Name, live: &Plugin, next: &Plugin, now: Timestamp) -> CanaryRow {
    let version =
        |plugin: &Plugin| plugin.handler().map(|info| info.version.clone()).unwrap_or_default();
    CanaryRow {
        handler: handler.clone(),
        digest: next.digest().to_owned(),
        version: version(next),
        live_digest: live.digest().to_owned(),
        live_version: version(live),
        began: now,
        canary: CanaryTally::default(),
        live: CanaryTally::default(),
        verdict: CanaryVerdict::Running,
        at: now,
        by: String::new(),
        p: None,
    }
}

/// Whether a run failed for this cause by the plugin's own fault.
fn is_its_own(cause: Cause) -> bool {
    match cause {
        Cause::Failure
        | Cause::Trap
        | Cause::Deadline
        | Cause::Memory
        | Cause::Contract
        | Cause::Limit => true,
        Cause::Busy | Cause::Host | Cause::Panic | Cause::Missing => false,
    }
}

#[cfg(test)]
mod tests;
