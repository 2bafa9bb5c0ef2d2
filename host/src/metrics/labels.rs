//! The cases that labels name, as Prometheus reads them.
//!
//! Each is a word that dashboards and alerts are written with. Never the name of anything that an
//! operator or a sender chose.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};

use super::{Answered, Cause, HungUp, Kind, Label, Reloaded};
use crate::retry::Outcome;

impl EncodeLabelValue for Label {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.as_str().encode(encoder),
            Self::Case(case) => case.encode(encoder),
        }
    }
}

impl Answered {
    /// All of them.
    pub(super) const ALL: [Self; 8] = [
        Self::Accepted,
        Self::Duplicate,
        Self::Handshake,
        Self::Refused,
        Self::TooLarge,
        Self::Broken,
        Self::Busy,
        Self::Failed,
    ];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Handshake => "handshake",
            Self::Refused => "refused",
            Self::TooLarge => "too_large",
            Self::Broken => "broken",
            Self::Busy => "busy",
            Self::Failed => "failed",
        }
    }
}

impl HungUp {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Idle => "idle",
            Self::NotReading => "not_reading",
            Self::Displaced => "displaced",
            Self::TooMany => "too_many",
            Self::Unannounced => "unannounced",
            Self::Tls => "tls",
            Self::TakenBack => "taken_back",
        }
    }
}

impl Reloaded {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Swapped => "swapped",
            Self::Kept => "kept",
            Self::Removed => "removed",
        }
    }
}

impl Cause {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Trap => "trap",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Contract => "contract",
            Self::Limit => "limit",
            Self::Busy => "busy",
            Self::Host => "host",
            Self::Panic => "panic",
            Self::Missing => "missing",
        }
    }
}

impl Kind {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Receipt => "receipt",
            Self::Run => "run",
            Self::Delivery => "delivery",
        }
    }
}

pub(super) fn outcome_label(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Transient { .. } => "transient",
        Outcome::Permanent { .. } => "permanent",
    }
}
