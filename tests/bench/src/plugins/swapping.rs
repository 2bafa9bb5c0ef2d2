//! A handler that is replaced again and again, by a file that has to be compiled each time, while
//! it runs thousands of times a second.
//!
//! Each run is waited for from when its request should have been sent until its notice has arrived:
//! the longest wait with a handler that is replaced, against the longest with one that stays, in
//! turn. The admin port is asked as often in both halves. How long the cores idle is said beside
//! it: where they never do, every wait is that of a machine that is too small, and grows by itself.
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

use super::batches::batch;
use crate::asking::get;
use crate::bar::Bars;
use crate::figure::Unit;
use crate::gateway::{Gateway, Path, Workplace};
use crate::load::{Schedule, open};
use crate::processor::metered;
use crate::receiver::Receiver;
use crate::report::median;
use crate::scenario::count;
use crate::supply::Supply;
use crate::times::Times;
use crate::typed::SOURCE;

/// Runs a second.
const RATE: usize = 5_000;
const MORE_MAX_MS: f64 = 50.0;

const HANDLER: &str = "dunning";
const PLUGINS: [(&str, &str); 2] = [("cloudevents", "cloudevents"), (HANDLER, HANDLER)];
/// Before anything counts.
const WARM_UP: Duration = Duration::from_secs(2);
/// From when one file runs until the next is put in its place.
const PAUSE: Duration = Duration::from_millis(300);
/// Between two looks at what runs: another process can only be asked again.
const LOOK: Duration = Duration::from_millis(20);
/// Nobody waits longer for a file to run, or for an event to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// What to measure.
pub(super) struct Swapping<'a> {
    /// How many pairs, one half with a handler that stays and one with one that is replaced.
    pub(super) pairs: usize,
    /// How long each half measures.
    pub(super) time: Duration,
    /// How many events each request brings.
    pub(super) together: usize,
    /// What the configuration says under `[limits]`.
    pub(super) limits: &'a str,
}

/// The file of the handler, which is another one after each replacement.
struct Handler {
    folder: PathBuf,
    wasm: Vec<u8>,
    /// How many files were put in its place.
    files: u32,
    /// How many of them ran while events went through.
    replaced: usize,
}

/// What comes in, and where the notices arrive.
struct Load<'a> {
    gateway: &'a Gateway,
    receiver: &'a Receiver,
    supply: &'a Supply,
    together: usize,
}

/// What half of a pair has come to: milliseconds, and percent of the cores.
struct Half {
    p99: f64,
    longest: f64,
    idle: f64,
}

impl Swapping<'_> {
    pub(super) fn measure(&self, workplace: &Workplace, bars: &mut Bars) -> anyhow::Result<()> {
        let Self { pairs, time, together, limits } = *self;
        ensure!(RATE.is_multiple_of(together), "{RATE} runs are no number of whole requests");
        let receiver = Receiver::start()?;
        let handling = Path::Handling.tables(receiver.address);
        let tables = format!("{SOURCE}{handling}[limits]\n{limits}\n");
        let gateway = workplace.start_configured(&PLUGINS, &tables)?;
        let wasm = std::fs::read(workplace.built(HANDLER)?)?;
        let mut handler = Handler { folder: workplace.plugins(), wasm, files: 0, replaced: 0 };
        let requests = |time| count(RATE / together, time);
        let all = batch(requests(WARM_UP) + 2 * pairs * requests(time), together);
        let supply = Supply::once(&Arc::new(all));
        let load = Load { gateway: &gateway, receiver: &receiver, supply: &supply, together };
        load.half(WARM_UP)?;
        let halves = load.halves(pairs, time, &mut handler)?;
        let failed = failed_runs(&get(gateway.admin, "/metrics")?);
        gateway.stop()?;

        let rate = Unit::PerSecond.show(RATE as f64);
        println!("a handler that was replaced {} times under {rate}", handler.replaced);
        bars.at_most("runs that failed", Unit::Count, failed, 0.0);
        let more: Vec<f64> = halves.iter().map(|(stays, is)| is.longest - stays.longest).collect();
        let low = more.iter().copied().fold(f64::INFINITY, f64::min);
        let high = more.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let what = "longest wait, more than without";
        bars.at_most(what, Unit::Milliseconds, median(more), MORE_MAX_MS);
        let idle = median(halves.iter().map(|(stays, _)| stays.idle).collect());
        println!("  from {low:.1} to {high:.1} ms; without, the cores are idle for {idle:.0} %");
        Ok(())
    }
}

impl Load<'_> {
    /// Measures pairs: with the handler that stays, and with the one that is replaced.
    fn halves(
        &self,
        pairs: usize,
        time: Duration,
        handler: &mut Handler,
    ) -> anyhow::Result<Vec<(Half, Half)>> {
        let admin = self.gateway.admin;
        let stays = || beside(|| self.half(time), |over| ask_until(admin, over));
        let mut is_replaced =
            || beside(|| self.half(time), |over| handler.replace_until(admin, over));
        let mut halves = Vec::new();
        for pair in 0..pairs {
            // Whoever comes first may find the machine warmer or colder: each does in turn.
            let (stays, is_replaced) = if pair.is_multiple_of(2) {
                let stays = stays()?;
                (stays, is_replaced()?)
            } else {
                let is_replaced = is_replaced()?;
                (stays()?, is_replaced)
            };
            let (one, other) = (stays.shown(), is_replaced.shown());
            eprintln!("pair {} of {pairs}: {one}; replaced {other}", pair + 1);
            halves.push((stays, is_replaced));
        }
        Ok(halves)
    }

    /// Sends by a schedule, and gives how long runs took from when their request should have been
    /// sent until their notices had arrived.
    fn half(&self, time: Duration) -> anyhow::Result<Half> {
        let Self { gateway, receiver, supply, together } = *self;
        let part = supply.part(count(RATE / together, time));
        let schedule = Schedule::new(RATE / together, &part);
        let send = || open(gateway.public, schedule, &part);
        let (_, usage) = metered(gateway.process(), schedule.span(), send)?;
        let requests = schedule.numbers();
        let runs = requests.start * together..requests.end * together;
        receiver.arrivals.wait_for(runs.clone(), PATIENCE);
        let mut waits = Times::default();
        for run in runs {
            let at = receiver.arrivals.at(run).context("a notice has not arrived")?;
            waits.add(at.saturating_duration_since(schedule.at(run / together)));
        }
        let [_, _, (_, p99), (_, longest)] = waits.percentiles();
        Ok(Half { p99, longest, idle: usage.idle })
    }
}

impl Half {
    fn shown(&self) -> String {
        let Self { p99, longest, idle } = self;
        format!("longest {longest:.1} ms (p99 {p99:.1} ms, {idle:.0} % idle)")
    }
}

/// Does the work while another thread does something else, until the work is over.
fn beside<T>(
    work: impl FnOnce() -> anyhow::Result<T>,
    other: impl FnOnce(&AtomicBool) -> anyhow::Result<()> + Send,
) -> anyhow::Result<T> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| other(&over));
        let done = work();
        over.store(true, Ordering::Relaxed);
        thread.join().expect("it does not panic")?;
        done
    })
}

/// Asks as often as who replaces the handler does.
fn ask_until(admin: SocketAddr, over: &AtomicBool) -> anyhow::Result<()> {
    while !over.load(Ordering::Relaxed) {
        running(admin)?;
        sleep(LOOK);
    }
    Ok(())
}

impl Handler {
    /// Replaces the handler again and again until it is over, and returns when the last file runs:
    /// nothing is compiled in what is measured next.
    fn replace_until(&mut self, admin: SocketAddr, over: &AtomicBool) -> anyhow::Result<()> {
        let before = self.replaced;
        let (mut digest, mut put) = (self.replace()?, Instant::now());
        let mut runs_since: Option<Instant> = None;
        loop {
            // Before the look: what is compiled for longer than events go through counts for
            // nothing.
            let is_over = over.load(Ordering::Relaxed);
            let runs = running(admin)? == digest;
            match runs_since {
                None if runs => {
                    runs_since = Some(Instant::now());
                    self.replaced += usize::from(!is_over);
                }
                None => {
                    let waited = put.elapsed();
                    ensure!(waited < PATIENCE, "the new file of {HANDLER} does not run");
                }
                Some(_) if is_over => break,
                Some(since) if since.elapsed() >= PAUSE => {
                    (digest, put) = (self.replace()?, Instant::now());
                    runs_since = None;
                }
                Some(_) => (),
            }
            sleep(LOOK);
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
