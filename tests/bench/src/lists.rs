//! `make bench-lists`: how long the first page of a list takes, by what it is filtered, with ten
//! million events stored and others coming in.
//!
//! The events are brought through the store's own door. Then a gateway runs on that store and takes
//! 1,000 events a second, which it delivers, while lists are asked for one after the other: each
//! filter by itself, with random values, in random order. Never asks two questions at a time.

mod filling;
mod filter;
mod spread;
mod traffic;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::{Args, value_parser};
use hookgate::clock::Clock;
use serde::Deserialize;
use serde::de::IgnoredAny;

use self::filter::paged;
use crate::asking::get;
use crate::bar::{Bars, p99};
use crate::dead::{Dead, Failing};
use crate::figure::Unit;
use crate::filled::Filled;
use crate::gateway::{Gateway, Workplace, endpoint};
use crate::receiver::Receiver;
use crate::supply::Supply;
use crate::times::Times;

pub(crate) use self::filter::Filter;
pub(crate) use self::spread::Spread;
pub(crate) use self::traffic::{RATE, batch};

const PAGE_MAX_MS: f64 = 50.0;

/// Items of a page.
const LIMIT: usize = 50;
/// For the first second of events to be delivered.
const WARM_UP_MAX: Duration = Duration::from_secs(60);
pub(crate) const PLUGINS: [(&str, &str); 1] = [("cloudevents", "cloudevents")];

/// How many events to store, and how often to ask.
#[derive(Debug, Args)]
pub(crate) struct Lists {
    /// How many events are stored
    #[arg(long, default_value_t = 10_000_000, value_parser = value_parser!(u32).range(1000..))]
    events: u32,
    /// Where to keep the store: a later run goes on with what is there
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// How often each filter is asked for
    #[arg(long, default_value_t = 200)]
    queries: usize,
    /// Most pages that are read of each list that is paged through
    #[arg(long, default_value_t = 40)]
    pages: usize,
    /// How long events come in at most, in seconds
    #[arg(long, default_value_t = 300)]
    seconds: usize,
}

/// What the answers came to.
#[derive(Debug, Default)]
struct Asked {
    times: BTreeMap<Filter, Times>,
    /// Questions that were not asked, because no events came in any more.
    left: usize,
    pages: usize,
    /// Of the pages, those that had nothing though another followed.
    empty: usize,
}

/// A part of a list.
#[derive(Debug, Deserialize)]
struct Page {
    items: Vec<IgnoredAny>,
    next: Option<String>,
}

impl Lists {
    /// Fills, asks, prints, and fails if a bar does not hold.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let workplace = Workplace::new()?;
        let (filled, spread) = filled(self.data.as_deref(), &workplace, self.events)?;

        let (healthy, failing) = (Receiver::start()?, Dead::start(Failing::Unavailable)?);
        let tables = tables(healthy.address, failing.address);
        let gateway = workplace.start_on(&filled.store(), &PLUGINS, &tables)?;
        let (asked, came) = self.ask_under_load(&gateway, &healthy, spread)?;
        drop(gateway);
        self.judge(asked, came)
    }

    fn ask_under_load(
        &self,
        gateway: &Gateway,
        healthy: &Receiver,
        spread: Spread,
    ) -> anyhow::Result<(Asked, Times)> {
        let supply = Supply::once(&Arc::new(traffic::batch(RATE * self.seconds, spread)));
        let over = AtomicBool::new(false);
        let (begun, asked, came) = std::thread::scope(|scope| {
            let sending = scope.spawn(|| traffic::send(gateway.public, &supply, &over));
            let begun = healthy.arrivals.wait(RATE, WARM_UP_MAX);
            let asked = self.ask(gateway.admin, spread, &supply);
            over.store(true, Ordering::Relaxed);
            (begun, asked, sending.join().expect("a generator does not panic"))
        });
        let came = came.context("failed to send events")?;
        ensure!(begun, "what came in was not delivered");
        Ok((asked?, came))
    }

    /// Asks for all first pages, and then pages through some lists.
    fn ask(&self, admin: SocketAddr, spread: Spread, supply: &Supply) -> anyhow::Result<Asked> {
        let mut random = fastrand::Rng::new();
        let mut order = self.order();
        random.shuffle(&mut order);
        let now = Clock::System.now();
        let mut asked = Asked::default();
        for (number, filter) in order.iter().enumerate() {
            if supply.is_empty() {
                asked.left = order.len() - number;
                break;
            }
            let path = path(&filter.query(spread, now, &mut random), None);
            let began = Instant::now();
            let answer = get(admin, &path)?;
            asked.times.entry(*filter).or_default().add(began.elapsed());
            asked.read(&answer).with_context(|| format!("failed to read {path}"))?;
        }
        for query in paged() {
            let mut next: Option<String> = None;
            for _ in 0..self.pages {
                let path = path(&query, next.as_deref());
                let answer = get(admin, &path)?;
                next = asked.read(&answer).with_context(|| format!("failed to read {path}"))?;
                if next.is_none() {
                    break;
                }
            }
        }
        Ok(asked)
    }

    /// Each filter as often as it is asked for.
    fn order(&self) -> Vec<Filter> {
        let each = |filter| std::iter::repeat_n(filter, self.queries);
        Filter::ALL.into_iter().flat_map(each).collect()
    }

    fn judge(&self, asked: Asked, came: Times) -> anyhow::Result<()> {
        let events = Unit::Count.show(f64::from(self.events));
        println!("first pages of {LIMIT} out of {events} events, at 1,000 new ones a second: p99");
        let mut bars = Bars::default();
        for (filter, times) in asked.times {
            let median = Unit::Milliseconds.show(times.median().as_secs_f64() * 1000.0);
            let what = format!("{} (median {median})", filter.name());
            bars.at_most(&what, Unit::Milliseconds, p99(times), PAGE_MAX_MS);
        }
        let pages = Unit::Count.show(asked.pages as f64);
        let empty = format!("empty pages before the last, of {pages}");
        bars.at_most(&empty, Unit::Count, asked.empty as f64, 0.0);
        bars.at_most("pages that there was no time for", Unit::Count, asked.left as f64, 0.0);
        let answers = Unit::Milliseconds.show(p99(came));
        println!("  events that came in meanwhile were answered in {answers} (p99)");
        bars.all_hold()
    }
}

impl Asked {
    /// Reads a page, counts it, and gives where its list goes on.
    fn read(&mut self, answer: &str) -> anyhow::Result<Option<String>> {
        let page: Page = serde_json::from_str(answer)?;
        self.pages += 1;
        self.empty += usize::from(page.items.is_empty() && page.next.is_some());
        Ok(page.next)
    }
}

/// A store with so many events, which are brought where they are not there yet.
pub(crate) fn filled(
    data: Option<&Path>,
    workplace: &Workplace,
    events: u32,
) -> anyhow::Result<(Filled, Spread)> {
    let spread = Spread::of(usize::try_from(events)?);
    let mut filled = Filled::at(data, workplace, &format!("{events} spread events"))?;
    filling::fill(&mut filled, spread)?;
    Ok((filled, spread))
}

/// The configuration of a gateway on such a store.
pub(crate) fn tables(healthy: SocketAddr, failing: SocketAddr) -> String {
    let healthy = endpoint(filling::HEALTHY, healthy, "payment.*");
    let failing = endpoint(filling::FAILING, failing, "ledger.entry");
    format!("{}{healthy}{failing}", traffic::SOURCE)
}

fn path(query: &str, cursor: Option<&str>) -> String {
    let cursor = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
    format!("/v1/events?{query}&limit={LIMIT}{cursor}")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        lists: Lists,
    }

    fn parse(arguments: &[&str]) -> Result<Lists, clap::Error> {
        let words = std::iter::once("bench").chain(arguments.iter().copied());
        Program::try_parse_from(words).map(|program| program.lists)
    }

    #[test]
    fn each_of_the_filters_is_asked_for_as_often() {
        assert_eq!(parse(&[]).unwrap().events, 10_000_000);
        let order = parse(&["--queries", "3"]).unwrap().order();
        assert_eq!(order.len(), 3 * Filter::ALL.len());
        assert_eq!(order.iter().filter(|it| **it == Filter::Before).count(), 3);
        assert!(parse(&["--events", "10"]).is_err());
    }

    #[test]
    fn a_page_that_is_empty_counts_unless_it_is_the_last() {
        let mut asked = Asked::default();
        let next = asked.read(r#"{"items":[{"id":"evt_1"}],"next":"v1.a"}"#).unwrap();
        assert_eq!((next.as_deref(), asked.pages, asked.empty), (Some("v1.a"), 1, 0));
        asked.read(r#"{"items":[],"next":null}"#).unwrap();
        assert_eq!((asked.pages, asked.empty), (2, 0));
        asked.read(r#"{"items":[],"damaged":[],"next":"v1.b"}"#).unwrap();
        assert_eq!((asked.pages, asked.empty), (3, 1));
        assert!(asked.read("{}").is_err());
    }

    #[test]
    fn a_path_has_the_filter_and_where_to_go_on() {
        assert_eq!(path("state=dead", None), "/v1/events?state=dead&limit=50");
        assert_eq!(path("a=b", Some("v1.c")), "/v1/events?a=b&limit=50&cursor=v1.c");
    }
}
