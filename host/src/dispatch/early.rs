//! The early parse: of a request that is proven and not stored yet, so that its receipt and its
//! events are one commit.
//!
//! It is made where the plugin's claims were held against the evidence, in the turn of the source,
//! and only where it is quick and nothing is in its way. Of one that comes to nothing nobody ever
//! hears: the receipt is stored and parsed as if there had been none. Never decides whether its
//! events come in their turn; the store does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::barrier::{Barrier, RECEIPTS_MAX};
use super::opening::label_all;
use super::patience::Patience;
use super::{Dispatch, Reading, Rules, plugin_says};
use crate::effect::{LogLevel, LogLine};
use crate::event::{Event, Request};
use crate::ids::{Id, Name};
use crate::plugin::{CallError, Called, Kept, Plugin};
use crate::provider::{Claims, Proven};
use crate::retry::{Outcome, Verdict};
use crate::signature;
use crate::store::{NewEvent, Parsed, PluginStamp, Try};
use crate::telemetry::{Part, Step};
use crate::trace_context::{TraceContext, log_fields};

/// The largest body of an early parse, in bytes: a larger one is costly in any case.
const BODY_BYTES_MAX: usize = 256 << 10;
/// Most runs and deliveries that may follow from it: more are opened by a commit that no sender
/// waits for.
const WORKS_MAX: usize = 1_024;

/// Why a parse is made behind the commit of its receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deferred {
    /// The operator wants no early parses, or not of this source for now.
    Off,
    /// Nobody has proven the request, or its body is encrypted or large.
    Unfit,
    /// An older receipt of the source waits for its parse, or for room.
    Behind,
    /// Too many early parses of the source were dear or came to nothing, or it has a breaker open.
    Resting,
    /// The early parse came to nothing.
    Failed,
}

impl Deferred {
    const fn label(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Unfit => "unfit",
            Self::Behind => "behind",
            Self::Resting => "resting",
            Self::Failed => "failed",
        }
    }
}

/// Whether there are early parses, and for whom.
#[derive(Debug, Default)]
pub(crate) struct Early {
    is_open: AtomicBool,
    patience: Patience,
    pub(super) barrier: Barrier,
}

impl Early {
    /// From now on receipts are parsed, and so may requests be.
    pub(crate) fn open(&self) {
        self.is_open.store(true, Ordering::Release);
    }
}

impl Dispatch {
    /// What a request waits for that could be parsed early but for a few receipts of its source:
    /// their parses, and not for long. `None` if it goes on at once.
    pub(crate) fn turn_early<'a>(
        &'a self,
        source: &'a Name,
        plugin: &'a Plugin,
        body_bytes: usize,
    ) -> Option<impl Future<Output = ()> + Send + use<'a>> {
        // Mostly none is left, and that is all.
        let receipts = self.store.unparsed(source);
        if !(1..=RECEIPTS_MAX).contains(&receipts) || body_bytes > BODY_BYTES_MAX {
            return None;
        }
        let rules = self.rules.load();
        let reading = rules.sources.get(source)?;
        if self.may_parse_early(&rules, source, reading, plugin).is_err() {
            return None;
        }
        let waiting = self.early.barrier.join(source, &self.clock)?;
        Some(waiting.until(self.store.all_parsed(source), &self.clock))
    }

    /// What a parse makes of a request whose evidence holds and whose events are not all known;
    /// `None` if its receipt is to be parsed when it is stored. Blocks: to be called where the
    /// plugin made these claims, in an instance that may be `kept` for this. `trace` is the span of
    /// the request, if it has one.
    pub(crate) fn parse_early(
        &self,
        source: &Name,
        plugin: &Plugin,
        request: &Request,
        claims: &Claims,
        kept: Option<Kept<'_>>,
        trace: Option<TraceContext>,
    ) -> Option<Parsed> {
        let parsed = self.try_early(source, plugin, request, claims, kept, trace);
        if let Err(deferred) = &parsed {
            self.metrics.deferred_parse(source, deferred.label());
        }
        parsed.ok()
    }

    fn try_early(
        &self,
        source: &Name,
        plugin: &Plugin,
        request: &Request,
        claims: &Claims,
        kept: Option<Kept<'_>>,
        trace: Option<TraceContext>,
    ) -> Result<Parsed, Deferred> {
        let rules = self.rules.load();
        let reading = rules.sources.get(source).ok_or(Deferred::Off)?;
        let info = plugin.provider().ok_or(Deferred::Off)?;
        // Decrypting takes long, and the receipt has the body as it came.
        if claims.plain_body.is_some() || request.body.len() > BODY_BYTES_MAX {
            return Err(Deferred::Unfit);
        }
        self.may_parse_early(&rules, source, reading, plugin)?;
        if !self.store.takes_parsed(source) {
            return Err(Deferred::Behind);
        }
        let (at, started) = (self.clock.now(), Instant::now());
        let parsed = self.host.parse_early(plugin, &reading.settings, source, request, kept);
        let (Called { ended, log, .. }, is_dear) = parsed.ok_or(Deferred::Off)?;
        // Ours, and no word about the plugin.
        if let Err(CallError::Busy | CallError::Host(_)) = ended {
            return Err(Deferred::Failed);
        }
        let step = self.telemetry.part(trace, Part::Parse);
        let below = (Proven::from(signature::worth(claims, info)).label(), step);
        let events = ended.ok().and_then(Result::ok);
        let events = events.and_then(|events| self.routed_early(&rules, source, events, below));
        let was_worth_it = events.is_some() && !is_dear;
        self.early.patience.ended(source, plugin.digest(), was_worth_it, &self.clock);
        let report = Try {
            at,
            duration: started.elapsed(),
            plugin: Some(PluginStamp::new(plugin.name(), &info.version, plugin.digest())),
            outcome: Outcome::Success,
            verdict: Verdict::Done,
            log,
            reason: None,
        };
        let parsed = events.map(|events| Parsed { report, events }).ok_or(Deferred::Failed)?;
        self.parsed_before(step, source, &parsed);
        Ok(parsed)
    }

    /// A receipt was stored with its early parse, in which the plugin wrote this. `trace` is the
    /// span of the request, if it has one.
    pub(crate) fn parsed_early(
        &self,
        source: &Name,
        plugin: &Name,
        id: Id,
        log: &[LogLine],
        trace: Option<TraceContext>,
    ) {
        self.metrics.parse(source, &Outcome::Success, None);
        let step = self.telemetry.part(trace, Part::Parse);
        let (trace_id, span_id) = log_fields(step.map(|step| step.context));
        for line in log {
            plugin_says!(line, receipt.id = %id, source.name = %source, plugin.name = %plugin,
                trace_id, span_id);
        }
    }

    /// Whether the requests of a source may be parsed now before they are stored.
    fn may_parse_early(
        &self,
        rules: &Rules,
        source: &Name,
        reading: &Reading,
        plugin: &Plugin,
    ) -> Result<(), Deferred> {
        let limit = || self.parse_breakers.limit(source, || Some(plugin.digest().to_owned()), 2);
        let is_on = self.early.is_open.load(Ordering::Acquire)
            && reading.plugin == *plugin.name()
            && !rules.stopped_sources.contains_key(source);
        // After a pause parses are tried one at a time.
        let is_trusted =
            || self.early.patience.is_left(source, plugin.digest(), &self.clock) && limit() == 2;
        let has_room = || self.store.mark_reached(source).is_none();
        if !is_on {
            Err(Deferred::Off)
        } else if reading.is_unverified {
            // What nobody has proven is never parsed before it is stored.
            Err(Deferred::Unfit)
        } else if !is_trusted() {
            Err(Deferred::Resting)
        } else if !has_room() || self.store.holds_parses(source) {
            Err(Deferred::Behind)
        } else {
            Ok(())
        }
    }

    /// The events with where each goes, unless that is too much.
    fn routed_early(
        &self,
        rules: &Rules,
        source: &Name,
        mut events: Vec<Event>,
        (label, step): (Option<&'static str>, Option<Step>),
    ) -> Option<Vec<NewEvent>> {
        label_all(&mut events, label);
        let events = self.routed(rules, source, events, step.map(|step| step.context));
        let works = |new: &NewEvent| new.routes.handlers.len() + new.routes.endpoints.len();
        let is_little = events.iter().map(works).sum::<usize>() <= WORKS_MAX;
        is_little.then_some(events)
    }
}
