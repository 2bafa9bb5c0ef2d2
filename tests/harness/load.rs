//! Payment gateways that post new events, the same again, and forged ones, on many connections.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use hookgate::clock::Clock;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::ledger::{Ledger, event_id, subject};
use super::wire::{Heard, Wire};
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

/// Requests on many connections, each as soon as the one before is answered. Nobody connects a
/// second time.
pub(crate) struct Load {
    posting: JoinSet<io::Result<()>>,
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
        let mut posting = JoinSet::new();
        for _ in 0..connections {
            let sender = Sender {
                url: gateway.public().to_owned(),
                ledger: ledger.clone(),
                random: random.fork(),
                stop: stop.subscribe(),
                near: connections as u64,
                was_accepted: false,
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
    url: String,
    ledger: Arc<Ledger>,
    random: Rng,
    stop: watch::Receiver<bool>,
    /// How many of the latest events may be on their way.
    near: u64,
    /// Whether a request was accepted over its connection.
    was_accepted: bool,
}

impl Sender {
    /// Until it is stopped or its connection breaks.
    async fn post(mut self) -> io::Result<()> {
        let mut wire = Wire::open(&self.url).await?;
        while !*self.stop.borrow() {
            match self.random.u32(..100) {
                // The gateway may hang up on somebody of whom it has accepted nothing yet.
                draw if draw < FORGED && self.was_accepted => self.post_forged(&mut wire).await?,
                draw => self.post_genuine(&mut wire, draw.saturating_sub(FORGED)).await?,
            }
        }
        Ok(())
    }

    /// Posts an event that is new, or one that is not.
    async fn post_genuine(&mut self, wire: &mut Wire, draw: u32) -> io::Result<()> {
        let begun = self.ledger.begun();
        let number = match draw {
            _ if begun == 0 => self.ledger.begin(),
            0..RACING => begun - 1 - self.random.u64(..begun.min(self.near)),
            draw if draw < RACING + REPEATED => self.random.u64(..begun),
            _ => self.ledger.begin(),
        };
        let answer = send(wire, STRIPE_SECRET, number).await?;
        match answer.status {
            200 => {
                let body: Value = serde_json::from_str(&answer.body)?;
                let receipt = body["id"].as_str().unwrap_or_default();
                self.ledger.answered(number, receipt, answer.has("hookgate-duplicate"));
                if !std::mem::replace(&mut self.was_accepted, true) {
                    self.ledger.connected();
                }
            }
            503 => self.put_off(&answer).await,
            status => self.ledger.complain(format!("evt_{number} was answered {status}")),
        }
        Ok(())
    }

    async fn put_off(&self, answer: &Heard) {
        self.ledger.put_off();
        if !answer.has("retry-after") {
            self.ledger.complain("a 503 does not say when to come again".to_owned());
        }
        tokio::time::sleep(PUT_OFF).await;
    }

    /// Posts an event that exists, or one that will, as somebody who has no secret.
    async fn post_forged(&mut self, wire: &mut Wire) -> io::Result<()> {
        let number = self.random.u64(..self.ledger.begun() + 1000);
        let answer = send(wire, "whsec_forged", number).await?;
        match answer.status {
            401 => self.ledger.refused(),
            503 => self.put_off(&answer).await,
            status => self.ledger.complain(format!("evt_{number} was forged: {status}")),
        }
        Ok(())
    }
}

/// Without its end it is no answer, and a sender would come again.
async fn send(wire: &mut Wire, secret: &str, number: u64) -> io::Result<Heard> {
    let body = payment(&event_id(number), &subject(number), "payment_failed");
    let signature = stripe_signature(secret, Clock::System.now().seconds(), &body);
    wire.post("/in/stripe", &[("stripe-signature", &signature)], &body).await
}
