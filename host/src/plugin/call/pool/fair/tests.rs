//! Whose turn it is, apart from any thread: time is a number here.

use super::*;

const MS: Duration = Duration::from_millis(1);

/// Calls take longer than this on average: slow.
const SLOW: Duration = Duration::from_millis(5);

/// A pool on paper. A call is the name of who makes it.
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
        self.end_as(thread, Ended::Returned);
    }

    fn end_as(&mut self, thread: usize, ended: Ended) {
        self.fair.ended(thread, self.now, ended);
        self.idle.push(thread);
    }

    /// The next call takes all of its time, which is 100 ms.
    fn spin(&mut self, name: &'static str) {
        let started = self.start();
        assert_eq!(Self::names(&started), [name]);
        self.now += 100 * MS;
        self.end_as(started[0].0, Ended::Spent);
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
    let mut pool = Paper::new(4, 100);
    pool.known(&["shop", "bank"], MS);
    pool.enter("shop", 10);
    assert_eq!(Paper::names(&pool.start()), ["shop", "shop", "shop"]);
    pool.enter("bank", 1);
    assert_eq!(Paper::names(&pool.start()), ["bank"]);
}

#[test]
fn a_queue_of_which_nothing_is_known_has_one_thread() {
    let mut pool = Paper::new(4, 100);
    pool.enter("new", 10);
    assert_eq!(Paper::names(&pool.start()), ["new"]);
}

#[test]
fn slow_queues_have_threads_of_their_own() {
    let mut pool = Paper::new(4, 100);
    pool.known(&["slow", "slower", "slowest"], 100 * MS);
    pool.known(&["quick"], MS);
    for name in ["slow", "slower", "slowest"] {
        pool.enter(name, 10);
    }
    let started = pool.start();
    assert_eq!(Paper::names(&started), ["slow", "slower"]);
    assert!(started.iter().all(|(thread, _)| pool.fair.kind(*thread) == Kind::Slow));
    pool.enter("quick", 10);
    assert_eq!(Paper::names(&pool.start()), ["quick", "quick", "quick"]);
}

#[test]
fn a_call_that_runs_long_makes_its_queue_slow_before_it_ends() {
    let mut pool = Paper::new(4, 100);
    pool.known(&["turns"], MS);
    pool.enter("turns", 1);
    pool.start();
    pool.now += 6 * MS;
    pool.enter("turns", 10);
    assert!(pool.start().is_empty(), "one of four threads is its share now");
}

#[test]
fn where_quick_queues_turn_slow_at_once_the_others_wait_no_longer_than_a_quick_call() {
    let mut pool = Paper::new(4, 100);
    pool.known(&["turns", "turns-too", "quick"], MS);
    pool.enter("turns", 10);
    pool.enter("turns-too", 10);
    assert_eq!(pool.start().len(), 4);
    pool.enter("quick", 1);
    assert!(pool.start().is_empty());
    pool.now += SLOW + MS;
    assert_eq!(Paper::names(&pool.start()), ["quick"]);
}

#[test]
fn not_even_many_new_queues_take_the_last_thread_that_stands_by() {
    let mut pool = Paper::new(2, 1_000);
    pool.known(&["quick"], MS);
    for name in ["new-a", "new-b", "new-c", "new-d", "new-e"] {
        pool.enter(name, 1);
    }
    let mut started = 0;
    for _ in 0..5 {
        started += pool.start().len();
        pool.now += SLOW + MS;
    }
    assert_eq!(started, 3);
    pool.enter("quick", 1);
    assert_eq!(Paper::names(&pool.start()), ["quick"]);
}

#[test]
fn new_queues_leave_a_thread_to_those_that_are_known_to_be_quick() {
    let mut pool = Paper::new(3, 100);
    pool.known(&["quick"], MS);
    for name in ["new-a", "new-b", "new-c", "new-d"] {
        pool.enter(name, 1);
    }
    assert_eq!(pool.start().len(), 2);
    pool.enter("quick", 1);
    assert_eq!(Paper::names(&pool.start()), ["quick"]);
}

#[test]
fn who_was_served_least_is_next() {
    let mut pool = Paper::new(1, 1_000);
    pool.known(&["cheap", "dear"], MS);
    pool.enter("cheap", 400);
    pool.enter("dear", 400);
    let mut cheap = 0;
    let mut dear = 0;
    for _ in 0..200 {
        for (thread, name) in pool.start() {
            match name {
                "cheap" => {
                    cheap += 1;
                    pool.now += MS;
                }
                _ => {
                    dear += 1;
                    pool.now += 4 * MS;
                }
            }
            pool.end(thread);
        }
    }
    assert!(cheap > 3 * dear, "{cheap} cheap calls and {dear} that take four times as long");
}

#[test]
fn a_pause_earns_nothing_and_a_debt_is_forgiven_in_time() {
    let mut pool = Paper::new(1, 100);
    pool.known(&["quiet", "busy"], MS);
    for _ in 0..100 {
        pool.known(&["busy"], MS);
    }
    // Level again, and not a hundred calls ahead.
    pool.enter("busy", 10);
    pool.enter("quiet", 10);
    let mut order = Vec::new();
    for _ in 0..10 {
        for (thread, name) in pool.start() {
            order.push(name);
            pool.now += MS;
            pool.end(thread);
        }
    }
    let quiet = order[..8].iter().filter(|name| **name == "quiet").count();
    assert!((3..=5).contains(&quiet), "{order:?}");
}

#[test]
fn floods_never_take_the_last_room() {
    let mut pool = Paper::new(2, 1_024);
    assert_eq!(pool.enter("first", 2_000), 512);
    assert_eq!(pool.enter("second", 2_000), 256);
    assert_eq!(pool.enter("third", 2_000), 128);
    assert_eq!(pool.enter("shop", 10), 10);
}

#[test]
fn who_hangs_up_before_its_turn_does_not_look_cheap() {
    let mut pool = Paper::new(4, 100);
    pool.known(&["dear"], 100 * MS);
    for _ in 0..100 {
        pool.enter("dear", 1);
        let (thread, _) = pool.start()[0];
        pool.fair.ended(thread, pool.now, Ended::Uncalled);
        pool.idle.push(thread);
    }
    pool.enter("dear", 2);
    assert_eq!(pool.start().len(), 1, "it is as slow as it was");
}

#[test]
fn one_thread_serves_everybody() {
    let mut pool = Paper::new(1, 100);
    pool.known(&["slow"], 100 * MS);
    pool.enter("slow", 1);
    pool.enter("new", 1);
    let mut seen = Vec::new();
    for _ in 0..2 {
        for (thread, name) in pool.start() {
            seen.push(name);
            pool.end(thread);
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, ["new", "slow"]);
}

#[test]
fn who_uses_up_its_time_again_and_again_rests_nine_times_as_long() {
    let mut pool = Paper::new(4, 100);
    pool.enter("spinner", 10);
    for _ in 0..3 {
        pool.spin("spinner");
    }
    assert_eq!(pool.start(), []);
    assert_eq!(pool.fair.rested_at(pool.now), Some(pool.now + 900 * MS));
    pool.now += 899 * MS;
    assert_eq!(pool.start(), []);
    pool.now += MS;
    assert_eq!(pool.fair.rested_at(pool.now), None);
    pool.spin("spinner");
    assert_eq!(pool.start(), [], "it rests before every call");
}

#[test]
fn who_spins_at_every_second_call_rests_too() {
    let mut pool = Paper::new(4, 100);
    for _ in 0..4 {
        pool.enter("half", 1);
        pool.spin("half");
        pool.known(&["half"], MS);
    }
    pool.enter("half", 2);
    pool.spin("half");
    assert_eq!(pool.start(), []);
}

#[test]
fn who_spins_at_every_fourth_call_never_rests() {
    let mut pool = Paper::new(4, 100);
    for _ in 0..20 {
        pool.enter("at-times", 1);
        pool.spin("at-times");
        pool.known(&["at-times"; 3], MS);
    }
}

#[test]
fn while_one_rests_the_others_are_served() {
    let mut pool = Paper::new(4, 100);
    pool.enter("spinner", 10);
    for _ in 0..3 {
        pool.spin("spinner");
    }
    pool.enter("shop", 1);
    assert_eq!(Paper::names(&pool.start()), ["shop"]);
}
