//! What the span of an attempt says.
//!
//! Of the endpoint only where it is and what its status was: no URL and no answer, which may hold
//! secrets. Never decides whether a span is exported.

use std::time::Duration;

use super::transport::Seen;
use super::{Delivery, event_of};
use crate::event::Timestamp;
use crate::retry::Outcome;
use crate::store::{DeliveryWork, Payload};
use crate::telemetry::{Description, SpanKind, Step, Tried};

impl Delivery {
    /// The step that an attempt is, which began then.
    pub(super) fn step_of(&self, work: &DeliveryWork, at: Timestamp) -> Option<Step> {
        let DeliveryWork { id, tries_made, is_replay, .. } = *work;
        let trace = match &work.payload {
            Payload::Event(event) => event.trace,
            Payload::Parcel(parcel) => parcel.trace,
        };
        self.telemetry.tried(trace, Tried { id, tries_made, at, is_replay })
    }

    /// An attempt has ended.
    pub(super) fn attempted(
        &self,
        step: Option<Step>,
        work: &DeliveryWork,
        seen: &Seen,
        took: Duration,
    ) {
        let Some(step) = step else { return };
        let is_failed = !matches!(seen.outcome, Outcome::Success);
        self.telemetry.ended(&step, is_failed, took, || {
            let listed = self.directory.get(&work.endpoint);
            let url = listed.as_ref().map(|listed| &listed.endpoint.settings.url);
            let failed = || match seen.status {
                Some(status) => status.to_string(),
                None => seen.case.to_owned(),
            };
            let peer = seen.detail.peer;
            Description::new(SpanKind::Client, "deliver")
                .done_for(&work.endpoint)
                .messaging("deliver", "send", work.endpoint.to_string(), work.id.to_string())
                .with("hookgate.endpoint", work.endpoint.to_string())
                .with("hookgate.event.id", event_of(work).to_string())
                .with("hookgate.attempt", work.tries_made + 1)
                .with("http.request.method", "POST")
                .with_some("http.request.resend_count", resent(work.tries_made))
                .with_some("http.response.status_code", seen.status)
                .with_some("server.address", url.and_then(|url| url.host_str().map(str::to_owned)))
                .with_some("server.port", url.and_then(|url| url.port_or_known_default()))
                .with_some("network.peer.address", peer.map(|peer| peer.ip().to_string()))
                .with_some("network.peer.port", peer.map(|peer| peer.port()))
                .with_some("error.type", is_failed.then(failed))
        });
    }
}

/// The first attempt sends nothing again.
fn resent(tries_made: u32) -> Option<u32> {
    (tries_made > 0).then_some(tries_made)
}
