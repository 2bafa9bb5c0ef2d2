//! What an assistant can say to a tool. The comments are what it reads there.
//!
//! The shapes that clients get are derived from these. Never looks at what a text means: the
//! gateway does, and says what is wrong with it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Status {
    /// How far back the figures go: hour (if left out), day or week
    pub(super) span: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Events {
    /// Only events of this source
    source: Option<String>,
    /// Only events of this type, such as payment.failed or payment.*
    #[serde(rename = "type")]
    event_type: Option<String>,
    /// Only events about this subject, such as pi_123
    subject: Option<String>,
    /// Only events of this tenant
    tenant: Option<String>,
    /// Only events in this state: pending, done or dead
    state: Option<String>,
    /// Only events that were stored from this time on, such as 2026-11-22T03:00:00Z
    after: Option<String>,
    /// Only events that were stored before this time
    before: Option<String>,
    /// The number of events, 20 if left out
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// `next` of the page before
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Show {
    /// The id: evt_..., rcp_..., run_..., dlv_... or rpl_...
    pub(super) id: String,
    /// Whether to show also the payload, as far as 8,000 characters: the data of the event, and the
    /// body and headers of the request. They may be personal
    #[serde(default)]
    pub(super) with_data: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Failures {
    /// Only work of this kind: parse, run or delivery
    pub(super) kind: Option<String>,
    /// Only deliveries to this endpoint: its id (ep_...), its name, or TENANT/NAME
    pub(super) endpoint: Option<String>,
    /// Only work that failed for this reason, such as endpoint_timeout
    pub(super) reason: Option<String>,
    /// Only work on events of this tenant
    pub(super) tenant: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeadLetters {
    /// Only dead letters of this kind of work: parse, run or delivery
    kind: Option<String>,
    /// Only dead letters of this source, handler or endpoint; for an endpoint of the API, its id
    /// with - for _
    name: Option<String>,
    /// Only dead letters with this reason, such as endpoint_timeout
    reason: Option<String>,
    /// Only dead letters about events of this tenant
    tenant: Option<String>,
    /// The number of letters, 20 if left out
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// `next` of the page before
    cursor: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Endpoints {
    /// Only endpoints of this tenant
    tenant: Option<String>,
    /// Only endpoints of this name
    name: Option<String>,
    /// Only endpoints in this state: enabled, paused or disabled
    state: Option<String>,
    /// The number of endpoints, 20 if left out
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// `next` of the page before
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ShowEndpoint {
    /// The endpoint: its id (ep_...), its name, or TENANT/NAME. A name alone is the operator's
    pub(super) endpoint: String,
}

/// Which work a replay is for.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct Work {
    /// Only work on events of this source
    source: Option<String>,
    /// Only work on events of this type, such as payment.failed or payment.*
    #[serde(rename = "type")]
    event_type: Option<String>,
    /// Only work on events about this subject, such as pi_123
    subject: Option<String>,
    /// Only work on events of this tenant
    tenant: Option<String>,
    /// Only work in this state: pending, done or dead
    state: Option<String>,
    /// Only deliveries to this endpoint: its id (ep_...), its name, or TENANT/NAME
    pub(super) endpoint: Option<String>,
    /// Only dead letters with this reason, such as endpoint_timeout
    reason: Option<String>,
    /// Only work of this kind: parse, run or delivery
    kind: Option<String>,
    /// Only work on events that were stored from this time on, such as 2026-11-22T03:00:00Z
    after: Option<String>,
    /// Only work on events that were stored before this time
    before: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Preview {
    /// Which work: at least one member
    pub(super) filter: Work,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Start {
    /// Which work: at least one member
    pub(super) filter: Work,
    /// Do nothing if more works than this match: `matches` of preview_replay
    pub(super) at_most: u64,
    /// Works to open in a second, at most
    pub(super) rate: Option<u32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Replay {
    /// The id: rpl_...
    pub(super) id: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Delivery {
    /// The id: dlv_...
    pub(super) id: String,
}
