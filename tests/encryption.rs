//! The store's log encrypted under the master key: what came in is nowhere on the disk as it was,
//! and everything that needs it still has it.

use std::path::Path;

use tokio::process::Command;

use crate::harness::{Harness, Process, Ran, Receiver, Setup, Stopped, payment, program};

/// Stands in a body, and in no field that the rows of the store know.
const PLANTED: &str = "4539578763621486";

fn write_key(stopped: &Stopped, file: &str, byte: &str) {
    std::fs::write(stopped.folder().join(file), byte.repeat(32)).expect("it can be written");
}

fn prepare(setup: Setup, encrypts: bool) -> Stopped {
    let prepared = setup
        .line(&format!("encrypt_bodies = {encrypts}"))
        .line("master_key = { file = \"master\" }")
        .prepare();
    write_key(&prepared, "master", "5a");
    prepared
}

fn planted(id: &str) -> String {
    payment(id, "pi_1", "succeeded").replacen('{', &format!("{{\"card\":\"{PLANTED}\","), 1)
}

/// The files of the store that hold this text as it is.
fn holding(stopped: &Stopped, text: &str) -> Vec<String> {
    let holds = |path: &Path| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    let files = stopped.store_files();
    files.iter().filter(|path| holds(path)).map(|path| path.display().to_string()).collect()
}

async fn check(place: &Path) -> Ran {
    Ran::of(Command::new(program()).args(["store", "check"]).arg(place)).await
}

async fn bodies(gateway: &Harness) -> String {
    let mut bodies = String::new();
    for event in gateway.events("").await {
        let id = event["receipt"].as_str().unwrap_or_default();
        bodies += &gateway.ask(&format!("/v1/receipts/{id}")).await.body;
    }
    bodies
}

/// Have the writer of volumes pass the seal by, and the card is on the disk.
#[tokio::test]
async fn what_came_in_is_nowhere_on_the_disk_as_it_was_and_is_delivered_all_the_same() {
    let receiver = Receiver::start().await;
    let plain = prepare(Setup::stripe(), false).start().await;
    plain.stripe(&planted("evt_1")).await.accepted();
    assert!(!holding(&plain.stop().await, PLANTED).is_empty(), "what looks for it finds it");

    let setup = Setup::stripe().endpoint("crm", &receiver, &["*"]);
    let gateway = prepare(setup, true).start().await;
    gateway.stripe(&planted("evt_1")).await.accepted();
    gateway.settle().await;
    let stopped = gateway.stop().await;

    assert!(holding(&stopped, PLANTED).is_empty(), "{:?}", holding(&stopped, PLANTED));
    let gateway = stopped.start().await;
    assert!(gateway.stripe(&planted("evt_1")).await.is_duplicate());
    assert!(bodies(&gateway).await.contains(PLANTED));
}

#[tokio::test]
async fn the_check_needs_the_key_and_says_so() {
    let gateway = prepare(Setup::stripe(), true).start().await;
    gateway.stripe(&planted("evt_1")).await.accepted();
    gateway.settle().await;
    let stopped = gateway.stop().await;

    let whole = check(&stopped.folder().join("hookgate.toml")).await;
    let shut = check(&stopped.folder().join("data")).await;

    assert!(whole.succeeded().contains("the store is sound"), "{}", whole.out);
    assert_eq!(shut.code, Some(2), "{}\n{}", shut.out, shut.err);
    assert!(shut.err.contains("segments are encrypted"), "{}", shut.err);
    assert!(!shut.out.contains("the store is sound"), "{}", shut.out);
}

/// Leave the volumes out of what is sealed again, and the last start fails.
#[tokio::test]
async fn after_a_change_of_the_master_key_the_old_one_may_go() {
    let prepared = prepare(Setup::stripe(), true);
    write_key(&prepared, "next", "6b");
    let file = prepared.folder().join("hookgate.toml");
    let replace = |from: &str, to: &str| {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{text}");
        // As `mv` does: who watches the file never sees a part of it.
        let partial = file.with_extension("partial");
        std::fs::write(&partial, text.replace(from, to)).unwrap();
        std::fs::rename(partial, &file).unwrap();
    };
    let both = "[{ file = \"next\" }, { file = \"master\" }]";
    let loudly = |command: &mut Command| {
        command.env("RUST_LOG", "info");
    };
    let mut gateway = Process::start_with(prepared, loudly).await;
    gateway.stripe(&planted("evt_1")).await.accepted();
    replace("{ file = \"master\" }", both);
    gateway.hang_up();
    gateway.log.says("sealed the keys of the store's volumes").await;
    gateway.stripe(&planted("evt_2")).await.accepted();
    gateway.settle().await;
    let stopped = gateway.terminate().await;
    replace(both, "{ file = \"next\" }");

    let gateway = Process::start_with(stopped, loudly).await;
    for id in ["evt_1", "evt_2"] {
        assert!(gateway.stripe(&planted(id)).await.is_duplicate(), "{id}");
    }
    assert_eq!(gateway.events().await.len(), 2);
    gateway.terminate().await;
}
