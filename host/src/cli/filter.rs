//! Filters that several lists have: which events they are of, and when something came.
//!
//! Called as the API calls them. Never looks at what matches.

use std::time::Duration;

use clap::Args;

use super::rows::given;
use crate::event::{Timestamp, in_millis};

/// Which events, or the work on which events.
#[derive(Debug, Args)]
pub(super) struct About {
    /// Only of events of this type, such as payment.failed or payment.*
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// Only of events about this subject, such as pi_123
    #[arg(long)]
    subject: Option<String>,
}

impl About {
    pub(super) fn pairs(&self) -> Vec<(&'static str, String)> {
        given([("type", self.event_type.clone()), ("subject", self.subject.clone())])
    }
}

/// When something came, or the gateway stored it.
#[derive(Debug, Args)]
pub(super) struct Span {
    /// Only from this time on, such as 2026-11-22T03:00:00Z
    #[arg(long)]
    after: Option<Timestamp>,
    /// Only before this time, such as 2026-11-23T03:00:00Z
    #[arg(long)]
    before: Option<Timestamp>,
}

impl Span {
    pub(super) fn pairs(&self) -> Vec<(&'static str, String)> {
        let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
        given([("after", text(self.after)), ("before", text(self.before))])
    }
}

/// A time, or how long ago it was.
#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    At(Timestamp),
    Ago(Duration),
}

pub(super) fn when(text: &str) -> Result<When, String> {
    if let Ok(time) = text.parse() {
        return Ok(When::At(time));
    }
    let wrong = |_| "write a time such as 2026-11-22T03:00:00Z, or how long ago, such as 7d";
    Ok(When::Ago(humantime::parse_duration(text).map_err(wrong)?))
}

impl When {
    pub(super) fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Ago(time) => Timestamp(now.0.saturating_sub(in_millis(time))),
        }
    }
}
