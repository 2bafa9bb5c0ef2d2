//! What running a small handler on one event costs, in the sandbox.
//!
//! One thread, an event of one of Stripe's requests, and for every run an instance that nothing was
//! called in before. The handler reads and writes one key of the state and emits one event; nothing
//! of that is stored.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use anyhow::{Context, anyhow, ensure};
use hookgate::event::{Event, Request, Timestamp};
use hookgate::ids::Name;
use hookgate::plugin::{Compiler, Config, Doors, Grant, HandleContext, Host, Plugin, guest_thread};
use hookgate::tenant::Tenant;

use super::Stage;
use crate::figure::Figure;
use crate::times::Times;

/// What is timed, and how many runs come before so that everything is warm.
const RUNS: usize = 20_000;
const RUNS_BEFORE: usize = 2_000;
/// The state that it writes, and the event that it emits.
const EFFECTS: usize = 2;

pub(super) fn times(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let host = Host::new(Config::new(Compiler::InProcess, None))?;
    // With a stack like those that the gateway calls plugins on.
    let times = thread::scope(|scope| {
        let running = guest_thread("handling").spawn_scoped(scope, || timed(stage, &host))?;
        running.join().map_err(|_| anyhow!("the runs panicked"))?
    })?;
    Ok(vec![Figure::new("in the sandbox, a fresh instance each").short_times(times)])
}

fn timed(stage: &Stage, host: &Host) -> anyhow::Result<Times> {
    let event = event(stage, host)?;
    let handler = load(stage, host, "dunning")?;
    let run = HandleContext {
        source: "stripe".to_owned(),
        event_id: "evt_1".to_owned(),
        run_id: "run_1".to_owned(),
        attempt: 1,
        now: Timestamp(0),
        replay_by: None,
        tenant: None,
    };
    let doors = Doors {
        state: Arc::new(|_: &str| Ok(None)),
        endpoints: Arc::new(|_: Option<&Tenant>, _: &Name| None),
    };
    let (settings, grant): (Arc<str>, _) = ("{}".into(), Arc::new(Grant::default()));
    let mut times = Times::default();
    for number in 0..RUNS_BEFORE + RUNS {
        let doors = doors.clone();
        let began = Instant::now();
        let (called, _) = host.here(&handler).handle(&settings, &event, &run, &grant, doors);
        let took = began.elapsed();
        let asked = called.ended?.map_err(|outcome| anyhow!("it failed: {outcome:?}"))?;
        ensure!(asked.effects.len() == EFFECTS, "it asks for {:?}", asked.effects);
        if number >= RUNS_BEFORE {
            times.add(took);
        }
    }
    Ok(times)
}

/// The event that Stripe's plugin makes of a payload.
fn event(stage: &Stage, host: &Host) -> anyhow::Result<Event> {
    let provider = load(stage, host, "stripe")?;
    let request = Request {
        method: "POST".to_owned(),
        url: "/in/stripe".to_owned(),
        headers: stage.batch.headers().collect(),
        body: stage.batch.body(0).to_vec().into(),
        received_at: Timestamp(0),
    };
    let settings: Arc<str> = "{}".into();
    let (parsed, _) = host.here(&provider).parse(&settings, provider.name(), &request);
    let events = parsed.ended?.map_err(|outcome| anyhow!("it was not parsed: {outcome:?}"))?;
    events.into_iter().next().context("the payload is an event")
}

fn load(stage: &Stage, host: &Host, name: &str) -> anyhow::Result<Arc<Plugin>> {
    let wasm = std::fs::read(stage.workplace.built(name)?)?;
    Ok(host.load(name.parse()?, &wasm)?)
}
