//! Configurations that nobody would write: each is taken or refused, soon, and no error repeats a
//! secret that stands in it, wherever it came to stand.
//!
//! `HOOKGATE_FUZZ_CONFIG` says how many, `HOOKGATE_FUZZ_FROM` at which number to begin: a number
//! and the seed make a configuration again.

use std::path::Path;
use std::time::{Duration, Instant};

use hookgate::config::Config;

/// How many, where nobody says.
const COUNT_DEFAULT: u64 = 3_000;
const SEED: u64 = 0x5eed_c0f1;

/// A secret of which not even a part may be seen. Every part that is looked for has a digit.
const PLANTED: &str = "Hunter2Tr0ub4dor3Zx9";
/// How much of it would be too much, in bytes.
const PART_BYTES: usize = 7;

/// Every key, and the secret in every kind of place that holds one.
const WHOLE: &str = r#"
listen  = "127.0.0.1:8080"
admin   = "127.0.0.1:8081"
data    = "data"
plugins = "plugins"
public_url = "https://hooks.example.com"
behind_proxy = true
trusted_proxies = ["10.0.0.0/8"]
proxy_protocol = true
metrics = "token"
master_key = [{ env = "HOOKGATE_PLANTED" }, { file = "x/PLANTED" }]

[tls.public]
certificate = "x/PLANTED"
key         = "x/PLANTED"

[sources.stripe]
plugin    = "stripe"
secrets   = [{ value = "whsec_PLANTED" }, { env = "HOOKGATE_PLANTED" }, { file = "x/PLANTED" }]
tolerance = "5m"
verify    = "evidence"
keys_from = ["api.paypal.com"]
duplicates = "400d"
allow     = ["203.0.113.0/24", "2001:db8::1"]
rate      = 50
burst     = 500
config    = { mode = "PLANTED", since = 2026-01-01, deep = [1, 2.5, true, { a = "b" }] }

[tokens.ci]
scopes  = ["read", "replay"]
secrets = [{ value = "a_token_that_begins_with_PLANTED" }]
sha256  = ["ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"]
expires = "2027-01-01T00:00:00Z"
tenant  = "acme"

[endpoints.crm]
url     = "https://user:PLANTED@127.0.0.1:9000/hooks?token=PLANTED"
events  = ["payment.*", "customer.payment_failed_notice"]
secrets = [{ value = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }]
body    = "cloudevents"
timeout = "15s"
concurrency = 16
retries = ["5s", "5m", "1h 30m"]
description = "to the CRM"
connect_timeout = "5s"
rate    = "600/min"
burst   = 20
held    = 1_000
order   = "subject"
skip_after = 3
filter  = [{ pointer = "/amount", op = "greater", value = "100" }, { label = "a", op = "exists" }]
headers = { x-team = "payments" }
metadata = { owner = "ops" }

[handlers.dunning]
endpoints = ["crm"]
state_keys = 1_000
state_bytes = 0x1000
state_term = "90d"
config    = { alert_after = 3 }

[telemetry]
endpoint = "https://user:PLANTED@127.0.0.1:4318"
headers  = { api-key = { value = "PLANTED" } }
service_name = "PLANTED"
attributes = { "deployment.environment.name" = "PLANTED" }
traces   = "10%"
endpoints_max = 200

[egress]
allow = ["127.0.0.0/8", "::1"]

[limits]
body_bytes = 1048576
requests   = 1_024
parses     = 0x40
backlog    = 4_000_000
uncommitted = 1_024
disk_free_bytes = 1073741824
grace      = "30s"
stall      = "10s"
idle       = "75s"
tls_timeout  = "3s"
head_timeout = "5s"
http2_requests = 100
breaker    = true
body_timeout = "20s"

[retention]
bodies     = "30d"
size_bytes = 50000000000
"#;

/// Of these, the secrets that are not there.
const NOWHERE: &str = r#", { env = "HOOKGATE_PLANTED" }, { file = "x/PLANTED" }"#;

/// The master key.
const NO_MASTER_KEY: &str =
    "master_key = [{ env = \"HOOKGATE_PLANTED\" }, { file = \"x/PLANTED\" }]\n";

/// And the certificate.
const NO_TLS: &str = "[tls.public]\ncertificate = \"x/PLANTED\"\nkey         = \"x/PLANTED\"\n";

/// What breaks those who read carelessly.
const MORSELS: [&str; 36] = [
    "",
    "\"",
    "'",
    "\"\"\"",
    "'''",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    ".",
    ",",
    "\n",
    "\r\n",
    "#",
    "\\",
    "\\u",
    "\\U0010ffff",
    "\0",
    "\u{feff}",
    "inf",
    "-nan",
    "1e999",
    "9223372036854775807",
    "-1",
    "0x",
    "18446744073709551615s",
    "1979-05-27T07:32:00Z",
    "true",
    "[[[[[[[[[[[[[[[[",
    "a.b.c.d",
    "é",
    "PLANTED",
    "\"PLANTED\"",
];

/// Guards I4 and I12.
#[test]
fn no_configuration_breaks_who_reads_it_or_shows_a_secret() {
    let number = |name: &str| std::env::var(name).ok().and_then(|number| number.parse().ok());
    let count: u64 = number("HOOKGATE_FUZZ_CONFIG").unwrap_or(COUNT_DEFAULT);
    let from: u64 = number("HOOKGATE_FUZZ_FROM").unwrap_or(0);
    let whole = WHOLE.replace("PLANTED", PLANTED);
    let resolved = WHOLE.replace(NOWHERE, "").replace(NO_MASTER_KEY, "").replace(NO_TLS, "");
    let resolved = resolved.replace("PLANTED", PLANTED);
    let (mut taken, mut slowest) = (0, (Duration::ZERO, 0));
    for number in from..from + count {
        // Every other one has only secrets that are there, or hardly any would be taken.
        let whole = if number % 2 == 0 { &resolved } else { &whole };
        let text = damaged(whole, &mut fastrand::Rng::with_seed(SEED.wrapping_add(number)));
        let started = Instant::now();
        let read = std::panic::catch_unwind(|| {
            Config::parse(&text, Path::new("hookgate.toml"), Path::new("/nowhere"))
        });
        slowest = slowest.max((started.elapsed(), number));
        let said = match read {
            Ok(Ok(config)) => {
                taken += 1;
                config.warnings.join("\n")
            }
            Ok(Err(error)) => format!("{error}\n{error:?}"),
            Err(_) => panic!("number {number} breaks it:\n{text}"),
        };
        assert!(!shows(&said), "number {number} shows the secret: {said}\n{text}");
    }
    println!("fuzz: {count} configurations, {taken} taken, the slowest in {slowest:?}");
    assert!(slowest.0 < Duration::from_secs(10), "number {} takes {:?}", slowest.1, slowest.0);
}

/// Whether a part of the secret stands in a text.
fn shows(said: &str) -> bool {
    (0..=PLANTED.len() - PART_BYTES).any(|at| said.contains(&PLANTED[at..at + PART_BYTES]))
}

fn damaged(whole: &str, chance: &mut fastrand::Rng) -> String {
    let mut lines: Vec<String> = whole.lines().map(str::to_owned).collect();
    for _ in 0..=chance.usize(..3) {
        let (one, other) = (chance.usize(..lines.len()), chance.usize(..lines.len()));
        match chance.u8(..8) {
            0 => drop(lines.remove(one)),
            1 => lines.insert(one, lines[other].clone()),
            2 => lines.swap(one, other),
            3 | 4 => lines[one] = transplanted(&lines[one], &lines[other]),
            _ => lines[one] = injured(&lines[one], chance),
        }
        if lines.is_empty() {
            break;
        }
    }
    lines.join("\n")
}

/// The key of one line with the value of another.
fn transplanted(one: &str, other: &str) -> String {
    let key = one.split('=').next().unwrap_or_default();
    let value = other.split_once('=').map_or(other, |(_, value)| value);
    format!("{key}={value}")
}

fn injured(line: &str, chance: &mut fastrand::Rng) -> String {
    let chars: Vec<char> = line.chars().collect();
    let at = chance.usize(..=chars.len());
    let end = (at + chance.usize(..6)).min(chars.len());
    let morsel = MORSELS[chance.usize(..MORSELS.len())].replace("PLANTED", PLANTED);
    let (before, behind) = (chars[..at].iter(), chars[end..].iter());
    match chance.u8(..4) {
        0 => before.collect(),
        1 => behind.collect(),
        _ => before.chain(&morsel.chars().collect::<Vec<_>>()).chain(behind).collect(),
    }
}
