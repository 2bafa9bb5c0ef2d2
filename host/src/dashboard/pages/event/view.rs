//! An event and a receipt as the API shows them: what their pages read of that.
//!
//! Values. Never asked for here.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::dashboard::figure::Money;
use crate::event::Timestamp;

/// An event with its receipt, runs and deliveries.
#[derive(Deserialize)]
pub(super) struct EventPage {
    pub(super) id: String,
    pub(super) state: String,
    pub(super) recorded_at: Timestamp,
    pub(super) event: Event,
    pub(super) receipt_id: Option<String>,
    /// The run that emitted it.
    pub(super) cause: Option<String>,
    pub(super) trace_id: Option<String>,
    pub(super) tenant: Option<String>,
    pub(super) runs: Vec<Run>,
    pub(super) deliveries: Vec<Delivery>,
    /// Deliveries that can't be read.
    #[serde(default)]
    pub(super) damaged: Vec<IgnoredAny>,
    pub(super) receipt: Option<Receipt>,
}

#[derive(Deserialize)]
pub(super) struct Event {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) event_type: String,
    pub(super) source: String,
    pub(super) subject: Option<String>,
    pub(super) time: Timestamp,
    pub(super) money: Option<Money>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) data: Box<RawValue>,
}

/// An accepted request.
#[derive(Deserialize)]
pub(super) struct Receipt {
    pub(super) id: String,
    pub(super) source: String,
    pub(super) received_at: Timestamp,
    pub(super) method: String,
    /// Path and query.
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) claimed_by: Option<Stamp>,
    /// What the request proved: `bound`, `unbound`, `weak` or `none`, if that is known.
    pub(super) proof: Option<String>,
    #[serde(default)]
    pub(super) body_expired: bool,
    pub(super) body: Option<String>,
    pub(super) body_base64: Option<String>,
    pub(super) state: String,
    pub(super) retry_at: Option<Timestamp>,
    pub(super) damaged_at: Option<u64>,
    pub(super) tries: Vec<Try>,
    pub(super) events: Vec<String>,
}

/// A plugin as it was when it did something.
#[derive(Deserialize)]
pub(super) struct Stamp {
    pub(super) name: String,
    pub(super) version: String,
}

/// A handler's work on an event.
#[derive(Deserialize)]
pub(super) struct Run {
    pub(super) id: String,
    pub(super) handler: String,
    pub(super) state: String,
    pub(super) retry_at: Option<Timestamp>,
    pub(super) damaged_at: Option<u64>,
    pub(super) tries: Vec<Try>,
}

/// A try of a parse or a run.
#[derive(Deserialize)]
pub(super) struct Try {
    pub(super) at: Timestamp,
    pub(super) duration_us: u64,
    pub(super) plugin: Option<Stamp>,
    pub(super) outcome: String,
    pub(super) verdict: String,
    pub(super) reason: Option<String>,
    pub(super) detail: Option<String>,
    pub(super) log: Vec<LogLine>,
    pub(super) alerts: Vec<Alert>,
    /// The events that it added.
    pub(super) events: Vec<String>,
    /// The deliveries of the parcels that it sent.
    pub(super) parcels: Vec<String>,
    #[serde(default)]
    pub(super) state_keys: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct LogLine {
    pub(super) level: String,
    pub(super) message: String,
}

#[derive(Deserialize)]
pub(super) struct Alert {
    pub(super) severity: String,
    pub(super) message: String,
}

/// An event or a parcel that goes to an endpoint.
#[derive(Deserialize)]
pub(super) struct Delivery {
    pub(super) id: String,
    pub(super) endpoint: Endpoint,
    /// The run that sent it, if it is a parcel.
    pub(super) run: Option<String>,
    pub(super) state: String,
    pub(super) retry_at: Option<Timestamp>,
    pub(super) damaged_at: Option<u64>,
    pub(super) attempts: Vec<Attempt>,
    /// The request of the last attempt, if it was asked for.
    #[serde(skip)]
    pub(super) sent: Option<Remade>,
}

/// The request of an attempt, made again with the settings of now.
#[derive(Deserialize)]
pub(super) struct Remade {
    pub(super) request: Option<Sent>,
    /// Why it can't be made.
    pub(super) reason: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Sent {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: Vec<Header>,
    pub(super) body_bytes: u64,
}

#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) name: String,
    pub(super) value: String,
}

#[derive(Deserialize)]
pub(super) struct Endpoint {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) deleted: bool,
}

/// One try to deliver.
#[derive(Deserialize)]
pub(super) struct Attempt {
    pub(super) at: Timestamp,
    pub(super) duration_us: u64,
    pub(super) status: Option<u16>,
    /// The first 4 KiB of it.
    pub(super) answer: String,
    pub(super) content_type: Option<String>,
    pub(super) outcome: String,
    pub(super) verdict: String,
    pub(super) reason: Option<String>,
    pub(super) detail: Option<String>,
    /// The phase that it ended in.
    pub(super) phase: Option<String>,
    pub(super) peer: Option<String>,
    /// The outermost first.
    pub(super) causes: Vec<String>,
    pub(super) times_us: Times,
    pub(super) http2: bool,
    pub(super) reused: bool,
}

/// The time in each phase of an attempt, in microseconds.
#[derive(Deserialize)]
pub(super) struct Times {
    pub(super) resolve: Option<u64>,
    pub(super) connect: Option<u64>,
    pub(super) tls: Option<u64>,
    pub(super) send: Option<u64>,
    pub(super) headers: Option<u64>,
    pub(super) body: Option<u64>,
}
