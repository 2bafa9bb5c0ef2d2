//! Names and the addresses that they stand for: looked up on a few threads, and remembered.
//!
//! The system's resolver blocks a thread and can't be cancelled, so a name whose name server never
//! answers keeps its thread for as long as the system likes. Therefore there are few of these
//! threads, one name never has two, and the names that are known to hang, or that never resolved,
//! can't have all of them. Never judges an address: that is the guard's question.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::lock::lock;

/// What looks a name up, on a thread that it may block.
pub(super) type LookUp = Arc<dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync>;

/// How much look-ups may take, and how long their results count.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    /// Look-ups at a time, each on a thread of its own.
    pub(super) threads: usize,
    /// How many of them names may have that have not resolved yet.
    pub(super) unproven: usize,
    /// How many of them names may have whose last look-up took too long.
    pub(super) suspects: usize,
    /// How long a caller waits. The look-up itself goes on.
    pub(super) wait: Duration,
    /// How long addresses count without another look-up.
    pub(super) known_for: Duration,
    /// How long they stand in where another look-up gets no answer in time.
    pub(super) stale_for: Duration,
    /// How long a refusal counts, and the first pause after a look-up that took too long.
    pub(super) unknown_for: Duration,
    /// The longest pause of a name whose look-ups take too long: each doubles it.
    pub(super) pause_max: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            threads: 16,
            unproven: 12,
            suspects: 8,
            // Less than the shortest fixed patience of a caller, that of a key.
            wait: Duration::from_secs(3),
            known_for: Duration::from_secs(30),
            stale_for: Duration::from_secs(60 * 60),
            unknown_for: Duration::from_secs(5),
            pause_max: Duration::from_secs(5 * 60),
        }
    }
}

/// So many names are remembered before those that nothing is known of are forgotten.
const NAMES_MAX: usize = 4096;

/// Why a name gave no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NameError {
    /// What the system's resolver said.
    #[error("{0}")]
    Unknown(String),
    /// The name server did not answer.
    #[error("no name server answered in time")]
    TimedOut,
    /// Other names took all look-ups.
    #[error("too many look-ups of other names are in progress")]
    Busy,
}

type Addresses = Arc<[IpAddr]>;

/// Looks names up. Clones share what is known.
#[derive(Clone)]
pub(super) struct Resolver {
    shared: Arc<Shared>,
}

struct Shared {
    look_up: LookUp,
    bounds: Bounds,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    names: HashMap<Arc<str>, Name>,
    /// The names that wait for a thread.
    waiting: VecDeque<Arc<str>>,
    /// Look-ups on threads, by what was known of their names when they began.
    busy: [usize; 3],
}

/// What the past says about a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Suspect,
    Unproven,
    Proven,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looking {
    No,
    /// Waits for a thread.
    Queued,
    /// Has a thread.
    Busy,
    /// Has a thread, and those who waited have given up.
    Late,
}

struct Name {
    /// The last addresses, and when they came.
    known: Option<(Addresses, Instant)>,
    /// Why there was no answer, and until when nobody asks again.
    failed: Option<(NameError, Instant)>,
    /// Look-ups in a row that took too long.
    late: u32,
    looking: Looking,
    changed: watch::Sender<()>,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("bounds", &self.shared.bounds).finish_non_exhaustive()
    }
}

/// Asks the system.
pub(super) fn system(name: &str) -> io::Result<Vec<IpAddr>> {
    Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
}

impl Resolver {
    pub(super) fn new(look_up: LookUp, bounds: Bounds) -> Self {
        let state = Mutex::default();
        Self { shared: Arc::new(Shared { look_up, bounds, state }) }
    }

    /// The addresses that the name stands for: what is known of it, or a look-up that is waited
    /// for.
    pub(super) async fn resolve(&self, name: &str) -> Result<Addresses, NameError> {
        let deadline = tokio::time::Instant::now() + self.shared.bounds.wait;
        loop {
            let mut changed = match self.shared.ask(name) {
                Ok(answer) => return answer,
                Err(changed) => changed,
            };
            if tokio::time::timeout_at(deadline, changed.changed()).await.is_err() {
                return self.shared.give_up(name);
            }
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// What is known, or what to wait for before asking again.
    fn ask(
        self: &Arc<Self>,
        name: &str,
    ) -> Result<Result<Addresses, NameError>, watch::Receiver<()>> {
        let mut state = self.state();
        let now = Instant::now();
        state.forget(&self.bounds, now);
        if !state.names.contains_key(name) {
            state.names.insert(name.into(), Name::new());
        }
        let known = state.names.get_mut(name).expect("it was put there");
        if let Some(answer) = known.answer(&self.bounds, now) {
            return Ok(answer);
        }
        let changed = known.changed.subscribe();
        if known.looking == Looking::No {
            known.looking = Looking::Queued;
            state.waiting.push_back(name.into());
            self.start(&mut state);
        }
        Err(changed)
    }

    /// A caller has waited for as long as it may.
    fn give_up(&self, name: &str) -> Result<Addresses, NameError> {
        let mut state = self.state();
        let now = Instant::now();
        let Some(known) = state.names.get_mut(name) else { return Err(NameError::Busy) };
        if known.looking == Looking::Busy {
            known.looking = Looking::Late;
            known.late = known.late.saturating_add(1);
            known.failed = Some((NameError::TimedOut, now + self.bounds.pause(known.late)));
        }
        known
            .answer(&self.bounds, now)
            .unwrap_or_else(|| known.stale(&self.bounds, now, NameError::Busy))
    }

    /// Gives threads to the names that wait, as far as there are any for their class.
    fn start(self: &Arc<Self>, state: &mut State) {
        while let Some((name, class)) = state.next(&self.bounds) {
            let shared = Arc::clone(self);
            let thread = std::thread::Builder::new().name("look-up".into());
            let looked_up = Arc::clone(&name);
            let spawned = thread.spawn(move || {
                let found = (shared.look_up)(&looked_up);
                shared.finish(&looked_up, class, found);
            });
            if let Err(error) = spawned {
                state.ended(&self.bounds, &name, class, Err(error));
            }
        }
    }

    fn finish(self: &Arc<Self>, name: &str, class: Class, found: io::Result<Vec<IpAddr>>) {
        let mut state = self.state();
        state.ended(&self.bounds, name, class, found);
        self.start(&mut state);
    }
}

impl State {
    /// The next name that may have a thread, which it has from now on.
    fn next(&mut self, bounds: &Bounds) -> Option<(Arc<str>, Class)> {
        let class_of = |name: &Arc<str>| self.names.get(name).map_or(Class::Unproven, Name::class);
        let may_go = |name: &Arc<str>| self.has_thread_for(class_of(name), bounds);
        let at = self.waiting.iter().position(may_go)?;
        let class = class_of(&self.waiting[at]);
        let name = self.waiting.remove(at)?;
        self.busy[class as usize] += 1;
        if let Some(known) = self.names.get_mut(&name) {
            known.looking = Looking::Busy;
        }
        Some((name, class))
    }

    fn has_thread_for(&self, class: Class, bounds: &Bounds) -> bool {
        let [suspects, unproven, proven] = self.busy;
        let in_all = suspects + unproven + proven < bounds.threads;
        in_all
            && match class {
                Class::Suspect => suspects < bounds.suspects,
                Class::Unproven => suspects + unproven < bounds.unproven,
                Class::Proven => true,
            }
    }

    fn ended(&mut self, bounds: &Bounds, name: &str, class: Class, found: io::Result<Vec<IpAddr>>) {
        self.busy[class as usize] -= 1;
        if let Some(known) = self.names.get_mut(name) {
            known.ended(bounds, Instant::now(), found);
        }
    }

    /// Where there are many names, forgets those that nothing is known of any more.
    fn forget(&mut self, bounds: &Bounds, now: Instant) {
        if self.names.len() >= NAMES_MAX {
            self.names.retain(|_, name| {
                let known = name.known.as_ref().is_some_and(|(_, at)| now < *at + bounds.stale_for);
                let failed = name.failed.as_ref().is_some_and(|(_, until)| now < *until);
                name.looking != Looking::No || known || failed
            });
        }
    }
}

impl Name {
    fn new() -> Self {
        let changed = watch::Sender::default();
        Self { known: None, failed: None, late: 0, looking: Looking::No, changed }
    }

    fn class(&self) -> Class {
        match (self.late, &self.known) {
            (1.., _) => Class::Suspect,
            (0, None) => Class::Unproven,
            (0, Some(_)) => Class::Proven,
        }
    }

    /// What can be said without another look-up.
    fn answer(&self, bounds: &Bounds, now: Instant) -> Option<Result<Addresses, NameError>> {
        match (&self.known, &self.failed) {
            (_, Some((error, until))) if now < *until => {
                Some(self.stale(bounds, now, error.clone()))
            }
            (Some((addresses, at)), _) if now < *at + bounds.known_for => {
                Some(Ok(Arc::clone(addresses)))
            }
            _ if self.looking == Looking::Late => {
                Some(self.stale(bounds, now, NameError::TimedOut))
            }
            _ => None,
        }
    }

    /// Addresses of before, where the name server only did not answer.
    fn stale(
        &self,
        bounds: &Bounds,
        now: Instant,
        error: NameError,
    ) -> Result<Addresses, NameError> {
        match (&self.known, &error) {
            (_, NameError::Unknown(_)) | (None, _) => Err(error),
            (Some((addresses, at)), _) if now < *at + bounds.stale_for => Ok(Arc::clone(addresses)),
            (Some(_), _) => Err(error),
        }
    }

    fn ended(&mut self, bounds: &Bounds, now: Instant, found: io::Result<Vec<IpAddr>>) {
        self.looking = Looking::No;
        match found {
            Ok(addresses) if !addresses.is_empty() => {
                self.known = Some((addresses.into(), now));
                self.failed = None;
                self.late = 0;
            }
            // A name that takes too long keeps its pause whatever is said in the end.
            _ if self.late > 0 => {
                let until = now + bounds.pause(self.late);
                self.failed = Some((NameError::TimedOut, until));
            }
            Ok(_) => self.failed = Some((no_address(), now + bounds.unknown_for)),
            Err(error) => {
                self.failed = Some((NameError::Unknown(said(&error)), now + bounds.unknown_for));
            }
        }
        self.changed.send_replace(());
    }
}

impl Bounds {
    /// The pause after so many look-ups in a row that took too long.
    fn pause(&self, late: u32) -> Duration {
        let doubled = 1_u32.checked_shl(late.saturating_sub(1)).unwrap_or(u32::MAX);
        self.unknown_for.saturating_mul(doubled).min(self.pause_max)
    }
}

fn no_address() -> NameError {
    NameError::Unknown("the name has no address".to_owned())
}

/// What the system's resolver said, without what the standard library puts before it.
fn said(error: &io::Error) -> String {
    let text = error.to_string();
    text.trim_start_matches("failed to lookup address information: ").to_owned()
}

#[cfg(test)]
mod tests;
