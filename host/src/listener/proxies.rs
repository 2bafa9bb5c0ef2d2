//! The proxies in front of the gateway that it believes, and whom they speak for.
//!
//! Anybody can write a header, so what one says counts only as far as those who wrote it are
//! trusted: from the peer on, backwards through the list, to the first who is not. Where that can't
//! be read nobody is named. Never lets anybody in.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// Each proxy appends the address that it was reached from.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Which proxies are trusted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies {
    networks: Vec<IpNet>,
    /// Whether each of their connections begins with a header of the PROXY protocol.
    are_announced: bool,
}

impl Proxies {
    /// Those in these networks.
    pub(crate) fn in_networks(networks: Vec<IpNet>) -> Self {
        Self { networks, are_announced: false }
    }

    /// The same, and each of their connections begins with a header of the PROXY protocol.
    #[must_use]
    pub(crate) fn announced(self) -> Self {
        Self { are_announced: true, ..self }
    }

    pub(super) fn trust(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// Whether a connection from this address begins with a header of the PROXY protocol.
    pub(super) fn announce(&self, address: IpAddr) -> bool {
        self.are_announced && self.trust(address)
    }

    /// Who sent a request that came over a connection from this address; nobody if a proxy that is
    /// trusted names somebody who can't be read.
    pub(super) fn sender(&self, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        let mut sender = peer.to_canonical();
        for list in headers.get_all(FORWARDED_FOR).iter().rev() {
            if !self.trust(sender) {
                break;
            }
            for named in list.to_str().ok()?.rsplit(',') {
                if !self.trust(sender) {
                    break;
                }
                sender = address(named.trim())?;
            }
        }
        Some(sender)
    }
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    bare.parse::<IpAddr>().or_else(|_| with_port()).ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies() -> Proxies {
        Proxies::in_networks(vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()])
    }

    fn sender(peer: &str, lists: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append(FORWARDED_FOR, list.parse().unwrap());
        }
        let sender = proxies().sender(peer.parse().unwrap(), &headers);
        sender.map(|address| address.to_string())
    }

    #[track_caller]
    fn check(peer: &str, lists: &[&str], expected: &str) {
        assert_eq!(sender(peer, lists).as_deref(), Some(expected), "{lists:?}");
    }

    #[test]
    fn whom_a_trusted_proxy_was_reached_from_is_the_sender() {
        check("10.0.0.1", &["203.0.113.9"], "203.0.113.9");
        check("::ffff:10.0.0.1", &["203.0.113.9:4711"], "203.0.113.9");
        check("2001:db8::1", &["[2001:DB9::7]:443"], "2001:db9::7");
        check("10.0.0.1", &["[2001:db9::7]"], "2001:db9::7");
        check("10.0.0.1", &["::ffff:203.0.113.9"], "203.0.113.9");
        check("10.0.0.1", &["203.0.113.9, 10.0.0.3,10.0.0.2"], "203.0.113.9");
        check("10.0.0.1", &["203.0.113.9", "10.0.0.2"], "203.0.113.9");
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &["10.0.0.2"], "10.0.0.2");
    }

    #[test]
    fn what_others_wrote_into_the_header_counts_for_nothing() {
        check("203.0.113.9", &["198.51.100.1"], "203.0.113.9");
        check("203.0.113.9", &["10.0.0.1"], "203.0.113.9");
        check("203.0.113.9", &["no address"], "203.0.113.9");
        check("10.0.0.1", &["198.51.100.1, 203.0.113.9"], "203.0.113.9");
        check("10.0.0.1", &["no address", "203.0.113.9"], "203.0.113.9");
        check("10.0.0.1", &["198.51.100.1", "10.0.0.2, 203.0.113.9"], "203.0.113.9");
    }

    #[test]
    fn where_a_trusted_proxy_names_nobody_who_can_be_read_nobody_is_the_sender() {
        for list in ["", "unknown", "203.0.113.9,", "203.0.113.9, _hidden", "203.0.113.256"] {
            assert_eq!(sender("10.0.0.1", &[list]), None, "{list:?}");
        }
    }
}
