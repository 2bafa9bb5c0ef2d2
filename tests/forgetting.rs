//! A subject is forgotten: nothing shows what was known, no file in the data folder and no backup
//! has it, whenever the gateway is killed, and ids still tell duplicates.

use std::path::Path;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::harness::{Answer, GUEST_TOKEN, Process, Ran, Receiver, Setup, answer, program, text};

/// Without four bytes in a row that stand elsewhere: a compressed text holds them as they are.
const PLANTED: &str = "Zq8vXw3KpJ9mYd4uTzRb";
const SUBJECT: &str = "cus_W2nQe7gHs";
/// Of another subject: what looks for the others finds it.
const CONTROL: &str = "5105GxVb81Lf0sPo";

/// Kills, each while the erasure goes on or begins to.
const KILLS: usize = 4;
/// Events of each subject and kind.
const EACH: usize = 12;

async fn hookgate(args: &[&str]) -> Ran {
    Ran::of(Command::new(program()).args(args)).await
}

fn name(path: &Path) -> &str {
    path.to_str().expect("a temporary folder has a name of text")
}

async fn post(gateway: &Process, command: &Value) -> Answer {
    let url = format!("{}/in/guest?name={}", gateway.public(), text(&command["text"]));
    answer(gateway.client().post(url).header("x-token", GUEST_TOKEN).body(command.to_string()))
        .await
}

/// What a handler is asked to do with events of a subject that say this, and whose ids begin so.
fn commands(ids: &str, subject: &str, said: &str) -> Vec<Value> {
    let acts = ["emit", "send", "log", "alert", "state", "fail"];
    let numbered = acts.iter().cycle().take(acts.len() * EACH).enumerate();
    let command = |(number, act): (usize, &&str)| {
        json!({
            "id": format!("{ids}-{number}"), "type": "order.paid", "subject": subject,
            "do": act, "endpoint": "crm", "text": said, "reason": said, "key": said,
            "data": { "name": said }, "labels": { "name": said },
        })
    };
    numbered.map(command).collect()
}

/// The files of a folder that hold this as it is.
fn files_with(folder: &Path, wanted: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in folder.read_dir().expect("it is a folder").map(Result::unwrap) {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        if bytes.windows(wanted.len()).any(|window| window == wanted.as_bytes()) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}

/// All that the API shows of all events, their receipts, and what is dead.
async fn shown(gateway: &Process) -> String {
    let mut shown = String::new();
    for event in gateway.events().await {
        shown += &event.to_string();
        shown += &gateway.ask(&format!("/v1/events/{}", text(&event["id"]))).await.body;
        if let Some(receipt) = event["receipt"].as_str() {
            shown += &gateway.ask(&format!("/v1/receipts/{receipt}")).await.body;
        }
    }
    for list in ["/v1/dead", "/v1/deliveries", "/v1/audit", "/v1/erasures"] {
        let page = gateway.ask(&format!("{list}?limit=500")).await;
        shown += &if list == "/v1/erasures" { gateway.ask(list).await.body } else { page.body };
    }
    shown
}

/// Waits until the erasure with this id is done.
async fn done(gateway: &Process, id: &str) -> Value {
    loop {
        let erasure = gateway.ask(&format!("/v1/erasures/{id}")).await.json();
        if erasure["state"] == "done" {
            return erasure;
        }
    }
}

/// The second half of the bar. Leave out `leave_before` or `overwrite` of the erasure, or keep a
/// text of a record in `blanked`, and it is found.
#[tokio::test]
async fn nothing_that_is_forgotten_is_shown_or_kept_wherever_the_gateway_is_killed() {
    let receiver = Receiver::start().await;
    let prepared = Setup::guest()
        .endpoint("crm", &receiver, &["order.*"])
        .table("[handlers.guest]\nendpoints = [\"crm\"]")
        .prepare();
    let mut gateway = Process::start(prepared).await;
    let (known, others) = (commands("a", SUBJECT, PLANTED), commands("b", "cus_0", CONTROL));
    for (known, other) in known.iter().zip(&others) {
        receiver.answer_saying(200, format!("thanks, {PLANTED}"));
        post(&gateway, known).await.accepted();
        gateway.settle().await;
        receiver.answer_saying(200, "thanks".to_owned());
        post(&gateway, other).await.accepted();
        gateway.settle().await;
    }
    let data = gateway.stopped().folder().join("data");
    let before = shown(&gateway).await;
    for said in [PLANTED, CONTROL, SUBJECT] {
        assert!(before.contains(said) && !files_with(&data, said).is_empty(), "{said} is there");
    }

    let refused = hookgate(&["subject", "forget", SUBJECT, "--admin", gateway.admin()]).await;
    assert_eq!(refused.code, Some(2), "nobody can be asked: {}", refused.err);
    let args = ["subject", "forget", SUBJECT, "--yes", "--json", "--admin", gateway.admin()];
    let begun: Value = serde_json::from_str(hookgate(&args).await.succeeded()).unwrap();
    let id = text(&begun["id"]);
    for _ in 0..KILLS {
        let stopped = gateway.kill().await;
        gateway = Process::start(stopped).await;
    }
    let erasure = done(&gateway, &id).await;

    assert_eq!((&erasure["damaged"], &erasure["state_kept"]), (&json!(0), &json!(false)));
    let after = shown(&gateway).await;
    let backup = gateway.stopped().folder().join("later.backup");
    hookgate(&["backup", name(&backup), "--gateway", gateway.admin()]).await.succeeded();
    for said in [PLANTED, SUBJECT] {
        assert!(!after.contains(said), "{said} is shown: {after}");
        assert_eq!(files_with(&data, said), Vec::<String>::new(), "{said}");
        assert!(!files_with(backup.parent().unwrap(), said).contains(&"later.backup".to_owned()));
    }
    assert!(after.contains(CONTROL) && after.contains("erase a subject"), "{after}");
    for command in known.iter().chain(&others) {
        assert!(post(&gateway, command).await.is_duplicate(), "{command}");
    }
    let stopped = gateway.terminate().await;
    let config = stopped.folder().join("hookgate.toml");
    let sound = hookgate(&["store", "check", name(&data)]).await;
    assert_eq!(sound.succeeded().lines().last(), Some("the store is sound"), "{}", sound.out);
    let exported = hookgate(&["store", "export", "--config", name(&config)]).await;
    let exported = exported.succeeded();
    assert!(!exported.contains(PLANTED) && exported.contains(CONTROL), "{exported}");
}

/// Leave `forget` of the refused requests out of `Erasing::done`, and one of them has it still.
#[tokio::test]
async fn at_the_end_no_request_is_shown_that_a_source_has_refused() {
    let gateway = Process::start(Setup::guest().prepare()).await;
    let forged = gateway.client().post(format!("{}/in/guest", gateway.public()));
    let body = json!({ "id": "1", "text": PLANTED }).to_string();
    let forged = answer(forged.header("x-token", "forged").body(body)).await;
    assert_eq!(forged.status, 401, "{}", forged.body);
    let refused = "/v1/sources/guest/refused";
    assert!(gateway.ask(refused).await.body.contains(PLANTED));

    let path = format!("/v1/subjects/{SUBJECT}/forget");
    assert_eq!(gateway.tell(&path, &json!({})).await.status, 202);
    while !gateway.ask("/v1/audit").await.body.contains("erase a subject") {}

    let left = gateway.ask(refused).await.body;
    assert!(!left.contains(PLANTED), "{left}");
}
