//! `make bench-try`: how long another version of a handler takes over a hundred thousand events,
//! and what that costs those that come live.
//!
//! A gateway takes the events and runs `dunning` on them. One in a thousand is about the subject of
//! the one before it, and the next gateway has settings with which `dunning` raises an alert there:
//! these are the differences that `hookgate plugin try` has to find, and no others. It goes on
//! again and again beside live events, in turn with nothing. Then it reads the folder of the
//! gateway that has stopped, must print the same, and leave every byte as it was. Never looks into
//! a store itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::{Args, value_parser};
use hookgate::clock::Clock;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::asking::{ask, get};
use crate::bar::Bars;
use crate::figure::Unit;
use crate::gateway::{Gateway, Workplace, stripe};
use crate::load::{Closed, closed};
use crate::pairs::{in_turn, live, meanwhile};
use crate::payload::{Batch, paired};
use crate::scenario::count;
use crate::supply::Supply;

const P99_MAX: f64 = 1.3;
const TIME_MAX_MS: f64 = 20_000.0;

/// Live requests a second.
const RATE: usize = 1_000;
/// One event in as many differs.
const SEEDED: usize = 1_000;
/// That bring the events.
const CONNECTIONS: usize = 16;
/// Nobody waits longer for all of them to be handled.
const PATIENCE: Duration = Duration::from_secs(600);
const PLUGINS: [(&str, &str); 2] = [("stripe", "stripe"), ("dunning", "dunning")];

/// How much is tried, and for how long to measure.
#[derive(Debug, Args)]
pub(crate) struct Rehearsal {
    /// How many events are stored
    #[arg(long, default_value_t = 100_000, value_parser = value_parser!(u32).range(1000..))]
    events: u32,
    /// How many pairs, one half beside rehearsals and one without
    #[arg(long, default_value_t = 5)]
    pairs: usize,
    /// How long each half measures, in seconds
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

/// The command, over one store.
struct Trying {
    program: PathBuf,
    arguments: Vec<String>,
}

/// What it said, and how long it took.
struct Tried {
    said: String,
    time: Duration,
}

impl Rehearsal {
    /// Fills, tries, measures, prints, and fails if a bar does not hold.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        ensure!(self.pairs > 0, "there must be at least one pair");
        ensure!(self.seconds > 0, "each half must measure for at least a second");
        let workplace = Workplace::new()?;
        let data = workplace.folder("tried")?;
        let events = usize::try_from(self.events)?;
        fill(&workplace, &data, events)?;
        // What comes live is not tried.
        let until = Clock::System.now().to_string();

        let gateway = workplace.start_on(&data, &PLUGINS, &tables(2))?;
        let file = text(&workplace.built("dunning")?)?;
        let trying = |place: &[&str]| {
            let arguments =
                ["plugin", "try", &file, "--json", "--until", &until].map(str::to_owned);
            let place = place.iter().map(|it| (*it).to_owned());
            let arguments = arguments.into_iter().chain(place).collect();
            Trying { program: workplace.program("hookgate"), arguments }
        };
        let running = trying(&["--admin", &format!("http://{}", gateway.admin)]);
        let newest = newest(gateway.admin)?;
        let first = running.once()?;
        let written = usize::from(self::newest(gateway.admin)? != newest);
        let (pairs, slowest) = self.measure(&gateway, &running)?;
        gateway.stop()?;

        let before = digests(&data)?;
        let (config, folder) = (text(&workplace.config())?, text(&data)?);
        let stopped = trying(&["--config", &config, "--data", &folder]).once()?;
        let after = digests(&data)?;
        let changed = after.iter().filter(|(name, digest)| before.get(*name) != Some(*digest));
        let changed = changed.count() + before.len().abs_diff(after.len());
        judge(events, &first, &stopped, (changed, written), (&pairs, slowest))
    }

    /// The 99th percentiles in milliseconds, without rehearsals and beside them, and how long the
    /// slowest of these took.
    fn measure(
        &self,
        gateway: &Gateway,
        trying: &Trying,
    ) -> anyhow::Result<(Vec<(f64, f64)>, Duration)> {
        let time = Duration::from_secs(self.seconds);
        let each = (count(RATE, time * 5 / 4) + 1) * 2;
        let supply = Supply::once(&Arc::new(Batch::anew(each * self.pairs)));
        let alone = || live(gateway.public, &supply, RATE, time);
        let mut slowest = Duration::ZERO;
        let beside = || {
            let (live, took) = meanwhile(|over| again(trying, over), alone);
            slowest = slowest.max(took?);
            live
        };
        let pairs = in_turn(self.pairs, alone, beside)?;
        Ok((pairs, slowest))
    }
}

impl Trying {
    /// Tries once.
    fn once(&self) -> anyhow::Result<Tried> {
        let began = Instant::now();
        let ran = Command::new(&self.program).args(&self.arguments).output()?;
        let time = began.elapsed();
        let said = String::from_utf8(ran.stdout)?;
        // That something differs is what it should say.
        let code = ran.status.code();
        ensure!(
            code == Some(1),
            "it ended with {code:?}: {}",
            String::from_utf8_lossy(&ran.stderr)
        );
        Ok(Tried { said, time })
    }
}

/// Tries again and again, and gives how long the slowest took.
fn again(trying: &Trying, over: &AtomicBool) -> anyhow::Result<Duration> {
    let mut slowest = Duration::ZERO;
    while !over.load(Ordering::Relaxed) {
        slowest = slowest.max(trying.once()?.time);
    }
    Ok(slowest)
}

/// A source, and `dunning` that raises an alert after as many failures.
fn tables(alert_after: u32) -> String {
    let settings = format!("config = {{ alert_after = {alert_after} }}");
    format!("{}[handlers.dunning]\n{settings}\n", stripe("stripe"))
}

/// Has a gateway take the events and handle them.
fn fill(workplace: &Workplace, data: &Path, events: usize) -> anyhow::Result<()> {
    let supply = Supply::once(&Arc::new(Batch::of(events, |number| paired(number, SEEDED))));
    let gateway = workplace.start_on(data, &PLUGINS, &tables(3))?;
    let began = Instant::now();
    closed(Closed { to: gateway.public, connections: CONNECTIONS, time: PATIENCE }, &supply)?;
    // After a minute the answer is that it is not so yet.
    while ask(gateway.admin, "/v1/settled")?.0 == 503 {
        ensure!(began.elapsed() < PATIENCE, "the events are not handled yet");
    }
    eprintln!("{events} events are handled, in {} s", began.elapsed().as_secs());
    gateway.stop()
}

/// The newest event.
fn newest(admin: SocketAddr) -> anyhow::Result<Value> {
    let page: Value = serde_json::from_str(&get(admin, "/v1/events?limit=1")?)?;
    Ok(page["items"][0]["id"].clone())
}

/// What is in each file of a store.
fn digests(data: &Path) -> anyhow::Result<BTreeMap<PathBuf, String>> {
    let mut digests = BTreeMap::new();
    for entry in std::fs::read_dir(data)? {
        let path = entry?.path();
        if path.is_file() {
            let digest = hex::encode(Sha256::digest(std::fs::read(&path)?));
            digests.insert(path, digest);
        }
    }
    ensure!(digests.len() > 1, "{} has no store", data.display());
    Ok(digests)
}

fn text(path: &Path) -> anyhow::Result<String> {
    path.to_str().map(str::to_owned).context("the path is not UTF-8")
}

fn judge(
    events: usize,
    running: &Tried,
    stopped: &Tried,
    (changed, written): (usize, usize),
    (pairs, slowest): (&[(f64, f64)], Duration),
) -> anyhow::Result<()> {
    let report: Value = serde_json::from_str(&running.said)?;
    let number = |key: &str| report[key].as_f64().unwrap_or_default();
    let alerts = report["groups"].as_array().into_iter().flatten();
    let alerts = alerts.filter(|it| it["kind"] == "alert").filter_map(|it| it["count"].as_f64());
    let seeded = (events / SEEDED) as f64;
    let (compared, alerts) = (number("compared"), alerts.sum::<f64>());
    println!("{} events, of which {} differ", number("compared"), number("differing"));
    let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
    let mut bars = Bars::default();
    bars.at_most("events that were not compared", Unit::Count, events as f64 - compared, 0.0);
    bars.at_most("seeded differences that were missed", Unit::Count, seeded - alerts, 0.0);
    bars.at_most("others that differ", Unit::Count, number("differing") - seeded, 0.0);
    let other = f64::from(running.said != stopped.said);
    bars.at_most("reports of the folder that differ", Unit::Count, other, 0.0);
    bars.at_most("files of the folder that changed", Unit::Count, changed as f64, 0.0);
    bars.at_most("events that it added", Unit::Count, written as f64, 0.0);
    bars.at_most("the slowest beside live events", Unit::Milliseconds, ms(slowest), TIME_MAX_MS);
    bars.at_most("over the folder", Unit::Milliseconds, ms(stopped.time), TIME_MAX_MS);
    bars.p99("live, without and beside rehearsals", pairs, P99_MAX);
    bars.all_hold()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        rehearsal: Rehearsal,
    }

    #[test]
    fn a_hundred_thousand_events_are_tried_unless_said_otherwise() {
        let parse = |words: &[&str]| Program::try_parse_from(words).map(|it| it.rehearsal);
        let rehearsal = parse(&["bench"]).unwrap();
        assert_eq!((rehearsal.events, rehearsal.pairs, rehearsal.seconds), (100_000, 5, 10));
        assert!(parse(&["bench", "--events", "10"]).is_err(), "one in a thousand differs");
    }
}
