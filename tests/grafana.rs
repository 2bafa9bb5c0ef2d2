//! The dashboard and the alert rules speak of metrics that the gateway really has.
//!
//! Gateways that have done one of everything say which those are. Never shows a picture.

mod exposed;
mod files;
mod promql;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use self::exposed::Exposed;
use self::files::{all, anchors, dashboard, rules};
use self::promql::Expression;
use crate::canary;
use crate::harness::{GUEST_TOKEN, Harness, Receiver, STRIPE_SECRET, Setup, payment, text};

/// Within this time a gateway counts what it has done.
const SOON: Duration = Duration::from_secs(30);

/// What Grafana knows by itself.
const OWN_VARIABLES: [&str; 2] = ["__rate_interval", "__range"];

/// The rows of the dashboard.
const ROWS: [&str; 8] = [
    "Overview",
    "Ingest by source",
    "Time to the answer and to delivery",
    "Backlog",
    "Plugins",
    "Endpoints",
    "Store & disk",
    "Telemetry",
];

/// The metrics, once these are among them.
async fn metrics_with(gateway: &Harness, wanted: &str) -> String {
    let look = async {
        loop {
            let metrics = gateway.ask("/metrics").await.body;
            if metrics.contains(wanted) {
                return metrics;
            }
        }
    };
    let seen = tokio::time::timeout(SOON, look).await;
    seen.unwrap_or_else(|_| panic!("it never counts `{wanted}`"))
}

fn setup(collector: &Receiver) -> Setup {
    let stripe = format!("secrets = [{{ value = \"{STRIPE_SECRET}\" }}]");
    let guest = format!("secrets = [{{ value = \"{GUEST_TOKEN}\" }}]\ntenant_label = \"merchant\"");
    // Where it is, nothing takes spans.
    let telemetry = format!("[telemetry]\nendpoint = \"{}\"\ntraces = \"100%\"", collector.url());
    Setup::new()
        .line("metrics = \"open\"")
        .plugin("stripe")
        .plugin("guest")
        .source("stripe", "stripe", &stripe)
        .source("guest", "guest", &guest)
        .source("often", "guest", "verify = \"none\"\nrate = 1\nburst = 1")
        .source("absent", "nowhere", "verify = \"none\"")
        .handler("dunning", "endpoints = [\"crm\"]")
        .table(&telemetry)
}

/// Requests with every answer, tries with every outcome, and whatever operators do wrong.
async fn of_a_busy_gateway() -> String {
    let [crm, flaky, gone] =
        [Receiver::start().await, Receiver::answering(500).await, Receiver::answering(410).await];
    let gateway = setup(&crm)
        .endpoint("crm", &crm, &["payment.*", "customer.*"])
        .endpoint("flaky", &flaky, &["payment.*"])
        .endpoint("gone", &gone, &["payment.*"])
        .start()
        .await;

    let paid = payment("evt_1", "pi_1", "succeeded");
    gateway.stripe(&paid).await.accepted();
    assert!(gateway.stripe(&paid).await.is_duplicate());
    let failed = payment("evt_2", "pi_1", "payment_failed");
    assert_eq!(gateway.stripe_with("whsec_other", &failed).await.status, 401);
    gateway.stripe(&failed).await.accepted();
    assert_eq!(gateway.post("absent", &[], "{}").await.status, 503);
    gateway.post("often", &[], r#"{"id":"often_1"}"#).await.accepted();
    assert_eq!(gateway.post("often", &[], r#"{"id":"often_2"}"#).await.status, 429);
    let commands = [
        json!({ "id": "1", "do": "alert", "severity": "critical" }),
        json!({ "id": "2", "do": "fail" }),
        json!({ "id": "3", "do": "retry" }),
        json!({ "id": "4", "do": "fail", "at": "parse" }),
        json!({ "id": "5", "labels": { "merchant": "a b" } }),
    ];
    for command in &commands {
        gateway.guest(command).await.accepted();
    }
    gateway.settle().await;

    gateway.drop_plugin("guest", b"no plugin");
    std::fs::remove_file(gateway.folder().join("plugins/dunning.wasm")).unwrap();
    gateway.reload().await;
    gateway.stripe(&payment("evt_3", "pi_1", "payment_failed")).await.accepted();
    gateway.settle().await;
    let token = gateway.tell("/v1/tokens", &json!({ "name": "ops", "scopes": ["admin"] })).await;
    assert_eq!(token.status, 201, "{}", token.body);
    assert_eq!(gateway.ask("/v1/events").await.status, 401);
    metrics_with(&gateway, "hookgate_spans_dropped_total{").await
}

/// A handler that misses its deadline until the gateway pauses it.
async fn of_a_gateway_that_pauses() -> String {
    let deadline = "[limits]\nhandle_deadline = \"50ms\"";
    let gateway = Setup::guest().table(deadline).start().await;
    for id in ["1", "2", "3"] {
        let spin = json!({ "id": id, "do": "nothing", "then": "spin", "until": 2 });
        gateway.guest(&spin).await.accepted();
        gateway.settle().await;
    }
    metrics_with(&gateway, "hookgate_paused{kind=\"run\",name=\"guest\"} 1").await
}

/// A mark that puts a request off, and a receipt that is stored without a parse.
async fn of_a_gateway_that_is_full() -> String {
    let limits = "[limits]\nparses = 0\nbacklog = 1";
    let gateway = Setup::guest().table(limits).start().await;
    gateway.guest(&json!({ "id": "1" })).await.accepted();
    assert_eq!(gateway.guest(&json!({ "id": "2" })).await.status, 503);
    gateway.ask("/metrics").await.body
}

/// Two versions of a handler, of which one is promoted.
async fn of_a_gateway_with_a_canary() -> String {
    let gateway = canary::setup("{ share = \"50%\" }").start().await;
    canary::drop_next(&gateway, &canary::guest(0, 1)).await;
    for number in 0..30 {
        let command = json!({ "id": number.to_string(), "subject": format!("pi_{number}") });
        gateway.guest(&command).await.accepted();
    }
    gateway.settle().await;
    let promoted = gateway.tell("/v1/plugins/guest/canary/promote", &json!({})).await;
    assert_eq!(promoted.status, 200, "{}", promoted.body);
    metrics_with(&gateway, "hookgate_canary_verdicts_total{").await
}

/// A proxy that does not say whom it speaks for.
async fn of_a_gateway_that_hangs_up() -> String {
    let lines = "trusted_proxies = [\"127.0.0.2\"]\nproxy_protocol = true";
    let gateway = Setup::new().line(lines).start().await;
    let address = gateway.public().trim_start_matches("http://").parse().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 2], 0))).unwrap();
    let mut proxy = socket.connect(address).await.unwrap();
    proxy.write_all(b"GET /healthz HTTP/1.1\r\n\r\n").await.unwrap();
    // Nothing, or a reset.
    let mut heard = Vec::new();
    drop(proxy.read_to_end(&mut heard).await);
    metrics_with(&gateway, "hookgate_hangups_total{").await
}

/// Every expression, with where it stands, and with the texts that name labels of what it gives.
fn expressions() -> Vec<(String, String, Vec<String>)> {
    let dashboard = dashboard();
    let mut found = Vec::new();
    for panel in all(&dashboard["panels"]) {
        for target in all(&panel["targets"]) {
            let legend = text(&target["legendFormat"]);
            found.push((text(&panel["title"]), text(&target["expr"]), vec![legend]));
        }
    }
    for annotation in all(&dashboard["annotations"]["list"]) {
        if let Some(expression) = annotation["expr"].as_str() {
            let shown = text(&annotation["titleFormat"]);
            found.push((text(&annotation["name"]), expression.to_owned(), vec![shown]));
        }
    }
    for rule in rules() {
        let texts = rule.texts().map(|text| text.replace("$labels.", "")).collect();
        found.push((rule.text("alert").to_owned(), rule.text("expr").to_owned(), texts));
    }
    found
}

/// The names between `{{` and `}}`.
fn placeholders(text: &str) -> Vec<&str> {
    let parts = text.split("{{").skip(1).filter_map(|part| part.split("}}").next());
    parts.map(str::trim).filter(|name| !name.starts_with('$')).collect()
}

/// Everything that is wrong with an expression and the texts beside it.
fn problems(expression: &str, texts: &[String], exposed: &Exposed) -> Vec<String> {
    let read = Expression::read(expression, exposed);
    let named = texts.iter().flat_map(|text| placeholders(text));
    let unknown = named.filter(|label| !read.gives(label));
    let unknown: Vec<String> = unknown.map(|label| format!("it gives no `{label}`")).collect();
    read.problems.into_iter().chain(unknown).collect()
}

/// Rename a metric, a label or an outcome in the gateway, and this names every panel and alert that
/// would fall silent.
#[tokio::test]
async fn every_name_on_the_dashboard_and_in_the_alerts_is_one_that_the_gateway_exposes() {
    let mut exposed = Exposed::default();
    exposed.add(&of_a_busy_gateway().await);
    exposed.add(&of_a_gateway_that_pauses().await);
    exposed.add(&of_a_gateway_that_is_full().await);
    exposed.add(&of_a_gateway_with_a_canary().await);
    exposed.add(&of_a_gateway_that_hangs_up().await);

    let found = expressions();
    assert!(found.len() > 100, "there are {}", found.len());
    let mut wrong: Vec<String> = Vec::new();
    for (place, expression, texts) in &found {
        let problems = problems(expression, texts, &exposed);
        wrong.extend(problems.iter().map(|problem| format!("{place}: {problem} in {expression}")));
    }
    for variable in all(&dashboard()["templating"]["list"]) {
        let query = text(&variable["definition"]);
        let Some(of) = query.strip_prefix("label_values(") else { continue };
        let (metric, label) = of.trim_end_matches(')').split_once(", ").expect("a label");
        if !exposed.has(metric, label) {
            wrong.push(format!("{query}: there is no such label"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Take any of the checks out of `promql`, and one of these passes.
#[test]
fn a_name_that_the_gateway_does_not_expose_is_found_wherever_it_stands() {
    let mut exposed = Exposed::default();
    exposed.add(
        "# TYPE hookgate_a counter\nhookgate_a_total{source=\"x\",outcome=\"good\"} 1\n\
         hookgate_b{kind=\"run\"} 2 # {trace_id=\"1\"} 3\nhookgate_c 3\n# EOF\n",
    );
    let check = |expression: &str, legend: &str| {
        problems(expression, &[legend.to_owned()], &exposed).join("; ")
    };
    let right = [
        (
            "sum by (source) (rate(hookgate_a_total{outcome=~\"good|good\"}[5m])) > 0.5",
            "{{source}}",
        ),
        ("hookgate_b{kind=\"run\"} > on (job, instance) group_left () 2 * hookgate_c", "{{kind}}"),
        ("hookgate_a_total{source=~\"$source\", outcome!=\"\"} offset 15m", "a {{ outcome }}"),
        ("time() - max(hookgate_c > 0) and hookgate_c", "plain {{ $value }}"),
    ];
    for (expression, legend) in right {
        assert_eq!(check(expression, legend), "", "{expression}");
    }
    let wrong = [
        ("rate(hookgate_d_total[5m])", "", "exposes no `hookgate_d_total`"),
        ("up", "", "exposes no `up`"),
        ("hookgate_b{source=\"x\"}", "", "`hookgate_b` has no label `source`"),
        ("hookgate_b{kind=\"run\", source=~\"$source\"}", "", "no label `source`"),
        ("hookgate_b{kind=\"runs\"}", "", "never has kind=\"runs\""),
        ("hookgate_b{kind=~\"run|dive\"}", "", "never has kind=\"dive\""),
        ("sum by (kind) (rate(hookgate_a_total[5m]))", "", "no label `kind`"),
        (
            "sum by (source) (hookgate_a_total) / sum by (source) (hookgate_b)",
            "",
            "no label `source`",
        ),
        ("sum(hookgate_b) by (kind)", "", "stands before what it groups"),
        ("hookgate_b > on (outcome) hookgate_c", "", "no label `outcome`"),
        ("median(hookgate_b)", "", "`median` is no function"),
        ("sum by (source) (hookgate_a_total)", "{{outcome}}", "it gives no `outcome`"),
        ("hookgate_c", "{{kind}}", "it gives no `kind`"),
    ];
    for (expression, legend, expected) in wrong {
        let said = check(expression, legend);
        assert!(said.contains(expected), "{expression}: `{said}` and not `{expected}`");
    }
}

#[test]
fn the_dashboard_is_whole_and_every_panel_says_what_to_do() {
    let dashboard = dashboard();
    let panels: Vec<&Value> = all(&dashboard["panels"]).collect();
    let rows = panels.iter().filter(|panel| panel["type"] == "row");
    assert_eq!(rows.map(|row| text(&row["title"])).collect::<Vec<_>>(), ROWS);
    let variables = all(&dashboard["templating"]["list"]).map(|it| text(&it["name"]));
    let variables: Vec<String> = variables.collect();
    assert_eq!(variables, ["datasource", "source", "endpoint"]);

    let mut titles = BTreeSet::new();
    let mut taken = BTreeMap::new();
    for panel in &panels {
        let title = text(&panel["title"]);
        let place = |key: &str| panel["gridPos"][key].as_u64().expect("a place");
        let (left, right) = (place("x"), place("x") + place("w"));
        assert!(right <= 24, "{title} is wider than the page");
        for (x, y) in
            (left..right).flat_map(|x| (place("y")..place("y") + place("h")).map(move |y| (x, y)))
        {
            let before = taken.insert((x, y), title.clone());
            assert!(before.is_none(), "{title} lies on {before:?}");
        }
        assert!(titles.insert(title.clone()), "there are two panels `{title}`");
        if panel["type"] == "row" {
            continue;
        }
        assert!(text(&panel["description"]).len() > 20, "{title} does not say what to do");
        assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title} has no unit");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        assert!(all(&panel["targets"]).next().is_some(), "{title} shows nothing");
        for target in all(&panel["targets"]) {
            let expression = text(&target["expr"]);
            for used in expression.split('$').skip(1) {
                let end = used.find(|c: char| !c.is_alphanumeric() && c != '_');
                let name = &used[..end.unwrap_or(used.len())];
                let is_known =
                    OWN_VARIABLES.contains(&name) || variables.iter().any(|it| it == name);
                assert!(is_known, "{title}: there is no variable `{name}`");
            }
        }
    }
    let ids: BTreeSet<u64> = panels.iter().filter_map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "each has an id of its own");
}

#[test]
fn every_alert_says_what_it_means_and_where_it_stands_what_to_do() {
    let anchors = anchors("docs/operating.md");
    let rules = rules();
    assert!(rules.len() >= 25, "there are {}", rules.len());
    let names: BTreeSet<&str> = rules.iter().map(|rule| rule.text("alert")).collect();
    assert_eq!(names.len(), rules.len(), "each has a name of its own");
    for rule in &rules {
        let name = rule.text("alert");
        assert!(name.starts_with("Hookgate"), "{name}");
        assert!(["critical", "warning"].contains(&rule.text("severity")), "{name}");
        let (summary, description) = (rule.text("summary"), rule.text("description"));
        assert!(summary.len() > 10 && description.len() > 20, "{name} does not say what it means");
        let anchor = rule.text("runbook").strip_prefix("docs/operating.md#");
        let is_there = anchor.is_some_and(|anchor| anchors.iter().any(|it| it == anchor));
        assert!(is_there, "{name}: there is no {}", rule.text("runbook"));
    }
}
