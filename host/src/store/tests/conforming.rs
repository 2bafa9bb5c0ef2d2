//! The store on a disk, held to all that any store must keep.

use super::damaging::{Damage, damage};
use super::disk::{self, Disk};
use super::*;
use crate::store::conformance::{Cut, Subject, suite};

impl Subject for Disk {
    fn open(&self, config: &Config, clock: Clock) -> Store {
        Store::open_on(self.clone(), config, clock).unwrap()
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
        damage(store, id.position, Damage::Record);
    }
}

suite!(Disk);

/// The checks rest on the disk's promise; this is it.
#[test]
fn the_disk_loses_what_was_not_synced() {
    let disk = Disk::default();
    disk.record_cuts();
    let open = |name| Medium::open(&disk, name).unwrap();
    let (file, other) = (open("a"), open("b"));
    file.write(0, b"one").unwrap();
    file.sync().unwrap();
    file.write(0, b"two").unwrap();
    other.write(0, b"new").unwrap();
    file.sync().unwrap();

    let cuts: Vec<disk::Cut> = disk.cuts();
    assert_eq!(cuts[1].disk(|| false).synced()["a"], b"one");
    assert_eq!(cuts[1].disk(|| true).synced()["a"], b"two");
    assert_eq!(cuts[1].disk(|| true).synced()["b"], b"new");
    assert!(!disk.synced().contains_key("b"), "only one of them was synced");
}
