//! Burdened: a start with a million pending deliveries, and accepting while they are pending.
//!
//! They stay pending, because the endpoint takes connections and never answers.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path as FilePath;

use super::{Stage, count};
use crate::figure::{Figure, Unit};
use crate::gateway::Path;
use crate::load::{Schedule, open};
use crate::processor::metered;
use crate::stock::Stock;
use crate::supply::Supply;

const PENDING: usize = 1_000_000;
const RATE: usize = 1000;

pub(super) fn times(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let pending = PENDING / stage.scale;
    let stock = stage.workplace.stock(Stock::Pending(pending), &stage.batch)?;
    // Nobody accepts: the system does, and holds what is sent.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let endpoint = silent.local_addr()?;
    let none = accepting(stage, "none", None, endpoint)?;
    let some = accepting(stage, &Unit::Count.show(pending as f64), Some(&stock), endpoint)?;
    Ok(vec![none, some])
}

fn accepting(
    stage: &Stage,
    pending: &str,
    stock: Option<&FilePath>,
    endpoint: SocketAddr,
) -> anyhow::Result<Figure> {
    let gateway = stage.workplace.start_with(stock, Path::Delivering, endpoint)?;
    let supply = Supply::once(&stage.batch);
    let mut figure = Figure::new(pending);
    // The first only warms up.
    for time in [stage.open / 4, stage.open] {
        let part = supply.part(count(RATE, time));
        let schedule = Schedule::new(RATE, &part);
        let send = || open(gateway.public, schedule, &part);
        let (times, usage) = metered(gateway.process(), schedule.span(), send)?;
        figure = Figure::new(pending).times(times).usage(usage, schedule.numbers().len());
    }
    let memory = gateway.memory_peak()?;
    let ready = gateway.ready_after.as_secs_f64() * 1000.0;
    // Its deliveries wait for an answer that never comes.
    drop(gateway);
    Ok(figure.value("ready after", Unit::Milliseconds, ready).memory(memory))
}
