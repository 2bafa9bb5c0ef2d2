//! What became of every event that was posted, small enough for hundreds of thousands.
//!
//! The senders write down what they were answered, the endpoint what arrived, and the end what is
//! stored. What contradicts a promise is noted at once; what is missing shows at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::{Process, Received, Receiver, Setup};

/// Entities that the events are about: events of one are run one after the other.
const SUBJECTS: u64 = 40;

/// Complaints that are kept; more of the same tell nothing new.
const COMPLAINTS_MAX: usize = 50;

/// Longer than anything takes that is not stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// The type of what is posted.
const FAILED: &str = "payment.failed";
/// The type of what dunning emits about it.
const NOTICE: &str = "customer.payment_failed_notice";

/// The event with this number, as its provider calls it.
pub(crate) fn event_id(number: u64) -> String {
    format!("evt_{number}")
}

pub(crate) fn subject(number: u64) -> String {
    format!("pi_{}", number % SUBJECTS)
}

/// What became of an event. Ids are kept as their hashes; zero is none.
#[derive(Debug, Clone, Copy, Default)]
struct Fate {
    /// That it was answered with.
    receipt: u64,
    /// It was answered, and not as a duplicate.
    is_first: bool,
    /// The `webhook-id` that it was delivered under.
    delivery: u64,
    /// The `webhook-id` that dunning's notice about it was delivered under.
    notice: u64,
    /// The failures of its subject that the notice tells.
    failures: u64,
    is_stored: bool,
}

#[derive(Default)]
struct Book {
    /// By number.
    fates: Vec<Fate>,
    tally: Tally,
    complaints: Vec<String>,
}

/// How much there was of everything.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    /// Connections over which a request was answered 200.
    pub(crate) connected: u64,
    /// Events that were answered 200.
    pub(crate) answered: u64,
    /// Answers that called an event a duplicate.
    pub(crate) duplicates: u64,
    /// Forged requests that were refused.
    pub(crate) forged: u64,
    /// Answers that asked to come again later.
    pub(crate) put_off: u64,
    /// Events and notices that arrived.
    pub(crate) delivered: u64,
    /// Attempts that arrived although an earlier one did.
    pub(crate) repeated: u64,
    /// Answered events that have arrived.
    settled: u64,
}

impl Tally {
    /// Events that were answered and have not arrived yet.
    pub(crate) fn owed(&self) -> u64 {
        self.answered - self.settled
    }
}

/// Shared by the senders and the endpoint.
#[derive(Default)]
pub(crate) struct Ledger {
    book: Mutex<Book>,
    tally: watch::Sender<Tally>,
}

impl Ledger {
    /// A new one; an endpoint, where it sees what arrives; and a gateway that has the events of the
    /// source `stripe` run by dunning and delivered to there.
    pub(crate) async fn open() -> (Arc<Self>, Receiver, Setup) {
        let ledger = Arc::<Self>::default();
        let seen = ledger.clone();
        let receiver = Receiver::showing(move |delivery| seen.arrived(delivery)).await;
        // Where attempts fail, a test has no time to wait for the next.
        let delays = vec!["200ms"; 50];
        let rest = format!("body = \"cloudevents\"\nretries = {delays:?}");
        let setup = Setup::stripe()
            .endpoint_with("crm", &receiver, &[FAILED, NOTICE], &rest)
            .handler("dunning", "endpoints = [\"crm\"]");
        (ledger, receiver, setup)
    }

    /// Waits until all is done, and fails if anything that was answered is lost or took place
    /// twice.
    pub(crate) async fn check(&self, gateway: &Process) {
        gateway.settle().await;
        gateway.each_event(|event| self.stored(event)).await;
        let mut dead = Vec::new();
        gateway.each("/v1/dead", |letter| dead.push(letter.clone())).await;
        // What endpoints of the API got, their owners know.
        dead.retain(|letter| letter["name"].as_str().is_none_or(|it| !it.starts_with("ep-")));
        assert_eq!(dead, Vec::<Value>::new(), "nothing has died");
        let stored = self.book().fates.iter().filter(|fate| fate.is_stored).count() as u64;
        // What is tried again is not due yet, and so not waited for by the gateway.
        // What is missing after that, the complaints tell.
        drop(self.reach(|tally| tally.delivered >= 2 * stored).await);
        let complaints = self.complaints();
        assert!(complaints.is_empty(), "{complaints:#?}");
    }

    /// The number of a new event.
    pub(crate) fn begin(&self) -> u64 {
        let mut book = self.book();
        book.fates.push(Fate::default());
        book.fates.len() as u64 - 1
    }

    /// How many events there are; each has a lower number.
    pub(crate) fn begun(&self) -> u64 {
        self.book().fates.len() as u64
    }

    /// An event was answered 200, with this receipt.
    pub(crate) fn answered(&self, number: u64, receipt: &str, is_duplicate: bool) {
        let receipt = digest(receipt);
        self.write(|book| {
            let fate = &mut book.fates[index(number)];
            book.tally.duplicates += u64::from(is_duplicate);
            if fate.receipt == 0 {
                fate.receipt = receipt;
                book.tally.answered += 1;
                book.tally.settled += u64::from(fate.delivery != 0);
            }
            let (same, twice) = (fate.receipt == receipt, fate.is_first && !is_duplicate);
            fate.is_first |= !is_duplicate;
            book.check(same, || format!("evt_{number} was answered with two receipts"));
            book.check(!twice, || format!("evt_{number} was accepted twice"));
        });
    }

    /// The events that are answered by now, as their provider calls them.
    pub(crate) fn answered_ids(&self) -> BTreeSet<String> {
        let book = self.book();
        let answered = book.fates.iter().enumerate().filter(|(_, fate)| fate.receipt != 0);
        answered.map(|(number, _)| event_id(number as u64)).collect()
    }

    /// The first request of a connection was answered 200.
    pub(crate) fn connected(&self) {
        self.write(|book| book.tally.connected += 1);
    }

    /// A forged request was answered 401.
    pub(crate) fn refused(&self) {
        self.write(|book| book.tally.forged += 1);
    }

    /// A request was answered 503.
    pub(crate) fn put_off(&self) {
        self.write(|book| book.tally.put_off += 1);
    }

    /// Something was answered as it must not be, or arrived that must not.
    pub(crate) fn complain(&self, complaint: String) {
        self.write(|book| book.check(false, || complaint));
    }

    /// A delivery arrived.
    fn arrived(&self, delivery: &Received) {
        let body = delivery.json();
        let webhook_id = digest(delivery.header("webhook-id"));
        let is_notice = body["type"] == NOTICE;
        let id = if is_notice { &body["data"]["event"] } else { &body["id"] };
        self.write(|book| {
            let Some(fate) = number_of(id).and_then(|number| book.fates.get_mut(index(number)))
            else {
                return book.check(false, || format!("something else arrived: {body}"));
            };
            let before = if is_notice { &mut fate.notice } else { &mut fate.delivery };
            let is_new = *before == 0;
            let same = is_new || *before == webhook_id;
            *before = webhook_id;
            if is_notice {
                fate.failures = body["data"]["failures"].as_u64().unwrap_or_default();
            } else if is_new && fate.receipt != 0 {
                book.tally.settled += 1;
            }
            book.tally.delivered += u64::from(is_new);
            book.tally.repeated += u64::from(!is_new);
            book.check(same, || format!("{id} has effects twice: {body}"));
        });
    }

    /// The gateway has this event.
    fn stored(&self, event: &Value) {
        if event["type"] != FAILED {
            return;
        }
        let id = &event["event_id"];
        self.write(|book| {
            let Some(fate) = number_of(id).and_then(|number| book.fates.get_mut(index(number)))
            else {
                return book.check(false, || format!("something else is stored: {event}"));
            };
            let again = std::mem::replace(&mut fate.is_stored, true);
            book.check(!again, || format!("{id} is stored twice"));
        });
    }

    /// How it stands.
    pub(crate) fn tally(&self) -> Tally {
        *self.tally.borrow()
    }

    /// Waits until it stands so; fails if it never does.
    pub(crate) async fn until(&self, reached: impl Fn(&Tally) -> bool) {
        if self.reach(reached).await.is_err() {
            let (tally, book) = (self.tally(), self.book());
            let owed = book.fates.iter().enumerate();
            let owed = owed.filter(|(_, fate)| fate.receipt != 0 && fate.delivery == 0);
            let owed: Vec<String> = owed.map(|(number, _)| event_id(number as u64)).collect();
            let complaints = &book.complaints;
            panic!("stuck at {tally:?}; answered and not arrived: {owed:?}; {complaints:#?}");
        }
    }

    async fn reach(&self, reached: impl Fn(&Tally) -> bool) -> Result<(), Elapsed> {
        let mut tally = self.tally.subscribe();
        let reached = tally.wait_for(|tally| reached(tally));
        timeout(PATIENCE, reached).await.map(drop)
    }

    /// What is wrong or missing when all is done.
    fn complaints(&self) -> Vec<String> {
        let mut book = self.book();
        let mut failures: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for number in 0..book.fates.len() {
            let fate = book.fates[number];
            let answered = fate.receipt != 0;
            let id = event_id(number as u64);
            book.check(!answered || fate.is_stored, || format!("{id} was answered and is lost"));
            book.check(!fate.is_stored || fate.delivery != 0, || format!("{id} never arrived"));
            book.check(!fate.is_stored || fate.notice != 0, || format!("{id} was never run"));
            if fate.is_stored {
                failures.entry(number as u64 % SUBJECTS).or_default().push(fate.failures);
            }
        }
        for (subject, mut counts) in failures {
            counts.sort_unstable();
            let whole = (1..=counts.len() as u64).eq(counts.iter().copied());
            book.check(whole, || format!("runs of pi_{subject} are missing or twice: {counts:?}"));
        }
        std::mem::take(&mut book.complaints)
    }

    fn write(&self, write: impl FnOnce(&mut Book)) {
        let mut book = self.book();
        write(&mut book);
        self.tally.send_replace(book.tally);
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("no holder panics")
    }
}

impl Book {
    fn check(&mut self, holds: bool, complaint: impl FnOnce() -> String) {
        if !holds && self.complaints.len() < COMPLAINTS_MAX {
            self.complaints.push(complaint());
        }
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("it is an index")
}

fn number_of(id: &Value) -> Option<u64> {
    id.as_str()?.strip_prefix("evt_")?.parse().ok()
}

fn digest(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish() | 1
}
