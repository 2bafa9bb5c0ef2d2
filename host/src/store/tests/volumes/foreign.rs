//! Files with the names of volumes that are none of this store.

use super::*;

/// One frame, in a volume with this tag.
fn other_store() -> Vec<u8> {
    let disk = Disk::default();
    let volumes = Volumes::open(Arc::new(disk.clone()), TAG + 1, SMALL).expect("the disk is whole");
    add(&mut resume(&volumes), 1, b"of another store");
    bytes(&disk, 1)
}

#[test]
fn a_foreign_file_is_left_alone_and_its_number_is_nobodys() {
    let disk = Disk::default();
    let mut writer = resume(&open(disk.clone(), SMALL));
    let mut written = add_many(&mut writer, 3);
    drop(writer);
    let own = bytes(&disk, 1);
    let foreign = [
        (2, other_store()),
        (3, b"a letter to grandmother, which is longer than the head of any volume".to_vec()),
        (4, b"short".to_vec()),
        // A copy of one that somebody made.
        (5, own),
        (7, vec![0; 49]),
    ];
    let mut disk = disk;
    for (number, bytes) in &foreign {
        disk = with_file(&disk, file(*number), bytes);
    }
    disk = with_file(&disk, "volume-2.hgv".to_owned(), b"not a volume's name");

    let volumes = open(disk.clone(), SMALL);
    assert_eq!(volumes.shown().numbers().collect::<Vec<_>>(), [1]);
    assert_eq!(scan(&volumes, Point::START).0, written);
    let mut writer = resume(&volumes);
    written.extend((4..=20).map(|first| add(&mut writer, first, &body_of(first))));
    writer.remove(&[2, 3, 4, 5, 7]);

    for (number, left) in &foreign {
        assert_eq!(&bytes(&disk, *number), left);
    }
    assert_eq!(volumes.shown().numbers().collect::<Vec<_>>(), [1, 6, 8]);
    assert_eq!(scan(&open(disk, SMALL), Point::START).0, written);
}

#[test]
fn a_file_with_the_last_number_of_all_is_no_end_of_the_numbers() {
    let disk = with_file(&Disk::default(), file(u32::MAX), b"foreign");
    let volumes = open(disk, LARGE);
    let one = add(&mut resume(&volumes), 1, b"one");
    assert_eq!(extent(&one).volume, 1);
}

#[test]
fn a_volume_that_was_not_finished_goes_away() {
    let disk = Disk::default();
    let mut writer = resume(&open(disk.clone(), SMALL));
    let written = add_many(&mut writer, 3);
    drop(writer);
    let disk = with_file(&disk, file(2), b"");
    let disk = with_file(&disk, file(3), &[0; HEAD_BYTES as usize]);

    let volumes = open(disk.clone(), SMALL);
    let (found, end) = scan(&volumes, Point::START);
    assert_eq!((found, end), (written, Point { volume: 1, offset: 48 + 3 * 140 }));
    resume(&volumes);
    assert_eq!(disk.names().unwrap(), [file(1)]);
}
