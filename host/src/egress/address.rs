//! What kind of address an IP address is: one that anybody may be sent to, or a special one.
//!
//! The tables are IANA's special-purpose registries, and the addresses at which clouds hand
//! credentials to whoever asks from inside. Pure; whether a special address may be used all the
//! same is the guard's question.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// What is special about the address; `None` for an ordinary public one. An address that stands
/// for an IPv4 address is as special as that one.
pub(super) fn special(address: IpAddr) -> Option<&'static str> {
    match address.to_canonical() {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => match translated(address) {
            Some(inner) => special_v4(inner),
            None => special_v6(address).or_else(|| tunnelled(address).and_then(special_v4)),
        },
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    V4.iter().find(|(network, _)| network.contains(&address)).map(|(_, name)| *name)
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    let known = V6.iter().find(|(network, _)| network.contains(&address));
    known.map(|(_, name)| *name).or_else(|| (!UNICAST.contains(&address)).then_some("unallocated"))
}

/// The IPv4 address that a 6to4 or NAT64 gateway would send it on to.
fn translated(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0x2002, high, low, ..] => Some(joined(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(joined(high, low)),
        _ => None,
    }
}

/// The IPv4 address that ISATAP would send it on to inside of a site, whatever the network is.
fn tunnelled(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [.., 0 | 0x200, 0x5efe, high, low] => Some(joined(high, low)),
        _ => None,
    }
}

fn joined(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(bits: u128, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_bits(bits), prefix)
}

/// The first that contains the address names it.
const V4: [(Ipv4Net, &str); 19] = [
    (v4(169, 254, 169, 254, 32), "metadata"),
    (v4(168, 63, 129, 16, 32), "metadata"),
    (v4(100, 100, 100, 200, 32), "metadata"),
    (v4(192, 0, 0, 192, 32), "metadata"),
    (v4(0, 0, 0, 0, 32), "unspecified"),
    (v4(0, 0, 0, 0, 8), "this-network"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "carrier"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (v4(169, 254, 0, 0, 16), "link-local"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "protocol"),
    (v4(192, 0, 2, 0, 24), "documentation"),
    (v4(192, 88, 99, 0, 24), "tunnel"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(198, 18, 0, 0, 15), "benchmarking"),
    (v4(198, 51, 100, 0, 24), "documentation"),
    (v4(203, 0, 113, 0, 24), "documentation"),
    // Multicast and everything above it: reserved, and the broadcast address.
    (v4(224, 0, 0, 0, 3), "multicast-or-reserved"),
];

/// The first that contains the address names it.
const V6: [(Ipv6Net, &str); 16] = [
    (v6(0xfd00_0ec2 << 96 | 0x254, 128), "metadata"),
    (v6(0, 128), "unspecified"),
    (v6(1, 128), "loopback"),
    // Long withdrawn: an IPv4 address with 96 zeros before it.
    (v6(0, 96), "ipv4-compatible"),
    (v6(0x64_ff9b_0001 << 80, 48), "translation"),
    (v6(0x100 << 112, 64), "discard"),
    (v6(0x2001_0000 << 96, 32), "teredo"),
    (v6(0x2001_0002 << 96, 48), "benchmarking"),
    (v6(0x2001_0000 << 96, 23), "protocol"),
    (v6(0x2001_0db8 << 96, 32), "documentation"),
    (v6(0x3fff << 112, 20), "documentation"),
    (v6(0x5f00 << 112, 16), "segment-routing"),
    (v6(0xfc00 << 112, 7), "private"),
    (v6(0xfe80 << 112, 10), "link-local"),
    (v6(0xfec0 << 112, 10), "private"),
    (v6(0xff00 << 112, 8), "multicast"),
];

/// No address outside of it has been given to anybody yet.
const UNICAST: Ipv6Net = v6(0x2000 << 112, 3);

#[cfg(test)]
mod tests;
