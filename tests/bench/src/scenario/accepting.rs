//! Accepting alone: claims in the sandbox, HMAC, duplicates looked up, one synced write, answered.
//!
//! Nothing of it is parsed while this is measured, so both cores are the way in's.

use std::net::{Ipv4Addr, SocketAddr};

use super::{CONNECTIONS, Stage, of};
use crate::figure::{Figure, Unit};
use crate::gateway::Path;
use crate::load::{Closed, Schedule, closed, open};
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
        let (taken, used) = (supply.taken(), gateway.processor_time()?);
        let answered = closed(load, &supply)?;
        let used = gateway.processor_time()? - used;
        let each = used.as_secs_f64() * 1e6 / (supply.taken() - taken) as f64;
        let figure = Figure::new(of(connections)).value("", Unit::PerSecond, answered.rate());
        let figure =
            figure.times(answered.times).value("processor an event", Unit::Microseconds, each);
        figures.push(figure.of_ceiling("", connections));
    }
    figures.push(footprint(stage, &gateway, empty, supply.taken())?);
    gateway.stop()?;
    Ok(figures)
}

/// What so many events have cost of disk and memory.
pub(super) fn footprint(
    stage: &Stage,
    gateway: &crate::gateway::Gateway,
    empty: u64,
    events: usize,
) -> anyhow::Result<Figure> {
    let disk = gateway.packed_disk()?.saturating_sub(empty) as f64;
    let memory = gateway.memory_peak()? as f64 / f64::from(1 << 20);
    let each = disk / events as f64;
    Ok(Figure::new("disk and memory")
        .value("on disk an event", Unit::Bytes, each)
        .value("a body byte", Unit::Ratio, each / stage.batch.body_bytes() as f64)
        .value("after events", Unit::Count, events as f64)
        .value("peak memory", Unit::Mebibytes, memory))
}

pub(super) fn latency(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let gateway = stage.workplace.start(Path::Accepting, NOWHERE)?;
    let supply = Supply::once(&stage.batch);
    let mut figures = Vec::new();
    // The first only warms up.
    for time in [stage.open / 4, stage.open] {
        let part = supply.part(super::count(RATE, time));
        let times = open(gateway.public, Schedule::new(RATE, &part), &part)?;
        figures = vec![Figure::new(format!("{RATE}/s")).times(times)];
    }
    gateway.stop()?;
    Ok(figures)
}
