//! What a configuration says that the gateway's own events depend on.

use super::*;
use crate::ingest::Expected;

/// Else a source could bring what looks like an event of the gateway's own.
#[test]
fn no_source_and_no_handler_has_the_name_of_the_gateway_in_events() {
    let own = "7:1: [sources.hookgate] needs another name";
    check_refused("[sources.stripe]", "[sources.hookgate]", own);
    let own = "18:1: [handlers.hookgate] needs another name";
    check_refused("[handlers.dunning]", "[handlers.hookgate]", own);
}

#[test]
fn a_source_may_be_expected_to_bring_a_number_of_requests_within_a_time() {
    let expected = |line: &str| {
        let config = parse(&WHOLE.replace("tolerance = \"5m\"", line)).unwrap();
        config.sources["stripe"].expected
    };
    let within = Duration::from_secs(600);
    assert_eq!(expected(""), None);
    let one = Some(Expected { requests: 1, within });
    assert_eq!(expected("expect = \"1 in 10m\""), one);
    for text in ["10m", "0 in 10m", "1 in 59s", "1 in 8d", "1000001 in 10m", "-1 in 10m"] {
        let line = format!("expect = \"{text}\"");
        check_refused("tolerance = \"5m\"", &line, "10:10: `expect` must be a number of requests");
    }
}
