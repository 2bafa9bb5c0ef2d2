//! Five hundred endpoints, of which fifty hang and fifty fail, and each event for one of them.
//!
//! The types of the events take turns, and each type has one endpoint. Those that are bad have a
//! rate limit: when they recover, what waits for them goes out no faster.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::recovering::{Mode, Recovering};
use super::{Half, in_turn};
use crate::bar::{Bars, p99};
use crate::figure::Unit;
use crate::gateway::Workplace;
use crate::load::{Schedule, open};
use crate::payload::{Batch, DIGITS, MARK};
use crate::receiver::Receiver;
use crate::scenario::count;
use crate::supply::Supply;
use crate::times::Times;
use crate::typed::{SOURCE, event};

const HEALTHY: usize = 400;
/// Of each sort.
const BAD: usize = 50;
const ALL: usize = HEALTHY + 2 * BAD;
/// Events a second, for all of them together.
const RATE: usize = 1000;
/// What the p99 of the healthy ones may be beside the bad ones.
const RATIO_MAX: f64 = 1.2;
/// For what is still on its way when the last was sent.
const LAST_WAIT: Duration = Duration::from_secs(30);

/// Attempts a second, and at once, of a bad endpoint.
const LIMIT: usize = 10;
const WINDOW: Duration = Duration::from_secs(1);

/// How the bad ones did when they recovered.
struct Drained {
    time: Duration,
    /// How long it may have taken.
    limit: Duration,
    /// What they did not get.
    missing: usize,
    /// The most that one of them got within a second.
    most: usize,
}

/// Measures both halves in turn, prints the figures and their bars.
pub(super) fn measure(
    workplace: &Workplace,
    pairs: usize,
    time: Duration,
    bars: &mut Bars,
) -> anyhow::Result<()> {
    let mut drained = None;
    let measured = in_turn(pairs, |half, pair| {
        let recovers = half == Half::Burdened && pair + 1 == pairs;
        let (p99, found) = half_of(workplace, half, time, recovers)?;
        if found.is_some() {
            drained = found;
        }
        Ok(p99)
    })?;
    println!("{ALL} endpoints of which {BAD} hang and {BAD} fail, {RATE} events/s");
    bars.p99("delivered to the others, p99", &measured, RATIO_MAX);
    if let Some(Drained { time, limit, missing, most }) = drained {
        // What may go at once, what a second adds, and one that was late on its way.
        let most_allowed = (2 * LIMIT + 1) as f64;
        bars.at_most("not delivered when they recover", Unit::Count, missing as f64, 0.0);
        let [drained, limit] = [time, limit].map(|time| time.as_secs_f64() * 1000.0);
        bars.at_most("until all is delivered", Unit::Milliseconds, drained, limit);
        bars.at_most("most in a second to one, at 10/s", Unit::Count, most as f64, most_allowed);
    }
    Ok(())
}

/// The p99 from when an event should have been posted until a healthy endpoint had it.
fn half_of(
    workplace: &Workplace,
    half: Half,
    time: Duration,
    recovers: bool,
) -> anyhow::Result<(f64, Option<Drained>)> {
    let healthy = Receiver::start()?;
    let (hung, failing) = (Recovering::start(Mode::Hangs)?, Recovering::start(Mode::Fails)?);
    let mut tables = SOURCE.to_owned();
    for number in 0..HEALTHY {
        table(&mut tables, number, &format!("{}/", healthy.address), "")?;
    }
    if half == Half::Burdened {
        for number in HEALTHY..ALL {
            let at = address(number, &hung, &failing);
            let rest = format!("rate = \"{LIMIT}/s\"\nretries = {:?}\n", vec!["5s"; 50]);
            table(&mut tables, number, &format!("{at}/e{number}"), &rest)?;
        }
    }
    let gateway = workplace.start_configured(&[("cloudevents", "cloudevents")], &tables)?;

    let supply = Supply::once(&Arc::new(Batch::of(count(RATE, time * 5 / 4) + 1, sent)));
    let mut times = Times::default();
    let mut end = 0;
    // The first only warms up, and lets the gateway find out who is bad.
    for (time, counts) in [(time / 4, false), (time, true)] {
        let part = supply.part(count(RATE, time));
        let schedule = Schedule::new(RATE, &part);
        open(gateway.public, schedule, &part)?;
        end = part.end();
        let expected = (0..end).filter(|number| number % ALL < HEALTHY).count();
        let arrived = healthy.arrivals.wait(expected, LAST_WAIT);
        ensure!(arrived, "{} of {expected} events arrived", healthy.arrivals.count());
        for number in schedule.numbers().filter(|_| counts) {
            if let Some(at) = healthy.arrivals.at(number) {
                times.add(at.saturating_duration_since(schedule.at(number)));
            }
        }
    }
    let drained = recovers.then(|| drain(&hung, &failing, end));
    drop(gateway);
    Ok((p99(times), drained))
}

/// How long it may take until the bad ones have what was sent in this time. An attempt under way
/// ends after 15 s, a breaker pauses for about as long as it was open before, a failed delivery
/// waits 5 s, and what came in five seconds goes out in one.
fn drained_max(sent: Duration) -> Duration {
    Duration::from_secs(60) + sent * 3
}

/// Has the bad ones recover, and waits for what they should get of the events before `end`.
fn drain(hung: &Recovering, failing: &Recovering, end: usize) -> Drained {
    let begun = Instant::now();
    hung.recover();
    failing.recover();
    let limit = drained_max(Duration::from_secs_f64(end as f64 / RATE as f64));
    let until = begun + limit;
    let mut missing = 0;
    for (server, first) in [(hung, HEALTHY), (failing, HEALTHY + BAD)] {
        let is_for_it = |number: &usize| (first..first + BAD).contains(&(number % ALL));
        let expected = (0..end).filter(is_for_it).count();
        missing += expected.saturating_sub(server.wait(expected, until));
    }
    let most = hung.most_within(WINDOW).max(failing.most_within(WINDOW));
    Drained { time: begun.elapsed(), limit, missing, most }
}

fn address(number: usize, hung: &Recovering, failing: &Recovering) -> SocketAddr {
    if number < HEALTHY + BAD { hung.address } else { failing.address }
}

/// The whole request of a number, and the length of its body.
fn sent(number: usize) -> (Vec<u8>, usize) {
    event(&format!("{MARK}{number:0DIGITS$}"), &type_of(number), "")
}

fn type_of(number: usize) -> String {
    format!("bench.e{:03}", number % ALL)
}

fn table(tables: &mut String, number: usize, place: &str, rest: &str) -> anyhow::Result<()> {
    write!(
        tables,
        "[endpoints.e{number}]\nurl = \"http://{place}\"\nevents = [\"{}\"]\n\
         secrets = [{{ value = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\" }}]\n\
         body = \"cloudevents\"\n{rest}",
        type_of(number)
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_fifths_of_the_events_are_for_endpoints_that_answer() {
        let of = |range: std::ops::Range<usize>| {
            (0..5 * ALL).filter(|number| range.contains(&(number % ALL))).count()
        };
        assert_eq!([of(0..HEALTHY), of(HEALTHY..ALL)], [5 * HEALTHY, 10 * BAD]);
        let batch = Batch::of(ALL, sent);
        for number in [0, 399, 400, 499] {
            let of = format!("\"type\":\"bench.e{number:03}\"");
            assert!(memchr::memmem::find(batch.body(number), of.as_bytes()).is_some(), "{of}");
        }
    }
}
