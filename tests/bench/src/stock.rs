//! A store that has been in use: filled before anything is measured, through the store's own door.
//!
//! Each is filled once and copied for every gateway that starts with it. What is in it is as it
//! would be after so much traffic; only that it came in large portions is not.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use hookgate::clock::Clock;
use hookgate::event::{Event, Money, Request};
use hookgate::failure::{AttemptDetail, Reason};
use hookgate::ids::Name;
use hookgate::json_text::JsonText;
use hookgate::provider::Proven;
use hookgate::retry::{Outcome, Verdict};
use hookgate::store::{
    Appended, Attempt, Config, NewEvent, NewReceipt, PluginStamp, Retention, Routes, Store, Try,
};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::payload::{Batch, MARK};

/// Events in a receipt where a receipt of one event each would take too long to fill.
const PORTION: usize = 500;
/// The first so many payloads are known to a [`Stock::Ids`].
pub(crate) const KNOWN: usize = PORTION;
/// Operations that wait for the writer at a time.
const AT_A_TIME: usize = 256;

/// What a store is filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stock {
    /// So many ids to tell duplicates by, which came in large receipts; the first of them are those
    /// of the first payloads.
    Ids(usize),
    /// The same, from receipts of ten events each, very many of them in a commit.
    IdsInTens(usize),
    /// So many deliveries to the endpoint `crm`, none attempted yet.
    Pending(usize),
    /// So many events, each accepted, parsed and delivered by itself, and swept.
    Delivered(usize),
}

impl Stock {
    /// Fills a store in this folder.
    pub(crate) fn fill(self, folder: &Path, batch: &Arc<Batch>) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder)?;
        let store = Store::open(&Config::at(folder), Clock::System)?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let filling = Filling::new(&store, batch, vec![name("crm")]);
        runtime.block_on(async {
            match self {
                Self::Ids(count) => filling.ids(count).await?,
                Self::IdsInTens(count) => filling.ids_in_tens(count).await?,
                Self::Pending(count) => {
                    filling.events(0, count, PORTION).await?;
                }
                Self::Delivered(count) => filling.delivered(count).await?,
            }
            Ok(store.close().await?)
        })
    }

    /// Whether a folder has a store.
    pub(crate) fn is_in(folder: &Path) -> bool {
        folder.join("hookgate.redb").exists()
    }

    /// Copies the store of a folder into another.
    pub(crate) fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(to)?;
        for file in std::fs::read_dir(from)? {
            let file = file?;
            let copy = to.join(file.file_name());
            std::fs::copy(file.path(), &copy)?;
            // Or the first sync of the gateway would wait for the copy.
            std::fs::File::open(&copy)?.sync_all()?;
        }
        Ok(())
    }
}

/// Brings so many events, each with a receipt of its own and owed to so many endpoints.
pub(crate) async fn fan_out(
    store: &Store,
    batch: &Arc<Batch>,
    events: usize,
    endpoints: usize,
) -> anyhow::Result<()> {
    let endpoints = (0..endpoints).map(|number| name(&format!("endpoint-{number}"))).collect();
    Filling::new(store, batch, endpoints).events(0, events, 1).await
}

/// Brings so many events, each owed to the endpoint `crm`, and packs. They are other events at each
/// call.
pub(crate) async fn owe(store: &Store, batch: &Arc<Batch>, events: usize) -> anyhow::Result<()> {
    let filling = Filling::new(store, batch, vec![name("crm")]);
    filling.anew().events(0, events, PORTION).await?;
    store.pack(&Retention::default()).await?;
    Ok(())
}

/// Brings so many events, each accepted, parsed and delivered by itself, and packs. They are other
/// events at each call.
pub(crate) async fn deliver(
    store: &Store,
    batch: &Arc<Batch>,
    events: usize,
) -> anyhow::Result<()> {
    Filling::new(store, batch, vec![name("crm")]).anew().delivered_step(0, events).await
}

/// Brings so many events, each to the endpoint `crm`, where the first attempt of each delivery ends
/// it, and packs. They are other events at each call, and no delivery of them has the number of a
/// payload.
pub(crate) async fn die(store: &Store, batch: &Arc<Batch>, events: usize) -> anyhow::Result<()> {
    let filling = Filling::new(store, batch, vec![name("crm")]).anew();
    let filling = Filling { is_numbered: false, ..filling };
    filling.events(0, events, PORTION).await?;
    filling.attempt_all(events, refused).await?;
    store.pack(&Retention::default()).await?;
    Ok(())
}

#[derive(Clone)]
struct Filling {
    store: Store,
    batch: Arc<Batch>,
    /// Where every event goes.
    endpoints: Arc<[Name]>,
    /// Stands in every id before the number.
    salt: u64,
    /// Whether the data of each event has the number of its payload.
    is_numbered: bool,
}

impl Filling {
    fn new(store: &Store, batch: &Arc<Batch>, endpoints: Vec<Name>) -> Self {
        let (store, batch) = (store.clone(), batch.clone());
        Self { store, batch, endpoints: endpoints.into(), salt: 0, is_numbered: true }
    }

    /// With ids that nobody else has brought.
    fn anew(self) -> Self {
        // As many digits as there is room for.
        Self { salt: fastrand::u64(1..1 << 60), ..self }
    }

    /// What stands in the ids of a number: 23 digits.
    fn digits(&self, number: usize) -> String {
        format!("{:015x}{number:08}", self.salt)
    }

    /// The data of the event of a number.
    fn object(&self, number: usize) -> Cow<'_, str> {
        let object = self.batch.object(number);
        if self.is_numbered { object.into() } else { object.replace(MARK, "Stale").into() }
    }

    /// A commit for each receipt.
    async fn ids(&self, count: usize) -> anyhow::Result<()> {
        for first in (0..count).step_by(PORTION) {
            self.clone().receipt_of_ids(first, count.min(first + PORTION)).await?;
        }
        Ok(())
    }

    async fn ids_in_tens(&self, count: usize) -> anyhow::Result<()> {
        let receipts = (0..count).step_by(10);
        let receipt = |first| self.clone().receipt_of_ids(first, count.min(first + 10));
        some_at_a_time(receipts.map(receipt)).await
    }

    async fn receipt_of_ids(self, first: usize, end: usize) -> anyhow::Result<()> {
        let id = |number: usize| match number {
            0..KNOWN => self.batch.event_id(number).to_owned(),
            _ => format!("evt_1{:016x}{number:08}", fastrand::u64(..)),
        };
        let ids = (first..end).map(id).collect();
        self.append(ids, b"{}").await
    }

    /// Receipts of so many events, parsed, each event owed to all endpoints.
    async fn events(&self, first: usize, count: usize, portion: usize) -> anyhow::Result<()> {
        let end = first + count;
        let receipts = (first..end).step_by(portion);
        some_at_a_time(receipts.map(|it| self.clone().receipt(it, end.min(it + portion)))).await
    }

    async fn receipt(self, first: usize, end: usize) -> anyhow::Result<()> {
        let ids = (first..end).map(|number| format!("evt_1{}", self.digits(number))).collect();
        self.append(ids, self.batch.body(first)).await?;
        // Some receipt; all are alike.
        let work = self.store.take_parses(1, usize::MAX).await?.pop();
        let Some(work) = work else {
            anyhow::bail!("a receipt that was stored is not to be parsed")
        };
        let endpoints = &self.endpoints;
        let digits = |number| self.digits(number);
        let events = (first..end).map(|it| event(&digits(it), &self.object(it), endpoints));
        self.store.commit_parse(work, tried(), events.collect()).await??;
        Ok(())
    }

    async fn append(&self, event_ids: Vec<String>, body: &[u8]) -> anyhow::Result<()> {
        let now = Clock::System.now();
        let request = Request {
            method: "POST".into(),
            url: "/in/stripe".into(),
            headers: self.batch.headers().collect(),
            body: body.to_vec().into(),
            received_at: now,
        };
        let source = name("stripe");
        let (request, proven) = (Arc::new(request), Some(Proven::Bound));
        let receipt = NewReceipt { source, request, event_ids, proven, plugin: None, trace: None };
        let appended = self.store.append(receipt).await?;
        ensure!(matches!(appended, Appended::Stored(_)), "a new id was taken for known");
        Ok(())
    }

    /// One event to a receipt, as from most providers.
    async fn delivered(&self, count: usize) -> anyhow::Result<()> {
        const STEP: usize = 10_000;
        for first in (0..count).step_by(STEP) {
            self.delivered_step(first, STEP).await?;
        }
        Ok(())
    }

    async fn delivered_step(&self, first: usize, count: usize) -> anyhow::Result<()> {
        self.events(first, count, 1).await?;
        self.attempt_all(count, attempt).await?;
        self.store.pack(&Retention::default()).await?;
        Ok(())
    }

    /// Attempts all that is owed once, at most so many at a time.
    async fn attempt_all(&self, count: usize, attempt: fn() -> Attempt) -> anyhow::Result<()> {
        loop {
            let works = self.store.take_deliveries(count, usize::MAX).await?;
            if works.is_empty() {
                return Ok(());
            }
            let mut recording = JoinSet::new();
            for work in works {
                let store = self.store.clone();
                recording.spawn(async move { store.record_attempt(work, attempt()).await });
            }
            for recorded in recording.join_all().await {
                recorded??;
            }
        }
    }
}

/// Runs a few at a time to their end.
async fn some_at_a_time<F>(works: impl Iterator<Item = F>) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let mut working = JoinSet::new();
    for work in works {
        working.spawn(work);
        if working.len() == AT_A_TIME
            && let Some(ended) = working.join_next().await
        {
            ended??;
        }
    }
    working.join_all().await.into_iter().collect()
}

fn name(text: &str) -> Name {
    text.parse().expect("it is a name")
}

/// What the plugin makes of such a payload.
fn event(digits: &str, object: &str, endpoints: &[Name]) -> NewEvent {
    let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let event = Event {
        source: name("stripe"),
        id: format!("evt_1{digits}"),
        event_type: "payment.failed".into(),
        subject: Some(format!("pi_3{digits}")),
        time: Clock::System.now(),
        money: Some(Money { amount: "42.42".into(), currency: "EUR".into() }),
        labels: vec![
            label("country", "DE"),
            label("method", "card"),
            label("card_brand", "visa"),
            label("decline_code", "insufficient_funds"),
        ],
        data: JsonText::new(object).expect("the payload's object is JSON"),
    };
    let routes = Routes { handlers: Vec::new(), endpoints: endpoints.to_vec() };
    let (event, routes) = (Arc::new(event), Arc::new(routes));
    NewEvent { event, routes, allowance: None, tenant: None, trace: None }
}

/// A plugin that did its work.
pub(crate) fn tried() -> Try {
    let plugin =
        PluginStamp { name: name("stripe"), version: "0.1.0".into(), digest: "0".repeat(64) };
    Try {
        at: Clock::System.now(),
        duration: Duration::from_micros(130),
        plugin: Some(plugin),
        outcome: Outcome::Success,
        verdict: Verdict::Done,
        log: Vec::new(),
        reason: None,
    }
}

/// An endpoint answered at once.
pub(crate) fn attempt() -> Attempt {
    Attempt {
        at: Clock::System.now(),
        duration: Duration::from_micros(900),
        status: Some(204),
        answer: String::new(),
        outcome: Outcome::Success,
        verdict: Verdict::Done,
        detail: AttemptDetail::default(),
    }
}

/// An endpoint refused it, and there is no other attempt.
fn refused() -> Attempt {
    Attempt {
        status: Some(400),
        outcome: Outcome::permanent("the endpoint answered 400 Bad Request"),
        verdict: Verdict::Dead,
        detail: AttemptDetail { reason: Some(Reason::EndpointRefused), ..AttemptDetail::default() },
        ..attempt()
    }
}
