//! Who is connected to: a scheme, a host and a port.
//!
//! All of a URL that connections are shared by, and all of it that an error may name: what else
//! stands in a URL may be secret. Never resolves anything.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use url::{Host, Url};

use super::guard::Refusal;

/// A scheme, a host and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(super) is_secure: bool,
    pub(super) host: Host,
    pub(super) port: u16,
}

impl Origin {
    /// The origin of a web address.
    pub(super) fn of(url: &Url) -> Result<Self, Refusal> {
        let is_secure = match url.scheme() {
            "http" => false,
            "https" => true,
            scheme => return Err(Refusal::Scheme(scheme.to_owned())),
        };
        let host = url.host().ok_or(Refusal::NoHost)?.to_owned();
        let port = url.port_or_known_default().ok_or(Refusal::NoHost)?;
        Ok(Self { is_secure, host, port })
    }

    /// The address, if the host is one and no name.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self.host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
        }
    }

    /// As the `Host` header has it: without the port that goes without saying.
    pub(super) fn authority(&self) -> String {
        match (self.is_secure, self.port) {
            (false, 80) | (true, 443) => self.host.to_string(),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// An origin, and its address where one was connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(super) origin: Arc<Origin>,
    pub(super) address: Option<SocketAddr>,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.origin)?;
        match self.address {
            // A host that is an address says so itself.
            Some(address) if self.origin.address().is_none() => write!(f, " at {}", address.ip()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Origin {
        Origin::of(&url.parse().unwrap()).unwrap()
    }

    #[test]
    fn an_origin_shows_host_and_port_and_nothing_else() {
        let shown = |url: &str| origin(url).to_string();
        assert_eq!(shown("https://user:hunter2@hooks.example/a?token=b"), "hooks.example:443");
        assert_eq!(shown("http://127.0.0.1:9000/"), "127.0.0.1:9000");
        assert_eq!(shown("http://[::1]/"), "[::1]:80");
    }

    #[test]
    fn the_host_header_leaves_out_the_usual_port() {
        let authority = |url: &str| origin(url).authority();
        assert_eq!(authority("https://hooks.example:443/"), "hooks.example");
        assert_eq!(authority("https://hooks.example:80/"), "hooks.example:80");
        assert_eq!(authority("http://[::1]:9000/"), "[::1]:9000");
    }

    #[test]
    fn a_name_shows_the_address_that_it_stood_for() {
        let address = "203.0.113.5:443".parse().ok();
        let peer = |url: &str, address| Peer { origin: origin(url).into(), address }.to_string();
        let expected = "`hooks.example:443` at 203.0.113.5";
        assert_eq!(peer("https://hooks.example/", address), expected);
        assert_eq!(peer("https://203.0.113.5/", address), "`203.0.113.5:443`");
        assert_eq!(peer("https://hooks.example/", None), "`hooks.example:443`");
    }
}
