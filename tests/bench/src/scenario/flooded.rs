//! Flooded: senders as fast as they are answered, while everything accepted goes all the way.
//!
//! More is accepted than can be delivered at the same time, so what is owed grows; afterwards, with
//! nothing coming in any more, it is measured how fast that is worked off.

use std::time::{Duration, Instant};

use super::accepting::footprint;
use super::{Stage, of};
use crate::figure::{Figure, Unit};
use crate::gateway::Path;
use crate::load::{Closed, closed};
use crate::receiver::Receiver;
use crate::supply::Supply;

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
        let (before, began) = (receiver.arrivals.count(), Instant::now());
        let load = Closed { to: gateway.public, connections, time: stage.closed };
        let answered = closed(load, &supply)?;
        let delivered = (receiver.arrivals.count() - before) as f64 / began.elapsed().as_secs_f64();
        let figure = Figure::new(of(connections)).value("", Unit::PerSecond, answered.rate());
        let figure = figure.value("delivered", Unit::PerSecond, delivered);
        let figure = figure.times(answered.times).of_ceiling("", connections);
        figures.push(figure.of_relay("delivered", connections));
    }
    figures.push(drained(&receiver, supply.taken(), stage.closed * 2));
    figures.push(footprint(stage, &gateway, empty, supply.taken())?);
    gateway.stop()?;
    Ok(figures)
}

/// How fast what is owed is delivered, watched for a time or until it is all there.
fn drained(receiver: &Receiver, owed: usize, time: Duration) -> Figure {
    let (before, began) = (receiver.arrivals.count(), Instant::now());
    receiver.arrivals.wait(owed, time);
    let delivered = receiver.arrivals.count() - before;
    let rate = delivered as f64 / began.elapsed().as_secs_f64();
    Figure::new("afterwards, with nothing coming in")
        .value("delivered", Unit::PerSecond, rate)
        .value("of owed", Unit::Count, (owed - before) as f64)
}
