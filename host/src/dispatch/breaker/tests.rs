//! What opens a breaker, how long it pauses, and what closes it.

use super::*;
use crate::event::Timestamp;

const EXHAUSTED: Call = Call::Exhausted(Duration::from_millis(100));

struct Bench {
    breakers: Breakers,
    clock: Clock,
}

impl Bench {
    fn new() -> Self {
        let clock = Clock::manual(Timestamp(1_000));
        let breakers = Breakers::new(Kind::Run, clock.clone(), Metrics::new());
        Self { breakers, clock }
    }

    fn limit(&self, name: &str, digest: &str) -> usize {
        self.breakers.limit(&name.parse().unwrap(), || Some(digest.to_owned()), 8)
    }

    fn end(&self, digest: &str, call: Call, times: usize) {
        let name = "ledger".parse().unwrap();
        (0..times).for_each(|_| self.breakers.ended(&name, digest, call));
    }

    fn is_paused(&self) -> bool {
        let text = self.breakers.metrics.render();
        text.contains(r#"hookgate_paused{kind="run",name="ledger"} 1"#)
    }
}

#[test]
fn what_runs_out_of_time_again_and_again_is_paused_and_then_tried_one_at_a_time() {
    let bench = Bench::new();
    bench.end("v1", EXHAUSTED, 2);
    assert_eq!((bench.limit("ledger", "v1"), bench.is_paused()), (8, false));

    bench.end("v1", EXHAUSTED, 1);
    assert_eq!((bench.limit("ledger", "v1"), bench.is_paused()), (0, true));
    assert_eq!(bench.limit("mailer", "v1"), 8);

    bench.clock.advance(PAUSES[0]);
    assert_eq!((bench.limit("ledger", "v1"), bench.is_paused()), (1, true));
}

#[test]
fn the_pauses_grow_and_one_call_that_returns_ends_them() {
    let bench = Bench::new();
    bench.end("v1", EXHAUSTED, 3);
    for pause in [PAUSES[0], PAUSES[1], PAUSES[2], PAUSES[2]] {
        let end = bench.clock.moment(pause);
        assert_eq!(bench.breakers.next_end(), Some(end));
        // What began before the pause makes it no longer.
        bench.end("v1", EXHAUSTED, 5);
        assert_eq!(bench.breakers.next_end(), Some(end));
        bench.clock.advance(pause);
        assert_eq!(bench.breakers.next_end(), None);
        bench.end("v1", EXHAUSTED, 1);
    }
    bench.end("v1", Call::Returned, 1);
    assert_eq!((bench.limit("ledger", "v1"), bench.is_paused()), (8, false));
    bench.end("v1", EXHAUSTED, 2);
    assert_eq!(bench.limit("ledger", "v1"), 8);
}

#[test]
fn another_version_starts_closed() {
    let bench = Bench::new();
    bench.end("v1", EXHAUSTED, 3);
    assert_eq!((bench.limit("ledger", "v1"), bench.limit("ledger", "v2")), (0, 8));
    bench.end("v2", Call::Trapped, 1);
    assert_eq!((bench.limit("ledger", "v2"), bench.is_paused()), (8, false));
}

#[test]
fn traps_that_cost_little_are_borne_longer_and_one_good_call_between_them_is_enough() {
    let bench = Bench::new();
    for _ in 0..10 {
        bench.end("v1", Call::Trapped, 29);
        bench.end("v1", Call::Returned, 1);
    }
    assert_eq!(bench.limit("ledger", "v1"), 8);
    bench.end("v1", Call::Trapped, 30);
    assert_eq!(bench.limit("ledger", "v1"), 0);
}

#[test]
fn a_pause_is_longer_where_a_call_takes_long_but_not_for_ever() {
    let bench = Bench::new();
    let name = "ledger".parse().unwrap();
    let long = |took| {
        for _ in 0..3 {
            bench.breakers.ended(&name, "v1", Call::Exhausted(took));
        }
        let end = bench.breakers.next_end().unwrap();
        bench.breakers.ended(&name, "v1", Call::Returned);
        end
    };
    assert_eq!(long(Duration::from_secs(3)), bench.clock.moment(Duration::from_secs(60)));
    assert_eq!(long(Duration::MAX), bench.clock.moment(PAUSE_MAX));
}

#[test]
fn a_pause_ends_though_the_clock_is_set_back() {
    let bench = Bench::new();
    bench.end("v1", EXHAUSTED, 3);
    bench.clock.set(Timestamp(0));
    assert_eq!(bench.limit("ledger", "v1"), 0);
    bench.clock.advance(PAUSES[0]);
    assert_eq!(bench.limit("ledger", "v1"), 1);
}
