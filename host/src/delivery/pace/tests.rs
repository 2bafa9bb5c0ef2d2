//! How an endpoint's limit falls and grows.

use super::*;

const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn end(pace: &mut Pace, ended: Ended) {
    let ticket = pace.begin();
    pace.end(ticket, ended, 0, NOW, 0.5);
}

fn ended(ceiling: usize, how: &[(Ended, usize)]) -> Pace {
    let mut pace = Pace::new(ceiling);
    for (ended, times) in how {
        (0..*times).for_each(|_| end(&mut pace, *ended));
    }
    pace
}

fn rests(pace: &Pace) -> bool {
    pace.allowance(4096).not_before > NOW
}

#[test]
fn every_answer_adds_one_up_to_the_ceiling() {
    let at_a_time = |answers| ended(16, &[(Ended::Answered, answers)]).at_a_time();
    assert_eq!([0, 1, 2, 14, 500].map(at_a_time), [2, 3, 4, 16, 16]);
    assert_eq!(Pace::new(1).at_a_time(), 1);
}

#[test]
fn every_attempt_without_an_answer_halves_it_down_to_one() {
    let at_a_time =
        |failures| ended(16, &[(Ended::Answered, 99), (Ended::Unanswered, failures)]).at_a_time();
    assert_eq!([0, 1, 2, 3, 4, 9].map(at_a_time), [16, 8, 4, 2, 1, 1]);
}

#[test]
fn an_endpoint_that_fails_now_and_then_keeps_most_of_its_attempts() {
    let mut pace = ended(16, &[(Ended::Answered, 99)]);
    for _ in 0..50 {
        end(&mut pace, Ended::Unanswered);
        (0..19).for_each(|_| end(&mut pace, Ended::Answered));
    }
    assert_eq!(pace.at_a_time(), 16);
    assert!(pace.allowance(4096).is_trusted && !rests(&pace));
}

#[test]
fn an_endpoint_that_asks_for_less_gets_less_and_no_pause() {
    let pace = ended(16, &[(Ended::Answered, 99), (Ended::Overloaded { asked: None }, 9)]);
    assert_eq!(pace.at_a_time(), 1);
    assert!(!rests(&pace) && pace.allowance(4096).is_trusted);
}

#[test]
fn an_endpoint_that_asks_for_a_pause_gets_it_for_five_minutes_at_most() {
    for (asked, given) in [(90, 90), (86_400, 300), (u64::MAX, 300)] {
        let asked = Some(Duration::from_secs(asked));
        let pace = ended(16, &[(Ended::Overloaded { asked }, 1), (Ended::Answered, 1)]);
        assert_eq!(pace.allowance(4096).not_before.since(NOW), Duration::from_secs(given));
    }
}

#[test]
fn probes_without_an_answer_come_with_growing_pauses() {
    let pause = |probes| {
        let pace = ended(1, &[(Ended::Unanswered, probes)]);
        pace.allowance(4096).not_before.since(NOW).as_secs()
    };
    assert_eq!([1, 2, 3, 6, 7, 99].map(pause), [1, 2, 4, 32, 60, 60]);
    assert!(!rests(&ended(1, &[(Ended::Unanswered, 9), (Ended::Answered, 1)])));
}

#[test]
fn what_began_together_and_failed_together_is_no_row_of_probes() {
    let mut pace = ended(16, &[(Ended::Answered, 99)]);
    let tickets = [pace.begin(); 16];
    tickets.into_iter().for_each(|it| pace.end(it, Ended::Unanswered, 0, NOW, 0.5));
    assert_eq!(pace.at_a_time(), 1);
    assert!(!rests(&pace), "the first probe goes at once");
}

#[test]
fn an_endpoint_that_falls_silent_is_probed_before_its_time_is_over() {
    let mut pace = ended(16, &[(Ended::Answered, 99)]);
    let first = pace.begin();
    let second = pace.begin();
    assert!(pace.late(first) && !pace.late(second));
    assert_eq!(pace.at_a_time(), 1);
    assert!(!pace.allowance(4096).is_trusted);

    pace.end(first, Ended::Answered, 0, NOW, 0.5);
    assert_eq!(pace.at_a_time(), 16, "it was only slow");
}

#[test]
fn an_endpoint_that_is_slow_but_answers_is_not_silent() {
    let mut pace = ended(16, &[(Ended::Answered, 99)]);
    let slow = pace.begin();
    end(&mut pace, Ended::Answered);
    assert!(!pace.late(slow));
    assert_eq!(pace.at_a_time(), 16);
}

#[test]
fn a_mended_endpoint_has_all_of_its_attempts_again() {
    let mut pace = ended(16, &[(Ended::Answered, 99), (Ended::Unanswered, 20)]);
    (0..15).for_each(|_| end(&mut pace, Ended::Answered));
    assert_eq!(pace.at_a_time(), 16);
}

#[test]
fn large_bodies_take_more_slots_and_an_endpoint_never_all() {
    let mut pace = ended(256, &[(Ended::Answered, 500)]);
    assert_eq!((pace.allowance(4096).slots, pace.allowance(4096).at_a_time), (1, 256));
    let ticket = pace.begin();
    pace.end(ticket, Ended::Answered, 1024 * 1024, NOW, 0.5);
    assert_eq!((pace.allowance(4096).slots, pace.allowance(4096).at_a_time), (17, 30));
    assert_eq!(pace.allowance(4).at_a_time, 1);
    (0..99).for_each(|_| end(&mut pace, Ended::Answered));
    assert_eq!(pace.allowance(4096).slots, 1);
}

#[test]
fn a_changed_configuration_is_tried_at_once_and_its_ceiling_holds() {
    let mut pace = ended(16, &[(Ended::Unanswered, 20)]);
    assert!(rests(&pace));
    pace.configured(2);
    assert!(!rests(&pace));
    (0..9).for_each(|_| end(&mut pace, Ended::Answered));
    assert_eq!(pace.at_a_time(), 2);
}

#[test]
fn what_could_not_be_sent_says_nothing_of_the_endpoint() {
    let pace = ended(16, &[(Ended::Unsent, 20)]);
    assert_eq!(pace.at_a_time(), 2);
    assert!(pace.allowance(4096).is_trusted);
}
