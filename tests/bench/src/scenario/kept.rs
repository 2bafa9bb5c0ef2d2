//! Kept: what a million events leave on disk once they are done, with everything that is known of
//! them.
//!
//! Through the store's own door instead of the gateway's, since that is the part that decides it.

use super::Stage;
use crate::figure::{Figure, Unit};
use crate::stock::Stock;

const EVENTS: usize = 1_000_000;

pub(super) fn bytes(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let events = EVENTS / stage.scale;
    let folder = stage.workplace.stock(Stock::Delivered(events), &stage.batch)?;
    let each = crate::gateway::disk(&folder)? as f64 / events as f64;
    let body = stage.batch.body_bytes() as f64;
    Ok(vec![
        Figure::new(format!("{} events", Unit::Count.show(events as f64)))
            .value("on disk an event", Unit::Bytes, each)
            .value("a body byte", Unit::Ratio, each / body),
    ])
}
