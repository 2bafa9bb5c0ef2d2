//! What is measured, in the order of the table.
//!
//! Each scenario starts what it needs, measures, and leaves nothing behind; those of a round come
//! one after the other, and then all of them again, so that a slow minute of the machine falls on
//! everything alike. One that needs a store full of ids or deliveries is one more line in [`ALL`].

mod accepting;
mod burdened;
mod claiming;
mod duplicates;
mod endpoints;
mod fairness;
mod fanout;
mod flooded;
mod handling;
mod holding;
mod kept;
mod passing;
mod remembering;

use std::sync::Arc;
use std::time::Duration;

use crate::ceiling::Ceiling;
use crate::figure::{Figure, Unit, Yardstick};
use crate::gateway::{Path, Workplace};
use crate::load::{Closed, closed};
use crate::payload::Batch;
use crate::processor::Meter;
use crate::receiver::Receiver;
use crate::supply::Supply;

/// Connections of the closed loops.
const CONNECTIONS: [usize; 4] = [1, 16, 64, 256];

/// Those of the relay.
const RELAYED: [usize; 2] = [16, 64];

/// What scenarios work with.
pub(crate) struct Stage {
    pub(crate) workplace: Workplace,
    pub(crate) batch: Arc<Batch>,
    /// Of each closed loop.
    pub(crate) closed: Duration,
    /// Of each open loop.
    pub(crate) open: Duration,
    /// Stores are filled with so many times less.
    pub(crate) scale: usize,
}

/// Something to measure.
pub(crate) struct Scenario {
    /// What `--only` asks for.
    pub(crate) name: &'static str,
    /// The heading in the table.
    pub(crate) title: &'static str,
    /// Once after all rounds, and not in each.
    pub(crate) once: bool,
    /// How many times the time of one closed loop it measures for, at least one.
    pub(crate) parts: u32,
    pub(crate) run: fn(&Stage) -> anyhow::Result<Vec<Figure>>,
}

impl Scenario {
    const fn each_round(
        name: &'static str,
        title: &'static str,
        parts: u32,
        run: fn(&Stage) -> anyhow::Result<Vec<Figure>>,
    ) -> Self {
        Self { name, title, once: false, parts, run }
    }

    /// Whether it is measured in every round, because it takes no long preparation.
    pub(crate) fn is_in_each_round(&self) -> bool {
        !self.once
    }
}

/// All of them.
pub(crate) const ALL: &[Scenario] = &[
    Scenario::each_round(
        "claiming",
        "reading the claims off one of Stripe's requests, one thread",
        1,
        claiming::times,
    ),
    Scenario::each_round(
        "handling",
        "running a small handler on one of Stripe's events, one thread",
        1,
        handling::times,
    ),
    Scenario::each_round("ceiling", "ceiling: axum answering 200", 4, ceiling),
    Scenario::each_round(
        "relay",
        "bare relay: received, posted on, answered; no store and no signature",
        2,
        relay,
    ),
    Scenario::each_round(
        "accepting",
        "accepting alone: verified and synced, nothing is parsed",
        4,
        accepting::rates,
    ),
    Scenario::each_round("duplicates", "the same events again", 2, duplicates::rates),
    Scenario::each_round(
        "flooded",
        "accepting while everything accepted is parsed and delivered",
        5,
        flooded::delivering,
    ),
    Scenario::each_round(
        "flooded-handler",
        "the same with a handler that writes one key of state and emits one event",
        3,
        flooded::handling,
    ),
    Scenario::each_round(
        "holding",
        "the most that is delivered as fast as it comes in",
        10,
        holding::rates,
    ),
    Scenario::each_round(
        "latency",
        "time to the answer, accepting alone, at a rate",
        2,
        accepting::latency,
    ),
    Scenario::each_round(
        "delivered",
        "time from the sender's post to the endpoint's receipt, at a rate",
        4,
        |stage| passing::times(stage, Path::Delivering),
    ),
    Scenario::each_round(
        "handled",
        "the same time with a handler in between that writes one key of state and emits one event",
        4,
        |stage| passing::times(stage, Path::Handling),
    ),
    Scenario::each_round(
        "endpoints",
        "accepting unsigned events while they are delivered to one endpoint, and to a hundred",
        4,
        endpoints::rates,
    ),
    Scenario::each_round(
        "fairness",
        "nine sources that send little, alone and beside a tenth that floods",
        4,
        fairness::times,
    ),
    Scenario {
        name: "remembering",
        title: "accepting alone, by how many ids are remembered",
        once: true,
        parts: 4,
        run: remembering::rates,
    },
    Scenario {
        name: "burdened",
        title: "accepting at 1000/s, by how many deliveries are pending",
        once: true,
        parts: 4,
        run: burdened::times,
    },
    Scenario {
        name: "fanout",
        title: "deliveries of few events to many endpoints, through the store alone",
        once: true,
        parts: 4,
        run: fanout::rates,
    },
    Scenario {
        name: "kept",
        title: "what is kept of events that were accepted, parsed and delivered",
        once: true,
        parts: 4,
        run: kept::bytes,
    },
];

fn ceiling(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let ceiling = Ceiling::answering()?;
    rates(stage, &ceiling, Yardstick::Ceiling, &CONNECTIONS)
}

fn relay(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let receiver = Receiver::start()?;
    let relay = Ceiling::relaying(receiver.address)?;
    rates(stage, &relay, Yardstick::Relay, &RELAYED)
}

/// What a ceiling answers.
fn rates(
    stage: &Stage,
    ceiling: &Ceiling,
    yardstick: Yardstick,
    levels: &[usize],
) -> anyhow::Result<Vec<Figure>> {
    let figure = |&connections: &usize| {
        let load = Closed { to: ceiling.address, connections, time: stage.closed };
        let meter = Meter::start(None)?;
        let answered = closed(load, &Supply::endless(&stage.batch))?;
        let (usage, count) = (meter.stop()?, answered.times.count());
        let figure = Figure::new(of(connections)).value("", Unit::PerSecond, answered.rate());
        Ok(figure.usage(usage, count).for_yardstick(yardstick, connections))
    };
    levels.iter().map(figure).collect()
}

/// How many connections, in words.
fn of(connections: usize) -> String {
    format!("{connections} connection{}", if connections == 1 { "" } else { "s" })
}

/// How many that is, at a rate for a time.
pub(crate) fn count(rate: usize, time: Duration) -> usize {
    (rate as f64 * time.as_secs_f64()) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_have_a_name_or_a_title_in_common() {
        let parts: [fn(&Scenario) -> &'static str; 2] = [|it| it.name, |it| it.title];
        for of in parts {
            let mut all: Vec<&str> = ALL.iter().map(of).collect();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), ALL.len());
        }
    }
}
