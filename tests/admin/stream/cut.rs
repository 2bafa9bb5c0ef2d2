//! A listener who is cut off in the middle of what it is sent, while events come in.
//!
//! What it is cut off by stands between it and the gateway, and never looks at what it passes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::*;
use crate::harness::{GUEST_TOKEN, answer, seed};

/// Who posts at a time.
const POSTERS: usize = 8;
/// How often the listener is cut off.
const CUTS: usize = 10;
/// Longer than anything takes that is not stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where one connection to the admin port is passed on until so many bytes have come back, and then
/// is no more.
async fn cut_after(bytes: u64, gateway: &Harness) -> (String, JoinSet<()>) {
    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", door.local_addr().unwrap());
    let admin = gateway.admin().trim_start_matches("http://").to_owned();
    let mut passing = JoinSet::new();
    passing.spawn(async move {
        let (mut client, _) = door.accept().await.unwrap();
        let mut server = TcpStream::connect(admin).await.unwrap();
        let (mut asks, mut hears) = client.split();
        let (answers, mut asked) = server.split();
        let mut answers = answers.take(bytes);
        tokio::select! {
            ended = copy(&mut asks, &mut asked) => drop(ended),
            ended = copy(&mut answers, &mut hears) => drop(ended),
        }
        // The listener gets all that was passed on, and half of an event is at its end.
        drop(hears.shutdown().await);
    });
    (url, passing)
}

/// Posts new events, each as soon as the one before is answered. Gives how many there were.
async fn post(
    client: reqwest::Client,
    url: String,
    poster: usize,
    is_stopped: Arc<AtomicBool>,
) -> usize {
    let mut posted = 0;
    while !is_stopped.load(Ordering::Relaxed) {
        let body = json!({ "id": format!("{poster}-{posted}") }).to_string();
        let request = client.post(&url).header("x-token", GUEST_TOKEN).body(body);
        answer(request).await.accepted();
        posted += 1;
    }
    posted
}

/// Guards I8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_cut_off_ten_times_under_load_hears_every_event_once_and_in_order() {
    let seed = seed();
    println!("HOOKGATE_SEED={seed} repeats it, as far as timing allows");
    let mut random = fastrand::Rng::with_seed(seed);
    let gateway = Setup::guest().start().await;
    let mut last = Listener::open(&gateway, "", "").await.last;
    assert!(!last.is_empty(), "a stream says where it begins");
    let is_stopped = Arc::new(AtomicBool::new(false));
    let mut posting = JoinSet::new();
    for poster in 0..POSTERS {
        let url = format!("{}/in/guest", gateway.public());
        posting.spawn(post(gateway.client().clone(), url, poster, is_stopped.clone()));
    }

    let (mut heard, mut halves) = (Vec::new(), 0);
    for _ in 0..CUTS {
        // The head of the answer is shorter than that.
        let (url, passing) = cut_after(random.u64(4_000..60_000), &gateway).await;
        let mut listener = Listener::open_at(&url, &gateway, "", &last).await;
        while let Some(message) = listener.next().await {
            heard.push(message.event_id());
        }
        halves += usize::from(!listener.heard.is_empty());
        last = listener.last;
        passing.join_all().await;
    }
    is_stopped.store(true, Ordering::Relaxed);
    let posted: usize = posting.join_all().await.into_iter().sum();

    let mut listener = Listener::open(&gateway, "", &last).await;
    let rest = async {
        while heard.len() < posted {
            heard.push(listener.event_id().await);
        }
    };
    tokio::time::timeout(PATIENCE, rest).await.expect("nothing is missing");
    assert!(halves > CUTS / 2, "{halves} of the cuts went through an event");
    gateway.settle().await;
    assert_eq!(heard, listed(&gateway, "").await);
}
