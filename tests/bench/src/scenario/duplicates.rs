//! Duplicates: what providers send when an answer was late, or for no reason at all.
//!
//! Every one is verified as if it were new, and must be answered as known.

use anyhow::ensure;

use super::accepting::NOWHERE;
use super::{Stage, of};
use crate::figure::{Figure, Unit};
use crate::gateway::Path;
use crate::load::{Closed, closed};
use crate::processor::Meter;
use crate::supply::Supply;

const CONNECTIONS: usize = 64;

pub(super) fn rates(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let gateway = stage.workplace.start(Path::Accepting, NOWHERE)?;
    let supply = Supply::once(&stage.batch);
    let load = Closed { to: gateway.public, connections: CONNECTIONS, time: stage.closed };
    let first = closed(load, &supply)?;
    ensure!(first.duplicates == 0, "{} new events were taken for known", first.duplicates);
    let meter = Meter::start(Some(gateway.process()))?;
    let repeated = supply.again();
    let again = closed(load, &repeated)?;
    let usage = meter.stop()?;
    let (known, all) = (again.duplicates, again.times.count());
    ensure!(known == all, "{known} of {all} known events were recognised");
    let memory = gateway.memory_peak()?;
    gateway.stop()?;
    let figure = Figure::new(of(CONNECTIONS)).value("", Unit::PerSecond, again.rate());
    let figure = figure.times(again.times).usage(usage, repeated.taken()).memory(memory);
    Ok(vec![figure.of_ceiling("", CONNECTIONS)])
}
