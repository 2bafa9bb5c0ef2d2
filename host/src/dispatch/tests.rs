//! Dispatch with a real store and a real guest, for what no socket shows.

mod concurrency;
mod early;
mod presence;
mod tenants;

use std::path::Path;

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::*;
use crate::event::{Request, Timestamp};
use crate::metrics::Kind;
use crate::plugin::Compiler;
use crate::store::{self, NewReceipt, Page};
use crate::worker::{Slot, Work};

const WORDS: &str = "the gateway panicked: index out of bounds";

struct Bench {
    dispatch: Arc<Dispatch>,
    clock: Clock,
    _folder: tempfile::TempDir,
}

impl Bench {
    /// With the source `shop`, whose plugin is the guest, which is a handler too.
    fn new() -> Self {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target");
        let cache = Some(target.join("test-compiled"));
        let host = plugin::Host::new(plugin::Config::new(Compiler::InProcess, cache)).unwrap();
        let guest = std::fs::read(target.join("test-plugins/guest.wasm")).unwrap();
        let guest = host.load(name("guest"), &guest).unwrap();
        let registry = Arc::new(Registry::default());
        registry.insert(&guest);
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp(1_700_000_000_000));
        let store = Store::open(&store::Config::at(folder.path()), clock.clone()).unwrap();
        let metrics = Metrics::new();
        let sources = [(name("shop"), reading("guest"))].into();
        let rules = ArcSwap::from_pointee(Rules { sources, ..Rules::default() });
        let breakers = |kind| Breakers::new(kind, clock.clone(), metrics.clone());
        let dispatch = Dispatch {
            host,
            registry,
            directory: Directory::empty(Arc::default()),
            store,
            clock: clock.clone(),
            rules,
            failures: RetryPolicy::plugins(),
            crashes: RetryPolicy::crashes(),
            runs_per_handler: 8,
            allowance: Allowance { events: 1_000, bytes: 16 << 20 },
            early: Early::default(),
            parse_breakers: breakers(Kind::Receipt),
            run_breakers: breakers(Kind::Run),
            canaries: Canaries::default(),
            excess: Excess::default(),
            metrics,
            telemetry: Telemetry::default(),
        };
        Self { dispatch: Arc::new(dispatch), clock, _folder: folder }
    }

    fn request(&self, command: &Value) -> Request {
        Request {
            method: "POST".to_owned(),
            url: "/in/shop".to_owned(),
            headers: crate::headers::Headers::default(),
            body: command.to_string().into(),
            received_at: self.clock.now(),
        }
    }

    async fn accept(&self, command: &Value) {
        let receipt = NewReceipt {
            source: name("shop"),
            request: Arc::new(self.request(command)),
            event_ids: Vec::new(),
            proven: None,
            plugin: None,
            trace: None,
        };
        self.dispatch.store.append(receipt).await.unwrap();
    }

    fn parses(&self) -> Parses {
        Parses::new(self.dispatch.clone())
    }

    fn runs(&self) -> Runs {
        Runs(self.dispatch.clone())
    }

    /// Panics over the first piece of work as often as it is due, and gives its dead letter.
    async fn dead_of_panics<W: Work>(&self, work: W) -> (usize, String) {
        for tries in 1.. {
            let item = work.take(1).await.unwrap().pop().expect("it is due");
            work.clone().crash(item, WORDS.to_owned(), Slot::default()).await.unwrap();
            // It may have been left to be committed.
            self.dispatch.store.idle().await;
            if let Some(reason) = self.reason_of_death().await {
                return (tries, reason);
            }
            assert!(work.take(1).await.unwrap().is_empty(), "it is not tried again at once");
            self.clock.advance(std::time::Duration::from_secs(80));
        }
        unreachable!("it is dead at some time")
    }

    /// Of the last dead letter, if there is one.
    async fn reason_of_death(&self) -> Option<String> {
        let dead = self.dispatch.store.dead(Page { cursor: None, limit: 9 }).await.unwrap();
        dead.items.first().map(|letter| letter.detail.clone())
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// By this plugin, of a source without settings and secrets.
fn reading(plugin: &str) -> Reading {
    Reading {
        plugin: name(plugin),
        settings: "{}".into(),
        secrets: Arc::default(),
        is_unverified: false,
        tenant: TenantOf::default(),
    }
}

#[tokio::test]
async fn a_parse_that_makes_the_host_panic_is_tried_again_on_the_schedule_and_then_dead() {
    let bench = Bench::new();
    bench.accept(&json!({})).await;
    assert_eq!(bench.dead_of_panics(bench.parses()).await, (4, WORDS.to_owned()));
    let metrics = bench.dispatch.metrics.render();
    let counted = r#"parses_total{source="shop",outcome="transient",cause="panic"} 4"#;
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn a_run_that_makes_the_host_panic_is_tried_again_on_the_schedule_and_then_dead() {
    let bench = Bench::new();
    bench.accept(&json!({})).await;
    let parse = bench.parses().take(1).await.unwrap().pop().unwrap();
    bench.parses().perform(parse, Slot::default()).await.unwrap();
    assert_eq!(bench.dead_of_panics(bench.runs()).await, (4, WORDS.to_owned()));
    let metrics = bench.dispatch.metrics.render();
    let counted = r#"runs_total{handler="guest",outcome="transient",cause="panic"} 4"#;
    assert!(metrics.contains(counted), "{metrics}");
}

/// Level and fields of the line with this message.
fn line(log: &NamedTempFile, message: &str) -> (String, Value) {
    let text = std::fs::read_to_string(log).expect("the log is a text");
    let read = |line| serde_json::from_str::<Value>(line).expect("each line is JSON");
    let mut lines = text.lines().map(read);
    let said = |line: &Value| line["fields"]["message"].as_str().map(str::to_owned);
    let is_it = |line: &Value| said(line).expect("it has a message").contains(message);
    let line = lines.find(is_it).unwrap_or_else(|| panic!("no `{message}` in\n{text}"));
    (line["level"].as_str().expect("it has a level").to_owned(), line["fields"].clone())
}

#[tokio::test]
async fn a_failure_is_a_warning_and_a_plugins_line_has_the_plugins_level() {
    let log = NamedTempFile::new().unwrap();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(Arc::new(log.reopen().unwrap()))
        .finish();
    // While there are two, a line that another thread meets first is held against both of them, and
    // not against what that thread listens with.
    let _another = tracing::Dispatch::new(tracing_subscriber::registry());
    // Everything below happens on this thread, but for the guest itself.
    let _logging = tracing::subscriber::set_default(subscriber);
    // Another test may have met a line first, when nobody listened.
    tracing::callsite::rebuild_interest_cache();
    let bench = Bench::new();
    for level in ["debug", "info", "warn", "error"] {
        let text = format!("as {level}");
        let command =
            json!({ "id": level, "do": "log", "level": level, "text": text, "then": "fail" });
        bench.accept(&command).await;
    }
    bench.accept(&json!({ "do": "fail", "at": "parse", "reason": "no such form" })).await;

    loop {
        // A source has no more than its share of the room at a time.
        let taken = bench.parses().take(32).await.unwrap();
        if taken.is_empty() {
            break;
        }
        for parse in taken {
            bench.parses().perform(parse, Slot::default()).await.unwrap();
        }
    }
    for run in bench.runs().take(32).await.unwrap() {
        bench.runs().perform(run, Slot::default()).await.unwrap();
    }

    for level in ["debug", "info", "warn", "error"] {
        let (logged, fields) = line(&log, &format!("as {level}"));
        assert_eq!(logged, level.to_uppercase());
        assert_eq!(fields["plugin.name"], "guest");
        assert!(fields["run.id"].as_str().unwrap().starts_with("run_"));
        assert!(fields["event.id"].as_str().unwrap().starts_with("evt_"));
    }
    let (logged, fields) = line(&log, "run is a dead letter: told to");
    assert_eq!((logged.as_str(), &fields["plugin.name"]), ("WARN", &json!("guest")));
    let (logged, fields) = line(&log, "receipt is a dead letter: no such form");
    assert_eq!((logged.as_str(), &fields["plugin.name"]), ("WARN", &json!("guest")));
    assert_eq!(fields["source.name"], "shop");
}
