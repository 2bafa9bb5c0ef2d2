//! Fairness: what nine sources keep that send little, while a tenth floods.
//!
//! All ten go the same way to one endpoint. The nine are measured alone and beside the flood. Never
//! waits for what the flood has left to be delivered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Stage, count};
use crate::figure::{Figure, Unit};
use crate::gateway::{Gateway, Path, stripe};
use crate::load::{Closed, Schedule, closed, open};
use crate::payload::{self, Batch};
use crate::processor::{Usage, metered};
use crate::receiver::Receiver;
use crate::supply::Supply;
use crate::times::Times;

/// Sources that send little.
const QUIET: usize = 9;
/// What each of them sends a second.
const RATE: usize = 50;
/// Connections of the one that floods.
const CONNECTIONS: usize = 64;
/// What took longer than this is not counted into a source's share.
const IN_TIME: Duration = Duration::from_secs(1);
/// For what is still on its way at the end. What has not arrived then counts as having taken this
/// long.
const LAST_WAIT: Duration = Duration::from_secs(10);

pub(super) fn times(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for flooded in [false, true] {
        figures.extend(measured(stage, flooded)?);
    }
    Ok(figures)
}

/// The gateway, its endpoint, and what is sent.
struct Traffic {
    gateway: Gateway,
    receiver: Receiver,
    /// Of the nine, in turn.
    quiet: Supply,
    /// The number in the first payload of the nine: those of the flood come before.
    first: usize,
    /// Of the tenth.
    flood: Supply,
}

fn measured(stage: &Stage, flooded: bool) -> anyhow::Result<Vec<Figure>> {
    let receiver = Receiver::start()?;
    let quiet = (1..=QUIET).map(|number| stripe(&source(number)));
    let tables = format!(
        "{}{}{}",
        stripe("stripe"),
        quiet.collect::<String>(),
        Path::Delivering.tables(receiver.address)
    );
    let gateway = stage.workplace.start_configured(&[("stripe", "stripe")], &tables)?;
    let first = stage.batch.count();
    let posted = count(QUIET * RATE, stage.open * 5 / 4) + 1;
    let batch = Batch::of(posted, |number| request(number, first));
    let (quiet, flood) = (Supply::once(&Arc::new(batch)), Supply::once(&stage.batch));
    let traffic = Traffic { gateway, receiver, quiet, first, flood };
    if !flooded {
        return traffic.measure(stage, "nine sources at 50/s each, alone");
    }
    // As long as the nine are warmed up and measured.
    let time = stage.open * 5 / 4;
    let load = Closed { to: traffic.gateway.public, connections: CONNECTIONS, time };
    std::thread::scope(|scope| {
        let flooding = scope.spawn(|| closed(load, &traffic.flood));
        let quiet = traffic.measure(stage, "the same beside a tenth that floods");
        let answered = flooding.join().expect("a generator does not panic")?;
        let flood = Figure::new("the tenth, from 64 connections");
        let flood = flood.value("", Unit::PerSecond, answered.rate()).times(answered.times);
        let mut figures = quiet?;
        figures.push(flood.memory(traffic.gateway.memory_peak()?));
        // What the flood has left stays in the store.
        Ok(figures)
    })
}

impl Traffic {
    /// What becomes of what the nine send.
    fn measure(&self, stage: &Stage, what: &str) -> anyhow::Result<Vec<Figure>> {
        let warm_up = self.quiet.part(count(QUIET * RATE, stage.open / 4));
        open(self.gateway.public, Schedule::new(QUIET * RATE, &warm_up), &warm_up)?;

        let part = self.quiet.part(count(QUIET * RATE, stage.open));
        let schedule = Schedule::new(QUIET * RATE, &part);
        let (before, began) = (self.receiver.arrivals.count(), Instant::now());
        let send = || open(self.gateway.public, schedule, &part);
        let (answers, usage) = metered(self.gateway.process(), schedule.span(), send)?;
        let delivered = (self.receiver.arrivals.count() - before) as f64;
        let delivered = delivered / began.elapsed().as_secs_f64();

        let numbers = schedule.numbers();
        let arrivals = &self.receiver.arrivals;
        arrivals.wait_for(self.first + numbers.start..self.first + numbers.end, LAST_WAIT);
        let took: Vec<Option<Duration>> = numbers
            .map(|number| {
                let at = arrivals.at(self.first + number)?;
                Some(at.saturating_duration_since(schedule.at(number)))
            })
            .collect();
        let mut times = Times::default();
        took.iter().for_each(|took| times.add(took.unwrap_or(LAST_WAIT)));
        // Of what the gateway took, most is the tenth's.
        let usage = Usage { gateway: None, ..usage };
        let figure = Figure::new(format!("{what}, received"))
            .times(times)
            .value("least share in time", Unit::Percent, least_share(&took))
            .value("delivered of all", Unit::PerSecond, delivered)
            .usage(usage, 0)
            .memory(self.gateway.memory_peak()?);
        let answered = Figure::new(format!("{what}, answered")).times(answers);
        Ok(vec![figure, answered])
    }
}

/// What the nine send: the whole request of a number and the length of its body, in which numbers
/// begin with `first`.
fn request(number: usize, first: usize) -> (Vec<u8>, usize) {
    payload::request(&source(1 + number % QUIET), first + number)
}

/// The name of one of the nine.
fn source(number: usize) -> String {
    format!("quiet-{number}")
}

/// Of what a source has sent, the percentage that arrived in time, for the source with the least of
/// it. The sources take turns.
fn least_share(took: &[Option<Duration>]) -> f64 {
    let share = |source: usize| {
        let own: Vec<bool> = took
            .iter()
            .skip(source)
            .step_by(QUIET)
            .map(|took| took.is_some_and(|took| took <= IN_TIME))
            .collect();
        100.0 * own.iter().filter(|in_time| **in_time).count() as f64 / own.len().max(1) as f64
    };
    (0..QUIET).map(share).fold(100.0, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_of_the_source_that_got_the_least_in_time() {
        let mut took = vec![Some(Duration::from_millis(3)); 4 * QUIET];
        assert_eq!(least_share(&took), 100.0);
        (took[2], took[QUIET + 2], took[5]) = (None, Some(IN_TIME * 2), None);
        assert_eq!(least_share(&took), 50.0);
    }

    #[test]
    fn each_payload_goes_to_one_of_the_nine_and_has_a_number_of_its_own() {
        let batch = Batch::of(2 * QUIET, |number| request(number, 1000));
        for number in 0..batch.count() {
            let head = format!("POST /in/quiet-{} ", 1 + number % QUIET);
            assert!(batch.request(number).starts_with(head.as_bytes()));
            assert_eq!(payload::number(batch.body(number)), Some(1000 + number));
        }
    }
}
