//! Bytes in the log that are not as they were written.

use super::*;

/// Three frames, and the disk with them.
fn three() -> (Disk, Vec<Scanned>) {
    let disk = Disk::default();
    let mut writer = resume(&open(disk.clone(), LARGE));
    (disk, add_many(&mut writer, 3))
}

fn broken(at: Extent) -> Scanned {
    Scanned::Broken { volume: at.volume, offset: at.offset }
}

#[test]
fn a_flipped_bit_in_any_byte_is_broken_there_and_all_behind_it_is_found() {
    let (disk, written) = three();
    for (at, scanned) in written.iter().enumerate().take(2) {
        let place = extent(scanned);
        for byte in 0..place.length as usize {
            let damaged = changed(&disk, 1, |bytes| {
                bytes[place.offset as usize + byte] ^= 1 << (byte % 8);
            });
            let volumes = open(damaged, LARGE);
            let (mut found, end) = scan(&volumes, Point::START);
            assert_eq!(found.remove(at), broken(place), "byte {byte} of frame {at}");
            let others = written.iter().enumerate().filter(|(other, _)| *other != at);
            assert!(found.iter().eq(others.map(|(_, other)| other)), "byte {byte} of frame {at}");
            assert_eq!(end, extent(&written[2]).end());
            let shown = volumes.shown();
            for (first, scanned) in (1..).zip(&written) {
                let body = shown.body(first, extent(scanned)).unwrap();
                assert_eq!(body.is_some(), first != at as u64 + 1, "byte {byte} of frame {at}");
            }
        }
    }
}

#[test]
fn what_is_broken_at_the_end_of_a_packed_volume_is_damage_if_another_packed_one_follows() {
    let disk = Disk::default();
    let mut writer = resume(&open(disk.clone(), SMALL));
    let packed = [1, 2].map(|first| writer.pack(first, &[7; 1100]).unwrap());
    writer.sync_packed().unwrap();
    drop(writer);
    let [full, newest] = packed;
    assert_ne!(full.volume, newest.volume);
    for (place, expected) in [(full, vec![broken(full)]), (newest, Vec::new())] {
        let damaged = changed(&disk, place.volume, |bytes| bytes[place.offset as usize + 50] ^= 1);
        let frames = open(damaged, SMALL).frames_of(place.volume).unwrap();
        let found: Vec<_> = frames.map(|next| next.unwrap()).collect();
        assert_eq!(found, expected, "{place:?}");
    }
}

#[test]
fn damage_over_many_frames_is_told_once() {
    let disk = Disk::default();
    let mut writer = resume(&open(disk.clone(), LARGE));
    let written = add_many(&mut writer, 9);
    let (from, to) = (extent(&written[2]), extent(&written[6]));
    let damaged = changed(&disk, 1, |bytes| {
        bytes[from.offset as usize + 50..to.offset as usize + 50].fill(0xff);
    });
    let (found, end) = scan(&open(damaged, LARGE), Point::START);
    assert_eq!(found[..2], written[..2]);
    assert_eq!(found[2], broken(from));
    assert_eq!(found[3..], written[7..]);
    assert_eq!(end, writer.end());
}

#[test]
fn zeros_in_the_place_of_frames_are_damage_if_more_follows() {
    let (disk, written) = three();
    let place = extent(&written[1]);
    let damaged = changed(&disk, 1, |bytes| {
        bytes[place.offset as usize..place.end().offset as usize].fill(0);
    });
    let (found, _) = scan(&open(damaged, LARGE), Point::START);
    assert!(found[0] == written[0] && found[1] == broken(place) && found[2] == written[2]);
}

/// Of the newest volume a damaged end can't be told from a torn one. Of all others it can: a volume
/// is followed by another only when its last frame was whole.
#[test]
fn the_end_of_a_full_volume_is_damage_if_it_is_no_frame() {
    let disk = Disk::default();
    let volumes = open(disk.clone(), SMALL);
    let mut writer = resume(&volumes);
    let written = add_many(&mut writer, 7);
    let last = extent(&written[6]);
    let damage = |bytes: &mut Vec<u8>| bytes[last.offset as usize + 60] ^= 4;
    let (found, end) = scan(&open(changed(&disk, 1, damage), SMALL), Point::START);
    assert_eq!((found.as_slice(), end.offset), (&written[..6], last.offset), "the newest");

    add(&mut writer, 8, b"eight");
    let end = writer.end();
    let damaged = changed(&disk, 1, damage);
    let (found, ends) = scan(&open(damaged.clone(), SMALL), Point::START);
    assert_eq!((found.len(), &found[6], ends), (8, &broken(last), end));
    // Also when nothing is in the other yet.
    let empty = changed(&damaged, 2, |bytes| bytes.truncate(HEAD_BYTES as usize));
    let (found, ends) = scan(&open(empty, SMALL), Point::START);
    assert_eq!((found.len(), &found[6]), (7, &broken(last)));
    assert_eq!(ends, Point { volume: 2, offset: HEAD_BYTES });
}

#[test]
fn one_bit_in_the_head_of_a_volume_costs_nothing() {
    let (disk, written) = three();
    for bit in 0..HEAD_BYTES as usize * 8 {
        let damaged = changed(&disk, 1, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        let volumes = open(damaged, LARGE);
        assert_eq!(scan(&volumes, Point::START).0, written, "bit {bit}");
        assert!(volumes.shown().body(2, extent(&written[1])).unwrap().is_some());
    }
}

#[test]
fn a_volume_whose_head_can_not_be_read_is_broken_as_a_whole_and_kept() {
    let disk = Disk::default();
    let mut writer = resume(&open(disk.clone(), SMALL));
    let written = add_many(&mut writer, 20);
    for number in 1..=3 {
        let damaged = changed(&disk, number, |bytes| bytes[16..24].fill(0x11));
        let left = bytes(&damaged, number);
        let volumes = open(damaged.clone(), SMALL);
        let (found, end) = scan(&volumes, Point::START);
        let (broken, frames): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|scanned| matches!(scanned, Scanned::Broken { .. }));
        assert_eq!(broken, [Scanned::Broken { volume: number, offset: 0 }]);
        let others = written.iter().filter(|scanned| extent(scanned).volume != number);
        assert!(frames.iter().eq(others), "all other volumes are read");
        assert!(!volumes.shown().numbers().any(|known| known == number));

        let mut writer = VolumeWriter::at(volumes.clone(), end).unwrap();
        writer.remove(&[number]);
        let more = add(&mut writer, 21, &body_of(21));
        assert_eq!(bytes(&damaged, number), left, "whoever can mend it finds it");
        assert_eq!(scan(&volumes, end).0.last(), Some(&more));
        assert_eq!(extent(&more).volume, if number == 3 { 4 } else { 3 });
    }
}

/// The next volume must not lie before a point that is remembered.
#[test]
fn a_log_that_is_gone_goes_on_behind_where_it_ended() {
    let end = Point { volume: 7, offset: 5000 };
    let disk = Disk::default();
    let volumes = open(disk.clone(), LARGE);
    assert_eq!(scan(&volumes, end), (vec![], end));
    let mut writer = VolumeWriter::at(volumes.clone(), end).unwrap();
    let one = add(&mut writer, 1, b"one");
    assert_eq!(scan(&volumes, end).0, [one]);
    drop(writer);

    // The same if the volume is there, and shorter than it was.
    let end = Point { volume: 8, offset: 5000 };
    let volumes = open(disk, LARGE);
    let mut writer = VolumeWriter::at(volumes.clone(), end).unwrap();
    let two = add(&mut writer, 2, b"two");
    assert_eq!(extent(&two).volume, 9);
    assert_eq!(scan(&volumes, end).0, [two]);
}

/// Somebody sends frames in the bodies of requests, and knows how they are made and all that this
/// store has written, but for its salts.
#[test]
fn a_frame_that_was_forged_inside_a_body_is_never_taken_for_one() {
    let elsewhere = Disk::default();
    let mut writer = resume(&open(elsewhere.clone(), LARGE));
    (1..=3).for_each(|first| drop(add(&mut writer, first, b"a forged commit")));
    let forged = bytes(&elsewhere, 1)[HEAD_BYTES as usize..].to_vec();
    let magics = b"HGFR".repeat(500);

    let disk = Disk::default();
    let mut writer = resume(&open(disk.clone(), LARGE));
    let one = add(&mut writer, 1, &[&forged[..], &magics[..], &forged[..]].concat());
    let two = add(&mut writer, 2, &forged);
    let three = add(&mut writer, 3, b"three");
    let whole = bytes(&disk, 1);
    for place in [extent(&one), extent(&two)] {
        for byte in 0..FRAME_HEAD_BYTES {
            let at = place.offset as usize + byte;
            let damaged = changed(&disk, 1, |bytes| bytes[at] ^= 0x40);
            let (found, _) = scan(&open(damaged, LARGE), Point::START);
            let honest = |scanned: &Scanned| [&one, &two, &three].contains(&scanned);
            let (honest, others): (Vec<_>, Vec<_>) = found.into_iter().partition(honest);
            assert_eq!((honest.len(), others), (2, vec![broken(place)]), "byte {byte}");
        }
    }
    // In a torn tail, too.
    for length in (extent(&two).offset as usize..whole.len()).step_by(7) {
        let torn = changed(&disk, 1, |bytes| bytes.truncate(length));
        let (found, _) = scan(&open(torn, LARGE), Point::START);
        assert!(found.iter().all(|scanned| [&one, &two, &three].contains(&scanned)), "{length}");
    }
}

/// Each volume has a salt of its own.
#[test]
fn a_frame_of_another_volume_is_no_frame_here() {
    let disk = Disk::default();
    let mut writer = resume(&open(disk.clone(), SMALL));
    let written = add_many(&mut writer, 8);
    let other = bytes(&disk, 1)[HEAD_BYTES as usize..][..140].to_vec();
    let copied = changed(&disk, 2, |bytes| bytes.extend(&other));
    let (found, end) = scan(&open(copied, SMALL), Point::START);
    assert_eq!((found, end), (written, writer.end()));
}
