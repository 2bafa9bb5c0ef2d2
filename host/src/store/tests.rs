//! The store as its callers see it, through restarts and crashes.

mod appending;
mod committing;
mod crashing;
mod damaging;
mod disk;
mod knowing;
mod histories;
mod opening;
mod outages;
mod querying;
mod remembering;
mod replaying;
mod restarting;
mod sweeping;

use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::event::{Event, Request, Timestamp};
use crate::ids::Name;
use crate::json_text::JsonText;
use crate::retry::{Outcome, Verdict};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// A store in a folder of its own, with a clock that stands still.
struct Bench {
    folder: TempDir,
    clock: Clock,
    store: Store,
}

impl Bench {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let clock = Clock::manual(NOW);
        let store = Store::open(&Config::at(folder.path()), clock.clone()).unwrap();
        Self { folder, clock, store }
    }

    /// On a disk that the test holds.
    fn on(disk: disk::Disk, clock: Clock) -> Self {
        let store = Store::open_on(disk, &Config::at("nowhere"), clock.clone()).unwrap();
        Self { folder: TempDir::new().unwrap(), clock, store }
    }

    /// Closes the store and opens it again.
    async fn restart(self) -> Self {
        let Self { folder, clock, store } = self;
        store.close().await.unwrap();
        let store = Store::open(&Config::at(folder.path()), clock.clone()).unwrap();
        Self { folder, clock, store }
    }

    async fn append(&self, event_ids: &[&str]) -> Id {
        match self.store.append(receipt(event_ids)).await.unwrap() {
            Appended::Stored(id) => id,
            Appended::Duplicate(_) => panic!("a duplicate"),
        }
    }

    fn parse(&self) -> ParseWork {
        let mut works = self.store.take_parses(1, usize::MAX).unwrap();
        works.pop().expect("a parse is due")
    }

    fn runs(&self) -> Vec<RunWork> {
        self.store.take_runs(usize::MAX, usize::MAX).unwrap()
    }

    fn deliveries(&self) -> Vec<DeliveryWork> {
        self.store.take_deliveries(usize::MAX, usize::MAX).unwrap()
    }

    /// Appends a receipt and parses it into these events.
    async fn bring(&self, events: Vec<NewEvent>) -> Vec<Id> {
        let ids: Vec<&str> = events.iter().map(|new| new.event.id.as_str()).collect();
        self.append(&ids).await;
        self.store.commit_parse(self.parse(), tried(Verdict::Done), events).await.unwrap()
    }

    async fn end_run(&self, work: RunWork, verdict: Verdict) {
        self.store.commit_run(work, tried(verdict), Committed::default()).await.unwrap();
    }

    async fn end_delivery(&self, work: DeliveryWork, verdict: Verdict) {
        self.store.record_attempt(work, attempt(verdict)).await.unwrap();
    }

    /// A finished receipt with an event, whose run is done and whose delivery ended so.
    async fn finished(&self, id: &str, delivered: Verdict) -> (Id, Id) {
        let ids = self.bring(vec![event(id, "pi_1").to(&["ledger"], &["crm"])]).await;
        self.end_run(self.runs().pop().unwrap(), Verdict::Done).await;
        self.end_delivery(self.deliveries().pop().unwrap(), delivered).await;
        let receipt = self.store.event(ids[0]).unwrap().unwrap().receipt.unwrap();
        (receipt, ids[0])
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn receipt(event_ids: &[&str]) -> NewReceipt {
    NewReceipt {
        source: name("stripe"),
        request: Arc::new(Request {
            method: "POST".into(),
            url: "/in/stripe".into(),
            headers: [("content-type", "application/json")].into_iter().collect(),
            body: format!("{event_ids:?}").into(),
            received_at: NOW,
        }),
        event_ids: event_ids.iter().map(|&id| id.to_owned()).collect(),
    }
}

/// An event that goes nowhere.
fn event(id: &str, subject: &str) -> NewEvent {
    let event = Event {
        source: name("stripe"),
        id: id.into(),
        event_type: "payment.failed".into(),
        subject: (!subject.is_empty()).then(|| subject.into()),
        time: NOW,
        money: None,
        labels: vec![("country".into(), "DE".into())],
        data: JsonText::new(r#"{"amount":1099}"#).unwrap(),
    };
    NewEvent { event: Arc::new(event), routes: Arc::default(), allowance: None }
}

impl NewEvent {
    fn to(mut self, handlers: &[&str], endpoints: &[&str]) -> Self {
        let handlers = handlers.iter().map(|text| name(text)).collect();
        let endpoints = endpoints.iter().map(|text| name(text)).collect();
        self.routes = Arc::new(Routes { handlers, endpoints });
        self
    }
}

fn outcome(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Done => Outcome::Success,
        Verdict::RetryAt(_) => Outcome::transient("busy"),
        Verdict::Dead => Outcome::permanent("it makes no sense"),
    }
}

fn tried(verdict: Verdict) -> Try {
    let plugin = PluginStamp { name: name("logic"), version: "1".into(), digest: "d1".into() };
    let duration = Duration::from_millis(7);
    let (plugin, outcome, log) = (Some(plugin), outcome(verdict), Vec::new());
    Try { at: NOW, duration, plugin, outcome, verdict, log }
}

fn attempt(verdict: Verdict) -> Attempt {
    let duration = Duration::from_millis(9);
    let (outcome, answer) = (outcome(verdict), "ok".into());
    Attempt { at: NOW, duration, status: Some(200), answer, outcome, verdict }
}

fn in_minutes(minutes: u64) -> Timestamp {
    NOW.after(Duration::from_secs(60 * minutes))
}
