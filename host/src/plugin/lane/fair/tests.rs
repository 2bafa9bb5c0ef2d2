//! Whose turn it is, apart from any thread: time is a number here.

use super::*;

const MS: Duration = Duration::from_millis(1);

/// Calls take longer than this on average: slow.
const SLOW: Duration = Duration::from_millis(5);

/// A lane on paper. A call is the name of who makes it.
struct Paper {
    fair: Fair<&'static str>,
    now: Instant,
    idle: Vec<usize>,
}

impl Paper {
    fn new(threads: usize, room: usize) -> Self {
        let idle = (0..all_threads(threads)).collect();
        Self { fair: Fair::new(threads, room, SLOW), now: Instant::now(), idle }
    }

    fn enter(&mut self, name: &'static str, calls: usize) -> usize {
        let key = Some(name.parse().unwrap());
        (0..calls).take_while(|_| self.fair.enter(&key, name).is_ok()).count()
    }

    /// Gives every idle thread what it may do.
    fn start(&mut self) -> Vec<(usize, &'static str)> {
        let mut started = Vec::new();
        self.idle.sort_unstable();
        self.idle.retain(|thread| match self.fair.next(*thread, self.now) {
            Some(name) => {
                started.push((*thread, name));
                false
            }
            None => true,
        });
        started
    }

    fn end(&mut self, thread: usize) {
        self.fair.ended(thread, self.now, true);
        self.idle.push(thread);
    }

    /// One call of each, which takes so long, so that their paces are known.
    fn known(&mut self, names: &[&'static str], took: Duration) {
        for name in names {
            assert_eq!(self.enter(name, 1), 1);
            let (thread, _) = self.start()[0];
            self.now += took;
            self.end(thread);
        }
    }

    fn names(started: &[(usize, &'static str)]) -> Vec<&'static str> {
        started.iter().map(|(_, name)| *name).collect()
    }
}

#[test]
fn a_quick_queue_has_all_threads_but_one() {
    let mut lane = Paper::new(4, 100);
    lane.known(&["shop", "bank"], MS);
    lane.enter("shop", 10);
    assert_eq!(Paper::names(&lane.start()), ["shop", "shop", "shop"]);
    lane.enter("bank", 1);
    assert_eq!(Paper::names(&lane.start()), ["bank"]);
}

#[test]
fn a_queue_of_which_nothing_is_known_has_one_thread() {
    let mut lane = Paper::new(4, 100);
    lane.enter("new", 10);
    assert_eq!(Paper::names(&lane.start()), ["new"]);
}

#[test]
fn slow_queues_have_threads_of_their_own() {
    let mut lane = Paper::new(4, 100);
    lane.known(&["slow", "slower", "slowest"], 100 * MS);
    lane.known(&["quick"], MS);
    for name in ["slow", "slower", "slowest"] {
        lane.enter(name, 10);
    }
    let started = lane.start();
    assert_eq!(Paper::names(&started), ["slow", "slower"]);
    assert!(started.iter().all(|(thread, _)| lane.fair.kind(*thread) == Kind::Slow));
    lane.enter("quick", 10);
    assert_eq!(Paper::names(&lane.start()), ["quick", "quick", "quick"]);
}

#[test]
fn a_call_that_runs_long_makes_its_queue_slow_before_it_ends() {
    let mut lane = Paper::new(4, 100);
    lane.known(&["turns"], MS);
    lane.enter("turns", 1);
    lane.start();
    lane.now += 6 * MS;
    lane.enter("turns", 10);
    assert!(lane.start().is_empty(), "one of four threads is its share now");
}

#[test]
fn where_quick_queues_turn_slow_at_once_the_others_wait_no_longer_than_a_quick_call() {
    let mut lane = Paper::new(4, 100);
    lane.known(&["turns", "turns-too", "quick"], MS);
    lane.enter("turns", 10);
    lane.enter("turns-too", 10);
    assert_eq!(lane.start().len(), 4);
    lane.enter("quick", 1);
    assert!(lane.start().is_empty());
    lane.now += SLOW + MS;
    assert_eq!(Paper::names(&lane.start()), ["quick"]);
}

#[test]
fn not_even_many_new_queues_take_the_last_thread_that_stands_by() {
    let mut lane = Paper::new(2, 1_000);
    lane.known(&["quick"], MS);
    for name in ["new-a", "new-b", "new-c", "new-d", "new-e"] {
        lane.enter(name, 1);
    }
    let mut started = 0;
    for _ in 0..5 {
        started += lane.start().len();
        lane.now += SLOW + MS;
    }
    assert_eq!(started, 3);
    lane.enter("quick", 1);
    assert_eq!(Paper::names(&lane.start()), ["quick"]);
}

#[test]
fn new_queues_leave_a_thread_to_those_that_are_known_to_be_quick() {
    let mut lane = Paper::new(3, 100);
    lane.known(&["quick"], MS);
    for name in ["new-a", "new-b", "new-c", "new-d"] {
        lane.enter(name, 1);
    }
    assert_eq!(lane.start().len(), 2);
    lane.enter("quick", 1);
    assert_eq!(Paper::names(&lane.start()), ["quick"]);
}

#[test]
fn who_was_served_least_is_next() {
    let mut lane = Paper::new(1, 1_000);
    lane.known(&["cheap", "dear"], MS);
    lane.enter("cheap", 400);
    lane.enter("dear", 400);
    let (mut cheap, mut dear) = (0, 0);
    for _ in 0..200 {
        for (thread, name) in lane.start() {
            match name {
                "cheap" => {
                    cheap += 1;
                    lane.now += MS;
                }
                _ => {
                    dear += 1;
                    lane.now += 4 * MS;
                }
            }
            lane.end(thread);
        }
    }
    assert!(cheap > 3 * dear, "{cheap} cheap calls and {dear} that take four times as long");
}

#[test]
fn a_pause_earns_nothing_and_a_debt_is_forgiven_in_time() {
    let mut lane = Paper::new(1, 100);
    lane.known(&["quiet", "busy"], MS);
    for _ in 0..100 {
        lane.known(&["busy"], MS);
    }
    // Level again, and not a hundred calls ahead.
    lane.enter("busy", 10);
    lane.enter("quiet", 10);
    let mut order = Vec::new();
    for _ in 0..10 {
        for (thread, name) in lane.start() {
            order.push(name);
            lane.now += MS;
            lane.end(thread);
        }
    }
    let quiet = order[..8].iter().filter(|name| **name == "quiet").count();
    assert!((3..=5).contains(&quiet), "{order:?}");
}

#[test]
fn floods_never_take_the_last_room() {
    let mut lane = Paper::new(2, 1_024);
    assert_eq!(lane.enter("first", 2_000), 512);
    assert_eq!(lane.enter("second", 2_000), 256);
    assert_eq!(lane.enter("third", 2_000), 128);
    assert_eq!(lane.enter("shop", 10), 10);
}

#[test]
fn who_hangs_up_before_its_turn_does_not_look_cheap() {
    let mut lane = Paper::new(4, 100);
    lane.known(&["dear"], 100 * MS);
    for _ in 0..100 {
        lane.enter("dear", 1);
        let (thread, _) = lane.start()[0];
        lane.fair.ended(thread, lane.now, false);
        lane.idle.push(thread);
    }
    lane.enter("dear", 2);
    assert_eq!(lane.start().len(), 1, "it is as slow as it was");
}

#[test]
fn one_thread_serves_everybody() {
    let mut lane = Paper::new(1, 100);
    lane.known(&["slow"], 100 * MS);
    lane.enter("slow", 1);
    lane.enter("new", 1);
    let mut seen = Vec::new();
    for _ in 0..2 {
        for (thread, name) in lane.start() {
            seen.push(name);
            lane.end(thread);
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, ["new", "slow"]);
}
