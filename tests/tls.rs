//! TLS on both ports: which versions, whose certificate, and how it changes while requests flow.

mod http2;
mod mounted;
mod peer;
mod replacing;
mod senders;

use std::time::Duration;

use rustls::version::{TLS12, TLS13};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use self::peer::{Peer, address, certificate};
use crate::harness::{
    Authority, Harness, Heard, STRIPE_SECRET, Setup, Wire, answer, payment, stripe_signature, text,
};

/// Longer than anything takes that is not stuck.
const PATIENCE: Duration = Duration::from_secs(30);

const PUBLIC: &str = "[tls.public]\ncertificate = \"port.pem\"\nkey = \"port.key\"";
const ADMIN: &str = "[tls.admin]\ncertificate = \"port.pem\"\nkey = \"port.key\"";

/// A gateway whose public port has a certificate of this authority.
async fn secured(setup: Setup, authority: &Authority) -> Harness {
    let stopped = setup.table(PUBLIC).prepare();
    authority.issue("port").write(stopped.folder(), "port");
    stopped.start().await
}

/// Posts to the source `stripe` as Stripe would.
async fn post<S>(gateway: &Harness, wire: &mut Wire<S>, id: &str) -> std::io::Result<Heard>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let body = payment(id, "pi_1", "payment_failed");
    let signature = stripe_signature(STRIPE_SECRET, gateway.clock().now().seconds(), &body);
    wire.post("/in/stripe", &[("stripe-signature", &signature)], &body).await
}

/// The first message of a peer that speaks this version at most, and the newest ciphers.
fn hello(version: [u8; 2]) -> Vec<u8> {
    let schemes: [u8; 10] = [0x00, 0x0d, 0x00, 0x06, 0x00, 0x04, 0x04, 0x03, 0x08, 0x04];
    let groups: [u8; 8] = [0x00, 0x0a, 0x00, 0x04, 0x00, 0x02, 0x00, 0x17];
    let extensions = [&schemes[..], &groups].concat();
    let length = |bytes: usize| u8::try_from(bytes).unwrap();
    let body = [
        &version[..],
        &[7; 32],
        &[0],
        &[0x00, 0x04, 0xc0, 0x2b, 0xc0, 0x09],
        &[1, 0],
        &[0, length(extensions.len())],
        &extensions,
    ]
    .concat();
    let message = [&[1, 0, 0, length(body.len())][..], &body].concat();
    [&[22, 3, 1, 0, length(message.len())][..], &message].concat()
}

/// The first record of the answer to it: its kind and what is in it.
async fn answered(gateway: &Harness, version: [u8; 2]) -> (u8, Vec<u8>) {
    let mut stream = TcpStream::connect(address(gateway.public())).await.unwrap();
    stream.write_all(&hello(version)).await.unwrap();
    let mut head = [0; 5];
    stream.read_exact(&mut head).await.unwrap();
    let mut record = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    stream.read_exact(&mut record).await.unwrap();
    (head[0], record)
}

/// What the gateway answers to a version that it does not speak: a fatal alert that says so.
fn refused() -> (u8, Vec<u8>) {
    const ALERT: u8 = 21;
    const FATAL_PROTOCOL_VERSION: [u8; 2] = [2, 70];
    (ALERT, FATAL_PROTOCOL_VERSION.to_vec())
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken_and_nothing_older() {
    const HANDSHAKE: u8 = 22;
    let authority = Authority::new("root");
    let gateway = secured(Setup::stripe(), &authority).await;

    for version in [&TLS12, &TLS13] {
        let peer = Peer::speaking(&[version], &[&authority], None);
        let stream = peer.connect(gateway.public()).await.unwrap();
        let agreed = stream.get_ref().1.protocol_version();
        assert_eq!(agreed, Some(version.version));
        let heard = post(&gateway, &mut Wire::over(stream), "evt_1").await.unwrap();
        assert_eq!(heard.status, 200, "{}", heard.body);
    }
    for version in [[3, 0], [3, 1], [3, 2]] {
        assert_eq!(answered(&gateway, version).await, refused(), "{version:?}");
    }
    assert_eq!(answered(&gateway, [3, 3]).await.0, HANDSHAKE, "only the version was wrong");
    // Who speaks plainly gets no answer in plain text.
    let mut plain = Wire::open(gateway.public()).await.unwrap();
    assert!(post(&gateway, &mut plain, "evt_2").await.is_err());
}

/// Guards I9.
#[tokio::test]
async fn a_bad_pair_keeps_the_last_good_one_and_says_why() {
    let authority = Authority::new("root");
    let gateway = secured(Setup::stripe(), &authority).await;
    let peer = Peer::trusting(&[&authority]);
    let good = certificate(&peer.connect(gateway.public()).await.unwrap());
    let file = |name: &str| gateway.folder().join(name);
    let [certificate_text, key_text] =
        ["port.pem", "port.key"].map(|name| std::fs::read_to_string(file(name)).unwrap());
    let other = Authority::new("other").issue("port");
    let cases: [(&str, String, &str); 5] = [
        ("port.key", other.key_pem(), "`key` names a file with a key that does not belong to"),
        ("port.key", String::new(), "`key` must name a file with a private key in PEM"),
        ("port.key", key_text.replace("MIG", "AAA"), "`key` names a file with a key that the"),
        ("port.pem", key_text.clone(), "`certificate` must name a file with certificates in PEM"),
        ("port.pem", certificate_text[..200].to_owned(), "`certificate` must name a file with"),
    ];
    for (name, content, reason) in cases {
        std::fs::write(file(name), content).unwrap();
        let config = gateway.reload().await["config"].clone();
        assert_eq!(config["outcome"], "kept", "{config}");
        assert!(text(&config["reason"]).contains(reason), "{reason}: {config}");
        let kept = certificate(&peer.connect(gateway.public()).await.unwrap());
        assert_eq!(kept, good, "{reason}");
        std::fs::write(file("port.pem"), &certificate_text).unwrap();
        std::fs::write(file("port.key"), &key_text).unwrap();
    }
    let back = gateway.reload().await["config"].clone();
    assert_eq!(back["outcome"], "unchanged", "{back}");

    std::fs::remove_file(file("port.key")).unwrap();
    let config = gateway.reload().await["config"].clone();
    let gone = "`key` names a file that the gateway can't read: No such file or directory";
    assert!(text(&config["reason"]).contains(gone), "{config}");
    assert_eq!(config["outcome"], "kept", "{config}");
    let kept = certificate(&peer.connect(gateway.public()).await.unwrap());
    assert_eq!(kept, good, "a file that is not there takes nothing away");
}

/// Guards I9: only a start judges the address of this port, which must not lose what lets others
/// than this machine reach it.
#[tokio::test]
async fn a_reload_takes_no_tls_off_the_port_of_operators() {
    let authority = Authority::new("root");
    let stopped = Setup::stripe().table(ADMIN).prepare();
    authority.issue("port").write(stopped.folder(), "port");
    let gateway = stopped.start().await;
    let peer = Peer::trusting(&[&authority]);
    let good = certificate(&peer.connect(gateway.admin()).await.unwrap());

    gateway.rewrite_config(|text| text.replace(ADMIN, ""));
    let url = format!("https://{}/v1/reload", address(gateway.admin()));
    let reloaded = answer(peer.client().post(url).json(&Value::Null)).await;

    assert_ne!(reloaded.json()["config"]["outcome"], "kept", "{}", reloaded.body);
    let kept = certificate(&peer.connect(gateway.admin()).await.unwrap());
    assert_eq!(kept, good);
    assert!(gateway.client().get(format!("{}/healthz", gateway.admin())).send().await.is_err());
}

#[tokio::test]
async fn operators_ask_over_tls_where_their_port_has_it() {
    let authority = Authority::new("root");
    let stopped = Setup::stripe().table(ADMIN).prepare();
    authority.issue("port").write(stopped.folder(), "port");
    let gateway = stopped.start().await;
    let client = Peer::trusting(&[&authority]).client();
    let url = format!("https://{}/v1/plugins", address(gateway.admin()));

    let listed = answer(client.get(url)).await;

    assert_eq!(listed.status, 200, "{}", listed.body);
    assert_eq!(listed.json()["plugins"][0]["name"], Value::from("stripe"));
    gateway.stripe(&payment("evt_1", "pi_1", "payment_failed")).await.accepted();
    assert!(gateway.client().get(format!("{}/healthz", gateway.admin())).send().await.is_err());
}

#[tokio::test]
async fn a_peer_that_never_agrees_on_tls_is_hung_up_on_and_others_are_served() {
    let authority = Authority::new("root");
    let setup = Setup::stripe().table("[limits]\ntls_timeout = \"200ms\"");
    let gateway = secured(setup, &authority).await;
    let mut silent = TcpStream::connect(address(gateway.public())).await.unwrap();
    let mut halfway = TcpStream::connect(address(gateway.public())).await.unwrap();
    halfway.write_all(&hello([3, 3])[..20]).await.unwrap();

    for stream in [&mut silent, &mut halfway] {
        let ended = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 1])).await;
        assert!(!matches!(ended.expect("it is hung up on"), Ok(1..)));
    }
    let stream = Peer::trusting(&[&authority]).connect(gateway.public()).await.unwrap();
    let heard = post(&gateway, &mut Wire::over(stream), "evt_1").await.unwrap();
    assert_eq!(heard.status, 200, "{}", heard.body);
}

#[tokio::test]
async fn what_a_browser_may_see_of_either_port_has_security_headers() {
    let gateway = Setup::stripe().start().await;
    let (public, admin) = (gateway.public(), gateway.admin());
    let posted = ["/healthz", "/", "/in/stripe", "/in/none"].map(|path| format!("{public}{path}"));
    let asked = ["/healthz", "/metrics", "/v1/events", "/v1/none", "/v1/reload"]
        .map(|path| format!("{admin}{path}"));
    for url in posted.into_iter().chain(asked) {
        let answer = answer(gateway.client().get(&url)).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("x-frame-options", "DENY"),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            let found = answer.headers.get(name).and_then(|it| it.to_str().ok());
            assert_eq!(found, Some(value), "{name} of {url}");
        }
    }
}

/// Guards I10.
#[tokio::test]
async fn a_stop_waits_for_nobody_who_is_still_agreeing_on_tls() {
    let authority = Authority::new("root");
    let setup = Setup::stripe().table("[limits]\ntls_timeout = \"1h\"\ngrace = \"1h\"");
    let gateway = secured(setup, &authority).await;
    let mut halfway = TcpStream::connect(address(gateway.public())).await.unwrap();
    halfway.write_all(&hello([3, 3])[..20]).await.unwrap();
    // Once this one was answered, the one before is served too.
    let stream = Peer::trusting(&[&authority]).connect(gateway.public()).await.unwrap();
    post(&gateway, &mut Wire::over(stream), "evt_1").await.unwrap();

    let stopped = tokio::time::timeout(PATIENCE, gateway.stop()).await;

    assert!(stopped.is_ok(), "it waits for a handshake");
}
