//! A handler that is replaced again and again, by a file that has to be compiled each time, while
//! thousands of events a second go through it.
//!
//! Each event is waited for from when it should have been sent until its notice has arrived: the
//! longest wait with a handler that is replaced, against the longest with one that stays, in turn.
//! No run may fail. Never changes what the handler does.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::ms;
use crate::asking::get;
use crate::bar::Bars;
use crate::figure::Unit;
use crate::gateway::{Gateway, Path, Workplace};
use crate::load::{Schedule, open};
use crate::payload::Batch;
use crate::receiver::Receiver;
use crate::report::median;
use crate::scenario::count;
use crate::supply::Supply;

/// Events a second, with a run each.
const RATE: usize = 5_000;
const MORE_MAX_MS: f64 = 50.0;

const HANDLER: &str = "dunning";
/// Before anything counts.
const WARM_UP: Duration = Duration::from_secs(2);
/// From when one file runs until the next is put in its place.
const PAUSE: Duration = Duration::from_millis(300);
/// Between two looks at what runs: another process can only be asked again.
const LOOK: Duration = Duration::from_millis(20);
/// Nobody waits longer for a file to run, or for an event to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// The file of the handler, which is another one after each replacement.
struct Handler {
    folder: PathBuf,
    wasm: Vec<u8>,
    /// How many files were put in its place.
    files: u32,
    /// How many of them ran while events went through.
    replaced: usize,
}

pub(super) fn measure(
    workplace: &Workplace,
    pairs: usize,
    time: Duration,
    bars: &mut Bars,
) -> anyhow::Result<()> {
    let receiver = Receiver::start()?;
    let gateway = workplace.start(Path::Handling, receiver.address)?;
    let wasm = std::fs::read(workplace.built(HANDLER)?)?;
    let mut handler = Handler { folder: workplace.plugins(), wasm, files: 0, replaced: 0 };
    let payloads = count(RATE, WARM_UP) + 2 * pairs * count(RATE, time);
    let supply = Supply::once(&Arc::new(Batch::anew(payloads)));
    let longest = |time| longest_wait(&gateway, &receiver, &supply.part(count(RATE, time)));
    longest(WARM_UP)?;
    let mut more = Vec::new();
    for pair in 0..pairs {
        // Whoever comes first may find the machine warmer or colder: each does in turn.
        let (stays, is_replaced) = if pair.is_multiple_of(2) {
            let stays = longest(time)?;
            (stays, handler.replacing(gateway.admin, || longest(time))?)
        } else {
            let is_replaced = handler.replacing(gateway.admin, || longest(time))?;
            (longest(time)?, is_replaced)
        };
        let number = pair + 1;
        eprintln!("pair {number} of {pairs}: longest {stays:.1} ms, replaced {is_replaced:.1} ms");
        more.push(is_replaced - stays);
    }
    let failed = failed_runs(&get(gateway.admin, "/metrics")?);
    gateway.stop()?;

    let rate = Unit::PerSecond.show(RATE as f64);
    println!("a handler that was replaced {} times under {rate}", handler.replaced);
    bars.at_most("runs that failed", Unit::Count, failed, 0.0);
    let what = "longest wait, more than without";
    bars.at_most(what, Unit::Milliseconds, median(more), MORE_MAX_MS);
    Ok(())
}

/// Sends by a schedule, and gives the longest time in milliseconds from when one should have been
/// sent until its notice had arrived.
fn longest_wait(gateway: &Gateway, receiver: &Receiver, part: &Supply) -> anyhow::Result<f64> {
    let schedule = Schedule::new(RATE, part);
    open(gateway.public, schedule, part)?;
    receiver.arrivals.wait_for(schedule.numbers(), PATIENCE);
    let mut longest = Duration::ZERO;
    for number in schedule.numbers() {
        let at = receiver.arrivals.at(number).context("a notice has not arrived")?;
        longest = longest.max(at.saturating_duration_since(schedule.at(number)));
    }
    Ok(ms(longest))
}

impl Handler {
    /// Does this while the handler is replaced again and again, at least once.
    fn replacing<T>(
        &mut self,
        admin: SocketAddr,
        work: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let is_over = AtomicBool::new(false);
        let (handler, over) = (self, &is_over);
        std::thread::scope(|scope| {
            let replacer = scope.spawn(move || handler.replace_until(admin, over));
            let done = work();
            over.store(true, Ordering::Relaxed);
            replacer.join().expect("it does not panic")?;
            done
        })
    }

    fn replace_until(&mut self, admin: SocketAddr, over: &AtomicBool) -> anyhow::Result<()> {
        let before = self.replaced;
        while !over.load(Ordering::Relaxed) {
            let digest = self.replace()?;
            let began = Instant::now();
            while running(admin)? != digest {
                ensure!(began.elapsed() < PATIENCE, "the new file of {HANDLER} does not run");
                sleep(LOOK);
            }
            // What is compiled for longer than events go through counts for nothing.
            self.replaced += usize::from(!over.load(Ordering::Relaxed));
            sleep(PAUSE);
        }
        ensure!(
            self.replaced > before,
            "{HANDLER} was not replaced: measure for longer (--seconds)"
        );
        Ok(())
    }

    /// Puts another file in place, as `mv` does, and gives its digest.
    fn replace(&mut self) -> anyhow::Result<String> {
        self.files += 1;
        let wasm = edition(&self.wasm, self.files);
        let partial = self.folder.join(format!(".{HANDLER}.partial"));
        std::fs::write(&partial, &wasm)?;
        std::fs::rename(partial, self.folder.join(format!("{HANDLER}.wasm")))?;
        Ok(hex::encode(Sha256::digest(&wasm)))
    }
}

/// The same plugin in another file: with a custom section more.
pub(crate) fn edition(wasm: &[u8], number: u32) -> Vec<u8> {
    let name = b"edition";
    let content = [&[name.len() as u8][..], name, &number.to_le_bytes()].concat();
    [wasm, &[0, content.len() as u8], &content].concat()
}

/// The digest of the handler that runs, or nothing.
fn running(admin: SocketAddr) -> anyhow::Result<String> {
    let listed: Value = serde_json::from_str(&get(admin, "/v1/plugins")?)?;
    let rows = listed["plugins"].as_array().context("the list has no plugins")?;
    let row = rows.iter().find(|row| row["name"] == HANDLER);
    Ok(row.and_then(|row| row["digest"].as_str()).unwrap_or_default().to_owned())
}

/// How many runs of the handler did not succeed, by the metrics.
fn failed_runs(metrics: &str) -> f64 {
    let ours = format!("hookgate_runs_total{{handler=\"{HANDLER}\",");
    let failed = metrics.lines().filter(|line| line.starts_with(&ours));
    let failed = failed.filter(|line| !line.contains("outcome=\"success\""));
    failed.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_edition_is_another_file_that_begins_with_the_plugin() {
        let (first, second) = (edition(b"\0asm", 1), edition(b"\0asm", 2));
        assert!(first.starts_with(b"\0asm") && first != second);
        assert_eq!(usize::from(first[5]), first.len() - 6);
    }

    #[test]
    fn runs_that_did_not_succeed_are_counted() {
        let line = |handler: &str, outcome: &str, runs: u32| {
            let labels = format!("handler=\"{handler}\",outcome=\"{outcome}\",cause=\"\"");
            format!("hookgate_runs_total{{{labels}}} {runs}\n")
        };
        let succeeded = line(HANDLER, "success", 90);
        let metrics = succeeded + &line(HANDLER, "transient", 2) + &line("other", "permanent", 5);
        assert_eq!(failed_runs(&metrics), 2.0);
        assert_eq!(failed_runs(""), 0.0);
    }
}
