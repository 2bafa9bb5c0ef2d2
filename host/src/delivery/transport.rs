//! What takes a delivery to an endpoint, by the scheme of its URL.
//!
//! Whoever judges, records and paces deliveries knows nothing else of how they travel: another way
//! is another file beside `https`, and its schemes where an endpoint is made ready. Never decides
//! what follows from an attempt.

use super::body::Content;
use super::hidden::Hidden;
use super::pace::Ended;
use super::ready::Ready;
use crate::egress::{CONTENT_TYPE_BYTES_MAX, EXCERPT_BYTES_MAX};
use crate::event::Timestamp;
use crate::failure::{AttemptDetail, Reason};
use crate::ids::Id;
use crate::retry::Outcome;
use crate::trace_context::TraceContext;

/// A way to endpoints.
pub(super) trait Transport {
    /// The schemes of the URLs that it leads to.
    const SCHEMES: &'static [&'static str];

    /// Makes one attempt. `late` is called once if there is no answer for a while.
    fn send(
        &self,
        sending: Sending<'_>,
        late: impl FnOnce() + Send,
    ) -> impl Future<Output = Seen> + Send;
}

/// A delivery, and where it goes.
pub(super) struct Sending<'s> {
    /// The same for each attempt.
    pub(super) id: Id,
    pub(super) at: Timestamp,
    pub(super) content: Content,
    pub(super) endpoint: &'s Ready,
    /// The span of the attempt, if it has one.
    pub(super) trace: Option<TraceContext>,
}

/// What an attempt saw of the other side.
pub(super) struct Seen {
    /// In the words of HTTP, whatever the transport is.
    pub(super) status: Option<u16>,
    pub(super) answer: String,
    pub(super) outcome: Outcome,
    pub(super) ended: Ended,
    /// The case of what went wrong.
    pub(super) case: &'static str,
    /// What the store keeps besides.
    pub(super) detail: AttemptDetail,
}

impl Seen {
    /// Nothing was sent.
    pub(super) fn unsent(case: &'static str, reason: Reason, outcome: Outcome) -> Self {
        let detail = AttemptDetail { reason: Some(reason), ..AttemptDetail::default() };
        let (status, answer) = (None, String::new());
        Self { status, answer, outcome, ended: Ended::Unsent, case, detail }
    }

    /// Takes the secrets of the endpoint out of what it said.
    pub(super) fn hide(&mut self, hidden: &Hidden) {
        hidden.take_out_of(&mut self.answer, EXCERPT_BYTES_MAX);
        if let Some(content_type) = &mut self.detail.content_type {
            hidden.take_out_of(content_type, CONTENT_TYPE_BYTES_MAX);
        }
    }
}
