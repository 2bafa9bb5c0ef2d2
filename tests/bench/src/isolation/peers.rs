//! Peers that hold connections: idle ones, slow ones, and some that never read.
//!
//! All of them come to one source, and another one is measured.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;

use super::Trouble;
use super::trouble::{Peer, Peers};
use crate::bar::p99;
use crate::gateway::{Workplace, stripe};
use crate::load::{Schedule, open};
use crate::payload::Batch;
use crate::scenario::count;
use crate::supply::Supply;

const PEERS: [(Peer, usize); 3] = [(Peer::Idle, 2_000), (Peer::Slow, 200), (Peer::Deaf, 200)];
/// Requests a second to the source that is measured.
pub(super) const RATE: usize = 500;
/// When all of them must be gone.
const GONE: Duration = Duration::from_secs(60);

/// From when a request should have been posted until it was answered.
pub(super) fn measure(
    workplace: &Workplace,
    trouble: Trouble,
    time: Duration,
) -> anyhow::Result<f64> {
    let tables = format!("{}{}[limits]\nparses = 0\n", stripe("stripe"), stripe("other"));
    let gateway = workplace.start_configured(&[("stripe", "stripe")], &tables)?;
    let supply = Supply::once(&Arc::new(Batch::write(count(RATE, time * 5 / 4) + 1)));
    let warm_up = supply.part(count(RATE, time / 4));
    open(gateway.public, Schedule::new(RATE, &warm_up), &warm_up)?;

    let peers = match trouble {
        Trouble::Absent => None,
        Trouble::Present => Some(Peers::start(gateway.public, "other", &PEERS)?),
    };
    let part = supply.part(count(RATE, time));
    let times = open(gateway.public, Schedule::new(RATE, &part), &part)?;
    if let Some(peers) = peers {
        let all: usize = PEERS.iter().map(|(_, count)| count).sum();
        let opened = peers.opened();
        ensure!(opened == all, "only {opened} of {all} connections could be opened");
        let left = peers.wait_until_gone(GONE);
        ensure!(left == 0, "{left} connections are still there after {} s", GONE.as_secs());
    }
    gateway.stop()?;
    Ok(p99(times))
}
