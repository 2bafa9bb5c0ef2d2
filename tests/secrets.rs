//! Planted secrets: every kind, in every place that one can be, looked for in everything that
//! leaves.

use std::path::Path;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::canary::guest;
use crate::harness::{Process, Receiver, Setup, answer, payment, program, stripe_signature, text};

const STRIPE: &str = "whsec_planted_stripe_7f3a91";
const TOKEN: &str = "planted/token+with=signs%and&91c2";
const NEXT_TOKEN: &str = "planted_next_token_5512aa";
const FROM_ENVIRONMENT: &str = "planted_of_the_environment_77";
const PASSWORD: &str = "planted_p4ssw0rd_in_a_url";
/// A key of Standard Webhooks, whose text is base64.
const SIGNING: &str = "whsec_cGxhbnRlZCBzaWduaW5nIGtleSA1NTEyODg0NA==";
/// A master key, whose text is base64.
const MASTER: &str = "cGxhbnRlZCBtYXN0ZXIga2V5IG9mIDMyIGJ5dGVzISE=";
/// Stands where no secret may, in a configuration that is refused.
const MISPLACED: &str = "planted_misplaced_c0ffee";

const ALL: [&str; 8] =
    [STRIPE, TOKEN, NEXT_TOKEN, FROM_ENVIRONMENT, PASSWORD, SIGNING, MASTER, MISPLACED];

/// A secret that could be the name of a plugin.
const NAMELIKE: &str = "planted-0f3a91c2d5e8";

/// The token as a URL and as base64 have it, behind a name as for Basic authentication.
const TOKEN_IN_A_URL: &str = "planted%2Ftoken%2Bwith%3Dsigns%25and%2691c2";
fn token_in_base64() -> String {
    BASE64.encode(format!("user:{TOKEN}"))
}

/// All that has left, and what it was.
#[derive(Default)]
struct Outputs(Vec<(String, String)>);

impl Outputs {
    fn add(&mut self, of: impl Into<String>, text: impl Into<String>) {
        self.0.push((of.into(), text.into()));
    }

    #[track_caller]
    fn hold_no_secret(&self) {
        let mut writings: Vec<String> = ALL.map(str::to_owned).to_vec();
        writings.extend(ALL.iter().map(|secret| BASE64.encode(secret)));
        writings.extend(ALL.iter().map(hex::encode));
        // As JSON writes it within JSON.
        writings.push(TOKEN.replace('/', "\\/"));
        writings.extend([TOKEN_IN_A_URL.to_owned(), token_in_base64()]);
        for (of, text) in &self.0 {
            for writing in &writings {
                let found = text.find(writing.as_str());
                let around = found.map(|at| {
                    let end = text.ceil_char_boundary(at + 120);
                    &text[text.floor_char_boundary(at.saturating_sub(120))..end]
                });
                assert!(around.is_none(), "{of} shows `{writing}`: {around:?}");
            }
        }
    }
}

/// A gateway with a secret of every kind, whose log shows all there is.
async fn planted(receiver: &Receiver) -> Process {
    let url = receiver.url().replace("http://", &format!("http://planted:{PASSWORD}@"));
    let prepared = Setup::new()
        .table("master_key = { file = \"master\" }")
        .plugin("guest")
        .source("guest", "guest", "secrets = [{ file = \"token\" }]")
        .plugin("stripe")
        .source("stripe", "stripe", &format!("secrets = [{{ value = \"{STRIPE}\" }}]"))
        .source("other", "guest", "secrets = [{ env = \"HOOKGATE_PLANTED\" }]")
        .table(&format!(
            "[endpoints.crm]\nurl = \"{url}\"\nevents = [\"*\"]\nbody = \"raw\"\n\
             secrets = [{{ value = \"{SIGNING}\" }}]\nretries = []"
        ))
        .table("[handlers.guest]\nendpoints = [\"crm\"]")
        .prepare();
    for (file, secret) in [("token", TOKEN), ("master", MASTER)] {
        std::fs::write(prepared.folder().join(file), secret).expect("it can be written");
    }
    Process::start_with(prepared, |command| {
        command.env("HOOKGATE_PLANTED", FROM_ENVIRONMENT).env(
            "RUST_LOG",
            "info,hookgate=trace,hyper=trace,hyper_util=trace,axum=trace,tower=trace",
        );
    })
    .await
}

/// What a command says on both its outputs.
async fn said(config: &Path, args: &[&str]) -> String {
    let ran = Command::new(program())
        .args(args)
        .arg("--config")
        .arg(config)
        .env("HOOKGATE_PLANTED", FROM_ENVIRONMENT)
        .stdin(Stdio::null())
        .output()
        .await
        .expect("the program can be started");
    format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr))
}

/// Posts to the source `guest`, whose token is the planted one.
async fn post(gateway: &Process, query: &str, body: Vec<u8>) -> u16 {
    let post = gateway.client().post(format!("{}/in/guest{query}", gateway.public()));
    let post = post.header("x-token", TOKEN).header("x-other", token_in_base64());
    post.body(body).send().await.expect("the gateway answers").status().as_u16()
}

/// Sends requests that carry the secrets wherever they can.
async fn traffic(gateway: &Process) {
    assert_eq!(
        gateway.stripe_with(STRIPE, &payment("evt_1", "pi_1", "succeeded")).await.status,
        200
    );
    let commands = [
        json!({ "id": "1", "do": "log", "at": "parse", "text": format!("got {TOKEN}") }),
        json!({ "id": "2", "do": "log", "text": format!("got {TOKEN}") }),
        json!({ "id": "3", "do": "fail", "at": "parse", "reason": format!("not {TOKEN}") }),
        json!({ "id": "4", "do": "fail", "reason": format!("not {}", token_in_base64()) }),
        json!({ "id": "5", "do": "send", "endpoint": "crm", "text": TOKEN }),
        json!({ "id": "6", "do": "alert", "text": format!("look at {TOKEN}") }),
        json!({ "id": "7", "do": "trap", "at": "parse", "text": TOKEN }),
        json!({ "id": "8", "do": "emit", "data": { "token": TOKEN, "in a URL": TOKEN_IN_A_URL } }),
    ];
    for command in &commands {
        let query = format!("?token={TOKEN_IN_A_URL}&a=1");
        assert_eq!(post(gateway, &query, command.to_string().into_bytes()).await, 200);
    }
    let binary = [b"\xff\xfe token=".as_slice(), TOKEN.as_bytes()].concat();
    assert_eq!(post(gateway, "", binary).await, 200);
    // Refused: what a stranger sends may hold one too, by mistake.
    let signature = stripe_signature(TOKEN, 1, "{}");
    for (path, header) in [("stripe", STRIPE), ("stripe", &signature), (NEXT_TOKEN, "a")] {
        let post = gateway.client().post(format!("{}/in/{path}", gateway.public()));
        let refused = post.header("stripe-signature", header).body("{}").send().await;
        assert!(refused.expect("the gateway answers").status().is_client_error());
    }
}

/// Asks for everything that there is.
async fn look(gateway: &Process, config: &Path, outputs: &mut Outputs) {
    let mut paths: Vec<String> =
        ["/v1/events?limit=500", "/v1/dead", "/v1/plugins", "/metrics", "/readyz"]
            .map(str::to_owned)
            .to_vec();
    let mut ids = Vec::new();
    let listed = [gateway.ask("/v1/events?limit=500").await, gateway.ask("/v1/dead").await];
    for item in
        listed.iter().flat_map(|list| list.json()["items"].as_array().cloned().unwrap_or_default())
    {
        let of = |key: &str| item[key].as_str().map(str::to_owned);
        ids.extend(["id", "receipt", "event"].iter().filter_map(|key| of(key)));
    }
    for id in &ids {
        let kinds =
            [("evt", "events"), ("rcp", "receipts"), ("run", "runs"), ("dlv", "deliveries")];
        let kind = kinds.iter().find(|(prefix, _)| id.starts_with(prefix));
        paths.extend(kind.map(|(_, kind)| format!("/v1/{kind}/{id}")));
    }
    for path in paths {
        let answer = gateway.ask(&path).await;
        assert_ne!(answer.status, 500, "{path}: {}", answer.body);
        outputs.add(path, answer.body);
    }
    outputs.add("event list", said(config, &["event", "list"]).await);
    outputs.add("check", said(config, &["check"]).await);
    for id in ids.iter().take(20) {
        outputs.add("event show", said(config, &["event", "show", id, "--json"]).await);
        outputs.add("the story", said(config, &["event", "show", id]).await);
    }
}

/// Has a version of the guest that always fails run over all of it, so that all of it differs.
async fn rehearse(gateway: &Process, outputs: &mut Outputs) {
    let post = gateway.client().post(format!("{}/v1/rehearsals?plugin=guest", gateway.admin()));
    let post = post.header("content-type", "application/octet-stream");
    let begun = answer(post.body(guest(1, 1))).await;
    let path = format!("/v1/rehearsals/{}", text(&begun.json()["id"]));
    let row = loop {
        let row = gateway.ask(&path).await;
        if row.json()["state"] != "running" {
            break row;
        }
    };
    let differing = row.json()["reports"][1]["differing"].as_u64();
    assert!(differing.is_some_and(|count| count > 3), "{}", row.body);
    outputs.add("a rehearsal", row.body);
}

/// Guards I4.
#[tokio::test]
async fn no_planted_secret_leaves_by_any_way() {
    let receiver = Receiver::start().await;
    let question = format!("who sends {TOKEN}, {SIGNING}, {MASTER} or {PASSWORD}?");
    receiver.answer_saying(400, question);
    let mut gateway = planted(&receiver).await;
    let config = gateway.stopped().folder().join("hookgate.toml");
    let mut outputs = Outputs::default();

    traffic(&gateway).await;
    gateway.settle().await;
    look(&gateway, &config, &mut outputs).await;
    rehearse(&gateway, &mut outputs).await;

    // The source gets another name and another secret; what it took before is still there.
    let good = std::fs::read_to_string(&config).expect("it is there");
    let renamed = good.replace("[sources.guest]", "[sources.renamed]");
    std::fs::write(config.with_file_name("token"), NEXT_TOKEN).expect("it can be written");
    std::fs::write(&config, &renamed).expect("it can be written");
    assert_eq!(
        gateway.tell("/v1/reload", &Value::Null).await.json()["config"]["outcome"],
        "applied"
    );
    look(&gateway, &config, &mut outputs).await;

    // Secrets where none may be.
    for (from, to) in [
        (format!("secrets = [{{ value = \"{STRIPE}\" }}]"), format!("secrets = \"{MISPLACED}\"")),
        ("plugin = \"stripe\"".to_owned(), format!("plugin = \"{MISPLACED}\"")),
        ("retries = []".to_owned(), format!("retries = [\"{MISPLACED}\"]")),
        ("url = \"http://".to_owned(), format!("url = \"{MISPLACED}//")),
        ("[sources.other]".to_owned(), format!("[sources.other]\n{MISPLACED} = 1")),
        ("env = \"HOOKGATE_PLANTED\"".to_owned(), format!("env = \"{MISPLACED}\"")),
        ("file = \"token\"".to_owned(), format!("file = \"{MISPLACED}\"")),
        ("file = \"master\"".to_owned(), format!("value = \"{MISPLACED}\"")),
        ("[handlers.guest]".to_owned(), format!("[handlers.guest] {MISPLACED}")),
    ] {
        assert!(renamed.contains(&from), "the configuration has no `{from}`");
        std::fs::write(&config, renamed.replace(&from, &to)).expect("it can be written");
        let report = gateway.tell("/v1/reload", &Value::Null).await;
        assert_eq!(report.json()["config"]["outcome"], "kept", "{to}: {}", report.body);
        outputs.add(format!("the reload of `{to}`"), report.body);
        outputs.add(format!("check of `{to}`"), said(&config, &["check"]).await);
    }

    gateway.signal_stop();
    let log = gateway.log.whole().await;
    assert!(log.contains("\"DEBUG\""), "the log shows all there is");
    outputs.add("the log", log);
    outputs.hold_no_secret();
}

/// Guards I4.
#[tokio::test]
async fn a_secret_in_the_place_of_a_plugin_s_name_is_not_repeated() {
    let prepared = Setup::new().source("cards", NAMELIKE, "verify = \"none\"").prepare();
    let config = prepared.folder().join("hookgate.toml");
    let mut gateway = Process::start_with(prepared, |command| {
        command.env("RUST_LOG", "hookgate=trace");
    })
    .await;

    let post = gateway.client().post(format!("{}/in/cards", gateway.public())).body("{}");
    let refused = post.send().await.expect("the gateway answers").status();
    let unready = gateway.ask("/readyz").await;
    let checked = said(&config, &["check"]).await;
    let sent = said(&config, &["send", "cards"]).await;
    gateway.log.says("the provider plugin (hidden) is not loaded").await;
    gateway.signal_stop();
    let log = gateway.log.whole().await;

    assert_eq!(refused, 503);
    assert_eq!(unready.json()["missing"], json!(["source cards: plugin (hidden) is not loaded"]));
    assert!(checked.contains("POST /in/cards: provider (hidden) (NOT LOADED"), "{checked}");
    assert!(sent.contains("has no plugin (hidden), which source cards needs"), "{sent}");
    for (of, text) in
        [("/readyz", &unready.body), ("check", &checked), ("send", &sent), ("the log", &log)]
    {
        assert!(!text.contains(NAMELIKE), "{of}: {text}");
    }
}
