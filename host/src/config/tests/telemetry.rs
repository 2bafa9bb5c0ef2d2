//! What a configuration says of telemetry.

use super::*;

fn with(telemetry: &str) -> String {
    format!("{WHOLE}[telemetry]\n{telemetry}\n")
}

fn check_wrong(telemetry: &str, expected: &str) {
    let wrong = wrong(&with(telemetry));
    assert!(wrong.len() == 1 && wrong[0].contains(expected), "{wrong:#?}");
}

const ENDPOINT: &str = "endpoint = \"http://127.0.0.1:4318\"";

#[test]
fn telemetry_goes_nowhere_until_there_is_an_endpoint() {
    assert!(parse(WHOLE).unwrap().telemetry.is_none());
    assert!(parse(&with("traces = \"5%\"")).unwrap().telemetry.is_none());

    let settings = parse(&with(ENDPOINT)).unwrap().telemetry.unwrap();
    assert_eq!(settings.endpoint.as_str(), "http://127.0.0.1:4318/");
    assert_eq!(settings.traces, Some(0.1));
    let expected = [("service.name", "hookgate"), ("service.version", env!("CARGO_PKG_VERSION"))];
    assert_eq!(settings.resource, expected.map(|(key, text)| (key.to_owned(), text.to_owned())));
    for (traces, share) in [("off", None), ("0%", Some(0.0)), ("100%", Some(1.0))] {
        let settings = parse(&with(&format!("{ENDPOINT}\ntraces = \"{traces}\"")));
        assert_eq!(settings.unwrap().telemetry.unwrap().traces, share);
    }
}

#[test]
fn metrics_are_exported_each_minute_unless_it_is_said_how_often() {
    use crate::telemetry::Temporality;

    let read = |text: &str| {
        let settings = parse(&with(&format!("{ENDPOINT}\n{text}"))).unwrap().telemetry.unwrap();
        (settings.metrics.map(|every| every.as_secs()), settings.temporality)
    };
    assert_eq!(read(""), (Some(60), Temporality::Cumulative));
    assert_eq!(read("metrics = \"off\""), (None, Temporality::Cumulative));
    let text = "metrics = \"1s\"\ntemporality = \"delta\"";
    assert_eq!(read(text), (Some(1), Temporality::Delta));
    assert_eq!(read("temporality = \"cumulative\""), (Some(60), Temporality::Cumulative));

    check_wrong("metrics = \"999ms\"", "`metrics` must be between 1s and 1h");
    check_wrong("metrics = \"61m\"", "`metrics` must be between 1s and 1h");
    check_wrong("metrics = 60", "`metrics` must be a duration such as \"60s\", or \"off\"");
    check_wrong("temporality = \"sum\"", "`temporality` must be \"cumulative\" or \"delta\"");
}

#[test]
fn headers_are_secrets_and_attributes_are_texts() {
    let text = format!(
        "{ENDPOINT}\nservice_name = \"payments\"\n\
         attributes = {{ \"deployment.environment.name\" = \"test\" }}\n\
         headers = {{ api-key = {{ value = \"Hunter2/Tr0ub4dor\" }} }}"
    );
    let config = parse(&with(&text)).unwrap();
    assert!(config.secrets.iter().any(|secret| secret.expose() == "Hunter2/Tr0ub4dor"));
    let settings = config.telemetry.unwrap();
    let [(name, secret)] = &settings.headers[..] else { panic!("{settings:?}") };
    assert_eq!((name.as_str(), secret.expose()), ("api-key", "Hunter2/Tr0ub4dor"));
    assert!(!format!("{settings:?}").contains("Hunter2"));
    assert_eq!(settings.resource[0].1, "payments");
    assert_eq!(settings.resource[2].0, "deployment.environment.name");

    check_wrong("headers = { host = { value = \"x\" } }", "must be the name of a header");
    check_wrong("headers = { api-key = { value = \"a\\nb\" } }", "that a header can't have");
    check_wrong("headers = { api-key = \"x\" }", "`api-key` must be");
    check_wrong("attributes = { a = 1 }", "`a` must be a text of 1 to 255 bytes");
    check_wrong("attributes = { \"service.name\" = \"a\" }", "must be another attribute");
    for traces in ["101%", "-1%", "10", "NaN%", "some"] {
        check_wrong(&format!("traces = \"{traces}\""), "`traces` must be a percentage");
    }
    let endpoint = "endpoint = \"http://127.0.0.1:4318/v1/traces\"";
    check_wrong(endpoint, "without the path of a signal");
    check_wrong("endpoint = \"127.0.0.1:4318\"", "must be a URL");
}

/// Guards the bounds, and that metrics need no collector.
#[test]
fn how_many_endpoints_have_metrics_of_their_own_is_a_number_without_a_collector_too() {
    assert_eq!(parse(WHOLE).unwrap().endpoints_max, 200);
    let config = parse(&with("endpoints_max = 0")).unwrap();
    assert_eq!((config.endpoints_max, config.telemetry.is_none()), (0, true));
    let before = parse(&with("endpoints_max = 10000")).unwrap();
    assert_eq!(config.needs_restart(&before), Vec::<String>::new());
    check_wrong("endpoints_max = 10001", "`endpoints_max` must be between 0 and 10000");
}

/// Leave it out of `needs_restart`, and an operator waits for spans that never come.
#[test]
fn another_collector_needs_a_restart() {
    let before = parse(WHOLE).unwrap();
    let now = parse(&with(ENDPOINT)).unwrap();
    assert_eq!(now.needs_restart(&before), ["`telemetry`"]);
    assert_eq!(before.needs_restart(&now), ["`telemetry`"]);
    for key in ["traces = \"5%\"", "metrics = \"5s\"", "temporality = \"delta\""] {
        let other = parse(&with(&format!("{ENDPOINT}\n{key}"))).unwrap();
        assert_eq!(other.needs_restart(&now), ["`telemetry`"], "{key}");
    }
    let ca = concat!(env!("CARGO_MANIFEST_DIR"), "/src/egress/fixtures/ca.pem");
    let trusting = parse(&with(&format!("{ENDPOINT}\nca = [\"{ca}\"]"))).unwrap();
    assert_eq!(trusting.needs_restart(&now), ["`telemetry`"]);
    assert_eq!(trusting.needs_restart(&trusting), Vec::<String>::new());
    assert_eq!(now.needs_restart(&now), Vec::<String>::new());
}
