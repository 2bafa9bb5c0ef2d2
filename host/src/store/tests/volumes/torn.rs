//! What a kill and a disk that fails leave of the log: a whole beginning of it, and a tail.

use super::super::disk::Cut;
use super::*;

#[test]
fn a_torn_tail_of_every_length_is_an_end_and_no_damage() {
    let disk = Disk::default();
    let mut writer = resume(&open(disk.clone(), LARGE));
    let written = [add(&mut writer, 1, b"one"), add(&mut writer, 2, b"two")];
    let end = writer.end();
    add(&mut writer, 3, b"a tail, of which less and less is there");
    let whole = bytes(&disk, 1);
    let begin = end.offset as usize;
    for length in begin..whole.len() {
        // Either the file did not grow, or it did and what was to stand there did not come.
        for behind in [0, whole.len() - length, 5000] {
            let torn = changed(&disk, 1, |bytes| {
                bytes.truncate(length);
                bytes.resize(length + behind, 0);
            });
            let volumes = open(torn.clone(), LARGE);
            let (mut found, ends) = scan(&volumes, Point::START);
            assert_eq!((&found[..], ends), (&written[..], end), "{length} and {behind}");
            let mut writer = VolumeWriter::at(volumes, ends).unwrap();
            assert_eq!(bytes(&torn, 1), whole[..begin], "it is cut off, for good");
            found.push(add(&mut writer, 3, b"more"));
            assert_eq!(scan(&open(torn, LARGE), Point::START), (found, writer.end()));
        }
    }
}

#[test]
fn zeros_are_an_end() {
    let disk = Disk::default();
    let mut writer = resume(&open(disk.clone(), LARGE));
    let one = add(&mut writer, 1, b"one");
    let end = writer.end();
    drop(writer);
    let ahead = changed(&disk, 1, |bytes| bytes.resize(bytes.len() + (3 << 20), 0));

    let volumes = open(ahead, LARGE);
    assert_eq!(scan(&volumes, Point::START), (vec![one], end));
    assert_eq!(scan(&volumes, end), (vec![], end));
}

#[test]
fn zeros_at_the_end_of_a_full_volume_are_no_damage() {
    let disk = Disk::default();
    let mut writer = resume(&open(disk.clone(), SMALL));
    let written = add_many(&mut writer, 9);
    let ahead = changed(&disk, 1, |bytes| bytes.resize(bytes.len() + 5000, 0));
    assert_eq!(scan(&open(ahead, SMALL), Point::START), (written, writer.end()));
}

/// What was written before a power cut.
struct History {
    written: Vec<Scanned>,
    /// How many cuts there were when the writer gave each of them back.
    returned: Vec<usize>,
    cuts: Vec<Cut>,
}

impl History {
    /// Through some volumes, with something packed now and then.
    fn new() -> Self {
        let disk = Disk::default();
        disk.record_cuts();
        let mut writer = resume(&open(disk.clone(), SMALL));
        let (mut written, mut returned) = (Vec::new(), Vec::new());
        for first in 1..=30 {
            if first % 4 == 0 {
                writer.pack(first, &body_of(first)).expect("the disk is whole");
                writer.sync_packed().expect("the disk is whole");
            }
            // More than a sector, so that a part of it may be there.
            let body = body_of(first).repeat(first as usize % 12);
            written.push(add(&mut writer, first, &body));
            returned.push(disk.cut_count());
        }
        Self { written, returned, cuts: disk.cuts() }
    }

    /// How many frames were given back before a cut.
    fn before(&self, cut: usize) -> usize {
        self.returned.iter().filter(|cuts| **cuts <= cut).count()
    }
}

#[test]
fn after_a_power_cut_all_is_there_that_was_given_back_and_the_log_goes_on() {
    let history = History::new();
    let mut random = fastrand::Rng::with_seed(11);
    assert!(history.cuts.len() > 40, "frames, volumes and names were synced");
    for (number, cut) in history.cuts.iter().enumerate() {
        let torn = (0..8).map(|_| cut.torn(&mut random)).collect::<Vec<_>>();
        for disk in [cut.disk(|| false), cut.disk(|| true)].into_iter().chain(torn) {
            let volumes = open(disk.clone(), SMALL);
            let (mut found, end) = scan(&volumes, Point::START);
            assert!(history.written.starts_with(&found), "at cut {number}");
            assert!(found.len() >= history.before(number), "at cut {number}");
            let mut writer = VolumeWriter::at(volumes, end).unwrap();
            let more = found.len() as u64 + 1;
            found.extend((more..more + 9).map(|first| add(&mut writer, first, &body_of(first))));
            let safe = Disk::holding(disk.synced());
            assert_eq!(scan(&open(safe, SMALL), Point::START).0, found, "at cut {number}");
        }
    }
}

#[test]
fn what_was_packed_and_synced_is_there_after_a_power_cut() {
    let disk = Disk::default();
    let mut writer = resume(&open(disk.clone(), SMALL));
    let packed: Vec<Extent> =
        (1..=20).map(|first| writer.pack(first, &body_of(first)).unwrap()).collect();
    writer.sync_packed().unwrap();
    let lost = writer.pack(21, b"not synced").unwrap();

    let shown = open(Disk::holding(disk.synced()), SMALL).shown();
    for (first, extent) in (1..).zip(&packed) {
        assert_eq!(shown.body(first, *extent).unwrap(), Some(body_of(first)));
    }
    assert_eq!(shown.body(21, lost).unwrap(), None);
    assert!(packed[19].volume > packed[0].volume, "there are several volumes");
}

/// The system shows what was written, also to who starts after a kill. A power cut still takes it.
#[test]
fn what_a_kill_left_unsynced_is_durable_before_the_log_goes_on() {
    let disk = Disk::default();
    let mut writer = resume(&open(disk.clone(), LARGE));
    disk.fail_after(Fault::Sync, 0);
    assert!(writer.append(1, &[b"one"]).is_err());
    disk.mend();
    drop(writer);

    let volumes = open(disk.clone(), LARGE);
    let (found, end) = scan(&volumes, Point::START);
    assert_eq!(found.len(), 1);
    VolumeWriter::at(volumes, end).unwrap();

    let safe = open(Disk::holding(disk.synced()), LARGE);
    assert_eq!(scan(&safe, Point::START), (found, end));
}

#[test]
fn a_volume_whose_name_a_kill_left_unsynced_is_durable_before_the_log_goes_on() {
    let made = Disk::default();
    resume(&open(made.clone(), LARGE));
    let disk = Disk::default();
    disk.open(&file(1)).unwrap().write(0, &bytes(&made, 1)).unwrap();

    let one = add(&mut resume(&open(disk.clone(), LARGE)), 1, b"one");

    let safe = open(Disk::holding(disk.synced()), LARGE);
    assert_eq!(scan(&safe, Point::START).0, [one]);
}

#[test]
fn after_a_failed_write_a_writer_refuses_everything() {
    for fault in [Fault::Write, Fault::Sync] {
        let disk = Disk::default();
        let volumes = open(disk.clone(), LARGE);
        let mut writer = resume(&volumes);
        let one = add(&mut writer, 1, b"one");
        let end = writer.end();
        disk.fail_after(fault, 0);
        assert!(writer.append(2, &[b"two"]).is_err());
        disk.mend();

        assert!(writer.append(2, &[b"two"]).is_err(), "nobody knows what is on the disk");
        assert!(writer.probe().is_err() && writer.pack(1, b"").is_err());
        assert!(writer.sync_packed().is_err());
        assert_eq!(writer.end(), end);
        drop(writer);
        let mut writer = resume(&volumes);
        let three = add(&mut writer, 3, b"three");
        let found = scan(&open(Disk::holding(disk.synced()), LARGE), Point::START).0;
        assert!(found.first() == Some(&one) && found.last() == Some(&three), "{fault:?}");
    }
}

/// The system shows what it has failed to write until it is told to look at the disk.
#[test]
fn what_a_failed_sync_has_lost_is_not_taken_for_the_log() {
    let disk = Disk::default();
    let volumes = open(disk.clone(), LARGE);
    let mut writer = resume(&volumes);
    let one = add(&mut writer, 1, b"one");
    let end = writer.end();
    disk.fail_after(Fault::LostSync, 0);
    assert!(writer.append(2, &[b"two"]).is_err());
    disk.mend();
    drop(writer);

    volumes.forget().unwrap();

    assert_eq!(scan(&volumes, Point::START).1, end);
    let mut writer = resume(&volumes);
    let three = add(&mut writer, 3, b"three");
    let safe = Disk::holding(disk.synced());
    assert_eq!(scan(&open(safe, LARGE), Point::START).0, [one, three]);
}

#[test]
fn a_volume_that_can_not_be_made_is_made_later() {
    for fault in [Fault::Write, Fault::Sync] {
        for accesses in 0..3 {
            let disk = Disk::default();
            let volumes = open(disk.clone(), SMALL);
            let mut writer = resume(&volumes);
            let mut written = add_many(&mut writer, 7);
            disk.fail_after(fault, accesses);
            assert!(writer.append(8, &[&body_of(8)]).is_err());
            disk.mend();
            drop(writer);

            let volumes = open(disk.clone(), SMALL);
            let (found, end) = scan(&volumes, Point::START);
            assert!(found.starts_with(&written), "{fault:?} after {accesses}: {found:?}");
            // What was not given back may be there.
            written = found;
            let mut writer = VolumeWriter::at(volumes, end).unwrap();
            written.push(add(&mut writer, 9, b"nine"));
            let safe = open(Disk::holding(disk.synced()), SMALL);
            assert_eq!(scan(&safe, Point::START).0, written, "{fault:?} after {accesses}");
        }
    }
}

#[test]
fn a_volume_that_could_not_be_made_is_no_end_of_a_writer() {
    let disk = Disk::default();
    let volumes = open(disk.clone(), SMALL);
    let mut writer = resume(&volumes);
    let mut written = add_many(&mut writer, 7);
    disk.fail_after(Fault::Write, 0);
    assert!(writer.append(8, &[b"eight"]).is_err(), "there is no room for another volume");
    disk.mend();
    written.push(add(&mut writer, 8, b"eight"));
    assert_eq!(scan(&volumes, Point::START).0, written);
}
