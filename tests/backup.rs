//! A backup of a gateway under load, and the store that is made from it: the real program, over its
//! admin port and over its folder.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use fastrand::Rng;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::harness::{
    Ledger, Load, Process, Ran, Receiver, Setup, Stopped, event_id, payment, program, refusal,
    seed, serve,
};

/// Events that are answered before the backup, and again while and behind it.
const MANY: u64 = 400;

const CONNECTIONS: usize = 32;

async fn hookgate(args: &[&str]) -> Ran {
    Ran::of(Command::new(program()).args(args)).await
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary folder has a name of text")
}

/// The gateway's store is lost, and a backup takes its place.
async fn replaced(stopped: Stopped, file: &Path) -> Stopped {
    let data = stopped.folder().join("data");
    std::fs::rename(&data, stopped.folder().join("lost")).expect("it can be renamed");
    let restored = hookgate(&["restore", text(file), "--data", text(&data), "--json"]).await;
    let said: Value = serde_json::from_str(restored.succeeded()).expect("it is JSON");
    assert_eq!(said["store"], text(&data));
    let sound = hookgate(&["store", "check", text(&data)]).await;
    assert_eq!(sound.succeeded().lines().last(), Some("the store is sound"), "{}", sound.out);
    stopped
}

/// Waits until each of these events has arrived.
async fn arrived(receiver: &Receiver, wanted: &BTreeSet<String>) {
    let mut count = wanted.len();
    loop {
        let arrived = receiver.arrived(count).await;
        let ids: BTreeSet<String> = arrived.iter().map(|delivery| delivery.text("id")).collect();
        if ids.is_superset(wanted) {
            return;
        }
        count = arrived.len() + 1;
    }
}

/// Bar: every event that was answered before the backup began is in the restored store, and all
/// that was owed then is delivered from it. Fails if the log is cut off before the rows of the
/// view, or a table of what is owed is left out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_has_all_that_was_answered_and_owes_it() {
    let seed = seed();
    println!("HOOKGATE_SEED={seed}");
    let (ledger, mut random) = (Arc::<Ledger>::default(), Rng::with_seed(seed));
    // Nothing arrives before the backup: all of it is owed then.
    let (before, after) = (Receiver::start().await, Receiver::start().await);
    before.hang();
    let stopped = Setup::stripe().endpoint("crm", &before, &["payment.failed"]).prepare();
    let file = stopped.folder().join("store.backup");
    let gateway = Process::start(stopped).await;
    let load = Load::start(&gateway, CONNECTIONS, &ledger, &mut random);
    ledger.until(|tally| tally.answered >= MANY).await;

    let answered = ledger.answered_ids();
    let begun = ledger.tally().answered;
    let made = hookgate(&["backup", text(&file), "--gateway", gateway.admin()]).await;
    let said = made.succeeded();
    assert!(said.contains("backed up the store to"), "{said}");
    let ended = ledger.tally().answered;
    assert!(ended > begun, "events are answered while a backup is made");
    ledger.until(|tally| tally.answered >= ended + MANY).await;
    let stopped = gateway.kill().await;
    load.broken().await;

    let stopped = replaced(stopped, &file).await;
    let config = stopped.folder().join("hookgate.toml");
    let changed = std::fs::read_to_string(&config).unwrap().replace(before.url(), after.url());
    std::fs::write(&config, changed).unwrap();
    let gateway = Process::start(stopped).await;
    let events = gateway.events().await;
    let stored: BTreeSet<String> =
        events.iter().filter_map(|event| event["event_id"].as_str().map(str::to_owned)).collect();
    let lost: Vec<_> = answered.difference(&stored).collect();
    // A receipt whose parse is owed has no event yet.
    gateway.settle().await;
    arrived(&after, &answered).await;
    println!("{} of {} had an event at the start", answered.len() - lost.len(), answered.len());

    let first = answered.first().expect("some were answered");
    let again = gateway.stripe(&payment(first, "pi_0", "payment_failed")).await;
    assert!(again.is_duplicate(), "ids still tell duplicates");
    gateway.signal_stop();
    gateway.ended().await;
}

#[tokio::test]
async fn a_stopped_gateway_is_backed_up_and_restored() {
    let receiver = Receiver::start().await;
    let stopped = Setup::stripe().endpoint("crm", &receiver, &["payment.failed"]).prepare();
    let file = stopped.folder().join("store.backup");
    let gateway = Process::start(stopped).await;
    gateway.stripe(&payment("evt_1", "pi_1", "payment_failed")).await.accepted();
    receiver.arrived(1).await;
    let data = gateway.stopped().folder().join("data");
    let in_use = hookgate(&["backup", text(&file), "--data", text(&data)]).await;
    in_use.failed_with("is in use by another gateway");
    assert!(!file.exists(), "nothing is left of a backup that failed");
    gateway.signal_stop();
    let stopped = gateway.ended().await;

    let made = hookgate(&["backup", text(&file), "--data", text(&data), "--json"]).await;
    let made: Value = serde_json::from_str(made.succeeded()).expect("it is JSON");
    let length = std::fs::metadata(&file).expect("it is there").len();
    assert_eq!((&made["bytes"], made["unreadable"].as_u64()), (&json!(length), Some(0)));
    let twice = hookgate(&["backup", text(&file), "--data", text(&data)]).await;
    twice.failed_with("exists already");
    let beside = hookgate(&["restore", text(&file), "--data", text(&data)]).await;
    beside.failed_with("is not empty");

    let stopped = replaced(stopped, &file).await;
    let audit = hookgate(&["audit", "verify", text(&data)]).await;
    assert!(audit.succeeded().contains("the audit log is as it was written"), "{}", audit.out);
    let gateway = Process::start(stopped).await;
    let events = gateway.events().await;
    assert_eq!(events[0]["event_id"], event_id(1));
    let deeds = gateway.ask("/v1/audit?limit=5").await.json();
    let restored = |deed: &Value| deed["what"] == "hookgate restore";
    assert!(deeds["items"].as_array().unwrap().iter().any(restored), "{deeds:#}");
    gateway.signal_stop();
    gateway.ended().await;
}

#[tokio::test]
async fn a_backup_that_is_cut_off_is_refused_with_the_place_and_makes_no_store() {
    let stopped = Setup::stripe().prepare();
    let (file, data) = (stopped.folder().join("store.backup"), stopped.folder().join("new"));
    let gateway = Process::start(stopped).await;
    gateway.stripe(&payment("evt_1", "pi_1", "payment_failed")).await.accepted();
    hookgate(&["backup", text(&file), "--gateway", gateway.admin()]).await.succeeded();
    let whole = std::fs::read(&file).unwrap();
    let cut = whole.len() - 7;
    std::fs::write(&file, &whole[..cut]).unwrap();
    let refused = hookgate(&["restore", text(&file), "--data", text(&data)]).await;
    refused.failed_with(&format!("the file ends at byte {cut}, in the middle of the part"));
    let mut flipped = whole;
    flipped[500] ^= 1;
    std::fs::write(&file, &flipped).unwrap();
    let refused = hookgate(&["restore", text(&file), "--data", text(&data)]).await;
    refused.failed_with("is not as it was written: the backup is damaged");
    let left = std::fs::read_dir(&data).map_or(0, Iterator::count);
    assert_eq!(left, 0, "nothing is left of a restore that failed");
    drop(gateway.kill().await);
}

/// Fails if anything takes what a killed restore has left for a store.
#[tokio::test]
async fn a_restore_that_is_killed_leaves_nothing_that_would_start() {
    let stopped = Setup::stripe().prepare();
    let file = stopped.folder().join("store.backup");
    let gateway = Process::start(stopped).await;
    gateway.stripe(&payment("evt_1", "pi_1", "payment_failed")).await.accepted();
    hookgate(&["backup", text(&file), "--gateway", gateway.admin()]).await.succeeded();
    let stopped = gateway.kill().await;
    let data = stopped.folder().join("data");
    std::fs::rename(&data, stopped.folder().join("lost")).expect("it can be renamed");

    // The system ends whoever writes more to a file than it may.
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -c 0; ulimit -f 16; exec \"$@\"", "sh"]).arg(program());
    let killed = Ran::of(limited.args(["restore", text(&file), "--data", text(&data)])).await;
    assert_eq!(killed.code, None, "{}{}", killed.out, killed.err);
    assert!(data.join("hookgate.redb.restore").exists(), "it was killed in the middle");

    let started = refusal(serve(&stopped)).await;
    let unfinished = "has what a `hookgate restore` left that did not finish";
    assert!(started.contains(unfinished), "{started}");
    let checked = hookgate(&["store", "check", text(&data)]).await;
    assert!(checked.code == Some(2) && checked.err.contains(unfinished), "{}", checked.err);
    hookgate(&["store", "repair", text(&data)]).await.failed_with(unfinished);
    let again = hookgate(&["restore", text(&file), "--data", text(&data)]).await;
    again.failed_with(unfinished);
}

/// Fails if a second backup is begun, or if one that nobody reads keeps its turn for ever.
#[tokio::test]
async fn a_backup_that_nobody_reads_is_alone_and_makes_room_when_its_reader_goes() {
    let gateway = Process::start(Setup::stripe().prepare()).await;
    // More than the sockets and the two pieces on their way hold.
    let large = "x".repeat(900 << 10);
    for number in 0..40 {
        let noise: String = (0..large.len()).map(|_| fastrand::alphanumeric()).collect();
        let body = payment(&event_id(number), &noise, "payment_failed");
        gateway.stripe(&body).await.accepted();
    }
    let address = gateway.admin().strip_prefix("http://").expect("it is a URL").to_owned();
    let mut reader = TcpStream::connect(&address).await.expect("it listens");
    let request =
        format!("POST /v1/backup HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\n\r\n");
    reader.write_all(request.as_bytes()).await.expect("it can be written");
    reader.readable().await.expect("it is answered");

    let second = gateway.tell("/v1/backup", &json!(null)).await;
    assert_eq!(second.status, 503, "{}", second.body);
    assert!(second.body.contains("another backup is being made"), "{}", second.body);
    // Nobody else waits for it.
    gateway.stripe(&payment("evt_next", "pi_1", "payment_failed")).await.accepted();

    drop(reader);
    while gateway.tell_for_bytes("/v1/backup").await == 503 {
        tokio::task::yield_now().await;
    }
    drop(gateway.kill().await);
}
