//! Fan-out: few events to very many endpoints, as they come and after a restart.
//!
//! Through the store's own door, since that is the part that decides it: nothing is sent, as if
//! every endpoint answered at once. What is claimed is held to the end and given back; what is
//! recorded is claimed and done, so many at a time as a gateway has by default.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use hookgate::clock::Clock;
use hookgate::store::{Config, Store, WorkKind};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Stage;
use crate::figure::{Figure, Unit};
use crate::stock::{attempt, fan_out};

const EVENTS: usize = 40;
const ENDPOINTS: usize = 10_000;
/// Claimed at once.
const PORTION: usize = 256;
/// In flight at a time, of what is recorded.
const IN_FLIGHT: usize = 4096;
/// Longest time that a store may take to have something due.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn rates(stage: &Stage) -> anyhow::Result<Vec<Figure>> {
    let endpoints = ENDPOINTS / stage.scale;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let fresh = runtime.block_on(fresh(stage, endpoints))?;
    let old = runtime.block_on(old(stage, endpoints))?;
    Ok(vec![fresh, old])
}

/// While all that was brought is in memory.
async fn fresh(stage: &Stage, endpoints: usize) -> anyhow::Result<Figure> {
    let folder = stage.workplace.folder("fanout-fresh")?;
    let store = open(&folder)?;
    fan_out(&store, &stage.batch, EVENTS, endpoints).await?;
    let claimed = claimed(&store, EVENTS * endpoints).await?;
    let recorded = recorded(&store, EVENTS * endpoints).await?;
    store.close().await?;
    Ok(figure("fresh", endpoints, claimed, recorded))
}

/// Behind a start each, which leaves only what is owed in memory.
async fn old(stage: &Stage, endpoints: usize) -> anyhow::Result<Figure> {
    let folder = stage.workplace.folder("fanout-old")?;
    let store = open(&folder)?;
    fan_out(&store, &stage.batch, EVENTS, endpoints).await?;
    store.close().await?;

    let began = Instant::now();
    let store = open(&folder)?;
    let ready = began.elapsed().as_secs_f64() * 1000.0;
    let claimed = claimed(&store, EVENTS * endpoints).await?;
    store.close().await?;

    let store = open(&folder)?;
    let recorded = recorded(&store, EVENTS * endpoints).await?;
    store.close().await?;
    let figure = figure("after a restart", endpoints, claimed, recorded);
    Ok(figure.value("ready after", Unit::Milliseconds, ready))
}

fn figure(what: &str, endpoints: usize, claimed: f64, recorded: f64) -> Figure {
    let endpoints = Unit::Count.show(endpoints as f64);
    let figure = Figure::new(format!("{EVENTS} events to {endpoints} endpoints, {what}"));
    let figure = figure.value("claimed", Unit::PerSecond, claimed);
    figure.value("recorded", Unit::PerSecond, recorded)
}

fn open(folder: &Path) -> anyhow::Result<Store> {
    Ok(Store::open(&Config::at(folder), Clock::System)?)
}

/// How many a second of so many are claimed.
async fn claimed(store: &Store, count: usize) -> anyhow::Result<f64> {
    let began = Instant::now();
    let mut held = Vec::with_capacity(count);
    while held.len() < count {
        let more = store.ready(WorkKind::Delivery);
        let works = store.take_deliveries(PORTION, usize::MAX).await?;
        if works.is_empty() {
            // The next are on their way from the disk.
            let waited = timeout(PATIENCE, more).await;
            waited.with_context(|| format!("only {} of {count} are due", held.len()))?;
        }
        held.extend(works);
    }
    Ok(count as f64 / began.elapsed().as_secs_f64())
}

/// How many a second of so many are claimed and done, as the gateway does it: whenever some are
/// done, others take their places.
async fn recorded(store: &Store, count: usize) -> anyhow::Result<f64> {
    let began = Instant::now();
    let mut recording = JoinSet::new();
    let mut left = count;
    while left > 0 {
        let room = IN_FLIGHT - recording.len();
        let more = store.ready(WorkKind::Delivery);
        for work in store.take_deliveries(room, usize::MAX).await? {
            let store = store.clone();
            recording.spawn(async move { store.record_attempt(work, attempt()).await });
        }
        let Some(first) = recording.join_next().await else {
            let waited = timeout(PATIENCE, more).await;
            waited.with_context(|| format!("{left} of {count} deliveries are not due"))?;
            continue;
        };
        first???;
        left -= 1;
        while let Some(next) = recording.try_join_next() {
            next???;
            left -= 1;
        }
    }
    Ok(count as f64 / began.elapsed().as_secs_f64())
}
