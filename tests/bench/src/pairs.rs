//! Measurements in pairs: one half without something, the other beside it.
//!
//! Whoever comes first may find the machine warmer or colder, so each does in turn. Never judges
//! what was measured.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::bar::p99;
use crate::load::{Schedule, open};
use crate::scenario::count;
use crate::supply::Supply;
use crate::times::Times;

/// Measures so many pairs: what was measured alone, and beside something.
pub(crate) fn in_turn<M>(
    pairs: usize,
    mut alone: impl FnMut() -> anyhow::Result<M>,
    mut beside: impl FnMut() -> anyhow::Result<M>,
) -> anyhow::Result<Vec<(M, M)>> {
    let mut measured = Vec::new();
    for pair in 0..pairs {
        eprintln!("pair {} of {pairs}", pair + 1);
        measured.push(if pair.is_multiple_of(2) {
            let alone = alone()?;
            (alone, beside()?)
        } else {
            let beside = beside()?;
            (alone()?, beside)
        });
    }
    Ok(measured)
}

/// Measures while something goes on, which ends once it is told that it is over; what was measured,
/// and what came of the other.
pub(crate) fn meanwhile<M, T: Send>(
    work: impl FnOnce(&AtomicBool) -> T + Send,
    measure: impl FnOnce() -> M,
) -> (M, T) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let working = scope.spawn(|| work(&over));
        let measured = measure();
        over.store(true, Ordering::Relaxed);
        (measured, working.join().expect("what goes on does not panic"))
    })
}

/// Sends live at a rate for a time: the 99th percentile of how long the answers took, in
/// milliseconds.
pub(crate) fn live(
    to: SocketAddr,
    supply: &Supply,
    rate: usize,
    time: Duration,
) -> anyhow::Result<f64> {
    let mut times = Times::default();
    // The first only warms up.
    for time in [time / 4, time] {
        let part = supply.part(count(rate, time));
        times = open(to, Schedule::new(rate, &part), &part)?;
    }
    Ok(p99(times))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_half_comes_first_in_turn_and_stands_in_its_place() {
        let order = std::cell::RefCell::new(String::new());
        let half = |name: char| {
            order.borrow_mut().push(name);
            anyhow::Ok(name)
        };
        let pairs = in_turn(3, || half('a'), || half('b')).unwrap();
        assert_eq!((pairs, order.into_inner()), (vec![('a', 'b'); 3], "abbaab".to_owned()));
    }

    #[test]
    fn what_goes_on_ends_when_all_is_measured() {
        let wait = |over: &AtomicBool| {
            while !over.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            7
        };
        assert_eq!(meanwhile(wait, || "measured"), ("measured", 7));
    }
}
