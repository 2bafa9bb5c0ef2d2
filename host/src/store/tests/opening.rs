//! Which files are opened, and which are refused.

use redb::{Database, TableDefinition};

use super::disk::Files;
use super::disk::pages::Pages;
use super::frames::frames;
use super::*;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

fn open(folder: &TempDir) -> Result<Store, OpenError> {
    Store::open(&Config::at(folder.path()), Clock::manual(NOW))
}

fn edit(folder: &TempDir, change: impl FnOnce(&redb::WriteTransaction)) {
    let database = Database::create(folder.path().join("hookgate.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    change(&transaction);
    transaction.commit().unwrap();
}

#[tokio::test]
async fn a_second_gateway_on_the_same_folder_is_refused() {
    let bench = Bench::new();
    assert!(matches!(open(&bench.folder), Err(OpenError::InUse { .. })));

    bench.append(&[]).await;
    let Bench { folder, store, .. } = bench;
    let clone = store.clone();
    store.close().await.unwrap();
    assert!(open(&folder).is_ok());
    assert!(matches!(clone.append(receipt(&[])).await, Err(Error::Closed)));
    assert!(matches!(clone.state(&name("a"), "", ""), Err(Error::Closed)));
}

#[tokio::test]
async fn dropping_the_last_handle_lets_the_file_go() {
    let bench = Bench::new();
    bench.append(&[]).await;
    let Bench { folder, store, .. } = bench;
    drop(store);
    assert_eq!(open(&folder).unwrap().take_parses(9, usize::MAX).await.unwrap().len(), 1);
}

#[test]
fn a_store_of_a_newer_version_is_refused_with_both_versions() {
    let folder = TempDir::new().unwrap();
    drop(open(&folder).unwrap());
    edit(&folder, |transaction| {
        transaction.open_table(META).unwrap().insert("format", 9).unwrap();
    });

    let error = open(&folder).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 9, .. }));
    let text = error.to_string();
    assert!(text.contains("format 9") && text.contains("up to 3"), "{text}");
}

#[test]
fn what_is_no_store_is_refused_and_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    let table: TableDefinition<'_, u64, u64> = TableDefinition::new("someone-elses");
    edit(&folder, |transaction| drop(transaction.open_table(table).unwrap()));
    assert!(matches!(open(&folder), Err(OpenError::Foreign { .. })));

    let folder = TempDir::new().unwrap();
    let path = folder.path().join("hookgate.redb");
    for foreign in ["not a database".repeat(1000), String::new()] {
        std::fs::write(&path, &foreign).unwrap();
        assert!(matches!(open(&folder), Err(OpenError::Foreign { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), foreign.as_bytes());
    }
}

#[tokio::test]
async fn a_store_that_is_cut_short_is_refused_by_name() {
    let bench = Bench::new();
    for number in 0..50 {
        bench.append(&[&format!("evt_{number}")]).await;
    }
    let Bench { folder, store, .. } = bench;
    store.close().await.unwrap();
    let path = folder.path().join("hookgate.redb");
    let whole = std::fs::read(&path).unwrap();

    for length in [9, 100, 4096, whole.len() / 2, whole.len() - 4096, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let Err(error) = open(&folder) else { panic!("opened with {length} bytes") };
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(open(&folder).unwrap().take_parses(99, usize::MAX).await.unwrap().len(), 50);
}

#[tokio::test]
async fn a_file_that_was_replaced_while_it_was_open_is_not_written_to() {
    let (bench, other) = (Bench::new(), Bench::new());
    let path = |bench: &Bench| bench.folder.path().join("hookgate.redb");
    let others = path(&other);
    drop(other.store);
    std::fs::rename(others, path(&bench)).unwrap();

    let reopened = bench.store.handle.shared.file.reopen();

    assert!(matches!(reopened, Err(Error::Failed(_))), "{reopened:?}");
    assert!(matches!(bench.store.append(receipt(&[])).await, Err(Error::Unavailable(_))));
}

/// The files that are written to: that of the rows, and the newest volume of the log.
const WRITTEN: [&str; 2] = ["hookgate.redb", "volume-00000001.hgv"];

/// A file of the store and another place for it.
fn places(bench: &Bench, name: &str) -> (std::path::PathBuf, std::path::PathBuf) {
    (bench.folder.path().join(name), bench.folder.path().join("aside"))
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_is_answered_while_a_file_is_not_in_its_place() {
    for name in WRITTEN {
        let bench = Bench::new();
        bench.append(&["evt_0"]).await;
        let parse = bench.parse().await;
        assert!(bench.store.trouble().is_none());
        let (file, aside) = places(&bench, name);
        std::fs::rename(&file, &aside).unwrap();

        let trouble = bench.store.trouble().map(|error| error.to_string());
        assert!(trouble.is_some(), "{name}: it is known before anything is written");
        bench.store.displaced().await;
        let refused = bench.store.append(receipt(&["evt_1"])).await;
        assert!(refused.as_ref().is_err_and(Error::is_displaced), "{name}: {refused:?}");
        assert!(bench.store.take_parses(9, usize::MAX).await.unwrap().is_empty());
        let store = bench.store.clone();
        let commit = store.queue_parse(parse, tried(Verdict::Done), vec![event("evt_0", "")]);
        let commit = commit.await.unwrap();

        // It is put back: what was done meanwhile is committed.
        std::fs::rename(&aside, &file).unwrap();
        bench.clock.advance(crate::store::write::outage::PAUSE_MAX);
        bench.store.available().await;
        assert_eq!(commit.await.unwrap().unwrap().len(), 1, "{name}");
        assert!(bench.store.trouble().is_none(), "{name}");
        let bench = bench.restart().await;
        let again = bench.store.append(receipt(&["evt_0"])).await;
        assert!(matches!(again, Ok(Appended::Duplicate(_))), "{name}: {again:?}");
        let new = bench.store.append(receipt(&["evt_1"])).await;
        assert!(matches!(new, Ok(Appended::Stored(_))), "{name}: {new:?}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn who_waits_for_it_is_told_when_a_write_finds_a_file_gone() {
    for name in WRITTEN {
        let bench = Bench::new();
        let displaced = bench.store.displaced();
        tokio::pin!(displaced);
        tokio::select! {
            biased;
            () = &mut displaced => panic!("{name} is in its place"),
            () = std::future::ready(()) => (),
        }
        let (file, _) = places(&bench, name);
        std::fs::remove_file(file).unwrap();

        let refused = bench.store.append(receipt(&["evt_1"])).await;

        assert!(matches!(refused, Err(Error::Unavailable(_))), "{name}: {refused:?}");
        displaced.await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn who_waits_for_it_is_told_when_the_file_goes_in_the_middle_of_an_outage() {
    let folder = TempDir::new().unwrap();
    let clock = Clock::manual(NOW);
    let data = folder.path().join("data");
    let store = Store::open(&Config::at(&data), clock.clone()).unwrap();
    // A link to itself in the place of the folder: nobody can tell whether the file is there.
    std::fs::rename(&data, folder.path().join("aside")).unwrap();
    std::os::unix::fs::symlink(&data, &data).unwrap();
    let refused = store.append(receipt(&["evt_1"])).await;
    let begun_by = store.outage().expect("an outage has begun");
    let displaced = store.displaced();
    tokio::pin!(displaced);
    tokio::select! {
        biased;
        () = &mut displaced => panic!("nobody knows that the file is gone"),
        () = std::future::ready(()) => (),
    }

    std::fs::remove_file(&data).unwrap();
    clock.advance(crate::store::write::outage::PAUSE_MAX);
    let told = tokio::time::timeout(Duration::from_secs(20), displaced).await;

    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    assert!(!begun_by.is_displaced(), "{begun_by:?}");
    assert!(told.is_ok(), "the outage still tells how it began");
    assert!(store.outage().is_some_and(|latest| latest.is_displaced()));
}

/// What lies in a place, behind which zeros for another file may have been on their way.
#[cfg(unix)]
fn check_left(name: &str, file: &std::path::Path, older: &[u8]) {
    let left = std::fs::read(file).unwrap();
    let (begin, behind) = left.split_at_checked(older.len()).expect("nothing of it is gone");
    assert!(begin == older, "{name} was written to");
    let may_have_zeros = name != WRITTEN[0] && behind.iter().all(|byte| *byte == 0);
    assert!(behind.is_empty() || may_have_zeros, "{name} has become longer");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_was_put_in_the_place_of_another_is_left_as_it_is() {
    for name in WRITTEN {
        let bench = Bench::new();
        bench.append(&["evt_0"]).await;
        let (file, aside) = places(&bench, name);
        std::fs::copy(&file, &aside).unwrap();
        bench.append(&["evt_1"]).await;
        let older = std::fs::read(&aside).unwrap();
        std::fs::rename(&aside, &file).unwrap();

        let refused = bench.store.append(receipt(&["evt_2"])).await;
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{name}: {refused:?}");
        assert!(bench.store.clone().close().await.is_err(), "{name}");
        check_left(name, &file, &older);
    }
}

#[cfg(unix)]
fn is_overwritten<T>(refused: &Result<T, Error>) -> bool {
    matches!(refused, Err(Error::Failed(why)) if matches!(**why, Failure::Overwritten { .. }))
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_was_written_over_is_not_written_to() {
    for name in WRITTEN {
        let bench = Bench::new();
        bench.append(&["evt_0"]).await;
        let (file, aside) = places(&bench, name);
        std::fs::copy(&file, &aside).unwrap();
        let older = std::fs::read(&aside).unwrap();
        bench.append(&["evt_1"]).await;
        // The rows come to their file with a checkpoint.
        bench.store.handle.shared.file.checkpoint().unwrap();
        // The same file, other bytes: as `cp` does.
        std::fs::write(&file, &older).unwrap();

        let refused = bench.store.append(receipt(&["evt_2"])).await;
        assert!(is_overwritten(&refused), "{name}: {refused:?}");
        assert!(bench.store.trouble().is_some(), "{name}");
        assert!(bench.store.clone().close().await.is_err(), "{name}");
        check_left(name, &file, &older);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_was_cut_is_not_written_to() {
    for name in WRITTEN {
        let bench = Bench::new();
        bench.append(&["evt_0"]).await;
        let (file, _) = places(&bench, name);
        let bytes = std::fs::read(&file).unwrap();
        let files = Files::from([(name.to_owned(), Pages::of(&bytes))]);
        // What lies behind the last frame of a volume may go: it is zeros.
        let end = frames(&files).last().map_or(bytes.len() - 4096, |last| last.offset + 8);
        let cut = std::fs::File::options().write(true).open(&file).unwrap();
        cut.set_len(end as u64).unwrap();

        let refused = bench.store.append(receipt(&["evt_1"])).await;
        assert!(is_overwritten(&refused), "{name}: {refused:?}");
        assert!(bench.store.trouble().is_some(), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_in_its_place_is_refused_at_once() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    let folder = TempDir::new().unwrap();
    let pipe = folder.path().join("hookgate.redb");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
    assert!(matches!(open(&folder), Err(OpenError::Foreign { .. })));
}

#[test]
fn a_first_start_leaves_the_store_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    drop(open(&folder).unwrap());
    let names = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name());
    let mut names: Vec<_> = names.collect();
    names.sort();
    let [rows, volume] = WRITTEN;
    assert_eq!(names, [rows, "hookgate.redb.sums", volume]);
}

#[cfg(unix)]
#[test]
fn only_its_own_user_may_look_into_the_folder() {
    use std::os::unix::fs::PermissionsExt;

    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data");
    let store = Store::open(&Config::at(&path), Clock::manual(NOW)).unwrap();

    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    drop(store);
}

#[tokio::test]
async fn ids_keep_the_stores_tag_and_are_never_given_twice() {
    let bench = Bench::new();
    let first = bench.append(&[]).await;
    let bench = bench.restart().await;
    let second = bench.append(&[]).await;
    assert_eq!(first.tag, second.tag);
    assert!(second.position > first.position);
}
