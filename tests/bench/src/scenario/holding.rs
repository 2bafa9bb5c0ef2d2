//! Holding: the greatest rate at which events are delivered as fast as they come in.
//!
//! A rate holds if all of it has arrived shortly after the last was due, and if what was sent late
//! took hardly longer than what was sent early: then no backlog grows. One that does not hold is
//! tried twice, so that a hiccup of the machine is not taken for the limit. How fast a backlog
//! drains says where to look first. Never goes on with a gateway that has fallen behind.

mod search;

use std::time::{Duration, Instant};

use super::passing::received;
use super::{Stage, count};
use crate::figure::{Figure, Unit};
use crate::gateway::{Gateway, Path};
use crate::load::{Closed, Schedule, closed, open};
use crate::processor::{Usage, metered};
use crate::receiver::Receiver;
use crate::supply::Supply;
use crate::times::Times;

/// From one rate to the next.
const STEP: usize = 250;
/// Nobody looks further: there are twice as many payloads, for the warm-up.
const RATE_MAX: usize = 60_000;
/// What falls behind by more than this is behind for good.
const LAG_MAX: Duration = Duration::from_millis(250);
/// What the median of the last quarter may take longer than that of the second. In the second that
/// lies between them by default, a rate that is too high by a twentieth adds as much.
const GROWTH_MAX: Duration = Duration::from_millis(50);
/// For everything of the warm-up to arrive.
const WARM_UP_MAX: Duration = Duration::from_secs(15);
/// Connections of the flood that makes a backlog, and of the relay that rates are compared with.
const CONNECTIONS: usize = 64;

pub(super) fn rates(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    [(Path::Delivering, "without a handler"), (Path::Handling, "with a handler in between")]
        .into_iter()
        .map(|(path, what)| most(stage, path, what))
        .collect()
}

/// What a rate that holds came to.
struct Held {
    rate: usize,
    times: Times,
    usage: Usage,
    events: usize,
    memory: u64,
}

fn most(stage: &Stage, path: Path, what: &str) -> anyhow::Result<Figure> {
    let first = drained(stage, path)? / STEP;
    let mut trial = Trial { stage, path, running: None, held: None };
    let steps = search::greatest(first.max(1), RATE_MAX / STEP, |steps| {
        Ok(trial.holds(steps * STEP)? || trial.holds(steps * STEP)?)
    })?;
    let figure = Figure::new(what).value("", Unit::PerSecond, (steps * STEP) as f64);
    let Some(held) = trial.held else { return Ok(figure) };
    let figure = figure.times(held.times).usage(held.usage, held.events).memory(held.memory);
    Ok(figure.of_relay("", CONNECTIONS))
}

/// How many a second are delivered of a backlog, a little less than which may hold.
fn drained(stage: &Stage, path: Path) -> anyhow::Result<usize> {
    let running = Running::start(stage, path)?;
    let load =
        Closed { to: running.gateway.public, connections: CONNECTIONS, time: stage.closed / 4 };
    closed(load, &running.supply)?;
    let arrivals = &running.receiver.arrivals;
    let (before, began) = (arrivals.count(), Instant::now());
    arrivals.wait(running.supply.taken(), stage.closed / 2);
    let drained = (arrivals.count() - before) as f64 / began.elapsed().as_secs_f64();
    Ok((drained * 0.9) as usize)
}

/// Rates that are tried one after the other.
struct Trial<'a> {
    stage: &'a Stage,
    path: Path,
    /// The gateway that has kept up so far.
    running: Option<Running>,
    /// What the greatest rate that has held came to.
    held: Option<Held>,
}

impl Trial<'_> {
    fn holds(&mut self, rate: usize) -> anyhow::Result<bool> {
        let time = self.stage.closed;
        let kept = self.running.take();
        let running = match kept.filter(|running| running.supply.left() >= count(rate, time)) {
            Some(running) => running,
            None => {
                let running = Running::start(self.stage, self.path)?;
                running.warm_up(rate / 2, time / 4)?;
                running
            }
        };
        let Some(held) = running.hold(rate, time)? else {
            eprintln!("{rate}/s does not hold");
            return Ok(false);
        };
        self.running = Some(running);
        if self.held.as_ref().is_none_or(|before| before.rate <= rate) {
            self.held = Some(held);
        }
        Ok(true)
    }
}

/// A gateway with its endpoint and what is left to be sent to it. Killed when dropped, with what it
/// has not delivered.
struct Running {
    gateway: Gateway,
    receiver: Receiver,
    supply: Supply,
}

impl Running {
    fn start(stage: &Stage, path: Path) -> anyhow::Result<Self> {
        let receiver = Receiver::start()?;
        let gateway = stage.workplace.start(path, receiver.address)?;
        Ok(Self { gateway, receiver, supply: Supply::once(&stage.batch) })
    }

    fn warm_up(&self, rate: usize, time: Duration) -> anyhow::Result<()> {
        let part = self.supply.part(count(rate, time));
        open(self.gateway.public, Schedule::new(rate.max(1), &part), &part)?;
        self.receiver.arrivals.wait(part.end(), WARM_UP_MAX);
        Ok(())
    }

    /// Sends at a rate, if it holds.
    fn hold(&self, rate: usize, time: Duration) -> anyhow::Result<Option<Held>> {
        let part = self.supply.part(count(rate, time));
        let schedule = Schedule::new(rate, &part);
        let send = || open(self.gateway.public, schedule, &part);
        let usage = match metered(self.gateway.process(), schedule.span(), send) {
            Ok((_, usage)) => usage,
            Err(error) => {
                // Such as 503: it was more than is accepted.
                eprintln!("{rate}/s: {error}");
                return Ok(None);
            }
        };
        // From when the last was due, not from when it could be sent.
        let late = schedule.at(part.end()) + LAG_MAX;
        let rest = late.saturating_duration_since(Instant::now());
        if !self.receiver.arrivals.wait(part.end(), rest) {
            return Ok(None);
        }
        let numbers = schedule.numbers();
        let quarter = numbers.len() / 4;
        let took = |numbers| received(&self.receiver, schedule, numbers);
        let early = took(numbers.start + quarter..numbers.start + 2 * quarter).median();
        let last = took(numbers.end - quarter..numbers.end).median();
        if last > early + GROWTH_MAX {
            return Ok(None);
        }
        let (times, events) = (took(numbers.clone()), numbers.len());
        let memory = self.gateway.memory_peak()?;
        Ok(Some(Held { rate, times, usage, events, memory }))
    }
}
