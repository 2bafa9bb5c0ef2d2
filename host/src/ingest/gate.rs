//! Who may post to a source at all: from where, with which certificate, and how often.
//!
//! Beside the evidence and never in its place: a request that comes through is verified like any
//! other. What is kept out is refused like a forged request. How often counts for genuine requests
//! only, so that no forger uses it up.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::listener::{Connection, Issuers, Stranger};
use crate::rate::Rate;

/// Who may post. By default everybody, and as often as they like.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate {
    /// From these networks alone, if there are any.
    networks: Vec<IpNet>,
    /// With a certificate that one of these vouches for, if anybody has to.
    issuers: Option<Issuers>,
    rate: Option<Arc<Rate>>,
}

/// Why somebody may not post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Outside {
    #[error("{0} is not in `allow`")]
    Address(IpAddr),
    #[error("a trusted proxy names no sender that the gateway can read, and `allow` asks for one")]
    Nobody,
    #[error("{0}")]
    Certificate(Stranger),
}

impl Outside {
    /// The case, for counting.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Address(_) | Self::Nobody => "address",
            Self::Certificate(_) => "client_certificate",
        }
    }
}

impl Gate {
    /// For these networks, or for all if there are none; with a certificate of one of these
    /// issuers, if there are any; and so often, if that is said.
    pub(crate) fn new(networks: Vec<IpNet>, issuers: Option<Issuers>, rate: Option<Rate>) -> Self {
        Self { networks, issuers, rate: rate.map(Arc::new) }
    }

    /// Whose certificates peers must show, if they must.
    pub(crate) fn issuers(&self) -> Option<&Issuers> {
        self.issuers.as_ref()
    }

    /// Whether a request from this sender, as far as it is known, may come in over a connection.
    pub(super) fn check(
        &self,
        sender: Option<IpAddr>,
        connection: &Connection,
        clock: &Clock,
    ) -> Result<(), Outside> {
        if !self.networks.is_empty() {
            let sender = sender.ok_or(Outside::Nobody)?;
            if !self.networks.iter().any(|network| network.contains(&sender)) {
                return Err(Outside::Address(sender));
            }
        }
        let Some(issuers) = &self.issuers else { return Ok(()) };
        issuers.vouch(connection.certificates(), clock.now()).map_err(Outside::Certificate)
    }

    /// Counts a genuine request. Where there were too many, the time until there may be another.
    pub(super) fn pass(&self, now: Instant) -> Result<(), Duration> {
        self.rate.as_ref().map_or(Ok(()), |rate| rate.pass(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Timestamp;

    fn connection() -> Connection {
        Connection::new("192.0.2.1:1".parse().unwrap())
    }

    #[test]
    fn only_who_comes_from_an_allowed_network_may_post_and_nobody_who_is_not_known() {
        let networks = ["203.0.113.0/24", "2001:db8::/32"].map(|it| it.parse().unwrap());
        let gate = Gate::new(networks.to_vec(), None, None);
        let clock = Clock::manual(Timestamp(0));
        let check = |sender: Option<&str>| {
            let sender = sender.map(|address| address.parse().unwrap());
            gate.check(sender, &connection(), &clock).map_err(Outside::label)
        };
        assert_eq!(check(Some("203.0.113.9")), Ok(()));
        assert_eq!(check(Some("2001:db8::7")), Ok(()));
        assert_eq!(check(Some("203.0.114.9")), Err("address"));
        assert_eq!(check(None), Err("address"));
        assert_eq!(Gate::default().check(None, &connection(), &clock), Ok(()));
    }

    #[test]
    fn a_burst_comes_in_at_once_and_then_so_many_in_a_second() {
        let gate = Gate::new(Vec::new(), None, Some(Rate::new(10, 3)));
        let now = Instant::now();
        let pass = |after: u64| gate.pass(now + Duration::from_millis(after));
        let ms = Duration::from_millis;
        assert_eq!([0, 0, 0].map(pass), [Ok(()); 3]);
        assert_eq!(pass(0), Err(ms(100)));
        assert_eq!(pass(40), Err(ms(60)), "who is refused uses nothing");
        assert_eq!([pass(100), pass(100)], [Ok(()), Err(ms(100))]);
        assert_eq!([1_000; 4].map(pass), [Ok(()), Ok(()), Ok(()), Err(ms(100))]);
    }
}
