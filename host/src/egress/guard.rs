//! Where the gateway may connect to: public addresses, and the networks that the operator allows.
//!
//! Host names are resolved here and nowhere else, and what is connected to is an address that was
//! checked, so that no answer of a name server comes between the check and the connection. Never
//! judges a name: only what it stands for counts.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;
use url::{Host, Url};

use super::address::special;

/// Why nothing was connected to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Only `http` and `https` go out.
    #[error("`{0}` is not a scheme to deliver with")]
    Scheme(String),
    /// Nowhere to connect to.
    #[error("URL has no host")]
    NoHost,
    /// The host stands for this address, and for none that may be used.
    #[error("`{host}` is {address}, a {class} address that the operator did not allow")]
    Address {
        /// As it stands in the URL.
        host: String,
        /// One that it stands for.
        address: IpAddr,
        /// What is special about it: `private`, `loopback`, `metadata`.
        class: &'static str,
    },
}

/// The networks that are allowed besides the public ones.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    allow: Arc<[IpNet]>,
}

impl Guard {
    pub(super) fn new(allow: Vec<IpNet>) -> Self {
        Self { allow: allow.into() }
    }

    /// What can be told without resolving. The HTTP client asks no resolver for an address that
    /// stands in the URL itself.
    pub(super) fn check_url(&self, url: &Url) -> Result<(), Refusal> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refusal::Scheme(url.scheme().to_owned()));
        }
        let address: IpAddr = match url.host().ok_or(Refusal::NoHost)? {
            Host::Domain(_) => return Ok(()),
            Host::Ipv4(address) => address.into(),
            Host::Ipv6(address) => address.into(),
        };
        self.check(&address.to_string(), address)
    }

    fn check(&self, host: &str, address: IpAddr) -> Result<(), Refusal> {
        let plain = address.to_canonical();
        match special(address) {
            Some(class) if !self.allow.iter().any(|network| network.contains(&plain)) => {
                Err(Refusal::Address { host: host.to_owned(), address, class })
            }
            _ => Ok(()),
        }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let host = name.as_str();
            let (mut passed, mut refused) = (Vec::new(), None);
            for address in lookup_host((host, 0)).await? {
                match guard.check(host, address.ip()) {
                    Ok(()) => passed.push(address),
                    Err(refusal) => refused = Some(refusal),
                }
            }
            match refused {
                Some(refusal) if passed.is_empty() => Err(refusal.into()),
                _ => Ok(Box::new(passed.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow: &[&str]) -> Guard {
        Guard::new(allow.iter().map(|network| network.parse().unwrap()).collect())
    }

    fn class(guard: &Guard, url: &str) -> Option<&'static str> {
        match guard.check_url(&url.parse().unwrap()) {
            Ok(()) => None,
            Err(Refusal::Address { class, .. }) => Some(class),
            Err(refusal) => panic!("{url}: {refusal}"),
        }
    }

    #[test]
    fn an_address_in_a_url_is_refused_however_it_is_written() {
        let guard = guard(&[]);
        for host in ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1"] {
            assert_eq!(class(&guard, &format!("http://{host}/")), Some("loopback"), "{host}");
        }
        for host in ["127.0.0.1.", "１２７.0.0.1", "%31%32%37.0.0.1", "127。0。0。1", "[::1]"]
        {
            assert_eq!(class(&guard, &format!("http://{host}/")), Some("loopback"), "{host}");
        }
        for host in ["[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]"] {
            assert_eq!(class(&guard, &format!("http://{host}/")), Some("loopback"), "{host}");
        }
        assert_eq!(class(&guard, "http://user@169.254.169.254:80/x"), Some("metadata"));
        assert_eq!(class(&guard, "https://8.8.8.8/"), None);
        assert_eq!(class(&guard, "https://example.com/"), None);
    }

    #[test]
    fn an_allowed_network_is_allowed_and_no_other() {
        let guard = guard(&["10.1.0.0/16", "fd00::/8"]);
        assert_eq!(class(&guard, "http://10.1.2.3/"), None);
        assert_eq!(class(&guard, "http://[::ffff:10.1.2.3]/"), None);
        assert_eq!(class(&guard, "http://[fd00::1]/"), None);
        assert_eq!(class(&guard, "http://10.2.0.1/"), Some("private"));
        assert_eq!(class(&guard, "http://[fc00::1]/"), Some("private"));
    }

    #[test]
    fn only_web_addresses_go_out() {
        let refusal = |url: &str| guard(&[]).check_url(&url.parse().unwrap()).unwrap_err();
        assert_eq!(refusal("ftp://example.com/"), Refusal::Scheme("ftp".into()));
        assert_eq!(refusal("file:///etc/passwd"), Refusal::Scheme("file".into()));
    }

    #[test]
    fn a_refusal_names_the_host_and_the_address() {
        let address = [192, 168, 0, 1].into();
        let refusal = guard(&[]).check("shop.example", address).unwrap_err();
        let expected =
            "`shop.example` is 192.168.0.1, a private address that the operator did not allow";
        assert_eq!(refusal.to_string(), expected);
    }
}
