//! The way out: what endpoints are owed, signed, attempted, recorded, judged.
//!
//! Each attempt goes through a transport and ends in the store, whatever became of it. An endpoint
//! that does not answer gets fewer attempts at a time, then single probes with pauses; so does one
//! that answers and fails. What is held back meanwhile costs no try. One that is gone, or has done
//! nothing but fail for days, is disabled. A delivery never knows why it is owed, and an endpoint
//! that hangs holds up its own deliveries only.

mod body;
mod breaker;
mod following;
mod hidden;
mod https;
mod notices;
mod outline;
mod pace;
mod paced;
mod ready;
mod tally;
mod traced;
mod transport;

use std::sync::{Arc, Mutex};
use std::time::Instant;

use tracing::{debug, info, warn};

pub(crate) use self::body::{Content, content};
use self::breaker::{Change, Judged};
use self::following::State;
pub(crate) use self::following::why_gone;
use self::https::Https;
use self::notices::Cause;
pub(crate) use self::outline::Outline;
pub(crate) use self::paced::Wait;
use self::paced::{Fate, News, Observed};
use self::ready::Ready;
use self::transport::{Seen, Sending, Transport};
use crate::causes::chain;
use crate::clock::Clock;
use crate::directory::{Directory, DirectoryError, Listed};
use crate::egress::Egress;
use crate::endpoint::{Endpoint, Format, Standing, Status, Why};
use crate::event::Timestamp;
use crate::failure::Reason;
use crate::ids::{Id, Name};
use crate::metrics::{Metrics, Timed};
use crate::retry::{Outcome, RetryPolicy, Verdict};
use crate::store::{self, Attempt, DeliveryWork, EndpointChange, Payload, Store, WorkKind};
use crate::telemetry::Telemetry;
use crate::trace_context::{TraceContext, log_fields};
use crate::worker::{Slot, Work, committed, judge, on_disk};

#[derive(Debug)]
pub(crate) struct Delivery {
    /// Where deliveries come from and attempts go.
    store: Store,
    /// For signatures and retries.
    clock: Clock,
    metrics: Metrics,
    telemetry: Telemetry,
    https: Https,
    /// What is known of endpoints.
    directory: Directory,
    /// What all attempts may take together.
    slots: usize,
    state: Mutex<State>,
}

/// The deliveries that are due.
#[derive(Debug, Clone)]
pub(crate) struct Deliveries(pub(crate) Arc<Delivery>);

impl Work for Deliveries {
    type Item = DeliveryWork;

    fn take(
        &self,
        room: usize,
    ) -> impl Future<Output = Result<Vec<DeliveryWork>, store::Error>> + Send {
        self.0.store.take_deliveries(room, self.0.slots)
    }

    fn ready(&self) -> impl Future<Output = ()> + Send {
        self.0.store.ready(WorkKind::Delivery)
    }

    fn id(work: &DeliveryWork) -> Id {
        work.id
    }

    fn settled(&self) -> impl Future<Output = ()> + Send {
        self.0.store.settled(WorkKind::Delivery)
    }

    async fn perform(self, work: DeliveryWork, slot: Slot) -> Result<(), store::Error> {
        self.0.deliver(work, slot).await
    }

    async fn crash(
        self,
        work: DeliveryWork,
        reason: String,
        slot: Slot,
    ) -> Result<(), store::Error> {
        let began = (self.0.clock.now(), Instant::now());
        let outcome = Outcome::transient(reason);
        // Nothing was sent, as far as is known; no other reason says so.
        let seen = Seen::unsent("panic", Reason::EndpointUnreachable, outcome);
        // Not the endpoint's own schedule: that may be what panicked.
        self.0.record(work, seen, &RetryPolicy::deliveries(), began, slot).await
    }
}

impl Delivery {
    /// To the endpoints of a directory, once they are [followed](Self::follow); attempts take up to
    /// `slots` together.
    pub(crate) fn new(
        (store, directory): (Store, Directory),
        clock: Clock,
        (metrics, telemetry): (Metrics, Telemetry),
        egress: Egress,
        slots: usize,
    ) -> Self {
        let state = Mutex::default();
        let https = Https::new(egress);
        Self { store, clock, metrics, telemetry, https, directory, slots, state }
    }

    pub(crate) fn egress(&self) -> &Egress {
        self.https.egress()
    }

    async fn deliver(&self, work: DeliveryWork, slot: Slot) -> Result<(), store::Error> {
        let began = (self.clock.now(), Instant::now());
        let Some(listed) = self.directory.get(&work.endpoint) else {
            let reason = format!("the configuration no longer has endpoint {}", work.endpoint);
            let outcome = Outcome::transient(reason);
            let seen = Seen::unsent("removed", Reason::EndpointGone, outcome);
            let retry = RetryPolicy::deliveries();
            return self.record(work, seen, &retry, began, slot).await;
        };
        match Fate::of(&listed) {
            Fate::Goes => (),
            Fate::Waits => {
                // It goes back and waits there: the store knows before that it must.
                self.follow(Some(vec![work.endpoint.clone()]));
                return Ok(());
            }
            Fate::Ends => return self.end(work, why_gone(&listed), slot).await,
        }
        let endpoint = match self.ready(&listed, began.0) {
            Ok(endpoint) => endpoint,
            Err(why) => {
                // Before it goes back.
                self.hold(&listed, &why);
                return Ok(());
            }
        };
        let (seen, news) = self.attempt(&work, &endpoint, began).await?;
        tell(&work.endpoint, news);
        let why = match news.judged {
            _ if seen.status == Some(410) => Some(Why::Gone410),
            Some(Judged::Disable { .. }) => Some(Why::Failing),
            Some(Judged::Failing { .. }) | None => None,
        };
        if let Some(why) = why {
            // Before its delivery is a dead letter, which somebody may ask about.
            self.disable(&listed, why).await;
        }
        self.record(work, seen, &endpoint.retry, began, slot).await
    }

    /// Disables an endpoint, unless somebody has changed it since.
    async fn disable(&self, listed: &Listed, why: Why) {
        let Endpoint { id, key, revision, .. } = &listed.endpoint;
        let now = self.directory.get(key);
        if now.is_none_or(|now| now.endpoint.revision != *revision) {
            return;
        }
        let standing =
            Standing { status: Status::Disabled, why: Some(why), since: self.clock.now() };
        let change = EndpointChange::Standing(standing);
        match self.directory.change(*id, Some(*revision), change).await {
            Ok(_) => {
                let reason = why.as_str();
                warn!(endpoint.name = %key, reason, "the gateway has disabled this endpoint");
                self.follow(Some(vec![key.clone()]));
            }
            // Of many that are answered at once, another was first.
            Err(DirectoryError::Store(store::Error::EndpointChanged { .. })) => (),
            Err(error) => {
                warn!(endpoint.name = %key, "failed to disable this endpoint: {}", chain(&error));
            }
        }
    }

    /// Ends a delivery without an attempt.
    async fn end(
        &self,
        work: DeliveryWork,
        why: &'static str,
        mut slot: Slot,
    ) -> Result<(), store::Error> {
        let (id, event) = (work.id, event_of(&work));
        debug!(delivery.id = %id, event.id = %event, endpoint.name = %work.endpoint,
            "delivery is a dead letter: {why}");
        let committing = self.store.queue_end(work, Reason::EndpointGone, why).await?;
        if !on_disk(committing, &mut slot).await? {
            debug!(delivery.id = %id, "the store refused the end of a delivery: it has begun anew");
        }
        Ok(())
    }

    async fn record(
        &self,
        work: DeliveryWork,
        seen: Seen,
        retry: &RetryPolicy,
        (at, started): (Timestamp, Instant),
        slot: Slot,
    ) -> Result<(), store::Error> {
        let verdict = judge(&self.clock, retry, work.tries_made, &seen.outcome);
        let duration = started.elapsed();
        let step = self.step_of(&work, at);
        let trace = step.map(|step| step.context);
        let time = Timed::of(duration, trace, &self.clock);
        self.metrics.attempt(&work.endpoint, &seen.outcome, time);
        // A replay says how long somebody left it, and not how long the way takes.
        if let (Verdict::Done, Payload::Event(event), false) =
            (verdict, &work.payload, work.is_replay)
        {
            self.metrics.delivered(self.clock.now().since(event.recorded_at));
        }
        self.note(&work, &seen, verdict, trace);
        self.attempted(step, &work, &seen, duration);
        let Seen { status, answer, outcome, detail, .. } = seen;
        let attempt = Attempt { at, duration, status, answer, outcome, verdict, detail };
        let id = work.id;
        // Nothing follows here from the commit of one that frees its slot.
        if let Some(committing) = self.store.leave_attempt(work, attempt).await? {
            committed(id, &committing.await?);
        }
        drop(slot);
        Ok(())
    }

    async fn attempt(
        &self,
        work: &DeliveryWork,
        endpoint: &Ready,
        (at, started): (Timestamp, Instant),
    ) -> Result<(Seen, News), store::Error> {
        let content = match self.content(&work.payload, endpoint).await {
            // Its own trouble: the provider's bytes are what this endpoint wants.
            Err(store::Error::Damaged(damaged)) => {
                let outcome = Outcome::permanent(damaged.to_string());
                let seen = Seen::unsent("damaged", Reason::Unreadable, outcome);
                return Ok((seen, News::default()));
            }
            content => content?,
        };
        let bytes = content.body.len();
        let ticket = self.with_paced(&work.endpoint, |paced| (paced.pace.begin(), false));
        let late = || {
            if let Some(ticket) = ticket {
                self.with_paced(&work.endpoint, |paced| (paced.pace.late(ticket), false));
            }
        };
        let trace = self.step_of(work, at).map(|step| step.context);
        let sending = Sending { id: work.id, at, content, endpoint, trace };
        let mut seen = self.https.send(sending, late).await;
        seen.hide(&endpoint.hidden);
        let Some(ticket) = ticket else { return Ok((seen, News::default())) };
        let (now, jitter) = (self.clock.now(), fastrand::f64());
        let took = started.elapsed();
        let observed = Observed { ended: seen.ended, status: seen.status, bytes, took };
        let news = self.with_paced(&work.endpoint, |it| it.ended(ticket, observed, now, jitter));
        Ok((seen, news.unwrap_or_default()))
    }

    async fn content(&self, payload: &Payload, endpoint: &Ready) -> Result<Content, store::Error> {
        let stored = match payload {
            Payload::Parcel(stored) => {
                return Ok(Content {
                    content_type: stored.parcel.content_type.clone(),
                    body: stored.parcel.body.clone(),
                });
            }
            Payload::Event(stored) => stored,
        };
        let receipt = match (endpoint.format, stored.receipt) {
            (Format::Raw, Some(id)) => self.store.read_receipt(id).await?,
            _ => None,
        };
        let request = receipt.as_ref().map(|receipt| receipt.request.as_ref());
        Ok(content(endpoint.format, &stored.event, request))
    }

    /// Writes what became of an attempt to the log, as often as is of use there.
    fn note(
        &self,
        work: &DeliveryWork,
        seen: &Seen,
        verdict: Verdict,
        trace: Option<TraceContext>,
    ) {
        let (trace_id, span_id) = log_fields(trace);
        let id = work.id;
        let event = event_of(work);
        let endpoint = &work.endpoint;
        let attempt = work.tries_made + 1;
        let reason = seen.outcome.reason().unwrap_or_default();
        let is_dead = verdict == Verdict::Dead;
        let cause = Cause { is_dead, case: seen.case, status: seen.status.unwrap_or_default() };
        let admitted = match verdict {
            Verdict::Done => None,
            Verdict::RetryAt(_) | Verdict::Dead => {
                let mut state = self.state();
                let notices = state.notices.entry(endpoint.clone()).or_default();
                notices.admit(cause, Instant::now())
            }
        };
        let Some(left_out) = admitted else {
            debug!(delivery.id = %id, event.id = %event, endpoint.name = %endpoint,
                delivery.attempt = attempt, ?verdict, trace_id, span_id,
                "attempt ended: {reason}");
            return;
        };
        // Field by field: a macro's level can't be chosen at run time.
        let left_out = (left_out > 0).then_some(left_out);
        match verdict {
            Verdict::RetryAt(due) if seen.case == "refused" => {
                warn!(delivery.id = %id, event.id = %event, endpoint.name = %endpoint,
                    delivery.attempt = attempt, %due, left_out, trace_id, span_id,
                    "the gateway holds the deliveries to this endpoint: {reason}");
            }
            Verdict::RetryAt(due) => {
                info!(delivery.id = %id, event.id = %event, endpoint.name = %endpoint,
                    delivery.attempt = attempt, %due, left_out, trace_id, span_id,
                    "attempt failed, and the gateway will retry: {reason}");
            }
            Verdict::Dead | Verdict::Done => {
                warn!(delivery.id = %id, event.id = %event, endpoint.name = %endpoint,
                    delivery.attempt = attempt, left_out, trace_id, span_id,
                    "delivery is a dead letter: {reason}");
            }
        }
    }
}

/// Writes to the log what an attempt has changed.
fn tell(endpoint: &Name, News { change, judged }: News) {
    match change {
        Some(Change::Opened { until }) => {
            info!(endpoint.name = %endpoint, %until,
                "the gateway holds the deliveries to this endpoint, because attempts fail");
        }
        Some(Change::Closed) => {
            info!(endpoint.name = %endpoint, "deliveries go to this endpoint again");
        }
        None => (),
    }
    match judged {
        Some(Judged::Failing { since }) => {
            warn!(endpoint.name = %endpoint, %since,
                "all attempts at this endpoint fail: the gateway will disable it");
        }
        Some(Judged::Disable { since }) => {
            warn!(endpoint.name = %endpoint, %since,
                "all attempts at this endpoint have failed: the gateway disables it");
        }
        None => (),
    }
}

/// The event that a delivery is about.
fn event_of(work: &DeliveryWork) -> Id {
    match &work.payload {
        Payload::Event(stored) => stored.id,
        Payload::Parcel(stored) => stored.event,
    }
}
