//! A case, run: the event, the state, the settings and the time that it has, in the real sandbox.
//!
//! Everything that an operator can grant is granted, and every endpoint is there. Commits nothing,
//! and looks at nothing but the case.

use std::sync::Arc;

use super::file::{Case, Given};
use super::produced::Done;
use crate::event::Event;
use crate::json_text::JsonText;
use crate::plugin::{Doors, Grant, HandleContext, Host, Plugin, Role, Tenanting};

/// The id that the gateway gives the event of every case.
const EVENT_ID: &str = "evt_000000000000000001";
/// The id of every run.
const RUN_ID: &str = "run_000000000000000002";

/// Runs a handler as a case says; with `settings`, if it says none. An error is why there was no
/// run, or why it broke down.
pub(super) async fn run(
    host: &Host,
    plugin: &Arc<Plugin>,
    settings: &Arc<str>,
    case: &Case,
) -> Result<Done, String> {
    let own: Option<Arc<str>> = case.settings.as_ref().map(|own| own.text.as_str().into());
    let settings = own.unwrap_or_else(|| Arc::clone(settings));
    let checked = host.check(plugin, Role::Handler, &settings).await;
    checked
        .ended
        .map_err(|error| error.to_string())?
        .map_err(|reason| format!("the handler refuses the settings: {reason}"))?;
    let types = plugin.handler().map(|info| info.types.as_slice()).unwrap_or_default();
    let event_type = &case.event.event_type;
    if !types.iter().any(|pattern| pattern.matches(event_type)) {
        return Err(format!("the gateway never runs the handler on an event of type {event_type}"));
    }
    let event = Arc::new(event(case)?);
    let run = HandleContext {
        source: case.event.source.to_string(),
        event_id: EVENT_ID.to_owned(),
        run_id: RUN_ID.to_owned(),
        attempt: case.attempt,
        now: case.now,
        replay_by: case.replay_by.clone(),
        tenant: case.tenant.clone(),
    };
    let grant = Grant { all: true, tenants: Tenanting::All, ..Grant::default() };
    let state = case.state.clone();
    let doors = Doors {
        state: Arc::new(move |key| Ok(state.get(key).map(|held| held.0.clone()))),
        endpoints: Arc::new(|tenant, name| tenant.is_none().then(|| name.clone())),
    };
    let called = host.handle(plugin, &settings, &event, run, &Arc::new(grant), doors).await;
    let ended = called.ended.map_err(|error| error.to_string())?;
    Ok(Done { ended: ended.map(|asked| asked.effects), log: called.log })
}

/// The event of a case, as the gateway would have it.
fn event(case: &Case) -> Result<Event, String> {
    let Given { event_type, id, source, subject, time, money, labels, data } = case.event.clone();
    Ok(Event {
        source,
        id,
        event_type,
        subject,
        time: time.unwrap_or(case.now),
        money,
        labels: labels.into_iter().collect(),
        data: JsonText::new(data.text).map_err(|error| error.to_string())?,
    })
}
