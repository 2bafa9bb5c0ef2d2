//! Messages of Amazon SNS, proven and parsed, with a key of our own in the place of Amazon's.

use hookgate_aws_sns::AwsSns;
use hookgate_sdk::testing::{Bench, send, sign};
use hookgate_sdk::{Claims, Event, Proof, Provider, PublicKey, Request, provider_tests};

const KEY: &str = include_str!("private_key.pem");
const SETTINGS: &str = include_str!("../settings.json");
const TOPIC: &str = "arn:aws:sns:eu-central-1:210987654321:lantern-payments";

provider_tests!(AwsSns, |suite| suite.with_secret(KEY));

/// A message with these members, and those that all have.
fn message(members: &str) -> Request {
    let body = format!(
        r#"{{"MessageId":"m1","TopicArn":"{TOPIC}","Timestamp":"2026-01-01T00:00:00Z",{members}}}"#
    );
    Request::post("/in/sns", body)
}

fn bench() -> Bench {
    Bench::new().with_settings(SETTINGS)
}

fn event(members: &str) -> Event {
    bench().call(|| send::<AwsSns>(&message(members), KEY, 0)).remove(0)
}

/// The claims of a message after a change of its signed body.
fn claims(members: &str, change: impl Fn(&str) -> String) -> Claims {
    bench().call(|| {
        let mut signed = sign::<AwsSns>(&message(members), KEY, 0);
        signed.body = change(str::from_utf8(&signed.body).expect("text")).into_bytes();
        AwsSns::claim(&signed).expect("it is signed")
    })
}

#[test]
fn what_is_not_signed_is_not_in_an_event() {
    let event = event(
        r#""Type":"Notification","Message":"{\"amount\": 1}","Subject":"lit","amount":2,
            "MessageAttributes":{"amount":3},"UnsubscribeURL":"https://a.example/""#,
    );
    let envelope = format!(r#"{{"Subject":"lit","TopicArn":"{TOPIC}"}}"#);
    assert_eq!(event.data, format!(r#"{{"amount": 1,"envelope":{envelope}}}"#));
    assert_eq!(event.label("account"), Some("210987654321"));
    assert_eq!(event.label("topic"), Some("lantern-payments"));
}

#[test]
fn a_message_that_is_not_an_object_is_shown_with_all_that_is_signed() {
    for message in ["lit", "[1]", "7", ""] {
        let event = event(&format!(r#""Type":"Notification","Message":"{message}""#));
        let time = "2026-01-01T00:00:00Z";
        let signed = format!(r#""MessageId":"m1","Timestamp":"{time}","TopicArn":"{TOPIC}""#);
        let data = format!(r#"{{"Message":"{message}",{signed},"Type":"Notification"}}"#);
        assert_eq!(event.data, data);
    }
}

#[test]
fn a_confirmation_is_an_event_that_says_the_url_to_visit() {
    let members = r#""Type":"SubscriptionConfirmation","Message":"visit it","Token":"t1",
        "SubscribeURL":"https://sns.eu-central-1.amazonaws.com/?Token=t1""#;
    let event = event(members);
    assert_eq!(event.type_, "aws-sns.SubscriptionConfirmation");
    let url = r#""SubscribeURL":"https://sns.eu-central-1.amazonaws.com/?Token=t1""#;
    assert!(event.data.contains(url), "{}", event.data);
    assert_eq!(claims(members, str::to_owned).handshake, None);
}

#[test]
fn the_version_of_a_signature_names_its_hash_function() {
    for (version, expected) in [("1", PublicKey::RsaSha1), ("2", PublicKey::RsaSha256)] {
        let claims = claims(r#""Type":"Notification","Message":"lit""#, |body| {
            let written = format!(r#""SignatureVersion":"{version}""#);
            body.replace(r#""SignatureVersion":"2""#, &written)
        });
        let Proof::Signature(signature) = &claims.evidence[0].proofs[0] else {
            panic!("{claims:?}");
        };
        assert_eq!(signature.algorithm, expected);
    }
}

#[test]
fn only_the_end_of_a_subscription_may_leave_its_token_unsigned() {
    for (own, proofs) in [("SubscriptionConfirmation", 1), ("UnsubscribeConfirmation", 2)] {
        let members = format!(r#""Type":"{own}","Message":"visit it","Token":"t1""#);
        assert_eq!(claims(&members, str::to_owned).evidence[0].proofs.len(), proofs, "{own}");
    }
}

#[test]
fn raw_delivery_is_refused_for_what_it_is() {
    let mut request = Request::post("/in/sns", r#"{"amount":1}"#);
    request.set_header("x-amz-sns-rawdelivery", "true");
    let reason = "raw message delivery is not signed: turn it off in SNS";
    assert_eq!(bench().call(|| AwsSns::claim(&request)).unwrap_err().reason, reason);
    assert_eq!(bench().call(|| AwsSns::parse(&request)).unwrap_err().reason, reason);
}

#[test]
fn a_source_must_list_its_topics() {
    let check = |settings: &str| Bench::new().with_settings(settings).check_provider::<AwsSns>();
    assert_eq!(check(SETTINGS), Ok(()));
    for settings in ["{}", r#"{"allowed_topics":"arn:aws:sns"}"#, r#"{"allowed_topics":[""]}"#] {
        assert!(check(settings).is_err(), "{settings}");
    }
    for topics in ["", r#""payments""#, r#""arn:aws:sns:eu-west-1:210987654321:a","b""#] {
        let reason = check(&format!(r#"{{"allowed_topics":[{topics}]}}"#)).unwrap_err();
        assert!(
            reason.starts_with("`allowed_topics` must list ARNs of topics"),
            "{topics}: {reason}"
        );
    }
}
