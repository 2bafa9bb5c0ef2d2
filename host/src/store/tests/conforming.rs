//! The store on a disk, held to all that any store must keep.

use super::damaging::{Damage, damage};
use super::disk::{self, Disk};
use super::*;
use crate::store::conformance::{Cut, Subject, suite};

impl Subject for Disk {
    fn open(&self, config: &Config, clock: Clock) -> Store {
        let config = Config {
            // So little that a check goes through several volumes, and that kills come before, in
            // and behind checkpoints.
            volume_bytes: 8 << 10,
            checkpoint_bytes: 4 << 10,
            ..alone(config)
        };
        Store::open_on(self.clone(), &config, clock).unwrap()
    }

    fn killed(&self) -> Self {
        Self::holding(self.synced())
    }

    fn keep_cuts(&self) {
        self.record_cuts();
    }

    fn cuts_kept(&self) -> usize {
        self.cut_count()
    }

    fn take_cuts(&self, ways: usize, random: &mut fastrand::Rng) -> Vec<Cut<Self>> {
        let mut cuts = Vec::new();
        for cut in self.cuts() {
            let torn = (0..ways).map(|_| cut.torn(random)).collect();
            cuts.push(Cut { before: cut.disk(|| false), torn });
        }
        cuts
    }

    fn hold_commits(&self) {
        self.stall();
    }

    fn wait_for_commit(&self) {
        self.wait_for_stall();
    }

    fn let_commits_go(&self) {
        self.go_on();
    }

    fn damage(&self, store: &Store, id: Id) {
        damage(self, store, id.position, Damage::Record);
    }

    fn flip(&self, store: &Store, id: Id) {
        damage(self, store, id.position, Damage::Bit);
    }
}

suite!(Disk);

/// The checks rest on the disk's promise; this is it.
#[test]
fn the_disk_loses_what_was_not_synced() {
    let disk = Disk::default();
    let open = |name| Medium::open(&disk, name).unwrap();
    let bytes = |disk: &Disk, name: &str| disk.synced()[name].to_vec();
    let (file, other) = (open("a"), open("b"));
    disk.sync_names().unwrap();
    disk.record_cuts();
    file.write(0, b"one").unwrap();
    file.sync().unwrap();
    file.write(0, b"two").unwrap();
    other.write(0, b"new").unwrap();
    file.sync().unwrap();

    let cuts: Vec<disk::Cut> = disk.cuts();
    assert_eq!(bytes(&cuts[1].disk(|| false), "a"), b"one");
    assert_eq!(bytes(&cuts[1].disk(|| true), "a"), b"two");
    assert_eq!(bytes(&cuts[1].disk(|| true), "b"), b"new");
    assert_eq!(bytes(&disk, "b"), b"", "only one of them was synced");
}

#[test]
fn the_disk_loses_names_that_were_not_synced_whatever_was_done_to_their_files() {
    let disk = Disk::default();
    let open = |name| Medium::open(&disk, name).unwrap();
    let names = |disk: &Disk| disk.synced().into_keys().collect::<Vec<_>>();
    let first = open("first");
    first.write(0, b"one").unwrap();
    first.sync().unwrap();
    assert!(names(&disk).is_empty(), "nobody synced its name");
    disk.sync_names().unwrap();
    assert_eq!(names(&disk), ["first"]);

    disk.record_cuts();
    open("second").sync().unwrap();
    disk.remove("first").unwrap();
    disk.sync_names().unwrap();

    let cut = disk.cuts().pop().unwrap();
    assert_eq!(names(&cut.disk(|| false)), ["first"], "neither has happened");
    assert_eq!(names(&cut.disk(|| true)), ["second"], "both have happened");
    assert_eq!(names(&disk), ["second"]);
    let mut read = [0; 3];
    first.read(0, &mut read).unwrap();
    assert_eq!(&read, b"one", "who has it open reads on");
}

#[test]
fn the_disk_shows_what_a_failed_sync_has_lost_until_it_is_told_to_forget() {
    let disk = Disk::default();
    let file = Medium::open(&disk, "a").unwrap();
    disk.sync_names().unwrap();
    let read = || {
        let mut read = [0; 3];
        file.read(0, &mut read).map(|()| read)
    };
    file.write(0, b"old").unwrap();
    file.sync().unwrap();
    disk.fail_after(disk::Fault::LostSync, 0);
    file.write(0, b"new").unwrap();
    assert!(file.sync().is_err());
    disk.mend();

    file.sync().unwrap();
    assert_eq!((&read().unwrap(), disk.synced()["a"].to_vec()), (b"new", b"old".to_vec()));
    file.forget().unwrap();
    assert_eq!(&read().unwrap(), b"old");
}
