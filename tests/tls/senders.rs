//! Who may post to a source: from which address, with which certificate, and how often, also behind
//! a proxy.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::peer::address;
use super::{PATIENCE, PUBLIC, Peer, post};
use crate::harness::{
    Authority, Harness, Heard, STRIPE_SECRET, Setup, Stopped, Wire, payment, stripe_signature,
};

/// A peer that is trusted to speak for others where these lines stand, and one that is not.
const PROXY: [u8; 4] = [127, 0, 0, 2];
const STRANGER: [u8; 4] = [127, 0, 0, 1];
const TRUSTED: &str = "trusted_proxies = [\"127.0.0.2\"]\n";

const NOT_ALLOWED: &str = r#"{"error":"not allowed"}"#;

/// A source that is like `stripe` but for these lines.
fn with_source(name: &str, lines: &str) -> Setup {
    let rest = format!("secrets = [{{ value = \"{STRIPE_SECRET}\" }}]\n{lines}");
    Setup::stripe().source(name, "stripe", &rest)
}

/// A folder with these lines before all tables.
fn with_lines(setup: Setup, lines: &str) -> Stopped {
    let stopped = setup.prepare();
    let config = stopped.folder().join("hookgate.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{lines}{text}")).unwrap();
    stopped
}

/// Connects from this address of this machine.
async fn connected(gateway: &Harness, from: [u8; 4]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((from, 0))).unwrap();
    socket.connect(address(gateway.public()).parse().unwrap()).await.unwrap()
}

/// Posts a genuine event to a source, with more headers.
async fn post_to<S: AsyncRead + AsyncWrite + Unpin>(
    gateway: &Harness,
    wire: &mut Wire<S>,
    source: &str,
    headers: &[(&str, &str)],
) -> io::Result<Heard> {
    let body = payment("evt_1", "pi_1", "payment_failed");
    let signature = stripe_signature(STRIPE_SECRET, gateway.clock().now().seconds(), &body);
    let headers = [&[("stripe-signature", signature.as_str())][..], headers].concat();
    wire.post(&format!("/in/{source}"), &headers, &body).await
}

#[tokio::test]
async fn a_source_takes_requests_from_its_networks_alone() {
    let gateway = with_source("near", "allow = [\"127.0.0.0/8\"]")
        .source(
            "far",
            "stripe",
            &format!("secrets = [{{ value = \"{STRIPE_SECRET}\" }}]\nallow = [\"203.0.113.0/24\"]"),
        )
        .start()
        .await;
    let mut wire = Wire::open(gateway.public()).await.unwrap();
    // Nobody is trusted to speak for others.
    let spoofed = [("x-forwarded-for", "203.0.113.9")];
    for (source, is_spoofed, status) in
        [("near", false, 200), ("far", false, 403), ("far", true, 403), ("near", true, 200)]
    {
        let headers = if is_spoofed { &spoofed[..] } else { &[] };
        let heard = post_to(&gateway, &mut wire, source, headers).await.unwrap();
        assert_eq!(heard.status, status, "{source}: {}", heard.body);
        assert!(status == 200 || heard.body == NOT_ALLOWED, "{}", heard.body);
    }
    let metrics = gateway.ask("/metrics").await.body;
    let counted = r#"hookgate_refusals_total{source="far",reason="address"} 2"#;
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_address_that_it_was_reached_from_counts() {
    let setup = with_source("far", "allow = [\"203.0.113.0/24\"]");
    let gateway = with_lines(setup, TRUSTED).start().await;
    let mut wire = Wire::over(connected(&gateway, PROXY).await);
    for (named, status) in [
        (Some("203.0.113.9"), 200),
        (Some("198.51.100.1, 203.0.113.9:4711"), 200),
        (Some("203.0.113.9, 198.51.100.1"), 403),
        (Some("203.0.113.9, unknown"), 403),
        (Some("198.51.100.1"), 403),
        (None, 403),
    ] {
        let headers: Vec<_> = named.map(|list| ("x-forwarded-for", list)).into_iter().collect();
        let heard = post_to(&gateway, &mut wire, "far", &headers).await.unwrap();
        assert_eq!(heard.status, status, "{named:?}");
    }
    // Whoever is no such proxy speaks for nobody, whatever it writes.
    let mut wire = Wire::over(connected(&gateway, STRANGER).await);
    for named in ["203.0.113.9", "203.0.113.9, 127.0.0.2", "127.0.0.2"] {
        let heard = post_to(&gateway, &mut wire, "far", &[("x-forwarded-for", named)]).await;
        assert_eq!(heard.unwrap().status, 403, "{named}");
    }
}

/// A header of the PROXY protocol, version 2, for a client at this address.
fn announcing(client: [u8; 4]) -> Vec<u8> {
    let head = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c";
    [&head[..], &client, &[127, 0, 0, 1], &[0x12, 0x67, 0x01, 0xbb]].concat()
}

/// A connection from this address that begins with such a header, or with anything else.
async fn announced(gateway: &Harness, from: [u8; 4], header: &[u8]) -> TcpStream {
    let mut stream = connected(gateway, from).await;
    stream.write_all(header).await.unwrap();
    stream
}

#[tokio::test]
async fn behind_a_proxy_that_passes_tls_on_its_header_names_the_sender() {
    let authority = Authority::new("root");
    let setup = with_source("far", "allow = [\"203.0.113.0/24\"]").table(PUBLIC);
    let stopped = with_lines(setup, &format!("{TRUSTED}proxy_protocol = true\n"));
    authority.issue("port").write(stopped.folder(), "port");
    let gateway = stopped.start().await;
    let peer = Peer::trusting(&[&authority]);
    let spoofed = [("x-forwarded-for", "203.0.113.9")];

    for (client, is_spoofed, status) in [
        ([203, 0, 113, 9], false, 200),
        ([198, 51, 100, 1], false, 403),
        ([198, 51, 100, 1], true, 403),
    ] {
        let headers = if is_spoofed { &spoofed[..] } else { &[] };
        let stream = announced(&gateway, PROXY, &announcing(client)).await;
        let mut wire = Wire::over(peer.agree(stream).await.unwrap());
        let heard = post_to(&gateway, &mut wire, "far", headers).await.unwrap();
        assert_eq!(heard.status, status, "{client:?}: {}", heard.body);
    }
    // Without the header nothing of what the proxy says is taken, and nobody else may send one.
    for (from, begin) in [
        (PROXY, Vec::new()),
        (PROXY, b"PROXY TCP4 203.0.113.9 127.0.0.1 1 1\r\n".to_vec()),
        (STRANGER, announcing([203, 0, 113, 9])),
    ] {
        let stream = announced(&gateway, from, &begin).await;
        let agreed = tokio::time::timeout(PATIENCE, peer.agree(stream)).await.unwrap();
        assert!(agreed.is_err(), "{from:?}");
    }
    // Who comes without a proxy speaks for itself.
    let stream = connected(&gateway, STRANGER).await;
    let mut wire = Wire::over(peer.agree(stream).await.unwrap());
    let heard = post_to(&gateway, &mut wire, "far", &spoofed).await.unwrap();
    assert_eq!(heard.status, 403, "{}", heard.body);
    let heard = post_to(&gateway, &mut wire, "stripe", &[]).await.unwrap();
    assert_eq!(heard.status, 200, "{}", heard.body);
}

#[tokio::test]
async fn behind_a_proxy_the_network_and_the_client_certificate_both_count() {
    let [root, bank, other] = ["root", "bank", "other"].map(Authority::new);
    let lines = "allow = [\"203.0.113.0/24\"]\nclient_ca = \"bank.pem\"";
    let setup = with_source("bank", lines).table(PUBLIC);
    let stopped = with_lines(setup, &format!("{TRUSTED}proxy_protocol = true\n"));
    std::fs::write(stopped.folder().join("bank.pem"), bank.pem()).unwrap();
    root.issue("port").write(stopped.folder(), "port");
    let gateway = stopped.start().await;
    let [known, stranger] = [bank.issue("client"), other.issue("client")];
    let [known, stranger] = [&known, &stranger].map(|it| Peer::known_by(it, &[&root]));
    let anonymous = Peer::trusting(&[&root]);
    let [near, far] = [[198, 51, 100, 1], [203, 0, 113, 9]];

    for (client, peer, status) in [
        (far, &known, 200),
        (far, &stranger, 403),
        (far, &anonymous, 403),
        (near, &known, 403),
        (near, &stranger, 403),
    ] {
        let stream = announced(&gateway, PROXY, &announcing(client)).await;
        let mut wire = Wire::over(peer.agree(stream).await.unwrap());
        let heard = post_to(&gateway, &mut wire, "bank", &[]).await.unwrap();
        assert_eq!(heard.status, status, "{client:?}: {}", heard.body);
        assert!(status == 200 || heard.body == NOT_ALLOWED, "{}", heard.body);
    }
    let metrics = gateway.ask("/metrics").await.body;
    for (reason, count) in [("address", 2), ("client_certificate", 2)] {
        let named = format!("hookgate_refusals_total{{source=\"bank\",reason=\"{reason}\"}}");
        assert!(metrics.contains(&format!("{named} {count}\n")), "{metrics}");
    }
}

/// Guards I2: a certificate stands in for no signature.
#[tokio::test]
async fn a_source_with_client_ca_takes_requests_of_its_clients_alone() {
    let [root, bank, other] = ["root", "bank", "other"].map(Authority::new);
    let stopped = with_source("bank", "client_ca = \"bank.pem\"").table(PUBLIC).prepare();
    std::fs::write(stopped.folder().join("bank.pem"), bank.pem()).unwrap();
    root.issue("port").write(stopped.folder(), "port");
    let gateway = stopped.start().await;
    let [known, stranger] = [bank.issue("client"), other.issue("client")];
    let forged_name = Authority::new("bank").issue("client");
    let anonymous = Peer::trusting(&[&root]);
    let with = |identity| Peer::known_by(identity, &[&root]);

    for (peer, status) in [
        (with(&known), 200),
        (with(&stranger), 403),
        (with(&forged_name), 403),
        (anonymous.clone(), 403),
    ] {
        let stream = peer.connect(gateway.public()).await.unwrap();
        let mut wire = Wire::over(stream);
        let heard = post_to(&gateway, &mut wire, "bank", &[]).await.unwrap();
        assert_eq!(heard.status, status, "{}", heard.body);
        // Other sources ask for none.
        let heard = post(&gateway, &mut wire, "evt_2").await.unwrap();
        assert_eq!(heard.status, 200, "{}", heard.body);
    }
    let mut wire = Wire::over(with(&known).connect(gateway.public()).await.unwrap());
    let forged = wire.post("/in/bank", &[("stripe-signature", "t=1,v1=00")], "{}").await.unwrap();
    assert_eq!(forged.status, 401, "{}", forged.body);
    let plain = gateway.ask("/metrics").await.body;
    let counted = r#"hookgate_refusals_total{source="bank",reason="client_certificate"} 3"#;
    assert!(plain.contains(counted), "{plain}");
}

#[tokio::test]
async fn genuine_requests_beyond_the_rate_are_put_off_and_forged_ones_use_nothing_of_it() {
    let gateway = with_source("slow", "rate = 1\nburst = 2").start().await;
    let mut wire = Wire::open(gateway.public()).await.unwrap();
    for _ in 0..10 {
        let forged = wire.post("/in/slow", &[("stripe-signature", "t=1,v1=00")], "{}").await;
        assert_eq!(forged.unwrap().status, 401);
    }
    let mut accepted = 0;
    let put_off = loop {
        let heard = post_to(&gateway, &mut wire, "slow", &[]).await.unwrap();
        if heard.status == 429 {
            break heard;
        }
        assert_eq!(heard.status, 200, "{}", heard.body);
        accepted += 1;
        assert!(accepted < 1_000, "nobody is put off");
    };
    assert!(accepted >= 2 && put_off.has("retry-after"), "{accepted}: {put_off:?}");
    let heard = post(&gateway, &mut wire, "evt_2").await.unwrap();
    assert_eq!(heard.status, 200, "another source has its own");
}
