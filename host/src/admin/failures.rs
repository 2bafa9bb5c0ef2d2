//! Wrong tokens, by who sent them: each is answered later than the one before it.
//!
//! Nobody can guess a token; what is kept off is the load, and the noise in the log. A right token
//! never waits, whoever else is behind the same address. Bounded, whoever fails. Never looks at a
//! token.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::listener::counted;
use crate::lock::lock;

/// How long the answer to the first wrong token waits; that to each further one twice as long.
const WAIT_MIN: Duration = Duration::from_millis(50);
/// No answer waits for longer.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// Who has sent no wrong token for so long begins anew.
const FORGIVEN: Duration = Duration::from_secs(300);
/// Peers that are remembered; what comes from others then waits for longest.
const PEERS_MAX: usize = 4096;
/// Answers that wait at a time; beyond that they are refused at once.
const WAITING_MAX: usize = 32;

/// Who has sent wrong tokens.
#[derive(Debug)]
pub(super) struct Failures {
    peers: Mutex<HashMap<IpAddr, Count>>,
    waiting: Semaphore,
}

#[derive(Debug)]
struct Count {
    failures: u32,
    last: Instant,
}

impl Default for Failures {
    fn default() -> Self {
        Self { peers: Mutex::default(), waiting: Semaphore::new(WAITING_MAX) }
    }
}

impl Failures {
    /// A wrong token came from there. Returns when that may be answered; false if too many answers
    /// wait already.
    pub(super) async fn hold(&self, peer: IpAddr) -> bool {
        let wait = self.failed(peer, Instant::now());
        let Ok(_waiting) = self.waiting.try_acquire() else { return false };
        tokio::time::sleep(wait).await;
        true
    }

    /// A wrong token came from there now; how long its answer waits.
    fn failed(&self, peer: IpAddr, now: Instant) -> Duration {
        let mut peers = lock(&self.peers);
        let peer = counted(peer);
        let is_over = |count: &Count| now.saturating_duration_since(count.last) >= FORGIVEN;
        if !peers.contains_key(&peer) && peers.len() >= PEERS_MAX {
            peers.retain(|_, count| !is_over(count));
            if peers.len() >= PEERS_MAX {
                return WAIT_MAX;
            }
        }
        let count = peers.entry(peer).or_insert(Count { failures: 0, last: now });
        if is_over(count) {
            count.failures = 0;
        }
        let wait = WAIT_MIN.saturating_mul(2_u32.saturating_pow(count.failures)).min(WAIT_MAX);
        (count.failures, count.last) = (count.failures.saturating_add(1), now);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_token_of_a_peer_waits_longer_and_others_do_not() {
        let failures = Failures::default();
        let now = Instant::now();
        let peer = |text: &str| text.parse::<IpAddr>().unwrap();
        let wait = |at: &str, now| failures.failed(peer(at), now).as_millis();
        let waits = [0; 8].map(|_| wait("2001:db8::1", now));
        assert_eq!(waits, [50, 100, 200, 400, 800, 1600, 3200, 5000]);
        assert_eq!(wait("2001:db8::2", now), 5000, "it is of the same network");
        assert_eq!(wait("2001:db9::1", now), 50);
        assert_eq!(wait("10.0.0.1", now), 50);
        assert_eq!(wait("10.0.0.1", now + FORGIVEN), 50, "it begins anew");
    }

    #[test]
    fn many_peers_take_no_more_memory() {
        let failures = Failures::default();
        let now = Instant::now();
        for number in 0..PEERS_MAX as u32 + 10 {
            failures.failed(IpAddr::from(number.to_be_bytes()), now);
        }
        assert_eq!(lock(&failures.peers).len(), PEERS_MAX);
        assert_eq!(failures.failed([255, 0, 0, 1].into(), now), WAIT_MAX);
        assert_eq!(failures.failed([255, 0, 0, 1].into(), now + FORGIVEN), WAIT_MIN);
    }

    #[tokio::test]
    async fn of_those_who_wait_there_are_only_so_many() {
        let failures = Failures::default();
        let peer = IpAddr::from([127, 0, 0, 1]);
        let all = failures.waiting.acquire_many(WAITING_MAX as u32).await.unwrap();
        assert!(!failures.hold(peer).await);
        drop(all);
        assert!(failures.hold(peer).await);
    }
}
