//! Whose call is next: a queue for each source or handler, served by how little time it has had.
//!
//! Pure: it is told the time and never runs anything. Five rules keep one from starving another.
//!
//! - *Least served first.* Each queue is charged the time that its calls took, so that a source
//!   whose calls are dear waits for those whose calls are cheap, and never the other way round. Who
//!   comes back after a pause starts level with the others: a pause earns nothing.
//! - *Never all threads.* A quick queue has at most all threads but one; one of which nothing is
//!   known yet has one, and the last is never for those. Slow queues, whose calls take long on
//!   average, have threads of their own: half as many, a quarter for each.
//! - *Never for long.* A call that runs for longer than quick ones do no longer counts as one of
//!   the threads: there are as many again that stand by. So even where several quick queues turn
//!   slow at once, the others wait for that moment, and not for anybody's deadline.
//! - *A rest for who spins.* A queue of whose calls one in three or more use up their time rests
//!   for nine times as long as each of these took: where cores are short, it would take from
//!   everybody what it never gives back. As long as most of its calls return it never rests, so
//!   whoever sends a source now and then the one request that its plugin spins on does not hold up
//!   its others for longer than that call.
//! - *Always room.* A queue may be as long as there is room left behind all of them, so the first
//!   that floods gets half of the room, the second a quarter, and some is left for everybody.
//!
//! A caller that leaves before its turn is charged nothing and changes nothing: otherwise whoever
//! sends dear requests and hangs up would look cheap.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::ids::Name;

/// How far behind the others a queue can fall: what is older is forgiven.
const DEBT_MAX: Duration = Duration::from_secs(1);

/// The newest call counts for this share of the average.
const NEWEST: u64 = 8;

/// A call that uses up its time strains its queue by so much, and one that returns in its time
/// relieves it by one.
const STRAIN: u32 = 2;
/// A queue that is strained by so much rests: after three such calls in a row.
const PATIENCE: u32 = 6;
/// No queue is strained by more, so that it soon works again once it does.
const STRAIN_MAX: u32 = 2 * PATIENCE;
/// It rests for so many times as long as the last of them took.
const REST: u32 = 9;

/// Who waits for a thread. `None` is the host itself, which checks and signs; it is never slow.
pub(super) type Key = Option<Name>;

/// There is no room left behind the calls that wait.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// The queues of a pool, and what its threads do.
#[derive(Debug)]
pub(super) struct Fair<T> {
    /// So many calls are made at a time, but for those that run long.
    most: usize,
    /// Most calls that wait.
    room: usize,
    /// A queue whose calls take longer on average is slow.
    slow_ns: u64,
    queues: Vec<Queue<T>>,
    numbers: HashMap<Key, usize>,
    /// The queues in which somebody waits, the least served first.
    rotation: BTreeSet<(u64, usize)>,
    /// What each thread does: first those for quick calls, those that stand by included, then those
    /// for slow ones.
    threads: Vec<Option<Running>>,
    waiting: usize,
    /// What the queue that was served last had been served before.
    level: u64,
}

#[derive(Debug)]
struct Queue<T> {
    waiting: VecDeque<T>,
    running: usize,
    /// Nanoseconds that its calls took, or are expected to take while they run.
    served: u64,
    /// Nanoseconds that one call takes on average; nothing before the first has ended.
    mean: Option<u64>,
    /// How many of its calls used up their time lately.
    strain: u32,
    rests_until: Option<Instant>,
    is_host: bool,
}

#[derive(Debug, Clone, Copy)]
struct Running {
    queue: usize,
    since: Instant,
    /// What the queue was charged in advance.
    charged: u64,
}

/// How what a thread did has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// Nobody waited for it any more, so there was no call.
    Uncalled,
    /// In its time.
    Returned,
    /// Its time was used up.
    Spent,
}

/// What a thread is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Calls that are quick, or not known to be slow.
    Quick,
    /// Calls of slow queues.
    Slow,
}

impl Kind {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Quick => Self::Slow,
            Self::Slow => Self::Quick,
        }
    }
}

/// What is known of a queue's calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    New,
    Quick,
    Slow,
}

impl<T> Fair<T> {
    /// For so many threads, with room for so many calls that wait. A queue is slow when its calls
    /// take longer than `slow` on average.
    pub(super) fn new(threads: usize, room: usize, slow: Duration) -> Self {
        Self {
            most: threads.max(1),
            room,
            slow_ns: nanos(slow),
            queues: Vec::new(),
            numbers: HashMap::new(),
            rotation: BTreeSet::new(),
            threads: vec![None; all_threads(threads)],
            waiting: 0,
            level: 0,
        }
    }

    /// Whether somebody waits.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting > 0
    }

    /// A call joins its queue.
    pub(super) fn enter(&mut self, key: &Key, call: T) -> Result<(), Full> {
        let number = self.number(key);
        let room = self.room.saturating_sub(self.waiting);
        let level = self.level;
        let queue = &mut self.queues[number];
        if queue.waiting.len() >= room {
            return Err(Full);
        }
        if queue.waiting.is_empty() {
            if queue.running == 0 {
                queue.served = queue.served.clamp(level, level.saturating_add(nanos(DEBT_MAX)));
            }
            self.rotation.insert((queue.served, number));
        }
        queue.waiting.push_back(call);
        self.waiting += 1;
        Ok(())
    }

    /// Whether a thread of this kind that has nothing to do could do something.
    pub(super) fn has_next(&self, kind: Kind, now: Instant) -> bool {
        self.first(kind, now).is_some()
    }

    /// When the first of those who wait has rested, if anybody rests.
    pub(super) fn rested_at(&self, now: Instant) -> Option<Instant> {
        let rests = self.rotation.iter().filter_map(|(_, number)| self.queues[*number].rests_until);
        rests.filter(|until| *until > now).min()
    }

    /// What kind of thread this is.
    pub(super) fn kind(&self, thread: usize) -> Kind {
        if thread < 2 * self.most { Kind::Quick } else { Kind::Slow }
    }

    /// The call that this thread makes next, if one may be made.
    pub(super) fn next(&mut self, thread: usize, now: Instant) -> Option<T> {
        let turn = self.first(self.kind(thread), now)?;
        let (served, number) = turn;
        let queue = &mut self.queues[number];
        let call = queue.waiting.pop_front()?;
        let charged = queue.mean.unwrap_or(0);
        queue.running += 1;
        queue.served = queue.served.saturating_add(charged);
        self.waiting -= 1;
        self.level = self.level.max(served);
        self.rotation.remove(&turn);
        if !queue.waiting.is_empty() {
            self.rotation.insert((queue.served, number));
        }
        self.threads[thread] = Some(Running { queue: number, since: now, charged });
        Some(call)
    }

    /// What this thread did has ended.
    pub(super) fn ended(&mut self, thread: usize, now: Instant, ended: Ended) {
        let Some(running) = self.threads[thread].take() else { return };
        let Running { queue: number, since, charged } = running;
        let made = ended != Ended::Uncalled;
        let time = if made { now.saturating_duration_since(since) } else { Duration::ZERO };
        let took = nanos(time);
        let queue = &mut self.queues[number];
        match ended {
            Ended::Uncalled => (),
            Ended::Returned => {
                queue.strain = queue.strain.saturating_sub(1);
                queue.rests_until = None;
            }
            Ended::Spent => {
                queue.strain = (queue.strain + STRAIN).min(STRAIN_MAX);
                let rests = queue.strain >= PATIENCE;
                queue.rests_until = rests.then(|| now + time.saturating_mul(REST));
            }
        }
        queue.running -= 1;
        let turn = (queue.served, number);
        queue.served = (queue.served - charged).saturating_add(took);
        if made {
            let mean = queue.mean.unwrap_or(took);
            queue.mean = Some(mean - mean / NEWEST + took / NEWEST);
        }
        if self.rotation.remove(&turn) {
            self.rotation.insert((queue.served, number));
        }
    }

    fn number(&mut self, key: &Key) -> usize {
        if let Some(number) = self.numbers.get(key) {
            return *number;
        }
        let number = self.queues.len();
        self.numbers.insert(key.clone(), number);
        self.queues.push(Queue {
            waiting: VecDeque::new(),
            running: 0,
            served: 0,
            mean: None,
            strain: 0,
            rests_until: None,
            is_host: key.is_none(),
        });
        number
    }

    /// The least served queue of those that may have one thread more of this kind.
    fn first(&self, kind: Kind, now: Instant) -> Option<(u64, usize)> {
        if self.rotation.is_empty() {
            return None;
        }
        let most = self.most;
        if kind == Kind::Slow {
            let may_run = |number: usize| {
                let queue = &self.queues[number];
                self.pace(number, now) == Pace::Slow
                    && queue.running < share(most / 4)
                    && queue.rests_until.is_none_or(|until| until <= now)
            };
            return self.rotation.iter().find(|(_, number)| may_run(*number)).copied();
        }
        // How many of these threads are taken, how many of them for no longer than quick calls
        // take, and how many of those by queues that are not known to be quick.
        let mut taken = 0;
        let mut fresh = 0;
        let mut doubtful = 0;
        for running in self.threads[..2 * most].iter().flatten() {
            let is_fresh = !self.runs_long(running, now);
            let is_quick = self.pace(running.queue, now) == Pace::Quick;
            taken += 1;
            fresh += usize::from(is_fresh);
            doubtful += usize::from(is_fresh && !is_quick);
        }
        if fresh >= most {
            return None;
        }
        let last_is_left = doubtful < share(most - 1) && taken + 1 < 2 * most;
        let may_run = |number: usize| {
            let running = self.queues[number].running;
            match self.pace(number, now) {
                Pace::Quick => running < share(most - 1),
                Pace::New => running == 0 && last_is_left,
                Pace::Slow => false,
            }
        };
        self.rotation.iter().find(|(_, number)| may_run(*number)).copied()
    }

    fn runs_long(&self, running: &Running, now: Instant) -> bool {
        nanos(now.saturating_duration_since(running.since)) > self.slow_ns
    }

    fn pace(&self, number: usize, now: Instant) -> Pace {
        let queue = &self.queues[number];
        if queue.is_host {
            return Pace::Quick;
        }
        let runs_long = |running: &Running| running.queue == number && self.runs_long(running, now);
        let slow = queue.mean.is_some_and(|mean| mean > self.slow_ns)
            || queue.running > 0 && self.threads.iter().flatten().any(runs_long);
        match (slow, queue.mean) {
            (true, _) => Pace::Slow,
            (false, None) => Pace::New,
            (false, Some(_)) => Pace::Quick,
        }
    }
}

/// The threads that there are where so many quick calls are made at a time: as many again stand by,
/// and half as many are for slow ones.
pub(in crate::plugin) fn all_threads(most: usize) -> usize {
    let most = most.max(1);
    2 * most + share(most / 2)
}

/// A share of the threads; nobody's is none at all.
fn share(threads: usize) -> usize {
    threads.max(1)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
