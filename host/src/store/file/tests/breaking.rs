//! Frames that are damaged or torn: what a start makes of them, and of those behind them.

use super::*;
use crate::store::file::catch_up::catch_up;
use crate::store::file::folder::Folder;
use crate::store::file::identity::open_database;
use crate::store::file::volumes::Point;

/// Turns a bit of the file that this extent lies in.
fn flip(folder: &Path, extent: Extent, byte: u32) {
    let path = folder.join(format!("volume-{:08}.hgv", extent.volume));
    let mut bytes = std::fs::read(&path).expect("it can be read");
    bytes[(extent.offset + byte) as usize] ^= 4;
    std::fs::write(path, bytes).expect("it can be written");
}

#[test]
fn a_frame_that_is_damaged_is_noted_and_those_behind_it_are_applied() {
    // In the head, and in the body.
    for byte in [5, 50] {
        let mut bench = Bench::new();
        bench.commit(b"one", &opening(1));
        let broken = bench.commit(b"two two two", &opening(2));
        let whole = bench.commit(b"three", &opening(3));
        let copy = bench.copy();
        flip(copy.path(), bench.extent(broken), byte);

        let killed = Bench::at(copy);

        assert_eq!(killed.damages.count(), 1, "{byte}");
        assert_eq!(owing::open_works(&killed.view()), [1, 3], "{byte}");
        let asked = killed.segment(broken);
        assert!(
            matches!(&asked, Err(Failure::Damaged(damaged)) if damaged.position == broken),
            "{byte}: {asked:?}"
        );
        assert_eq!(killed.segment(whole).unwrap().unwrap(), b"three");
        assert_eq!(killed.next, bench.next, "{byte}");
    }
}

#[test]
fn no_position_comes_again_where_the_log_ends_with_damage() {
    let mut bench = Bench::new();
    bench.commit(b"one", &|_| ());
    let broken = bench.commit(b"two two two", &|_| ());
    // Something whole lies behind it, of which no position is known.
    bench.file.journal.lock().unwrap().as_mut().unwrap().probe().unwrap();
    let copy = bench.copy();
    flip(copy.path(), bench.extent(broken), 50);

    let killed = Bench::at(copy);

    assert_eq!(killed.damages.count(), 1);
    assert!(killed.next >= broken + UNREAD_WIDTH, "{}", killed.next);
    // It is met once.
    let again = killed.killed();
    assert_eq!((again.next, again.damages.count()), (killed.next, 0));
}

#[test]
fn a_frame_of_which_a_kill_left_a_part_never_was() {
    let mut bench = Bench::new();
    bench.commit(b"one", &|_| ());
    let rows = bench.rows();
    let torn = bench.commit(b"two two two", &opening(1));
    let copy = bench.copy();
    flip(copy.path(), bench.extent(torn), 50);

    let mut killed = Bench::at(copy);

    assert_eq!(killed.damages.count(), 0);
    assert_eq!(killed.rows(), rows);
    let again = killed.commit(b"another", &|_| ());
    assert_eq!(again, torn);
    assert_eq!(killed.killed().segment(again).unwrap().unwrap(), b"another");
}

#[test]
fn a_frame_that_held_before_an_outage_and_is_broken_behind_it_is_noted() {
    let mut bench = Bench::new();
    bench.commit(b"one", &|_| ());
    let broken = bench.commit(b"two two two", &|_| ());
    let reached = Point::read(bench.file.reached.load(Ordering::Relaxed));
    let copy = bench.copy();
    flip(copy.path(), bench.extent(broken), 50);

    let database = open_database(&copy.path().join(FILE_NAME)).unwrap();
    let medium = Arc::new(Folder::new(copy.path()));
    let volumes = Volumes::open(medium, bench.file.tag, SIZES.volume_bytes).unwrap();
    let damages = Damages::default();
    catch_up(&database, &volumes, reached, None, &damages).unwrap();

    assert_eq!(damages.count(), 1);
}
