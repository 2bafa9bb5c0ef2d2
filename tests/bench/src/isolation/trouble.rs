//! What makes trouble: connections that send nothing, little, or too much, and never read.
//!
//! On a runtime of their own. Nothing here counts what became of those who behave.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

/// An async task on a thread of its own, ended when it is dropped.
pub(super) struct Aside {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Aside {
    pub(super) fn run(task: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let until_stopped = async move {
            tokio::select! {
                _ = stopped => (),
                () = task => (),
            }
        };
        let thread = std::thread::spawn(move || runtime.block_on(until_stopped));
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Nobody is left to be told that it panicked.
            thread.join().ok();
        }
    }
}

/// An endpoint that takes every connection and never answers.
pub(super) struct Silent {
    pub(super) address: SocketAddr,
    _serving: Aside,
}

impl Silent {
    pub(super) fn start() -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let serving = Aside::run(async move {
            let listener = TcpListener::from_std(listener).expect("it does not block");
            let mut held = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                held.push(stream);
            }
        })?;
        Ok(Self { address, _serving: serving })
    }
}

/// How a connection makes trouble.
#[derive(Debug, Clone, Copy)]
pub(super) enum Peer {
    /// It says nothing.
    Idle,
    /// It sends a request's body a byte at a time, one a second.
    Slow,
    /// It asks again and again and never reads an answer.
    Deaf,
}

/// Many connections that make trouble, until the other side hangs up on them.
pub(super) struct Peers {
    left: watch::Receiver<usize>,
    open: Arc<AtomicUsize>,
    began: Instant,
    _running: Aside,
}

impl Peers {
    /// Opens so many connections of each sort, all for one source.
    pub(super) fn start(
        to: SocketAddr,
        source: &'static str,
        peers: &[(Peer, usize)],
    ) -> anyhow::Result<Self> {
        let all: Vec<Peer> =
            peers.iter().flat_map(|(peer, count)| std::iter::repeat_n(*peer, *count)).collect();
        let (said, left) = watch::channel(all.len());
        let open = Arc::new(AtomicUsize::new(0));
        let opened = open.clone();
        let running = Aside::run(async move {
            let mut connections = JoinSet::new();
            for peer in all {
                let opened = opened.clone();
                connections.spawn(async move {
                    let Ok(stream) = TcpStream::connect(to).await else { return };
                    opened.fetch_add(1, Ordering::Relaxed);
                    stay(peer, stream, source).await;
                });
            }
            while connections.join_next().await.is_some() {
                said.send_modify(|left| *left -= 1);
            }
        })?;
        Ok(Self { left, open, began: Instant::now(), _running: running })
    }

    /// How many connections were ever there.
    pub(super) fn opened(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Waits until the other side has hung up on all, at most until `limit` after the start; how
    /// many are still there.
    pub(super) fn wait_until_gone(self, limit: Duration) -> usize {
        let rest = limit.saturating_sub(self.began.elapsed());
        let gone = async {
            let mut left = self.left.clone();
            let all = left.wait_for(|left| *left == 0);
            drop(tokio::time::timeout(rest, all).await);
        };
        Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(gone);
        *self.left.borrow()
    }
}

/// Returns when the other side has hung up.
async fn stay(peer: Peer, mut stream: TcpStream, source: &str) {
    let post = format!(
        "POST /in/{source} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    );
    match peer {
        Peer::Idle => until_hung_up(&mut stream).await,
        Peer::Slow => {
            let head = format!("{post}content-length: 1000\r\n\r\n");
            let mut next = tokio::time::interval(Duration::from_secs(1));
            let (mut reading, mut writing) = stream.split();
            let send = async {
                let mut sent = writing.write_all(head.as_bytes()).await;
                while sent.is_ok() {
                    next.tick().await;
                    sent = writing.write_all(b"{").await;
                }
            };
            let mut answer = [0; 1024];
            let receive = async { while matches!(reading.read(&mut answer).await, Ok(1..)) {} };
            tokio::select! {
                () = send => (),
                () = receive => (),
            }
        }
        Peer::Deaf => {
            let asked = format!("{post}content-length: 2\r\n\r\n{{}}").repeat(100);
            // Until the other side reads no more, and then until it hangs up: a write fails.
            while stream.write_all(asked.as_bytes()).await.is_ok() {}
        }
    }
}

async fn until_hung_up(stream: &mut TcpStream) {
    let mut answer = [0; 1024];
    while matches!(stream.read(&mut answer).await, Ok(1..)) {}
}
