//! `make bench-pages`: how long the pages of the dashboard take, with ten million events stored and
//! others coming in, and what it costs those that somebody looks.
//!
//! The store is the one of `make bench-lists`. A gateway runs on it and takes 1,000 events a
//! second, which it delivers. In one half of each pair somebody looks at one page after the other,
//! in random order, as soon as the one before is there. Never asks for two pages at a time, and
//! never signs in: there is no token, and the port lets this machine in without one.

mod page;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::{Args, value_parser};
use hookgate::clock::Clock;
use serde_json::Value;

use self::page::Page;
use crate::asking::get;
use crate::bar::{Bars, p99};
use crate::dead::{Dead, Failing};
use crate::figure::Unit;
use crate::gateway::{Gateway, Workplace};
use crate::lists::{self, Filter, PLUGINS, RATE, Spread};
use crate::load::{Schedule, open};
use crate::pairs::{in_turn, live, meanwhile};
use crate::receiver::Receiver;
use crate::scenario::count;
use crate::supply::Supply;
use crate::times::Times;

const PAGE_MAX_MS: f64 = 100.0;
/// By how much the time to the answer may grow.
const GROWTH_MAX: f64 = 1.2;

/// Events of any age that are looked at whole.
const EVENTS: usize = 100;
/// Requests before anything is measured, and the deliveries that must have arrived of them.
const WARM_UP: usize = 3 * RATE;
const WARM_UP_MAX: Duration = Duration::from_secs(60);

/// How many events to store, and how long to look.
#[derive(Debug, Args)]
pub(crate) struct Browsing {
    /// How many events are stored
    #[arg(long, default_value_t = 10_000_000, value_parser = value_parser!(u32).range(1000..))]
    events: u32,
    /// Where to keep the store: a later run goes on with what is there, also that of the lists
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// How many pairs, one half with somebody who looks and one without
    #[arg(long, default_value_t = 5)]
    pairs: usize,
    /// How long each half measures, in seconds
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// How long somebody stays on each page, in milliseconds
    #[arg(long, default_value_t = 0)]
    stay: u64,
}

/// How long each page took.
type Pages = BTreeMap<Page, Times>;

/// Somebody who looks at pages.
struct Reader {
    admin: SocketAddr,
    spread: Spread,
    stay: Duration,
    /// Ids of what can be looked at.
    events: Vec<String>,
    endpoints: Vec<String>,
}

impl Browsing {
    /// Fills, looks, prints, and fails if a bar does not hold.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        ensure!(self.pairs > 0, "there must be at least one pair");
        ensure!(self.seconds > 0, "each half must measure for at least a second");
        let workplace = Workplace::new()?;
        let (filled, spread) = lists::filled(self.data.as_deref(), &workplace, self.events)?;
        let (healthy, failing) = (Receiver::start()?, Dead::start(Failing::Unavailable)?);
        let tables = lists::tables(healthy.address, failing.address);
        let gateway = workplace.start_on(&filled.store(), &PLUGINS, &tables)?;

        let half = count(RATE, Duration::from_secs(self.seconds) * 5 / 4) + 1;
        let requests = WARM_UP + half * 2 * self.pairs;
        let supply = Supply::once(&Arc::new(lists::batch(requests, spread)));
        let first = supply.part(WARM_UP);
        open(gateway.public, Schedule::new(RATE, &first), &first)?;
        let has_begun = healthy.arrivals.wait(RATE, WARM_UP_MAX);
        ensure!(has_begun, "what came in was not delivered");

        let reader = Reader::of(gateway.admin, spread, Duration::from_millis(self.stay))?;
        let (pages, pairs) = self.measure(&gateway, &supply, &reader)?;
        gateway.stop()?;
        self.judge(pages, &pairs)
    }

    /// How long the pages took, and the 99th percentiles of the times to the answer in
    /// milliseconds: with nobody who looks, and with somebody.
    fn measure(
        &self,
        gateway: &Gateway,
        supply: &Supply,
        reader: &Reader,
    ) -> anyhow::Result<(Pages, Vec<(f64, f64)>)> {
        let time = Duration::from_secs(self.seconds);
        let alone = || live(gateway.public, supply, RATE, time);
        let mut pages = Pages::new();
        let beside = || {
            let (live, read) = meanwhile(|over| reader.read_until(over), alone);
            for (page, times) in read? {
                pages.entry(page).or_default().join(times);
            }
            live
        };
        let pairs = in_turn(self.pairs, alone, beside)?;
        Ok((pages, pairs))
    }

    fn judge(&self, mut pages: Pages, pairs: &[(f64, f64)]) -> anyhow::Result<()> {
        let events = Unit::Count.show(f64::from(self.events));
        println!("pages out of {events} events, at 1,000 new ones a second: p99");
        let mut bars = Bars::default();
        for page in Page::all() {
            let times = pages.remove(&page).unwrap_or_default();
            let looks = times.count();
            ensure!(looks > 0, "there was no time for {}: measure for longer", page.name());
            let median = Unit::Milliseconds.show(times.median().as_secs_f64() * 1000.0);
            let what = format!("{} ({looks} looks, median {median})", page.name());
            bars.at_most(&what, Unit::Milliseconds, p99(times), PAGE_MAX_MS);
        }
        bars.p99("time to the answer, without and beside somebody who looks", pairs, GROWTH_MAX);
        bars.all_hold()
    }
}

impl Reader {
    /// Somebody who knows the addresses of some events and of all endpoints.
    fn of(admin: SocketAddr, spread: Spread, stay: Duration) -> anyhow::Result<Self> {
        let (now, mut random) = (Clock::System.now(), fastrand::Rng::new());
        let mut events = Vec::new();
        for _ in 0..EVENTS {
            let before = Filter::Before.query(spread, now, &mut random);
            events.extend(ids(admin, &format!("/v1/events?{before}&limit=1"))?);
        }
        let endpoints = ids(admin, "/v1/endpoints")?;
        ensure!(!events.is_empty() && !endpoints.is_empty(), "there is nothing to look at");
        Ok(Self { admin, spread, stay, events, endpoints })
    }

    /// Looks at all pages again and again until it is over.
    fn read_until(&self, over: &AtomicBool) -> anyhow::Result<Pages> {
        let mut random = fastrand::Rng::new();
        let mut order = Page::all();
        let mut pages = Pages::new();
        loop {
            random.shuffle(&mut order);
            for page in &order {
                if over.load(Ordering::Relaxed) {
                    return Ok(pages);
                }
                let path = self.path(*page, &mut random);
                let began = Instant::now();
                let html = get(self.admin, &path)?;
                pages.entry(*page).or_default().add(began.elapsed());
                ensure!(html.trim_end().ends_with("</html>"), "{path} is not a page");
                std::thread::sleep(self.stay);
            }
        }
    }

    /// The address of a page, of something drawn at random where there are several.
    fn path(&self, page: Page, random: &mut fastrand::Rng) -> String {
        let mut one_of = |all: &[String]| all[random.usize(..all.len())].clone();
        match page {
            Page::Event => format!("/events/{}", one_of(&self.events)),
            Page::Endpoint => format!("/endpoints/{}", one_of(&self.endpoints)),
            Page::EventsBy(filter) => {
                let query = filter.query(self.spread, Clock::System.now(), random);
                format!("/events?{query}")
            }
            Page::At(path) => path.to_owned(),
        }
    }
}

/// The ids of what a page of a list has.
fn ids(admin: SocketAddr, path: &str) -> anyhow::Result<Vec<String>> {
    let page: Value = serde_json::from_str(&get(admin, path)?)?;
    let items = page["items"].as_array().context("the list has no items")?;
    Ok(items.iter().filter_map(|item| Some(item["id"].as_str()?.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        browsing: Browsing,
    }

    #[test]
    fn somebody_looks_at_ten_million_events_without_a_pause_unless_said_otherwise() {
        let parse = |words: &[&str]| Program::try_parse_from(words).map(|it| it.browsing);
        let browsing = parse(&["bench"]).unwrap();
        let counts = (browsing.events, browsing.pairs, browsing.seconds, browsing.stay);
        assert_eq!(counts, (10_000_000, 5, 30, 0));
        assert_eq!(parse(&["bench", "--stay", "250"]).unwrap().stay, 250);
        assert!(parse(&["bench", "--events", "10"]).is_err());
    }

    #[test]
    fn every_page_has_an_address_and_what_is_one_of_many_is_drawn() {
        let reader = Reader {
            admin: SocketAddr::from(([127, 0, 0, 1], 1)),
            spread: Spread::of(1_000),
            stay: Duration::ZERO,
            events: vec!["evt_1".to_owned(), "evt_2".to_owned()],
            endpoints: vec!["ep_1".to_owned()],
        };
        let mut random = fastrand::Rng::with_seed(7);
        for page in Page::all() {
            let path = reader.path(page, &mut random);
            assert!(path.starts_with('/') && !path.contains(' '), "{page:?}: {path}");
        }
        let mut drawn = || reader.path(Page::Event, &mut random);
        let drawn: std::collections::BTreeSet<_> = (0..100).map(|_| drawn()).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), ["/events/evt_1", "/events/evt_2"]);
    }
}
