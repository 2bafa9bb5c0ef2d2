//! What becomes an event, of a gateway that is made of a store and a directory alone.

use std::collections::BTreeMap;

use super::*;
use crate::directory::FileEndpoint;
use crate::endpoint::{
    Endpoint, Origin, RawSettings, Sealed, SealedSecret, SecretKind, Standing, Status, Why, check,
};
use crate::event::{Event, OWN_SOURCE, Timestamp};
use crate::failure::AttemptDetail;
use crate::ingest::{Shares, Source, Verify};
use crate::metrics::Answered;
use crate::retry::{Outcome, Verdict};
use crate::secrets::Secret;
use crate::store::{Allowance as AtATime, Attempt, EndpointChange, EndpointNote, Health, Payload};

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);

/// With the endpoint `watcher`, which subscribes to all of this, and `all`, to all else.
struct Bench {
    operations: Operations,
    seen: Seen,
    _folder: tempfile::TempDir,
}

/// An event that arrived: where, its type, and its data.
type Arrived = (String, String, serde_json::Value);

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn raw(name: &str, tenant: Option<&str>, events: &str) -> RawSettings {
    RawSettings {
        name: name.to_owned(),
        tenant: tenant.map(str::to_owned),
        url: "https://crm.example".to_owned(),
        events: vec![events.to_owned()],
        ..RawSettings::default()
    }
}

fn of_file(name: &str, events: &str) -> FileEndpoint {
    FileEndpoint {
        settings: check(raw(name, None, events), Origin::File).unwrap(),
        keys: vec![],
        credential: None,
        client_key: None,
    }
}

/// A secret of the number 7 that expires then.
fn secret(expires_at: Option<Timestamp>) -> SealedSecret {
    let sealed = Sealed { key: [1; 8], salt: [2; 32], bytes: vec![3], fingerprint: [0xab; 8] };
    let kind = SecretKind::Whsec.number();
    SealedSecret { number: 7, kind, sealed, created_at: NOW, expires_at }
}

fn failing(since: Timestamp) -> Health {
    Health { failing_since: Some(since), failures: 30, warned: true, ..Health::default() }
}

fn done() -> Attempt {
    Attempt {
        at: NOW,
        duration: MINUTE,
        status: Some(204),
        answer: String::new(),
        outcome: Outcome::Success,
        verdict: Verdict::Done,
        detail: AttemptDetail::default(),
    }
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(NOW);
        let store = Store::open(&store::Config::at(folder.path()), clock.clone()).unwrap();
        let opened = Directory::open(store.clone(), Arc::default(), clock.clone()).await;
        let directory = opened.unwrap();
        directory.configure(vec![of_file("watcher", "hookgate.*"), of_file("all", "*")]);
        let metrics = Metrics::new();
        let operations = Operations {
            store,
            directory,
            disk: Arc::new(Disk::of(folder.path().to_owned())),
            clock,
            notices: Notices::new(metrics.clone()),
            metrics,
            registry: Arc::default(),
            sources: Arc::default(),
            redaction: Redaction::default(),
            long: LONG,
        };
        let seen = operations.nothing_seen();
        Self { operations, seen, _folder: folder }
    }

    async fn create(&self, raw: RawSettings, secrets: &[SealedSecret]) -> Endpoint {
        let made = self.operations.directory.create(raw, &|_, _| Ok(secrets.to_vec())).await;
        made.unwrap().endpoint.clone()
    }

    fn note(&self, endpoint: &Endpoint, health: Health) {
        let (key, health) = (endpoint.key.clone(), Some(health));
        self.operations.directory.noted(&[EndpointNote { key, health, hours: Vec::new() }]);
    }

    async fn stand(&self, endpoint: &Endpoint, standing: Standing) {
        let change = EndpointChange::Standing(standing);
        self.operations.directory.change(endpoint.id, None, change).await.unwrap();
    }

    /// What arrives of all that has happened since the last time, by endpoint.
    async fn arrived(&mut self) -> Vec<Arrived> {
        let mut facts = self.operations.changed(&mut self.seen, None);
        facts.extend(self.operations.look(&mut self.seen));
        self.arrived_of(facts).await
    }

    async fn arrived_of(&self, facts: Vec<Fact>) -> Vec<Arrived> {
        self.operations.raise(facts).await;
        let store = &self.operations.store;
        let mut arrived = Vec::new();
        for work in store.take_deliveries(usize::MAX, usize::MAX).await.unwrap() {
            let Payload::Event(stored) = &work.payload else { panic!("{work:?}") };
            let Event { source, event_type, data, .. } = &*stored.event;
            assert_eq!(source.as_str(), OWN_SOURCE);
            let listed = self.operations.directory.get(&work.endpoint).unwrap();
            let data = serde_json::from_str(data.as_str()).unwrap();
            arrived.push((listed.endpoint.settings.name.to_string(), event_type.clone(), data));
            store.record_attempt(work, done()).await.unwrap().unwrap();
        }
        arrived.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
        arrived
    }

    /// Checks that this alone arrives at the watcher, and gives its data.
    async fn told(&mut self, event_type: &str) -> serde_json::Value {
        only(self.arrived().await, event_type)
    }

    /// As after a start: nothing is known but what is in the store and the directory.
    fn forget(&mut self) {
        self.seen = self.operations.nothing_seen();
    }
}

/// The data of what has arrived, which is this at the watcher and nothing else.
fn only(mut arrived: Vec<Arrived>, expected: &str) -> serde_json::Value {
    let (endpoint, event_type, data) = arrived.pop().expect("something arrives");
    assert!(arrived.is_empty(), "{arrived:?}");
    assert_eq!((endpoint.as_str(), event_type.as_str()), ("watcher", expected));
    data
}

/// Where what has this type arrived.
fn whom(arrived: &[Arrived], event_type: &str) -> Vec<String> {
    assert!(arrived.iter().all(|it| it.1 == event_type), "{arrived:?}");
    arrived.iter().map(|it| it.0.clone()).collect()
}

/// Guards also that an endpoint's trouble does not make more of it: nothing goes to itself.
#[tokio::test]
async fn an_endpoint_that_fails_for_long_and_is_disabled_is_told_to_all_but_itself() {
    let mut bench = Bench::new().await;
    let crm = bench.create(raw("crm", Some("acme"), "hookgate.endpoint.*"), &[]).await;
    bench.create(raw("erp", Some("acme"), "hookgate.*"), &[]).await;
    bench.create(raw("foreign", Some("other"), "hookgate.*"), &[]).await;
    assert!(bench.arrived().await.is_empty());

    bench.note(&crm, failing(NOW));
    let arrived = bench.arrived().await;
    assert_eq!(whom(&arrived, "hookgate.endpoint.failing"), ["erp", "watcher"]);
    let data = &arrived[0].2;
    assert_eq!((&data["failures"], &data["endpoint"]["name"]), (&json!(30), &json!("crm")));
    assert_eq!(data["endpoint"]["tenant"], "acme");
    assert_eq!(data["failing_since"], NOW.to_string());

    let (status, why) = (Status::Disabled, Some(Why::Failing));
    bench.stand(&crm, Standing { status, why, since: NOW }).await;
    let arrived = bench.arrived().await;
    assert_eq!(whom(&arrived, "hookgate.endpoint.disabled"), ["erp", "watcher"]);
    assert_eq!(arrived[0].2["reason"], "failing");
    assert!(bench.arrived().await.is_empty());
    bench.forget();
    assert!(bench.arrived().await.is_empty(), "a start raises both again, and they are known");
}

#[tokio::test]
async fn an_endpoint_recovers_when_it_is_enabled_or_when_a_delivery_succeeds() {
    let mut bench = Bench::new().await;
    let crm = bench.create(raw("crm", None, "order.*"), &[]).await;
    bench.note(&crm, failing(NOW));
    bench.told("hookgate.endpoint.failing").await;
    bench.note(&crm, failing(NOW.after(MINUTE)));
    assert!(bench.arrived().await.is_empty(), "it has not done well in between");
    let (status, why) = (Status::Disabled, Some(Why::Gone410));
    bench.stand(&crm, Standing { status, why, since: NOW }).await;
    assert_eq!(bench.told("hookgate.endpoint.disabled").await["reason"], "gone");
    bench.stand(&crm, Standing::enabled(NOW)).await;
    assert_eq!(bench.told("hookgate.endpoint.recovered").await["reason"], "enabled");
    bench.note(&crm, Health::default());
    assert!(bench.arrived().await.is_empty(), "nothing has succeeded");

    let later = NOW.after(HOUR);
    bench.note(&crm, failing(later));
    bench.told("hookgate.endpoint.failing").await;
    bench.note(&crm, Health { last_success: Some(later.after(HOUR)), ..Health::default() });
    assert_eq!(bench.told("hookgate.endpoint.recovered").await["reason"], "succeeded");
    assert!(bench.arrived().await.is_empty());
}

#[tokio::test]
async fn an_endpoint_that_was_disabled_long_before_a_start_is_no_news() {
    let mut bench = Bench::new().await;
    let crm = bench.create(raw("crm", None, "order.*"), &[]).await;
    let (status, why) = (Status::Disabled, Some(Why::Operator));
    bench.stand(&crm, Standing { status, why, since: NOW }).await;
    bench.operations.clock.advance(8 * 24 * HOUR);
    assert!(bench.arrived().await.is_empty());
}

#[tokio::test]
async fn a_secret_that_expires_within_a_day_is_told_once() {
    let mut bench = Bench::new().await;
    let expires_at = NOW.after(25 * HOUR);
    let secrets = [secret(Some(expires_at)), secret(None)];
    let crm = bench.create(raw("crm", None, "order.*"), &secrets).await;
    assert!(bench.arrived().await.is_empty());

    bench.operations.clock.advance(HOUR);
    let data = bench.told("hookgate.secret.expiring").await;
    let known = json!({ "number": 7, "fingerprint": "ab".repeat(8) });
    assert_eq!((&data["secret"], &data["endpoint"]["id"]), (&known, &json!(crm.id)));
    assert_eq!(data["expires_at"], expires_at.to_string());
    bench.operations.clock.advance(HOUR);
    assert!(bench.arrived().await.is_empty());
    bench.operations.clock.advance(23 * HOUR);
    bench.forget();
    assert!(bench.arrived().await.is_empty(), "it has expired");
}

#[tokio::test]
async fn a_disk_that_is_low_is_told_once_an_hour_at_most() {
    let mut bench = Bench::new().await;
    bench.operations.disk.look().unwrap();
    bench.operations.disk.set_mark(Some(u64::MAX));
    assert_eq!(bench.told("hookgate.disk.low").await["mark_bytes"], u64::MAX);
    bench.forget();
    assert!(bench.arrived().await.is_empty());
    bench.operations.clock.advance(HOUR);
    assert!(bench.arrived().await.is_empty(), "it is low all the time");
    bench.operations.disk.set_mark(Some(0));
    assert!(bench.arrived().await.is_empty());
    bench.operations.disk.set_mark(Some(u64::MAX));
    bench.told("hookgate.disk.low").await;
}

#[tokio::test]
async fn a_lane_that_grows_for_long_is_told() {
    let mut bench = Bench::new().await;
    bench.operations.long = 0;
    bench.operations.store.allow(&name("slow"), AtATime::of(0));
    for number in 0..4 {
        assert!(bench.arrived().await.is_empty());
        let event = Fact::new("endpoint.recovered", &number.to_string(), NOW, json!({}));
        let event = event.event().unwrap().into();
        let routes = Routes { handlers: Vec::new(), endpoints: vec![name("slow")] };
        let routes = routes.into();
        let new = NewEvent { event, routes, allowance: None, tenant: None, trace: None };
        bench.operations.store.raise(vec![new]).await.unwrap();
    }
    let data = bench.told("hookgate.backlog.growing").await;
    assert_eq!(data, json!({ "waiting": 4, "of": "deliveries", "endpoint": "slow" }));
}

#[tokio::test]
async fn a_source_that_brings_less_than_is_expected_is_told() {
    let mut bench = Bench::new().await;
    let expected = Expected { requests: 2, within: 10 * MINUTE };
    let shares = Shares { requests: 1, held_bytes: 1 };
    let source = Source::new(name("stripe"), Vec::new(), None, Verify::None, "{}".into(), shares);
    let sources = BTreeMap::from([(name("stripe"), source.with_expected(Some(expected)))]);
    bench.operations.sources.store(Arc::new(sources));
    assert!(bench.arrived().await.is_empty());
    let stripe = name("stripe");
    bench.operations.metrics.request(&stripe, Answered::Accepted, MINUTE);
    bench.operations.metrics.request(&stripe, Answered::Duplicate, MINUTE);
    bench.operations.metrics.request(&stripe, Answered::Refused, MINUTE);
    bench.operations.clock.advance(10 * MINUTE);
    assert!(bench.arrived().await.is_empty(), "two have come");

    bench.operations.metrics.request(&stripe, Answered::Accepted, MINUTE);
    bench.operations.clock.advance(10 * MINUTE);
    let data = bench.told("hookgate.source.silent").await;
    let expected = json!({ "source": "stripe", "expected": 2, "within_s": 600, "accepted": 1 });
    assert_eq!(data, expected);
}

#[tokio::test]
async fn what_happens_to_plugins_is_told_without_a_secret() {
    let bench = Bench::new().await;
    let told = async |notice: Notice, event_type: &str| {
        let fact = bench.operations.noticed(notice);
        let arrived = bench.arrived_of(vec![fact]).await;
        only(arrived, &format!("hookgate.plugin.{event_type}"))
    };
    let [plugin, digest] = ["guest", "d1"].map(str::to_owned);
    let failed = Notice::Failed {
        kind: Kind::Receipt,
        name: name("shop"),
        digest: digest.clone(),
        pause: MINUTE,
    };
    let expected = json!({ "plugin": null, "digest": "d1", "pause_s": 60, "source": "shop" });
    assert_eq!(told(failed, "failed").await, expected);

    let before = Some("d0".to_owned());
    let reloaded = Notice::Reloaded { plugin: plugin.clone(), digest, before };
    let expected = json!({ "plugin": "guest", "digest": "d1", "digest_before": "d0" });
    assert_eq!(told(reloaded, "reloaded").await, expected);

    let secret = Secret::new("a-secret-that-nobody-may-see").unwrap();
    bench.operations.redaction.learn([&secret]);
    let reason = format!("it was set to {}", secret.expose());
    let plugin_again = plugin.clone();
    let refused = Notice::Refused { plugin, running: None, reason };
    let canary = Notice::Canary {
        plugin: plugin_again,
        digest: "d2".to_owned(),
        verdict: "dropped_by_test",
        why: "it failed more".to_owned(),
    };
    let expected = json!({
        "plugin": "guest", "digest": "d2", "verdict": "dropped_by_test", "reason": "it failed more",
    });
    assert_eq!(told(canary, "canary").await, expected);
    let data = told(refused, "refused").await;
    assert_eq!((&data["plugin"], &data["running"]), (&json!("guest"), &json!(null)));
    assert_eq!(data["reason"], "it was set to (hidden)");
}
