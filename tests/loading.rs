//! Plugin files that are slow, hostile or no files at all, and that they cost nobody but
//! themselves.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::{
    Harness, Process, Receiver, STRIPE_SECRET, Setup, payment, plugin_file, program, text,
    write_script,
};
use crate::malformed;
use crate::reload::edition;

/// Generous: what hangs takes for ever.
const SOON: Duration = Duration::from_secs(10);
/// How long the compiler takes over a file that bears [`SLOW`], unless it may go on: longer than
/// any test.
const COMPILING_SECONDS: u32 = 60;
const SLOW: &str = "compile me slowly";

fn built(name: &str) -> Vec<u8> {
    std::fs::read(plugin_file(name)).unwrap()
}

/// A plugin that the compiler takes a minute for.
fn slow(plugin: &str) -> Vec<u8> {
    let size = u8::try_from(1 + SLOW.len()).unwrap();
    let section = [&[0, size, size - 1][..], SLOW.as_bytes()].concat();
    [built(plugin), section].concat()
}

/// A compiler that is slow where it is told to, until [`go_on`].
fn slow_compiler(folder: &Path) -> PathBuf {
    let path = folder.join("compiler");
    let script = format!(
        "#!/bin/sh\nfile='{0}/'$$\ncat > \"$file\"\n\
         if grep -q '{SLOW}' \"$file\"; then\n\
         for second in $(seq {COMPILING_SECONDS}); do [ -e '{0}/go' ] || sleep 1; done\n\
         [ -e '{0}/go' ] || exit\n\
         fi\n\
         exec '{1}' \"$@\" < \"$file\"\n",
        folder.display(),
        program().display()
    );
    write_script(&path, &script);
    path
}

/// Lets the slow compiler in this folder go on.
fn go_on(folder: &Path) {
    std::fs::write(folder.join("go"), "").unwrap();
}

fn pipe(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// Asks until it is so, which must be soon.
async fn eventually<F: Future<Output = bool>>(what: &str, mut is: impl FnMut() -> F) {
    let wait = async { while !is().await {} };
    timeout(SOON, wait).await.unwrap_or_else(|_| panic!("it takes too long until {what}"));
}

async fn accepts(gateway: &Harness, secret: &str, id: &str) -> bool {
    gateway.stripe_with(secret, &payment(id, "pi_1", "payment_failed")).await.status == 200
}

async fn run(args: &[&str]) -> (Option<i32>, String) {
    let ran = tokio::process::Command::new(program()).args(args).output();
    let ran = timeout(SOON * 3, ran).await.expect("it ends").unwrap();
    (ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned())
}

/// Guards I12.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
pub(crate) async fn a_file_that_kills_the_compiling_process_is_refused_and_all_else_runs_on() {
    let deadly = tokio::task::spawn_blocking(malformed::deadly).await.unwrap();
    let gateway = Setup::stripe().compiled_apart().start().await;

    gateway.drop_plugin("deadly", &deadly);
    gateway.reload().await;
    let refused = gateway.plugin("deadly").await;
    let running = accepts(&gateway, STRIPE_SECRET, "evt_1").await;
    let gateway = gateway.restart().await;
    let again = gateway.plugin("deadly").await;
    let file = gateway.folder().join("plugins/deadly.wasm");
    let inspected = run(&["plugin", "inspect", file.to_str().unwrap()]).await;
    let config = gateway.folder().join("hookgate.toml");
    let checked = run(&["check", "--config", config.to_str().unwrap()]).await;

    let reason = text(&refused["refused"]);
    assert!(reason.starts_with("the file crashed the process that compiles it"), "{reason}");
    assert_eq!(again["refused"], refused["refused"], "remembered, word for word");
    assert!(running && accepts(&gateway, STRIPE_SECRET, "evt_2").await);
    for (code, said) in [inspected, checked] {
        assert_eq!(code, Some(1), "{said}");
    }
}

/// Guards I12.
#[tokio::test]
pub(crate) async fn what_is_no_file_hangs_neither_start_nor_reload_nor_stop() {
    let prepared = Setup::stripe().prepare();
    let plugins = prepared.folder().join("plugins");
    pipe(&plugins.join("pipe.wasm"));
    std::fs::create_dir(plugins.join("folder.wasm")).unwrap();
    let gateway = timeout(SOON, prepared.start()).await.expect("it starts");

    pipe(&plugins.join("another.wasm"));
    timeout(SOON, gateway.reload()).await.expect("it reloads");
    let refused = [
        ("pipe", "the file is a named pipe, not a regular file"),
        ("another", "the file is a named pipe, not a regular file"),
        ("folder", "the file is a directory, not a regular file"),
    ];
    for (name, reason) in refused {
        assert_eq!(gateway.plugin(name).await["refused"], reason);
    }
    gateway.reconfigure(|config| config.replace(STRIPE_SECRET, "whsec_another")).await;
    assert!(accepts(&gateway, "whsec_another", "evt_1").await);
    timeout(SOON, gateway.stop()).await.expect("it stops");
}

/// Guards I11.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
pub(crate) async fn a_slow_compilation_holds_up_nothing_else() {
    let receiver = Receiver::start().await;
    let folder = tempfile::tempdir().unwrap();
    let prepared = Setup::stripe()
        .compiled_by(slow_compiler(folder.path()))
        .source("slow", "slow", "verify = \"none\"")
        .endpoint("crm", &receiver, &["customer.*"])
        .table("[handlers.dunning]\nendpoints = [\"crm\"]")
        .prepare();
    std::fs::write(prepared.folder().join("plugins/slow.wasm"), slow("stripe")).unwrap();

    let gateway = timeout(SOON * 2, prepared.start()).await.expect("it starts");
    let unready = gateway.ask("/readyz").await;
    eventually("the others are there", async || accepts(&gateway, STRIPE_SECRET, "evt_1").await)
        .await;
    gateway.rewrite_config(|config| config.replace(STRIPE_SECRET, "whsec_another"));
    eventually("a secret is rotated", async || accepts(&gateway, "whsec_another", "evt_2").await)
        .await;
    gateway.drop_plugin("dunning", &edition(&built("dunning"), 1));
    eventually("another plugin is there", async || {
        gateway.plugin("dunning").await["handler"].is_string()
    })
    .await;

    let missing = text(&unready.json()["missing"][0]);
    assert_eq!(missing, "source slow: plugin slow is not loaded yet: the file is still compiling");
    assert_eq!(unready.json()["reasons"][0]["name"], "plugin_loading");
    assert_eq!(gateway.plugin("slow").await["loading"], true);
    timeout(SOON, gateway.stop()).await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_compiles_the_plugins_that_the_configuration_names_before_all_others() {
    let folder = tempfile::tempdir().unwrap();
    let prepared =
        Setup::stripe().handler("dunning", "").compiled_by(slow_compiler(folder.path())).prepare();
    // More than are compiled at a time, and before the others by their names.
    for number in 1..=4 {
        let file = format!("plugins/a-slow-{number}.wasm");
        std::fs::write(prepared.folder().join(file), slow("stripe")).unwrap();
    }

    let gateway = timeout(SOON * 2, prepared.start()).await.expect("it starts");
    eventually("the provider is there", async || accepts(&gateway, STRIPE_SECRET, "evt_1").await)
        .await;
    eventually("the handler is there", async || {
        gateway.plugin("dunning").await["handler"].is_string()
    })
    .await;

    for number in 1..=4 {
        let slow = gateway.plugin(&format!("a-slow-{number}")).await;
        assert_eq!(slow["loading"], true, "{slow}");
    }
    timeout(SOON, gateway.stop()).await.expect("it stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_waits_for_a_handler_that_is_still_being_compiled_at_the_start() {
    let receiver = Receiver::start().await;
    let folder = tempfile::tempdir().unwrap();
    let prepared = Setup::stripe()
        .compiled_by(slow_compiler(folder.path()))
        .endpoint("crm", &receiver, &["customer.*"])
        .handler("dunning", "endpoints = [\"crm\"]")
        .prepare();
    std::fs::write(prepared.folder().join("plugins/dunning.wasm"), slow("dunning")).unwrap();

    let gateway = timeout(SOON * 2, prepared.start()).await.expect("it starts");
    eventually("the provider is there", async || accepts(&gateway, STRIPE_SECRET, "evt_1").await)
        .await;
    // An event that did not wait would be parsed by now, and gone past the handler.
    let unparsed = gateway.events("").await;
    go_on(folder.path());
    let notified = timeout(SOON * 3, receiver.arrived(1)).await;

    assert!(unparsed.is_empty(), "{unparsed:?}");
    assert!(notified.is_ok(), "the handler never got the event");
    timeout(SOON, gateway.stop()).await.expect("it stops");
}

/// Guards I11. Without `has_provider` in `Live::start` it takes as long as a start waits for any
/// compiler, which is five seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_whose_plugin_is_compiled_already_accepts_at_once_while_another_compiles() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Setup::stripe()
        .compiled_by(slow_compiler(folder.path()))
        .source("slow", "slow", "verify = \"none\"")
        .start()
        .await;
    eventually("it is compiled", async || accepts(&gateway, STRIPE_SECRET, "evt_1").await).await;
    let stopped = gateway.stop().await;
    std::fs::write(stopped.folder().join("plugins/slow.wasm"), slow("stripe")).unwrap();

    let began = Instant::now();
    let gateway = stopped.start().await;
    let took = began.elapsed();
    let answer = gateway.stripe(&payment("evt_2", "pi_1", "payment_failed")).await;

    answer.accepted();
    assert_eq!(gateway.plugin("slow").await["loading"], true);
    assert!(took < Duration::from_secs(5), "{took:?}");
    timeout(SOON, gateway.stop()).await.expect("it stops");
}

/// Guards I12.
#[tokio::test]
async fn the_wrong_settings_of_one_source_stop_that_source_only() {
    let receiver = Receiver::start().await;
    let wrong = "config = { refuse = \"it is wrong\" }";
    let gateway = Setup::guest()
        .source("wrong", "guest", &format!("verify = \"none\"\n{wrong}"))
        .endpoint("crm", &receiver, &["guest.*"])
        .start()
        .await;

    let refused = gateway.post("wrong", &[], json!({ "id": "1" }).to_string()).await;
    gateway.guest(&json!({ "id": "2" })).await.accepted();
    receiver.arrived(1).await;
    let unready = gateway.ask("/readyz").await;
    let stopped = gateway.plugin("guest").await["stopped"].clone();
    gateway.reconfigure(|config| config.replace(wrong, "")).await;
    let taken = gateway.post("wrong", &[], json!({ "id": "3" }).to_string()).await;

    // What stands in the configuration is not repeated.
    let reason = "plugin guest refuses the config of [sources.wrong]: (hidden)";
    assert_eq!((refused.status, unready.status), (503, 503));
    assert_eq!(unready.json()["missing"], json!([format!("source wrong: {reason}")]));
    assert_eq!(unready.json()["reasons"][0]["name"], "source_stopped");
    assert_eq!(stopped, json!([reason]));
    taken.accepted();
    assert_eq!(gateway.ask("/readyz").await.status, 200);
    assert_eq!(gateway.plugin("guest").await["stopped"], json!([]));
}

#[tokio::test]
async fn a_handler_in_the_place_of_a_provider_is_named() {
    let setup = Setup::new().plugin("dunning").source("cards", "dunning", "verify = \"none\"");
    let gateway = setup.start().await;

    let unready = gateway.ask("/readyz").await;

    let missing = "source cards: plugin dunning is not a provider";
    assert_eq!(unready.json()["missing"], json!([missing]));
    assert_eq!(unready.json()["reasons"][0]["name"], "not_a_provider");
}

#[tokio::test]
async fn a_plugin_that_may_load_later_is_told_of_once() {
    let gateway = Setup::stripe().start().await;
    gateway.drop_plugin("chat", &built("dunning"));
    let file = gateway.folder().join("plugins/chat.wasm");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o000)).unwrap();
    if std::fs::read(&file).is_ok() {
        // Who may read everything can't see this.
        return;
    }

    gateway.reload().await;
    let refused = gateway.plugin("chat").await;
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    gateway.reload().await;

    assert_eq!(refused["refused"], "failed to read the file: Permission denied (os error 13)");
    assert_eq!(gateway.plugin("chat").await["refused"], Value::Null);
}

#[tokio::test]
async fn deadlines_change_without_a_restart() {
    let gateway = Setup::guest().start().await;
    let short = "handle_deadline = \"50ms\"";
    gateway.reconfigure(|config| config.replace("handle_deadline = \"10s\"", short)).await;

    gateway.guest(&json!({ "id": "1", "do": "spin" })).await.accepted();
    timeout(SOON, gateway.settle()).await.expect("it is stopped before the old deadline");

    let run = crate::harness::run_of(&gateway.event("1").await, "guest");
    let reasons = crate::harness::reasons(&run["tries"]);
    assert_eq!(reasons, ["the plugin did not return within 50 ms"]);
}

#[tokio::test]
async fn sighup_reloads() {
    let mut gateway = Process::start(Setup::stripe().prepare()).await;
    let config = gateway.stopped().folder().join("hookgate.toml");
    let whole = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, whole.replace("[sources.stripe]", "[sources.billing]")).unwrap();

    gateway.hang_up();
    gateway.log.fields(["config"]).await;

    assert_eq!(gateway.stripe(&payment("evt_1", "pi_1", "payment_failed")).await.status, 404);
    gateway.terminate().await;
}

/// Guards I9.
#[tokio::test]
async fn a_build_that_is_no_good_leaves_the_plugin_that_was_there() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let crate_dir = folder.path().join("chat");
    std::fs::create_dir_all(crate_dir.join("src")).unwrap();
    let manifest = "[package]\nname = \"chat\"\nedition = \"2024\"\n[lib]\n\
                    crate-type = [\"cdylib\"]\n[workspace]\n";
    std::fs::write(crate_dir.join("Cargo.toml"), manifest).unwrap();
    let code = "#[unsafe(no_mangle)]\npub extern \"C\" fn nothing() {}\n";
    std::fs::write(crate_dir.join("src/lib.rs"), code).unwrap();
    let there = out.path().join("chat.wasm");
    std::fs::write(&there, b"the last good one").unwrap();

    let build = ["plugin", "build", crate_dir.to_str().unwrap(), "--out"];
    let build = [&build[..], &[out.path().to_str().unwrap()]].concat();
    let ran = tokio::process::Command::new(program()).args(build).output().await.unwrap();

    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(1), "{said}");
    let reason = "the module has no component type: build it with the Hookgate SDK";
    assert!(said.contains(reason), "{said}");
    assert_eq!(std::fs::read(&there).unwrap(), b"the last good one");
    assert_eq!(out.path().read_dir().unwrap().count(), 1);
}
