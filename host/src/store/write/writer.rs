//! The writer: the one thread that changes the store, all that waits in one transaction.
//!
//! Takes what is queued and has it committed as a group. When nothing has been committed for a
//! second, the place does what it has left behind the last commits; after that the thread sleeps
//! until somebody asks. If a commit fails and that is the world's doing, [`super::outage`] sees it
//! through; if the file is damaged, it writes no more. Never looks into an operation.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::time::{Instant, timeout_at};

use super::group::{Drafted, GroupCommit, Turn};
use super::outage::Outage;
use super::place::Place;
use super::queue::{Closing, Message, Queued};
use crate::clock::Moment;
use crate::store::error::Error;
use crate::store::shared::Shared;
use crate::store::time::line::LineEnd;

/// Most operations in one transaction.
const BATCH_COUNT_MAX: usize = 4096;
/// No operation joins a transaction that has this much already.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// How long outcomes that nobody waits for wait for company, unless a store is opened otherwise.
pub(in crate::store) const COMPANY_WAIT: Duration = Duration::from_millis(1);
/// So many of them are company enough.
const COMPANY_MAX: usize = 64;
/// So many operations in one transaction are a rush.
const RUSH_COUNT: usize = 8;
/// How long the first operation behind a rush waits for company.
const RUSH_WAIT: Duration = Duration::from_micros(300);
/// If at least one in so many operations of a rush is an outcome that nobody waits for, the first
/// behind it waits for as long as such outcomes do.
const RUSH_OUTCOMES: usize = 4;
/// Behind a commit, until the place does what it has left if no other commit comes.
pub(in crate::store) const QUIET: Duration = Duration::from_secs(1);

/// The state of the writer's thread, whatever place it commits to.
#[derive(Debug)]
pub(in crate::store) struct Writer<P> {
    group: GroupCommit<P>,
    /// How long outcomes that nobody waits for wait for company.
    company_wait: Duration,
    /// Who waits for the end.
    closing: Vec<Closing>,
    /// When the last commit is [`QUIET`] ago.
    quiet_at: Option<Moment>,
    /// How many operations were taken last.
    last_count: usize,
    /// How many of them nobody waits for.
    last_patient: usize,
}

/// What the writer has to do next.
#[derive(Debug)]
enum Next {
    Take(Message),
    /// Nothing is queued, and the place has something left to do.
    Settle,
    /// Nobody is left who could ask.
    End,
}

impl<P: Place> Writer<P> {
    /// A writer that goes on at `end`.
    pub(in crate::store) fn new(
        shared: Arc<Shared>,
        place: P,
        line: LineEnd,
        end: u64,
        company_wait: Duration,
    ) -> Self {
        let group = GroupCommit::new(shared, place, line, end);
        let (closing, quiet_at, last_count, last_patient) = (Vec::new(), None, 0, 0);
        Self { group, company_wait, closing, quiet_at, last_count, last_patient }
    }

    /// Writes until nobody is left who could ask, or somebody closes the store; then finishes what
    /// is queued, moves the marks to the end and lets the place go.
    pub(in crate::store) fn run(mut self, mut queue: mpsc::Receiver<Message>, pauses: &Runtime) {
        let shared = Arc::clone(&self.group.shared);
        shared.written_here();
        let _alarm = Alarm(shared);
        loop {
            match self.next(&mut queue, pauses) {
                Next::Take(first) => {
                    let batch = self.gather(first, &mut queue, pauses);
                    if !batch.is_empty() && self.group.shared.check().is_ok() {
                        self.commit(batch, &mut queue, pauses);
                    }
                }
                Next::Settle => self.settle(&mut queue, pauses),
                Next::End => break,
            }
            if !self.closing.is_empty() {
                queue.close();
            }
        }
        let ended = self.group.rest();
        self.group.place.close();
        self.closing.into_iter().for_each(|closing| closing.tell(ended.clone()));
    }

    /// Waits for what comes next. Wakes by itself only if the place has something left to do.
    fn next(&self, queue: &mut mpsc::Receiver<Message>, pauses: &Runtime) -> Next {
        let Self { group, quiet_at, .. } = self;
        let is_left = || group.shared.check().is_ok() && group.place.is_behind();
        let quiet_at = match queue.try_recv() {
            Ok(message) => return Next::Take(message),
            Err(TryRecvError::Empty) => quiet_at.filter(|_| is_left()),
            // Somebody may be on the way in, in front of the end.
            Err(TryRecvError::Disconnected) => None,
        };
        let taken = |message: Option<Message>| message.map_or(Next::End, Next::Take);
        let Some(quiet_at) = quiet_at else { return taken(queue.blocking_recv()) };
        pauses.block_on(async {
            tokio::select! {
                biased;
                message = queue.recv() => taken(message),
                () = group.shared.clock.comes(quiet_at) => Next::Settle,
            }
        })
    }

    /// The operations of the next transaction: what waits, as far as there is room. What nobody
    /// waits for does not go alone, if something comes soon. In a rush nothing does: a commit costs
    /// the processors about the same for few as for many, and they are what there is too little of.
    fn gather(
        &mut self,
        first: Message,
        queue: &mut mpsc::Receiver<Message>,
        pauses: &Runtime,
    ) -> Vec<Queued> {
        if is_rush(self.last_count, queue.len()) {
            // Not on the queue: each that comes would wake this thread.
            thread::sleep(rush_wait((self.last_count, self.last_patient), self.company_wait));
        }
        let mut batch = Vec::new();
        let (mut bytes, mut patient) = (0, 0);
        let mut next = Some(first);
        let company_wait = self.company_wait;
        let mut company_until = None;
        while let Some(message) = next.take() {
            match message {
                Message::Perform(queued) => {
                    bytes += queued.op.bytes();
                    patient += usize::from(queued.op.is_patient());
                    batch.push(queued);
                }
                Message::Close(closing) => self.closing.push(closing),
            }
            if batch.len() < BATCH_COUNT_MAX && bytes < BATCH_BYTES_MAX {
                next = queue.try_recv().ok();
            }
            let is_patient = patient == batch.len() && !company_wait.is_zero();
            let waits = is_patient && self.closing.is_empty() && batch.len() < COMPANY_MAX;
            if next.is_none() && waits {
                let until = *company_until.get_or_insert_with(|| Instant::now() + company_wait);
                next = self.company(until, queue, pauses);
            }
        }
        (self.last_count, self.last_patient) = (batch.len(), patient);
        batch
    }

    /// What comes until then, for what may wait that long.
    fn company(
        &self,
        until: Instant,
        queue: &mut mpsc::Receiver<Message>,
        pauses: &Runtime,
    ) -> Option<Message> {
        if self.last_count < RUSH_COUNT {
            return pauses.block_on(async { timeout_at(until, queue.recv()).await.ok().flatten() });
        }
        // In a rush this thread is not woken for each.
        while Instant::now() < until {
            thread::sleep(RUSH_WAIT);
            if let Ok(message) = queue.try_recv() {
                return Some(message);
            }
        }
        None
    }

    fn commit(
        &mut self,
        mut batch: Vec<Queued>,
        queue: &mut mpsc::Receiver<Message>,
        pauses: &Runtime,
    ) {
        let Self { group, quiet_at, .. } = self;
        // What a reader meets from here on is looked after by the next group.
        let was_away = group.shared.is_away();
        let turn = group.write(&mut batch);
        if !matches!(turn, Turn::Nothing) {
            // Before anybody is answered: whoever lets time pass then knows from when on it counts.
            *quiet_at = Some(group.shared.clock.moment(QUIET));
        }
        let (batch, unsure, error) = match turn {
            Turn::Nothing => {
                batch.iter_mut().for_each(|queued| queued.op.tell());
                return group.come_back(was_away);
            }
            Turn::Committed(drafted, held) => {
                group.apply(batch, drafted, held);
                group.come_back(was_away);
                match group.place.tend() {
                    Ok(()) => return,
                    // Everybody has been answered: nothing waits for the end of that.
                    Err(error) => (Vec::new(), None, error),
                }
            }
            Turn::Failed(error) => (batch, None, error),
            Turn::Unsure(drafted, error) => (batch, Some(drafted), error),
        };
        self.suffer((batch, unsure), error, queue, pauses);
    }

    /// Has the place do what it has left behind the last commits.
    fn settle(&mut self, queue: &mut mpsc::Receiver<Message>, pauses: &Runtime) {
        if let Err(error) = self.group.place.settle() {
            // Everybody has been answered.
            self.suffer((Vec::new(), None), error, queue, pauses);
        }
    }

    /// Sees an error through: an outage passes, and any other is the end of all writing. What the
    /// batch drafted is given if it may hold nevertheless.
    fn suffer(
        &mut self,
        (batch, unsure): (Vec<Queued>, Option<Drafted>),
        error: Error,
        queue: &mut mpsc::Receiver<Message>,
        pauses: &Runtime,
    ) {
        let Self { group, closing, .. } = self;
        if matches!(error, Error::Unavailable(_)) {
            Outage::new(group, closing, batch, unsure, error).endure(queue, pauses);
        } else {
            group.shared.fail(error);
        }
    }
}

/// Says that the store has failed if its writer panics with nothing in hand: then nobody else does.
struct Alarm(Arc<Shared>);

impl Drop for Alarm {
    fn drop(&mut self) {
        self.0.fail_in_panic();
    }
}

/// Whether more operations will come soon, behind so many in the last transaction, and not enough
/// wait already.
fn is_rush(last: usize, waiting: usize) -> bool {
    last >= RUSH_COUNT && waiting < COMPANY_MAX
}

/// How long the first operation behind a rush waits. With outcomes among the last, there is more to
/// do than to take requests in, and their senders wait for the processors: of these a commit less
/// leaves more than the wait takes.
fn rush_wait((last, patient): (usize, usize), company_wait: Duration) -> Duration {
    if patient * RUSH_OUTCOMES >= last { company_wait.max(RUSH_WAIT) } else { RUSH_WAIT }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_behind_many_operations_others_are_waited_for_and_not_where_enough_wait() {
        assert!(!is_rush(0, 0) && !is_rush(RUSH_COUNT - 1, 0));
        assert!(is_rush(RUSH_COUNT, 0) && is_rush(4096, COMPANY_MAX - 1));
        assert!(!is_rush(4096, COMPANY_MAX));
    }

    #[test]
    fn a_rush_waits_longer_only_where_outcomes_are_a_part_of_it() {
        assert_eq!(rush_wait((40, 9), COMPANY_WAIT), RUSH_WAIT);
        assert_eq!(rush_wait((40, 10), COMPANY_WAIT), COMPANY_WAIT);
        assert_eq!(rush_wait((40, 40), Duration::ZERO), RUSH_WAIT);
    }
}
