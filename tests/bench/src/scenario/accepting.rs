//! Accepting alone: claims in the sandbox, HMAC, duplicates looked up, one synced write, answered.
//!
//! Nothing of it is parsed while this is measured, so both cores are the way in's.

use std::net::{Ipv4Addr, SocketAddr};

use super::{CONNECTIONS, Stage, of};
use crate::figure::{Figure, Unit};
use crate::gateway::{Gateway, Path};
use crate::load::{Closed, Schedule, closed, open};
use crate::processor::{Meter, metered};
use crate::supply::Supply;

/// Of the open loop.
const RATE: usize = 1000;

/// Nothing is delivered to it.
pub(super) const NOWHERE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9);

pub(super) fn rates(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let gateway = stage.workplace.start(Path::Accepting, NOWHERE)?;
    let supply = Supply::once(&stage.batch);
    let empty = gateway.disk()?;
    let mut figures = Vec::new();
    for connections in CONNECTIONS {
        let load = Closed { to: gateway.public, connections, time: stage.closed };
        let (taken, meter) = (supply.taken(), Meter::start(Some(gateway.process()))?);
        let answered = closed(load, &supply)?;
        let (usage, events) = (meter.stop()?, supply.taken() - taken);
        let figure = Figure::new(of(connections)).value("", Unit::PerSecond, answered.rate());
        let figure = figure.times(answered.times).usage(usage, events);
        figures.push(figure.of_ceiling("", connections));
    }
    figures.push(footprint(stage, &gateway, empty, supply.taken())?);
    gateway.stop()?;
    Ok(figures)
}

/// What so many events have cost of disk and memory.
pub(super) fn footprint(
    stage: &Stage,
    gateway: &Gateway,
    empty: u64,
    events: usize,
) -> anyhow::Result<Figure> {
    let disk = gateway.packed_disk()?.saturating_sub(empty) as f64;
    let each = disk / events as f64;
    Ok(Figure::new("disk and memory")
        .value("on disk an event", Unit::Bytes, each)
        .value("a body byte", Unit::Ratio, each / stage.batch.body_bytes() as f64)
        .value("after events", Unit::Count, events as f64)
        .memory(gateway.memory_peak()?))
}

pub(super) fn latency(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let gateway = stage.workplace.start(Path::Accepting, NOWHERE)?;
    let supply = Supply::once(&stage.batch);
    let mut figures = Vec::new();
    // The first only warms up.
    for time in [stage.open / 4, stage.open] {
        let part = supply.part(super::count(RATE, time));
        let schedule = Schedule::new(RATE, &part);
        let send = || open(gateway.public, schedule, &part);
        let (times, usage) = metered(gateway.process(), schedule.span(), send)?;
        let figure = Figure::new(format!("{RATE}/s")).times(times);
        let figure = figure.usage(usage, schedule.numbers().len());
        figures = vec![figure.memory(gateway.memory_peak()?)];
    }
    gateway.stop()?;
    Ok(figures)
}
