//! Providers: those that ask whether the endpoint is ours, those whose keys are out there, and the
//! table of all of them.

use std::path::Path;

use hmac::{KeyInit, Mac};
use serde_json::{Value, json};

use crate::dispatch::unparsed;
use crate::harness::{
    Answer, GUEST_TOKEN, Harness, Provider, Receiver, STRIPE_SECRET, Setup, answer, payment,
    plugin_file, program, providers,
};

const SLACK_SECRET: &str = "hookgate8slack8lantern";
/// Providers that were there before any had to be confirmed: who has set one up goes on with it.
const NEVER_CONFIRMED: [&str; 8] = [
    "flutterwave",
    "hyperpay",
    "interlace",
    "ippopay",
    "klarna",
    "nowpayments",
    "payu-latam",
    "xendit",
];

/// A source whose plugin may be asked by GET, and may look a key up where nobody listens.
async fn guest() -> Harness {
    let rest = format!("secrets = [{{ value = \"{GUEST_TOKEN}\" }}]\nkeys_from = [\"localhost\"]");
    Setup::new().plugin("guest").source("guest", "guest", &rest).start().await
}

async fn ask(gateway: &Harness, method: &str, path: &str, token: &str) -> Answer {
    let url = format!("{}/in/{path}", gateway.public());
    let method = method.parse().expect("a method");
    answer(gateway.client().request(method, url).header("x-token", token)).await
}

async fn check_keeps_nothing(gateway: &Harness) {
    gateway.settle().await;
    assert_eq!(gateway.events("").await, Vec::<Value>::new());
    assert_eq!(gateway.stats().commits, 0);
}

fn hmac_hex(key: &str, text: &str) -> String {
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).expect("any key");
    mac.update(text.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// Guards I4.
#[tokio::test]
async fn who_asks_is_answered_with_a_digest_that_no_plugin_could_make() {
    let gateway = guest().await;

    let answer = ask(&gateway, "GET", "guest?digest=20f9f8ed", "").await;

    assert_eq!(
        (answer.status, &*answer.body),
        (200, &*format!("it is {}", hmac_hex(GUEST_TOKEN, "20f9f8ed")))
    );
    assert_eq!(answer.headers["content-type"], "text/plain");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    let metrics = gateway.ask("/metrics").await.body;
    let counted = r#"hookgate_requests_total{source="guest",outcome="handshake"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
    check_keeps_nothing(&gateway).await;
}

/// Guards I2.
#[tokio::test]
async fn whoever_asks_can_not_have_signed_what_a_provider_signs() {
    let gateway = guest().await;
    for text in ["hello", "v0:1:{}", "%7B%7D", "AB", &"a".repeat(65)] {
        let answer = ask(&gateway, "GET", &format!("guest?digest={text}"), "").await;
        assert_eq!((answer.status, &*answer.body), (401, r#"{"error":"not verified"}"#), "{text}");
    }
    check_keeps_nothing(&gateway).await;
}

#[tokio::test]
async fn what_only_asks_is_never_kept_even_if_it_is_genuine() {
    let gateway = guest().await;

    let genuine = ask(&gateway, "GET", "guest", GUEST_TOKEN).await;
    let forged = ask(&gateway, "GET", "guest", "guessed").await;

    assert_eq!((genuine.status, forged.status), (401, 401));
    check_keeps_nothing(&gateway).await;
}

#[tokio::test]
async fn a_method_that_nobody_declared_runs_no_code() {
    let gateway = guest().await;
    for method in ["OPTIONS", "PUT", "DELETE", "PATCH", "HEAD"] {
        let answer = ask(&gateway, method, "guest?digest=ab", GUEST_TOKEN).await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.headers["allow"], "POST, GET", "{method}");
    }
    check_keeps_nothing(&gateway).await;
}

#[tokio::test]
async fn slack_reads_its_challenge_back_if_slack_it_is() {
    let rest = format!("secrets = [{{ value = \"{SLACK_SECRET}\" }}]");
    let gateway = Setup::new().plugin("slack").source("slack", "slack", &rest).start().await;
    let body = r#"{"type":"url_verification","challenge":"3eZb\"x"}"#;
    let now = gateway.clock().now().seconds().to_string();
    let post = async |secret: &str| {
        let signature = format!("v0={}", hmac_hex(secret, &format!("v0:{now}:{body}")));
        let headers = [("x-slack-signature", &*signature), ("x-slack-request-timestamp", &now)];
        gateway.post("slack", &headers, body).await
    };

    let genuine = post(SLACK_SECRET).await;
    let forged = post("guessed").await;

    assert_eq!((genuine.status, genuine.json()), (200, json!({ "challenge": "3eZb\"x" })));
    assert_eq!(forged.status, 401);
    check_keeps_nothing(&gateway).await;
}

#[tokio::test]
async fn the_answer_to_a_request_is_the_plugins_to_give() {
    let gateway = guest().await;
    let post = async |token: &str, body: Value| {
        gateway.post("guest", &[("x-token", token)], body.to_string()).await
    };
    let answer = json!({ "status": 201, "type": "text/xml", "text": "<Response/>" });
    let asked = json!({ "id": "1", "reply": answer });

    let first = post(GUEST_TOKEN, asked.clone()).await;
    let again = post(GUEST_TOKEN, asked.clone()).await;
    let forged = post("guessed", asked).await;
    let empty = post(GUEST_TOKEN, json!({ "id": "2", "reply": { "status": 204 } })).await;
    let silent = post(GUEST_TOKEN, json!({ "id": "3" })).await;
    let broken = post(GUEST_TOKEN, json!({ "id": "4", "reply": { "status": 302 } })).await;

    for answer in [&first, &again] {
        assert_eq!((answer.status, &*answer.body), (201, "<Response/>"));
        assert_eq!(answer.headers["content-type"], "text/xml");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    }
    assert!(again.is_duplicate() && !first.is_duplicate());
    assert_eq!((forged.status, &*forged.body), (401, r#"{"error":"not verified"}"#));
    assert_eq!((empty.status, &*empty.body), (204, ""));
    assert!(!empty.headers.contains_key("content-type"));
    silent.accepted();
    assert_eq!((broken.status, &*broken.body), (401, r#"{"error":"not verified"}"#));
    gateway.settle().await;
    assert_eq!(gateway.events("").await.len(), 3);
}

#[tokio::test]
async fn an_event_says_what_its_proof_is_worth_unless_that_covers_the_body() {
    let stripe = format!("secrets = [{{ value = \"{STRIPE_SECRET}\" }}]");
    let setup = Setup::guest().source("open", "guest", "verify = \"none\"");
    let gateway = setup.plugin("stripe").source("stripe", "stripe", &stripe).start().await;

    gateway.guest(&json!({ "id": "token" })).await.accepted();
    gateway.post("open", &[], json!({ "id": "nothing" }).to_string()).await.accepted();
    gateway.stripe(&payment("mac", "pi_1", "succeeded")).await.accepted();
    gateway.settle().await;

    let proof = async |id: &str| gateway.event(id).await["event"]["labels"]["proof"].clone();
    assert_eq!(proof("token").await, "weak");
    assert_eq!(proof("nothing").await, "none");
    assert_eq!(proof("mac").await, Value::Null);
}

#[tokio::test]
async fn an_event_says_what_its_request_proved_when_that_was_accepted() {
    let receiver = Receiver::start().await;
    // The gateway accepts everything, and can't parse it yet.
    let (gateway, id, _) = unparsed(&receiver, "").await;

    let verified = format!("secrets = [{{ value = \"{STRIPE_SECRET}\" }}]");
    gateway.reconfigure(|text| text.replace("verify = \"none\"", &verified)).await;
    gateway.drop_plugin("stripe", &std::fs::read(plugin_file("stripe")).unwrap());
    gateway.reload().await;
    gateway.settle().await;

    assert_eq!(gateway.receipt(&id).await["state"], "done");
    let labels = gateway.event("evt_1").await["event"]["labels"].clone();
    assert_eq!(labels["proof"], "none", "{labels}");
}

#[tokio::test]
async fn a_path_may_end_in_a_slash_and_the_plugin_sees_the_url_as_it_was_sent() {
    let gateway = guest().await;
    let path = "guest/?digest=20f9f8ed";

    let asked = ask(&gateway, "GET", path, "").await;
    let posted = gateway.post("guest/?a=b", &[("x-token", GUEST_TOKEN)], "{}").await;

    assert_eq!(asked.status, 200);
    let receipt = gateway.receipt(&posted.accepted()).await;
    assert_eq!(receipt["url"], "/in/guest/?a=b");
}

#[tokio::test]
async fn slack_shows_no_error_to_who_closes_a_dialog() {
    let rest = format!("secrets = [{{ value = \"{SLACK_SECRET}\" }}]");
    let gateway = Setup::new().plugin("slack").source("slack", "slack", &rest).start().await;
    let body =
        "payload=%7B%22type%22%3A%22view_submission%22%2C%22user%22%3A%7B%22id%22%3A%22U1%22%7D%7D";
    let now = gateway.clock().now().seconds().to_string();
    let signature = format!("v0={}", hmac_hex(SLACK_SECRET, &format!("v0:{now}:{body}")));
    let headers = [("x-slack-signature", &*signature), ("x-slack-request-timestamp", &now)];

    let answer = gateway.post("slack", &headers, body).await;

    assert_eq!((answer.status, &*answer.body), (200, ""));
    gateway.settle().await;
    assert_eq!(gateway.events("").await.len(), 1);
}

#[tokio::test]
async fn a_key_out_of_reach_is_no_forgery_and_the_sender_comes_again() {
    let gateway = guest().await;

    let answer = gateway.post("guest", &[], r#"{"do":"fetch","at":"claim"}"#).await;

    assert_eq!((answer.status, &*answer.body), (503, r#"{"error":"try again later"}"#));
    assert!(answer.headers.contains_key("retry-after"));
    let metrics = gateway.ask("/metrics").await.body;
    let counted = r#"hookgate_refusals_total{source="guest",reason="key_unreachable"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
    check_keeps_nothing(&gateway).await;
}

#[tokio::test]
pub(crate) async fn a_key_is_asked_for_only_where_the_operator_allows_it() {
    let gateway = Setup::guest().start().await;

    let answer = gateway.post("guest", &[], r#"{"do":"fetch","at":"claim"}"#).await;

    assert_eq!(answer.status, 503);
    let metrics = gateway.ask("/metrics").await.body;
    assert!(metrics.contains(r#"reason="key_not_allowed"} 1"#), "{metrics}");
    check_keeps_nothing(&gateway).await;
}

#[tokio::test]
async fn the_table_of_providers_is_true() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a repository");
    let mut list = tokio::process::Command::new(program());
    list.args(["provider", "list", "--markdown", "--plugins"])
        .arg(repository.join("target/plugins"));
    let ran = list.output().await.expect("the program can be started");
    let table = String::from_utf8(ran.stdout).expect("it speaks UTF-8");
    let written = std::fs::read_to_string(repository.join("plugins/README.md")).unwrap_or_default();
    let within = format!("<!-- providers -->\n{table}<!-- end -->\n");
    assert!(written.contains(&within), "`make docs` writes it anew:\n{table}");
    for name in providers() {
        assert!(table.contains(&format!("| [{name}]({name}) |")), "{name}");
    }
}

#[test]
fn a_provider_that_is_not_sure_waits_until_its_operator_is() {
    for name in providers() {
        let provider = Provider::load(&name);
        let confidence = provider.about.confidence.as_str();
        assert!(["high", "medium", "low"].contains(&confidence), "{name}: `{confidence}`");
        let asks = provider.info().settings.iter().any(|setting| {
            setting.required && matches!(setting.name.as_str(), "confirmed" | "scheme")
        });
        let may = confidence == "high" || NEVER_CONFIRMED.contains(&name.as_str());
        assert!(may || asks, "{name} is {confidence}, and works before anybody has looked");
    }
}

/// Its tests would be missing, and nobody would see that.
#[test]
fn a_provider_without_tests_beside_it_is_in_a_program_of_tests() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a repository");
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let files = |folder: &Path| -> Vec<_> {
        let entries = folder.read_dir().expect("a folder");
        entries.map(|entry| entry.expect("an entry").path()).collect()
    };
    let programs = files(&repository.join("tests/providers"));
    for name in providers() {
        let folder = repository.join("plugins").join(&name);
        if !read(&folder.join("Cargo.toml")).contains("\ntest = false\n") {
            continue;
        }
        let module = name.replace('-', "_");
        let is_in = |program: &&std::path::PathBuf| {
            read(&program.join("main.rs")).contains(&format!("mod {module};"))
        };
        let program = programs.iter().find(is_in);
        let program = program.unwrap_or_else(|| panic!("no program of tests has {name}"));
        let tests = read(&program.join(format!("{module}.rs")));
        assert!(tests.contains(&format!(" in \"../../../plugins/{name}\"")), "{name}");
        let beside = |path: &std::path::PathBuf| read(path).contains("#[cfg(test)]");
        assert!(!files(&folder.join("src")).iter().any(beside), "{name} has tests that never run");
    }
}
