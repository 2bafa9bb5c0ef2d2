//! `make bench-replay`: what a bulk replay of very many dead deliveries costs those that come live.
//!
//! They are brought and die through the store's own door, all of one endpoint. Then a gateway runs
//! on a copy of that store and replays them in one, while new events go to the same endpoint: how
//! long those take from sender to endpoint, in turn with the replay paused. Half done, the gateway
//! is killed, and the next goes on to the end. Each has to arrive again, under its own id, and no
//! more of them twice than were under way. All limits are the defaults. Never counts what is sent
//! live among them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use hookgate::clock::Clock;
use hookgate::ids::Name;
use hookgate::store::{Config, EventFilter, ReplayFilter, State, Store};
use serde_json::{Value, json};
use tokio::runtime::Builder;

use crate::asking::{ask, get, post};
use crate::bar::{Bars, p99};
use crate::figure::Unit;
use crate::filled::Filled;
use crate::gateway::{Gateway, Path, Workplace, stripe};
use crate::load::{Schedule, open};
use crate::others::Others;
use crate::pairs::in_turn;
use crate::payload::Batch;
use crate::receiver::Receiver;
use crate::scenario::count;
use crate::stock::{Stock, die};
use crate::supply::Supply;
use crate::times::Times;

const P99_MAX: f64 = 1.5;
/// Attempts at a time of one endpoint, and its half of the outcomes that may be uncommitted.
const WINDOW: f64 = 16.0 + 1024.0 / 2.0;

/// Live requests a second.
const RATE: usize = 500;
/// Deliveries that are brought between two notes of how far it is.
const STEP: usize = 20_000;
/// Payloads that take turns in what is brought.
const PAYLOADS: usize = 20_000;
/// So many of the dead are known by their names.
const NAMED: usize = 10_000;
/// For what is still on its way.
const LAST_WAIT: Duration = Duration::from_secs(60);
/// Nobody waits longer for the next to arrive, or for the gateway to have nothing left.
const PATIENCE: Duration = Duration::from_secs(120);
/// For counting what is dead.
const COUNT_MAX: Duration = Duration::from_secs(600);
/// Between two looks at how far the replay is: another process can only be asked again.
const LOOK: Duration = Duration::from_millis(200);
const PLUGINS: [(&str, &str); 1] = [("stripe", "stripe")];

/// How much is replayed, and for how long to measure.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// How many deliveries are dead
    #[arg(long, default_value_t = 1_000_000)]
    works: usize,
    /// Works a second of the replay, at most; without it, as fast as the gateway goes
    #[arg(long)]
    rate: Option<u32>,
    /// Where to keep the store: a later run copies what is there
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// How many pairs, one half with the replay paused and one while it goes on
    #[arg(long, default_value_t = 5)]
    pairs: usize,
    /// How long each half measures, in seconds
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

/// A gateway with a replay that has begun, and who receives.
struct Replaying<'a> {
    gateway: Gateway,
    /// Where the replay is shown.
    path: &'a str,
    receiver: &'a Receiver,
    /// What is sent live.
    supply: &'a Supply,
}

impl Replay {
    /// Fills, replays, measures, kills, prints, and fails if a bar does not hold.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        ensure!(self.pairs > 0, "there must be at least one pair");
        ensure!(self.seconds > 0, "each half must measure for at least a second");
        let workplace = Workplace::new()?;
        let mut filled = Filled::at(self.data.as_deref(), &workplace, "dead deliveries")?;
        let (works, data) = (self.fill(&mut filled)?, workplace.folder("replayed")?);
        Stock::copy(&filled.store(), &data)?;
        let others = Arc::new(Others::default());
        let receiver = Receiver::counting(&others)?;
        let tables = format!("{}{}", stripe("stripe"), Path::Delivering.tables(receiver.address));
        let start = || workplace.start_on(&data, &PLUGINS, &tables);
        let supply = self.live();

        let gateway = start()?;
        let named = dead(gateway.admin)?;
        let path = self.begin(gateway.admin, works)?;
        let replaying = Replaying { gateway, path: &path, receiver: &receiver, supply: &supply };
        let (pairs, beside) = self.measure(&replaying, &others)?;
        let (shown, came) = (replaying.shown()?, others.count());
        ensure!(
            shown["finished_at"].is_null() && came < works / 4 * 3,
            "{came} of {works} came before the kill: replay more (--works), or measure less"
        );
        replaying.act("resume")?;
        // At least some after the pause, so that it is killed at work.
        wait_for(&others, (works / 2).max(came + 1))?;
        eprintln!("killed when {} of {works} had arrived again", others.count());
        drop(replaying);

        let began = Instant::now();
        let (left, gateway) = (works.saturating_sub(others.count()), start()?);
        let replaying = Replaying { gateway, path: &path, receiver: &receiver, supply: &supply };
        replaying.finish(works, &others)?;
        let rate = left as f64 / began.elapsed().as_secs_f64();
        replaying.gateway.stop()?;

        println!("{} dead deliveries, killed half done", Unit::Count.show(works as f64));
        println!("  {} beside what comes live", Unit::PerSecond.show(beside));
        println!("  {} after the kill, with nothing live", Unit::PerSecond.show(rate));
        let mut bars = Bars::default();
        let lost = works.abs_diff(others.count()) + others.missing(&named);
        bars.at_most("lost, or under another id", Unit::Count, lost as f64, 0.0);
        bars.at_most("delivered twice", Unit::Count, others.repeated() as f64, WINDOW);
        bars.p99("live from sender to endpoint, paused and replaying", &pairs, P99_MAX);
        bars.all_hold()
    }

    /// Brings what is missing, and gives how many are dead: more than the note says, where a run
    /// ended in the middle of a step.
    fn fill(&self, filled: &mut Filled) -> anyhow::Result<usize> {
        let batch = Arc::new(Batch::write(PAYLOADS));
        let store = Store::open(&Config::at(filled.store()), Clock::System)?;
        Builder::new_current_thread().enable_all().build()?.block_on(async {
            while filled.count() < self.works {
                let step = STEP.min(self.works - filled.count());
                die(&store, &batch, step).await?;
                filled.reach(filled.count() + step)?;
                eprintln!("{} of {} are dead", filled.count(), self.works);
            }
            let events = EventFilter { state: Some(State::Dead), ..EventFilter::default() };
            let endpoint: Name = "crm".parse()?;
            let endpoint = Some(endpoint);
            let dead = ReplayFilter { events, endpoint, ..ReplayFilter::default() };
            let counted = store.count_for_replay(dead, COUNT_MAX).await?;
            store.close().await?;
            Ok(usize::try_from(counted.context("what is dead was not counted in time")?)?)
        })
    }

    /// Begins the replay, paused, and gives where it is shown.
    fn begin(&self, admin: SocketAddr, works: usize) -> anyhow::Result<String> {
        let mut body = json!({ "filter": { "endpoint": "crm", "state": "dead" } });
        if let Some(rate) = self.rate {
            body["rate"] = rate.into();
        }
        let (status, answer) = post(admin, "/v1/replays", &body.to_string())?;
        ensure!(status == 202, "the replay was answered with {status}: {answer}");
        let begun: Value = serde_json::from_str(&answer)?;
        let total = begun["total"].as_u64();
        ensure!(total.is_none_or(|total| total == works as u64), "not {works}: {begun}");
        let id = begun["id"].as_str().context("the replay has no id")?;
        let path = format!("/v1/replays/{id}");
        act(admin, &path, "pause")?;
        Ok(path)
    }

    /// The 99th percentiles in milliseconds: with the replay paused, and while it goes on. And how
    /// many of the dead arrived a second meanwhile.
    fn measure(
        &self,
        replaying: &Replaying<'_>,
        others: &Others,
    ) -> anyhow::Result<(Vec<(f64, f64)>, f64)> {
        let time = Duration::from_secs(self.seconds);
        let (mut arrived, mut took) = (0, Duration::ZERO);
        let beside = || {
            let (before, began) = (others.count(), Instant::now());
            replaying.act("resume")?;
            let beside = replaying.live(time)?;
            replaying.act("pause")?;
            arrived += others.count() - before;
            took += began.elapsed();
            anyhow::Ok(beside)
        };
        let pairs = in_turn(self.pairs, || replaying.live(time), beside)?;
        Ok((pairs, arrived as f64 / took.as_secs_f64()))
    }

    /// What is sent live in all pairs.
    fn live(&self) -> Supply {
        let half = Duration::from_secs(self.seconds) * 5 / 4;
        Supply::once(&Arc::new(Batch::anew((count(RATE, half) + 1) * 2 * self.pairs)))
    }
}

impl Replaying<'_> {
    fn act(&self, what: &str) -> anyhow::Result<()> {
        act(self.gateway.admin, self.path, what)
    }

    fn shown(&self) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&get(self.gateway.admin, self.path)?)?)
    }

    /// Sends live for a time: the 99th percentile, in milliseconds, of how long it took from when
    /// each should have been sent until the endpoint had it.
    fn live(&self, time: Duration) -> anyhow::Result<f64> {
        let mut times = Times::default();
        // The first only warms up.
        for time in [time / 4, time] {
            let part = self.supply.part(count(RATE, time));
            let schedule = Schedule::new(RATE, &part);
            open(self.gateway.public, schedule, &part)?;
            let arrivals = &self.receiver.arrivals;
            arrivals.wait_for(schedule.numbers(), LAST_WAIT);
            times = Times::default();
            for number in schedule.numbers() {
                let at = arrivals.at(number).context("what was sent live did not arrive")?;
                times.add(at.saturating_duration_since(schedule.at(number)));
            }
        }
        Ok(p99(times))
    }

    /// Waits for the end of the replay, and for all that it has opened.
    fn finish(&self, works: usize, others: &Others) -> anyhow::Result<()> {
        let mut last = (others.count(), Instant::now());
        let ended = loop {
            let shown = self.shown()?;
            if !shown["finished_at"].is_null() {
                break shown;
            }
            if others.count() > last.0 {
                last = (others.count(), Instant::now());
            }
            ensure!(last.1.elapsed() < PATIENCE, "it stands still: {shown}");
            sleep(LOOK);
        };
        ensure!(ended["reopened"] == works, "not {works}: {ended}");
        let ended = Instant::now();
        // After a minute the answer is that it is not so yet.
        while ask(self.gateway.admin, "/v1/settled")?.0 == 503 {
            ensure!(ended.elapsed() < PATIENCE, "{} of {works} arrived again", others.count());
        }
        Ok(())
    }
}

/// Waits until so many have arrived again, for as long as more do.
fn wait_for(others: &Others, count: usize) -> anyhow::Result<()> {
    loop {
        let before = others.count();
        if others.wait(count, PATIENCE) {
            return Ok(());
        }
        ensure!(others.count() > before, "only {before} of {count} arrived again");
    }
}

fn act(admin: SocketAddr, path: &str, what: &str) -> anyhow::Result<()> {
    let (status, answer) = post(admin, &format!("{path}/{what}"), "{}")?;
    ensure!(status == 200, "{what} was answered with {status}: {answer}");
    Ok(())
}

/// The ids of some dead letters.
fn dead(admin: SocketAddr) -> anyhow::Result<Vec<String>> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    while ids.len() < NAMED {
        let page = get(admin, &format!("/v1/dead?limit=500{cursor}"))?;
        let page: Value = serde_json::from_str(&page)?;
        let items = page["items"].as_array().context("the list has no items")?;
        ids.extend(items.iter().filter_map(|item| Some(item["id"].as_str()?.to_owned())));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        replay: Replay,
    }

    #[test]
    fn a_million_are_replayed_as_fast_as_it_goes_unless_said_otherwise() {
        let parse = |words: &[&str]| Program::try_parse_from(words).map(|it| it.replay);
        let replay = parse(&["bench"]).unwrap();
        assert_eq!((replay.works, replay.rate, replay.pairs), (1_000_000, None, 5));
        assert_eq!(parse(&["bench", "--rate", "500"]).unwrap().rate, Some(500));
        assert!(parse(&["bench", "--works", "many"]).is_err());
    }
}
