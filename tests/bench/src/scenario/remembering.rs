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
use crate::stock::{KNOWN, Stock};
use crate::supply::Supply;
use crate::wire::{Answer, Connection};

const IDS: usize = 10_000_000;
const CONNECTIONS: usize = 256;

pub(super) fn rates(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let ids = IDS / stage.scale;
    let stock = stage.workplace.stock(Stock::Ids(ids), &stage.batch)?;
    let (none, answered) = rate(stage, None)?;
    let alone = Figure::new("none").value("", Unit::PerSecond, none).times(answered);
    let (some, answered) = rate(stage, Some(&stock))?;
    let full = Figure::new(Unit::Count.show(ids as f64)).value("", Unit::PerSecond, some);
    let full = full.times(answered).value("of the rate with none", Unit::Ratio, some / none);
    Ok(vec![alone.of_ceiling("", CONNECTIONS), full.of_ceiling("", CONNECTIONS)])
}

fn rate(stage: &Stage, stock: Option<&FilePath>) -> anyhow::Result<(f64, crate::times::Times)> {
    let gateway = stage.workplace.start_with(stock, Path::Accepting, NOWHERE)?;
    let supply = Supply::once(&stage.batch);
    let known = supply.part(KNOWN);
    let load = Closed { to: gateway.public, connections: CONNECTIONS, time: stage.closed };
    let answered = closed(load, &supply)?;
    let wrong = answered.duplicates;
    ensure!(wrong == 0, "{wrong} new events were taken for known");
    if stock.is_some() {
        recognise(gateway.public, &known)?;
    }
    gateway.stop()?;
    Ok((answered.rate(), answered.times))
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
