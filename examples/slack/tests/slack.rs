//! What arrives in the channel, and what does not.

use hookgate_example_slack::Slack;
use hookgate_sdk::testing::{Bench, Effect};
use hookgate_sdk::{Event, labels};

fn failed(subject: &str, livemode: &str) -> Event {
    let event = Event::new("evt_1", "payment.failed", "{}");
    let labels = labels([("livemode", Some(livemode.to_owned()))]);
    Event { subject: Some(subject.to_owned()), labels, ..event }
}

fn sent(bench: &mut Bench, event: &Event) -> Option<String> {
    let ran = bench.handle::<Slack>(event);
    assert_eq!(ran.outcome, Ok(()));
    match ran.effects.into_iter().next()? {
        Effect::Send { body, .. } => Some(String::from_utf8(body).expect("JSON is text")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nobody_is_mentioned_by_what_an_event_says() {
    let mut bench = Bench::new().granting("slack");
    let text = sent(&mut bench, &failed("<!channel> & co", "true"));
    let expected = r#"{"text":"*payment.failed* of bench, &lt;!channel&gt; &amp; co"}"#;
    assert_eq!(text.as_deref(), Some(expected));
}

#[test]
fn a_test_is_forwarded_only_if_the_operator_wants_it() {
    let mut quiet = Bench::new().granting("slack");
    let mut all = Bench::new().granting("slack").with_settings(r#"{"test_mode":true}"#);
    assert_eq!(sent(&mut quiet, &failed("pi_1", "false")), None);
    assert!(sent(&mut all, &failed("pi_1", "false")).is_some());
}

#[test]
fn without_a_grant_nothing_is_sent() {
    let ran = Bench::new().handle::<Slack>(&failed("pi_1", "true"));
    let reason = ran.outcome.expect_err("it is not granted").reason;
    assert_eq!(reason, "not granted: the operator has not granted the endpoint `slack`");
}
