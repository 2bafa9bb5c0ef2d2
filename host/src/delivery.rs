//! The way out: what endpoints are owed, signed, attempted, recorded, judged.
//!
//! Each attempt goes through `egress` and ends in the store, whatever became of it. A delivery never
//! knows why it is owed, and an endpoint that hangs holds up its own deliveries only.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tracing::{debug, info, warn};
use url::Url;

use crate::clock::Clock;
use crate::egress::{self, Answer, Egress, EgressError};
use crate::event::Timestamp;
use crate::ids::{Id, Name};
use crate::metrics::Metrics;
use crate::outbound::{self, Content, Format, InvalidData, SigningKey};
use crate::retry::{Outcome, RetryPolicy, Verdict};
use crate::store::{self, Attempt, Cargo, DeliveryWork, Store, WorkKind};
use crate::worker::Work;

/// A subscriber's URL and how it wants to be reached.
#[derive(Clone)]
pub struct Endpoint {
    /// Where to post.
    pub url: Url,
    /// All that sign: several during a rotation.
    pub keys: Vec<SigningKey>,
    /// What the body is.
    pub format: Format,
    /// How long an attempt may take.
    pub timeout: Duration,
    /// Attempts at a time.
    pub concurrency: usize,
    /// How patient to be.
    pub retry: RetryPolicy,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("url", &egress::shown(&self.url)).finish_non_exhaustive()
    }
}

/// The endpoints as they are now; swapped whole when the configuration changes.
pub type Endpoints = ArcSwap<BTreeMap<Name, Arc<Endpoint>>>;

/// What delivering needs.
#[derive(Debug)]
pub struct Delivery {
    /// Where deliveries come from and attempts go.
    pub store: Store,
    /// For signatures and retries.
    pub clock: Clock,
    /// Counts.
    pub metrics: Metrics,
    /// The door out.
    pub egress: Egress,
    /// The configuration.
    pub endpoints: Endpoints,
}

/// The deliveries that are due.
#[derive(Debug, Clone)]
pub(crate) struct Deliveries(pub(crate) Arc<Delivery>);

impl Work for Deliveries {
    type Item = DeliveryWork;

    fn claim(&self, room: usize) -> Result<Vec<DeliveryWork>, store::Error> {
        let endpoints = self.0.endpoints.load();
        let concurrency = |name: &Name| endpoints.get(name).map_or(1, |it| it.concurrency);
        self.0.store.claim_deliveries(room, &concurrency)
    }

    fn ready(&self) -> impl Future<Output = ()> + Send {
        self.0.store.ready(WorkKind::Delivery)
    }

    fn id(work: &DeliveryWork) -> Id {
        work.id
    }

    async fn perform(self, work: DeliveryWork) -> Result<(), store::Error> {
        self.0.deliver(work).await
    }

    async fn crash(self, work: DeliveryWork, reason: String) -> Result<(), store::Error> {
        let began = (self.0.clock.now(), Instant::now());
        let seen = Seen::nothing(Outcome::transient(reason));
        // Not the endpoint's own schedule: that may be what panicked.
        self.0.record(work, seen, &RetryPolicy::deliveries(), began).await
    }
}

/// What an attempt saw of the other side.
struct Seen {
    status: Option<u16>,
    answer: String,
    outcome: Outcome,
}

impl Seen {
    fn nothing(outcome: Outcome) -> Self {
        Self { status: None, answer: String::new(), outcome }
    }
}

impl Delivery {
    async fn deliver(&self, work: DeliveryWork) -> Result<(), store::Error> {
        let began = (self.clock.now(), Instant::now());
        let endpoint = self.endpoints.load().get(&work.endpoint).cloned();
        let (seen, retry) = match endpoint {
            Some(endpoint) => {
                let seen = self.attempt(&work, &endpoint, began.0).await?;
                (seen, endpoint.retry.clone())
            }
            None => {
                let reason = format!("endpoint {} is no longer configured", work.endpoint);
                (Seen::nothing(Outcome::transient(reason)), RetryPolicy::deliveries())
            }
        };
        self.record(work, seen, &retry, began).await
    }

    async fn record(
        &self,
        work: DeliveryWork,
        seen: Seen,
        retry: &RetryPolicy,
        (at, started): (Timestamp, Instant),
    ) -> Result<(), store::Error> {
        let Seen { status, answer, outcome } = seen;
        let tries_made = work.tries_made + 1;
        let verdict = retry.verdict(tries_made, &outcome, self.clock.now(), fastrand::f64());
        self.metrics.attempt(&work.endpoint, &outcome, started.elapsed());
        note(&work, tries_made, &outcome, verdict);
        let duration = started.elapsed();
        let attempt = Attempt { at, duration, status, answer, outcome, verdict };
        self.store.record_attempt(work, attempt).await
    }

    async fn attempt(
        &self,
        work: &DeliveryWork,
        endpoint: &Endpoint,
        now: Timestamp,
    ) -> Result<Seen, store::Error> {
        let content = match self.content(work, endpoint) {
            // Its own trouble: the provider's bytes are what this endpoint wants.
            Err(store::Error::Damaged(damaged)) => {
                return Ok(Seen::nothing(Outcome::permanent(damaged.to_string())));
            }
            content => content?,
        };
        let content = match content {
            Ok(content) => content,
            Err(error) => return Ok(Seen::nothing(Outcome::permanent(error.to_string()))),
        };
        let id = work.id.to_string();
        let mut headers = outbound::headers(&id, now.seconds(), &content.body, &endpoint.keys);
        headers.push(("content-type", content.content_type));
        let posted = self.egress.post(&endpoint.url, &headers, content.body, endpoint.timeout);
        Ok(match posted.await {
            Ok(answer) => answered(answer),
            // Not an address that the operator allows: only a change of the configuration helps,
            // and then a replay.
            Err(error @ EgressError::Refused(_)) => {
                Seen::nothing(Outcome::permanent(error.to_string()))
            }
            Err(error) => Seen::nothing(Outcome::transient(error.to_string())),
        })
    }

    fn content(
        &self,
        work: &DeliveryWork,
        endpoint: &Endpoint,
    ) -> Result<Result<Content, InvalidData>, store::Error> {
        let stored = match &work.cargo {
            Cargo::Parcel(stored) => {
                return Ok(Ok(Content {
                    content_type: stored.parcel.content_type.clone(),
                    body: stored.parcel.body.clone(),
                }));
            }
            Cargo::Event(stored) => stored,
        };
        let receipt = match (endpoint.format, stored.receipt) {
            (Format::Raw, Some(id)) => self.store.read_receipt(id)?,
            _ => None,
        };
        let request = receipt.as_ref().map(|receipt| receipt.request.as_ref());
        Ok(outbound::content(endpoint.format, &stored.event, request))
    }
}

/// How an answer is judged: 2xx is success, 410 says never again, all else may pass.
fn answered(answer: Answer) -> Seen {
    let outcome = match answer.status {
        200..=299 => Outcome::Success,
        410 => Outcome::permanent("answered 410: the endpoint wants no more"),
        status => Outcome::Transient {
            reason: format!("answered {status}"),
            retry_after_ms: answer.retry_after.map(milliseconds),
        },
    };
    Seen { status: Some(answer.status), answer: answer.excerpt, outcome }
}

fn milliseconds(delay: Duration) -> u64 {
    u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)
}

fn note(work: &DeliveryWork, attempt: u32, outcome: &Outcome, verdict: Verdict) {
    let (id, endpoint) = (work.id, &work.endpoint);
    let reason = outcome.reason().unwrap_or_default();
    match verdict {
        Verdict::Done => {
            debug!(delivery.id = %id, %endpoint, delivery.attempt = attempt, "delivered");
        }
        Verdict::RetryAt(due) => {
            info!(delivery.id = %id, %endpoint, delivery.attempt = attempt, %due,
                "attempt failed, another will follow: {reason}");
        }
        Verdict::Dead => {
            warn!(delivery.id = %id, %endpoint, delivery.attempt = attempt,
                "delivery is a dead letter: {reason}");
        }
    }
}
