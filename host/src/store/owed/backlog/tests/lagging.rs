//! What lags, and what waits for somebody else than the gateway.

use std::ops::Range;

use super::*;

fn push(backlog: &mut Backlog, endpoint: &str, positions: Range<u64>) {
    positions.for_each(|position| backlog.push(work(WorkKind::Delivery, endpoint, position)));
}

/// Whether it lags, once so many works more are done.
fn lags_behind(backlog: &mut Backlog, works: usize) -> bool {
    let taken = deliveries(backlog, works);
    assert_eq!(taken.len(), works);
    taken.iter().for_each(|taken| backlog.finish(taken));
    backlog.judge();
    lags_at(backlog, NOW)
}

fn lags_at(backlog: &mut Backlog, now: Timestamp) -> bool {
    backlog.look_for_lag(now);
    backlog.tallies().lag()
}

#[test]
fn what_goes_on_lags_from_a_number_on_and_until_it_is_half() {
    let mut backlog = Backlog::default();
    push(&mut backlog, "quick", 0..3_000);
    assert!(!lags_at(&mut backlog, NOW), "nobody knows whether it goes on");
    assert!(!lags_behind(&mut backlog, 40), "it would take longer than a minute");
    assert!(lags_behind(&mut backlog, 20));
    assert!(lags_behind(&mut backlog, 1_900));
    assert!(!lags_behind(&mut backlog, 20));
    push(&mut backlog, "quick", 3_000..4_000);
    assert!(!lags_at(&mut backlog, NOW), "2,020");
    push(&mut backlog, "quick", 4_000..4_040);
    assert!(lags_at(&mut backlog, NOW));
}

#[test]
fn what_waits_for_an_endpoint_is_no_lag_however_much_it_is() {
    let mut backlog = Backlog::default();
    push(&mut backlog, "dead", 0..5_000);
    for taken in deliveries(&mut backlog, 100) {
        backlog.retry(&taken, later(Timestamp(90_000)));
    }
    allow(&mut backlog, "dead", Allowance::of(0));
    assert!(!lags_at(&mut backlog, NOW));
    push(&mut backlog, "quick", 5_000..6_000);
    assert!(!lags_behind(&mut backlog, 900), "all of it is soon done");
    push(&mut backlog, "slow", 6_000..9_000);
    allow(&mut backlog, "quick", Allowance::of(0));
    assert!(!lags_behind(&mut backlog, 40));
}

#[test]
fn what_goes_on_no_more_lags_no_more() {
    let mut backlog = Backlog::default();
    push(&mut backlog, "hung", 0..3_000);
    assert!(!lags_at(&mut backlog, NOW));
    assert!(lags_behind(&mut backlog, 60));
    let seconds = |seconds| NOW.after(Duration::from_secs(seconds));
    assert!(lags_at(&mut backlog, seconds(1)), "as much was done in the second before");
    assert!(!lags_at(&mut backlog, seconds(2)));
}
