//! The closed loop: so many connections, each sending as soon as it was answered.
//!
//! On a thread per core, as the servers run. What was answered while warming up does not count.

use std::net::SocketAddr;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::supply::Supply;
use crate::times::Times;
use crate::wire::{Answer, Connection};

/// Before anything counts.
const WARM_UP: Duration = Duration::from_millis(300);

/// How to send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Closed {
    pub(crate) to: SocketAddr,
    pub(crate) connections: usize,
    /// Ends after so long, warming up not counted, or when the supply is over.
    pub(crate) time: Duration,
}

/// What became of it, counted after warming up.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    pub(crate) times: Times,
    pub(crate) duplicates: usize,
    /// From the first to the last.
    pub(crate) elapsed: Duration,
}

impl Answered {
    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        self.times.count() as f64 / self.elapsed.as_secs_f64()
    }
}

/// Sends until the time or the supply is over.
pub(crate) fn closed(load: Closed, supply: &Supply) -> anyhow::Result<Answered> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(load.connections);
    let ready = Barrier::new(threads);
    let run = |thread: usize| {
        let connections =
            load.connections / threads + usize::from(thread < load.connections % threads);
        run(Closed { connections, ..load }, supply, &ready)
    };
    let parts: Vec<_> = std::thread::scope(|scope| {
        let run = &run;
        let started: Vec<_> = (0..threads).map(|it| scope.spawn(move || run(it))).collect();
        started.into_iter().map(|it| it.join().expect("a generator does not panic")).collect()
    });
    let mut answered = Answered::default();
    for part in parts {
        answered.join(part?);
    }
    ensure!(answered.times.count() > 0, "nothing was answered in time");
    Ok(answered)
}

impl Answered {
    fn join(&mut self, part: Self) {
        self.times.join(part.times);
        self.duplicates += part.duplicates;
        self.elapsed = self.elapsed.max(part.elapsed);
    }
}

/// One thread's part.
fn run(load: Closed, supply: &Supply, ready: &Barrier) -> anyhow::Result<Answered> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut opened = Vec::new();
        for _ in 0..load.connections {
            opened.push(Connection::open(load.to).await?);
        }
        // Blocks, which is the purpose: all connections are there before any sends.
        ready.wait();
        let from = Instant::now() + WARM_UP;
        let mut senders = JoinSet::new();
        for connection in opened {
            senders.spawn(send(connection, supply.clone(), from, from + load.time));
        }
        let mut answered = Answered::default();
        while let Some(sent) = senders.join_next().await {
            answered.join(sent??);
        }
        Ok(answered)
    })
}

async fn send(
    mut connection: Connection,
    supply: Supply,
    from: Instant,
    until: Instant,
) -> anyhow::Result<Answered> {
    let mut answered = Answered::default();
    let mut now = Instant::now();
    while now < until
        && let Some(number) = supply.take()
    {
        let sent = now;
        let answer = connection.post(supply.request(number)).await?;
        now = Instant::now();
        if now > from {
            answered.times.add(now - sent);
            answered.duplicates += usize::from(answer == Answer::Duplicate);
            answered.elapsed = now - from;
        }
    }
    Ok(answered)
}
