//! What must become of everything, in a few lines: no store, no wasm, no sockets.
//!
//! Time goes in ticks. A delay is rounded up to them, jitter and all, so that the model knows
//! exactly what is due: no delay of the gateway may lie on a tick.

use std::collections::{BTreeMap, VecDeque};

use hookgate::store::{KindStats, WorkKind};

use super::command::{Act, Broken, Command, LATER_MS, SUBJECTS, Then};

/// A tick, in seconds.
pub(super) const TICK_SECS: u64 = 40;

/// The endpoints' names; the first gets what comes in, both get what the guest emits.
pub(super) const ENDPOINTS: [&str; 2] = ["crm", "books"];

/// The endpoints' delays: a tick and two. A breaker would hold them back for pauses that no model
/// of a few lines foresees.
pub(super) const RETRIES: &str = "retries = [\"20s\", \"1m\"]\nuse_breaker = false";

/// What an endpoint asks for when it wants to be tried later.
pub(super) const LATER_SECS: u64 = 120;

/// The ticks before the next try of an endpoint, of a run that failed, and of one that broke.
const ENDPOINT_DELAYS: &[i64] = &[1, 2];
const RUN_DELAYS: &[i64] = &[1, 1, 2];
const CRASH_DELAYS: &[i64] = &[1, 1, 2];

/// What an endpoint does with what it gets. It always answers: one that does not is held back too.
/// And it never says that it is gone: that disables it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behaviour {
    Accept,
    Unavailable,
    /// Asks to come again later.
    Later,
}

/// What is to be done, and with what.
#[derive(Debug, Clone)]
pub(super) enum Task {
    Parse(Command),
    /// Of this event; without a command it came of a run.
    Run {
        event: String,
        subject: usize,
        command: Option<Command>,
    },
    /// Of what is called so, to this endpoint.
    Delivery {
        what: String,
        endpoint: usize,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// From this tick on.
    Due(i64),
    /// Behind another of its subject.
    Blocked,
    Done,
    Dead,
}

#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) task: Task,
    pub(super) standing: Standing,
    /// Since it was opened.
    tries: u32,
    /// What a run that counted has counted to.
    pub(super) count: Option<u8>,
}

/// How a try ended.
enum Ended {
    Well,
    Badly,
    /// Another try after so many ticks, of which the next is given.
    Again(Option<i64>),
}

/// Everything that should be.
#[derive(Debug)]
pub(super) struct Model {
    /// In ticks.
    pub(super) now: i64,
    pub(super) works: Vec<Work>,
    pub(super) behaviours: [Behaviour; 2],
    /// What has arrived how often, by endpoint and what it is called.
    pub(super) attempts: BTreeMap<(usize, String), usize>,
    /// The open runs of each subject; the first is its turn.
    lanes: [VecDeque<usize>; SUBJECTS],
    counts: [u8; SUBJECTS],
}

impl Model {
    pub(super) fn new() -> Self {
        Self {
            now: 0,
            works: Vec::new(),
            behaviours: [Behaviour::Accept; 2],
            attempts: BTreeMap::new(),
            lanes: Default::default(),
            counts: [0; SUBJECTS],
        }
    }

    /// A request was accepted.
    pub(super) fn accept(&mut self, command: Command) {
        self.open(Task::Parse(command));
    }

    /// Does everything that is due.
    pub(super) fn settle(&mut self) {
        let now = self.now;
        let due = |work: &Work| matches!(work.standing, Standing::Due(due) if due <= now);
        while let Some(number) = self.works.iter().position(due) {
            self.try_now(number);
        }
    }

    /// Whether no run of this subject is open.
    pub(super) fn is_free(&self, subject: usize) -> bool {
        self.lanes[subject].is_empty()
    }

    /// A dead work is opened again.
    pub(super) fn reopen(&mut self, number: usize) {
        let Work { task, standing, tries, .. } = &mut self.works[number];
        assert_eq!(*standing, Standing::Dead, "only what is dead is replayed: {task:?}");
        (*standing, *tries) = (Standing::Due(self.now), 0);
        if let Task::Run { subject, .. } = task {
            assert!(self.lanes[*subject].is_empty(), "its order would be unknown");
            self.lanes[*subject].push_back(number);
        }
    }

    /// Another edition of the guest: what could not be parsed is tried again.
    pub(super) fn reload(&mut self) {
        for number in 0..self.works.len() {
            let work = &self.works[number];
            if matches!(work.task, Task::Parse(_)) && work.standing == Standing::Dead {
                self.reopen(number);
            }
        }
    }

    /// Whether nothing will be tried any more by itself.
    pub(super) fn is_finished(&self) -> bool {
        let finished = |work: &Work| matches!(work.standing, Standing::Done | Standing::Dead);
        self.works.iter().all(finished)
    }

    /// As the gateway counts.
    pub(super) fn stats(&self) -> BTreeMap<WorkKind, KindStats> {
        let mut stats: BTreeMap<_, _> =
            WorkKind::ALL.into_iter().map(|kind| (kind, KindStats::default())).collect();
        for work in &self.works {
            let kind = match work.task {
                Task::Parse(_) => WorkKind::Parse,
                Task::Run { .. } => WorkKind::Run,
                Task::Delivery { .. } => WorkKind::Delivery,
            };
            let stats = stats.get_mut(&kind).expect("all kinds are there");
            match work.standing {
                Standing::Due(_) => stats.retrying += 1,
                Standing::Blocked => stats.blocked += 1,
                Standing::Dead => stats.dead += 1,
                Standing::Done => (),
            }
        }
        stats
    }

    fn open(&mut self, task: Task) {
        let mut standing = Standing::Due(i64::MIN);
        if let Task::Run { subject, .. } = &task {
            let lane = &mut self.lanes[*subject];
            if !lane.is_empty() {
                standing = Standing::Blocked;
            }
            lane.push_back(self.works.len());
        }
        self.works.push(Work { task, standing, tries: 0, count: None });
    }

    /// A new event, with what is owed of it.
    fn event(&mut self, event: &str, subject: usize, command: Option<Command>) {
        let emitted = command.is_none();
        self.open(Task::Run { event: event.to_owned(), subject, command });
        for endpoint in 0..if emitted { 2 } else { 1 } {
            self.open(Task::Delivery { what: event.to_owned(), endpoint });
        }
    }

    fn try_now(&mut self, number: usize) {
        self.works[number].tries += 1;
        let tries = self.works[number].tries;
        let task = self.works[number].task.clone();
        let ended = match &task {
            Task::Parse(command) => self.parse(command, tries),
            Task::Run { subject, command, .. } => {
                self.run(number, *subject, command.as_ref(), tries)
            }
            Task::Delivery { what, endpoint } => self.deliver(what, *endpoint, tries),
        };
        self.works[number].standing = match ended {
            Ended::Well => Standing::Done,
            Ended::Badly | Ended::Again(None) => Standing::Dead,
            Ended::Again(Some(ticks)) => {
                return self.works[number].standing = Standing::Due(self.now + ticks);
            }
        };
        let Task::Run { subject, .. } = task else { return };
        let lane = &mut self.lanes[subject];
        assert_eq!(lane.pop_front(), Some(number), "only the first of a lane is tried");
        if let Some(next) = lane.front() {
            self.works[*next].standing = Standing::Due(i64::MIN);
        }
    }

    fn parse(&mut self, command: &Command, tries: u32) -> Ended {
        if command.events == 0 {
            return match command.broken {
                Broken::Fail => Ended::Badly,
                Broken::Trap => again(CRASH_DELAYS, tries, 0),
            };
        }
        for event in command.event_ids() {
            self.event(&event, command.subject, Some(command.clone()));
        }
        Ended::Well
    }

    fn run(
        &mut self,
        number: usize,
        subject: usize,
        command: Option<&Command>,
        tries: u32,
    ) -> Ended {
        let Some(command) = command else { return Ended::Well };
        let fails = tries < command.until;
        match command.then {
            Then::Fail => return Ended::Badly,
            Then::Trap if fails => return again(CRASH_DELAYS, tries, 0),
            Then::Retry if fails => return again(RUN_DELAYS, tries, 0),
            Then::RetryLater if fails => return again(RUN_DELAYS, tries, LATER_MS / 1000),
            _ => (),
        }
        match command.act {
            Act::Nothing => (),
            Act::Count => {
                self.counts[subject] += 1;
                self.works[number].count = Some(self.counts[subject]);
            }
            Act::Emit => self.event(&format!("by {}", command.id), subject, None),
            Act::Send => {
                let what = format!("for {}", command.id);
                self.open(Task::Delivery { what, endpoint: 1 });
            }
        }
        Ended::Well
    }

    fn deliver(&mut self, what: &str, endpoint: usize, tries: u32) -> Ended {
        *self.attempts.entry((endpoint, what.to_owned())).or_default() += 1;
        match self.behaviours[endpoint] {
            Behaviour::Accept => Ended::Well,
            Behaviour::Unavailable => again(ENDPOINT_DELAYS, tries, 0),
            Behaviour::Later => again(ENDPOINT_DELAYS, tries, LATER_SECS),
        }
    }
}

/// The next try, not before the delay that was asked for.
fn again(delays: &[i64], tries: u32, asked_secs: u64) -> Ended {
    let asked = i64::try_from(asked_secs.div_ceil(TICK_SECS)).expect("it is short");
    Ended::Again(delays.get(tries as usize - 1).map(|ticks| asked.max(*ticks)))
}
