//! The volumes in a folder of the system: where they lie, and who else writes to them.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::store::Failure;
use crate::store::file::folder::Folder;

/// A folder with a log of three frames in it.
struct Place {
    folder: TempDir,
    writer: VolumeWriter,
}

impl Place {
    fn new() -> Self {
        let folder = TempDir::new().expect("there is a place for temporary files");
        let mut writer = resume(&open(Folder::new(folder.path()), SMALL));
        add_many(&mut writer, 3);
        Self { folder, writer }
    }

    fn volumes(&self) -> Volumes {
        open(Folder::new(self.folder.path()), SMALL)
    }

    fn path(&self, number: u32) -> PathBuf {
        self.folder.path().join(file(number))
    }

    /// Writes into the newest volume, as another program might.
    fn write(&self, number: u32, offset: u32, bytes: &[u8]) {
        let file = fs::File::options().write(true).open(self.path(number));
        let file = file.expect("there is a volume");
        file.write_all_at(bytes, offset.into()).expect("it can be written");
    }

    #[track_caller]
    fn assert_displaced(&self) {
        let found = self.writer.check_place();
        let path = self.path(1);
        assert!(matches!(&found, Err(Failure::Displaced { path: at }) if *at == path), "{found:?}");
    }

    #[track_caller]
    fn assert_overwritten(&self) {
        let found = self.writer.check_place();
        let path = self.path(1);
        let is_told = matches!(&found, Err(Failure::Overwritten { path: at }) if *at == path);
        assert!(is_told, "{found:?}");
    }
}

#[test]
fn a_log_comes_back_from_a_folder() {
    let mut place = Place::new();
    let more: Vec<Scanned> =
        (4..=20).map(|first| add(&mut place.writer, first, &body_of(first))).collect();
    let (found, end) = scan(&place.volumes(), Point::START);
    assert_eq!((&found[3..], end), (&more[..], place.writer.end()));
    place.writer.remove(&[1]);
    assert!(!place.path(1).exists());
    assert_eq!(place.volumes().shown().numbers().collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn a_log_that_lies_where_it_was_made_is_in_place() {
    let mut place = Place::new();
    place.writer.check_place().unwrap();
    for first in 4..=20 {
        add(&mut place.writer, first, &body_of(first));
        place.writer.check_place().unwrap();
    }
    place.writer.probe().unwrap();
    place.writer.check_place().unwrap();
    drop(place.writer);
    let writer = resume(&open(Folder::new(place.folder.path()), SMALL));
    writer.check_place().unwrap();
}

#[test]
fn a_removed_volume_is_noticed() {
    let place = Place::new();
    fs::remove_file(place.path(1)).unwrap();
    place.assert_displaced();
    fs::remove_dir_all(place.folder.path()).unwrap();
    place.assert_displaced();
}

#[test]
fn a_volume_that_was_replaced_is_noticed_until_it_is_put_back() {
    let place = Place::new();
    let aside = place.folder.path().join("aside");
    let copy = place.folder.path().join("copy");
    fs::copy(place.path(1), &copy).unwrap();
    fs::rename(place.path(1), &aside).unwrap();
    fs::rename(&copy, place.path(1)).unwrap();
    place.assert_displaced();
    fs::rename(&aside, place.path(1)).unwrap();
    place.writer.check_place().unwrap();
}

#[test]
fn whoever_writes_over_the_last_frame_is_noticed() {
    let mut place = Place::new();
    let last = extent(&add(&mut place.writer, 4, b"last"));
    place.writer.check_place().unwrap();
    place.write(1, last.offset + 20, b"!");
    place.assert_overwritten();
}

#[test]
fn an_older_copy_in_the_same_file_is_noticed() {
    let mut place = Place::new();
    let older = fs::read(place.path(1)).unwrap();
    let before = place.writer.end();
    add(&mut place.writer, 4, b"newer");
    // As `cp` does it: the file stays, and what it holds goes.
    fs::write(place.path(1), &older[..before.offset as usize]).unwrap();
    place.assert_overwritten();
}

#[test]
fn whoever_writes_before_the_first_frame_of_a_start_is_noticed() {
    let mut place = Place::new();
    let end = place.writer.end();
    let Place { folder, writer } = place;
    drop(writer);
    let writer = resume(&open(Folder::new(folder.path()), SMALL));
    place = Place { folder, writer };
    place.writer.check_place().unwrap();
    place.write(1, end.offset - 1, b"!");
    place.assert_overwritten();
}

/// The thread that lengthens a volume and the one that writes to it know nothing of each other.
#[test]
fn zeros_never_take_the_place_of_a_frame() {
    let folder = TempDir::new().unwrap();
    let medium = Folder::new(folder.path());
    let volumes = open(medium.clone(), LARGE);
    let mut writer = resume(&volumes);
    let end = medium.ahead(&file(1)).unwrap().expect("a folder gains by zeros");
    let written = std::thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..200 {
                end.lengthen(100).unwrap();
            }
        });
        add_many(&mut writer, 200)
    });
    let (found, ends) = scan(&open(medium, LARGE), Point::START);
    assert!(found == written, "{} of {} frames", found.len(), written.len());
    assert_eq!(ends, writer.end());
}

#[test]
fn what_is_no_regular_file_is_left_alone() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join(file(1))).unwrap();
    let volumes = open(Folder::new(folder.path()), LARGE);
    let one = add(&mut resume(&volumes), 1, b"one");
    assert_eq!(extent(&one).volume, 2);
    assert!(folder.path().join(file(1)).is_dir());
}
