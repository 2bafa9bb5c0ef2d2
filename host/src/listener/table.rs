//! Who is connected, and who makes room where there is none.
//!
//! Those who keep the gateway waiting go first: they never sent the head of a request, stopped in
//! the middle of a body or of reading, or had nothing accepted yet; then those who had, and ask for
//! nothing now. Among equals the address with the most connections loses one, and of its own the
//! one that waits longest. Whoever the gateway works for is never closed for another's sake.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::{AbortHandle, Id};

use super::connection::{Connection, Wait};

/// What a peer may take without being closed for another's sake: for a head, a part of a body, or
/// to read.
const YOUNG: Duration = Duration::from_millis(500);
/// The same where no request was ever accepted: enough for the answer to be written.
const TO_BE_ANSWERED: Duration = Duration::from_millis(100);
/// The same between two requests, or while an answer to a refused one is held back, which takes a
/// second at most.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(1500);
/// Of a full table so many make room at once, so that looking for them costs little.
const SHARE_THAT_GOES: usize = 64;

/// The open connections of one port.
#[derive(Debug)]
pub(super) struct Table {
    open: HashMap<Id, (Arc<Connection>, AbortHandle)>,
    addresses: HashMap<IpAddr, usize>,
    most: usize,
    most_of_one: usize,
}

/// Whether there is a place for one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// There is.
    Free,
    /// Not now: nobody can be closed for it.
    Full,
    /// Not for this address, which has all that it may have and needs them.
    Refused,
}

impl Table {
    pub(super) fn new(most: usize, most_of_one: usize) -> Self {
        Self { open: HashMap::new(), addresses: HashMap::new(), most, most_of_one }
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Finds a place for one more from this address, which may have its share or as many as there
    /// are, and says how many were closed for it.
    pub(super) fn place(
        &mut self,
        address: IpAddr,
        has_share: bool,
        now: Instant,
    ) -> (Place, usize) {
        let address = counted(address);
        let mut closed = 0;
        let has_share = has_share && !address.is_loopback();
        if has_share && self.of(address) >= self.most_of_one {
            closed += self.close(1, Some(address), now);
            if closed == 0 {
                return (Place::Refused, 0);
            }
        }
        if self.open.len() >= self.most {
            closed += self.make_room(now);
        }
        let place = if self.open.len() < self.most { Place::Free } else { Place::Full };
        (place, closed)
    }

    /// Closes some that keep the gateway waiting, and says how many.
    pub(super) fn make_room(&mut self, now: Instant) -> usize {
        self.close((self.most / SHARE_THAT_GOES).max(1), None, now)
    }

    pub(super) fn enter(&mut self, connection: Arc<Connection>, task: AbortHandle) {
        *self.addresses.entry(counted(connection.peer().ip())).or_default() += 1;
        self.open.insert(task.id(), (connection, task));
    }

    /// Forgets a connection; one that has been closed for another's sake is forgotten already.
    pub(super) fn leave(&mut self, id: Id) {
        let Some((connection, _)) = self.open.remove(&id) else { return };
        let address = counted(connection.peer().ip());
        if let Some(count) = self.addresses.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&address);
            }
        }
    }

    fn of(&self, address: IpAddr) -> usize {
        self.addresses.get(&address).copied().unwrap_or(0)
    }

    /// Closes as many as this, of one address or of all, and says how many there were.
    fn close(&mut self, most: usize, only: Option<IpAddr>, now: Instant) -> usize {
        let candidate = |(id, (connection, _)): (&Id, &(Arc<Connection>, AbortHandle))| {
            let address = counted(connection.peer().ip());
            if only.is_some_and(|only| only != address) {
                return None;
            }
            let (wait, since) = connection.waits()?;
            let idle = wait == Wait::Next;
            let spared = match wait {
                Wait::Next => BETWEEN_REQUESTS,
                Wait::Nothing => TO_BE_ANSWERED,
                Wait::Head | Wait::Body | Wait::Reader => YOUNG,
            };
            let age = now.saturating_duration_since(since);
            let rank = || (idle, Reverse(self.of(address)), since);
            (age >= spared).then(|| (rank(), *id, wait))
        };
        let mut candidates: Vec<_> = self.open.iter().filter_map(candidate).collect();
        if candidates.len() > most {
            candidates.select_nth_unstable_by_key(most, |(rank, ..)| *rank);
            candidates.truncate(most);
        }
        let mut closed = 0;
        for (_, id, wait) in candidates {
            if let Some((connection, task)) = self.open.get(&id)
                && connection.close(wait)
            {
                task.abort();
                self.leave(id);
                closed += 1;
            }
        }
        closed
    }
}

/// What an address is counted as: a network of IPv6 is one, for its owner has all of it.
pub(crate) fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests;
