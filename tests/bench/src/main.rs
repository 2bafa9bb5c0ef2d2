//! `make bench`: how fast the gateway is, against what this machine could do at all.
//!
//! Everything on this machine and over loopback: the gateway in a process of its own, each ceiling
//! in another, senders and the endpoint here. All share the cores, as they did for every figure
//! that these are compared with. Prints a table and which goals are met, and writes
//! `target/bench.json`; never changes anything else.

mod asking;
mod bar;
mod breakdown;
mod browsing;
mod canary;
mod ceiling;
mod compare;
mod dead;
mod endpoints;
mod figure;
mod filled;
mod gateway;
mod goals;
mod isolation;
mod languages;
mod lists;
mod load;
mod others;
mod owed;
mod pages;
mod pairs;
mod payload;
mod plugins;
mod process;
mod processor;
mod receiver;
mod rehearsal;
mod replay;
mod report;
mod restart;
mod scenario;
mod shapes;
mod stock;
mod supply;
mod telemetry;
mod times;
mod typed;
mod wire;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;

use crate::breakdown::Breakdown;
use crate::browsing::Browsing;
use crate::canary::Canary;
use crate::compare::Compare;
use crate::endpoints::Endpoints;
use crate::gateway::Workplace;
use crate::isolation::Isolation;
use crate::languages::Languages;
use crate::lists::Lists;
use crate::owed::Owed;
use crate::payload::Batch;
use crate::plugins::Plugins;
use crate::rehearsal::Rehearsal;
use crate::replay::Replay;
use crate::report::Report;
use crate::restart::Restart;
use crate::scenario::{ALL, Scenario, Stage};
use crate::shapes::Shapes;
use crate::telemetry::Telemetry;

/// The gateway's, so that what is measured here costs what it costs there.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Payloads for every second of a measurement: what all connections of a scenario could take.
const PAYLOADS_A_SECOND: usize = 120_000;

/// Measures the gateway on this machine
#[derive(Debug, Parser)]
#[command(name = "hookgate-bench")]
struct Arguments {
    /// Half a minute, to see that it works; the figures say little
    #[arg(long)]
    quick: bool,
    /// Only these: claiming, handling, ceiling, relay, accepting, duplicates, flooded,
    /// flooded-handler, holding, latency, delivered, handled, endpoints, fairness, remembering,
    /// burdened, fanout, kept
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// How often each is measured
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long each is measured each time
    #[arg(long, default_value_t = 2)]
    seconds: u32,
    /// Where the gateway and the plugins lie that are measured, if not where this program does: a
    /// folder laid out as cargo's target
    #[arg(long, value_name = "FOLDER")]
    target: Option<PathBuf>,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What else this program does.
#[derive(Debug, Subcommand)]
enum Role {
    /// Measures what an event costs, by thread, by call of the system and by commit
    Breakdown(Breakdown),
    /// Measures how soon a canary is dropped that is worse, and whether an equal one stays
    Canary(Canary),
    /// Measures two revisions in turn and prints the ratios of their figures
    Compare(Compare),
    /// Measures five hundred endpoints of which some hang and fail, and ten thousand of tenants
    Endpoints(Endpoints),
    /// Measures what those who behave keep beside those who do not
    Isolation(Isolation),
    /// Measures calls of a handler in JavaScript and of one in Python
    Languages(Languages),
    /// Measures lists of events by each filter, with very many events stored
    Lists(Lists),
    /// Measures a gateway that owes very many deliveries to a dead endpoint
    Owed(Owed),
    /// Measures the pages of the dashboard, with very many events stored
    Pages(Browsing),
    /// Measures starts with thirty plugins, and a handler that is replaced under load
    Plugins(Plugins),
    /// Measures how long another version of a handler takes over very many events, and what that
    /// costs those that come live
    Try(Rehearsal),
    /// Measures what a bulk replay of very many dead deliveries costs those that come live
    Replay(Replay),
    /// Measures how long a large store takes to be ready after `kill -9`
    Restart(Restart),
    /// Measures the shapes that the store's log could have
    Shapes(Shapes),
    /// Measures what traces, metrics and a log cost those who send
    Telemetry(Telemetry),
    /// The ceiling's server
    #[command(hide = true)]
    ServeCeiling,
    /// The relay's server
    #[command(hide = true)]
    ServeRelay {
        /// Where it posts to
        endpoint: SocketAddr,
    },
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match &arguments.role {
        Some(Role::ServeCeiling) => ceiling::answer(),
        Some(Role::ServeRelay { endpoint }) => ceiling::relay(*endpoint),
        Some(Role::Breakdown(breakdown)) => breakdown.run(),
        Some(Role::Canary(canary)) => canary.run(),
        Some(Role::Compare(compare)) => compare.run(),
        Some(Role::Endpoints(endpoints)) => endpoints.run(),
        Some(Role::Isolation(isolation)) => isolation.run(),
        Some(Role::Languages(languages)) => languages.run(),
        Some(Role::Lists(lists)) => lists.run(),
        Some(Role::Owed(owed)) => owed.run(),
        Some(Role::Pages(browsing)) => browsing.run(),
        Some(Role::Plugins(plugins)) => plugins.run(),
        Some(Role::Try(rehearsal)) => rehearsal.run(),
        Some(Role::Replay(replay)) => replay.run(),
        Some(Role::Restart(restart)) => restart.run(),
        Some(Role::Shapes(shapes)) => shapes.run(),
        Some(Role::Telemetry(telemetry)) => telemetry.run(),
        None => measure(&arguments),
    }
}

/// Measures, prints, and fails if all was measured and a goal is missed.
fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    for name in &arguments.only {
        ensure!(ALL.iter().any(|it| it.name == name), "there is no scenario `{name}`");
    }
    let (rounds, closed) = if arguments.quick {
        (1, Duration::from_millis(500))
    } else {
        (arguments.rounds, Duration::from_secs(1) * arguments.seconds)
    };
    // Latencies are measured for longer; payloads are enough for every scenario by itself.
    let open = closed * 3 / 2;
    let payloads = scenario::count(PAYLOADS_A_SECOND, closed);
    let began = Instant::now();
    let batch = Arc::new(Batch::write(payloads));
    let scale = if arguments.quick { 10 } else { 1 };
    let workplace = match &arguments.target {
        Some(target) => Workplace::of(target)?,
        None => Workplace::new()?,
    };
    let stage = Stage { workplace, batch, closed, open, scale };
    println!(
        "{payloads} payloads of {} bytes, medians of {rounds} rounds",
        stage.batch.body_bytes()
    );

    let wanted = |it: &&Scenario| {
        arguments.only.is_empty() || arguments.only.iter().any(|name| name == it.name)
    };
    let mut report = Report::default();
    for round in 0..rounds {
        for scenario in ALL.iter().filter(wanted).filter(|it| !it.once || round + 1 == rounds) {
            eprintln!("round {} of {rounds}: {}", round + 1, scenario.name);
            report.add(scenario.title, round, (scenario.run)(&stage)?);
        }
    }
    print!("{}", report.table());
    let file = stage.workplace.report()?;
    report.write(&file)?;
    println!("\nin {} s, also in {}", began.elapsed().as_secs(), file.display());
    if arguments.quick {
        return Ok(());
    }
    let bars = goals::judge(&report);
    // Whoever measures a part of it looks at that part.
    if arguments.only.is_empty() { bars.all_hold() } else { Ok(()) }
}
