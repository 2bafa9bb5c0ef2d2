//! Two versions of one handler beside each other: which subjects the next one gets, and how it is
//! promoted or dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{
    Answer, Flow, Harness, Receiver, Setup, plugin_file, run_of, stands, text, texts,
};
use crate::reload::edition;
use crate::waiting::A_DAY;

/// What the guest's file has, with the number of its edition.
const MARK: &[u8] = b"guest-edition:";

/// The guest as another file, whose handler fails on one in as many events, or on none if that is
/// 0.
pub(crate) fn guest(one_in: u16, number: u8) -> Vec<u8> {
    let mut wasm = std::fs::read(plugin_file("guest")).unwrap();
    let places: Vec<usize> = (0..wasm.len() - MARK.len() - 4)
        .filter(|at| wasm[*at..].starts_with(MARK))
        .map(|at| at + MARK.len())
        .collect();
    let [at] = places[..] else { panic!("the mark is in the file once: {places:?}") };
    wasm[at..at + 4].copy_from_slice(format!("{one_in:04}").as_bytes());
    edition(&wasm, number)
}

fn digest(wasm: &[u8]) -> String {
    hex::encode(Sha256::digest(wasm))
}

/// The source `guest` and its plugin, and a rule by which its canary gets subjects.
pub(crate) fn setup(canary: &str) -> Setup {
    let table = format!("[plugins]\nfolder = \"plugins\"\n[plugins.guest]\ncanary = {canary}");
    Setup::guest().without("plugins = \"plugins\"").table(&table)
}

fn file(gateway: &Harness, stem: &str) -> PathBuf {
    gateway.folder().join(format!("plugins/{stem}.wasm"))
}

/// Puts the next version of the guest into the folder, and gives its digest.
pub(crate) async fn drop_next(gateway: &Harness, wasm: &[u8]) -> String {
    gateway.drop_plugin("guest@next", wasm);
    gateway.reload().await;
    let row = gateway.plugin("guest@next").await;
    assert_eq!((&row["canary_of"], &row["refused"]), (&json!("guest"), &Value::Null), "{row}");
    assert_eq!(row["digest"], digest(wasm), "{row}");
    digest(wasm)
}

async fn canary(gateway: &Harness) -> Value {
    let answer = gateway.ask("/v1/plugins/guest/canary").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

async fn act(gateway: &Harness, what: &str) -> Answer {
    gateway.tell(&format!("/v1/plugins/guest/canary/{what}"), &json!({})).await
}

/// The digests of the versions that a run got, one for each try.
fn versions_of(run: &Value) -> Vec<String> {
    let tries = run["tries"].as_array().into_iter().flatten();
    tries.map(|tried| text(&tried["plugin"]["digest"])).collect()
}

/// The same of the run on an event.
async fn versions(gateway: &Harness, id: &str) -> Vec<String> {
    versions_of(&run_of(&gateway.event(id).await, "guest"))
}

/// Posts an event of each of these subjects, lets all of them happen, and gives the version that
/// ran on each.
async fn round(gateway: &Harness, round: usize, subjects: usize) -> BTreeMap<usize, String> {
    for subject in 0..subjects {
        let id = format!("evt_{round}_{subject}");
        let command = json!({ "id": id, "subject": format!("pi_{subject}"), "do": "state" });
        gateway.guest(&command).await.accepted();
    }
    gateway.settle().await;
    let mut ran = BTreeMap::new();
    for subject in 0..subjects {
        let versions = versions(gateway, &format!("evt_{round}_{subject}")).await;
        assert_eq!(versions.len(), 1, "it ran once: {versions:?}");
        ran.insert(subject, versions[0].clone());
    }
    ran
}

/// Without `takes` in `version_for` the canary gets nothing; without the hash of the subject in
/// `Share::takes` it gets others after the restart.
#[tokio::test]
async fn a_canary_gets_its_share_of_the_subjects_the_same_after_a_restart_and_on_the_same_state() {
    let gateway = setup("{ share = \"50%\" }").start().await;
    let live = digest(&std::fs::read(plugin_file("guest")).unwrap());
    let next = drop_next(&gateway, &guest(0, 1)).await;
    let first = round(&gateway, 1, 30).await;
    let both: BTreeSet<String> = first.values().cloned().collect();
    assert_eq!(both, BTreeSet::from([live, next.clone()]), "each has some");

    let gateway = gateway.restart().await;
    let second = round(&gateway, 2, 30).await;
    assert_eq!(first, second);
    for subject in 0..30 {
        let run = run_of(&gateway.event(&format!("evt_2_{subject}")).await, "guest");
        assert_eq!(texts(&run["tries"][0]["log"], "message"), ["2"], "both see one state");
    }

    let of_next = first.values().filter(|version| **version == next).count() * 2;
    let shown = canary(&gateway).await;
    assert_eq!((&shown["digest"], &shown["verdict"]), (&json!(next), &json!("running")));
    assert_eq!(shown["canary"]["runs"], of_next, "a restart forgets no run: {shown}");
    assert_eq!(shown["live"]["runs"], 60 - of_next, "{shown}");
    assert_eq!(shown["selection"], "50% of the subjects");
}

/// Whoever runs on a subject: only ever the next of these versions, in this order.
fn check_order(order: &[&str], ran: &[String]) {
    let mut left = order.iter();
    let mut now = left.next();
    for version in ran {
        while now.is_some_and(|it| *it != version.as_str()) {
            now = left.next();
        }
        assert!(now.is_some(), "{ran:?} is not in the order of {order:?}");
    }
}

/// Guards I9. Without the end of the next version in `Registry::insert`, or with the look at what
/// is gone before the look at what is new, subjects go back to the old version in between.
#[tokio::test]
async fn no_subject_flaps_and_nothing_runs_twice_while_canaries_come_and_go() {
    const SUBJECTS: usize = 12;
    let gateway = Arc::new(setup("{ share = \"50%\" }").start().await);
    let flowing = gateway.clone();
    let mut flow = Flow::start(move |number| {
        let gateway = flowing.clone();
        let subject = format!("pi_{}", number % SUBJECTS);
        async move {
            let command = json!({ "id": format!("evt_{number}"), "subject": subject });
            gateway.guest(&command).await
        }
    });
    let live = digest(&std::fs::read(plugin_file("guest")).unwrap());
    flow.answers(2 * SUBJECTS).await;

    let by_api = drop_next(&gateway, &guest(0, 1)).await;
    flow.answers(2 * SUBJECTS).await;
    let promoted = act(&gateway, "promote").await;
    assert_eq!(promoted.status, 200, "{}", promoted.body);
    let promoted = promoted.json();
    assert_eq!((&promoted["verdict"], &promoted["by"]), (&json!("promoted"), &json!("the API")));
    assert!(!file(&gateway, "guest@next").exists(), "its file has another name");
    assert_eq!(gateway.plugin("guest").await["digest"], by_api);
    flow.answers(2 * SUBJECTS).await;

    let by_rename = drop_next(&gateway, &guest(0, 2)).await;
    flow.answers(2 * SUBJECTS).await;
    std::fs::rename(file(&gateway, "guest@next"), file(&gateway, "guest")).unwrap();
    gateway.reload().await;
    let renamed = canary(&gateway).await;
    assert_eq!((&renamed["verdict"], &renamed["by"]), (&json!("promoted"), &json!("the files")));
    assert_eq!(gateway.plugin("guest@next").await, Value::Null);
    flow.answers(2 * SUBJECTS).await;

    let dropped = drop_next(&gateway, &guest(0, 3)).await;
    flow.answers(2 * SUBJECTS).await;
    assert_eq!(act(&gateway, "drop").await.json()["verdict"], "dropped_by_operator");
    gateway.reload().await;
    assert!(file(&gateway, "guest@next").with_extension("wasm.dropped").exists());
    flow.answers(2 * SUBJECTS).await;
    let answers = flow.end().await;
    gateway.settle().await;

    let order = [&live, &by_api, &by_rename, &dropped, &by_rename].map(String::as_str);
    let mut ran: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let events = gateway.events("").await;
    assert_eq!(events.len(), answers.len());
    for event in events {
        let shown = gateway.ask(&format!("/v1/events/{}", text(&event["id"]))).await.json();
        let run = run_of(&shown, "guest");
        assert_eq!(stands(&run), ("done", 1), "once, without a failure");
        let number: usize = text(&event["event_id"])["evt_".len()..].parse().unwrap();
        ran.entry(number % SUBJECTS).or_default().extend(versions_of(&run));
    }
    ran.values().for_each(|ran| check_order(&order, ran));
    let all: BTreeSet<&String> = ran.values().flatten().collect();
    assert_eq!(all.len(), 4, "each version ran");
}

/// Without the look at `dropped` in `takes` the canary gets more runs; without the row in the store
/// it is a canary again after the restart.
#[tokio::test]
async fn a_canary_that_fails_more_is_dropped_stays_so_and_what_it_broke_the_live_one_does() {
    let receiver = Receiver::start().await;
    let gateway = setup("{ share = \"50%\" }")
        .endpoint("ops", &receiver, &["hookgate.plugin.canary"])
        .start()
        .await;
    let bad = guest(1, 1);
    let next = drop_next(&gateway, &bad).await;
    for number in 0..120 {
        let command = json!({ "id": format!("evt_{number}"), "subject": format!("pi_{number}") });
        gateway.guest(&command).await.accepted();
    }
    gateway.settle().await;
    gateway.reload().await;

    let shown = canary(&gateway).await;
    assert_eq!(shown["verdict"], "dropped_by_test", "{shown}");
    assert_eq!(shown["canary"]["runs"], shown["canary"]["failures"], "{shown}");
    assert!(shown["canary"]["runs"].as_u64().is_some_and(|runs| runs <= 100), "{shown}");
    assert_eq!(gateway.plugin("guest@next").await, Value::Null);
    gateway.advance(A_DAY).await;
    let mut tried_again = 0;
    for number in 0..120 {
        let versions = versions(&gateway, &format!("evt_{number}")).await;
        assert_ne!(versions.last(), Some(&next), "the live version did it");
        tried_again += u64::from(versions.len() > 1);
    }
    // Those that were on their way when it was dropped count no more, and are tried again too.
    assert!(shown["canary"]["runs"].as_u64().is_some_and(|runs| runs <= tried_again), "{shown}");
    assert_eq!(gateway.dead().await, Vec::<Value>::new());

    let told = receiver.arrived(1).await[0].json()["data"].clone();
    assert_eq!((&told["plugin"], &told["verdict"]), (&json!("guest"), &json!("dropped_by_test")));
    assert!(text(&told["reason"]).contains("Fisher's exact test"), "{told}");
    let metrics = gateway.ask("/metrics").await.body;
    let series = "hookgate_canary_verdicts_total{handler=\"guest\",verdict=\"dropped_by_test\"} 1";
    assert!(metrics.contains(series), "{metrics}");
    loop {
        // It is written down beside everything else.
        let entries = gateway.ask("/v1/audit?limit=500").await.json();
        let of = |entry: &&Value| entry["what"] == "canary of guest";
        if let Some(entry) = entries["items"].as_array().into_iter().flatten().find(of) {
            let [who, outcome] = ["who", "outcome"].map(|key| text(&entry[key]));
            assert_eq!((who.as_str(), outcome.as_str()), ("the gateway", "dropped_by_test"));
            break;
        }
    }

    let aside = file(&gateway, "guest@next").with_extension("wasm.dropped");
    std::fs::rename(aside, file(&gateway, "guest@next")).unwrap();
    let gateway = gateway.restart().await;
    let row = gateway.plugin("guest@next").await;
    let reason = text(&row["refused"]);
    assert!(reason.starts_with("this version was dropped as a canary"), "{row}");
    assert!(!round(&gateway, 1, 12).await.values().any(|version| *version == next));
    assert_eq!(canary(&gateway).await["verdict"], "dropped_by_test");
    // Another file is another canary.
    drop_next(&gateway, &guest(0, 2)).await;
    assert_eq!(canary(&gateway).await["verdict"], "running");
}

/// Without `end_missing_canaries` it is said to run for ever.
#[tokio::test]
async fn what_became_of_the_files_while_the_gateway_was_stopped_is_seen_at_the_start() {
    let gateway = setup("{ share = \"50%\" }").start().await;
    let next = drop_next(&gateway, &guest(0, 1)).await;
    let (from, to) = (file(&gateway, "guest@next"), file(&gateway, "guest"));
    let stopped = gateway.stop().await;
    std::fs::rename(from, to).unwrap();
    let gateway = stopped.start().await;
    let promoted = canary(&gateway).await;
    assert_eq!((&promoted["digest"], &promoted["verdict"]), (&json!(next), &json!("promoted")));

    drop_next(&gateway, &guest(0, 2)).await;
    let gone = file(&gateway, "guest@next");
    let stopped = gateway.stop().await;
    std::fs::remove_file(gone).unwrap();
    let gateway = stopped.start().await;
    assert_eq!(canary(&gateway).await["verdict"], "removed");
}

/// Guards I9. Without the look at `@next` in `registered` the bad file takes the good one away.
#[tokio::test]
async fn a_bad_next_file_changes_nothing_and_a_provider_is_no_canary() {
    let stripe = std::fs::read(plugin_file("stripe")).unwrap();
    let gateway = setup("{ share = \"50%\" }").plugin("stripe").start().await;
    let next = drop_next(&gateway, &guest(0, 1)).await;
    let before = round(&gateway, 1, 12).await;

    gateway.drop_plugin("guest@next", b"not a plugin");
    gateway.reload().await;
    let row = gateway.plugin("guest@next").await;
    assert_eq!((&row["digest"], &row["canary_of"]), (&json!(next), &json!("guest")), "{row}");
    assert!(text(&row["refused"]).contains("not WebAssembly"), "{row}");
    assert_eq!(round(&gateway, 2, 12).await, before, "the last good one runs on");
    let refused = act(&gateway, "promote").await;
    let kind = text(&refused.json()["type"]);
    assert!(refused.status == 409 && kind.ends_with("#changed"), "{}", refused.body);

    gateway.drop_plugin("stripe@next", &edition(&stripe, 1));
    gateway.reload().await;
    let row = gateway.plugin("stripe@next").await;
    assert!(text(&row["refused"]).starts_with("a canary is for handlers"), "{row}");
    let none = gateway.ask("/v1/plugins/stripe/canary").await;
    assert_eq!(none.status, 404, "{}", none.body);
}

/// A folder stands where the file should go: nothing that a user may do helps, root's neither.
#[tokio::test]
async fn promoting_in_a_folder_that_can_not_be_written_says_what_to_type() {
    let gateway = setup("{ share = \"50%\" }").start().await;
    drop_next(&gateway, &guest(0, 1)).await;
    let live = file(&gateway, "guest");
    std::fs::remove_file(&live).unwrap();
    std::fs::create_dir(&live).unwrap();

    let refused = act(&gateway, "promote").await;
    let problem = refused.json();
    assert_eq!(refused.status, 409, "{}", refused.body);
    assert!(text(&problem["type"]).ends_with("#folder-read-only"), "{problem}");
    let typed = format!("mv '{}' '{}'", file(&gateway, "guest@next").display(), live.display());
    assert!(text(&problem["detail"]).contains(&typed), "{problem}");
    assert_eq!(canary(&gateway).await["verdict"], "running", "it runs on");
    std::fs::remove_dir(&live).unwrap();
}

/// Without `Remembered`, the second event of the subject goes back to the live version.
#[tokio::test]
async fn a_canary_by_label_keeps_a_subject_whose_next_event_lacks_the_label() {
    let gateway = setup("{ label = \"merchant\", value = \"acme\" }").start().await;
    let live = digest(&std::fs::read(plugin_file("guest")).unwrap());
    let next = drop_next(&gateway, &guest(0, 1)).await;
    let events = [
        ("1", "pi_1", json!({ "merchant": "acme" }), &next),
        ("2", "pi_2", json!({ "merchant": "globex" }), &live),
        ("3", "pi_1", json!({}), &next),
        ("4", "pi_2", json!({ "merchant": "acme" }), &live),
        ("5", "pi_3", json!({ "merchant": "acme" }), &next),
    ];
    for (id, subject, labels, version) in events {
        let command = json!({ "id": id, "subject": subject, "labels": labels });
        gateway.guest(&command).await.accepted();
        gateway.settle().await;
        assert_eq!(versions(&gateway, id).await, [version.as_str()], "{id}");
    }
    // Of another selection nothing was decided yet.
    gateway
        .reconfigure(|config| {
            config.replace("{ label = \"merchant\", value = \"acme\" }", "{ share = \"0.01%\" }")
        })
        .await;
    gateway.guest(&json!({ "id": "6", "subject": "pi_1" })).await.accepted();
    gateway.settle().await;
    assert_eq!(versions(&gateway, "6").await, [live.as_str()]);
}

/// Without `ask_canaries` it runs on with settings that it refuses.
#[tokio::test]
async fn a_canary_that_refuses_the_settings_runs_no_more_until_they_change() {
    let gateway = setup("{ share = \"50%\" }").table("[handlers.guest]\nconfig = {}").start().await;
    let next = drop_next(&gateway, &guest(9_999, 1)).await;
    gateway.reconfigure(|config| config.replace("config = {}", "config = { mode = 9999 }")).await;
    let row = gateway.plugin("guest@next").await;
    assert!(text(&row["refused"]).contains("this edition has no such mode"), "{row}");
    assert_eq!(row["digest"], Value::Null, "{row}");
    assert!(!round(&gateway, 1, 12).await.values().any(|version| *version == next));

    gateway.reconfigure(|config| config.replace("mode = 9999", "mode = 1")).await;
    let row = gateway.plugin("guest@next").await;
    assert_eq!((&row["digest"], &row["refused"]), (&json!(next), &Value::Null), "{row}");
    assert_eq!(canary(&gateway).await["verdict"], "running", "it goes on");
}
