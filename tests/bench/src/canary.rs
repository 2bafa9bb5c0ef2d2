//! `make bench-canary`: how soon a canary is dropped that is worse, and whether one that is equal
//! is left alone.
//!
//! A live version that fails on one event in a thousand, and beside it, one after the other,
//! canaries that fail on one in twenty and others that are as good. Each is a file of its own that
//! a running gateway compiles, and gets a fifth of the subjects. Never counts anything itself: it
//! shows what `hookgate plugin status` would.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::asking::{ask, get, post};
use crate::bar::Bars;
use crate::figure::Unit;
use crate::gateway::{Gateway, Workplace};
use crate::plugins::edition;
use crate::wire::Connection;

/// Runs within which a bad one must be dropped.
const RUNS_MAX: f64 = 500.0;
/// On one event in as many a version fails.
const GOOD: u16 = 1_000;
const BAD: u16 = 20;

/// What the guest's file has, with the number of its edition.
const MARK: &[u8] = b"guest-edition:";
const CONNECTIONS: usize = 8;
/// Between two looks: another process can only be asked again.
const LOOK: Duration = Duration::from_millis(20);
/// Nobody waits longer for a file to run, or for a canary to get its runs.
const PATIENCE: Duration = Duration::from_secs(120);

const TABLES: &str = "[plugins]\nfolder = \"plugins\"\n\
                      [plugins.guest]\ncanary = { share = \"20%\" }\n\
                      [sources.guest]\nplugin = \"guest\"\nverify = \"none\"\n";

/// How many canaries, and for how long each runs that is not dropped.
#[derive(Debug, Args)]
pub(crate) struct Canary {
    /// How many bad ones, and how many that are equal
    #[arg(long, default_value_t = 20)]
    trials: usize,
    /// Runs after which an equal one has done enough
    #[arg(long, default_value_t = 2_000)]
    runs: u64,
}

/// A gateway with the live version, and the canaries that come.
struct Stage {
    workplace: Workplace,
    gateway: Gateway,
    guest: Vec<u8>,
    /// How many files were put into the folder.
    files: u32,
    /// How many events were sent.
    events: Arc<AtomicU64>,
}

impl Canary {
    /// Measures, prints, and fails if a bar does not hold.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        ensure!(self.trials > 0 && self.runs > 0, "there must be at least one trial and one run");
        let mut stage = Stage::new()?;
        let (mut dropped, mut slowest, mut equal) = (0, 0, 0);
        for trial in 1..=self.trials {
            let (verdict, runs) = stage.trial(BAD, self.runs)?;
            dropped += usize::from(verdict == "dropped_by_test");
            slowest = slowest.max(runs);
            eprintln!("trial {trial} of {}: a bad one is {verdict} after {runs} runs", self.trials);
            let (verdict, runs) = stage.trial(GOOD, self.runs)?;
            equal += usize::from(verdict == "running");
            eprintln!("trial {trial} of {}: an equal one is {verdict} after {runs}", self.trials);
        }
        stage.gateway.stop()?;

        let mut bars = Bars::default();
        let missed = |held: usize| (self.trials - held) as f64;
        println!("canaries that fail on one event in {BAD} beside a version with one in {GOOD}");
        bars.at_most("bad ones that were not dropped", Unit::Count, missed(dropped), 0.0);
        bars.at_most("most runs until one was dropped", Unit::Count, slowest as f64, RUNS_MAX);
        bars.at_most("equal ones that were dropped", Unit::Count, missed(equal), 0.0);
        bars.all_hold()
    }
}

impl Stage {
    fn new() -> anyhow::Result<Self> {
        let workplace = Workplace::new()?;
        let guest = std::fs::read(workplace.built("guest")?)
            .context("the guest is missing: `make bench-canary` builds it")?;
        let gateway = workplace.start_configured(&[("guest", "guest")], TABLES)?;
        let events = Arc::default();
        let mut stage = Self { workplace, gateway, guest, files: 0, events };
        let digest = stage.put("guest", GOOD)?;
        let runs = |row: &Value| row["name"] == "guest" && row["digest"] == digest;
        stage.wait("the live version", || Ok(stage.row(&runs)?.is_some()))?;
        Ok(stage)
    }

    /// Lets a canary run that fails on one event in as many, and gives what became of it within
    /// this many runs, and after how many. One that is left is dropped behind it.
    fn trial(&mut self, one_in: u16, most: u64) -> anyhow::Result<(String, u64)> {
        let digest = self.put("guest@next", one_in)?;
        self.wait("a canary", || Ok(self.canary()?["digest"] == digest))?;
        let over = AtomicBool::new(false);
        let (to, events) = (self.gateway.public, Arc::clone(&self.events));
        let ended = std::thread::scope(|scope| {
            let sending = scope.spawn(|| send(to, &events, &over));
            let ended = self.watch(most);
            over.store(true, Ordering::Relaxed);
            sending.join().expect("it does not panic")?;
            ended
        })?;
        if ended.0 == "running" {
            let dropped = post(self.gateway.admin, "/v1/plugins/guest/canary/drop", "{}")?;
            ensure!(dropped.0 == 200, "the canary could not be dropped: {}", dropped.1);
        }
        let is_next = |row: &Value| row["name"] == "guest@next";
        self.wait("the end of a canary", || Ok(self.row(&is_next)?.is_none()))?;
        Ok(ended)
    }

    /// Waits until the canary has ended or has run so often.
    fn watch(&self, most: u64) -> anyhow::Result<(String, u64)> {
        let began = Instant::now();
        loop {
            let canary = self.canary()?;
            let runs = canary["canary"]["runs"].as_u64().context("a canary has runs")?;
            let verdict = canary["verdict"].as_str().context("a canary has a verdict")?;
            if verdict != "running" || runs >= most {
                return Ok((verdict.to_owned(), runs));
            }
            ensure!(began.elapsed() < PATIENCE, "the canary has made {runs} of {most} runs");
            sleep(LOOK);
        }
    }

    /// Puts another edition of the guest into the folder, as `mv` does, and gives its digest.
    fn put(&mut self, stem: &str, one_in: u16) -> anyhow::Result<String> {
        self.files += 1;
        let wasm = edition(&failing(&self.guest, one_in)?, self.files);
        let folder = self.workplace.plugins();
        let partial = folder.join(".guest.partial");
        std::fs::write(&partial, &wasm)?;
        std::fs::rename(partial, folder.join(format!("{stem}.wasm")))?;
        Ok(hex::encode(Sha256::digest(&wasm)))
    }

    /// The canary as it stands; null if there never was one.
    fn canary(&self) -> anyhow::Result<Value> {
        let (status, body) = ask(self.gateway.admin, "/v1/plugins/guest/canary")?;
        Ok(if status == 404 { Value::Null } else { serde_json::from_str(&body)? })
    }

    /// The row of the list of plugins that is meant, if there is one.
    fn row(&self, is_it: &dyn Fn(&Value) -> bool) -> anyhow::Result<Option<Value>> {
        let listed: Value = serde_json::from_str(&get(self.gateway.admin, "/v1/plugins")?)?;
        let rows = listed["plugins"].as_array().context("the list has no plugins")?;
        Ok(rows.iter().find(|row| is_it(row)).cloned())
    }

    fn wait(&self, what: &str, is_so: impl Fn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let began = Instant::now();
        while !is_so()? {
            ensure!(began.elapsed() < PATIENCE, "the gateway did not come to {what}");
            sleep(LOOK);
        }
        Ok(())
    }
}

/// The guest's file, with the number of another edition.
fn failing(guest: &[u8], one_in: u16) -> anyhow::Result<Vec<u8>> {
    let mut wasm = guest.to_vec();
    let at = memchr::memmem::find(&wasm, MARK).context("the guest has no mark")? + MARK.len();
    let number = format!("{one_in:04}");
    let place = wasm.get_mut(at..at + number.len()).context("the guest ends in its mark")?;
    place.copy_from_slice(number.as_bytes());
    Ok(wasm)
}

/// Posts events, each about a subject of its own, until it is over.
fn send(to: SocketAddr, events: &Arc<AtomicU64>, over: &AtomicBool) -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(Connection::open(to).await?);
        }
        while !over.load(Ordering::Relaxed) {
            let mut posting = JoinSet::new();
            for mut connection in connections.drain(..) {
                let number = events.fetch_add(1, Ordering::Relaxed);
                posting.spawn(async move {
                    connection.post(&request(number)).await?;
                    anyhow::Ok(connection)
                });
            }
            while let Some(posted) = posting.join_next().await {
                connections.push(posted??);
            }
        }
        Ok(())
    })
}

fn request(number: u64) -> Vec<u8> {
    let body = format!("{{\"id\":\"evt_{number}\",\"subject\":\"pi_{number}\"}}");
    let length = body.len();
    format!(
        "POST /in/guest HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_an_edition_stands_behind_the_mark() {
        let guest = [&b"\0asm"[..], MARK, b"0000 and more"].concat();
        let expected = [&b"\0asm"[..], MARK, b"0020 and more"].concat();
        assert_eq!(failing(&guest, 20).unwrap(), expected);
        assert!(failing(b"\0asm", 20).is_err());
        assert!(failing(MARK, 20).is_err());
    }
}
