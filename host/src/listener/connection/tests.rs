//! Whose turn it is, as a connection goes on.

use super::*;

fn connection() -> Connection {
    Connection::new("192.0.2.1:1".parse().unwrap())
}

fn waits(connection: &Connection) -> Option<Wait> {
    connection.waits().map(|(wait, _)| wait)
}

#[test]
fn it_waits_for_the_peer_except_in_the_gateways_turn() {
    let connection = connection();
    assert_eq!(waits(&connection), Some(Wait::Head));
    let begun = connection.begin().unwrap();
    assert_eq!(waits(&connection), None);
    let waiting = connection.waits_for_body();
    assert_eq!(waits(&connection), Some(Wait::Body));
    drop(waiting);
    assert_eq!(waits(&connection), None);
    connection.accepted();
    begun.answered();
    assert_eq!(waits(&connection), Some(Wait::Next));
    connection.stalls();
    assert_eq!(waits(&connection), Some(Wait::Reader));
    connection.flows();
    assert_eq!(waits(&connection), Some(Wait::Next));
}

#[test]
fn many_refusals_in_a_row_are_too_many_until_one_request_is_accepted() {
    let connection = connection();
    (1..REFUSALS_MAX).for_each(|_| drop(connection.refused()));
    assert!(!connection.was_refused_too_often());
    drop(connection.refused());
    assert!(connection.was_refused_too_often());
    connection.accepted();
    assert!(!connection.was_refused_too_often());
}

#[test]
fn many_probes_in_a_row_are_too_many_and_refusals_between_them_count_on() {
    let connection = connection();
    (1..PROBES_MAX).for_each(|_| connection.probed());
    (1..REFUSALS_MAX).for_each(|_| drop(connection.refused()));
    assert!(!connection.was_probed_too_often() && !connection.was_refused_too_often());
    connection.probed();
    drop(connection.refused());
    assert!(connection.was_probed_too_often() && connection.was_refused_too_often());
    connection.accepted();
    assert!(!connection.was_probed_too_often() && !connection.was_refused_too_often());
}

#[test]
fn one_that_never_had_a_request_accepted_may_go_before_others_also_while_it_waits_for_why() {
    let connection = connection();
    let begun = connection.begin().unwrap();
    let held_back = connection.refused();
    assert_eq!(waits(&connection), Some(Wait::Nothing));
    drop(held_back);
    assert_eq!(waits(&connection), None);
    begun.answered();
    assert_eq!(waits(&connection), Some(Wait::Nothing));
    let _begun = connection.begin().unwrap();
    let _held_back = connection.refused();
    assert!(connection.close(Wait::Nothing));
    assert!(connection.begin().is_none());
}

#[test]
fn one_that_had_a_request_accepted_waits_for_why_another_is_refused_as_it_waits_between_two() {
    let connection = connection();
    let begun = connection.begin().unwrap();
    connection.accepted();
    begun.answered();
    let _begun = connection.begin().unwrap();
    let _held_back = connection.refused();
    assert_eq!(waits(&connection), Some(Wait::Next));
    assert!(connection.close(Wait::Next));
}

#[test]
fn what_is_closed_begins_nothing_and_what_has_begun_is_not_closed() {
    let closed = connection();
    assert!(closed.close(Wait::Head));
    assert!(closed.begin().is_none());
    assert_eq!(waits(&closed), None);

    let open = connection();
    let _begun = open.begin().unwrap();
    assert!(!open.close(Wait::Head) && !open.close(Wait::Next) && !open.close(Wait::Reader));
}

#[test]
fn of_many_requests_at_a_time_one_that_is_worked_on_keeps_the_connection() {
    let connection = connection();
    let [first, second] = [connection.begin().unwrap(), connection.begin().unwrap()];
    connection.accepted();
    let waiting = connection.waits_for_body();
    assert_eq!(waits(&connection), None, "the other is worked on");
    assert!(!connection.close(Wait::Body) && !connection.close(Wait::Next));
    second.answered();
    assert_eq!(waits(&connection), Some(Wait::Body));
    drop(waiting);
    first.answered();
    assert_eq!(waits(&connection), Some(Wait::Next));
}

#[test]
fn many_requests_that_the_peer_took_back_are_too_many_until_one_is_accepted() {
    let connection = connection();
    let take_back = |times: u32| (0..times).for_each(|_| drop(connection.begin().unwrap()));
    take_back(TAKEN_BACK_MAX - 1);
    assert!(!connection.was_taken_back_too_often());
    connection.begin().unwrap().answered();
    take_back(1);
    assert!(connection.was_taken_back_too_often());
    connection.accepted();
    assert!(!connection.was_taken_back_too_often());
}
