//! Where the gateway may connect to: public addresses, and the networks that the operator allows.
//!
//! What is connected to is an address that was checked here, so that no answer of a name server
//! comes between the check and the connection. Never judges a name: only what it stands for counts.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::address::special;

/// Why nothing was connected to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Only `http` and `https` go out.
    #[error("the scheme `{0}` is not http or https")]
    Scheme(String),
    /// Nowhere to connect to.
    #[error("the URL has no host")]
    NoHost,
    /// The host stands for this address, and for none that may be used.
    #[error("{} a {class} address that [egress] does not allow", stands_for(host, *address))]
    Address {
        /// As it stands in the URL.
        host: String,
        /// One that it stands for.
        address: IpAddr,
        /// What is special about it: `private`, `loopback`, `metadata`.
        class: &'static str,
    },
}

/// A name with its address, or the address alone where it is the host itself.
fn stands_for(host: &str, address: IpAddr) -> String {
    if host == address.to_string() {
        format!("`{host}` is")
    } else {
        format!("`{host}` is {address},")
    }
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

    /// Those of a host's addresses that may be connected to, or why none may.
    pub(super) fn allowed(&self, host: &str, addresses: &[IpAddr]) -> Result<Vec<IpAddr>, Refusal> {
        let mut passed = Vec::new();
        let mut refused = Refusal::NoHost;
        for address in addresses {
            match self.check(host, *address) {
                Ok(()) => passed.push(*address),
                Err(refusal) => refused = refusal,
            }
        }
        if passed.is_empty() { Err(refused) } else { Ok(passed) }
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

#[cfg(test)]
mod tests {
    use super::super::origin::Origin;
    use super::*;

    fn guard(allow: &[&str]) -> Guard {
        Guard::new(allow.iter().map(|network| network.parse().unwrap()).collect())
    }

    fn class(guard: &Guard, url: &str) -> Option<&'static str> {
        let origin = Origin::of(&url.parse().unwrap()).unwrap();
        let address = origin.address()?;
        match guard.allowed(&address.to_string(), &[address]) {
            Ok(_) => None,
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
        let refusal = |url: &str| Origin::of(&url.parse().unwrap()).unwrap_err();
        assert_eq!(refusal("ftp://example.com/"), Refusal::Scheme("ftp".into()));
        assert_eq!(refusal("file:///etc/passwd"), Refusal::Scheme("file".into()));
    }

    #[test]
    fn a_refusal_names_the_host_and_the_address() {
        let address = [192, 168, 0, 1].into();
        let refusal = guard(&[]).check("shop.example", address).unwrap_err();
        let expected =
            "`shop.example` is 192.168.0.1, a private address that [egress] does not allow";
        assert_eq!(refusal.to_string(), expected);
    }
}
