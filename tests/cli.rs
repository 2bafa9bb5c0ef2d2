//! The `hookgate` command as a person types it: the real program, its exit code and its words.

mod audit;
mod canary;
mod config;
mod configuration;
mod dead;
mod delivery;
mod endpoint;
mod event;
mod listen;
mod exit;
mod mcp;
mod output;
mod plugin;
mod recorded;
mod rehearsal;
mod replay;
mod send;
mod setup;
mod socket;
mod status;
mod store;
mod terminal;
mod token;

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::process::Command;

use crate::harness::{Ran, Setup, payment, plugin_file, program};

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
