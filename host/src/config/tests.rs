//! What a configuration may say, and what is said of one that may not.

mod master;
mod own;
mod plugins;
mod ports;
mod redact;
mod telemetry;
mod tenants;
mod tokens;
mod trusted;

use std::time::Duration;

use super::*;
use crate::store::Quota;

const WHOLE: &str = r#"
listen  = "127.0.0.1:8080"
admin   = "127.0.0.1:8081"
data    = "data"
plugins = "plugins"

[sources.stripe]
plugin    = "stripe"
secrets   = [{ value = "whsec_one" }]
tolerance = "5m"
config    = { mode = "live", since = 2026-01-01 }

[endpoints.crm]
url     = "http://127.0.0.1:9000/hooks"
events  = ["payment.*", "customer.payment_failed_notice"]
secrets = [{ value = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }]

[handlers.dunning]
endpoints = ["crm"]
config    = { alert_after = 3 }

[egress]
allow = ["127.0.0.0/8"]
"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("hookgate.toml"), Path::new("/etc/hookgate"))
}

/// Everything that is wrong, a line each.
#[track_caller]
fn wrong(text: &str) -> Vec<String> {
    parse(text).unwrap_err().to_string().lines().map(str::to_owned).collect()
}

/// One thing is wrong with the example if this is changed in it.
#[track_caller]
fn check_refused(from: &str, to: &str, expected: &str) {
    assert!(WHOLE.contains(from), "the example has no `{from}`");
    check_wrong(&WHOLE.replace(from, to), expected);
}

#[track_caller]
fn check_wrong(text: &str, expected: &str) {
    let wrong = wrong(text);
    assert!(wrong.len() == 1 && wrong[0].contains(expected), "no `{expected}` alone in {wrong:#?}");
}

#[test]
fn of_very_many_flaws_the_first_hundred_are_told() {
    let unknown: String = (0..5_000).map(|number| format!("key_{number} = 1\n")).collect();
    let wrong = wrong(&format!("{unknown}{WHOLE}"));
    assert_eq!(wrong.len(), 101, "{wrong:#?}");
    assert!(wrong[99].contains("100:1: "), "{}", wrong[99]);
    assert!(wrong[100].contains("and 4900 more"), "{}", wrong[100]);
}

#[test]
fn a_whole_file_is_read() {
    let config = parse(WHOLE).unwrap();
    assert_eq!(config.data, Path::new("/etc/hookgate/data"));
    let stripe = &config.sources["stripe"];
    assert_eq!(stripe.tolerance, Some(Duration::from_secs(300)));
    assert_eq!(&*stripe.settings, r#"{"mode":"live","since":"2026-01-01"}"#);
    assert!(config.endpoints["crm"].settings.events[0].matches("payment.failed"));
    assert_eq!(&*config.handlers["dunning"].settings, r#"{"alert_after":3}"#);
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn an_unknown_key_is_refused_with_line_and_column() {
    let expected = "hookgate.toml:10:1: unknown key `tolerence`: the keys of [sources.stripe] are \
                    plugin, secrets, tolerance, verify, keys_from, duplicates, config, allow, \
                    client_ca, rate, burst, tenant, tenant_label, redact, expect";
    check_refused("tolerance", "tolerence", expected);
}

#[test]
fn a_grant_of_an_endpoint_that_the_file_does_not_have_is_warned_of_where_it_stands() {
    let config = parse(&WHOLE.replace(r#"endpoints = ["crm"]"#, r#"endpoints = ["crn"]"#)).unwrap();
    let [warning] = &config.warnings[..] else { panic!("{:?}", config.warnings) };
    let expected = ":19:14: `endpoints` names an endpoint that the file does not have";
    assert!(warning.contains(expected) && warning.ends_with("are: crm"), "{warning}");
    assert!(config.handlers["dunning"].grant.reaches(&"crn".parse().unwrap()));
}

#[test]
fn what_can_not_work_is_refused() {
    let address = "2:11: `listen` must be an IP address and a port such as \"127.0.0.1:8080\"";
    check_refused(r#""127.0.0.1:8080""#, r#""localhost:8080""#, address);
    check_refused(r#""127.0.0.1:8080""#, "8080", "\"127.0.0.1:8080\", not a whole number");
    check_refused("8081", "8080", "3:11: `admin` must have another port than `listen`");
    check_refused("[sources.stripe]", "[sources.Stripe]", "7:10: `Stripe` is not a name");
    let secrets = r#"secrets   = [{ value = "whsec_one" }]"#;
    check_refused(secrets, "", "7:1: [sources.stripe] has no secrets");
    check_refused(secrets, "keys_from = []", "7:1: [sources.stripe] has no secrets");
    check_refused("whsec_one", "", "9:14: `secrets` must be a list of { env = \"NAME\" }");
    check_refused("payment.*", "pay*", "15:12: `events` must be event types such as");
    check_refused("http://127", "ftp://127", "14:11: `url` must be a URL such as \"https://");
    check_refused("http://127.0.0.1:9000/hooks", "mailto:a@b", "14:11: `url` must be a URL");
    check_refused("127.0.0.0/8", "localhost", "23:10: `allow` must be a network such as");
    check_refused("\"5m\"", "\"soon\"", "10:13: `tolerance` must be a duration such as");
    check_refused("\"data\"", "\"\"", "4:11: `data` must be a path that is not empty");
    check_refused("plugins = \"plugins\"", "", "hookgate.toml: the file has no `plugins`");
    check_refused("plugin    = \"stripe\"", "", "7:1: [sources.stripe] has no `plugin`");
    check_refused("{ alert_after = 3 }", "3", "20:13: `config` must be a table");
    check_refused("alert_after = 3", "a = nan", "20:19: in `config`: a number must be finite");
    let secrets = r#"[{ value = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }]"#;
    check_refused(secrets, "[]", "16:11: `secrets` must have at least one secret, to sign");
    check_refused("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "hunter2", "16:12: a signing key");
    let base64 = "16:12: a signing key is base64 after whsec_ or whsk_; this one is not";
    check_refused("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_hunter-2", base64);
    let body = "17:8: `body` must be \"standard\", \"cloudevents\" or \"raw\"";
    check_refused("\n\n[handlers.dunning]", "\nbody = \"xml\"\n\n[handlers.dunning]", body);
}

#[test]
fn an_endpoint_without_event_types_is_refused_unless_a_handler_may_send_to_it() {
    let text = WHOLE.replace(r#"["payment.*", "customer.payment_failed_notice"]"#, "[]");
    parse(&text).unwrap();
    let text = text.replace("endpoints = [\"crm\"]", "");
    check_wrong(&text, "15:11: `events` must name an event type");
}

#[test]
fn everything_that_is_wrong_is_said_at_once_and_in_order() {
    let text = WHOLE
        .replace("127.0.0.1:8081", "here")
        .replace("\"5m\"", "5")
        .replace("url     =", "uri     =")
        .replace("\"payment.*\"", "\"pay*\", 7")
        .replace("[\"crm\"]", "[\"crn\", 1]")
        .replace("[egress]", "[egres]");
    let wrong = wrong(&text);
    let places: Vec<_> = wrong.iter().map(|it| it.split(": ").next().unwrap()).collect();
    let expected = ["3:11", "10:13", "13:1", "14:1", "15:12", "15:20", "19:21", "22:2"];
    assert_eq!(places, expected.map(|place| format!("hookgate.toml:{place}")), "{wrong:#?}");
}

/// More seconds than a computation with them can bear.
const HUGE: &str = "\"18446744073709551615s\"";

#[test]
fn every_duration_and_number_of_a_source_and_an_endpoint_has_bounds_that_are_named() {
    let with =
        |line: &str| WHOLE.replace("[handlers.dunning]", &format!("{line}\n[handlers.dunning]"));
    check_refused("\"5m\"", HUGE, "`tolerance` must be between 0s and 30d");
    for delays in [HUGE, "\"0s\"", "\"5s\", \"31d\""] {
        let text = with(&format!("retries = [{delays}]"));
        check_wrong(&text, "`retries` must be between 100ms and 30d");
    }
    let many = format!("retries = [{}]", "\"5s\",".repeat(101));
    check_wrong(&with(&many), "`retries` must have at most 100 durations");
    for timeout in [HUGE, "\"0s\"", "\"1h\""] {
        let text = with(&format!("timeout = {timeout}"));
        check_wrong(&text, "`timeout` must be between 10ms and 1m");
    }
    for number in ["0", "-1", "257", "9223372036854775807", "0xffffffffffffffffffffffffffffffffff"]
    {
        let text = with(&format!("concurrency = {number}"));
        let expected =
            if number.len() > 30 { "must be a whole" } else { "must be between 1 and 256" };
        check_wrong(&text, expected);
    }
}

#[test]
fn every_limit_and_retention_has_bounds_that_are_named() {
    let with = |table: &str, key: &str, value: &str| format!("{WHOLE}[{table}]\n{key} = {value}\n");
    for (key, from, to) in [
        ("body_bytes", "1024", "67108864"),
        ("connections", "1", "1000000"),
        ("requests", "1", "1000000"),
        ("requests_per_source", "1", "1000000"),
        ("queue", "1", "1000000"),
        ("http2_requests", "0", "1000"),
        ("backlog", "1", "1000000000"),
        ("backlog_per_source", "1", "1000000000"),
        ("disk_free_bytes", "0", "1125899906842624"),
        ("parses", "0", "4096"),
        ("runs", "1", "4096"),
        ("runs_per_handler", "1", "4096"),
        ("deliveries", "1", "100000"),
        ("uncommitted", "0", "100000"),
        ("claims_threads", "2", "256"),
        ("parse_threads", "2", "256"),
        ("run_threads", "2", "256"),
        ("emitted_events", "0", "1000000"),
        ("emitted_bytes", "0", "1073741824"),
        ("plugin_memory_bytes", "1048576", "1073741824"),
    ] {
        for number in ["-1", "9223372036854775807"] {
            let place = format!("25:{}", key.len() + 4);
            let expected = format!("{place}: `{key}` must be between {from} and {to}");
            check_wrong(&with("limits", key, number), &expected);
        }
    }
    for key in ["claims_deadline", "parse_deadline", "handle_deadline"] {
        for time in [HUGE, "\"0s\"", "\"61s\""] {
            check_wrong(&with("limits", key, time), &format!("`{key}` must be between 1ms and 1m"));
        }
    }
    for key in ["stall", "head_timeout", "body_timeout"] {
        for time in [HUGE, "\"99ms\"", "\"61m\""] {
            check_wrong(
                &with("limits", key, time),
                &format!("`{key}` must be between 100ms and 1h"),
            );
        }
    }
    check_wrong(&with("limits", "idle", HUGE), "`idle` must be between 1s and 1d");
    check_wrong(&with("limits", "early_parse", HUGE), "`early_parse` must be between 0s and 1s");
    check_wrong(&with("limits", "grace", HUGE), "`grace` must be between 0s and 1h");
    for key in ["bodies", "events", "attempts", "dead"] {
        for (time, why) in [(HUGE, ""), ("\"0s\"", ": with less"), ("\"59m\"", ": with less")] {
            let expected = format!("`{key}` must be between 1h and 3650d{why}");
            check_wrong(&with("retention", key, time), &expected);
        }
    }
    for number in ["0", "1000", "9223372036854775807"] {
        let expected = "`size_bytes` must be between 67108864 and 1125899906842624";
        check_wrong(&with("retention", "size_bytes", number), expected);
    }
}

#[test]
fn a_source_knows_its_ids_for_forty_days_or_as_said_but_never_less_than_thirty_five() {
    let with = |term: &str| {
        WHOLE.replace("tolerance = \"5m\"", &format!("tolerance = \"5m\"\nduplicates = {term}"))
    };
    let known = |text: &str| parse(text).unwrap().sources["stripe"].duplicates;
    let days = |days: u64| Duration::from_secs(days * 86_400);
    let known = [known(WHOLE), known(&with("\"35d\"")), known(&with("\"400d\""))];
    assert_eq!(known, [days(40), days(35), days(400)]);

    let why = ": providers send a request again for up to 30 days";
    for (term, why) in [(HUGE, ""), ("\"0s\"", why), ("\"34d\"", why)] {
        let expected = format!("11:14: `duplicates` must be between 35d and 3650d{why}");
        check_wrong(&with(term), &expected);
    }
}

#[test]
fn what_a_handler_may_remember_has_bounds_that_are_named() {
    let with =
        |lines: &str| WHOLE.replace("[egress]", &format!("[handlers.ledger]\n{lines}\n[egress]"));
    let quota = |text: &str| parse(text).unwrap().handlers["ledger"].quota;
    let term = Some(Duration::from_secs(90 * 86_400));
    let said = "state_keys = 7\nstate_bytes = 4096\nstate_term = \"90d\"";
    assert_eq!(quota(&with(said)), Quota { keys: 7, bytes: 4096, term });
    assert_eq!(quota(&with("")), Quota { keys: 1_000_000, bytes: 1 << 30, term: None });

    for number in ["0", "-1", "9223372036854775807"] {
        let expected = "23:14: `state_keys` must be between 1 and 1000000000";
        check_wrong(&with(&format!("state_keys = {number}")), expected);
        let expected = "23:15: `state_bytes` must be between 1024 and 1099511627776";
        check_wrong(&with(&format!("state_bytes = {number}")), expected);
    }
    for time in [HUGE, "\"0s\"", "\"59m\""] {
        let expected = "23:14: `state_term` must be between 1h and 3650d";
        check_wrong(&with(&format!("state_term = {time}")), expected);
    }
}

#[test]
fn a_body_that_a_plugin_has_no_memory_for_is_refused() {
    let with = |lines: &str| format!("{WHOLE}[limits]\n{lines}\n");
    let body = "body_bytes = 26214400";
    let expected = "25:14: `body_bytes` does not fit: a plugin holds a body and its events, so for \
                    `body_bytes` = 26214400, `plugin_memory_bytes` must be at least 82837504";
    check_wrong(&with(body), expected);
    let memory = "25:23: `plugin_memory_bytes` does not fit: a plugin holds";
    check_wrong(&with("plugin_memory_bytes = 4194304"), memory);
    parse(&with(&format!("{body}\nplugin_memory_bytes = 82837504"))).unwrap();
}

#[test]
fn what_is_within_the_bounds_is_taken() {
    let limits = "[limits]\nparses = 0\n";
    let retention = "[retention]\nbodies = \"7d\"\nsize_bytes = 100_000_000\n";
    let config = parse(&format!("{WHOLE}{limits}{retention}")).unwrap();
    assert_eq!(config.limits.parses, 0);
    assert_eq!(config.limits.runs, Limits::default().runs);
    assert_eq!(config.retention.bodies, Duration::from_secs(7 * 86_400));
    assert_eq!(config.retention.size_bytes, Some(100_000_000));
    assert_eq!(config.retention.dead, Retention::default().dead);
}

#[test]
fn what_only_a_restart_applies_is_named() {
    let before = parse(WHOLE).unwrap();
    let with = |limits: &str| parse(&format!("{WHOLE}[limits]\n{limits}\n")).unwrap();
    assert_eq!(before.needs_restart(&before), Vec::<String>::new());
    let live = "http2_requests = 7\nclaims_deadline = \"5ms\"\nbacklog = 9\n\
                backlog_per_source = 3\ndisk_free_bytes = 0\nbreaker = false";
    assert_eq!(with(live).needs_restart(&before), Vec::<String>::new());
    let moved = parse(&WHOLE.replace("8081", "8082").replace("\"data\"", "\"store\"")).unwrap();
    assert_eq!(moved.needs_restart(&before), ["`admin`", "`data`"]);
    let limits = with("runs = 3\nconnections_per_address = 2048\nhead_timeout = \"1s\"");
    let expected = ["connections_per_address", "runs", "head_timeout"];
    assert_eq!(limits.needs_restart(&before), expected.map(|key| format!("`{key}` of [limits]")));
}

#[test]
fn an_empty_list_says_that_a_source_needs_no_secret() {
    let config = parse(&WHOLE.replace(r#"[{ value = "whsec_one" }]"#, "[]")).unwrap();
    assert!(config.sources["stripe"].secrets.is_empty());
}

#[test]
fn an_address_is_a_network_of_itself() {
    let config = parse(&WHOLE.replace("127.0.0.0/8", "127.0.0.1")).unwrap();
    assert_eq!(config.egress_allow, ["127.0.0.1/32".parse::<IpNet>().unwrap()]);
}

#[test]
fn what_works_and_is_worth_a_look_is_said_with_its_place() {
    let text = WHOLE.replace("whsec_one", " whsec_one").replace("127.0.0.0/8", "0.0.0.0/0");
    let warnings = parse(&text).unwrap().warnings;
    assert_eq!(warnings.len(), 2, "{warnings:#?}");
    let ignored =
        "hookgate.toml:9:14: in `secrets`: the gateway ignores the byte order mark, blanks";
    assert!(warnings[0].starts_with(ignored));
    assert!(warnings[1].starts_with("hookgate.toml:23:10: `allow` allows every address"));
}

#[test]
fn an_address_that_egress_does_not_allow_is_said_with_its_place() {
    let warnings = parse(&WHOLE.replace("127.0.0.0/8", "10.0.0.0/8")).unwrap().warnings;
    let expected = "hookgate.toml:14:11: the gateway will hold deliveries to `url`: \
                    `127.0.0.1` is a loopback address that [egress] does not allow";
    assert_eq!(warnings, [expected]);
}

#[test]
fn authorities_that_egress_trusts_are_read_from_their_files() {
    let folder = env!("CARGO_MANIFEST_DIR");
    let with = |file: &str| format!("{WHOLE}ca = [\"{file}\"]\n");
    parse(&with(&format!("{folder}/src/egress/fixtures/ca.pem"))).unwrap();
    check_wrong(&with("none.pem"), "24:7: `ca` names a file that the gateway can't read");
    let text = with(&format!("{folder}/Cargo.toml"));
    check_wrong(&text, "24:7: `ca` names a file that has no certificates in PEM");
}

#[test]
fn a_secret_that_is_not_there_is_named_but_never_shown() {
    let from = r#"{ value = "whsec_one" }"#;
    let unset = "9:14: environment variable `HOOKGATE_NO_SUCH_VARIABLE` is not set";
    check_refused(from, r#"{ env = "HOOKGATE_NO_SUCH_VARIABLE" }"#, unset);
    let gone = "9:14: failed to read secret file /etc/hookgate/gone: No such file";
    check_refused(from, r#"{ file = "gone" }"#, gone);
    let config = parse(WHOLE).unwrap();
    assert!(!format!("{config:?}").contains("whsec_one"));
}

#[test]
fn no_error_repeats_a_value_of_the_file_wherever_it_stands() {
    const PLANTED: &str = "whsec_Hunter2/Tr0ub4dor";
    let more = "[limits]\nruns = 16\ngrace = \"30s\"\n[retention]\ndead = \"90d\"\n";
    let text = format!("{WHOLE}{more}");
    let lines: Vec<&str> = text.lines().collect();
    let mut tried = 0;
    for (number, line) in lines.iter().enumerate() {
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        let key = key.trim();
        let value = value.trim();
        for planted in [
            format!("{key} = \"{PLANTED}\""),
            format!("{key} = [\"{PLANTED}\"]"),
            format!("{key} = [{{ \"{PLANTED}\" = \"x\" }}]"),
            format!("{key} = {{ \"{PLANTED}\" = \"{PLANTED}\" }}"),
            format!("{key} = [{{ value = \"{PLANTED}\", env = \"{PLANTED}\" }}]"),
            format!("{key} = [{{ env = \"{PLANTED}\" }}, {{ file = \"{PLANTED}\" }}]"),
            format!("{key} = {PLANTED}"),
            format!("{key} = \"{PLANTED}"),
            format!("{key} = \"http//user:{PLANTED}@host\""),
            format!("\"{PLANTED}\" = {value}"),
            format!("{PLANTED} = {value}"),
            format!("[sources.\"{PLANTED}\"]"),
            format!("[\"{PLANTED}\"]"),
        ] {
            let mut lines = lines.clone();
            lines[number] = &planted;
            let Err(error) = parse(&lines.join("\n")) else { continue };
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("unter2") && !shown.contains("Tr0ub"), "{planted}: {shown}");
            tried += 1;
        }
    }
    assert!(tried > 250, "{tried}");
}

#[test]
fn a_syntax_error_has_its_place() {
    check_refused("[sources.stripe]", "[sources.stripe", "hookgate.toml:7:16: ");
    check_refused("data    = ", "admin = ", "hookgate.toml:4:1: duplicate key");
}

#[test]
fn a_byte_order_mark_before_the_file_is_none_of_it() {
    parse(&format!("\u{feff}{WHOLE}")).unwrap();
}

#[test]
fn a_part_can_be_had_from_a_file_whose_other_secrets_are_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hookgate.toml");
    let key = "{ value = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\" }";
    std::fs::write(&path, WHOLE.replace(key, "{ env = \"HOOKGATE_UNSET\" }")).unwrap();

    assert!(Config::load(&path).is_err());
    assert_eq!(Config::admin_port(&path).unwrap().url, "http://127.0.0.1:8081");
    assert_eq!(Config::plugins_folder(&path).unwrap(), folder.path().join("plugins"));
    assert_eq!(Config::data_folder(&path).unwrap(), folder.path().join("data"));
    let sending = Config::sending(&path, &"stripe".parse().unwrap()).unwrap();
    assert_eq!(
        (&*sending.port.url, sending.source.unwrap().secrets.len()),
        ("http://127.0.0.1:8080", 1)
    );
    assert!(Config::sending(&path, &"acme".parse().unwrap()).unwrap().source.is_none());
}

#[test]
fn a_file_that_can_not_be_read_is_named() {
    let error = Config::load(Path::new("no/such.toml")).unwrap_err().to_string();
    let expected = "failed to read the configuration no/such.toml: No such file";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn what_a_start_would_die_of_is_found_by_trying() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hookgate.toml");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let text = WHOLE
        .replace("127.0.0.1:8080", "127.0.0.1:0")
        .replace("127.0.0.1:8081", &taken.local_addr().unwrap().to_string())
        .replace("\"data\"", "\"hookgate.toml/data\"");
    std::fs::write(&path, text).unwrap();

    Config::load(&path).unwrap();
    let start = Config::load_to_start(&path).unwrap_err().to_string();
    let all = Config::load_and_try(&path).unwrap_err().to_string();

    let lines: Vec<_> = all.lines().collect();
    assert_eq!(lines.len(), 3, "{all}");
    assert!(
        lines[0].contains(":3:11: `admin` is an address whose port is already in use, perhaps ")
    );
    assert!(
        lines[1].contains(":4:11: `data` must be a folder that the gateway can create and write: ")
    );
    assert!(
        lines[2].contains(":5:11: `plugins` must be a folder that the gateway can read: No such")
    );
    assert_eq!(start, lines[2], "a start finds the others by itself");
}

#[test]
fn keys_that_are_fetched_stand_in_for_secrets() {
    let from = r#"secrets   = [{ value = "whsec_one" }]"#;
    let config = parse(&WHOLE.replace(from, r#"keys_from = ["api.paypal.com"]"#)).unwrap();
    let source = &config.sources["stripe"];
    assert!(source.secrets.is_empty());
    assert_eq!(source.keys_from, ["api.paypal.com"]);
    let hosts = "9:14: `keys_from` must be host names such as \"api.example.com\", in lower case, \
                 without scheme and port";
    for host in ["https://api.paypal.com", "api.paypal.com:443"] {
        check_refused(from, &format!("keys_from = [\"{host}\"]"), hosts);
    }
}

#[test]
fn verification_is_off_only_where_it_is_written() {
    let from = r#"secrets   = [{ value = "whsec_one" }]"#;
    let config = parse(&WHOLE.replace(from, r#"verify = "none""#)).unwrap();
    assert_eq!(config.sources["stripe"].verify, Verify::None);
    assert_eq!(parse(WHOLE).unwrap().sources["stripe"].verify, Verify::Evidence);
    check_refused(from, r#"verify = "off""#, "9:10: `verify` must be \"evidence\" or \"none\"");
}
