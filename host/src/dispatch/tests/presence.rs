//! Works whose plugin is not there: they wait in the store, cost nothing, and go on.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::plugin::Plugin;
use crate::store::{Marks, RunWork};
use crate::worker::work;

impl Bench {
    fn guest(&self) -> Arc<Plugin> {
        self.dispatch.registry.get(&name("guest")).expect("it is loaded")
    }

    fn remove(&self) {
        self.dispatch.registry.remove(&name("guest"));
        self.dispatch.look_again();
    }

    fn put_back(&self, guest: &Arc<Plugin>) {
        self.dispatch.registry.insert(guest);
        self.dispatch.look_again();
    }

    /// With seven runs that are due, at marks of which half is four.
    async fn with_seven_runs() -> Self {
        let bench = Self::new();
        bench.dispatch.store.set_marks(Marks { all: 9, per_source: 8 });
        for number in 0..7 {
            bench.accept(&json!({ "id": number.to_string() })).await;
            assert_eq!(bench.parse().await, Some(0));
        }
        bench
    }

    /// Ends what waits beyond half of a mark: three of the seven. Gives how many were taken for it.
    async fn end_excess(&self) -> usize {
        self.dispatch.bound_waiting();
        let taken = self.runs().take(9).await.unwrap();
        let count = taken.len();
        for run in taken {
            self.runs().perform(run, Slot::default()).await.unwrap();
        }
        assert!(self.run().await.is_none(), "three are dead, and four wait");
        self.dispatch.store.idle().await;
        let dead = self.dispatch.store.dead(Page { cursor: None, limit: 9 }).await.unwrap();
        let reasons: Vec<_> = dead.items.iter().map(|letter| letter.reason).collect();
        assert_eq!(reasons, [Reason::PluginMissing; 3]);
        count
    }

    /// Works by rules in which these are stopped.
    fn stop(&self, sources: &[&str], handlers: &[&str]) {
        let stopped = |names: &[&str]| {
            names.iter().map(|text| (name(text), "it refuses its settings".to_owned())).collect()
        };
        self.dispatch.set_rules(Rules {
            sources: [(name("shop"), reading("guest"))].into(),
            stopped_sources: stopped(sources),
            stopped_handlers: stopped(handlers),
            ..Rules::default()
        });
    }

    /// The one parse, if it may be made; it is.
    async fn parse(&self) -> Option<u32> {
        let parse = self.parses().take(9).await.unwrap().pop()?;
        let tries_made = parse.0.tries_made;
        self.parses().perform(parse, Slot::default()).await.unwrap();
        Some(tries_made)
    }

    /// The one run, if it may be made.
    async fn run(&self) -> Option<RunWork> {
        self.runs().take(9).await.unwrap().pop()
    }
}

/// One work that waits for the guest.
fn waiting(kind: WorkKind, of: &str) -> Vec<Waiting> {
    vec![Waiting { kind, name: name(of), plugin: name("guest"), works: 1 }]
}

/// Without `missing_of_source` and `missing_of_handler` in the takes each of these is a failed try.
#[tokio::test]
async fn works_wait_for_a_plugin_that_is_missing_or_stopped_and_use_no_try() {
    let bench = Bench::new();
    let guest = bench.guest();
    bench.accept(&json!({ "id": "1" })).await;

    bench.remove();
    assert_eq!(bench.parse().await, None);
    assert_eq!(bench.dispatch.waiting(), waiting(WorkKind::Parse, "shop"));
    bench.put_back(&guest);
    bench.stop(&["shop"], &[]);
    assert_eq!(bench.parse().await, None);
    assert_eq!(bench.dispatch.waiting(), waiting(WorkKind::Parse, "shop"));
    bench.stop(&[], &["guest"]);
    assert_eq!(bench.parse().await, Some(0));

    assert!(bench.run().await.is_none());
    assert_eq!(bench.dispatch.waiting(), waiting(WorkKind::Run, "guest"));
    bench.stop(&[], &[]);
    bench.remove();
    assert!(bench.run().await.is_none());
    assert_eq!(bench.dispatch.waiting(), waiting(WorkKind::Run, "guest"));
    bench.put_back(&guest);
    assert_eq!(bench.dispatch.waiting(), []);
    assert_eq!(bench.run().await.expect("its handler is there").tries_made, 0);
}

/// A source that the configuration no longer has waits for no plugin: nobody knows for which.
#[tokio::test]
async fn what_is_left_of_a_source_that_is_gone_fails() {
    let bench = Bench::new();
    bench.accept(&json!({})).await;
    bench.dispatch.set_rules(Rules::default());

    assert_eq!(bench.dispatch.waiting(), []);
    assert_eq!(bench.parse().await, Some(0));
    let metrics = bench.dispatch.metrics.render();
    let counted = r#"parses_total{source="shop",outcome="transient",cause="missing"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");
}

/// Without the look in `Dispatch::{parse, run}` what was taken right before uses up a try.
#[tokio::test]
async fn what_was_taken_before_its_plugin_went_goes_back_untried() {
    let bench = Bench::new();
    let guest = bench.guest();
    bench.accept(&json!({ "id": "1" })).await;

    let parse = bench.parses().take(9).await.unwrap().pop().expect("it is due");
    bench.remove();
    bench.parses().perform(parse, Slot::default()).await.unwrap();
    bench.put_back(&guest);
    assert_eq!(bench.parse().await, Some(0));

    let run = bench.run().await.expect("it is due");
    bench.stop(&[], &["guest"]);
    bench.runs().perform(run, Slot::default()).await.unwrap();
    bench.stop(&[], &[]);
    let run = bench.run().await.expect("it is due");
    bench.remove();
    bench.runs().perform(run, Slot::default()).await.unwrap();
    bench.put_back(&guest);
    assert_eq!(bench.run().await.expect("it is due").tries_made, 0);
}

/// Without `ask_again` in `Dispatch::look_again` nobody hears that a plugin came, and who waits
/// until all is done goes on too early.
#[tokio::test]
async fn whoever_waits_for_works_is_woken_when_a_plugin_comes() {
    let bench = Bench::new();
    let guest = bench.guest();
    bench.accept(&json!({ "id": "1" })).await;
    bench.remove();
    assert_eq!(bench.parse().await, None);
    bench.dispatch.store.idle().await;

    let parses = bench.parses();
    let ready = parses.ready();
    bench.put_back(&guest);

    let mut idle = pin!(bench.dispatch.store.idle());
    tokio::select! {
        biased;
        () = &mut idle => panic!("a parse may be made"),
        () = ready => (),
    }
    assert_eq!(bench.parse().await, Some(0));
}

/// The runs, and how often somebody asked for some.
#[derive(Clone)]
struct Counted {
    runs: Runs,
    takes: Arc<AtomicUsize>,
}

impl Work for Counted {
    type Item = RunWork;

    fn take(&self, room: usize) -> impl Future<Output = Result<Vec<RunWork>, store::Error>> + Send {
        self.takes.fetch_add(1, Ordering::Relaxed);
        self.runs.take(room)
    }

    fn ready(&self) -> impl Future<Output = ()> + Send {
        self.runs.ready()
    }

    fn id(work: &RunWork) -> crate::ids::Id {
        work.id
    }

    async fn perform(self, work: RunWork, slot: Slot) -> Result<(), store::Error> {
        self.runs.perform(work, slot).await
    }

    async fn crash(self, work: RunWork, words: String, slot: Slot) -> Result<(), store::Error> {
        self.runs.crash(work, words, slot).await
    }
}

#[tokio::test]
async fn a_handler_that_is_missing_costs_no_processor() {
    let bench = Bench::new();
    bench.accept(&json!({ "id": "1" })).await;
    assert_eq!(bench.parse().await, Some(0));
    bench.remove();
    let takes = Arc::<AtomicUsize>::default();
    let counted = Counted { runs: bench.runs(), takes: takes.clone() };
    let cancel = CancellationToken::new();
    let mut working = JoinSet::new();
    working.spawn(work(counted, 9, cancel.clone()));

    bench.dispatch.store.idle().await;
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }

    let takes = takes.load(Ordering::Relaxed);
    assert!((1..10).contains(&takes), "{takes} takes of nothing");
    cancel.cancel();
    working.join_next().await.unwrap().unwrap().unwrap();
}

/// Without `has_excess` in `Runs::take` all seven wait, and without the count in `Excess::take` all
/// that were taken end.
#[tokio::test]
async fn no_more_than_half_of_a_mark_waits_for_a_handler_that_is_stopped() {
    let bench = Bench::with_seven_runs().await;
    bench.stop(&[], &["guest"]);
    assert!(bench.run().await.is_none());

    assert_eq!(bench.end_excess().await, 4, "half of the room");
    assert_eq!(bench.dispatch.waiting()[0].works, 4);
    bench.dispatch.bound_waiting();
    assert!(bench.run().await.is_none(), "four may wait");
    bench.stop(&[], &[]);
    assert_eq!(bench.run().await.expect("its handler is there").tries_made, 0);
}

/// Without `rules.handlers` in `is_growing`, what waits for a missing handler brings its sources to
/// their marks; without the look at them, runs end of one that gets no new events.
#[tokio::test]
async fn what_waits_for_a_missing_handler_is_bound_if_the_configuration_names_it() {
    let bench = Bench::with_seven_runs().await;
    let guest = bench.guest();
    bench.remove();
    bench.dispatch.bound_waiting();
    assert!(bench.run().await.is_none(), "all seven may wait");

    bench.dispatch.set_rules(Rules {
        sources: [(name("shop"), reading("guest"))].into(),
        handlers: [(name("guest"), Grants::default())].into(),
        ..Rules::default()
    });
    bench.end_excess().await;
    bench.put_back(&guest);
    assert_eq!(bench.run().await.expect("its handler is there").tries_made, 0);
}
