//! Special networks to their edges, and what lies behind them.

use super::*;

#[track_caller]
fn check(expected: Option<&str>, addresses: &[&str]) {
    for address in addresses {
        assert_eq!(special(address.parse().unwrap()), expected, "{address}");
    }
}

#[test]
fn every_special_ipv4_network_is_known_to_its_edges() {
    check(Some("unspecified"), &["0.0.0.0"]);
    check(Some("this-network"), &["0.0.0.1", "0.255.255.255"]);
    check(Some("private"), &["10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255"]);
    check(Some("private"), &["192.168.0.0", "192.168.255.255"]);
    check(Some("carrier"), &["100.64.0.0", "100.127.255.255"]);
    check(Some("loopback"), &["127.0.0.1", "127.255.255.255"]);
    check(Some("link-local"), &["169.254.0.0", "169.254.255.255"]);
    check(Some("metadata"), &["169.254.169.254", "168.63.129.16", "100.100.100.200"]);
    check(Some("metadata"), &["192.0.0.192"]);
    check(Some("protocol"), &["192.0.0.1", "192.0.0.255"]);
    check(Some("documentation"), &["192.0.2.1", "198.51.100.255", "203.0.113.0"]);
    check(Some("tunnel"), &["192.88.99.1"]);
    check(Some("benchmarking"), &["198.18.0.0", "198.19.255.255"]);
    check(Some("multicast-or-reserved"), &["224.0.0.0", "239.255.255.255", "240.0.0.0"]);
    check(Some("multicast-or-reserved"), &["255.255.255.255"]);
}

#[test]
fn every_special_ipv6_network_is_known_to_its_edges() {
    check(Some("unspecified"), &["::"]);
    check(Some("loopback"), &["::1"]);
    check(Some("ipv4-compatible"), &["::127.0.0.1", "::8.8.8.8", "::2"]);
    check(Some("translation"), &["64:ff9b:1::1", "64:ff9b:1:ffff::1"]);
    check(Some("discard"), &["100::1"]);
    check(Some("teredo"), &["2001::1", "2001:0:ffff::"]);
    check(Some("benchmarking"), &["2001:2::1", "2001:2:0:ffff::1"]);
    check(Some("protocol"), &["2001:1::1", "2001:10::", "2001:1ff:ffff::"]);
    check(Some("documentation"), &["2001:db8::1", "3fff::1", "3fff:fff:ffff::"]);
    check(Some("segment-routing"), &["5f00::1"]);
    check(Some("private"), &["fc00::1", "fdff:ffff::1", "fec0::1"]);
    check(Some("metadata"), &["fd00:ec2::254"]);
    check(Some("link-local"), &["fe80::1", "febf::1"]);
    check(Some("multicast"), &["ff00::1", "ff02::1"]);
    check(Some("unallocated"), &["1::1", "4000::1", "f000::1"]);
}

#[test]
fn an_ipv4_address_is_as_special_inside_an_ipv6_address() {
    check(Some("loopback"), &["::ffff:127.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::"]);
    check(Some("private"), &["::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "2002:a00:1::1"]);
    check(Some("metadata"), &["::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"]);
    check(Some("metadata"), &["2002:a9fe:a9fe:1::1"]);
    check(Some("loopback"), &["2606:4700::5efe:127.0.0.1", "2606:4700::200:5efe:7f00:1"]);
    check(None, &["::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"]);
    check(None, &["2606:4700::5efe:8.8.8.8", "2606:4700::5eff:7f00:1"]);
}

#[test]
fn the_neighbours_of_special_networks_are_public() {
    check(None, &["1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0"]);
    check(None, &["126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0"]);
    check(None, &["172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0", "192.88.98.255"]);
    check(None, &["192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0"]);
    check(None, &["198.51.99.255", "203.0.112.255", "203.0.114.0", "223.255.255.255"]);
    check(None, &["2000::1", "2001:200::1", "2001:db7::", "2001:db9::", "2606:4700::1111"]);
    check(None, &["3ffe:ffff::1", "3fff:1000::1"]);
}
