//! `make bench-telemetry`: what traces, metrics and a log cost those who send.
//!
//! The way in alone, as fast as 256 connections can send: each request is proven, stored, synced
//! and answered, and nothing is parsed. A gateway that exports nothing takes turns with one that
//! exports to a collector here and writes its log to a file; and then with one of an older
//! revision, if somebody names it, of which neither exports anything. Never looks into what is
//! exported.

mod sink;

use std::net::SocketAddr;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use clap::Args;

use self::sink::Sink;
use crate::asking::get;
use crate::bar::Bars;
use crate::figure::Unit;
use crate::gateway::{Log, Path, Workplace, stripe};
use crate::load::{Closed, closed};
use crate::pairs::in_turn;
use crate::payload::Batch;
use crate::supply::Supply;

/// What must be left of the rate with telemetry.
const EXPORTING_MIN: f64 = 0.95;
/// And of that of an older revision, without.
const OLDER_MIN: f64 = 0.98;

const CONNECTIONS: usize = 256;
/// More than any gateway takes here in a second.
const PAYLOADS_A_SECOND: usize = 50_000;
/// Payloads are written for so many seconds at a time, while nothing is measured.
const STRETCH: u64 = 5;
const PLUGINS: [(&str, &str); 1] = [("stripe", "stripe")];
/// A tenth of the traces, and metrics several times in each half.
const SETTINGS: &str = "traces = \"10%\"\nmetrics = \"10s\"";
/// Spans that the gateway dropped, in its metrics.
const DROPPED: &str = "hookgate_spans_dropped_total{";

/// What to measure, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Telemetry {
    /// The program of an older gateway, which is compared with this one while neither exports
    /// anything
    #[arg(long, value_name = "PROGRAM")]
    against: Option<PathBuf>,
    /// What is exported: the keys of `[telemetry]` but for `endpoint`
    #[arg(long, value_name = "TOML", default_value = SETTINGS)]
    settings: String,
    /// How many pairs of each
    #[arg(long, default_value_t = 5)]
    pairs: usize,
    /// How long each half measures, in seconds
    #[arg(long, default_value_t = 30)]
    seconds: u64,
}

/// One of those that take turns.
struct Side<'a> {
    program: &'a FilePath,
    log: Log,
    /// Where and what it exports, if it does.
    telemetry: Option<String>,
}

/// What one half came to.
struct Half {
    /// Answers a second.
    rate: f64,
    /// Spans that the gateway dropped.
    dropped: f64,
}

impl Telemetry {
    /// Measures, prints, and fails if a bar does not hold.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        ensure!(self.pairs > 0, "there must be at least one pair");
        ensure!(self.seconds > 0, "each half must measure for at least a second");
        let workplace = Workplace::new()?;
        let (sink, mut bars) = (Sink::start()?, Bars::default());
        let own = workplace.program("hookgate");
        let telemetry = format!("[telemetry]\nendpoint = \"{}\"\n{}\n", sink.url(), self.settings);
        let quiet = Side { program: &own, log: Log::Errors, telemetry: None };
        let exporting = Side { program: &own, log: Log::Info, telemetry: Some(telemetry) };

        let pairs = self.in_turn(&workplace, &quiet, &exporting)?;
        let (exports, bytes) = sink.came();
        ensure!(exports > 0, "nothing was exported");
        let dropped: f64 = pairs.iter().map(|(_, exporting)| exporting.dropped).sum();
        println!(
            "{} exports of {}, and {} spans dropped",
            Unit::Count.show(exports as f64),
            Unit::Bytes.show(bytes as f64),
            Unit::Count.show(dropped)
        );
        bars.rate("accepted, without and with telemetry and a log", &rates(&pairs), EXPORTING_MIN);

        match &self.against {
            None => println!("  not compared with an older gateway: name it with --against"),
            Some(program) => {
                let older = Side { program, log: Log::Errors, telemetry: None };
                let pairs = rates(&self.in_turn(&workplace, &older, &quiet)?);
                bars.rate(
                    "accepted without telemetry, by the older one and by this",
                    &pairs,
                    OLDER_MIN,
                );
            }
        }
        bars.all_hold()
    }

    fn in_turn(
        &self,
        workplace: &Workplace,
        one: &Side<'_>,
        other: &Side<'_>,
    ) -> anyhow::Result<Vec<(Half, Half)>> {
        in_turn(self.pairs, || self.half(workplace, one), || self.half(workplace, other))
    }

    /// Sends as fast as it is answered to a gateway without any data.
    fn half(&self, workplace: &Workplace, side: &Side<'_>) -> anyhow::Result<Half> {
        // Nothing is delivered, so nobody need be there.
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
        let telemetry = side.telemetry.as_deref().unwrap_or_default();
        let tables = format!("{}{}{telemetry}", stripe("stripe"), Path::Accepting.tables(nowhere));
        let gateway = workplace.start_program(side.program, side.log, &PLUGINS, &tables)?;
        let (mut answers, mut took, mut left) = (0, Duration::ZERO, self.seconds);
        while left > 0 {
            let seconds = left.min(STRETCH);
            left -= seconds;
            let time = Duration::from_secs(seconds);
            let payloads = Batch::anew(PAYLOADS_A_SECOND * usize::try_from(seconds)?);
            let load = Closed { to: gateway.public, connections: CONNECTIONS, time };
            let answered = closed(load, &Supply::once(&Arc::new(payloads)))?;
            ensure!(answered.duplicates == 0, "a new event was taken for a duplicate");
            answers += answered.times.count();
            took += answered.elapsed;
        }
        let dropped = dropped(&get(gateway.admin, "/metrics")?);
        gateway.stop()?;
        Ok(Half { rate: answers as f64 / took.as_secs_f64(), dropped })
    }
}

fn rates(pairs: &[(Half, Half)]) -> Vec<(f64, f64)> {
    pairs.iter().map(|(one, other)| (one.rate, other.rate)).collect()
}

/// How many spans the gateway has dropped, for whatever reason.
fn dropped(metrics: &str) -> f64 {
    let counts = metrics.lines().filter(|line| line.starts_with(DROPPED));
    counts.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        telemetry: Telemetry,
    }

    #[test]
    fn a_tenth_of_the_traces_is_exported_unless_said_otherwise() {
        let parse = |words: &[&str]| Program::try_parse_from(words).map(|it| it.telemetry);
        let telemetry = parse(&["bench"]).unwrap();
        assert_eq!((telemetry.pairs, telemetry.seconds, telemetry.against), (5, 30, None));
        assert_eq!(telemetry.settings, SETTINGS);
        let older = parse(&["bench", "--against", "older/hookgate"]).unwrap().against;
        assert_eq!(older, Some(PathBuf::from("older/hookgate")));
    }

    #[test]
    fn what_was_dropped_is_the_sum_over_those_who_dropped_it() {
        let metrics = "# TYPE hookgate_spans_dropped counter\n\
                       hookgate_spans_dropped_total{by=\"queue\"} 40\n\
                       hookgate_spans_dropped_total{by=\"collector\"} 2\n# EOF\n";
        assert_eq!((dropped(metrics), dropped("# EOF\n")), (42.0, 0.0));
    }
}
