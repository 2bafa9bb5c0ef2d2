//! Redaction: what a source may not keep is nowhere behind the proof, and what is left is as good
//! as before for whoever reads, compares or repeats it.

use std::collections::BTreeSet;
use std::path::Path;

use hookgate::clock::Clock;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::harness::{
    GUEST_TOKEN, Harness, Process, Provider, Ran, STRIPE_SECRET, Setup, Stopped, answer, payment,
    program, stripe_signature, text,
};

/// Their samples are signed with a secret that the source shares, in JSON and in forms.
const PROVIDERS: [&str; 10] = [
    "stripe",
    "paystack",
    "razorpay",
    "xendit",
    "flutterwave",
    "cashfree",
    "lemonsqueezy",
    "shopify",
    "nowpayments",
    "payu-india",
];

/// Without four bytes in a row that stand elsewhere: a compressed text holds them as they are.
const CARD: &str = "4539578763621486";
const TOKEN: &str = "tok_qZ7vXw3KpJ9mYd";
const HEADER: &str = "Bearer hK4uTz8RbW2nQe";
const PLANTED: [&str; 3] = [CARD, TOKEN, HEADER];
/// The same at a source that redacts nothing: what looks for the others finds it.
const CONTROL: &str = "GxVqZtLfHsPoWkJy";

fn with_master_key(setup: Setup) -> Stopped {
    let prepared = setup.line("master_key = { file = \"master\" }").prepare();
    std::fs::write(prepared.folder().join("master"), "5a".repeat(32)).expect("it can be written");
    prepared
}

async fn guest(redact: &str) -> Harness {
    let lines = format!("secrets = [{{ value = \"{GUEST_TOKEN}\" }}]\nredact = {redact}");
    let setup = Setup::new().plugin("guest").source("guest", "guest", &lines);
    with_master_key(setup).start().await
}

async fn receipt(gateway: &Harness, id: &str) -> String {
    gateway.ask(&format!("/v1/receipts/{id}")).await.body
}

/// Leave the second claims out of `Ingest::redact`, and the ids of receipts show what was redacted.
#[tokio::test]
async fn a_redacted_request_is_stored_parsed_and_known_again_without_what_was_redacted() {
    let gateway = guest(r#"["/card", "/id", "header:x-own", "query:key"]"#).await;
    let body = json!({ "id": "evt_of_card_4539", "card": CARD, "n": 1 }).to_string();
    let headers = [("x-token", GUEST_TOKEN), ("x-own", HEADER)];
    let url = format!("guest?key={TOKEN}&a=1");

    let first = gateway.post(&url, &headers, body.clone()).await;
    let again = gateway.post(&url, &headers, body).await;
    gateway.settle().await;

    let id = first.accepted();
    assert!(again.is_duplicate(), "{}", again.body);
    let shown = receipt(&gateway, &id).await;
    for planted in PLANTED.into_iter().chain(["evt_of_card_4539"]) {
        assert!(!shown.contains(planted), "{planted} in {shown}");
    }
    assert!(shown.contains("a=1") && shown.contains("redacted-"), "{shown}");
    let events = gateway.events("").await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(!format!("{events:?}").contains("evt_of_card"), "{events:?}");
}

/// Look for what was in the body in ids that are made of the redacted one, and an event is a new
/// one each time that it comes with another card.
#[tokio::test]
async fn an_id_that_looks_like_a_redacted_value_stays_the_id_of_its_event() {
    let gateway = guest(r#"["/card"]"#).await;
    let headers = [("x-token", GUEST_TOKEN)];
    let [first, again] =
        ["4539", "5105"].map(|card| json!({ "id": "evt_4539", "card": card }).to_string());

    gateway.post("guest", &headers, first).await.accepted();
    let again = gateway.post("guest", &headers, again).await;

    assert!(again.is_duplicate(), "{}", again.body);
}

/// Fails closed: store what can't be redacted, or keep its body as refused, and this fails.
#[tokio::test]
async fn what_can_not_be_redacted_is_not_stored_and_comes_again() {
    let gateway = guest(r#"["/card"]"#).await;
    let xml = format!("<card>{CARD}</card>");

    let answer = gateway.post("guest", &[("x-token", GUEST_TOKEN)], xml).await;

    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(answer.headers.contains_key("retry-after"));
    assert!(gateway.events("").await.is_empty());
    let refused = gateway.ask("/v1/sources/guest/refused").await;
    let items = refused.json()["items"].as_array().cloned().unwrap_or_default();
    assert_eq!(items.len(), 1, "{}", refused.body);
    assert!(text(&items[0]["reason"]).contains("neither JSON nor a form"), "{}", refused.body);
    assert!(!refused.body.contains(CARD), "{}", refused.body);
}

#[tokio::test]
async fn a_forged_request_is_kept_for_operators_without_what_is_redacted() {
    let gateway = guest(r#"["/card", "header:x-own"]"#).await;
    let body = json!({ "id": "1", "card": CARD }).to_string();

    let answer = gateway.post("guest", &[("x-token", "forged"), ("x-own", HEADER)], body).await;

    assert_eq!(answer.status, 401, "{}", answer.body);
    let refused = gateway.ask("/v1/sources/guest/refused").await;
    assert!(!refused.body.contains(CARD) && !refused.body.contains(HEADER), "{}", refused.body);
    assert!(refused.body.contains("redacted-"), "{}", refused.body);
}

#[tokio::test]
async fn the_check_refuses_to_redact_what_a_parse_needs() {
    let check = |redact: &'static str| async move {
        let lines = format!("secrets = [{{ value = \"{STRIPE_SECRET}\" }}]\nredact = {redact}");
        let stopped = with_master_key(Setup::new().plugin("stripe").source("s", "stripe", &lines));
        let config = stopped.folder().join("hookgate.toml");
        Ran::of(Command::new(program()).arg("check").arg("--config").arg(config)).await
    };
    let fits = check(r#"["/data/object/billing_details", "/request/idempotency_key"]"#).await;
    fits.succeeded();
    for needed in [r#"["/type"]"#, r#"["/data/object/amount"]"#, r#"["/created"]"#] {
        let ran = check(needed).await;
        let said = format!("{}{}", ran.out, ran.err);
        assert_ne!(ran.code, Some(0), "{needed}: {said}");
        assert!(said.contains("does not fit sample"), "{needed}: {said}");
    }
}

/// A source of this provider, and a sample of it with planted values in a file of its own.
struct Planted {
    name: &'static str,
    /// Lines of the source.
    table: String,
    file: String,
    body: String,
    headers: Vec<String>,
}

impl Planted {
    fn of(name: &'static str) -> Self {
        let provider = Provider::load(name);
        let recorded = provider.recordings();
        let mut vectors = recorded.iter().flat_map(|(_, recorded)| recorded.vectors.iter());
        let vector = vectors.next().expect("something is recorded");
        let mut kind = provider.kind(vector);
        kind.tolerance = None;
        let of_source = "redact = [\"/planted\", \"header:x-planted\"]";
        let table = format!("{}\n{of_source}", provider.table(&kind));
        let sample = provider.about.samples.values().next().expect("it has samples");
        let is_form = sample.content_type.ends_with("urlencoded");
        let body = if is_form {
            format!("{}&planted={CARD}", sample.body)
        } else {
            let mut body: Value = serde_json::from_str(&sample.body).expect("it is JSON");
            body["planted"] = json!({ "card": CARD, "of": [{ "token": TOKEN }] });
            body.to_string()
        };
        let ending = if is_form { "form" } else { "json" };
        let own = sample.headers.iter().map(|(name, value)| format!("{name}: {value}"));
        let headers = own.chain([format!("x-planted: {HEADER}")]).collect();
        Self { name, table, file: format!("{name}.{ending}"), body, headers }
    }

    /// Signs and sends it as its provider would.
    async fn send(&self, gateway: &Process) -> Ran {
        let folder = gateway.stopped().folder();
        let mut command = Command::new(program());
        command.arg("send").arg(self.name).arg(folder.join(&self.file));
        command.arg("--config").arg(folder.join("hookgate.toml"));
        command.arg("--to").arg(gateway.public());
        for header in &self.headers {
            command.arg("--header").arg(header);
        }
        Ran::of(&mut command).await
    }
}

/// Every file below a folder that holds one of these, and what it holds.
fn found(folder: &Path, wanted: &[&str]) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let mut left = vec![folder.to_owned()];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        for text in wanted {
            if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                found.insert((path.display().to_string(), (*text).to_owned()));
            }
        }
    }
    found
}

/// The first half of the bar: ten providers, each with a planted card, token and header.
#[tokio::test]
async fn nothing_that_ten_providers_redact_is_kept_shown_exported_or_backed_up() {
    let planted = PROVIDERS.map(Planted::of);
    let secrets = format!("secrets = [{{ value = \"{STRIPE_SECRET}\" }}]");
    let mut setup = Setup::new().plugin_as("open", "stripe").source("open", "open", &secrets);
    for planted in &planted {
        setup = setup.plugin(planted.name).source(planted.name, planted.name, &planted.table);
    }
    let prepared = with_master_key(setup);
    for planted in &planted {
        std::fs::write(prepared.folder().join(&planted.file), &planted.body).unwrap();
    }
    let config = prepared.folder().join("hookgate.toml");
    let checked = Ran::of(Command::new(program()).arg("check").arg("--config").arg(&config)).await;
    checked.succeeded();
    let mut gateway = Process::start_with(prepared, |command| {
        command.env("RUST_LOG", "info,hookgate=trace");
    })
    .await;

    for planted in &planted {
        planted.send(&gateway).await.succeeded();
        let again = planted.send(&gateway).await;
        assert!(again.succeeded().contains("hookgate-duplicate: true"), "{}", again.out);
    }
    post_control(&gateway).await;
    gateway.settle().await;

    let (shown, digests) = shown(&gateway).await;
    assert_eq!(digests.len(), 1, "one card is one digest at every source: {digests:?}");
    let sources: BTreeSet<String> =
        gateway.events().await.iter().map(|event| text(&event["source"])).collect();
    assert!(PROVIDERS.iter().all(|name| sources.contains(*name)), "{sources:?}");
    let dead = gateway.ask("/v1/dead").await;
    assert_eq!(dead.json()["items"].as_array().map(Vec::len), Some(0), "{}", dead.body);

    gateway.signal_stop();
    let log = gateway.log.whole().await;
    let stopped = gateway.ended().await;
    let mut export = Command::new(program());
    let exported = Ran::of(export.args(["store", "export", "--config"]).arg(&config)).await;
    for planted in PLANTED {
        for (of, text) in [("the API", &shown), ("the log", &log), ("the export", &exported.out)] {
            assert!(!text.contains(planted), "{planted} is in {of}");
        }
    }
    exported.succeeded();
    assert!(exported.out.contains(CONTROL) && shown.contains(CONTROL));
    let data = stopped.folder().join("data");
    check_files(&stopped, &data).await;
}

/// A request with what is looked for in the same way, which nothing redacts.
async fn post_control(gateway: &Process) {
    let control = payment("evt_control", CONTROL, "succeeded");
    let now = Clock::System.now().seconds();
    let signature = stripe_signature(STRIPE_SECRET, now, &control);
    let post = gateway.client().post(format!("{}/in/open", gateway.public()));
    let post = post.header("stripe-signature", signature).body(control);
    answer(post).await.accepted();
}

/// All that the API shows of all events, and the digests in the place of planted cards.
async fn shown(gateway: &Process) -> (String, BTreeSet<String>) {
    let (mut shown, mut digests) = (String::new(), BTreeSet::new());
    for event in gateway.events().await {
        let Some(id) = event["receipt"].as_str() else { continue };
        let receipt = gateway.ask(&format!("/v1/receipts/{id}")).await;
        let body = text(&receipt.json()["body"]);
        // The card comes first, for so JSON and the form write it.
        let card = body.split("planted").nth(1).and_then(|rest| rest.split("redacted-").nth(1));
        digests.extend(card.map(|rest| rest[..32].to_owned()));
        shown += &receipt.body;
        shown += &gateway.ask(&format!("/v1/events/{}", text(&event["id"]))).await.body;
    }
    (shown, digests)
}

/// Nothing that was planted may be in the data folder or in a backup of it, but the control must.
async fn check_files(stopped: &Stopped, data: &Path) {
    let wanted: Vec<&str> = PLANTED.into_iter().chain([CONTROL]).collect();
    // A backup is read as the store that it becomes.
    let (backup, restored) = (stopped.folder().join("backup"), stopped.folder().join("restored"));
    for (command, folder) in [("backup", data), ("restore", &*restored)] {
        let mut command_line = Command::new(program());
        let command_line = command_line.arg(command).arg(&backup).arg("--data").arg(folder);
        Ran::of(command_line).await.succeeded();
    }
    for folder in [data, &*restored] {
        let kept = found(folder, &wanted);
        assert!(kept.iter().any(|(_, text)| text == CONTROL), "what looks for them finds nothing");
        assert!(kept.iter().all(|(_, text)| text == CONTROL), "{kept:?}");
    }
}
