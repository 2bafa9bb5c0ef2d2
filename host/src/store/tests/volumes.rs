//! The log's volumes, on a disk that loses what was not synced and in a folder of the system.

mod damaged;
mod foreign;
mod placed;
mod sealed;
mod torn;

use std::sync::Arc;

use super::disk::pages::Pages;
use super::disk::{Disk, Fault};
use crate::store::Medium;
use crate::store::file::volumes::{
    Extent, Found, Point, Scanned, Shown, VolumeWriter, Volumes, parts,
};

const TAG: u32 = 5;
/// Where a volume's first frame lies.
const HEAD_BYTES: u32 = 48;
const FRAME_HEAD_BYTES: usize = 40;
/// Full volumes without much writing.
const SMALL: u64 = 1000;
const LARGE: u64 = 256 << 20;

/// The volumes on a medium.
fn open(medium: impl Medium, limit: u64) -> Volumes {
    Volumes::open(Arc::new(medium), TAG, limit).expect("the medium can be read")
}

/// All of the log from a point on, and where it ends.
fn scan(volumes: &Volumes, from: Point) -> (Vec<Scanned>, Point) {
    let mut scan = volumes.frames_from(from);
    let found = scan.by_ref().map(|next| next.expect("the medium can be read")).collect();
    (found, scan.end())
}

/// A writer that goes on where the log ends.
fn resume(volumes: &Volumes) -> VolumeWriter {
    let (_, end) = scan(volumes, Point::START);
    VolumeWriter::at(volumes.clone(), end).expect("the medium can be written")
}

/// A frame as a scan gives it.
fn frame(first: u64, extent: Extent, body: &[u8]) -> Scanned {
    Scanned::Frame(Found { first, extent, body: body.to_vec() })
}

/// Adds a frame, and gives it as a scan should.
fn add(writer: &mut VolumeWriter, first: u64, body: &[u8]) -> Scanned {
    let extent = writer.append(first, &[body]).expect("the medium can be written");
    frame(first, extent, body)
}

/// Adds so many frames of a hundred bytes, numbered from one on.
fn add_many(writer: &mut VolumeWriter, count: u64) -> Vec<Scanned> {
    (1..=count).map(|first| add(writer, first, &body_of(first))).collect()
}

fn body_of(first: u64) -> Vec<u8> {
    (0..100).map(|at| (first as u8).wrapping_mul(31).wrapping_add(at)).collect()
}

/// Where a frame lies.
fn extent(scanned: &Scanned) -> Extent {
    match scanned {
        Scanned::Frame(found) => found.extent,
        Scanned::Broken { .. } => panic!("{scanned:?} is no frame"),
    }
}

fn file(number: u32) -> String {
    format!("volume-{number:08}.hgv")
}

/// What a file holds.
fn bytes(disk: &Disk, number: u32) -> Vec<u8> {
    disk.synced()[&file(number)].to_vec()
}

/// Another disk, with these bytes in a file.
fn with_file(disk: &Disk, name: String, bytes: &[u8]) -> Disk {
    let mut files = disk.synced();
    let mut pages = Pages::default();
    pages.write(0, bytes);
    files.insert(name, pages);
    Disk::holding(files)
}

/// Another disk, on which a volume was changed.
fn changed(disk: &Disk, number: u32, change: impl FnOnce(&mut Vec<u8>)) -> Disk {
    let mut bytes = bytes(disk, number);
    change(&mut bytes);
    with_file(disk, file(number), &bytes)
}

#[test]
fn frames_of_many_sizes_come_back() {
    let disk = Disk::default();
    let volumes = open(disk.clone(), LARGE);
    let mut writer = resume(&volumes);
    let sizes = [0, 1, 39, 40, 41, 511, 4096, (1 << 20) - 41, 1 << 20, 3 << 20, 7];
    let mut written = Vec::new();
    for (first, size) in (10..).zip(sizes) {
        let body: Vec<u8> = (0..size).map(|at| (at * 7 + size) as u8).collect();
        let (head, rest) = body.split_at(size / 3);
        let extent = writer.append(first, &[head, b"", rest]).unwrap();
        assert_eq!(extent.length as usize, FRAME_HEAD_BYTES + size);
        assert_eq!(writer.end(), extent.end());
        written.push(frame(first, extent, &body));
    }
    drop(writer);

    for volumes in [volumes, open(disk, LARGE)] {
        let (found, end) = scan(&volumes, Point::START);
        assert!(found == written, "{} frames", found.len());
        assert_eq!(end, extent(&written[10]).end());
        let shown = volumes.shown();
        for (at, scanned) in written.iter().enumerate() {
            let Scanned::Frame(Found { first, extent, body }) = scanned else { unreachable!() };
            assert!(shown.body(*first, *extent).unwrap().as_ref() == Some(body));
            assert_eq!(shown.body(first + 1, *extent).unwrap(), None, "another frame's position");
            let (behind, _) = scan(&volumes, extent.end());
            assert!(behind == written[at + 1..], "from behind frame {at}");
        }
    }
}

#[test]
fn an_extent_that_names_no_whole_frame_reads_as_nothing() {
    let volumes = open(Disk::default(), LARGE);
    let mut writer = resume(&volumes);
    let right = extent(&add(&mut writer, 1, b"body"));
    let shown = volumes.shown();
    assert_eq!(shown.body(1, right).unwrap().unwrap(), b"body");
    for wrong in [
        Extent { volume: right.volume + 1, ..right },
        Extent { offset: right.offset + 1, ..right },
        Extent { offset: u32::MAX, ..right },
        Extent { length: right.length - 1, ..right },
        Extent { length: 3, ..right },
        Extent { length: 0, ..right },
        Extent { length: u32::MAX, ..right },
    ] {
        assert_eq!(shown.body(1, wrong).unwrap(), None, "{wrong:?}");
    }
}

#[test]
fn a_probe_is_a_frame_that_no_scan_gives() {
    let disk = Disk::default();
    let volumes = open(disk.clone(), LARGE);
    let mut writer = resume(&volumes);
    writer.probe().unwrap();
    let one = add(&mut writer, 1, b"one");
    writer.probe().unwrap();
    let before = disk.synced();
    writer.probe().unwrap();

    assert_ne!(before[&file(1)].to_vec(), bytes(&disk, 1), "it is durable");
    let (found, end) = scan(&volumes, Point::START);
    assert_eq!((found, end), (vec![one], writer.end()));
}

#[test]
fn a_full_volume_is_followed_by_another() {
    let disk = Disk::default();
    let volumes = open(disk.clone(), SMALL);
    let mut writer = resume(&volumes);
    let mut written = add_many(&mut writer, 20);
    let (_, end) = scan(&volumes, Point::START);
    assert_eq!(end, writer.end());
    drop(writer);

    // (1000 - 48) / 140 is 6.8: the seventh begins before the limit and ends behind it.
    let numbers: Vec<u32> = written.iter().map(|scanned| extent(scanned).volume).collect();
    assert_eq!(numbers, [[1; 7], [2; 7], [3; 7]].concat()[..20]);
    assert_eq!(volumes.shown().numbers().collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(volumes.bytes(), 3 * 48 + 20 * 140);
    let volumes = open(disk, SMALL);
    let mut writer = resume(&volumes);
    assert_eq!(writer.end(), end);
    written.push(add(&mut writer, 21, b"more"));
    assert_eq!(scan(&volumes, Point::START).0, written);
    assert_eq!(scan(&volumes, extent(&written[8]).end()).0, written[9..]);
    assert_eq!(scan(&volumes, extent(&written[6]).end()).0, written[7..], "behind a full one");
}

#[test]
fn a_removed_volume_is_read_by_who_was_shown_it() {
    let disk = Disk::default();
    let volumes = open(disk.clone(), SMALL);
    let mut writer = resume(&volumes);
    let written = add_many(&mut writer, 20);
    let shown = volumes.shown();
    let read = |shown: &Shown, first: u64| {
        shown.body(first, extent(&written[first as usize - 1])).unwrap()
    };

    writer.remove(&[1, 2]);

    let names = disk.names().unwrap();
    assert_eq!(names, [file(3)]);
    assert_eq!(read(&shown, 1).unwrap(), body_of(1));
    assert_eq!(read(&shown, 8).unwrap(), body_of(8));
    let later = volumes.shown();
    assert_eq!((read(&later, 1), read(&later, 20)), (None, Some(body_of(20))));
    assert_eq!(later.numbers().collect::<Vec<_>>(), [3]);
    assert_eq!(volumes.bytes(), 48 + 6 * 140);
    assert_eq!(scan(&volumes, Point::START).0, written[14..]);
}

#[test]
fn a_volume_that_is_written_to_is_never_removed() {
    let disk = Disk::default();
    let volumes = open(disk.clone(), SMALL);
    let mut writer = resume(&volumes);
    add_many(&mut writer, 8);
    let packed = writer.pack(1, b"packed").unwrap();
    assert_eq!(packed.volume, 3);
    let written: Vec<bool> = (1..=4).map(|number| writer.is_written(number)).collect();
    assert_eq!(written, [false, true, true, false]);

    writer.remove(&[1, 2, 3, 4]);

    assert_eq!(disk.names().unwrap(), [file(2), file(3)]);
}

#[test]
fn a_volume_that_can_not_be_removed_stays_until_the_next_start() {
    let disk = Disk::default();
    let volumes = open(disk.clone(), SMALL);
    let mut writer = resume(&volumes);
    let written = add_many(&mut writer, 8);
    disk.fail_after(Fault::Write, 0);
    writer.remove(&[1]);
    disk.mend();

    assert_eq!(volumes.shown().numbers().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(scan(&volumes, Point::START).0, written);
    let again = open(disk.clone(), SMALL);
    resume(&again).remove(&[1]);
    assert_eq!(disk.names().unwrap(), [file(2)]);
}

#[test]
fn packed_and_log_volumes_share_one_numbering() {
    let disk = Disk::default();
    let volumes = open(disk.clone(), SMALL);
    let mut writer = resume(&volumes);
    let mut written = add_many(&mut writer, 3);
    let one = writer.pack(70, &[1; 900]).unwrap();
    let two = writer.pack(80, &[2; 900]).unwrap();
    written.extend((4..=9).map(|first| add(&mut writer, first, &body_of(first))));
    let three = writer.pack(90, &[3; 10]).unwrap();
    writer.sync_packed().unwrap();
    drop(writer);

    assert_eq!([one, two, three].map(|extent| extent.volume), [2, 2, 4]);
    assert_eq!((extent(&written[6]).volume, extent(&written[8]).volume), (1, 3));
    let volumes = open(disk, SMALL);
    let (found, end) = scan(&volumes, Point::START);
    assert_eq!((found, end), (written, Point { volume: 3, offset: 48 + 2 * 140 }));
    let mut writer = resume(&volumes);
    let four = writer.pack(95, b"four").unwrap();
    assert_eq!(four, Extent { volume: 4, offset: 48 + 50, length: 44 }, "goes on in the newest");
    let shown = volumes.shown();
    for (first, extent, body) in
        [(70, one, vec![1; 900]), (80, two, vec![2; 900]), (90, three, vec![3; 10])]
    {
        assert_eq!(shown.body(first, extent).unwrap().unwrap(), body);
        assert_eq!(shown.segment(first, extent).unwrap().unwrap(), body);
    }
}

#[test]
fn the_segment_is_read_out_of_a_commit() {
    let volumes = open(Disk::default(), LARGE);
    let mut writer = resume(&volumes);
    let length = 7_u32.to_le_bytes();
    let whole = writer.append(1, &[&length[..], b"segment", b"redo"]).unwrap();
    let wrong = writer.append(2, &[&length[..], b"redo"]).unwrap();

    let shown = volumes.shown();
    assert_eq!(shown.segment(1, whole).unwrap().unwrap(), b"segment");
    assert_eq!(shown.segment(2, wrong).unwrap(), None);
    let body = shown.body(1, whole).unwrap().unwrap();
    assert_eq!(parts(&body), Some((&b"segment"[..], &b"redo"[..])));
}
