//! What stands in front of HTTP on a port, as it is now.
//!
//! Swapped while the port is open: who connects from then on meets the new one, and who is
//! connected goes on with what it began with. Never waits for anybody.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use axum::http::HeaderMap;

use super::connection::Connection;
use super::proxies::Proxies;
use super::tls::Tls;

/// The front of one port.
#[derive(Debug, Default)]
pub(crate) struct Front {
    tls: ArcSwapOption<Tls>,
    proxies: ArcSwap<Proxies>,
}

impl Front {
    /// Has peers agree on this TLS from now on, or on none.
    pub(crate) fn set_tls(&self, tls: Option<Tls>) {
        self.tls.store(tls.map(Arc::new));
    }

    /// Believes these proxies from now on.
    pub(crate) fn set_proxies(&self, proxies: Proxies) {
        self.proxies.store(Arc::new(proxies));
    }

    /// Who sent a request with these headers; nobody if a trusted proxy names somebody who can't
    /// be read.
    pub(crate) fn sender(&self, connection: &Connection, headers: &HeaderMap) -> Option<IpAddr> {
        let (proxies, peer) = (self.proxies.load(), connection.peer());
        if proxies.announce(peer.ip()) && connection.client() == peer {
            // It announced nobody, and whatever stands in the header is the client's own.
            return Some(peer.ip().to_canonical());
        }
        proxies.sender(connection.client().ip(), headers)
    }

    pub(super) fn tls(&self) -> Option<Arc<Tls>> {
        self.tls.load_full()
    }

    /// Whether somebody at this address speaks for others.
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.proxies.load().trust(address)
    }

    /// Whether a connection from this address begins with whom it speaks for.
    pub(super) fn is_announced(&self, address: IpAddr) -> bool {
        self.proxies.load().announce(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A proxy that passes TLS on can't write into a request: what stands there is the client's.
    #[test]
    fn where_proxies_announce_whom_they_speak_for_no_header_names_anybody() {
        let front = Front::default();
        let proxies = Proxies::in_networks(vec!["10.0.0.0/8".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "203.0.113.9".parse().unwrap());
        let sender = |connection: &Connection| {
            let sender = front.sender(connection, &headers);
            sender.map(|address| address.to_string())
        };
        let proxy = "10.0.0.1:4711".parse().unwrap();
        let (unnamed, named) = (Connection::new(proxy), Connection::new(proxy));
        named.speaks_for("198.51.100.1:4711".parse().unwrap());

        front.set_proxies(proxies.clone().announced());
        assert_eq!(sender(&unnamed).as_deref(), Some("10.0.0.1"));
        assert_eq!(sender(&named).as_deref(), Some("198.51.100.1"));

        front.set_proxies(proxies);
        assert_eq!(sender(&unnamed).as_deref(), Some("203.0.113.9"));
    }
}
