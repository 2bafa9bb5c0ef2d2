//! What a run set of its handler's state, and what was there before: out of the recorded writes.
//!
//! Looks back from the run for a bounded time, so that no run of long ago keeps the port busy. What
//! it does not find by then, or what is not kept any more, counts as unknown. Values may be secret:
//! for the scope `admin` alone. Never reads what a handler remembers now.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Serialize;

use super::operation::{Answer, Need, Operation, Tenants, Turn, Verb};
use super::path::{RUN_ID, Segment};
use super::problem::Kind;
use super::schema::Schemas;
use super::{Admin, Problem, items};
use crate::ids::{Id, IdKind, Name};
use crate::secrets::Redaction;
use crate::store::{self, Past, PastEnd, PastItem, PastTry};
use crate::token::Scope;

/// How long it looks back at most.
const LOOK_TIME_MAX: Duration = Duration::from_millis(50);
/// Positions of the log that are looked at before those before them.
const STRETCH: u64 = 2_048;
/// Most keys of one run that are shown.
const KEYS_MAX: usize = 100;
/// Most bytes of a value that are shown.
const VALUE_BYTES_MAX: usize = 4 << 10;

pub(super) static OPERATIONS: [Operation; 1] = [Operation {
    verb: Verb::Get,
    path: "/v1/runs/{id}/state",
    id: "getRunState",
    summary: "Shows what a run set or deleted of its handler's state, and what it found there.",
    need: Need::Scope(Scope::Admin),
    tenants: Tenants::Operator,
    turn: Turn::Shared,
    parameters: &[RUN_ID],
    body: None,
    answers: &[Answer::ok("The state that the run changed.", Schemas::of::<RunState>)],
    problems: &[Kind::InvalidId, Kind::NotFound, Kind::Damaged],
    handler: || get(state),
}];

/// What a run changed.
#[derive(Serialize)]
struct RunState {
    run: Id,
    event_id: Id,
    handler: Name,
    scope: String,
    is_kept: bool,
    keys: Vec<KeyChange>,
    left: u64,
}

object! {
    /// What a run set or deleted of its handler's state.
    RunState {
        run: Id,
        /// The event that it is about.
        event_id: Id,
        handler: Name,
        /// The subject, or whatever else the handler keeps apart; empty if it changed nothing.
        scope: String,
        /// Whether the run is done and the record of what it set is still kept.
        is_kept: bool,
        /// At most 100, in the order of keys.
        keys: Vec<KeyChange>,
        /// The number of keys that it changed beside these.
        left: u64,
    }
}

#[derive(Serialize)]
struct KeyChange {
    key: String,
    before: Option<StateValue>,
    after: StateValue,
}

object! {
    /// A key of a handler's state, before and after a run.
    KeyChange {
        key: String,
        /// As an earlier run of the handler set it; null if no such run is found in the log within
        /// 50 ms, or is kept.
        before: Option<StateValue>,
        after: StateValue,
    }
}

#[derive(Serialize)]
struct StateValue {
    deleted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    bytes: u64,
}

object! {
    /// A value of a handler's state, without secrets.
    StateValue {
        /// Whether the key was deleted: it has no value.
        deleted: bool,
        /// The first 4 KiB of it, if it is text.
        [maybe] text: Option<String>,
        /// The first 4 KiB of it in base64, if it is not.
        [maybe] base64: Option<String>,
        /// All bytes that it has.
        bytes: u64,
    }
}

/// What is found in the past: the run's own record, and what its keys were before.
struct Found {
    tried: Box<PastTry>,
    before: BTreeMap<String, Option<Bytes>>,
}

async fn state(
    State(admin): State<Arc<Admin>>,
    segment: Segment,
) -> Result<Json<RunState>, Problem> {
    let id = segment.id(IdKind::Run)?;
    let Json(run) = items::found(id, admin.store.run(id).await?)?;
    let past = admin.store.past().await?;
    let handler = run.work.handler.clone();
    let looking = move || look(&past, id, &handler, Instant::now() + LOOK_TIME_MAX);
    let found = tokio::task::spawn_blocking(looking).await;
    let failed = |_| Problem::new(Kind::Internal, "the gateway failed to prepare the answer");
    let found = found.map_err(failed)??;
    let is_kept = found.is_some();
    let (scope, all) = match &found {
        Some(Found { tried, .. }) => (tried.scope.clone(), tried.writes.as_slice()),
        None => (String::new(), &[][..]),
    };
    let before = found.as_ref().map(|found| &found.before);
    let keys = all.iter().take(KEYS_MAX).map(|(key, value)| KeyChange {
        key: key.clone(),
        before: before
            .and_then(|before| before.get(key))
            .map(|value| shown(value.as_deref(), &admin.redaction)),
        after: shown(value.as_deref(), &admin.redaction),
    });
    let keys = keys.collect();
    let left = all.len().saturating_sub(KEYS_MAX) as u64;
    let (event_id, handler) = (run.event_id, run.work.handler);
    Ok(Json(RunState { run: id, event_id, handler, scope, is_kept, keys, left }))
}

/// What a run set, and what was there before; `None` if that is not recorded.
fn look(
    past: &Past,
    run: Id,
    handler: &Name,
    until: Instant,
) -> Result<Option<Found>, store::Error> {
    let PastEnd::Ended(tried) = past.end_of(run)? else { return Ok(None) };
    let mut wanted: BTreeSet<&str> =
        tried.writes.iter().take(KEYS_MAX).map(|(key, _)| key.as_str()).collect();
    let mut before = BTreeMap::new();
    let mut end = tried.position;
    while end > 0 && !wanted.is_empty() {
        let begin = end.saturating_sub(STRETCH);
        let stretch = Stretch { begin, end, until };
        let Some(found) = stretch.newest(past, &tried, handler)? else { break };
        for (key, value) in found {
            if wanted.remove(key.as_str()) {
                before.insert(key, value);
            }
        }
        end = begin;
    }
    drop(wanted);
    Ok(Some(Found { tried, before }))
}

/// A stretch of the log.
struct Stretch {
    begin: u64,
    /// Nothing from here on counts.
    end: u64,
    until: Instant,
}

impl Stretch {
    /// What the keys of a try's scope were last set to by the same handler here; `None` if the
    /// time is up, or if something can't be read that may have been a write.
    fn newest(
        &self,
        past: &Past,
        tried: &PastTry,
        handler: &Name,
    ) -> Result<Option<BTreeMap<String, Option<Bytes>>>, store::Error> {
        let mut found = BTreeMap::new();
        let mut is_whole = true;
        past.walk(self.begin, &mut |item| {
            if item.position() >= self.end {
                return ControlFlow::Break(());
            }
            if Instant::now() >= self.until || matches!(item, PastItem::Damaged(_)) {
                is_whole = false;
                return ControlFlow::Break(());
            }
            if let PastItem::Try(other) = item {
                let is_own = other.plugin.as_ref().is_some_and(|it| it.name == *handler);
                if is_own && other.scope == tried.scope {
                    found.extend(other.writes);
                }
            }
            ControlFlow::Continue(())
        })?;
        Ok(is_whole.then_some(found))
    }
}

/// A value as it is shown. A secret that is cut off is known to nobody: first those are hidden.
fn shown(value: Option<&[u8]>, redaction: &Redaction) -> StateValue {
    let Some(value) = value else {
        return StateValue { deleted: true, text: None, base64: None, bytes: 0 };
    };
    let is_plain = |text: &&str| text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t'));
    let text = std::str::from_utf8(value).ok().filter(is_plain).map(|text| {
        let shown = redaction.of_text(text).unwrap_or_else(|| text.to_owned());
        shown[..shown.floor_char_boundary(VALUE_BYTES_MAX)].to_owned()
    });
    let base64 = text.is_none().then(|| {
        let whole = STANDARD.encode(value);
        match redaction.of_text(&whole) {
            // Nothing of it may be shown.
            Some(hidden) => hidden,
            None => STANDARD.encode(&value[..value.len().min(VALUE_BYTES_MAX)]),
        }
    });
    StateValue { deleted: false, text, base64, bytes: value.len() as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards each branch of [`shown`], and the cut behind the hiding.
    #[test]
    fn a_value_is_text_or_base64_and_cut() {
        let redaction = Redaction::default();
        let shown = |value: &[u8]| super::shown(Some(value), &redaction);
        assert_eq!(shown(b"{\"a\":1}").text.as_deref(), Some("{\"a\":1}"));
        let binary = shown(&[1]);
        assert_eq!((binary.text, binary.base64.as_deref()), (None, Some("AQ==")));
        let long = shown("é".repeat(5_000).as_bytes());
        assert_eq!((long.text.map(|text| text.len()), long.bytes), (Some(4_096), 10_000));
        assert!(super::shown(None, &redaction).deleted);
    }
}
