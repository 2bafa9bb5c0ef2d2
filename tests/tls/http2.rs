//! HTTP/2 on the public port: what the peer may choose, and that nothing is different over it.

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, StatusCode, Version};
use tokio::task::JoinSet;

use super::{PATIENCE, Peer, post, secured};
use crate::harness::{Authority, Harness, STRIPE_SECRET, Setup, Wire, payment, stripe_signature};

/// A connection over HTTP/2.
struct Http2 {
    requests: SendRequest<Bytes>,
    driving: JoinSet<Result<(), h2::Error>>,
}

impl Http2 {
    async fn open(gateway: &Harness, authority: &Authority) -> Self {
        let peer = Peer::trusting(&[authority]).asking_for(&["h2", "http/1.1"]);
        let stream = peer.connect(gateway.public()).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (requests, driven) = h2::client::handshake(stream).await.unwrap();
        let mut driving = JoinSet::new();
        driving.spawn(driven);
        Self { requests, driving }
    }

    /// Posts to the source `stripe`, signed with this secret.
    async fn post(
        &mut self,
        gateway: &Harness,
        secret: &str,
        body: String,
    ) -> Result<StatusCode, h2::Error> {
        let signature = stripe_signature(secret, gateway.clock().now().seconds(), &body);
        let request = Request::post("https://localhost/in/stripe")
            .version(Version::HTTP_2)
            .header("stripe-signature", signature)
            .body(())
            .unwrap();
        let mut ready = self.requests.clone().ready().await?;
        let (answer, mut sender) = ready.send_request(request, false)?;
        sender.send_data(body.into(), true)?;
        Ok(answer.await?.status())
    }
}

#[tokio::test]
async fn events_come_over_http_2_as_over_http_1() {
    let authority = Authority::new("root");
    let gateway = secured(Setup::stripe(), &authority).await;
    let mut connection = Http2::open(&gateway, &authority).await;
    let event = |id: &str| payment(id, "pi_1", "payment_failed");
    // More than may be on the way at a time.
    let large = format!("{}{}", event("evt_2"), " ".repeat(600_000));

    for (body, secret, status) in [
        (event("evt_1"), STRIPE_SECRET, 200),
        (event("evt_1"), "whsec_forged", 401),
        (large, STRIPE_SECRET, 200),
    ] {
        let answered = connection.post(&gateway, secret, body).await.unwrap();
        assert_eq!(answered.as_u16(), status);
    }
    gateway.settle().await;
    assert_eq!(gateway.events("").await.len(), 2);
}

#[tokio::test]
async fn a_forger_is_told_to_go_after_sixteen_requests_over_http_2_too() {
    let authority = Authority::new("root");
    let gateway = secured(Setup::stripe(), &authority).await;
    let mut connection = Http2::open(&gateway, &authority).await;
    let forging = async {
        let mut refused = 0;
        while let Ok(status) =
            connection.post(&gateway, "whsec_forged", payment("evt_1", "pi_1", "failed")).await
        {
            assert_eq!(status.as_u16(), 401);
            refused += 1;
        }
        refused
    };
    let refused = tokio::time::timeout(PATIENCE, forging).await.expect("it is told to go");
    // One may be on its way while it is told.
    assert!((16..=17).contains(&refused), "{refused}");
    let ended = tokio::time::timeout(PATIENCE, connection.driving.join_next()).await;
    assert!(ended.is_ok(), "the connection goes on");
}

#[tokio::test]
async fn without_http_2_a_peer_gets_http_1() {
    let authority = Authority::new("root");
    let setup = Setup::stripe().table("[limits]\nhttp2_requests = 0");
    let gateway = secured(setup, &authority).await;
    let peer = Peer::trusting(&[&authority]).asking_for(&["h2", "http/1.1"]);

    let stream = peer.connect(gateway.public()).await.unwrap();

    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let heard = post(&gateway, &mut Wire::over(stream), "evt_1").await.unwrap();
    assert_eq!(heard.status, 200, "{}", heard.body);
}
