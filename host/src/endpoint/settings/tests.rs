//! What settings may be, and which is named if one can't be.

use serde_json::json;

use super::*;
use crate::endpoint::DisableAfter;

fn least() -> RawSettings {
    RawSettings {
        name: "crm".to_owned(),
        url: "https://crm.example/hooks".to_owned(),
        events: vec!["payment.*".to_owned()],
        ..RawSettings::default()
    }
}

/// The least settings with these members in place of its own.
fn with(members: Value) -> RawSettings {
    let mut all = serde_json::to_value(least()).unwrap();
    let members: serde_json::Map<String, Value> = serde_json::from_value(members).unwrap();
    all.as_object_mut().unwrap().extend(members);
    serde_json::from_value(all).unwrap()
}

fn accepted(members: Value) -> Settings {
    check(with(members), Origin::Api).unwrap()
}

/// Refused, and with this setting named.
#[track_caller]
fn refused(field: &str, value: &Value) {
    let invalid = check(with(json!({ field: value })), Origin::Api).expect_err("it is refused");
    assert_eq!(invalid.field, field, "{value}: {}", invalid.detail);
}

#[track_caller]
fn rule_is(rule: &Value, expected: bool) {
    let checked = check(with(json!({ "filter": [rule] })), Origin::Api);
    assert_eq!(checked.is_ok(), expected, "{rule}: {checked:?}");
}

#[test]
fn what_is_left_out_is_the_default() {
    let settings = check(least(), Origin::Api).unwrap();
    assert_eq!((settings.name.as_str(), settings.tenant), ("crm", None));
    assert_eq!((settings.body, settings.order), (Format::Standard, Order::None));
    assert_eq!(settings.retries, RetryPolicy::deliveries());
    assert_eq!(settings.trust, Trust::default());
    let limits = settings.limits;
    assert_eq!((limits.concurrency, limits.rate, limits.held), (16, None, 100_000));
    let five_days = DisableAfter::Failing(Duration::from_secs(5 * 86_400));
    assert_eq!((limits.use_breaker, limits.disable_after), (None, five_days));
    let times = [limits.timeout, limits.connect_timeout];
    assert_eq!(times, [15, 5].map(Duration::from_secs));
}

/// Every setting, none of them the default.
fn full() -> Value {
    json!({
        "tenant": "acct_1",
        "description": "for the crm",
        "filter": [
            { "pointer": "/amount", "op": "greater", "value": "100" },
            { "label": "merchant", "op": "exists", "value": false },
        ],
        "headers": { "x-team": "billing" },
        "body": "raw",
        "concurrency": 3,
        "rate": "90/min",
        "burst": 7,
        "timeout": "20s",
        "connect_timeout": "2s",
        "held": 9,
        "use_breaker": false,
        "disable_after": "36h",
        "retries": ["5s", "1d"],
        "order": "subject",
        "skip_after": 4,
        "metadata": { "owner": "ops" },
        "ca": "-----BEGIN CERTIFICATE-----\n",
        "client_certificate": "-----BEGIN CERTIFICATE-----\n",
    })
}

#[test]
fn what_is_set_counts_and_is_written_as_it_was() {
    let settings = accepted(full());
    assert_eq!(settings.limits.rate, Some(Rate { per_minute: 90, burst: 7 }));
    assert_eq!(settings.order, Order::Subject { skip_after: NonZeroU32::new(4) });
    assert_eq!(settings.retries.delays, [5, 86_400].map(Duration::from_secs));
    assert_eq!(RawSettings::from(&settings), with(full()));
    assert_eq!(check(RawSettings::from(&settings), Origin::Api).unwrap(), settings);
}

#[test]
fn each_setting_is_among_the_keys_that_a_row_is_read_by() {
    let written = serde_json::to_value(with(full())).unwrap();
    let mut written: Vec<_> = written.as_object().unwrap().keys().map(String::as_str).collect();
    let mut known = RawSettings::KEYS.to_vec();
    written.sort_unstable();
    known.sort_unstable();
    assert_eq!(written, known);
    assert_eq!(RawSettings::of_row(&with(full()).to_row()).unwrap(), with(full()));
}

#[test]
fn a_setting_that_is_wrong_is_named() {
    let long = |bytes: usize| "a".repeat(bytes);
    for (field, value) in [
        ("name", json!("Crm")),
        ("name", json!("ep-000000000011000001")),
        ("tenant", json!("a b")),
        ("description", json!(long(1025))),
        ("url", json!("crm.example")),
        ("url", json!("ftp://crm.example")),
        ("url", json!("file:///etc/passwd")),
        ("url", json!(format!("https://crm.example/{}", long(2048)))),
        ("events", json!(["pay*"])),
        ("events", json!(vec!["*"; 65])),
        ("filter", json!(vec![json!({ "pointer": "", "op": "exists" }); 33])),
        ("body", json!("xml")),
        ("concurrency", json!(0)),
        ("concurrency", json!(257)),
        ("rate", json!("10/h")),
        ("burst", json!(5)),
        ("timeout", json!("61s")),
        ("timeout", json!("soon")),
        ("connect_timeout", json!("9ms")),
        ("held", json!(0)),
        ("held", json!(10_000_001)),
        ("disable_after", json!("59m")),
        ("disable_after", json!("soon")),
        ("retries", json!(["99ms"])),
        ("retries", json!(vec!["1s"; 101])),
        ("order", json!("type")),
        ("skip_after", json!(3)),
        ("skip_after", json!(0)),
        ("metadata", json!({ "": "a" })),
        ("metadata", json!({ "a": long(513) })),
        ("ca", json!("no certificate")),
        ("client_certificate", json!("no certificate")),
    ] {
        refused(field, &value);
    }
}

#[test]
fn a_burst_must_fit_beside_its_rate() {
    let draft = with(json!({ "rate": "1/s", "burst": 10_001 }));
    assert_eq!(check(draft, Origin::Api).unwrap_err().field, "burst");
}

#[test]
fn a_user_in_the_url_is_for_the_configuration_alone() {
    for url in ["https://user@crm.example/", "https://:secret@crm.example/"] {
        refused("url", &json!(url));
        assert!(check(with(json!({ "url": url })), Origin::File).is_ok(), "{url}");
    }
}

#[test]
fn headers_that_the_gateway_sends_or_that_are_credentials_are_refused() {
    for name in [
        "Host",
        "Content-Type",
        "content-length",
        "Connection",
        "transfer-encoding",
        "upgrade",
        "Authorization",
        "webhook-id",
        "Webhook-Signature",
        "webhook-later",
        "te",
        "",
        "a b",
    ] {
        refused("headers", &json!({ name: "a" }));
    }
    refused("headers", &json!({ "X-A": "a", "x-a": "b" }));
    refused("headers", &json!({ "x-a": "a\r\nhost: b" }));
    refused("headers", &json!({ "x-a": "a".repeat(1025) }));
    let many = (0..17).map(|number| (format!("x-{number}"), json!("a")));
    refused("headers", &Value::Object(many.collect()));
    let settings = accepted(json!({ "headers": { "X-Team": "a b" } }));
    assert_eq!(settings.headers[0].0.as_str(), "x-team");
}

#[test]
fn a_rule_has_a_field_and_a_value_that_its_operator_can_compare() {
    for good in [
        json!({ "pointer": "/a~1b", "op": "equals", "value": null }),
        json!({ "pointer": "/a", "op": "equals" }),
        json!({ "pointer": "/a", "op": "not_equals", "value": 1.5 }),
        json!({ "pointer": "/a", "op": "in", "value": ["a", 1, null] }),
        json!({ "pointer": "/a", "op": "exists" }),
        json!({ "label": "a", "op": "prefix", "value": "b" }),
        json!({ "label": "a", "op": "less", "value": 100 }),
        json!({ "pointer": "/a", "op": "less", "value": "12345678901234567890.5" }),
    ] {
        rule_is(&good, true);
    }
    for bad in [
        json!({ "op": "exists" }),
        json!({ "pointer": "/a", "label": "a", "op": "exists" }),
        json!({ "pointer": "a", "op": "exists" }),
        json!({ "pointer": "/a~2", "op": "exists" }),
        json!({ "pointer": format!("/{}", "a".repeat(256)), "op": "exists" }),
        json!({ "label": "", "op": "exists" }),
        json!({ "pointer": "/a", "op": "exists", "value": "yes" }),
        json!({ "pointer": "/a", "op": "equals", "value": ["a"] }),
        json!({ "pointer": "/a", "op": "equals", "value": 0.12345678901234568 }),
        json!({ "pointer": "/a", "op": "equals", "value": "a".repeat(4096) }),
        json!({ "label": "a", "op": "equals", "value": 1 }),
        json!({ "pointer": "/a", "op": "in", "value": [] }),
        json!({ "pointer": "/a", "op": "in", "value": "a" }),
        json!({ "pointer": "/a", "op": "prefix", "value": 1 }),
        json!({ "pointer": "/a", "op": "greater", "value": "many" }),
        json!({ "pointer": "/a", "op": "greater", "value": null }),
    ] {
        rule_is(&bad, false);
    }
}

#[test]
fn an_exists_without_a_value_means_that_it_is_there() {
    let settings = accepted(json!({ "filter": [{ "pointer": "/a", "op": "exists" }] }));
    assert_eq!(settings.filter[0].value, Value::Bool(true));
}
