//! `hookgate-bench breakdown`: what an event costs, by thread, by call of the system and by commit.
//!
//! Counts from before the first event of a load until the last has arrived, and divides by the
//! events. For whoever looks for what to make faster: nothing is compared and no bar is set. Calls
//! of the system and commits are counted by `perf`, where it is installed and may count.

mod counters;
mod traced;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;

use crate::asking::get;
use crate::figure::Unit;
use crate::gateway::{Gateway, Path, Workplace};
use crate::load::{Closed, Schedule, closed, open};
use crate::payload::Batch;
use crate::process::Taken;
use crate::processor::Meter;
use crate::receiver::Receiver;
use crate::scenario::count;
use crate::supply::Supply;

use self::traced::{CALLS, SYNCS, Traced};

/// Payloads for every second of accepting alone: more than are accepted.
const PAYLOADS_A_SECOND: usize = 60_000;
/// Connections of the closed loop, for accepting alone.
const CONNECTIONS: usize = 64;
/// For `perf` to begin: it does not say when it has.
const ATTACHING: Duration = Duration::from_millis(500);
/// For what is still on its way when the last was sent.
const LAST_WAIT: Duration = Duration::from_secs(60);

/// What to load the gateway with.
#[derive(Debug, Args)]
pub(crate) struct Breakdown {
    /// Events a second where they are delivered; accepting alone is as fast as it can be
    #[arg(long, default_value_t = 4000)]
    rate: usize,
    /// How long each is measured
    #[arg(long, default_value_t = 5)]
    seconds: u32,
}

/// What there was at one time.
struct Snapshot {
    threads: BTreeMap<String, Taken>,
    written: u64,
    counters: BTreeMap<String, f64>,
}

impl Breakdown {
    /// Measures and prints.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        ensure!(self.rate > 0 && self.seconds > 0, "there must be a rate and a time");
        let (workplace, time) = (Workplace::new()?, Duration::from_secs(1) * self.seconds);
        let payloads = count(PAYLOADS_A_SECOND.max(2 * self.rate), time);
        let batch = Arc::new(Batch::write(payloads));
        let paths = [
            (Path::Accepting, "accepting alone"),
            (Path::Delivering, "delivered"),
            (Path::Handling, "delivered with a handler in between"),
        ];
        for (path, title) in paths {
            println!("\n{title}");
            self.measure(&workplace, path, &Supply::once(&batch), time)?;
        }
        Ok(())
    }

    fn measure(
        &self,
        workplace: &Workplace,
        path: Path,
        supply: &Supply,
        time: Duration,
    ) -> anyhow::Result<()> {
        let receiver = Receiver::start()?;
        let gateway = workplace.start(path, receiver.address)?;
        let send = |time: Duration| -> anyhow::Result<()> {
            if path == Path::Accepting {
                let load = Closed { to: gateway.public, connections: CONNECTIONS, time };
                closed(load, supply)?;
                return Ok(());
            }
            let part = supply.part(count(self.rate, time));
            open(gateway.public, Schedule::new(self.rate, &part), &part)?;
            let arrived = receiver.arrivals.wait(part.end(), LAST_WAIT);
            ensure!(arrived, "{} of {} arrived", receiver.arrivals.count(), part.end());
            Ok(())
        };
        send(time / 5)?;

        let traced = Traced::start(gateway.process());
        std::thread::sleep(ATTACHING);
        let (before, taken) = (Snapshot::of(&gateway)?, supply.taken());
        let (meter, began) = (Meter::start(Some(gateway.process()))?, Instant::now());
        send(time)?;
        let (elapsed, usage) = (began.elapsed(), meter.stop()?);
        let (after, events) = (Snapshot::of(&gateway)?, supply.taken() - taken);
        let counts = traced.map_or_else(|| Ok(Vec::new()), Traced::stop)?;
        println!(
            "  {} events in {:.1} s, {} idle",
            Unit::Count.show(events as f64),
            elapsed.as_secs_f64(),
            Unit::Percent.show(usage.idle)
        );
        let cost = Cost { events: events as f64, elapsed, before, after, counts };
        cost.lines().iter().for_each(|(what, value)| println!("  {what:<46}{value:>14}"));
        drop(gateway);
        Ok(())
    }
}

impl Snapshot {
    fn of(gateway: &Gateway) -> anyhow::Result<Self> {
        let process = gateway.process();
        let counters = counters::read(&get(gateway.admin, "/metrics")?);
        Ok(Self { threads: process.threads()?, written: process.written()?, counters })
    }
}

/// What so many events have cost.
struct Cost {
    events: f64,
    elapsed: Duration,
    before: Snapshot,
    after: Snapshot,
    counts: Vec<(String, u64)>,
}

impl Cost {
    /// What is printed, each with its name.
    fn lines(&self) -> Vec<(String, String)> {
        let mut lines = self.threads();
        let written = self.after.written.saturating_sub(self.before.written) as f64;
        let line = |what: &str, shown: String| (what.to_owned(), shown);
        lines.push(line("written an event", Unit::Bytes.show(written / self.events)));
        let counted = |name: &str| self.counts.iter().find(|(of, _)| of == name);
        if let Some((_, calls)) = counted(CALLS) {
            let each = *calls as f64 / self.events;
            lines.push(line("calls of the system an event", Unit::Ratio.show(each)));
        } else {
            lines.push(line("calls of the system, commits", "no perf".to_owned()));
        }
        let commits: u64 = SYNCS.iter().filter_map(|name| counted(name)).map(|(_, n)| n).sum();
        if commits > 0 {
            let commits = commits as f64;
            let rate = commits / self.elapsed.as_secs_f64();
            lines.push(line("commits", Unit::PerSecond.show(rate)));
            lines.push(line("events a commit", Unit::Ratio.show(self.events / commits)));
            lines.push(line("written a commit", Unit::Bytes.show(written / commits)));
        }
        for (name, by) in counters::grown(&self.before.counters, &self.after.counters) {
            lines.push((format!("{name} an event"), Unit::Ratio.show(by / self.events)));
        }
        lines
    }

    /// What threads of each sort took of an event, the most first.
    fn threads(&self) -> Vec<(String, String)> {
        let taken = |(sort, after): (&String, &Taken)| {
            let before = self.before.threads.get(sort).copied().unwrap_or_default();
            let time = after.time.saturating_sub(before.time);
            (sort.clone(), time, after.switches.saturating_sub(before.switches))
        };
        let mut sorts: Vec<_> = self.after.threads.iter().map(taken).collect();
        sorts.sort_by_key(|(_, time, _)| std::cmp::Reverse(*time));
        let (all, switches) = sorts
            .iter()
            .fold((Duration::ZERO, 0), |(time, switches), sort| (time + sort.1, switches + sort.2));
        sorts.insert(0, ("all threads".to_owned(), all, switches));
        let mut lines = Vec::new();
        for (sort, time, switches) in sorts {
            let micros = time.as_secs_f64() * 1e6 / self.events;
            // Below that, the clock of the system is too coarse to say anything.
            if micros >= 0.1 {
                let each = Unit::Ratio.show(switches as f64 / self.events);
                let what = format!("{sort}, {each} switches an event");
                lines.push((what, Unit::Microseconds.show(micros)));
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(ms: u64, switches: u64, written: u64, accepted: f64) -> Snapshot {
        let taken = |share: u64| Taken { time: Duration::from_millis(ms / share), switches };
        let threads = [("parse", 4), ("store-writer", 1)]
            .map(|(name, share)| (name.to_owned(), taken(share)));
        let counters = BTreeMap::from([("accepted_total".to_owned(), accepted)]);
        Snapshot { threads: threads.into(), written, counters }
    }

    #[test]
    fn what_has_grown_is_divided_by_the_events() {
        let (before, after) = (snapshot(400, 100, 5_000, 1.0), snapshot(800, 600, 405_000, 1001.0));
        let counts = vec![(CALLS.to_owned(), 4500), (SYNCS[0].to_owned(), 50)];
        let elapsed = Duration::from_secs(2);
        let cost = Cost { events: 1000.0, elapsed, before, after, counts };
        let lines = cost.lines();
        let shown: Vec<(&str, &str)> =
            lines.iter().map(|(what, value)| (&**what, &**value)).collect();
        assert_eq!(
            shown,
            [
                ("all threads, 1.00 switches an event", "500 us"),
                ("store-writer, 0.50 switches an event", "400 us"),
                ("parse, 0.50 switches an event", "100 us"),
                ("written an event", "400 B"),
                ("calls of the system an event", "4.50"),
                ("commits", "25/s"),
                ("events a commit", "20.00"),
                ("written a commit", "8,000 B"),
                ("accepted_total an event", "1.00"),
            ]
        );
    }

    #[test]
    fn without_perf_neither_calls_nor_commits_are_made_up() {
        let (before, after) = (snapshot(0, 0, 0, 0.0), snapshot(8, 8, 8, 8.0));
        let elapsed = Duration::from_secs(1);
        let cost = Cost { events: 8.0, elapsed, before, after, counts: Vec::new() };
        let lines = cost.lines();
        assert!(lines.contains(&("calls of the system, commits".into(), "no perf".into())));
        assert!(!lines.iter().any(|(what, _)| what == "commits"), "{lines:?}");
    }
}
