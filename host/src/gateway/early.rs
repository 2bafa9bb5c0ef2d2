//! Has dispatch parse what ingest has just proven: the two never import each other.
//!
//! Wiring only; whether and how something is parsed is decided in dispatch.

use crate::dispatch::Dispatch;
use crate::effect::LogLine;
use crate::event::Request;
use crate::ids::{Id, Name};
use crate::ingest::{EarlyParse, Turn};
use crate::plugin::{Kept, Plugin};
use crate::provider::Claims;
use crate::store::Parsed;
use crate::trace_context::TraceContext;

impl EarlyParse for Dispatch {
    fn turn<'a>(
        &'a self,
        source: &'a Name,
        plugin: &'a Plugin,
        body_bytes: usize,
    ) -> Option<Turn<'a>> {
        let turn: Turn<'a> = Box::pin(self.turn_early(source, plugin, body_bytes)?);
        Some(turn)
    }

    fn parse(
        &self,
        source: &Name,
        plugin: &Plugin,
        request: &Request,
        claims: &Claims,
        kept: Option<Kept<'_>>,
        trace: Option<TraceContext>,
    ) -> Option<Parsed> {
        self.parse_early(source, plugin, request, claims, kept, trace)
    }

    fn stored(
        &self,
        source: &Name,
        plugin: &Name,
        receipt: Id,
        log: &[LogLine],
        trace: Option<TraceContext>,
    ) {
        self.parsed_early(source, plugin, receipt, log, trace);
    }
}
