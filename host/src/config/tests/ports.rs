//! What a configuration says of the two ports, of their peers and of who may post.

use super::*;

#[test]
fn an_admin_port_beyond_loopback_has_tls_or_a_proxy_in_front() {
    let expected = "3:11: `admin` must be a loopback address such as \"127.0.0.1:8081\", because \
                    this port has no TLS: add [tls.admin], or write behind_proxy = true";
    for address in ["0.0.0.0:8081", "10.0.0.7:8081", "[::]:8081"] {
        check_refused("127.0.0.1:8081", address, expected);
        let text = WHOLE.replace("127.0.0.1:8081", address);
        check_wrong(&format!("behind_proxy = false{text}"), expected);
        parse(&format!("behind_proxy = true{text}")).unwrap();
    }
    parse(&WHOLE.replace("127.0.0.1:8081", "[::ffff:127.0.0.1]:8081")).unwrap();
    let truth = "`behind_proxy` must be true or false, not text";
    check_wrong(&format!("behind_proxy = \"yes\"{WHOLE}"), truth);
}

#[test]
fn a_certificate_and_its_key_are_named_and_read() {
    let with = |port: &str, rest: &str| format!("{WHOLE}[tls.{port}]\n{rest}\n");
    let file = "certificate = \"none.pem\"";
    let half = wrong(&with("public", file));
    assert!(half[0].contains("24:1: [tls.public] has no `key`"), "{half:#?}");
    let gone = wrong(&with("admin", &format!("{file}\nkey = \"none.key\"")));
    assert_eq!(gone.len(), 2, "{gone:#?}");
    assert!(gone[0].contains("25:15: `certificate` names a file that the gateway can't read: No"));
    assert!(gone[1].contains("26:7: `key` names a file that the gateway can't read: No such"));
    let unknown = "24:6: unknown key `web`: the keys of [tls] are public, admin";
    check_wrong(&with("web", ""), unknown);
}

#[test]
fn who_may_post_to_a_source_is_said_within_bounds() {
    let with =
        |lines: &str| WHOLE.replace("tolerance = \"5m\"", &format!("tolerance = \"5m\"\n{lines}"));
    parse(&with("allow = [\"203.0.113.0/24\", \"2001:db8::1\"]\nrate = 50\nburst = 200")).unwrap();
    for (lines, expected) in [
        ("allow = []", "11:9: `allow` must have at least one network; without this key everybody"),
        ("allow = [\"here\"]", "11:10: `allow` must be a network such as"),
        ("rate = 0", "11:8: `rate` must be between 1 and 1000000"),
        ("rate = 1\nburst = 0", "12:9: `burst` must be between 1 and 10000000"),
        ("burst = 9", "11:9: `burst` needs `rate`, the requests in a second that it is a burst of"),
    ] {
        check_wrong(&with(lines), expected);
    }
    let no_tls = wrong(&with("client_ca = \"none.pem\""));
    assert_eq!(no_tls.len(), 2, "{no_tls:#?}");
    let expected = "11:13: `client_ca` needs TLS on the public port: add [tls.public]";
    assert!(no_tls.iter().any(|flaw| flaw.contains(expected)), "{no_tls:#?}");
}

#[test]
fn proxies_are_believed_where_they_are_named() {
    let with = |lines: &str| format!("{lines}{WHOLE}");
    let config = parse(&with("proxy_protocol = true\ntrusted_proxies = [\"10.0.0.0/8\"]"));
    let config = config.unwrap();
    assert!(config.proxy_protocol);
    assert_eq!(config.trusted_proxies, ["10.0.0.0/8".parse::<IpNet>().unwrap()]);
    let all = "1:20: `trusted_proxies` must not have all addresses: then anybody could say who";
    check_wrong(&with("trusted_proxies = [\"0.0.0.0/0\"]"), all);
    let nobody = "1:18: `proxy_protocol` needs `trusted_proxies`, the networks of those who";
    check_wrong(&with("proxy_protocol = true"), nobody);
}

#[test]
fn a_head_and_a_body_may_take_as_long_as_any_stall_unless_their_times_are_said() {
    let times = |limits: &str| {
        let limits = parse(&format!("{WHOLE}[limits]\n{limits}\n")).unwrap().limits;
        [limits.public().head, limits.bodies().stall, limits.public().stall]
            .map(|time| time.as_secs())
    };
    assert_eq!(times(""), [10, 10, 10]);
    assert_eq!(times("stall = \"3s\""), [3, 3, 3]);
    let all = "stall = \"3s\"\nhead_timeout = \"4s\"\nbody_timeout = \"5s\"";
    assert_eq!(times(all), [4, 5, 3]);
    let idle = parse(WHOLE).unwrap().limits.public().idle;
    assert_eq!(idle.as_secs(), 75, "longer than common balancers keep a connection");
}

#[test]
fn a_port_with_tls_is_reached_over_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hookgate.toml");
    let tls = "[tls.admin]\ncertificate = \"tls/port.pem\"\nkey = \"tls/none.key\"\n";
    std::fs::write(&path, format!("{WHOLE}{tls}")).unwrap();

    let admin = Config::admin_port(&path).unwrap();
    let public = Config::sending(&path, &"stripe".parse().unwrap()).unwrap().port;

    assert_eq!(admin.url, "https://127.0.0.1:8081");
    assert_eq!(admin.certificate, Some(folder.path().join("tls/port.pem")));
    assert_eq!((&*public.url, public.certificate), ("http://127.0.0.1:8080", None));
}

/// This machine and proxies are not counted; anybody else who reaches the port is.
#[test]
fn one_address_has_at_most_half_of_the_connections_to_the_admin_port() {
    for lines in ["", "[limits]\nconnections_per_address = 1000\n"] {
        let limits = parse(&format!("{WHOLE}{lines}")).unwrap().limits.admin(256);
        assert_eq!((limits.connections_max, limits.connections_per_address), (256, 128));
    }
}

/// Guards what a public URL may have: each source's address is put behind it.
#[test]
fn where_the_internet_reaches_the_public_port_is_a_plain_url() {
    let with = |url: &str| format!("public_url = \"{url}\"{WHOLE}");
    for url in ["https://hooks.example.com", "http://hooks.example.com:8443/pay/"] {
        assert!(parse(&with(url)).unwrap().public_url.is_some(), "{url}");
    }
    check_wrong(&with("hooks.example.com"), "`public_url` must be a URL such as");
    let rest = "`public_url` must have no user, no query and no fragment";
    for url in ["https://me@a.example", "https://a.example/?key=1", "https://a.example/#top"] {
        check_wrong(&with(url), rest);
    }
}
