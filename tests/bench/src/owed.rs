//! `make bench-owed`: what millions of deliveries that are owed to a dead endpoint cost.
//!
//! They are brought through the store's own door, and then a gateway runs on that store: how much
//! memory it takes, how long a sender waits beside it for an answer, in turn with a gateway that
//! owes nothing, and how long a start takes after `kill -9`. The high-water marks are raised; all
//! other limits are the defaults. Never delivers anything.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use hookgate::clock::Clock;
use hookgate::store::{Config, Store};
use tokio::runtime::Builder;

use crate::asking::get;
use crate::bar::{Bars, p99};
use crate::dead::{Dead, Failing};
use crate::figure::Unit;
use crate::filled::Filled;
use crate::gateway::{Gateway, Path, Workplace, stripe};
use crate::load::{Schedule, open};
use crate::payload::Batch;
use crate::scenario::count;
use crate::stock::owe;
use crate::supply::Supply;
use crate::times::Times;

const MEMORY_MAX_MB: f64 = 300.0;
const P99_MAX: f64 = 1.3;
const READY_MAX_MS: f64 = 2000.0;

/// Requests a second.
const RATE: usize = 1000;
/// Deliveries that are brought between two notes of how far it is.
const STEP: usize = 100_000;
/// Payloads that take turns in what is brought.
const PAYLOADS: usize = 20_000;
/// Before a kill, so that it comes while the gateway works.
const BEFORE_KILL: Duration = Duration::from_secs(3);
const PLUGINS: [(&str, &str); 1] = [("stripe", "stripe")];

/// How much is owed, and for how long to measure.
#[derive(Debug, Args)]
pub(crate) struct Owed {
    /// How many deliveries are owed
    #[arg(long, default_value_t = 10_000_000)]
    works: usize,
    /// Where to keep the store: a later run goes on with what is there
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// How the endpoint fails
    #[arg(long, value_enum, default_value_t = Failing::Unavailable)]
    endpoint: Failing,
    /// How many pairs, one half with what is owed and one without
    #[arg(long, default_value_t = 3)]
    pairs: usize,
    /// How long each half measures, in seconds
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// How often it is killed and started again
    #[arg(long, default_value_t = 3)]
    kills: usize,
}

/// A gateway on the store in which so much is owed.
struct Burdened<'a> {
    workplace: &'a Workplace,
    filled: &'a Filled,
    tables: &'a str,
    /// The most memory that any has had, in bytes.
    memory: u64,
}

impl Owed {
    /// Fills, measures, prints, and fails if a bar does not hold.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        ensure!(self.pairs > 0 && self.kills > 0, "there must be at least one pair and one kill");
        let workplace = Workplace::new()?;
        let mut filled = Filled::at(self.data.as_deref(), &workplace, "owed deliveries")?;
        self.fill(&mut filled)?;
        let dead = Dead::start(self.endpoint)?;
        let tables = self.tables(&Path::Delivering.tables(dead.address));

        let (filled, tables) = (&filled, &*tables);
        let mut burdened = Burdened { workplace: &workplace, filled, tables, memory: 0 };
        let owed = burdened.owed()?;
        ensure!(owed >= self.works, "only {owed} of {} deliveries are owed", self.works);
        let mut pairs = Vec::new();
        for pair in 0..self.pairs {
            eprintln!("pair {} of {}", pair + 1, self.pairs);
            pairs.push(self.pair(&mut burdened, pair)?);
        }
        let mut ready = Vec::new();
        for kill in 0..self.kills {
            eprintln!("kill {} of {}", kill + 1, self.kills);
            ready.push(burdened.start_after_kill()?);
        }

        println!("{} deliveries owed to a dead endpoint", Unit::Count.show(owed as f64));
        let mut bars = Bars::default();
        let memory = burdened.memory as f64 / 1e6;
        bars.at_most("peak memory", Unit::Megabytes, memory, MEMORY_MAX_MB);
        bars.p99("accepting at 1,000/s, with none owed and with all", &pairs, P99_MAX);
        let longest = ready.into_iter().max().unwrap_or_default().as_secs_f64() * 1000.0;
        bars.at_most("ready after `kill -9`", Unit::Milliseconds, longest, READY_MAX_MS);
        bars.all_hold()
    }

    fn fill(&self, filled: &mut Filled) -> anyhow::Result<()> {
        if filled.count() >= self.works {
            return Ok(());
        }
        let batch = Arc::new(Batch::write(PAYLOADS));
        let store = Store::open(&Config::at(filled.store()), Clock::System)?;
        Builder::new_current_thread().enable_all().build()?.block_on(async {
            for step in steps(filled.count(), self.works) {
                owe(&store, &batch, step).await?;
                filled.reach(filled.count() + step)?;
                eprintln!("{} of {} are owed", filled.count(), self.works);
            }
            Ok(store.close().await?)
        })
    }

    /// The configuration of both halves of a pair.
    fn tables(&self, path: &str) -> String {
        // Neither what is there nor what comes meanwhile reaches a mark.
        let mark = (self.works * 2).max(4_000_000);
        let stripe = stripe("stripe");
        format!("{stripe}{path}[limits]\nbacklog = {mark}\nbacklog_per_source = {mark}\n")
    }

    /// The 99th percentiles in milliseconds: with none owed, and with all.
    fn pair(&self, burdened: &mut Burdened<'_>, pair: usize) -> anyhow::Result<(f64, f64)> {
        let time = Duration::from_secs(self.seconds);
        let (workplace, tables) = (burdened.workplace, burdened.tables);
        let alone = || answers(&workplace.start_configured(&PLUGINS, tables)?, time);
        // Whoever comes first may find the machine warmer or colder: each does in turn.
        if pair.is_multiple_of(2) {
            let alone = alone()?;
            return Ok((alone, burdened.answers(time)?));
        }
        let beside = burdened.answers(time)?;
        Ok((alone()?, beside))
    }
}

impl Burdened<'_> {
    fn start(&self) -> anyhow::Result<Gateway> {
        self.workplace.start_on(&self.filled.store(), &PLUGINS, self.tables)
    }

    /// How many works are open, as the gateway counts them. Also has it compile its plugins.
    fn owed(&self) -> anyhow::Result<usize> {
        let gateway = self.start()?;
        let owed = open_works(&get(gateway.admin, "/metrics")?)?;
        gateway.stop()?;
        Ok(owed)
    }

    fn answers(&mut self, time: Duration) -> anyhow::Result<f64> {
        let gateway = self.start()?;
        let p99 = answers(&gateway, time)?;
        self.note_memory(&gateway)?;
        Ok(p99)
    }

    /// How long it takes to be ready where the one before was killed at work. Ends in the same way.
    fn start_after_kill(&mut self) -> anyhow::Result<Duration> {
        let gateway = self.start()?;
        answers(&gateway, BEFORE_KILL)?;
        self.note_memory(&gateway)?;
        Ok(gateway.ready_after)
    }

    fn note_memory(&mut self, gateway: &Gateway) -> anyhow::Result<()> {
        self.memory = self.memory.max(gateway.memory_peak()?);
        Ok(())
    }
}

/// The 99th percentile of how long answers take, in milliseconds.
fn answers(gateway: &Gateway, time: Duration) -> anyhow::Result<f64> {
    let supply = Supply::once(&Arc::new(Batch::anew(count(RATE, time * 5 / 4) + 1)));
    let mut times = Times::default();
    // The first only warms up.
    for time in [time / 4, time] {
        let part = supply.part(count(RATE, time));
        times = open(gateway.public, Schedule::new(RATE, &part), &part)?;
    }
    Ok(p99(times))
}

/// How many are brought in each step from `count` to `end`.
fn steps(count: usize, end: usize) -> impl Iterator<Item = usize> {
    (count..end).step_by(STEP).map(move |first| STEP.min(end - first))
}

/// The works that go back to the source, by the metrics.
fn open_works(metrics: &str) -> anyhow::Result<usize> {
    let name = "hookgate_backlog{source=\"stripe\"} ";
    let works = metrics.lines().find_map(|line| line.strip_prefix(name));
    Ok(works.context("the metrics do not say how many works are open")?.trim().parse()?)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        owed: Owed,
    }

    fn parse(arguments: &[&str]) -> Result<Owed, clap::Error> {
        let words = std::iter::once("bench").chain(arguments.iter().copied());
        let program = Program::try_parse_from(words);
        program.map(|program| program.owed)
    }

    #[test]
    fn ten_million_are_owed_to_an_endpoint_that_answers_503_unless_said_otherwise() {
        let owed = parse(&[]).unwrap();
        assert_eq!((owed.works, owed.endpoint), (10_000_000, Failing::Unavailable));
        let owed = parse(&["--works", "5", "--endpoint", "silent", "--data", "a"]).unwrap();
        assert_eq!((owed.works, owed.endpoint), (5, Failing::Silent));
        assert_eq!(owed.data, Some(PathBuf::from("a")));
        assert!(parse(&["--endpoint", "healthy"]).is_err());
    }

    #[test]
    fn no_mark_is_reached() {
        let tables = parse(&["--works", "3000000"]).unwrap().tables("[x]\n");
        let end = "[x]\n[limits]\nbacklog = 6000000\nbacklog_per_source = 6000000\n";
        assert!(tables.ends_with(end), "{tables}");
    }

    #[test]
    fn steps_lead_to_the_end_from_wherever_it_was_left() {
        let all = |count, end| steps(count, end).collect::<Vec<_>>();
        assert_eq!(all(0, 250_000), [100_000, 100_000, 50_000]);
        assert_eq!(all(200_000, 250_000), [50_000]);
        assert_eq!(all(250_000, 250_000), [0; 0]);
    }

    #[test]
    fn the_gateway_says_how_much_is_owed() {
        let metrics = "# HELP hookgate_backlog\nhookgate_backlog{source=\"\"} 2\n\
                       hookgate_backlog{source=\"stripe\"} 31\n";
        assert_eq!(open_works(metrics).unwrap(), 31);
        assert!(open_works("hookgate_backlog{source=\"\"} 2\n").is_err());
    }
}
