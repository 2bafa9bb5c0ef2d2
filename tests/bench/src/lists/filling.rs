//! Fills a store with events, through the store's own door, and with a clock that a run moves: so
//! their times spread over days.
//!
//! A receipt brings some events of one source. Most of them are wanted by nobody; those that are
//! have been tried once. Each step is packed. Never delivers anything.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use hookgate::clock::Clock;
use hookgate::event::{Event, Request, Timestamp};
use hookgate::ids::Name;
use hookgate::json_text::JsonText;
use hookgate::provider::Proven;
use hookgate::retry::{Outcome, Verdict};
use hookgate::store::{
    Appended, Attempt, Config, DeliveryWork, NewEvent, NewReceipt, ParseWork, Payload, Retention,
    Routes, Store,
};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use super::spread::{Fate, PORTION, Spread};
use crate::filled::Filled;
use crate::stock::{attempt, tried};

/// The endpoint that takes everything.
pub(super) const HEALTHY: &str = "crm";
/// The endpoint of what waits.
pub(super) const FAILING: &str = "ledger";

/// Between two events: ten million are those of 20 days, less than anything is kept.
const APART: Duration = Duration::from_micros(172_800);
/// Events that are brought between two notes of how far it is.
const STEP: usize = 50_000;
/// Events that come at one time of the clock.
const AT_A_TIME: usize = 1_000;
/// What waits does so for longer than all of this takes.
const WAIT: Duration = Duration::from_secs(60 * 24 * 60 * 60);

/// How long ago the first event of so many was stored.
pub(super) fn span(events: usize) -> Duration {
    APART.mul_f64(events as f64)
}

/// Brings what is not there yet.
pub(super) fn fill(filled: &mut Filled, spread: Spread) -> anyhow::Result<()> {
    let left = spread.events().saturating_sub(filled.count());
    if left == 0 {
        return Ok(());
    }
    let ago = u64::try_from(span(left).as_millis())?;
    let clock = Clock::manual(Timestamp(Clock::System.now().0.saturating_sub(ago)));
    let store = Store::open(&Config::at(filled.store()), clock.clone())?;
    // Other ids each time: a step that was not finished is done again.
    let filling = Filling { store: store.clone(), clock, spread, salt: fastrand::u64(..) };
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        while filled.count() < spread.events() {
            let end = spread.events().min(filled.count() + STEP);
            filling.step(filled.count()..end).await?;
            filled.reach(end)?;
            eprintln!("{end} of {} events are stored", spread.events());
        }
        Ok(store.close().await?)
    })
}

struct Filling {
    store: Store,
    clock: Clock,
    spread: Spread,
    /// Stands in every id.
    salt: u64,
}

impl Filling {
    async fn step(&self, numbers: Range<usize>) -> anyhow::Result<()> {
        let end = numbers.end;
        for first in numbers.step_by(AT_A_TIME) {
            let behind = end.min(first + AT_A_TIME);
            self.append(first..behind).await?;
            self.parse().await?;
            self.clock.advance(span(behind - first));
        }
        self.deliver().await?;
        self.store.pack(&Retention::default()).await?;
        Ok(())
    }

    async fn append(&self, numbers: Range<usize>) -> anyhow::Result<()> {
        let mut appending = JoinSet::new();
        let end = numbers.end;
        for first in numbers.step_by(PORTION) {
            let receipt = self.receipt(first..end.min(first + PORTION))?;
            let store = self.store.clone();
            appending.spawn(async move { store.append(receipt).await });
        }
        for appended in appending.join_all().await {
            let is_new = matches!(appended?, Appended::Stored(_));
            ensure!(is_new, "a new id was taken for known");
        }
        Ok(())
    }

    fn receipt(&self, numbers: Range<usize>) -> anyhow::Result<NewReceipt> {
        let source: Name = Spread::source(numbers.start).parse()?;
        let request = Request {
            method: "POST".into(),
            url: format!("/in/{source}"),
            headers: [("content-type", "application/json")].into_iter().collect(),
            body: b"{}".to_vec().into(),
            received_at: self.clock.now(),
        };
        let event_ids = numbers.map(|number| id(self.salt, number)).collect();
        let (request, proven) = (Arc::new(request), Some(Proven::Bound));
        Ok(NewReceipt { source, request, event_ids, proven, plugin: None, trace: None })
    }

    async fn parse(&self) -> anyhow::Result<()> {
        loop {
            let works = self.store.take_parses(AT_A_TIME, usize::MAX).await?;
            if works.is_empty() {
                return Ok(());
            }
            let mut parsing = JoinSet::new();
            for work in works {
                let (store, events) = (self.store.clone(), self.events(&work)?);
                parsing.spawn(async move { store.commit_parse(work, tried(), events).await });
            }
            for parsed in parsing.join_all().await {
                parsed??;
            }
        }
    }

    fn events(&self, work: &ParseWork) -> anyhow::Result<Vec<NewEvent>> {
        let receipt = &work.receipt;
        let event = |id: &String| self.event(&receipt.source, id);
        receipt.event_ids.iter().map(event).collect()
    }

    fn event(&self, source: &Name, id: &str) -> anyhow::Result<NewEvent> {
        let number = number_in(id)?;
        let endpoint = match Spread::fate(number) {
            Fate::Unwanted => None,
            Fate::Delivered | Fate::Dead => Some(HEALTHY),
            Fate::Waiting => Some(FAILING),
        };
        let endpoint = endpoint.map(str::parse::<Name>).transpose()?;
        let endpoints = endpoint.into_iter().collect();
        let routes = Routes { handlers: Vec::new(), endpoints };
        let event = Event {
            source: source.clone(),
            id: id.to_owned(),
            event_type: Spread::event_type(number).into(),
            subject: Some(self.spread.subject(number)),
            time: self.clock.now(),
            money: None,
            labels: vec![("country".into(), "DE".into())],
            data: JsonText::new(format!("{{\"object\":\"payment\",\"number\":{number}}}"))?,
        };
        let (event, routes) = (Arc::new(event), Arc::new(routes));
        Ok(NewEvent { event, routes, allowance: None, tenant: None, trace: None })
    }

    async fn deliver(&self) -> anyhow::Result<()> {
        loop {
            let works = self.store.take_deliveries(STEP, usize::MAX).await?;
            if works.is_empty() {
                return Ok(());
            }
            let mut recording = JoinSet::new();
            for work in works {
                let (store, attempt) = (self.store.clone(), self.attempt(&work)?);
                recording.spawn(async move { store.record_attempt(work, attempt).await });
            }
            for recorded in recording.join_all().await {
                recorded??;
            }
        }
    }

    fn attempt(&self, work: &DeliveryWork) -> anyhow::Result<Attempt> {
        let Payload::Event(event) = &work.payload else {
            anyhow::bail!("a delivery that no run asked for is not of an event");
        };
        let now = self.clock.now();
        Ok(match Spread::fate(number_in(&event.event.id)?) {
            Fate::Unwanted | Fate::Delivered => Attempt { at: now, ..attempt() },
            Fate::Dead => {
                let outcome = Outcome::permanent("the endpoint answered 400");
                let verdict = Verdict::Dead;
                Attempt { at: now, status: Some(400), outcome, verdict, ..attempt() }
            }
            Fate::Waiting => {
                let outcome = Outcome::transient("the endpoint answered 503");
                let verdict = Verdict::RetryAt(now.after(WAIT));
                Attempt { at: now, status: Some(503), outcome, verdict, ..attempt() }
            }
        })
    }
}

/// The id of an event, which ends with its number.
fn id(salt: u64, number: usize) -> String {
    format!("evt_{salt:016x}{number:012}")
}

fn number_in(id: &str) -> anyhow::Result<usize> {
    let digits = id.len().checked_sub(12).and_then(|from| id.get(from..));
    Ok(digits.context("an event's id has no number")?.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_the_number_of_its_event() {
        assert_eq!(number_in(&id(u64::MAX, 9_999_999)).unwrap(), 9_999_999);
        assert_ne!(id(1, 7), id(2, 7));
        assert!(number_in("evt_7").is_err());
    }

    #[test]
    fn ten_million_events_are_those_of_twenty_days() {
        let days = span(10_000_000).as_secs_f64() / (24.0 * 60.0 * 60.0);
        assert!((days - 20.0).abs() < 0.001, "{days}");
    }

    #[test]
    fn a_store_is_filled_up_to_now_with_what_is_dead_and_what_waits() {
        let folder = tempfile::tempdir().unwrap();
        let mut filled = Filled::in_folder(folder.path(), "spread events").unwrap();
        fill(&mut filled, Spread::of(2_000)).unwrap();
        assert_eq!(filled.count(), 2_000);

        let store = Store::open(&Config::at(filled.store()), Clock::System).unwrap();
        let works = store.stats().works;
        let deliveries = works[&hookgate::store::WorkKind::Delivery];
        assert_eq!((deliveries.pending(), deliveries.dead), (2, 2));
    }
}
