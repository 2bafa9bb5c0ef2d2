//! What breaks again and again is paused, and tried one at a time until it works.
//!
//! For the parses of a source and the runs of a handler: a call that spins costs a core for its
//! whole deadline, and the next one would spin as well. While a source or handler is paused nothing
//! of it is taken: its work stays in the store, where it was, and no try is used up. After the
//! pause one is tried; if that breaks too, the next pause is longer. One call that returns, with
//! whatever answer, ends it, and so does another version of the plugin.
//!
//! Claims have none. Whoever knows the URL of a source can post a body that its plugin is slow to
//! read; a breaker would turn that into a refusal of the source's genuine requests, which is more
//! than the attacker could do without it. There a source that is slow has a share of the threads
//! (`plugin/call/pool/fair.rs`), and only its own requests wait.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tracing::{info, warn};

use crate::clock::{Clock, Moment};
use crate::ids::Name;
use crate::lock::lock;
use crate::metrics::{Kind, Metrics};
use crate::notices::{Notice, Notices};
use crate::plugin::CallError;

/// What a call that ran out of time or memory counts for: it was dear.
const DEAR: u32 = 10;
/// What any other call counts for that broke.
const CHEAP: u32 = 1;
/// So much in a row, and it is paused: after 3 deadlines, or 30 traps.
const PATIENCE: u32 = 30;

/// The pauses, of which the last is repeated.
const PAUSES: [Duration; 3] =
    [Duration::from_secs(5), Duration::from_secs(20), Duration::from_secs(60)];

/// A pause is at least so many times as long as the call took that led to it.
const REST: u32 = 20;
/// No pause is longer.
const PAUSE_MAX: Duration = Duration::from_secs(600);

/// How a call ended, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// It returned something.
    Returned,
    /// It broke, cheaply: a trap.
    Trapped,
    /// It used up its memory, or its time, which was so much.
    Exhausted(Duration),
}

impl Call {
    /// Of a call that ended so; `None` if that was not the plugin's doing.
    pub(super) fn of<T>(ended: &Result<T, CallError>) -> Option<Self> {
        match ended {
            Err(CallError::Deadline { limit }) => Some(Self::Exhausted(*limit)),
            Err(CallError::Memory { .. }) => Some(Self::Exhausted(Duration::ZERO)),
            Err(CallError::Trap { .. } | CallError::Panicked { .. }) => Some(Self::Trapped),
            // A broken contract is an answer too, and one that costs nothing more.
            Ok(_) | Err(CallError::Violation(_)) => Some(Self::Returned),
            Err(CallError::Busy | CallError::Host(_)) => None,
        }
    }
}

/// The breakers of one kind of work.
#[derive(Debug)]
pub(crate) struct Breakers {
    kind: Kind,
    clock: Clock,
    metrics: Metrics,
    /// Where a pause is told, if anywhere.
    notices: Option<Notices>,
    breakers: Mutex<BTreeMap<Name, Breaker>>,
    /// How many breakers there are, so that nothing is locked while nothing breaks.
    known: AtomicUsize,
}

/// Of one source or handler.
#[derive(Debug)]
struct Breaker {
    /// The digest of the plugin that it is about.
    digest: String,
    /// How much broke in a row.
    strain: u32,
    pause: Option<Pause>,
}

#[derive(Debug, Clone, Copy)]
struct Pause {
    until: Moment,
    /// How many there were before this one.
    before: usize,
}

impl Pause {
    /// Whether it is not over.
    fn lasts(self, clock: &Clock) -> bool {
        !clock.has_come(self.until)
    }
}

impl Breakers {
    /// All closed.
    pub(crate) fn new(kind: Kind, clock: Clock, metrics: Metrics) -> Self {
        let (breakers, known) = (Mutex::default(), AtomicUsize::new(0));
        Self { kind, clock, metrics, notices: None, breakers, known }
    }

    /// The same, and each first pause is told there.
    #[must_use]
    pub(crate) fn telling(self, notices: Notices) -> Self {
        Self { notices: Some(notices), ..self }
    }

    /// How many calls of it there may be at a time, if otherwise there may be `most`. `digest` is
    /// that of the plugin that would be called.
    pub(super) fn limit(
        &self,
        name: &Name,
        digest: impl FnOnce() -> Option<String>,
        most: usize,
    ) -> usize {
        if self.known.load(Ordering::Acquire) == 0 {
            return most;
        }
        let breakers = self.lock();
        let Some(breaker) = breakers.get(name) else { return most };
        let Some(pause) = breaker.pause else { return most };
        if digest().as_ref() != Some(&breaker.digest) {
            return most;
        }
        if pause.lasts(&self.clock) { 0 } else { most.min(1) }
    }

    /// Notes how a call ended.
    pub(super) fn ended(&self, name: &Name, digest: &str, call: Call) {
        if call == Call::Returned && self.known.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut breakers = self.lock();
        if call == Call::Returned {
            if let Some(Breaker { pause: Some(_), .. }) = breakers.remove(name) {
                self.close(name);
            }
        } else {
            let new = || Breaker { digest: digest.to_owned(), strain: 0, pause: None };
            let breaker = breakers.entry(name.clone()).or_insert_with(new);
            if breaker.digest != digest {
                // The last call of the old version may end behind the first of the new.
                let before = std::mem::replace(breaker, new());
                if before.pause.is_some() {
                    self.close(name);
                }
            }
            self.strain(name, breaker, call);
        }
        self.known.store(breakers.len(), Ordering::Release);
    }

    fn strain(&self, name: &Name, breaker: &mut Breaker, call: Call) {
        let (weight, took) = match call {
            Call::Exhausted(took) => (DEAR, took),
            Call::Trapped | Call::Returned => (CHEAP, Duration::ZERO),
        };
        breaker.strain = breaker.strain.saturating_add(weight);
        let before = match breaker.pause {
            // It began before the pause.
            Some(pause) if pause.lasts(&self.clock) => return,
            Some(pause) => pause.before + 1,
            None if breaker.strain < PATIENCE => return,
            None => 0,
        };
        let pause =
            PAUSES[before.min(PAUSES.len() - 1)].max(took.saturating_mul(REST)).min(PAUSE_MAX);
        breaker.pause = Some(Pause { until: self.clock.moment(pause), before });
        if before == 0 {
            let (what, whose) = self.words();
            warn!(
                plugin.digest = breaker.digest,
                "{whose} {name} failed again and again: the gateway pauses its {what} for {} s, \
                then tries one at a time until one returns",
                pause.as_secs()
            );
            self.metrics.set_paused(self.kind, name, true);
            if let Some(notices) = &self.notices {
                let (kind, name, digest) = (self.kind, name.clone(), breaker.digest.clone());
                notices.tell(Notice::Failed { kind, name, digest, pause });
            }
        }
    }

    /// When the next pause ends, of those that have not.
    pub(super) fn next_end(&self) -> Option<Moment> {
        if self.known.load(Ordering::Acquire) == 0 {
            return None;
        }
        let breakers = self.lock();
        let pauses = breakers.values().filter_map(|breaker| breaker.pause);
        pauses.filter(|pause| pause.lasts(&self.clock)).map(|pause| pause.until).min()
    }

    fn close(&self, name: &Name) {
        let (what, whose) = self.words();
        info!("{whose} {name} works again: the gateway resumes its {what}");
        self.metrics.set_paused(self.kind, name, false);
    }

    fn words(&self) -> (&'static str, &'static str) {
        match self.kind {
            Kind::Receipt => ("parses", "source"),
            Kind::Run | Kind::Delivery => ("runs", "handler"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Name, Breaker>> {
        lock(&self.breakers)
    }
}

#[cfg(test)]
mod tests;
