//! Volumes whose frames are encrypted: under a key of their own, which a master key has sealed.

use super::*;
use crate::master_key::MasterKey;
use crate::secrets::Secret;
use crate::store::VolumeKeys;
use crate::store::error::Failure;

/// Where the first frame of a sealed volume lies.
const SEALED_HEAD_BYTES: usize = 1536;
const SLOTS: [usize; 2] = [512, 1024];
/// Full volumes without much writing.
const LIMIT: u64 = 3000;

fn key(byte: u8) -> MasterKey {
    MasterKey::parse(&Secret::new(&hex::encode([byte; 32])).unwrap()).unwrap()
}

fn sealing(keys: &[u8]) -> VolumeKeys {
    VolumeKeys::sealing(keys.iter().copied().map(key).collect())
}

fn open_with(disk: &Disk, keys: &VolumeKeys) -> Volumes {
    Volumes::open_with(Arc::new(disk.clone()), TAG, LIMIT, keys).expect("the disk can be read")
}

fn has(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

#[test]
fn what_is_sealed_reads_with_the_key_and_shows_nothing_on_the_disk() {
    let disk = Disk::default();
    let mut writer = resume(&open_with(&disk, &sealing(&[1])));
    let written = [add(&mut writer, 1, b"a card number"), add(&mut writer, 2, b"a card number")];
    let packed = writer.pack(9, b"a card number").unwrap();
    writer.sync_packed().unwrap();

    assert_eq!(extent(&written[0]).offset as usize, SEALED_HEAD_BYTES);
    for number in [1, 2] {
        assert!(!has(&bytes(&disk, number), b"card"), "volume {number}");
    }
    let bodies = bytes(&disk, 1)[SEALED_HEAD_BYTES..].to_vec();
    let (one, other) = bodies.split_at(bodies.len() / 2);
    assert_ne!(one[FRAME_HEAD_BYTES..], other[FRAME_HEAD_BYTES..], "each has a nonce of its own");
    let volumes = open_with(&disk, &sealing(&[1]));
    assert_eq!(scan(&volumes, Point::START).0, written);
    let shown = volumes.shown();
    assert_eq!(shown.body(9, packed).unwrap().unwrap(), b"a card number");
    assert!(shown.locked().is_empty() && volumes.check_unlocked().is_ok());
    let mut writer = resume(&volumes);
    assert_eq!(extent(&add(&mut writer, 3, b"more")).volume, 1, "the same volume goes on");
}

#[test]
fn without_the_key_nothing_opens_and_the_key_that_would_is_named() {
    let disk = Disk::default();
    let mut writer = resume(&open_with(&disk, &sealing(&[1])));
    add_many(&mut writer, 2);
    for keys in [VolumeKeys::default(), sealing(&[2])] {
        let volumes = open_with(&disk, &keys);
        let Err(Failure::Locked { file: named, by }) = volumes.check_unlocked() else {
            panic!("it opens")
        };
        assert_eq!((named, by), (file(1), hex::encode(key(1).id())));
        assert_eq!(volumes.shown().locked()[&1][0], hex::encode(key(1).id()));
        let mut frames = volumes.frames_from(Point::START);
        assert!(matches!(frames.next(), Some(Err(Failure::Locked { .. }))));
        assert_eq!(volumes.frames_from(Point::START).closed().count(), 2, "the sums can be told");
    }
}

/// Leave the place out of what is authenticated, and a volume counts as another one.
#[test]
fn a_volume_under_another_number_does_not_open_although_its_sum_is_right() {
    let disk = Disk::default();
    let mut writer = resume(&open_with(&disk, &sealing(&[1])));
    add(&mut writer, 1, b"one");
    drop(writer);
    let mut moved = bytes(&disk, 1);
    moved[12] = 2;
    let sum = twox_hash::XxHash3_64::oneshot(&moved[..40]).to_le_bytes();
    moved[40..48].copy_from_slice(&sum);
    let moved = with_file(&Disk::default(), file(2), &moved);
    let volumes = open_with(&moved, &sealing(&[1]));
    assert!(matches!(volumes.check_unlocked(), Err(Failure::Locked { .. })));
}

#[test]
fn another_master_key_seals_the_keys_again_and_no_frame_changes() {
    let disk = Disk::default();
    let mut writer = resume(&open_with(&disk, &sealing(&[1])));
    let written = add_many(&mut writer, 30);
    drop(writer);
    let before = bytes(&disk, 1)[SEALED_HEAD_BYTES..].to_vec();
    let volumes = open_with(&disk, &sealing(&[2, 1]));
    let count = volumes.shown().numbers().count() as u64;

    assert!(count > 1);
    assert_eq!(volumes.renew_seals().unwrap(), count);
    assert_eq!(volumes.renew_seals().unwrap(), 0, "once is enough");

    assert_eq!(bytes(&disk, 1)[SEALED_HEAD_BYTES..], before);
    assert_eq!(scan(&open_with(&disk, &sealing(&[2])), Point::START).0, written);
    assert!(open_with(&disk, &sealing(&[1])).check_unlocked().is_err());
}

/// Leave the key that is open out of `renew`, and whoever takes the old master key away too early
/// has lost the store.
#[test]
fn a_volume_that_is_open_is_sealed_again_without_the_old_master_key() {
    let (disk, keys) = (Disk::default(), sealing(&[1]));
    let volumes = open_with(&disk, &keys);
    let written = [add(&mut resume(&volumes), 1, b"one")];

    keys.replace(vec![key(2)]);

    assert_eq!(volumes.renew_seals().unwrap(), 1);
    assert_eq!(scan(&open_with(&disk, &sealing(&[2])), Point::START).0, written);
}

/// Have `replace` take none for all keys, and the log can't go on in another volume.
#[test]
fn a_store_that_seals_goes_on_with_its_keys_when_the_configuration_has_none_any_more() {
    let (disk, keys) = (Disk::default(), sealing(&[1]));
    let mut writer = resume(&open_with(&disk, &keys));

    keys.replace(Vec::new());
    add_many(&mut writer, 30);

    let volumes = open_with(&disk, &sealing(&[1]));
    assert!(volumes.shown().numbers().count() > 1 && volumes.check_unlocked().is_ok());
}

/// Write both before one is synced, and a power cut may leave none.
#[test]
fn one_of_the_two_sealed_keys_is_enough_and_is_mended_by_the_next_change() {
    let disk = Disk::default();
    let mut writer = resume(&open_with(&disk, &sealing(&[1])));
    let written = [add(&mut writer, 1, b"one")];
    drop(writer);
    for slot in SLOTS {
        let torn = changed(&disk, 1, |bytes| bytes[slot + 50] ^= 1);
        let volumes = open_with(&torn, &sealing(&[1]));
        assert_eq!(scan(&volumes, Point::START).0, written);
        assert_eq!(volumes.renew_seals().unwrap(), 1);
        for other in SLOTS.into_iter().filter(|it| *it != slot) {
            let torn = changed(&torn, 1, |bytes| bytes[other + 50] ^= 1);
            assert!(open_with(&torn, &sealing(&[1])).check_unlocked().is_ok());
        }
    }
    let none = changed(&disk, 1, |bytes| SLOTS.iter().for_each(|slot| bytes[slot + 50] ^= 1));
    assert_eq!(open_with(&none, &sealing(&[1])).shown().damaged().collect::<Vec<_>>(), [1]);
}

#[test]
fn sealing_begins_with_a_volume_of_its_own_and_plain_ones_are_still_read() {
    let disk = Disk::default();
    let mut plain = resume(&open(disk.clone(), SMALL));
    let mut written = vec![add(&mut plain, 1, b"plain")];
    drop(plain);
    let mut writer = resume(&open_with(&disk, &sealing(&[1])));
    written.push(add(&mut writer, 2, b"sealed"));
    assert_eq!(extent(&written[1]).volume, 2);
    drop(writer);

    let opening = VolumeKeys::opening(vec![key(1)]);
    let mut writer = resume(&open_with(&disk, &opening));
    written.push(add(&mut writer, 3, b"sealed too"));
    assert_eq!(extent(&written[2]).volume, 2, "until it is full");
    assert_eq!(scan(&open_with(&disk, &opening), Point::START).0, written);
}

/// A kill came between the sealed key and the head.
#[test]
fn a_sealed_volume_without_a_head_goes_away() {
    let disk = Disk::default();
    let mut writer = resume(&open_with(&disk, &sealing(&[1])));
    let written = [add(&mut writer, 1, b"one")];
    drop(writer);
    let mut begun = bytes(&disk, 1)[..SEALED_HEAD_BYTES].to_vec();
    begun[..48].fill(0);
    let disk = with_file(&disk, file(2), &begun);
    let volumes = open_with(&disk, &sealing(&[1]));
    let found = scan(&volumes, Point::START).0;
    drop(resume(&volumes));
    assert_eq!(found, written);
    assert!(!disk.synced().contains_key(&file(2)), "it is removed");
}
