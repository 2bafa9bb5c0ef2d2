//! Passing: from the time a sender should post until the endpoint has it, at rates that hold.

use std::ops::Range;
use std::time::Duration;

use anyhow::ensure;

use super::{Stage, count};
use crate::figure::Figure;
use crate::gateway::Path;
use crate::load::{Schedule, open};
use crate::processor::metered;
use crate::receiver::Receiver;
use crate::supply::Supply;
use crate::times::Times;

const RATES: [usize; 2] = [200, 1000];

/// For what is still on its way when the last was sent.
const LAST_WAIT: Duration = Duration::from_secs(20);

pub(super) fn times(stage: &Stage, path: Path) -> anyhow::Result<Vec<Figure>> {
    let receiver = Receiver::start()?;
    let gateway = stage.workplace.start(path, receiver.address)?;
    let supply = Supply::once(&stage.batch);
    let mut figures = Vec::new();
    for rate in RATES {
        // The first only warms up.
        for (time, counts) in [(stage.open / 4, false), (stage.open, true)] {
            let part = supply.part(count(rate, time));
            let schedule = Schedule::new(rate, &part);
            let send = || open(gateway.public, schedule, &part);
            let (answers, usage) = metered(gateway.process(), schedule.span(), send)?;
            let arrived = receiver.arrivals.wait(part.end(), LAST_WAIT);
            ensure!(arrived, "{} of {} arrived", receiver.arrivals.count(), part.end());
            if counts {
                let figure = Figure::new(format!("{rate}/s, received"));
                let figure = figure.times(received(&receiver, schedule, schedule.numbers()));
                let figure = figure.usage(usage, schedule.numbers().len());
                figures.push(figure.memory(gateway.memory_peak()?));
                figures.push(Figure::new(format!("{rate}/s, answered")).times(answers));
            }
        }
    }
    gateway.stop()?;
    Ok(figures)
}

/// How long each of these took from the time that it should have been sent.
pub(super) fn received(receiver: &Receiver, schedule: Schedule, numbers: Range<usize>) -> Times {
    let mut times = Times::default();
    for number in numbers {
        if let Some(at) = receiver.arrivals.at(number) {
            times.add(at.saturating_duration_since(schedule.at(number)));
        }
    }
    times
}
