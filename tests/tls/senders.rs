//! Who may post to a source: from which address, with which certificate, and how often, also behind
//! a proxy.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::peer::address;
use super::{PATIENCE, PUBLIC, Peer, post};
use crate::harness::{
    Authority, Harness, Heard, STRIPE_SECRET, Setup, Wire, payment, stripe_signature,
};

const NOT_ALLOWED: &str = r#"{"error":"not allowed"}"#;

/// A source that is like `stripe` but for these lines.
fn with_source(name: &str, lines: &str) -> Setup {
    let rest = format!("secrets = [{{ value = \"{STRIPE_SECRET}\" }}]\n{lines}");
    Setup::stripe().source(name, "stripe", &rest)
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
    let gateway = with_source("far", "allow = [\"203.0.113.0/24\"]").prepare();
    let config = gateway.folder().join("hookgate.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("trusted_proxies = [\"127.0.0.1\"]\n{text}")).unwrap();
    let gateway = gateway.start().await;
    let mut wire = Wire::open(gateway.public()).await.unwrap();
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
}

/// A header of the PROXY protocol, version 2, for a client at this address.
fn announcing(client: [u8; 4]) -> Vec<u8> {
    let head = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c";
    [&head[..], &client, &[127, 0, 0, 1], &[0x12, 0x67, 0x01, 0xbb]].concat()
}

async fn announced(gateway: &Harness, header: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address(gateway.public())).await.unwrap();
    stream.write_all(header).await.unwrap();
    stream
}

#[tokio::test]
async fn behind_a_proxy_that_passes_tls_on_its_header_names_the_sender() {
    let authority = Authority::new("root");
    let stopped = with_source("far", "allow = [\"203.0.113.0/24\"]").table(PUBLIC).prepare();
    let config = stopped.folder().join("hookgate.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let proxies = "trusted_proxies = [\"127.0.0.1\"]\nproxy_protocol = true\n";
    std::fs::write(&config, format!("{proxies}{text}")).unwrap();
    authority.issue("port").write(stopped.folder(), "port");
    let gateway = stopped.start().await;
    let peer = Peer::trusting(&[&authority]);

    for (client, status) in [([203, 0, 113, 9], 200), ([198, 51, 100, 1], 403)] {
        let stream = announced(&gateway, &announcing(client)).await;
        let mut wire = Wire::over(peer.agree(stream).await.unwrap());
        let heard = post_to(&gateway, &mut wire, "far", &[]).await.unwrap();
        assert_eq!(heard.status, status, "{client:?}: {}", heard.body);
    }
    // Without the header nothing of what the peer says is taken.
    let silent = announced(&gateway, b"").await;
    assert!(tokio::time::timeout(PATIENCE, peer.agree(silent)).await.unwrap().is_err());
    let plain = announced(&gateway, b"PROXY TCP4 203.0.113.9 127.0.0.1 1 1\r\n").await;
    assert!(tokio::time::timeout(PATIENCE, peer.agree(plain)).await.unwrap().is_err());
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
