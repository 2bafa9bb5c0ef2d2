//! Why nothing came back from outside, in words for the operator: who, at which address, and the
//! cause.
//!
//! No text holds more of a URL than its host and port: the rest may be secret. Never decides what
//! follows.

use std::error::Error;
use std::io;
use std::time::Duration;

use super::guard::Refusal;
use super::meter::TooMuch;
use super::origin::{Origin, Peer};
use super::resolver::NameError;
use super::tls;
use crate::failure::{Phase, Reason};

/// Most bytes of one cause.
const CAUSE_BYTES_MAX: usize = 200;

/// Why nothing came back.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum EgressError {
    /// The guard forbids it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The configuration asks for a header that HTTP does not know. Holds its name.
    #[error("the name or value of the header `{0}` is not valid in HTTP")]
    InvalidHeader(String),
    /// The URL can't stand in a request.
    #[error("the path of the URL for `{0}` is not valid in HTTP")]
    InvalidPath(Origin),
    /// The name stands for nothing.
    #[error("failed to resolve `{host}`: {reason}")]
    Unresolvable {
        /// The host in the URL.
        host: String,
        reason: NameError,
    },
    /// Nobody listens there.
    #[error("{}: {reason}", unconnected(peer))]
    Connect { peer: Peer, reason: String },
    /// Its certificate is not good, or it does not speak TLS as we do.
    #[error("{}: {reason}", disagreed(peer))]
    Tls { peer: Peer, reason: String },
    /// No answer came in time, or what has to be there before it did not.
    #[error("{}", late(peer, *phase, *after))]
    Timeout {
        peer: Peer,
        /// How far it came.
        phase: Option<Phase>,
        /// The time that it had.
        after: Duration,
    },
    /// Connected, but no answer came that HTTP knows.
    #[error("connection to {peer} ended before the answer: {reason}")]
    Broken { peer: Peer, reason: String },
    /// From [`super::Egress::fetch`] only: an answer that nobody wants to hold.
    #[error("the answer of {peer} is larger than {bytes_max} bytes")]
    TooLarge {
        peer: Peer,
        /// Most bytes that were asked for.
        bytes_max: usize,
    },
}

impl EgressError {
    /// The case, for counting.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::InvalidHeader(_) => "invalid_header",
            Self::InvalidPath(_) => "invalid_path",
            Self::Unresolvable { .. } => "unresolvable",
            Self::Connect { .. } => "connect",
            Self::Tls { .. } => "tls",
            Self::Timeout { .. } => "timeout",
            Self::Broken { .. } => "broken",
            Self::TooLarge { .. } => "too_large",
        }
    }

    /// What it is to programs.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Refused(_) => Reason::BlockedByGuard,
            Self::Tls { .. } => Reason::EndpointTls,
            Self::Timeout { .. } => Reason::EndpointTimeout,
            // Of the first two nothing was sent, and no other reason says so.
            Self::InvalidHeader(_)
            | Self::InvalidPath(_)
            | Self::Unresolvable { .. }
            | Self::Connect { .. }
            | Self::Broken { .. }
            | Self::TooLarge { .. } => Reason::EndpointUnreachable,
        }
    }

    /// What led to it, the outermost first.
    pub(crate) fn causes(&self) -> Vec<String> {
        let (outer, inner) = match self {
            Self::Unresolvable { host, reason } => {
                (format!("failed to resolve `{host}`"), reason.to_string())
            }
            Self::Connect { peer, reason } => (unconnected(peer), reason.clone()),
            Self::Tls { peer, reason } => (disagreed(peer), reason.clone()),
            Self::Timeout { peer, phase, after } => {
                let outer = match phase {
                    Some(Phase::Connect) => unconnected(peer),
                    Some(Phase::Tls) => disagreed(peer),
                    _ => format!("{peer} did not answer"),
                };
                (outer, timed_out(*after))
            }
            Self::Broken { peer, reason } => {
                (format!("connection to {peer} ended before the answer"), reason.clone())
            }
            Self::Refused(_)
            | Self::InvalidHeader(_)
            | Self::InvalidPath(_)
            | Self::TooLarge { .. } => (self.to_string(), String::new()),
        };
        let causes = [outer, inner].into_iter().filter(|cause| !cause.is_empty());
        causes.map(short).collect()
    }
}

/// What did not come in time.
fn late(peer: &Peer, phase: Option<Phase>, after: Duration) -> String {
    match phase {
        Some(Phase::Connect) => format!("{}: {}", unconnected(peer), timed_out(after)),
        Some(Phase::Tls) => format!("{}: {}", disagreed(peer), timed_out(after)),
        _ => format!("{peer} did not answer within {}", humantime::format_duration(after)),
    }
}

fn unconnected(peer: &Peer) -> String {
    format!("failed to connect to {peer}")
}

fn disagreed(peer: &Peer) -> String {
    format!("failed to negotiate TLS with {peer}")
}

fn timed_out(after: Duration) -> String {
    format!("timed out after {}", humantime::format_duration(after))
}

fn short(mut cause: String) -> String {
    cause.truncate(cause.floor_char_boundary(CAUSE_BYTES_MAX));
    cause
}

/// What an error of the system is about.
pub(super) fn io_reason(error: &io::Error) -> String {
    use io::ErrorKind as Kind;

    let plain = match error.kind() {
        Kind::ConnectionRefused => "connection refused",
        Kind::ConnectionReset => "connection reset",
        Kind::ConnectionAborted | Kind::BrokenPipe | Kind::UnexpectedEof => "connection closed",
        Kind::TimedOut => "no answer",
        Kind::HostUnreachable => "no route to the host",
        Kind::NetworkUnreachable => "no route to the network",
        _ => return innermost(error),
    };
    plain.to_owned()
}

/// Why TLS was not agreed on.
pub(super) fn tls_reason(error: &io::Error) -> String {
    cause::<rustls::Error>(error).map_or_else(|| io_reason(error), tls::reason)
}

/// Why an answer did not come over a connection.
pub(super) fn http_reason(error: &hyper::Error) -> String {
    if let Some(too_much) = cause::<TooMuch>(error) {
        too_much.to_string()
    } else if let Some(error) = cause::<io::Error>(error) {
        io_reason(error)
    } else if error.is_parse_too_large() {
        "the head of the answer is too large".to_owned()
    } else if error.is_parse() {
        "the answer is not HTTP/1.1".to_owned()
    } else if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        "connection closed".to_owned()
    } else {
        innermost(error)
    }
}

/// What is at the bottom of an error, if it is an `E`.
fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    if let Some(found) = error.downcast_ref() {
        return Some(found);
    }
    // An IO error gives the source of what it wraps, and not what it wraps.
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let below = wrapped.map(|wrapped| wrapped as &(dyn Error + 'static)).or_else(|| error.source());
    below.and_then(cause)
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(below) = innermost.source() {
        innermost = below;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_tls_is_found_below_the_systems_error() {
        let reason =
            |error: rustls::Error| tls_reason(&io::Error::new(io::ErrorKind::InvalidData, error));
        let expired = rustls::CertificateError::Expired;
        assert_eq!(reason(expired.into()), "the certificate has expired");
        assert_eq!(tls_reason(&io::ErrorKind::ConnectionReset.into()), "connection reset");
    }

    #[test]
    fn what_led_to_it_is_said_from_the_outermost_inwards() {
        let url = format!("https://{}.example/hook", "a".repeat(60));
        let origin = Origin::of(&url.parse().unwrap()).unwrap();
        let peer = Peer { origin: origin.into(), address: None };
        let after = Duration::from_secs(5);
        let late = |phase| EgressError::Timeout { peer: peer.clone(), phase, after };
        for (phase, outer) in [
            (Some(Phase::Connect), "failed to connect to "),
            (Some(Phase::Tls), "failed to negotiate TLS with "),
            (Some(Phase::Headers), ""),
        ] {
            let causes = late(phase).causes();
            assert!(causes[0].starts_with(&format!("{outer}`")), "{causes:?}");
            assert_eq!(causes[1..], ["timed out after 5s"]);
            assert_eq!(late(phase).reason(), Reason::EndpointTimeout);
        }
        let expected = format!("{peer} did not answer within 5s");
        assert_eq!(late(Some(Phase::Resolve)).to_string(), expected);

        let long = EgressError::Broken { peer, reason: "é".repeat(200) };
        assert_eq!(long.causes()[1], "é".repeat(CAUSE_BYTES_MAX / 2));
        assert_eq!(long.reason(), Reason::EndpointUnreachable);
    }

    #[test]
    fn what_the_system_says_is_said_plainly() {
        let reason = |kind: io::ErrorKind| io_reason(&kind.into());
        assert_eq!(reason(io::ErrorKind::ConnectionRefused), "connection refused");
        assert_eq!(reason(io::ErrorKind::NetworkUnreachable), "no route to the network");
    }
}
