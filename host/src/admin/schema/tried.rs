//! The schemas of the history of a work: its tries or attempts, how each ended, and what followed.
//!
//! The members of each; an outcome and a verdict stand among those of the try that they end. Never
//! says what a work is.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::object::Members;
use super::{Described, Schemas, one_of};
use crate::effect::{Alert, LogLevel, LogLine, Severity};
use crate::event::Timestamp;
use crate::failure::{Phase, Reason};
use crate::ids::{Id, Name};
use crate::store::{AttemptView, OutcomeView, PluginStamp, TimesView, TryView, VerdictView};

impl Described for Severity {
    fn schema(_: &mut Schemas) -> Value {
        one_of(&["info", "warning", "critical"])
    }
}

impl Described for LogLevel {
    fn schema(_: &mut Schemas) -> Value {
        one_of(&["debug", "info", "warn", "error"])
    }
}

impl Described for Reason {
    fn schema(_: &mut Schemas) -> Value {
        one_of(&Self::ALL.map(Self::as_str))
    }
}

impl Described for Phase {
    fn schema(_: &mut Schemas) -> Value {
        one_of(&Self::ALL.map(Self::as_str))
    }
}

impl Described for SocketAddr {
    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "description": "An IP address and a port." })
    }
}

/// Beside the members of what it ends.
impl Described for OutcomeView {
    fn schema(schemas: &mut Schemas) -> Value {
        let mut members = Members::default();
        members.add_all(&json!({
            "properties": { "outcome": one_of(&["success", "transient", "permanent"]) },
            "required": ["outcome"],
        }));
        members.add::<Reason>(schemas, "reason", "Why it did not succeed.", "maybe");
        members.add::<String>(schemas, "detail", "The same in words.", "maybe");
        let said = "The delay that the other side asked for, in milliseconds.";
        members.add::<Option<u64>>(schemas, "retry_after_ms", said, "maybe");
        members.into_schema("How a try ended.")
    }
}

/// Beside the members of what it follows.
impl Described for VerdictView {
    fn schema(schemas: &mut Schemas) -> Value {
        let mut members = Members::default();
        members.add_all(&json!({
            "properties": { "verdict": one_of(&["done", "retry", "dead"]) },
            "required": ["verdict"],
        }));
        members.add::<Timestamp>(schemas, "retry_at", "Not tried before this time.", "maybe");
        members.into_schema("What followed a try.")
    }
}

object! {
    /// A try of a parse or a run.
    TryView {
        /// When it began.
        at: Timestamp,
        duration_us: u64,
        /// The plugin that ran.
        plugin: Option<PluginStamp>,
        [flat] outcome: OutcomeView,
        [flat] verdict: VerdictView,
        /// What the plugin logged.
        log: Vec<LogLine>,
        /// What the operator should see.
        alerts: Vec<Alert>,
        /// The events that it added.
        events: Vec<Id>,
        /// The deliveries of the parcels that it sent.
        parcels: Vec<Id>,
        /// The keys of the state that it set or deleted.
        [maybe] state_keys: Vec<String>,
    }
}

object! {
    /// An attempt of a delivery.
    AttemptView {
        /// When it began.
        at: Timestamp,
        duration_us: u64,
        /// The status of the answer, if one came.
        status: Option<u16>,
        /// The first 4 KiB of the answer.
        answer: String,
        /// The content type of the answer.
        content_type: Option<String>,
        [flat] outcome: OutcomeView,
        [flat] verdict: VerdictView,
        /// The phase that the attempt ended in.
        phase: Option<Phase>,
        /// The address that it went to.
        peer: Option<SocketAddr>,
        /// What led to a failure, the outermost first.
        causes: Vec<String>,
        times_us: TimesView,
        /// Whether it went over HTTP/2.
        http2: bool,
        /// Whether the connection was open already.
        reused: bool,
    }
}

object! {
    /// The time in each phase of an attempt, in microseconds; null for a phase that it did not
    /// reach.
    TimesView {
        resolve: Option<u32>,
        connect: Option<u32>,
        tls: Option<u32>,
        send: Option<u32>,
        headers: Option<u32>,
        body: Option<u32>,
    }
}

object! {
    /// The plugin that a try ran.
    PluginStamp {
        name: Name,
        /// The version that it says it is.
        version: String,
        /// SHA-256 of its file, in hexadecimal.
        digest: String,
    }
}

object! {
    /// A line that a plugin logged.
    LogLine {
        level: LogLevel,
        message: String,
    }
}

object! {
    /// Something that a person should look at.
    Alert {
        severity: Severity,
        message: String,
    }
}
