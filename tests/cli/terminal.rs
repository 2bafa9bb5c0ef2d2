//! What reaches the terminal of a person from texts that anybody may have chosen.

use crate::harness::{Setup, payment, text};

#[tokio::test]
async fn no_subject_of_an_event_steers_the_terminal_or_begins_a_line() {
    let gateway = Setup::stripe().start().await;
    let subject = "pi_1\nevt_2\u{1b}[2J\u{9b}2J";
    gateway.stripe(&payment("evt_1", subject, "succeeded")).await.accepted();
    gateway.settle().await;
    let id = text(&gateway.events("").await[0]["id"]);

    let listed = gateway.event_command(&["list"]).await;
    let shown = gateway.event_command(&["show", &id]).await;

    assert_eq!(listed.succeeded().lines().count(), 2, "{:?}", listed.out);
    for out in [listed.succeeded(), shown.succeeded()] {
        assert!(!out.contains(|char: char| char.is_control() && char != '\n'), "{out:?}");
    }
    assert!(listed.out.contains(r"pi_1\u000aevt_2\u001b[2J\u009b2J"), "{:?}", listed.out);
}
