//! When a breaker opens, closes, warns and gives up.

use super::*;

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const DAY: Duration = Duration::from_secs(86_400);

fn closed() -> Breaker {
    Breaker::of(&Health::default())
}

/// So many seconds later.
fn at(seconds: u64) -> Timestamp {
    NOW.after(Duration::from_secs(seconds))
}

fn fail(breaker: &mut Breaker, times: u32, now: Timestamp) -> Option<Change> {
    (0..times).map(|_| breaker.ended(Fared::Failed, now, 0.5)).last().flatten()
}

#[test]
fn ten_failures_in_a_row_open_it_and_an_answer_between_them_does_not_let_them() {
    let mut breaker = closed();
    assert_eq!(fail(&mut breaker, 9, NOW), None);
    breaker.ended(Fared::Refused, NOW, 0.5);
    assert_eq!(fail(&mut breaker, 9, at(60)), None);
    assert_eq!(breaker.gate(at(60)), Gate::Closed);

    let until = at(65);
    assert_eq!(fail(&mut breaker, 1, at(60)), Some(Change::Opened { until }));
    assert_eq!(breaker.gate(at(64)), Gate::Open { until });
    assert_eq!(breaker.gate(until), Gate::HalfOpen);
}

#[test]
fn half_of_many_failures_within_a_minute_open_it() {
    let alternate = |every: u64| {
        let mut breaker = closed();
        (0..20).find_map(|number| {
            let now = at(number * every);
            breaker.ended(Fared::Succeeded, now, 0.5);
            breaker.ended(Fared::Failed, now, 0.5).map(|_| 2 * (number + 1))
        })
    };
    assert_eq!(alternate(1), Some(20));
    assert_eq!(alternate(10), None, "they are no twenty in a minute");

    let mut breaker = closed();
    for number in 0..60 {
        let fared = if number % 3 == 0 { Fared::Failed } else { Fared::Succeeded };
        assert_eq!(breaker.ended(fared, at(number / 10), 0.5), None, "a third is not half");
    }
}

#[test]
fn each_probe_that_fails_doubles_the_pause_up_to_five_minutes() {
    let mut breaker = closed();
    fail(&mut breaker, 10, NOW);
    let mut now = NOW;
    for seconds in [5, 10, 20, 40, 80, 160, 300, 300] {
        let Gate::Open { until } = breaker.gate(now) else { panic!("it is open") };
        assert_eq!(until.since(now), Duration::from_secs(seconds));
        assert_eq!(breaker.ended(Fared::Failed, now, 0.5), None, "one that began before");
        now = until;
        fail(&mut breaker, 1, now);
    }
    for jitter in [0.0, 1.0, 7.0] {
        assert!(pause(99, jitter) <= PAUSE_MAX && pause(1, jitter) >= PAUSE_MIN * 4 / 5);
    }
}

#[test]
fn a_probe_that_is_answered_closes_it_and_the_next_pause_is_short_again() {
    for answered in [Fared::Succeeded, Fared::Refused] {
        let mut breaker = closed();
        fail(&mut breaker, 10, NOW);
        fail(&mut breaker, 1, at(5));
        assert_eq!(breaker.ended(answered, at(10), 0.5), None, "it is open");
        assert_eq!(breaker.ended(answered, at(15), 0.5), Some(Change::Closed));
        assert_eq!(breaker.gate(at(15)), Gate::Closed);
        assert_eq!(fail(&mut breaker, 10, at(16)), Some(Change::Opened { until: at(21) }));
    }
}

#[test]
fn it_stands_after_a_start_as_before_and_a_clock_that_was_set_back_holds_nobody() {
    let mut breaker = closed();
    fail(&mut breaker, 10, NOW);
    let mut breaker = Breaker::of(&breaker.health());
    assert_eq!(breaker.gate(NOW), Gate::Open { until: at(5) });
    assert_eq!(breaker.gate(Timestamp(NOW.0 - 3_600_000)), Gate::HalfOpen);
    assert_eq!(fail(&mut breaker, 1, at(5)), Some(Change::Opened { until: at(15) }));
    assert_eq!(breaker.health().failures, 11);
}

#[test]
fn days_of_nothing_but_failures_warn_once_at_half_and_disable_at_the_end() {
    let mut breaker = closed();
    fail(&mut breaker, 19, NOW);
    assert_eq!(breaker.judge(NOW.after(9 * DAY), 5 * DAY), None, "they are too few");
    breaker.ended(Fared::Refused, NOW, 0.5);

    let half = NOW.after(5 * DAY / 2);
    assert_eq!(breaker.judge(Timestamp(half.0 - 1), 5 * DAY), None);
    assert_eq!(breaker.judge(half, 5 * DAY), Some(Judged::Failing { since: NOW }));
    assert_eq!(breaker.judge(half, 5 * DAY), None);
    assert_eq!(Breaker::of(&breaker.health()).judge(half, 5 * DAY), None, "also after a start");
    let end = NOW.after(5 * DAY);
    assert_eq!(breaker.judge(end, 5 * DAY), Some(Judged::Disable { since: NOW }));

    breaker.ended(Fared::Succeeded, end, 0.5);
    assert_eq!(breaker.judge(end, 5 * DAY), None);
    fail(&mut breaker, 20, end);
    assert_eq!(
        breaker.judge(end.after(5 * DAY / 2), 5 * DAY),
        Some(Judged::Failing { since: end })
    );
}

/// Guards that an endpoint that failed for a minute is not disabled because the clock was wrong, or
/// nothing was sent there for a week.
#[test]
fn a_clock_that_leaps_and_a_time_without_attempts_count_for_a_day_at_most() {
    let mut breaker = closed();
    fail(&mut breaker, 20, Timestamp(0));
    fail(&mut breaker, 1, NOW);
    let since = Timestamp(NOW.0 - 86_400_000);
    assert_eq!((breaker.health().failing_since, breaker.judge(NOW, 5 * DAY)), (Some(since), None));
    for days in 1..=3 {
        fail(&mut breaker, 1, NOW.after(days * DAY));
    }
    let now = NOW.after(4 * DAY);
    assert!(matches!(breaker.judge(now, 5 * DAY), Some(Judged::Disable { .. })));

    let back = Timestamp(since.0 - 1);
    fail(&mut breaker, 1, back);
    assert_eq!(breaker.health().failing_since, Some(back), "it was set back");
}

#[test]
fn a_changed_endpoint_is_probed_at_once_and_an_enabled_one_begins_anew() {
    let mut breaker = closed();
    breaker.configured();
    assert_eq!(breaker.gate(NOW), Gate::Closed);
    fail(&mut breaker, 10, NOW);
    breaker.configured();
    assert_eq!(breaker.gate(NOW), Gate::HalfOpen);
    breaker.forget();
    assert_eq!(breaker.gate(NOW), Gate::Closed);
    let health = Health { last_failure: Some(NOW), ..Health::default() };
    assert_eq!(breaker.health(), health);
}

#[test]
fn what_an_answer_says_of_an_endpoint() {
    for (status, fared) in [
        (Some(204), Fared::Succeeded),
        (Some(302), Fared::Refused),
        (Some(404), Fared::Refused),
        (Some(410), Fared::Refused),
        (Some(408), Fared::Failed),
        (Some(429), Fared::Failed),
        (Some(503), Fared::Failed),
        (None, Fared::Failed),
    ] {
        assert_eq!(Fared::of(status), fared, "{status:?}");
    }
}
