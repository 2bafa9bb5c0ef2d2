//! The most that holds: faster and faster, until deliveries fall behind what comes in.
//!
//! A rate holds if everything has arrived shortly after the last was due to be sent. One that does
//! not is tried twice, so that a hiccup of the machine is not taken for the limit.

use std::time::{Duration, Instant};

use super::{Stage, count};
use crate::figure::{Figure, Unit};
use crate::gateway::{Gateway, Path};
use crate::load::{Schedule, open};
use crate::receiver::Receiver;
use crate::supply::Supply;

/// From one rate to the next.
const STEP: usize = 500;
/// Nobody looks further.
const RATE_MAX: usize = 20_000;
/// What falls behind by more than this is behind for good: about a tenth of the time of a step.
const LAG_MAX: Duration = Duration::from_millis(250);
/// For a backlog to go away before the next step.
const DRAIN_MAX: Duration = Duration::from_secs(15);

pub(super) fn rates(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let figure = |(path, what): (Path, &str)| {
        let rate = most(stage, path)? as f64;
        Ok(Figure::new(what).value("", Unit::PerSecond, rate))
    };
    [(Path::Delivering, "without a handler"), (Path::Handling, "with a handler in between")]
        .into_iter()
        .map(figure)
        .collect()
}

fn most(stage: &Stage, path: Path) -> anyhow::Result<usize> {
    let receiver = Receiver::start()?;
    let gateway = stage.workplace.start(path, receiver.address)?;
    let supply = Supply::once(&stage.batch);
    let holds = |rate: usize| -> anyhow::Result<bool> {
        Ok(holds(stage, &gateway, &receiver, &supply, rate)?
            || holds(stage, &gateway, &receiver, &supply, rate)?)
    };
    // In strides, then once by half of one.
    let mut most = 0;
    while most + 2 * STEP <= RATE_MAX && holds(most + 2 * STEP)? {
        most += 2 * STEP;
    }
    if holds(most + STEP)? {
        most += STEP;
    }
    gateway.stop()?;
    Ok(most)
}

fn holds(
    stage: &Stage,
    gateway: &Gateway,
    receiver: &Receiver,
    supply: &Supply,
    rate: usize,
) -> anyhow::Result<bool> {
    let part = supply.part(count(rate, stage.closed));
    if part.is_empty() {
        return Ok(false);
    }
    let schedule = Schedule::new(rate, &part);
    if let Err(error) = open(gateway.public, schedule, &part) {
        // Such as 503: it was more than is accepted.
        eprintln!("{rate}/s does not hold: {error}");
        return Ok(false);
    }
    // From when the last was due, not from when it could be sent.
    let late = schedule.at(part.end()) + LAG_MAX;
    let holds = receiver.arrivals.wait(part.end(), late.saturating_duration_since(Instant::now()));
    receiver.arrivals.wait(part.end(), DRAIN_MAX);
    Ok(holds)
}
