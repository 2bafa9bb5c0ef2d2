//! The rehearsal of a handler: each recorded run again, with its event and its state as they were.
//!
//! What a run is given is what it was given then, but for settings, grants and endpoints, which are
//! those of today. A run whose state nobody knows is compared only if it read exactly what it had
//! read then. Never compares what was not tried.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::Play;
use super::ask::{Ask, Stage};
use super::compared::{Compared, Ended};
use super::difference::Differences;
use super::emission;
use super::outcome::{End, GATEWAY_FAILED};
use super::state::{Reader, Remembered};
use super::tally::Tally;
use crate::effect::{Asked, LogLine};
use crate::event::Timestamp;
use crate::ids::{Id, IdKind, Name};
use crate::plugin::{CallError, Called, Doors, HandleContext, Spent, StateReader};
use crate::retry::{Outcome, Verdict};
use crate::store::{
    self, Past, PastEnd, PastItem, PastTry, PluginStamp, Recorded, StoredEvent, WorkKind,
};

/// Who asked for a run again, as the gateway tells handlers.
const OPERATOR: &str = "operator";
/// What a plugin imports that reads or writes state, up to its version.
const STATE: &str = "hookgate:plugin/state@";
/// How a run ended that is not made, because the version does not want such events.
const NOT_CALLED: &str = "not called";

/// A run to make again.
pub(super) struct RunAgain {
    tried: Box<PastTry>,
    event: StoredEvent,
    recorded: Recorded,
    /// The number of the try, and whether its run was opened again before.
    number: (u32, bool),
    reader: Reader,
}

/// Where to begin: where state begins, or if the plugin has none, before all that is asked for.
pub(super) fn begin(past: &Past, ask: &Ask) -> Result<u64, store::Error> {
    let has_state = ask.plugin.imports().iter().any(|import| import.starts_with(STATE));
    match ask.since {
        Some(since) if !has_state => past.begin_at(since),
        _ => Ok(0),
    }
}

/// The runs of a handler.
pub(super) struct Handlers<'a> {
    ask: &'a Ask,
    handler: Name,
    remembered: Arc<Remembered>,
    /// Nothing from this position on is looked at.
    end: u64,
}

impl<'a> Handlers<'a> {
    pub(super) fn new(past: &Past, stage: &Stage, ask: &'a Ask) -> Self {
        let remembered = Arc::new(Remembered::new(past.is_cut(), stage.state_term));
        Self { ask, handler: ask.plugin.name().clone(), remembered, end: past.end() }
    }

    fn is_asked_for(&self, event: &StoredEvent) -> bool {
        let types = self.ask.event_type.as_ref();
        self.ask.is_within(event.recorded_at)
            && self.ask.is_of(&event.event.source)
            && types.is_none_or(|types| types.matches(&event.event.event_type))
    }

    /// Counts a run on this event that there is nothing to compare with.
    fn look(
        &self,
        past: &Past,
        event: &StoredEvent,
        tally: &mut Tally,
    ) -> Result<(), store::Error> {
        if !self.is_asked_for(event) {
            return Ok(());
        }
        let handlers = &event.routes.handlers;
        let Some(number) = handlers.iter().position(|handler| *handler == self.handler) else {
            if event.event.source != self.handler && wants(self.ask, event) {
                tally.miss("not_routed_then");
            }
            return Ok(());
        };
        // Runs stand right behind their event.
        let position = event.id.position + 1 + number as u64;
        let run = Id { kind: IdKind::Run, position, ..event.id };
        match past.end_of(run) {
            Ok(PastEnd::Ended(last)) if last.position >= self.end => tally.miss("not_tried_yet"),
            Ok(PastEnd::Ended(last)) if last.plugin.is_none() => tally.miss("not_run"),
            Ok(PastEnd::Ended(_)) => (),
            Ok(PastEnd::Open) => tally.miss("not_tried_yet"),
            Ok(PastEnd::Expired) => tally.miss("result_expired"),
            Err(error) => miss_damaged(error, tally)?,
        }
        Ok(())
    }

    /// What there is to make again of a try of this handler. Reads all of it, so that no guest
    /// waits for the disk.
    fn again(
        &self,
        past: &Arc<Past>,
        tried: Box<PastTry>,
        tally: &mut Tally,
    ) -> Result<Option<RunAgain>, store::Error> {
        if matches!(tried.verdict, Verdict::RetryAt(_)) {
            return Ok(None);
        }
        let Some(event) = past.event_of(tried.work)? else {
            // Nobody knows any more when it was stored: not long before it was tried.
            if self.ask.is_within(tried.at) {
                tally.miss("event_expired");
            }
            return Ok(None);
        };
        if !self.is_asked_for(&event) {
            return Ok(None);
        }
        let recorded = past.recorded(&tried)?;
        if !recorded.is_whole {
            tally.miss("result_expired");
            return Ok(None);
        }
        let number = past.number_of(&tried)?;
        let subject = event.event.subject.clone();
        let reader = Reader {
            past: Arc::clone(past),
            remembered: Arc::clone(&self.remembered),
            handler: self.handler.clone(),
            scope: subject.unwrap_or_else(|| event.id.to_string()),
            at: (tried.position, tried.counted),
            has_assumed: AtomicBool::new(false),
        };
        Ok(Some(RunAgain { tried, event, recorded, number, reader }))
    }
}

/// Whether the version wants events of this type.
fn wants(ask: &Ask, event: &StoredEvent) -> bool {
    let types = ask.plugin.handler().map_or(&[][..], |info| info.types.as_slice());
    types.iter().any(|types| types.matches(&event.event.event_type))
}

impl Play for Handlers<'_> {
    type Work = RunAgain;

    fn meet(
        &mut self,
        past: &Arc<Past>,
        item: PastItem,
        tally: &mut Tally,
        oldest: Option<u64>,
    ) -> Result<Option<RunAgain>, store::Error> {
        match item {
            PastItem::Receipt(_) => (),
            PastItem::Event(event) => self.look(past, &event, tally)?,
            PastItem::Damaged(position) => {
                self.remembered.doubt(position);
                tally.miss("damaged");
            }
            PastItem::Try(tried) => {
                let is_own = |plugin: &PluginStamp| plugin.name == self.handler;
                if tried.kind == WorkKind::Run && tried.plugin.as_ref().is_some_and(is_own) {
                    // Whoever reads for an earlier try, or for this one, does not see it.
                    self.remembered.note(&tried, oldest.unwrap_or(tried.position));
                    let again = self.again(past, tried, tally);
                    return again.or_else(|error| miss_damaged(error, tally).map(|()| None));
                }
            }
        }
        Ok(None)
    }

    fn renewed(&mut self, past: &Past, position: u64) {
        if past.is_cut() {
            self.remembered.cut(position);
        }
    }

    fn is_known(&self, _: Id, _: u64) -> bool {
        false
    }
}

/// Counts what can't be read. Any other error ends the rehearsal.
pub(super) fn miss_damaged(error: store::Error, tally: &mut Tally) -> Result<(), store::Error> {
    match error {
        store::Error::Damaged(_) => {
            tally.miss("damaged");
            Ok(())
        }
        error => Err(error),
    }
}

/// Makes a run again, and compares.
pub(super) fn perform(stage: &Stage, ask: &Ask, again: RunAgain) -> Compared {
    let RunAgain { tried, event, recorded, number, reader } = again;
    let compared = |ended, spent, is_late| Compared {
        id: tried.work,
        event: Some(event.id),
        ended,
        spent,
        recorded: tried.duration,
        is_late,
    };
    let Some(then) = End::of_record(&tried.outcome) else {
        return compared(Ended::Not(GATEWAY_FAILED), Spent::default(), false);
    };
    let mut found = Differences::without(&stage.redaction);
    if !wants(ask, &event) {
        let field = format!("{} -> {NOT_CALLED}", then.word);
        found.add("outcome", &field, then.words(), "the version does not run on such events");
        return compared(Ended::Compared(found.into_all()), Spent::default(), false);
    }
    let context = context(&event, (tried.work, number), tried.at);
    let reader = Arc::new(reader);
    let state: StateReader = {
        let reader = Arc::clone(&reader);
        Arc::new(move |key: &str| reader.read(key))
    };
    let doors = Doors { state, endpoints: Arc::clone(&stage.endpoints) };
    let Stage { host, settings, grant, .. } = stage;
    let (called, spent) =
        host.alone(&ask.plugin).handle(settings, &event.event, &context, grant, doors);
    let Called { ended, log, .. } = called;
    let is_late = matches!(ended, Err(CallError::Deadline { .. }));
    let read = match &ended {
        Ok(Ok(asked)) => asked.state_read,
        _ => None,
    };
    // It was given exactly what it was given then, whatever that was.
    let is_given_the_same = read.is_some() && read == tried.state_read;
    let ended = if reader.has_assumed() && !is_given_the_same {
        Ended::Not("unknown_state")
    } else {
        let end = match &ended {
            Ok(Ok(_)) => Some(End::of_answer(&Outcome::Success)),
            Ok(Err(failure)) => Some(End::of_answer(failure)),
            Err(error) => End::of_error(error),
        };
        let asked = ended.ok().and_then(Result::ok).unwrap_or_default();
        match end {
            Some(end) => differences(found, (&*tried, &recorded), (&then, &end), &asked, &log),
            None => Ended::Not(GATEWAY_FAILED),
        }
    };
    compared(ended, spent, is_late)
}

/// What the run was given then beside its event.
fn context(
    event: &StoredEvent,
    (run, (attempt, is_replay)): (Id, (u32, bool)),
    now: Timestamp,
) -> HandleContext {
    HandleContext {
        source: event.event.source.to_string(),
        event_id: event.id.to_string(),
        run_id: run.to_string(),
        attempt,
        now,
        replay_by: is_replay.then(|| OPERATOR.to_owned()),
        tenant: event.tenant.clone(),
    }
}

/// Compares how a run ended; what it asks for only if that is equal: a run that failed asks for
/// nothing.
fn differences(
    mut found: Differences,
    (tried, recorded): (&PastTry, &Recorded),
    (then, now): (&End, &End),
    asked: &Asked,
    log: &[LogLine],
) -> Ended {
    if let Some(field) = then.differs(now) {
        found.add("outcome", &field, then.words(), now.words());
    } else {
        emission::effects(&mut found, tried, recorded, &asked.effects);
        emission::logs(&mut found, &tried.log, log);
    }
    Ended::Compared(found.into_all())
}
