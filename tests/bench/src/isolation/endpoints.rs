//! Endpoints that take connections and never answer, beside those that answer at once.
//!
//! Each event has one endpoint, by its type, and the types take turns: so half of the events are
//! for endpoints that hang.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;

use super::Trouble;
use super::trouble::Silent;
use crate::bar::p99;
use crate::gateway::Workplace;
use crate::load::{Schedule, open};
use crate::payload::Batch;
use crate::receiver::Receiver;
use crate::scenario::count;
use crate::supply::Supply;
use crate::times::Times;
use crate::typed::{SOURCE, request, type_of};

/// Endpoints of each sort.
const ENDPOINTS: usize = 20;
/// Events a second, for all of them together.
const RATE: usize = 300;
/// For what is still on its way when the last was sent.
const LAST_WAIT: Duration = Duration::from_secs(30);

/// From when an event should have been posted until a healthy endpoint had it.
pub(super) fn measure(
    workplace: &Workplace,
    trouble: Trouble,
    time: Duration,
) -> anyhow::Result<f64> {
    let (healthy, silent) = (Receiver::start()?, Silent::start()?);
    let mut tables = SOURCE.to_owned();
    for number in 0..ENDPOINTS {
        table(&mut tables, number, healthy.address)?;
        if trouble == Trouble::Present {
            table(&mut tables, ENDPOINTS + number, silent.address)?;
        }
    }
    let gateway = workplace.start_configured(&[("cloudevents", "cloudevents")], &tables)?;

    let supply = Supply::once(&Arc::new(Batch::of(count(RATE, time * 5 / 4) + 1, sent)));
    let mut times = Times::default();
    // The first only warms up, and lets the gateway find out who hangs.
    for (time, counts) in [(time / 4, false), (time, true)] {
        let part = supply.part(count(RATE, time));
        let schedule = Schedule::new(RATE, &part);
        open(gateway.public, schedule, &part)?;
        let expected = (0..part.end()).filter(|number| is_for_a_healthy_one(*number)).count();
        let arrived = healthy.arrivals.wait(expected, LAST_WAIT);
        ensure!(arrived, "{} of {expected} events arrived", healthy.arrivals.count());
        for number in schedule.numbers().filter(|_| counts) {
            if let Some(at) = healthy.arrivals.at(number) {
                times.add(at.saturating_duration_since(schedule.at(number)));
            }
        }
    }
    // What is for those that hang stays in the store.
    drop(gateway);
    Ok(p99(times))
}

fn is_for_a_healthy_one(number: usize) -> bool {
    number % (2 * ENDPOINTS) < ENDPOINTS
}

/// The whole request of a number, and the length of its body.
fn sent(number: usize) -> (Vec<u8>, usize) {
    request(number, 2 * ENDPOINTS)
}

fn table(tables: &mut String, number: usize, address: SocketAddr) -> anyhow::Result<()> {
    write!(
        tables,
        "[endpoints.e{number}]\nurl = \"http://{address}/\"\nevents = [\"{}\"]\n\
         secrets = [{{ value = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\" }}]\n\
         body = \"cloudevents\"\n",
        type_of(number, 2 * ENDPOINTS)
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_events_are_for_endpoints_that_answer() {
        assert_eq!((0..80).filter(|number| is_for_a_healthy_one(*number)).count(), 40);
        for (number, healthy) in [(0, true), (19, true), (20, false), (39, false), (40, true)] {
            assert_eq!(is_for_a_healthy_one(number), healthy);
            let (request, _) = sent(number);
            let of = format!("\"type\":\"bench.e{:02}\"", number % 40);
            assert!(memchr::memmem::find(&request, of.as_bytes()).is_some(), "{number}: {of}");
        }
    }
}
