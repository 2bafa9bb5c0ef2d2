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
    assert!(connection.begin());
    assert_eq!(waits(&connection), None);
    connection.waits_for_body();
    assert_eq!(waits(&connection), Some(Wait::Body));
    connection.has_body();
    assert_eq!(waits(&connection), None);
    connection.accepted();
    connection.answered();
    assert_eq!(waits(&connection), Some(Wait::Next));
    connection.stalls();
    assert_eq!(waits(&connection), Some(Wait::Reader));
    connection.flows();
    assert_eq!(waits(&connection), Some(Wait::Next));
}

#[test]
fn many_refusals_in_a_row_are_too_many_until_one_request_is_accepted() {
    let connection = connection();
    (1..REFUSALS_MAX).for_each(|_| connection.refused());
    assert!(!connection.was_refused_too_often());
    connection.refused();
    assert!(connection.was_refused_too_often());
    connection.accepted();
    assert!(!connection.was_refused_too_often());
}

#[test]
fn many_probes_in_a_row_are_too_many_and_refusals_between_them_count_on() {
    let connection = connection();
    (1..PROBES_MAX).for_each(|_| connection.probed());
    (1..REFUSALS_MAX).for_each(|_| connection.refused());
    assert!(!connection.was_probed_too_often() && !connection.was_refused_too_often());
    connection.probed();
    connection.refused();
    assert!(connection.was_probed_too_often() && connection.was_refused_too_often());
    connection.accepted();
    assert!(!connection.was_probed_too_often() && !connection.was_refused_too_often());
}

#[test]
fn one_that_never_had_a_request_accepted_may_go_before_others_also_while_it_waits_for_why() {
    let connection = connection();
    connection.begin();
    connection.refused();
    assert_eq!(waits(&connection), Some(Wait::Nothing));
    connection.answers();
    assert_eq!(waits(&connection), None);
    connection.answered();
    assert_eq!(waits(&connection), Some(Wait::Nothing));
    connection.begin();
    connection.refused();
    assert!(connection.close(Wait::Nothing));
    assert!(!connection.begin());
}

#[test]
fn one_that_had_a_request_accepted_waits_for_why_another_is_refused_as_it_waits_between_two() {
    let connection = connection();
    connection.begin();
    connection.accepted();
    connection.answered();
    connection.begin();
    connection.refused();
    assert_eq!(waits(&connection), Some(Wait::Next));
    assert!(connection.close(Wait::Next));
}

#[test]
fn what_is_closed_begins_nothing_and_what_has_begun_is_not_closed() {
    let closed = connection();
    assert!(closed.close(Wait::Head));
    assert!(!closed.begin());
    assert_eq!(waits(&closed), None);

    let begun = connection();
    assert!(begun.begin());
    assert!(!begun.close(Wait::Head) && !begun.close(Wait::Next) && !begun.close(Wait::Reader));
}
