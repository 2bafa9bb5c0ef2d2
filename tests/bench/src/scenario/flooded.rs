//! Flooded: senders as fast as they are answered, while everything accepted goes all the way.
//!
//! More is accepted than can be delivered at the same time, so what is owed grows; afterwards, with
//! nothing coming in any more, it is measured how fast that is worked off.

use std::time::{Duration, Instant};

use super::accepting::footprint;
use super::{Stage, of};
use crate::figure::{Figure, Unit};
use crate::gateway::{Gateway, Path};
use crate::load::{Closed, closed};
use crate::processor::Meter;
use crate::receiver::Receiver;
use crate::supply::Supply;

/// Connections of the relay that a drain is compared with: as many as keep it busy.
const RELAYED: usize = 64;

pub(super) fn delivering(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    flooded(stage, Path::Delivering, &[16, 64, 256])
}

pub(super) fn handling(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    flooded(stage, Path::Handling, &[64])
}

fn flooded(stage: &Stage, path: Path, levels: &[usize]) -> anyhow::Result<Vec<Figure>> {
    let receiver = Receiver::start()?;
    let gateway = stage.workplace.start(path, receiver.address)?;
    let supply = Supply::once(&stage.batch);
    let empty = gateway.disk()?;
    let mut figures = Vec::new();
    for &connections in levels {
        figures.push(flood(stage, &gateway, &receiver, &supply, connections)?);
    }
    figures.push(drained(&gateway, &receiver, supply.taken(), stage.closed * 2)?);
    figures.push(footprint(stage, &gateway, empty, supply.taken())?);
    gateway.stop()?;
    Ok(figures)
}

/// What is accepted and what is delivered, while so many connections send.
pub(super) fn flood(
    stage: &Stage,
    gateway: &Gateway,
    receiver: &Receiver,
    supply: &Supply,
    connections: usize,
) -> anyhow::Result<Figure> {
    let load = Closed { to: gateway.public, connections, time: stage.closed };
    let (before, meter) = (receiver.arrivals.count(), Meter::start(Some(gateway.process()))?);
    let (taken, began) = (supply.taken(), Instant::now());
    let answered = closed(load, supply)?;
    let delivered = (receiver.arrivals.count() - before) as f64 / began.elapsed().as_secs_f64();
    let (usage, events) = (meter.stop()?, supply.taken() - taken);
    let figure = Figure::new(of(connections)).value("", Unit::PerSecond, answered.rate());
    let figure = figure.value("delivered", Unit::PerSecond, delivered).times(answered.times);
    let figure = figure.usage(usage, events);
    Ok(figure.of_ceiling("", connections).of_relay("delivered", connections))
}

/// How fast what is owed is delivered, watched for a time or until it is all there.
pub(super) fn drained(
    gateway: &Gateway,
    receiver: &Receiver,
    owed: usize,
    time: Duration,
) -> anyhow::Result<Figure> {
    let (before, meter) = (receiver.arrivals.count(), Meter::start(Some(gateway.process()))?);
    let began = Instant::now();
    receiver.arrivals.wait(owed, time);
    let delivered = receiver.arrivals.count() - before;
    let rate = delivered as f64 / began.elapsed().as_secs_f64();
    Ok(Figure::new("afterwards, with nothing coming in")
        .value("delivered", Unit::PerSecond, rate)
        .value("of owed", Unit::Count, (owed - before) as f64)
        .usage(meter.stop()?, delivered)
        .of_relay("delivered", RELAYED))
}
