//! Payment gateways that post new events, the same again, and forged ones, on many connections.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use hookgate::clock::Clock;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::ledger::{Ledger, event_id, subject};
use super::{Process, STRIPE_SECRET, payment, stripe_signature};

/// Who is put off comes again after this: sooner than the gateway asks for, because a test has no
/// time.
const PUT_OFF: Duration = Duration::from_millis(20);

/// Of a hundred requests, those that bring again what is probably on its way just now.
const RACING: u32 = 8;
/// Of a hundred requests, those that bring again what any earlier one has brought.
const REPEATED: u32 = 6;
/// Of a hundred requests, those that are forged.
const FORGED: u32 = 6;

/// Requests on many connections, each as soon as the one before is answered.
pub(crate) struct Load {
    posting: JoinSet<reqwest::Result<()>>,
    stop: watch::Sender<bool>,
}

impl Load {
    /// Begins to post, on so many connections.
    pub(crate) fn start(
        gateway: &Process,
        connections: usize,
        ledger: &Arc<Ledger>,
        random: &mut Rng,
    ) -> Self {
        let stop = watch::Sender::new(false);
        let client = hookgate::egress::operator_client().expect("there are CA certificates");
        let mut posting = JoinSet::new();
        for _ in 0..connections {
            let sender = Sender {
                client: client.clone(),
                url: format!("{}/in/stripe", gateway.public()),
                ledger: ledger.clone(),
                random: random.fork(),
                stop: stop.subscribe(),
                near: connections as u64,
            };
            posting.spawn(sender.post());
        }
        Self { posting, stop }
    }

    /// Posts no more, and waits for the answers; fails if a connection has broken.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        while let Some(ended) = self.posting.join_next().await {
            ended.expect("a sender does not panic").expect("everybody is answered");
        }
    }

    /// Waits until every connection is broken.
    pub(crate) async fn broken(mut self) {
        while let Some(ended) = self.posting.join_next().await {
            let answered = ended.expect("a sender does not panic");
            assert!(answered.is_err(), "nobody has stopped it");
        }
    }
}

struct Sender {
    client: reqwest::Client,
    url: String,
    ledger: Arc<Ledger>,
    random: Rng,
    stop: watch::Receiver<bool>,
    /// How many of the latest events may be on their way.
    near: u64,
}

impl Sender {
    /// Until it is stopped or its connection breaks.
    async fn post(mut self) -> reqwest::Result<()> {
        while !*self.stop.borrow() {
            match self.random.u32(..100) {
                draw if draw < FORGED => self.post_forged().await?,
                draw => self.post_genuine(draw - FORGED).await?,
            }
        }
        Ok(())
    }

    /// Posts an event that is new, or one that is not.
    async fn post_genuine(&mut self, draw: u32) -> reqwest::Result<()> {
        let begun = self.ledger.begun();
        let number = match draw {
            _ if begun == 0 => self.ledger.begin(),
            0..RACING => begun - 1 - self.random.u64(..begun.min(self.near)),
            draw if draw < RACING + REPEATED => self.random.u64(..begun),
            _ => self.ledger.begin(),
        };
        let answer = self.send(STRIPE_SECRET, number).await?;
        let is_duplicate = answer.headers().contains_key("hookgate-duplicate");
        match answer.status().as_u16() {
            200 => {
                // Without its end it is no answer, and a sender would come again.
                let body: Value = answer.json().await?;
                let receipt = body["id"].as_str().unwrap_or_default();
                self.ledger.answered(number, receipt, is_duplicate);
            }
            503 => self.put_off(&answer).await,
            status => self.ledger.complain(format!("evt_{number} was answered {status}")),
        }
        Ok(())
    }

    async fn put_off(&self, answer: &reqwest::Response) {
        self.ledger.put_off();
        if !answer.headers().contains_key("retry-after") {
            self.ledger.complain("a 503 does not say when to come again".to_owned());
        }
        tokio::time::sleep(PUT_OFF).await;
    }

    /// Posts an event that exists, or one that will, as somebody who has no secret.
    async fn post_forged(&mut self) -> reqwest::Result<()> {
        let number = self.random.u64(..self.ledger.begun() + 1000);
        let answer = self.send("whsec_forged", number).await?;
        match answer.status().as_u16() {
            401 => self.ledger.refused(),
            503 => self.put_off(&answer).await,
            status => self.ledger.complain(format!("evt_{number} was forged: {status}")),
        }
        Ok(())
    }

    async fn send(&self, secret: &str, number: u64) -> reqwest::Result<reqwest::Response> {
        let body = payment(&event_id(number), &subject(number), "payment_failed");
        let signature = stripe_signature(secret, Clock::System.now().seconds(), &body);
        let post = self.client.post(&self.url).header("stripe-signature", signature);
        post.body(body).send().await
    }
}
