//! Remembering: with ten million ids to tell duplicates by, known ones are told as fast as ever.
//!
//! Also that it is exact: what is known is answered as a duplicate, and nothing else is.

use std::net::SocketAddr;
use std::path::Path as FilePath;

use anyhow::ensure;
use tokio::runtime::Builder;

use super::Stage;
use super::accepting::NOWHERE;
use crate::figure::{Figure, Unit};
use crate::gateway::Path;
use crate::load::{Closed, closed};
use crate::processor::Meter;
use crate::stock::{KNOWN, Stock};
use crate::supply::Supply;
use crate::wire::{Answer, Connection};

const IDS: usize = 10_000_000;
const CONNECTIONS: usize = 256;

pub(super) fn rates(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let ids = IDS / stage.scale;
    let shown = Unit::Count.show(ids as f64);
    let stocks = [
        (Stock::Ids(ids), shown.clone()),
        (Stock::IdsInTens(ids), format!("{shown}, from receipts of ten")),
    ];
    let (none, alone) = rate(stage, "none", None)?;
    let mut figures = vec![alone];
    for (stock, what) in stocks {
        let stock = stage.workplace.stock(stock, &stage.batch)?;
        let (some, full) = rate(stage, &what, Some(&stock))?;
        figures.push(full.value("of the rate with none", Unit::Ratio, some / none));
    }
    Ok(figures)
}

fn rate(stage: &Stage, ids: &str, stock: Option<&FilePath>) -> anyhow::Result<(f64, Figure)> {
    let gateway = stage.workplace.start_with(stock, Path::Accepting, NOWHERE)?;
    let supply = Supply::once(&stage.batch);
    let known = supply.part(KNOWN);
    let load = Closed { to: gateway.public, connections: CONNECTIONS, time: stage.closed };
    let (taken, meter) = (supply.taken(), Meter::start(Some(gateway.process()))?);
    let answered = closed(load, &supply)?;
    let (usage, events) = (meter.stop()?, supply.taken() - taken);
    let wrong = answered.duplicates;
    ensure!(wrong == 0, "{wrong} new events were taken for known");
    if stock.is_some() {
        recognise(gateway.public, &known)?;
    }
    let memory = gateway.memory_peak()?;
    gateway.stop()?;
    let rate = answered.rate();
    let figure = Figure::new(ids).value("", Unit::PerSecond, rate).times(answered.times);
    Ok((rate, figure.usage(usage, events).memory(memory).of_ceiling("", CONNECTIONS)))
}

fn recognise(to: SocketAddr, known: &Supply) -> anyhow::Result<()> {
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut connection = Connection::open(to).await?;
        while let Some(number) = known.take() {
            let answer = connection.post(known.request(number)).await?;
            ensure!(answer == Answer::Duplicate, "known event {number} was not recognised");
        }
        Ok(())
    })
}
