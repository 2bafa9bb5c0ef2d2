//! The open loop: requests at their times, whatever became of those before.
//!
//! Latency counts from when a request should have been sent. The times are kept by a thread that
//! does nothing else, because an async timer is a millisecond wide.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::supply::Supply;
use crate::times::Times;
use crate::wire::Connection;

/// Connections that take turns: enough that none is busy when its turn comes.
const CONNECTIONS: usize = 64;

/// For opening the connections, before the first is sent.
const LEAD: Duration = Duration::from_millis(100);

/// When each payload of a part of the supply is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    begin: Instant,
    /// A second.
    rate: usize,
    first: usize,
    end: usize,
}

impl Schedule {
    /// What is left of `part` from now on, so many a second.
    pub(crate) fn new(rate: usize, part: &Supply) -> Self {
        Self { begin: Instant::now() + LEAD, rate, first: part.taken(), end: part.end() }
    }

    /// What is sent.
    pub(crate) fn numbers(&self) -> Range<usize> {
        self.first..self.end
    }

    /// From when the first is to be sent until one after the last would be.
    pub(crate) fn span(&self) -> (Instant, Instant) {
        (self.at(self.first), self.at(self.end))
    }

    /// When this number is to be sent.
    pub(crate) fn at(&self, number: usize) -> Instant {
        let behind = (number - self.first) as f64 / self.rate as f64;
        self.begin + Duration::from_secs_f64(behind)
    }
}

/// Sends by the schedule, and gives how long the answers took.
pub(crate) fn open(to: SocketAddr, schedule: Schedule, supply: &Supply) -> anyhow::Result<Times> {
    let (turns, senders): (Vec<_>, Vec<_>) =
        (0..CONNECTIONS).map(|_| mpsc::unbounded_channel::<usize>()).unzip();
    std::thread::scope(|scope| {
        scope.spawn(move || pace(schedule, &turns));
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut sending = JoinSet::new();
            for numbers in senders {
                let connection = Connection::open(to).await?;
                sending.spawn(send(connection, numbers, schedule, supply.clone()));
            }
            let mut times = Times::default();
            while let Some(sent) = sending.join_next().await {
                times.join(sent??);
            }
            Ok(times)
        })
    })
}

/// Gives every number out at its time; each connection has every so manieth.
fn pace(schedule: Schedule, turns: &[mpsc::UnboundedSender<usize>]) {
    for number in schedule.numbers() {
        std::thread::sleep(schedule.at(number).saturating_duration_since(Instant::now()));
        if turns[number % turns.len()].send(number).is_err() {
            // A sender failed: its own error says why.
            return;
        }
    }
}

async fn send(
    mut connection: Connection,
    mut numbers: mpsc::UnboundedReceiver<usize>,
    schedule: Schedule,
    supply: Supply,
) -> anyhow::Result<Times> {
    let mut times = Times::default();
    while let Some(number) = numbers.recv().await {
        connection.post(supply.request(number)).await?;
        times.add(schedule.at(number).elapsed());
    }
    Ok(times)
}
