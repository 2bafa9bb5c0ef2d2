//! Starts with thirty plugins: with no compiled code in the cache, with that of one source's, and
//! with all of it.
//!
//! A start has ended when the gateway is ready and all plugins run. One that has the code of a
//! source must accept what comes there before the others are compiled. Never counts on the order of
//! the files.

use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::ms;
use crate::asking::get;
use crate::bar::Bars;
use crate::figure::Unit;
use crate::gateway::{Gateway, Workplace, stripe};
use crate::load::{Schedule, open};
use crate::payload::Batch;
use crate::supply::Supply;

const PLUGINS: usize = 30;
const WARM_MAX_MS: f64 = 1_000.0;
const COLD_MAX_MS: f64 = 60_000.0;

/// The plugin of the one source.
const FIRST: &str = "stripe";
/// What is posted to it, and how many of these a second.
const PAYLOADS: usize = 200;
const RATE: usize = 200;
/// Between two looks at the plugins: another process can only be asked again.
const LOOK: Duration = Duration::from_millis(20);
/// Nobody waits longer for them.
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) fn measure(workplace: &Workplace, starts: usize, bars: &mut Bars) -> anyhow::Result<()> {
    let names = names(workplace)?;
    let all: Vec<(&str, &str)> = names.iter().map(|name| (&**name, &**name)).collect();
    let tables = stripe("stripe");
    workplace.remove_plugins()?;
    let data = workplace.folder("one-compiled")?;
    workplace.start_on(&data, &[(FIRST, FIRST)], &tables)?.stop()?;

    let began = Instant::now();
    let gateway = workplace.start_on(&data, &all, &tables)?;
    let cached = gateway.ready_after;
    let supply = Supply::once(&Arc::new(Batch::anew(PAYLOADS)));
    // Anything but 200 is an error.
    open(gateway.public, Schedule::new(RATE, &supply), &supply)?;
    let running = running(&gateway)?;
    ensure!(running < PLUGINS, "all plugins were compiled before anything was measured");
    wait_for_all(&gateway, began)?;
    gateway.stop()?;

    let data = workplace.folder("none-compiled")?;
    let began = Instant::now();
    let gateway = workplace.start_on(&data, &all, &tables)?;
    let cold = wait_for_all(&gateway, began)?;
    gateway.stop()?;

    let mut warm = Duration::ZERO;
    for start in 0..starts {
        let began = Instant::now();
        let gateway = workplace.start_on(&data, &all, &tables)?;
        let took = wait_for_all(&gateway, began)?;
        eprintln!("start {} of {starts}: all run after {:.0} ms", start + 1, ms(took));
        warm = warm.max(took);
        gateway.stop()?;
    }

    println!("starts with {PLUGINS} plugins");
    let unit = Unit::Milliseconds;
    bars.at_most("compiled, until all run (longest)", unit, ms(warm), WARM_MAX_MS);
    bars.at_most("one compiled, until its source accepts", unit, ms(cached), WARM_MAX_MS);
    bars.at_most("not compiled, until all run", unit, ms(cold), COLD_MAX_MS);
    Ok(())
}

/// The plugins to start with.
fn names(workplace: &Workplace) -> anyhow::Result<Vec<String>> {
    let first = workplace.built(FIRST)?;
    let folder = first.parent().context("it lies in a folder")?;
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        if let Some(stem) = stem.filter(|_| path.extension().is_some_and(|it| it == "wasm")) {
            names.push(stem.to_owned());
        }
    }
    names.sort_by_key(|name| (name != FIRST, name.clone()));
    names.truncate(PLUGINS);
    ensure!(names.len() == PLUGINS, "only {} plugins are built: `make build`", names.len());
    ensure!(names[0] == FIRST, "{} is missing: `make build`", first.display());
    Ok(names)
}

/// How long after `began` all plugins run.
fn wait_for_all(gateway: &Gateway, began: Instant) -> anyhow::Result<Duration> {
    loop {
        let running = running(gateway)?;
        let took = began.elapsed();
        if running == PLUGINS {
            return Ok(took);
        }
        ensure!(took < PATIENCE, "only {running} of {PLUGINS} plugins run");
        sleep(LOOK);
    }
}

/// How many plugins run.
fn running(gateway: &Gateway) -> anyhow::Result<usize> {
    count(&serde_json::from_str(&get(gateway.admin, "/v1/plugins")?)?)
}

fn count(listed: &Value) -> anyhow::Result<usize> {
    let rows = listed["plugins"].as_array().context("the list has no plugins")?;
    let refused = rows.iter().find(|row| !row["refused"].is_null());
    ensure!(refused.is_none(), "a plugin was refused: {refused:?}");
    Ok(rows.iter().filter(|row| row["digest"].is_string()).count())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plugin_runs_when_it_has_a_digest_and_one_that_is_refused_is_an_error() {
        let row = |digest: Value, refused: Value| json!({ "digest": digest, "refused": refused });
        let runs = row(json!("0f3a"), Value::Null);
        let listed = json!({ "plugins": [runs, row(Value::Null, Value::Null)] });
        assert_eq!(count(&listed).unwrap(), 1);
        let listed = json!({ "plugins": [runs, row(json!("0f3a"), json!("it is broken"))] });
        assert!(count(&listed).unwrap_err().to_string().contains("it is broken"));
        assert!(count(&json!({})).is_err());
    }
}
