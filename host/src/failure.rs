//! Why a work failed, in words that never change, and what one attempt at an endpoint saw.
//!
//! Pure values. A reason is for programs: filters, metrics and dead letters go by it. What it was
//! exactly is for people, and stands beside it. Nothing here decides what follows from it.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a try failed: the closed list that dead letters have their reasons from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    // The store writes the number of the variant: a new one comes at the end.
    /// The endpoint answered, and not with 2xx.
    EndpointRefused,
    /// The endpoint was not to be reached.
    EndpointUnreachable,
    /// The endpoint did not answer in time.
    EndpointTimeout,
    /// The endpoint's certificate, or what TLS agreed on, was not acceptable.
    EndpointTls,
    /// The endpoint answered 410, or is deleted or disabled.
    EndpointGone,
    /// The guard of outbound connections refused the address.
    BlockedByGuard,
    /// The plugin failed.
    PluginFailed,
    /// The plugin is not loaded.
    PluginMissing,
    /// The plugin can't make an event of what was received.
    Unparsable,
    /// What the store has of it can't be read.
    Unreadable,
    /// The plugin asked for what the operator has not granted it.
    NotGranted,
    /// The operator ended it.
    Discarded,
    /// What it was about is erased.
    Erased,
}

impl Reason {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 13] = [
        Self::EndpointRefused,
        Self::EndpointUnreachable,
        Self::EndpointTimeout,
        Self::EndpointTls,
        Self::EndpointGone,
        Self::BlockedByGuard,
        Self::PluginFailed,
        Self::PluginMissing,
        Self::Unparsable,
        Self::Unreadable,
        Self::NotGranted,
        Self::Discarded,
        Self::Erased,
    ];

    /// As programs read it: `endpoint_timeout`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EndpointRefused => "endpoint_refused",
            Self::EndpointUnreachable => "endpoint_unreachable",
            Self::EndpointTimeout => "endpoint_timeout",
            Self::EndpointTls => "endpoint_tls",
            Self::EndpointGone => "endpoint_gone",
            Self::BlockedByGuard => "blocked_by_guard",
            Self::PluginFailed => "plugin_failed",
            Self::PluginMissing => "plugin_missing",
            Self::Unparsable => "unparsable",
            Self::Unreadable => "unreadable",
            Self::NotGranted => "not_granted",
            Self::Discarded => "discarded",
            Self::Erased => "erased",
        }
    }
}

/// A text that is no [`Reason`].
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a reason such as endpoint_timeout")]
pub struct InvalidReason(String);

impl FromStr for Reason {
    type Err = InvalidReason;

    fn from_str(text: &str) -> Result<Self, InvalidReason> {
        let known = Self::ALL.into_iter().find(|reason| reason.as_str() == text);
        known.ok_or_else(|| InvalidReason(text.to_owned()))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A part of an attempt, in the order in which they follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    // The store writes the number of the variant: a new one comes at the end.
    /// The host's addresses are looked up.
    Resolve,
    /// A connection is opened.
    Connect,
    /// TLS is agreed on.
    Tls,
    /// The request is sent.
    Send,
    /// The head of the answer is awaited.
    Headers,
    /// The body of the answer is read.
    Body,
}

impl Phase {
    /// All, in their order: the places of [`AttemptDetail::times_us`].
    pub const ALL: [Self; 6] =
        [Self::Resolve, Self::Connect, Self::Tls, Self::Send, Self::Headers, Self::Body];

    /// As programs read it: `connect`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Send => "send",
            Self::Headers => "headers",
            Self::Body => "body",
        }
    }
}

/// What an attempt at an endpoint saw, beside its status, its answer and how it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptDetail {
    /// Why it failed; `None` if it succeeded.
    pub reason: Option<Reason>,
    /// The phase that it ended in; `None` if nothing was done, or that is not known.
    pub phase: Option<Phase>,
    /// The address that it went to.
    pub peer: Option<SocketAddr>,
    /// What led to it, the outermost first: at most 8, each of at most 200 bytes.
    pub causes: Vec<String>,
    /// Microseconds in each phase; `None` for one that was not come to, as on a connection that
    /// was open already.
    pub times_us: [Option<u32>; 6],
    /// The content type of the answer, of at most 127 bytes.
    pub content_type: Option<String>,
    /// Whether it went over HTTP/2.
    pub http2: bool,
    /// Whether the connection was open already.
    pub reused: bool,
}

impl AttemptDetail {
    /// Whether it says nothing at all, as that of an attempt which was recorded without any.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_reads_back_from_what_programs_read() {
        for reason in Reason::ALL {
            assert_eq!(reason.as_str().parse::<Reason>().unwrap(), reason);
            let json = serde_json::to_value(reason).unwrap();
            assert_eq!(json, reason.as_str());
        }
        for other in ["", "timeout", "Discarded", "endpoint_refused "] {
            assert!(other.parse::<Reason>().is_err(), "{other}");
        }
    }

    #[test]
    fn a_phase_is_called_the_same_everywhere() {
        for phase in Phase::ALL {
            assert_eq!(serde_json::to_value(phase).unwrap(), phase.as_str());
        }
    }

    #[test]
    fn the_numbers_that_the_store_writes_stay() {
        for (number, reason) in (0u8..).zip(Reason::ALL) {
            assert_eq!(postcard::to_stdvec(&reason).unwrap(), [number], "{reason}");
        }
        for (number, phase) in (0u8..).zip(Phase::ALL) {
            assert_eq!(postcard::to_stdvec(&phase).unwrap(), [number], "{}", phase.as_str());
        }
        // The first and the last by name: nobody sorts the list anew.
        assert_eq!(postcard::to_stdvec(&Reason::EndpointRefused).unwrap(), [0]);
        assert_eq!(postcard::to_stdvec(&Reason::Erased).unwrap(), [12]);
    }

    #[test]
    fn what_an_attempt_saw_reads_back_from_a_record() {
        let detail = AttemptDetail {
            reason: Some(Reason::EndpointTls),
            phase: Some(Phase::Tls),
            peer: Some("[2001:db8::1]:443".parse().unwrap()),
            causes: vec!["unknown issuer".to_owned()],
            times_us: [Some(1), Some(2), Some(3), None, None, None],
            content_type: None,
            http2: false,
            reused: true,
        };
        let written = postcard::to_stdvec(&detail).unwrap();
        assert_eq!(postcard::from_bytes::<AttemptDetail>(&written).unwrap(), detail);
        assert!(!detail.is_empty() && AttemptDetail::default().is_empty());
    }
}
