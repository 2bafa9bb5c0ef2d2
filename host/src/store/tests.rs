//! The store as its callers see it, through restarts and crashes.

mod auditing;
mod backing_up;
mod canaries;
mod checking;
mod company;
mod conforming;
mod counting;
mod damaging;
mod delivering;
mod discarding;
mod disk;
mod duplicates;
mod endpointing;
mod erasing;
mod flipping;
mod following;
mod frames;
mod handling;
mod indexing;
mod knowing;
mod letters;
mod migrating;
mod opening;
mod outages;
mod panicking;
mod parsing;
mod past;
mod querying;
mod raising;
mod remembering;
mod repairing;
mod sealing;
mod settling;
mod sharing;
mod starting;
mod stating;
mod sweeping;
mod tokens;
mod undone;
mod upgrading;
mod volumes;
mod windows;

use std::time::Duration;

use tempfile::TempDir;

use super::conformance::drive::Drive;
use super::conformance::samples::*;
use super::*;
use crate::event::{Request, Timestamp};
use crate::ids::Id;
use crate::retry::Verdict;

/// Opened so, but attempts go to the disk at once: where a test makes one after the other, nobody
/// comes along whom they could wait for, and thousands of them would wait.
fn alone(config: &Config) -> Config {
    Config { company: Duration::ZERO, ..config.clone() }
}

/// A folder in memory where the system has one with room to spare, or else on the disk. What a disk
/// may do to a store is for [`disk::Disk`] to do, and nothing is learned by waiting for a real one.
fn in_memory() -> TempDir {
    const MEMORY: &str = "/dev/shm";
    let room = crate::disk::Disk::of(MEMORY.into());
    let is_roomy = room.look().is_ok() && room.space().is_some_and(|it| it.free >= 1 << 30);
    let made = if is_roomy { TempDir::new_in(MEMORY) } else { TempDir::new() };
    made.expect("there is room")
}

/// A store in a folder of its own, with a clock that stands still.
struct Bench {
    folder: TempDir,
    clock: Clock,
    store: Store,
}

impl Bench {
    fn new() -> Self {
        Self::at(in_memory(), Clock::manual(NOW))
    }

    /// In this folder, which may have a store already.
    fn at(folder: TempDir, clock: Clock) -> Self {
        let config = alone(&Config::at(folder.path()));
        let store = Store::open(&config, clock.clone()).expect("it opens");
        Self { folder, clock, store }
    }

    /// On a disk that the test holds.
    fn on(disk: disk::Disk, clock: Clock) -> Self {
        Self::with(disk, clock, &Config::at("nowhere"))
    }

    /// The same, opened so.
    fn with(disk: disk::Disk, clock: Clock, config: &Config) -> Self {
        let store = Store::open_on(disk, &alone(config), clock.clone()).unwrap();
        Self { folder: in_memory(), clock, store }
    }

    /// What a start finds on this disk after a power cut.
    fn after_power_cut(disk: &disk::Disk) -> Store {
        let synced = disk::Disk::holding(disk.synced());
        Store::open_on(synced, &Config::at("nowhere"), Clock::manual(NOW)).unwrap()
    }

    /// Closes the store and opens it again.
    async fn restart(self) -> Self {
        let Self { folder, clock, store } = self;
        store.close().await.unwrap();
        Self::at(folder, clock)
    }

    /// The same, between which a check finds nothing and a repair makes the store anew.
    async fn repaired(self) -> Self {
        let Self { folder, clock, store } = self;
        store.close().await.unwrap();
        let faults = check(folder.path()).unwrap().faults;
        assert!(faults.is_empty(), "{faults:?}");
        repair_anyway(folder.path(), Undecided::Dead, None).unwrap();
        Self::at(folder, clock)
    }
}

impl Drive for Bench {
    fn store(&self) -> &Store {
        &self.store
    }
}
