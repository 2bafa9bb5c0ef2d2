//! Endpoints: the same events to one endpoint, and to a hundred of which each gets every hundredth.
//!
//! All of them are this program's one, under as many names. The events are not signed, so only the
//! two are to be compared with each other. Never sends an event to two endpoints.

use std::sync::Arc;

use super::flooded::{drained, flood};
use super::{Stage, count};
use crate::figure::Figure;
use crate::gateway::endpoint;
use crate::payload::Batch;
use crate::receiver::Receiver;
use crate::supply::Supply;
use crate::typed::{SOURCE, request, type_of};

/// At most a hundred: each has a type of event of its own.
const ENDPOINTS: usize = 100;
const CONNECTIONS: usize = 64;
/// Payloads for every second: more than are accepted.
const PAYLOADS_A_SECOND: usize = 60_000;

pub(super) fn rates(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    // Before anything counts a closed loop warms up.
    let payloads = count(PAYLOADS_A_SECOND, stage.closed * 3 / 2);
    let batch = Arc::new(Batch::of(payloads, |number| request(number, ENDPOINTS)));
    let mut figures = Vec::new();
    for (endpoints, what) in [(1, "one endpoint"), (ENDPOINTS, "a hundred endpoints")] {
        let receiver = Receiver::start()?;
        let table = |number: usize| {
            let events = match endpoints {
                1 => "bench.*".to_owned(),
                _ => type_of(number, ENDPOINTS),
            };
            endpoint(&format!("e{number}"), receiver.address, &events)
        };
        let tables: String = (0..endpoints).map(table).collect();
        let tables = format!("{SOURCE}{tables}");
        let plugins = [("cloudevents", "cloudevents")];
        let gateway = stage.workplace.start_configured(&plugins, &tables)?;
        let supply = Supply::once(&batch);
        let flooded = flood(stage, &gateway, &receiver, &supply, CONNECTIONS)?;
        let drained = drained(&gateway, &receiver, supply.taken(), stage.closed)?;
        let memory = gateway.memory_peak()?;
        gateway.stop()?;
        let flooded =
            Figure { what: format!("{what}, while {CONNECTIONS} connections send"), ..flooded };
        figures.push(flooded);
        figures.push(Figure { what: format!("{what}, afterwards"), ..drained }.memory(memory));
    }
    Ok(figures)
}
