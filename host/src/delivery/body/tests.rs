//! What each format makes of an event.

use super::*;
use crate::event::Money;
use crate::json_text::JsonText;

fn event() -> Event {
    Event {
        source: "stripe".parse().unwrap(),
        id: "evt_1".into(),
        event_type: "payment.failed".into(),
        subject: Some("pi_1".into()),
        time: Timestamp(1_700_000_000_123),
        money: Some(Money::new("10.990".into(), "USD".into()).unwrap()),
        labels: Vec::new(),
        data: JsonText::new(r#"{"n": 1.00000000000000000001, "n": 2}"#).unwrap(),
    }
}

fn receipt(content_type: &str) -> Request {
    Request {
        method: "POST".into(),
        url: "/in/stripe".into(),
        headers: [("content-type", content_type)].into_iter().collect(),
        body: Bytes::from_static(b"\x00raw\xff"),
        received_at: Timestamp(1),
    }
}

fn text(format: Format) -> String {
    let content = content(format, &event(), None);
    String::from_utf8(content.body.to_vec()).unwrap()
}

#[test]
fn the_standard_body_keeps_every_digit() {
    let expected = concat!(
        r#"{"type":"payment.failed","timestamp":"2023-11-14T22:13:20.123Z","#,
        r#""data":{"n": 1.00000000000000000001, "n": 2}}"#
    );
    assert_eq!(text(Format::Standard), expected);
}

#[test]
fn a_cloud_event_has_its_attributes() {
    let expected = concat!(
        r#"{"specversion":"1.0","id":"evt_1","source":"stripe","type":"payment.failed","#,
        r#""subject":"pi_1","time":"2023-11-14T22:13:20.123Z","#,
        r#""datacontenttype":"application/json","amount":"10.990","currency":"USD","#,
        r#""data":{"n": 1.00000000000000000001, "n": 2}}"#
    );
    assert_eq!(text(Format::CloudEvents), expected);
}

#[test]
fn a_raw_body_is_the_provider_s_own() {
    let raw = |receipt: Option<&Request>| content(Format::Raw, &event(), receipt);

    let own = raw(Some(&receipt("text/xml; charset=utf-8")));
    assert_eq!(own.content_type, "text/xml; charset=utf-8");
    assert_eq!(own.body, receipt("").body);
    assert_eq!(raw(Some(&receipt("a\nb"))).content_type, "application/octet-stream");

    let emitted = raw(None);
    assert_eq!(emitted.content_type, "application/json");
    assert_eq!(emitted.body, event().data.as_str());
}
