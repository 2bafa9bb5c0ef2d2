//! Rehearsal: a version of a plugin runs again what is stored, and what it makes of that is held
//! against what is recorded.
//!
//! Stands on the store's past, on calls of plugins outside of all pools, and on the proof that a
//! request is genuine. Of what the guests ask for nothing is committed: state comes from the
//! recorded writes, as it was at each try. On threads of its own, of which two run guests, all at
//! the lowest priority, and with bounded memory however much is stored. Never writes anything, and
//! shows no value of a handler's state but what the guest itself says of it.

mod ask;
mod compared;
mod crew;
mod difference;
mod emission;
mod handler;
mod outcome;
mod provider;
mod report;
mod state;
mod tally;

#[cfg(test)]
mod tests;

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

pub use self::ask::{Ask, Progress, SourceSetup, Stage};
use self::compared::Compared;
use self::crew::{Crew, crewed};
use self::handler::Handlers;
use self::provider::Providers;
pub use self::report::{Group, Measured, Report, Sample};
use self::tally::Tally;
use crate::causes::words;
use crate::ids::Id;
use crate::plugin::Role;
use crate::priority::yield_to_others;
use crate::store::{self, Past, PastItem};

/// A view of the store is let go after this time: it keeps removed volumes and old pages alive.
const VIEW_TIME: Duration = Duration::from_secs(5);
/// So many calls in a row that run into their deadline end a rehearsal.
const LATE_MAX: usize = 20;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Somebody cancelled it.
    #[error("the rehearsal was cancelled")]
    Cancelled,
    /// The plugin spins: each call took as long as it may.
    #[error(
        "the rehearsal ended: the plugin did not return within its deadline in {most} calls in a \
         row",
        most = LATE_MAX
    )]
    Stuck,
    /// The plugin can't be called in this role.
    #[error("the plugin is not a {0}")]
    NoSuchRole(Role),
    /// A thread could not be had.
    #[error("failed to start a thread for the rehearsal: {0}")]
    Thread(#[source] io::Error),
    /// It panicked.
    #[error("the rehearsal panicked: {0}")]
    Panicked(String),
}

/// Runs again what is stored and was asked for, oldest first, and compares. Blocks until that is
/// done, or cancelled by its progress, which cuts off the calls that are under way. Two rehearsals
/// of the same past give the same report, but for the [times](Report::measured).
///
/// What happens to the store meanwhile is not seen: it ends where the log ended when it began.
pub fn rehearse(
    past: Past,
    stage: &Stage,
    ask: &Ask,
    progress: &Progress,
) -> Result<Report, Error> {
    let stage = &Stage { host: stage.host.until(progress.end()), ..stage.clone() };
    apart(move || {
        let version = match ask.role {
            Role::Handler => ask.plugin.handler().map(|info| info.version.as_str()),
            Role::Provider => ask.plugin.provider().map(|info| info.version.as_str()),
        };
        let version = version.ok_or(Error::NoSuchRole(ask.role))?;
        let tally = match ask.role {
            Role::Handler => {
                let from = handler::begin(&past, ask)?;
                let play = Handlers::new(&past, stage, ask);
                let perform = |work| handler::perform(stage, ask, work);
                crewed(perform, |crew| drive(past, from, play, crew, (ask, progress)))?
            }
            Role::Provider => {
                let from = ask.since.map_or(Ok(0), |since| past.begin_at(since))?;
                let play = Providers::new(&past, stage, ask);
                let perform = |work| provider::perform(stage, ask, work);
                crewed(perform, |crew| drive(past, from, play, crew, (ask, progress)))?
            }
        };
        Ok(tally.report(ask, version))
    })
}

/// What a rehearsal makes of what is recorded, in one role.
trait Play {
    /// Something to run again.
    type Work: Send;

    /// What there is to run again of an item, if anything. Nothing that is under way stands before
    /// `oldest`.
    fn meet(
        &mut self,
        past: &Arc<Past>,
        item: PastItem,
        tally: &mut Tally,
        oldest: Option<u64>,
    ) -> Result<Option<Self::Work>, store::Error>;

    /// What is recorded from this position on is read of another view.
    fn renewed(&mut self, past: &Past, position: u64);

    /// Whether something else has brought this before that receipt could.
    fn is_known(&self, receipt: Id, brings: u64) -> bool;
}

/// Walks over what is recorded, gives what there is to run again to the crew, and counts what comes
/// back, in the order in which it was given.
fn drive<P: Play>(
    past: Past,
    from: u64,
    mut play: P,
    crew: &mut Crew<P::Work, Compared>,
    (ask, progress): (&Ask, &Progress),
) -> Result<Tally, Error> {
    let end = past.end();
    let mut past = Arc::new(past);
    let mut lead = Lead { tally: Tally::default(), given: 0, end, ask, progress };
    let mut position = from;
    progress.begin(from, end);
    while position < end {
        let began = Instant::now();
        let mut stepped = Ok(false);
        let view = Arc::clone(&past);
        position = view.walk(position, &mut |item| {
            stepped = lead.step(&mut play, crew, &view, item);
            match &stepped {
                Ok(false) if began.elapsed() < VIEW_TIME => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            }
        })?;
        if stepped? {
            break;
        }
        past = Arc::new(past.renewed()?);
        play.renewed(&past, position);
    }
    while let Some(result) = crew.back()? {
        lead.take(&play, result)?;
    }
    progress.reach(end);
    Ok(lead.tally)
}

/// A rehearsal on its way.
struct Lead<'a> {
    tally: Tally,
    /// How many works the crew was given.
    given: u64,
    /// The log ended here when it began.
    end: u64,
    ask: &'a Ask,
    progress: &'a Progress,
}

impl Lead<'_> {
    /// Meets an item; says whether that is enough.
    fn step<P: Play>(
        &mut self,
        play: &mut P,
        crew: &mut Crew<P::Work, Compared>,
        past: &Arc<Past>,
        item: PastItem,
    ) -> Result<bool, Error> {
        let position = item.position();
        if position >= self.end {
            return Ok(true);
        }
        self.progress.reach(position);
        self.check()?;
        let met = play.meet(past, item, &mut self.tally, crew.oldest())?;
        let Some(work) = met else { return Ok(false) };
        if let Some(result) = crew.give(position, work)? {
            self.take(play, result)?;
        }
        self.given += 1;
        Ok(self.given >= self.ask.limit)
    }

    /// Counts what has come back.
    fn take<P: Play>(&mut self, play: &P, result: Result<Compared, String>) -> Result<(), Error> {
        match result {
            Ok(compared) => self.tally.take(compared, |id, brings| play.is_known(id, brings)),
            Err(words) => {
                tracing::error!("the gateway panicked in a rehearsal: {words}");
                self.tally.miss(outcome::GATEWAY_FAILED);
            }
        }
        self.check()?;
        if self.tally.late_in_a_row() >= LATE_MAX { Err(Error::Stuck) } else { Ok(()) }
    }

    fn check(&self) -> Result<(), Error> {
        if self.progress.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }
}

/// Does it on a thread of its own that yields to all others, and waits for it.
fn apart<T: Send>(work: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    thread::scope(|scope| {
        let work = || {
            yield_to_others();
            work()
        };
        let thread = thread::Builder::new().name("rehearsal".to_owned());
        let thread = thread.spawn_scoped(scope, work).map_err(Error::Thread)?;
        thread.join().unwrap_or_else(|panic| Err(Error::Panicked(words(&*panic))))
    })
}
