//! `kill -9` under load: what was answered is parsed, run and delivered, and nothing takes place
//! twice.
//!
//! The real program, killed at moments that a seed chooses, also while it starts, and started again
//! on the same data, while many connections post events, the same events again, and forged ones,
//! and while endpoints are made, paused, rotated and deleted. `make crash N=1000` does that for
//! long; `HOOKGATE_SEED` draws the same again, as far as the machine lets the same happen.

mod owners;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;

use self::owners::{Acts, Owners};
use crate::harness::{Ledger, Load, Process, Receiver, Setup, Stopped, Tally, payment, seed};

/// Kills, if `HOOKGATE_CRASH_CYCLES` says nothing else.
const CYCLES: usize = 25;

const CONNECTIONS: usize = 96;

/// Answers between two kills.
const ANSWERS: std::ops::Range<u64> = 1..900;

/// More than are delivered while some hundred are answered: what is owed stays within bounds, and
/// so does the time that a start takes.
const OWED_MAX: u64 = 5_000;

/// A start takes about half of it.
const START_MS: std::ops::Range<u64> = 0..150;

/// A cycle takes less, also on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(120);

fn cycles() -> usize {
    let cycles = std::env::var("HOOKGATE_CRASH_CYCLES").ok();
    cycles.map_or(CYCLES, |text| text.parse().expect("HOOKGATE_CRASH_CYCLES is a number"))
}

/// When the gateway is killed.
#[derive(Debug)]
enum Moment {
    /// So long after its start began.
    Starting(Duration),
    /// When so many more events are answered, and everybody goes on to post.
    Posting(u64),
    /// When nobody posts and only so many events are still owed.
    Delivering(u64),
    /// When nothing is left to do.
    Settled,
}

impl Moment {
    fn choose(random: &mut Rng, owed: u64) -> Self {
        let draw = random.u32(..100);
        match draw {
            0..12 => Self::Starting(Duration::from_millis(random.u64(START_MS))),
            12..75 if owed < OWED_MAX => Self::Posting(random.u64(ANSWERS)),
            95.. => Self::Settled,
            _ => Self::Delivering(random.u64(..=owed)),
        }
    }
}

/// What seals the secrets of endpoints.
const MASTER: &str = "b3a1c2d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90";

struct Crashing {
    ledger: Arc<Ledger>,
    owners: Arc<Owners>,
    random: Rng,
}

impl Crashing {
    /// One life of the gateway.
    async fn live(&mut self, stopped: Stopped) -> Stopped {
        let before = self.ledger.tally();
        let moment = Moment::choose(&mut self.random, before.owed());
        if let Moment::Starting(after) = moment {
            return Process::kill_in_start(stopped, after).await;
        }
        let gateway = Process::start(stopped).await;
        let owning = self.owners.start(&gateway, self.random.fork());
        let mut load = None;
        match moment {
            Moment::Starting(_) => unreachable!("it is killed before it has started"),
            Moment::Posting(more) => {
                let ledger = &self.ledger;
                load = Some(Load::start(&gateway, CONNECTIONS, ledger, &mut self.random));
                ledger.until(|tally| tally.answered >= before.answered + more).await;
            }
            Moment::Delivering(owed) => self.ledger.until(|tally| tally.owed() <= owed).await,
            Moment::Settled => gateway.settle().await,
        }
        let stopped = gateway.kill().await;
        if let Some(load) = load {
            load.broken().await;
        }
        owning.ended().await;
        stopped
    }
}

/// Guards I1, I3, I6 and I8; and of endpoints that what was answered holds: one that was made is
/// there, one that was deleted stays so and is owed nothing, and every secret signs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_kill_9_and_happens_once() {
    let (seed, cycles, began) = (seed(), cycles(), Instant::now());
    println!("HOOKGATE_SEED={seed}");
    let (ledger, _receiver, setup) = Ledger::open().await;
    let owners = Arc::new(Owners::new().await);
    let mut stopped = setup.line("master_key = { file = \"master\" }").prepare();
    std::fs::write(stopped.folder().join("master"), MASTER).unwrap();
    let random = Rng::with_seed(seed);
    let mut crashing = Crashing { ledger: ledger.clone(), owners: owners.clone(), random };

    for cycle in 1..=cycles {
        let lived = tokio::time::timeout(PATIENCE, crashing.live(stopped)).await;
        let tally = ledger.tally();
        stopped = lived.unwrap_or_else(|_| panic!("cycle {cycle} is stuck at {tally:?}"));
        if cycle % 100 == 0 {
            println!("{cycle} cycles: {}", told(&tally, owners.acts(), began));
        }
    }
    let gateway = Process::start(stopped).await;
    println!("{cycles} cycles: {}", told(&ledger.tally(), owners.acts(), began));
    owners.verify(&gateway).await;
    ledger.check(&gateway).await;
    let stopped = gateway.terminate().await;

    let sizes = stopped.store_files().into_iter().map(|it| std::fs::metadata(it).unwrap().len());
    let megabytes = sizes.sum::<u64>() >> 20;
    let seconds = began.elapsed().as_secs();
    println!("nothing is lost and nothing took place twice: {seconds} s, {megabytes} MiB on disk");
}

fn told(tally: &Tally, acts: Acts, began: Instant) -> String {
    let Tally { answered, delivered, repeated, duplicates, forged, put_off, .. } = tally;
    let Acts { created, stood, rotated, deleted } = acts;
    format!(
        "{answered} events answered, {delivered} deliveries ({repeated} attempts twice), \
         {duplicates} duplicates, {forged} forged refused, {put_off} put off, {} owed; endpoints: \
         {created} made, {stood} paused or resumed, {rotated} rotated, {deleted} deleted; {} s",
        tally.owed(),
        began.elapsed().as_secs(),
    )
}

/// Deliveries that wait for an endpoint: when it answers, all slots and all room are in use.
const WAITING: usize = 200;

/// Guards I7: what a kill repeats is bounded by two settings, and not by how fast the disk is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_repeats_no_more_deliveries_than_are_attempted_at_a_time_and_may_be_uncommitted() {
    let receiver = Receiver::start().await;
    receiver.hang();
    let rest = "timeout = \"300ms\"\nconcurrency = 4";
    let setup = Setup::stripe()
        .endpoint_with("crm", &receiver, &["payment.failed"], rest)
        .table("[limits]\nuncommitted = 8");
    let gateway = Process::start(setup.prepare()).await;
    for number in 0..WAITING {
        let payment = payment(&format!("evt_{number}"), &format!("pi_{number}"), "payment_failed");
        gateway.stripe(&payment).await.accepted();
    }
    receiver.answer(204);
    let before = receiver.received().len();
    receiver.arrived(before + WAITING / 2).await;

    let gateway = Process::start(gateway.kill().await).await;
    gateway.settle().await;

    let received = receiver.received();
    let since = &received[before..];
    let ids: BTreeSet<&str> = since.iter().map(|it| it.header("webhook-id")).collect();
    let repeated = since.len() - ids.len();
    // One endpoint has half of the room.
    assert!(repeated <= 4 + 8 / 2, "{repeated} deliveries arrived again");
    gateway.terminate().await;
}
