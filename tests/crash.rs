//! `kill -9` under load: what was answered is parsed, run and delivered, and nothing takes place
//! twice.
//!
//! The real program, killed at moments that it does not choose, and started again on the same data.
//! `HOOKGATE_CRASH_CYCLES` says how often.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hookgate::clock::Clock;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::harness::{Process, Receiver, STRIPE_SECRET, Setup, payment, stripe_signature};

const CONNECTIONS: usize = 64;
const SUBJECTS: u64 = 40;

/// Answers between two kills.
const ANSWERS: std::ops::Range<usize> = 100..900;

fn cycles() -> usize {
    let cycles = std::env::var("HOOKGATE_CRASH_CYCLES").ok();
    cycles.map_or(5, |text| text.parse().expect("HOOKGATE_CRASH_CYCLES is a number"))
}

fn subject(number: u64) -> String {
    format!("pi_{}", number % SUBJECTS)
}

fn event_id(number: u64) -> String {
    format!("evt_{number}")
}

/// Payment gateways that post until the gateway dies under them.
struct Load {
    client: reqwest::Client,
    next: AtomicU64,
    /// The events that were answered 200.
    answered: watch::Sender<BTreeSet<u64>>,
}

impl Load {
    /// Posts events, and now and then a forged one, until a connection breaks.
    async fn post_until_it_dies(self: Arc<Self>, public: String) {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let forged = number.is_multiple_of(17);
            let secret = if forged { "whsec_forged" } else { STRIPE_SECRET };
            let body = payment(&event_id(number), &subject(number), "payment_failed");
            let signature = stripe_signature(secret, Clock::System.now().seconds(), &body);
            let post = self.client.post(format!("{public}/in/stripe"));
            let sent = post.header("stripe-signature", signature).body(body).send().await;
            let Ok(answer) = sent else { return };
            match answer.status().as_u16() {
                200 if !forged => {
                    self.answered.send_modify(|answered| assert!(answered.insert(number)));
                }
                401 if forged => (),
                // The writer's queue may be full; a sender would come again.
                503 => (),
                status => panic!("event {number} was answered {status}"),
            }
        }
    }

    async fn until_answered(&self, count: usize) {
        let mut answered = self.answered.subscribe();
        answered.wait_for(|answered| answered.len() >= count).await.expect("the load holds it");
    }
}

/// The events that have arrived at the endpoint, and the counts in dunning's notices, by subject.
fn effects(receiver: &Receiver) -> (BTreeSet<String>, BTreeMap<String, Vec<u64>>) {
    let mut by_id = BTreeMap::new();
    for delivery in receiver.received() {
        // An attempt may be repeated where its record was lost; its id says that it is the same.
        by_id.insert(delivery.header("webhook-id").to_owned(), delivery);
    }
    let mut events = BTreeSet::new();
    let mut counts: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for delivery in by_id.values() {
        let body = delivery.json();
        let subject = delivery.text("subject");
        if delivery.text("type") == "payment.failed" {
            let id = delivery.text("id");
            assert!(events.insert(id.clone()), "{id} was delivered under two webhook-ids");
        } else {
            let failures = body["data"]["failures"].as_u64().expect("a notice has a count");
            counts.entry(subject).or_default().push(failures);
        }
    }
    (events, counts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_kill_9_and_happens_once() {
    let receiver = Receiver::start().await;
    let mut stopped = Setup::stripe()
        .endpoint("crm", &receiver, &["payment.failed", "customer.payment_failed_notice"])
        .handler("dunning", "endpoints = [\"crm\"]")
        .prepare();
    let load = Arc::new(Load {
        client: hookgate::egress::operator_client().expect("there are CA certificates"),
        next: AtomicU64::new(1),
        answered: watch::Sender::default(),
    });
    let mut random = 0x2545_f491_4f6c_dd1d_u64;

    for _ in 0..cycles() {
        let gateway = Process::start(stopped).await;
        let mut posting = JoinSet::new();
        for _ in 0..CONNECTIONS {
            posting.spawn(load.clone().post_until_it_dies(gateway.public().to_owned()));
        }
        // Xorshift: any spread of moments will do, and the same in every run.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let more = ANSWERS.start + random as usize % ANSWERS.len();
        let already = load.answered.borrow().len();
        load.until_answered(already + more).await;
        stopped = gateway.kill().await;
        while let Some(ended) = posting.join_next().await {
            ended.expect("every answer is one that may be");
        }
    }

    let gateway = Process::start(stopped).await;
    let answered: BTreeSet<String> =
        load.answered.borrow().iter().map(|number| event_id(*number)).collect();
    gateway.settle().await;
    let stored = gateway.events().await;
    gateway.terminate().await;

    let (events, counts) = effects(&receiver);
    let lost: Vec<_> = answered.difference(&events).collect();
    assert!(lost.is_empty(), "answered and never delivered: {lost:?}");
    for (subject, mut counts) in counts {
        counts.sort_unstable();
        let expected: Vec<u64> = (1..=counts.len() as u64).collect();
        assert_eq!(counts, expected, "runs of {subject} took place twice or not at all");
    }
    let payments: Vec<_> =
        stored.iter().filter(|event| event["type"] == "payment.failed").collect();
    let distinct: BTreeSet<_> = payments.iter().map(|event| event["event_id"].as_str()).collect();
    assert_eq!(distinct.len(), payments.len(), "an event was stored twice");
    let forged = |id: &&Option<&str>| {
        let number = id.and_then(|id| id.strip_prefix("evt_")?.parse::<u64>().ok());
        number.is_none_or(|number| number.is_multiple_of(17))
    };
    assert_eq!(distinct.iter().filter(forged).count(), 0, "a forged event was stored");
}
