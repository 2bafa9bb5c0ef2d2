//! The certificate of the public port, replaced again and again while a thousand genuine requests
//! come in each second, over connections that stay open and over new ones.
//!
//! Nothing here posts an event twice: what is stored is what was answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use super::{PATIENCE, Peer, answered, certificate, refused, secured};
use crate::harness::{Authority, Harness, STRIPE_SECRET, Setup, Wire, payment, stripe_signature};

/// Peers that stay connected, and as many again that connect for each request.
const PEERS: usize = 8;
/// How often each posts: all together a thousand times a second. This is load and no waiting.
const PACE: Duration = Duration::from_millis(16);
/// Answers between two changes of the files.
const ANSWERS: u64 = 500;

/// Requests that are being sent.
struct Load {
    sender: Arc<Sender>,
    posting: JoinSet<()>,
}

/// What all who post have in common.
struct Sender {
    url: String,
    peer: Peer,
    /// When everything is signed.
    second: u64,
    begun: AtomicU64,
    answered: watch::Sender<u64>,
    is_stopped: AtomicBool,
}

impl Load {
    fn start(gateway: &Harness, peer: &Peer) -> Self {
        let sender = Arc::new(Sender {
            url: gateway.public().to_owned(),
            peer: peer.clone(),
            second: gateway.clock().now().seconds(),
            begun: AtomicU64::new(0),
            answered: watch::Sender::new(0),
            is_stopped: AtomicBool::new(false),
        });
        let mut posting = JoinSet::new();
        for number in 0..2 * PEERS {
            let (sender, stays) = (sender.clone(), number < PEERS);
            posting.spawn(async move { sender.post(stays).await });
        }
        Self { sender, posting }
    }

    /// Waits until so many more requests are answered.
    async fn answers(&self, more: u64) {
        let mut answered = self.sender.answered.subscribe();
        let enough = *answered.borrow() + more;
        let reached = answered.wait_for(|count| *count >= enough);
        timeout(PATIENCE, reached).await.expect("requests are answered").expect("it is open");
    }

    /// Posts no more, and gives how many requests there were. Every one was answered as it should
    /// be, or this fails.
    async fn stop(mut self) -> u64 {
        self.sender.is_stopped.store(true, Ordering::Relaxed);
        while let Some(ended) = self.posting.join_next().await {
            ended.expect("no request fails");
        }
        self.sender.begun.load(Ordering::Relaxed)
    }
}

impl Sender {
    /// Posts until it is stopped, over one connection or over a new one each time.
    async fn post(&self, stays: bool) {
        let mut ticks = interval(PACE);
        let mut open = None;
        while !self.is_stopped.load(Ordering::Relaxed) {
            ticks.tick().await;
            let mut wire = match open.take() {
                Some(wire) => wire,
                None => {
                    let stream = self.peer.connect(&self.url).await;
                    Wire::over(stream.expect("the gateway agrees on TLS"))
                }
            };
            let number = self.begun.fetch_add(1, Ordering::Relaxed);
            let body = payment(&format!("evt_{number}"), "pi_1", "payment_failed");
            let signature = stripe_signature(STRIPE_SECRET, self.second, &body);
            let headers = [("stripe-signature", signature.as_str())];
            let heard = wire.post("/in/stripe", &headers, &body).await;
            let heard = heard.expect("the gateway answers");
            assert_eq!(heard.status, 200, "{}", heard.body);
            self.answered.send_modify(|count| *count += 1);
            open = Some(wire).filter(|_| stays);
        }
    }
}

/// The certificate that somebody sees who connects now.
async fn shown(gateway: &Harness, peer: &Peer) -> Vec<u8> {
    certificate(&peer.connect(gateway.public()).await.expect("the gateway agrees on TLS"))
}

/// Puts another pair into the files, and waits until who connects sees it.
async fn replace(gateway: &Harness, peer: &Peer, authority: &Authority) {
    let identity = authority.issue("port");
    identity.write(gateway.folder(), "port");
    let seen = async { while shown(gateway, peer).await != identity.certificate {} };
    timeout(PATIENCE, seen).await.expect("the new certificate is shown");
}

/// Guards I9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_replaced_under_a_thousand_requests_a_second_and_none_fails() {
    let authority = Authority::new("root");
    let gateway = secured(Setup::stripe(), &authority).await;
    let peer = Peer::trusting(&[&authority]).anew();
    let (load, began) = (Load::start(&gateway, &peer), Instant::now());

    for _ in 0..2 {
        load.answers(ANSWERS).await;
        replace(&gateway, &peer, &authority).await;
    }
    let good = shown(&gateway, &peer).await;
    std::fs::write(gateway.folder().join("port.key"), authority.issue("port").key_pem()).unwrap();
    let config = gateway.reload().await["config"].clone();
    assert_eq!(config["outcome"], "kept", "{config}");
    load.answers(ANSWERS).await;
    assert_eq!(shown(&gateway, &peer).await, good, "a bad pair keeps the last good one");
    for version in [[3, 1], [3, 2]] {
        assert_eq!(answered(&gateway, version).await, refused(), "{version:?}");
    }
    for _ in 0..2 {
        replace(&gateway, &peer, &authority).await;
        load.answers(ANSWERS).await;
    }

    let posted = load.stop().await;
    println!("tls: {posted} requests in {:?}, and none failed", began.elapsed());
    gateway.settle().await;
    assert_eq!(gateway.events("").await.len() as u64, posted);
}
