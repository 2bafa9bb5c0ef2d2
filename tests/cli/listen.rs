//! `hookgate listen` and `hookgate event tail`: events of a gateway go to whoever listens, also
//! past kills, restarts and gaps.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::hookgate;
use crate::harness::{Harness, Log, Process, Receiver, Setup, payment, program, subject, text};

/// Longer than anything takes that is not stuck.
const PATIENCE: Duration = Duration::from_secs(120);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Where a listener keeps how far it has come.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn cursor(&self) -> PathBuf {
        self.0.path().join("cursor")
    }

    /// What the listener signs with, once it has started.
    fn secret(&self) -> String {
        let path = self.0.path().join("cursor.secret");
        std::fs::read_to_string(path).expect("it is made").trim().to_owned()
    }

    /// The arguments of a listener of this gateway.
    fn listen(&self, gateway: &str, to: &Receiver, more: &[&str]) -> Vec<String> {
        let cursor = self.cursor();
        let own = ["listen", "--gateway", gateway, "--forward-to", to.url(), "--cursor"];
        let own = own.into_iter().chain([path(&cursor)]);
        own.chain(more.iter().copied()).map(str::to_owned).collect()
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("it is text")
}

/// A command that goes on. Killed if a test drops it.
struct Running {
    child: Child,
    out: Log,
    err: Log,
}

impl Running {
    fn start(args: &[String]) -> Self {
        let mut command = Command::new(program());
        command.args(args).env_remove("RUST_LOG").env_remove("HOOKGATE_TOKEN");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().expect("the program starts");
        let out = Log::of(child.stdout.take().expect("it is piped"));
        let err = Log::of(child.stderr.take().expect("it is piped"));
        Self { child, out, err }
    }

    /// The same, once it misses nothing any more.
    async fn listening(args: &[String]) -> Self {
        let mut running = Self::start(args);
        running.out.says("listening").await;
        running
    }

    async fn kill(mut self) {
        self.child.kill().await.expect("it runs");
    }

    /// Ends it in order.
    async fn stop(mut self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        kill_process(id.and_then(Pid::from_raw).expect("it runs"), Signal::TERM).expect("it runs");
        let ended = timeout(PATIENCE, self.child.wait()).await.expect("it ends");
        assert_eq!(ended.expect("it can be waited for").code(), Some(0));
    }
}

/// Waits until this many different events have arrived.
async fn different(receiver: &Receiver, count: usize) {
    let waiting = async {
        loop {
            // Before it looks: what arrives meanwhile is one more.
            let arrived = receiver.received().len();
            if receiver.ids().len() >= count {
                break;
            }
            receiver.arrived(arrived + 1).await;
        }
    };
    let waited = timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "only {} of {count} have arrived", receiver.ids().len());
}

/// Guards I8: take the window out of the listener, so that the cursor moves with what came, and a
/// kill loses what was under way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_listens_is_killed_ten_times_and_misses_nothing_and_repeats_within_its_window() {
    const EVENTS: u64 = 440;
    const KILLS: usize = 10;
    const IN_FLIGHT: usize = 4;
    let receiver = Receiver::start().await;
    let gateway = Process::start(Setup::stripe().prepare()).await;
    let place = Place::new();
    let in_flight = IN_FLIGHT.to_string();
    let more: [&str; 6] =
        ["--in-flight", &in_flight, "--types", "payment.*,refund.*", "--source", "stripe"];
    let args = place.listen(gateway.admin(), &receiver, &more);
    let first = Running::listening(&args).await;

    let posting = async {
        for number in 0..EVENTS {
            let id = format!("evt_{number}");
            gateway.stripe(&payment(&id, &subject(number), "payment_failed")).await.accepted();
        }
    };
    let killing = async {
        let mut running = first;
        for kill in 1..=KILLS {
            receiver.arrived(kill * 30).await;
            running.kill().await;
            // Waits for no event: on a slow machine all may have arrived by now.
            running = Running::listening(&args).await;
        }
        running
    };
    let ((), running) = tokio::join!(posting, killing);
    gateway.settle().await;
    let events = gateway.events().await;
    different(&receiver, events.len()).await;
    running.stop().await;

    let received = receiver.received();
    let stored: BTreeSet<String> = events.iter().map(|event| text(&event["id"])).collect();
    assert_eq!((receiver.ids(), stored.len()), (stored, usize::try_from(EVENTS).unwrap()));
    let repeated = received.len() - events.len();
    assert!(repeated <= KILLS * IN_FLIGHT, "{repeated} came again");
    let secret = place.secret();
    assert!(received.iter().all(|it| it.is_signed_with(&secret)));
    // Each subject's in order, give or take what came again.
    let mut seen = BTreeSet::new();
    let firsts = received.iter().filter(|it| seen.insert(it.header("webhook-id").to_owned()));
    let firsts: Vec<&str> = firsts.map(|it| it.header("webhook-id")).collect();
    let of: BTreeMap<String, String> =
        events.iter().map(|event| (text(&event["id"]), text(&event["subject"]))).collect();
    for subject in of.values().collect::<BTreeSet<_>>() {
        let own: Vec<&&str> = firsts.iter().filter(|id| of[**id] == *subject).collect();
        // Ids sort by age.
        assert!(own.is_sorted(), "{subject}: {own:?}");
    }
}

/// Take the `gap` out of `Follower::heard`, and nobody learns of what was missed.
#[tokio::test]
async fn what_the_retention_has_deleted_before_somebody_came_back_is_reported() {
    let receiver = Receiver::start().await;
    let gateway = Setup::guest().table("[retention]\nevents = \"2d\"").start().await;
    let place = Place::new();
    let args = place.listen(gateway.admin(), &receiver, &["--json"]);
    let running = Running::listening(&args).await;
    gateway.guest(&json!({ "id": "1" })).await.accepted();
    receiver.arrived(1).await;
    running.stop().await;
    gateway.guest(&json!({ "id": "2" })).await.accepted();
    gateway.settle().await;
    let first = gateway.events("").await[0].clone();
    // A sweep leaves alone what a start would read, and after an orderly stop that is nothing.
    let gateway = gateway.restart().await;
    gateway.advance(DAY * 4).await;
    while !gateway.events("").await.is_empty() {
        tokio::task::yield_now().await;
    }
    gateway.guest(&json!({ "id": "3" })).await.accepted();
    gateway.settle().await;

    // The port is another after the restart, and the store is the same.
    let args = place.listen(gateway.admin(), &receiver, &["--json"]);
    let mut running = Running::start(&args);
    let gap: Value = serde_json::from_str(&running.out.says("\"gap\"").await).unwrap();
    receiver.arrived(2).await;
    let third = gateway.events("").await[0].clone();

    assert_eq!(gap["gap"]["reason"], "removed");
    assert_eq!(gap["gap"]["after"], first["recorded_at"]);
    assert_eq!(gap["gap"]["next"], third["recorded_at"]);
    assert_eq!(receiver.received()[1].header("webhook-id"), text(&third["id"]));
    running.stop().await;
    assert_eq!(receiver.ids().len(), 2);
}

#[tokio::test]
async fn a_replayed_event_comes_again_as_its_delivery_does_and_is_marked() {
    let (crm, receiver) = (Receiver::start().await, Receiver::start().await);
    let gateway = Setup::stripe().endpoint("crm", &crm, &["payment.*"]).start().await;
    let place = Place::new();
    let args = place.listen(gateway.admin(), &receiver, &["--body", "cloudevents"]);
    let _running = Running::listening(&args).await;
    gateway.stripe(&payment("evt_1", "pi_1", "succeeded")).await.accepted();
    receiver.arrived(1).await;
    gateway.settle().await;

    let id = text(&gateway.events("").await[0]["id"]);
    let replayed = gateway.tell("/v1/replay", &json!({ "ids": [id] })).await;
    assert_eq!(replayed.json()["reopened"], 1, "{}", replayed.body);
    let received = receiver.arrived(2).await;

    let marks = [0, 1].map(|at: usize| received[at].header("hookgate-replay"));
    assert_eq!(marks, ["", "true"]);
    for delivery in &received {
        assert_eq!(delivery.header("webhook-id"), id);
        assert_eq!(delivery.body, crm.received()[0].body, "as the gateway delivers it");
        assert_eq!(delivery.header("content-type"), "application/cloudevents+json");
        assert!(delivery.is_signed_with(&place.secret()));
    }
}

#[tokio::test]
async fn an_event_is_tried_until_it_is_accepted_and_given_up_only_if_somebody_says_so() {
    let receiver = Receiver::start().await;
    receiver.hang_up();
    let gateway = Setup::guest().start().await;
    let place = Place::new();
    let args = place.listen(gateway.admin(), &receiver, &["--json"]);
    let mut running = Running::listening(&args).await;
    for id in ["1", "2"] {
        gateway.guest(&json!({ "id": id })).await.accepted();
    }
    let tried = receiver.arrived(2).await;
    assert_eq!(receiver.ids().len(), 1, "the second waits for the first");
    let times = tried.iter().filter(|it| it.is_signed_with(&place.secret())).count();
    assert_eq!(times, 2, "each attempt has a signature of its own");
    receiver.answer(500);
    running.err.says("the answer was 500").await;
    receiver.answer(204);
    different(&receiver, 2).await;
    running.stop().await;

    receiver.answer(500);
    let args = place.listen(gateway.admin(), &receiver, &["--json", "--attempts", "2"]);
    let mut running = Running::listening(&args).await;
    gateway.guest(&json!({ "id": "3" })).await.accepted();
    let line: Value =
        serde_json::from_str(&running.out.says("the answer was 500").await).expect("it is JSON");
    assert_eq!((&line["attempts"], &line["status"]), (&json!(2), &Value::Null));
    receiver.answer(204);
    gateway.guest(&json!({ "id": "4" })).await.accepted();
    different(&receiver, 4).await;
    running.stop().await;
}

/// A gateway whose admin port is a socket in its folder, and where that is.
async fn at_a_socket(setup: Setup) -> (Harness, String) {
    let stopped = setup.prepare();
    let file = stopped.folder().join("hookgate.toml");
    let config = std::fs::read_to_string(&file).expect("it is there");
    let config = config.replace("\"127.0.0.1:0\"\ndata", "\"unix:admin.sock\"\ndata");
    std::fs::write(&file, config).expect("it can be written");
    let gateway = stopped.start().await;
    let socket = format!("unix:{}", gateway.folder().join("admin.sock").display());
    (gateway, socket)
}

/// Have `Follower::next` return the error in place of `lose`, and a restart of the gateway ends the
/// listener.
#[tokio::test]
async fn who_listens_comes_back_to_a_gateway_that_was_restarted() {
    let receiver = Receiver::start().await;
    let (gateway, socket) = at_a_socket(Setup::guest()).await;
    let place = Place::new();
    let mut running = Running::listening(&place.listen(&socket, &receiver, &[])).await;
    gateway.guest(&json!({ "id": "1" })).await.accepted();
    receiver.arrived(1).await;

    let gateway = gateway.restart().await;
    gateway.guest(&json!({ "id": "2" })).await.accepted();

    different(&receiver, 2).await;
    running.err.says("trying again").await;
    running.err.says("the gateway answers again").await;
    running.stop().await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_cursor_is_of_one_process_one_store_and_its_filters() {
    let receiver = Receiver::start().await;
    let gateway = Setup::guest().start().await;
    let place = Place::new();
    let args = place.listen(gateway.admin(), &receiver, &[]);
    let running = Running::listening(&args).await;
    gateway.guest(&json!({ "id": "1" })).await.accepted();
    receiver.arrived(1).await;

    hookgate(args).await.failed_with("another process uses the cursor file");
    running.stop().await;
    let other = place.listen(gateway.admin(), &receiver, &["--types", "payment.*"]);
    hookgate(other).await.failed_with("the cursor of a stream with other filters");
    let another = Setup::guest().start().await;
    another.guest(&json!({ "id": "1" })).await.accepted();
    another.settle().await;
    let other = place.listen(another.admin(), &receiver, &[]);
    hookgate(other).await.failed_with("the cursor is of the store of another gateway");
    let elsewhere = Place::new();
    let ran = hookgate(elsewhere.listen("http://127.0.0.1:9", &receiver, &[])).await;
    assert!(ran.err.contains("is the gateway running there?"), "{}", ran.err);
}

#[tokio::test]
async fn a_tail_prints_each_event_and_goes_on_behind_its_cursor() {
    let gateway = Setup::stripe().start().await;
    let place = Place::new();
    let cursor = place.cursor();
    let tail = |more: &[&str]| -> Vec<String> {
        let own = ["event", "tail", "--gateway", gateway.admin(), "--cursor-file", path(&cursor)];
        own.into_iter().chain(more.iter().copied()).map(str::to_owned).collect()
    };
    let mut running = Running::start(&tail(&["--types", "payment.*"]));
    running.out.says("HOOKGATE ID").await;
    gateway.stripe(&payment("evt_1", "pi_1", "succeeded")).await.accepted();
    let line = running.out.says("pi_1").await;
    assert!(line.starts_with("evt_") && line.contains("payment.succeeded"), "{line}");
    running.kill().await;

    gateway.stripe(&payment("evt_2", "pi_2", "payment_failed")).await.accepted();
    let mut running = Running::start(&tail(&["--types", "payment.*", "--json", "--data"]));
    let line: Value = serde_json::from_str(&running.out.says("pi_2").await).expect("it is JSON");
    assert_eq!(
        (&line["type"], &line["event"]["subject"]),
        (&json!("payment.failed"), &json!("pi_2"))
    );
    running.kill().await;
}
