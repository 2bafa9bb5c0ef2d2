//! The `hookgate` command as a person types it: the real program, its exit code and its words.

mod audit;
mod canary;
mod configuration;
mod dead;
mod delivery;
mod endpoint;
mod output;
mod recorded;
mod rehearsal;
mod replay;
mod send;
mod setup;
mod socket;
mod store;
mod terminal;
mod token;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::harness::{Harness, Ran, Receiver, Setup, payment, plugin_file, program, reasons, text};

async fn hookgate<A: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = A>) -> Ran {
    Ran::of(Command::new(program()).args(args)).await
}

/// A folder with a configuration and these plugins.
struct Folder(TempDir);

impl Folder {
    fn new(config: &str, plugins: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("plugins")).expect("it is empty");
        for name in plugins {
            let to = folder.path().join(format!("plugins/{name}.wasm"));
            std::fs::copy(plugin_file(name), to).expect("it can be copied");
        }
        let folder = Self(folder);
        folder.write("hookgate.toml", config.as_bytes());
        folder
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("it can be written");
        path
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    async fn check(&self) -> Ran {
        hookgate(["check".as_ref(), "--config".as_ref(), self.path("hookgate.toml").as_os_str()])
            .await
    }
}

const CONFIG: &str = r#"listen  = "127.0.0.1:0"
admin   = "127.0.0.1:0"
data    = "data"
plugins = "plugins"

[sources.cards]
plugin  = "stripe"
secrets = [{ value = "whsec_never_shown" }]

[sources.partner]
plugin = "standard-webhooks"
verify = "none"

[endpoints.crm]
url     = "http://127.0.0.1:9000/hooks"
events  = ["payment.*", "customer.payment_failed_notice"]
secrets = [{ value = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }]

[handlers.dunning]
endpoints = ["crm"]
config    = { alert_after = 3 }
"#;

const PLUGINS: &[&str] = &["stripe", "standard-webhooks", "dunning"];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it lies in the repository")
}

#[tokio::test]
async fn help_says_what_can_be_said() {
    let help = hookgate(["--help"]).await;

    for command in ["serve", "check", "plugin", "event", "send", "demo"] {
        assert!(!help.line(command).ends_with(command), "{command} is explained");
    }
    help.succeeded();
    assert!(!help.out.contains("compile-plugin"), "what is only for the gateway is not shown");
    for commands in [&["plugin", "build"][..], &["plugin", "test"], &["event", "replay"], &["send"]]
    {
        let args = commands.iter().copied().chain(["--help"]);
        assert!(hookgate(args).await.succeeded().contains("Usage: hookgate"), "{commands:?}");
    }
}

#[tokio::test]
async fn check_says_what_would_run() {
    let folder = Folder::new(CONFIG, PLUGINS);

    let checked = folder.check().await;

    checked.succeeded();
    let stripe = checked.line("stripe:");
    assert!(stripe.contains(" bytes, "), "{stripe}");
    assert_eq!(
        checked.line("POST /in/cards"),
        "POST /in/cards: provider stripe (loaded), secrets: 1"
    );
    let partner = "POST /in/partner: provider standard-webhooks (loaded), NOT VERIFIED";
    assert_eq!(checked.line("POST /in/partner"), partner);
    let crm = "crm: payment.*, customer.payment_failed_notice to http://127.0.0.1:9000/hooks";
    assert_eq!(checked.line("crm:"), crm);
    let dunning = "dunning: runs on payment.failed, payment.succeeded, may send to crm";
    assert!(checked.out.lines().any(|line| line.trim() == dunning), "{}", checked.out);
    assert_eq!(checked.out.lines().last(), Some("everything can run"));
    assert!(!checked.out.contains("whsec_"), "{}", checked.out);
    assert!(!folder.path("data").exists(), "a check makes nothing");
}

#[tokio::test]
async fn check_says_where_the_configuration_is_wrong() {
    let cases = [
        (
            "secrets = [{ value = \"whsec_n",
            "secret = [{ value = \"whsec_n",
            "8:1: unknown key `secret`",
        ),
        ("endpoints = [\"crm\"]", "endpoints = [\"c rm\"]", "20:14: `endpoints` must be a name"),
        ("[sources.cards]", "[sources.Cards]", "6:10: `Cards` is not a name"),
        ("verify = \"none\"", "", "10:1: [sources.partner] has no secrets"),
    ];

    for (right, wrong, expected) in cases {
        assert_eq!(CONFIG.matches(right).count(), 1, "{right}");
        let folder = Folder::new(&CONFIG.replace(right, wrong), &[]);
        let checked = folder.check().await;
        let place = format!("{}:{expected}", folder.path("hookgate.toml").display());
        checked.failed_with(&place);
    }
}

#[tokio::test]
async fn check_finds_a_source_with_nothing_to_verify_with() {
    let written = "secrets = [{ value = \"whsec_never_shown\" }]";
    let folder = Folder::new(&CONFIG.replace(written, "secrets = []"), PLUGINS);

    let checked = folder.check().await;

    checked.failed_with("problems found: 1");
    let wrong = "stripe: WRONG: [sources.cards] has no secrets, and plugin stripe pins no root";
    assert!(checked.line("stripe:").starts_with(wrong), "{}", checked.out);
}

#[tokio::test]
async fn check_finds_a_plugin_that_can_not_run() {
    let folder = Folder::new(CONFIG, PLUGINS);
    folder.write("plugins/broken.wasm", b"\0asm but no plugin");
    folder.write("plugins/stripe.wasm", b"nothing of the kind");

    let checked = folder.check().await;

    checked.failed_with("problems found: 3");
    assert!(checked.line("broken:").starts_with("broken: WRONG: "), "{}", checked.out);
    assert!(checked.line("stripe:").starts_with("stripe: WRONG: "), "{}", checked.out);
    assert!(checked.line("POST /in/cards").contains("provider stripe (NOT LOADED)"));
}

#[tokio::test]
async fn check_finds_settings_that_a_plugin_refuses() {
    let config = CONFIG.replace("alert_after = 3", "alert_after = \"soon\"");
    let folder = Folder::new(&config, PLUGINS);

    let checked = folder.check().await;

    checked.failed_with("problems found: 1");
    let wrong = "dunning: WRONG: plugin dunning refuses the config of [handlers.dunning]: ";
    assert!(checked.line("dunning: WRONG").starts_with(wrong), "{}", checked.out);
}

#[tokio::test]
async fn check_finds_a_plugin_that_is_not_there() {
    let folder = Folder::new(CONFIG, &["stripe", "standard-webhooks"]);
    let checked = folder.check().await;

    checked.failed_with("problems found: 1");
    let missing = "dunning: NOT LOADED, the plugins folder has no such file";
    assert_eq!(checked.line("dunning:"), missing);
    checked.line("events wait for it if it has run before, and else pass it by");
}

#[tokio::test]
async fn check_finds_a_plugin_of_the_other_kind() {
    let config = CONFIG.replace("plugin  = \"stripe\"", "plugin  = \"dunning\"");
    let folder = Folder::new(&format!("{config}\n[handlers.stripe]\n"), PLUGINS);

    let checked = folder.check().await;

    checked.failed_with("problems found: 2");
    let source = checked.line("POST /in/cards");
    assert!(source.contains("provider dunning (NOT A PROVIDER)"), "{source}");
    assert_eq!(checked.line("stripe: NOT"), "stripe: NOT A HANDLER");
}

#[tokio::test]
async fn a_gateway_does_not_start_on_a_wrong_configuration() {
    let folder = Folder::new(&CONFIG.replace("plugins = ", "plugin = "), &[]);
    let config = folder.path("hookgate.toml");

    let wrong = hookgate(["serve".as_ref(), "--config".as_ref(), config.as_os_str()]).await;
    let missing = hookgate(["serve", "--config", "no/such/hookgate.toml"]).await;

    wrong.failed_with(&format!("{}:4:1: unknown key `plugin`", config.display()));
    missing.failed_with("failed to read the configuration no/such/hookgate.toml: No such file");
    assert!(!folder.path("data").exists());
}

#[tokio::test]
async fn inspect_says_what_a_plugin_is() {
    let file = plugin_file("stripe");

    let stripe = hookgate(["plugin".as_ref(), "inspect".as_ref(), file.as_os_str()]).await;
    let file = plugin_file("dunning");
    let dunning = hookgate(["plugin".as_ref(), "inspect".as_ref(), file.as_os_str()]).await;

    stripe.succeeded();
    assert_eq!(stripe.line("name"), "name     stripe");
    assert_eq!(stripe.line("exports"), "exports  hookgate:plugin/provider@0.2.0");
    assert!(!stripe.line("imports").contains("outbox"), "a provider sends nothing");
    assert!(!stripe.out.contains("wasi"), "{}", stripe.out);
    assert_eq!(stripe.line("contract"), "contract hookgate:plugin@0.2.0");
    dunning.succeeded();
    assert_eq!(dunning.line("sdk"), "sdk      0.1.0");
    assert!(dunning.out.contains("send to the endpoints that [handlers.dunning] grants"));
    assert!(dunning.line("handler").ends_with(": payment.failed, payment.succeeded"));
    assert!(dunning.line("imports").contains("hookgate:plugin/outbox@0.2.0"));
}

#[tokio::test]
async fn inspect_says_why_a_file_is_no_plugin() {
    let folder = Folder::new("", &[]);
    let broken = folder.write("broken.wasm", b"\0asm but no plugin");
    let other = folder.write("plugin.txt", b"");

    let broken = hookgate(["plugin".as_ref(), "inspect".as_ref(), broken.as_os_str()]).await;
    let other = hookgate(["plugin".as_ref(), "inspect".as_ref(), other.as_os_str()]).await;
    let missing = hookgate(["plugin", "inspect", "no/such.wasm"]).await;

    broken.failed_with("broken.wasm: ");
    other.failed_with("plugin.txt is not a .wasm file");
    missing.failed_with("failed to read no/such.wasm");
}

#[tokio::test]
async fn what_is_no_crate_can_not_be_built() {
    let folder = Folder::new("", &[]);
    let empty = folder.path("plugins");
    let out = folder.path("out");

    let built = hookgate([
        "plugin".as_ref(),
        "build".as_ref(),
        empty.as_os_str(),
        "--out".as_ref(),
        out.as_os_str(),
    ])
    .await;

    built.failed_with(&format!("failed to build {}", empty.display()));
    assert!(built.err.contains("Cargo.toml"), "{}", built.err);
    assert!(!out.exists() || std::fs::read_dir(out).unwrap().next().is_none());
}

impl Harness {
    /// Says this to the gateway over its admin API.
    async fn event_command(&self, args: &[&str]) -> Ran {
        let at = ["--admin", self.admin()];
        hookgate(["event"].iter().chain(args).chain(&at)).await
    }
}

#[tokio::test]
async fn events_are_listed_shown_and_replayed_from_the_command_line() {
    let receiver = Receiver::answering(500).await;
    let gateway = Setup::stripe()
        .endpoint_with("crm", &receiver, &["payment.failed"], "retries = []")
        .start()
        .await;
    gateway.stripe(&payment("evt_1", "pi_1", "payment_failed")).await.accepted();
    gateway.settle().await;
    gateway.stripe(&payment("evt_2", "pi_2", "succeeded")).await.accepted();
    gateway.settle().await;
    let id = text(&gateway.events("subject=pi_1").await[0]["id"]);
    receiver.answer(204);

    let all = gateway.event_command(&["list"]).await;
    let dead = gateway.event_command(&["list", "--state", "dead", "--type", "payment.*"]).await;
    let one = gateway.event_command(&["list", "--limit", "1"]).await;
    let shown = gateway.event_command(&["show", &id]).await;
    let replayed = gateway.event_command(&["replay", &id]).await;
    gateway.settle().await;
    let by_filter = gateway.event_command(&["replay", "--subject", "pi_1"]).await;
    gateway.settle().await;

    assert_eq!(all.succeeded().lines().count(), 3, "{}", all.out);
    assert_eq!(dead.succeeded().lines().count(), 2, "{}", dead.out);
    let columns: Vec<_> = dead.line(&id).split_whitespace().collect();
    assert_eq!(columns[2..], ["dead", "payment.failed", "pi_1"], "{columns:?}");
    assert_eq!(one.succeeded().lines().count(), 2);
    assert!(one.out.contains("pi_2"), "the newest: {}", one.out);
    let event: Value = serde_json::from_str(shown.succeeded()).expect("it is JSON");
    assert_eq!((&event["id"], &event["deliveries"][0]["state"]), (&json!(id), &json!("dead")));
    for replayed in [replayed, by_filter] {
        let counted: Value = serde_json::from_str(replayed.succeeded()).expect("it is JSON");
        assert_eq!(counted, json!({ "reopened": 1, "hastened": 0, "unchanged": 0 }));
    }
    assert_eq!(receiver.received().len(), 3);
    assert_eq!(receiver.ids().len(), 1, "under one id");
}

#[tokio::test]
async fn a_replay_of_more_than_one_slice_goes_on_to_its_end_and_can_be_shown() {
    let gateway = Setup::guest().start().await;
    for id in ["a", "b"] {
        gateway.guest(&json!({ "id": id, "events": 600 })).await.accepted();
    }
    gateway.settle().await;

    let replayed = gateway.event_command(&["replay", "--source", "guest"]).await;

    let counted: Value = serde_json::from_str(replayed.succeeded()).expect("it is JSON");
    assert_eq!(counted, json!({ "reopened": 1200, "hastened": 0, "unchanged": 0 }));
    let id = replayed.err.split([' ', ',']).find(|word| word.starts_with("rpl_"));
    let shown = gateway.event_command(&["show", id.expect("it says which replay it is")]).await;
    let shown: Value = serde_json::from_str(shown.succeeded()).expect("it is JSON");
    assert_eq!(shown["reopened"], 1200, "{shown}");
    let id = text(&shown["id"]);
    let listed = gateway.event_command(&["replays"]).await;
    listed.succeeded();
    assert!(listed.line(&id).ends_with(r#"1200  {"source":"guest"}"#), "{}", listed.out);
}

#[tokio::test]
async fn a_replay_that_waits_is_found_and_canceled_from_the_command_line() {
    let gateway = Setup::guest().table("[limits]\nbacklog = 1").start().await;
    gateway.guest(&json!({ "id": "1", "do": "retry" })).await.accepted();
    gateway.settle().await;
    let begun = gateway.tell("/v1/replay", &json!({ "filter": { "source": "guest" } })).await;
    let id = text(&begun.json()["id"]);

    let canceled = gateway.event_command(&["replay", "--cancel", &id]).await;
    let again = gateway.event_command(&["replay", "--cancel", &id]).await;
    let both = gateway.event_command(&["replay", "--cancel", &id, "--source", "guest"]).await;

    for canceled in [canceled, again] {
        let counted: Value = serde_json::from_str(canceled.succeeded()).expect("it is JSON");
        assert_eq!(counted, json!({ "reopened": 0, "hastened": 0, "unchanged": 0 }));
    }
    both.failed_with("--cancel");
    let shown = gateway.event_command(&["show", &id]).await;
    assert!(shown.succeeded().contains(r#""canceled": true"#), "{}", shown.out);
}

#[tokio::test]
async fn deeply_nested_data_goes_the_whole_way_and_is_shown_digit_for_digit() {
    let receiver = Receiver::start().await;
    let gateway = Setup::stripe().endpoint("crm", &receiver, &["customer.*"]).start().await;
    let nested = |depth: usize| format!("{}1.10{}", "[".repeat(depth), "]".repeat(depth));
    let body = |id: &str, depth| {
        let object = format!(r#"{{"id":"cus_1","object":"customer","x":{}}}"#, nested(depth));
        let head = format!(r#"{{"id":"{id}","object":"event","type":"customer.created""#);
        format!(r#"{head},"created":1767225600,"data":{{"object":{object}}}}}"#)
    };

    gateway.stripe(&body("evt_200", 200)).await.accepted();
    let too_deep = gateway.stripe(&body("evt_600", 600)).await.accepted();
    gateway.settle().await;

    let sent = receiver.received();
    assert_eq!(sent.len(), 1);
    assert!(String::from_utf8_lossy(&sent[0].body).contains(&nested(200)));
    let id = text(&gateway.events("subject=cus_1").await[0]["id"]);
    let shown = gateway.event_command(&["show", &id]).await;
    let shown: String = shown.succeeded().split_whitespace().collect();
    assert!(shown.contains(&nested(200)), "{shown}");
    let dead = gateway.receipt(&too_deep).await;
    assert_eq!(dead["state"], "dead");
    assert!(reasons(&dead["tries"])[0].contains("nested more than 512 levels deep"), "{dead}");
}

#[tokio::test]
async fn what_the_gateway_refuses_is_said_in_its_own_words() {
    let gateway = Setup::stripe().start().await;

    let everything = gateway.event_command(&["replay"]).await;
    let no_state = gateway.event_command(&["list", "--state", "gone"]).await;
    let unknown = gateway.event_command(&["show", "evt_1"]).await;
    let nobody = hookgate(["event", "list", "--admin", "http://127.0.0.1:9"]).await;

    everything.failed_with("say what to replay: ids, or a filter such as --state dead");
    no_state.failed_with("the gateway answered 400: `state` must be pending, done or dead");
    assert_eq!(no_state.out, "", "there is no list, so it has no head");
    unknown.failed_with("the gateway answered 400: `evt_1` is not an id");
    nobody.failed_with("is the gateway running there?");
}

#[tokio::test]
async fn what_a_source_has_refused_is_listed_and_shown() {
    let gateway = Setup::stripe().start().await;
    gateway.stripe_with("whsec_wrong", &payment("evt_1", "pi_1", "succeeded")).await;

    let admin = ["--admin", gateway.admin()];
    let listed = hookgate([&["source", "refused", "stripe"][..], &admin].concat()).await;
    let full = hookgate([&["source", "refused", "stripe", "--full"][..], &admin].concat()).await;
    let nobody = hookgate([&["source", "refused", "nobody"][..], &admin].concat()).await;

    assert!(listed.line("2023-").contains("  401     127.0.0.1  "), "{}", listed.out);
    assert!(full.line("stripe-signature: ").contains("v1="), "{}", full.out);
    assert!(full.line("body (").ends_with(" bytes):"), "{}", full.out);
    nobody.failed_with("the configuration has no source `nobody`");
}

#[tokio::test]
async fn an_option_says_what_it_must_be() {
    let none = hookgate(["event", "list", "--limit", "0"]).await;
    let settings = ["plugin", "test", "stripe.wasm", "vectors.json", "--settings", "x"];
    let no_object = hookgate(settings).await;

    assert!(none.err.contains("0 is not in 1.."), "{}", none.err);
    let words = "the settings are not a JSON object: expected value";
    assert!(no_object.err.contains(words), "{}", no_object.err);
    assert_eq!((none.code, no_object.code), (Some(2), Some(2)));
}

#[tokio::test]
async fn providers_are_listed_with_what_they_say_of_themselves() {
    let folder = Folder::new("", &["stripe", "braintree", "dunning"]);
    let list = ["provider", "list", "--plugins"].map(std::ffi::OsString::from);
    let plugins = folder.0.path().join("plugins").into_os_string();

    let listed = hookgate(list.iter().cloned().chain([plugins])).await;
    let nobody = hookgate(list.into_iter().chain([folder.0.path().as_os_str().to_owned()])).await;

    assert!(listed.succeeded().starts_with("braintree "), "{}", listed.out);
    assert_eq!(listed.line("challenge"), "challenge GET");
    assert!(listed.line("scheme").contains("HMAC-SHA1"), "{}", listed.out);
    assert!(listed.out.contains("payment_intent.payment_failed"), "{}", listed.out);
    assert!(!listed.out.contains("dunning"), "a handler is no provider");
    nobody.failed_with("found no provider plugin in ");
}
