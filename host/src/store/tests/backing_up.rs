//! Backups: each has all that was committed, whatever goes on meanwhile, and what is restored from
//! one is the same store; what is not a whole one leaves nothing behind.

use std::future::poll_fn;
use std::path::Path;

use super::*;
use crate::store::conformance::once::keeping;

/// Of the file of rows while a restore goes on.
const DRAFT: &str = "hookgate.redb.restore";

/// All of a backup, to its end.
async fn taken(mut backup: Backup) -> Result<Vec<u8>, BackupError> {
    let mut bytes = Vec::new();
    while let Some(piece) = poll_fn(|cx| backup.poll_next(cx)).await {
        bytes.extend(piece?);
    }
    Ok(bytes)
}

async fn begun(bench: &Bench) -> Backup {
    bench.store.backup(NOW).await.expect("it can be read").expect("no other is being made")
}

/// A store in which work is done, dead and waits, most of it packed; and its events.
async fn filled() -> (Bench, Vec<Id>) {
    let (folder, clock) = (in_memory(), Clock::manual(NOW));
    let config = Config { volume_bytes: 4096, checkpoint_bytes: 2048, ..Config::at(folder.path()) };
    let open = || Store::open(&alone(&config), clock.clone()).expect("it opens");
    let bench = Bench { folder, clock: clock.clone(), store: open() };
    let mut ids = Vec::new();
    for number in 0..20 {
        ids.push(bench.finished(&format!("evt_{number}"), Verdict::Done).await.1);
    }
    ids.push(bench.finished("evt_dead", Verdict::Dead).await.1);
    let Bench { folder, store, .. } = bench;
    store.close().await.expect("it can be written");
    let bench = Bench { folder, clock: clock.clone(), store: open() };
    bench.clock.advance(days(2));
    bench.store.sweep(&Retention::default()).await.expect("it can be written");
    ids.push(bench.finished("evt_later", Verdict::RetryAt(in_minutes(5 * 24 * 60))).await.1);
    (bench, ids)
}

/// Brings an event that is owed to a handler and an endpoint, and a receipt that is not parsed.
async fn owe(bench: &Bench) -> Id {
    let ids = bench.bring(vec![event("evt_open", "pi_2").to(&["ledger"], &["crm"])]).await;
    bench.append(&["evt_unparsed"]).await;
    ids[0]
}

/// A store of what a backup holds, in which a check finds nothing.
fn restored(bytes: &[u8]) -> Bench {
    let folder = in_memory();
    let place = folder.path().join("data");
    restore(bytes, &place, &mut |_| ()).expect("the backup is whole");
    let faults = check(&place).expect("it is a store").faults;
    assert!(faults.is_empty(), "{faults:?}");
    let clock = Clock::manual(NOW.after(days(2)));
    let store = Store::open(&alone(&Config::at(&place)), clock.clone()).expect("it opens");
    Bench { folder, clock, store }
}

async fn shown(bench: &Bench, ids: &[Id]) -> Vec<String> {
    let mut shown = Vec::new();
    for id in ids {
        let view = bench.store.event(*id).await.expect("it can be read");
        shown.push(serde_json::to_string(&view).expect("it is JSON"));
    }
    shown
}

/// What is owed: parses, runs and deliveries.
async fn owed(bench: &Bench) -> [usize; 3] {
    let parses = bench.store.take_parses(usize::MAX, usize::MAX).await.unwrap().len();
    [parses, bench.runs().await.len(), bench.deliveries().await.len()]
}

fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    entries.map(|entry| name(entry).into_string().unwrap()).collect()
}

/// Guards I1 and I8 through a backup. Fails if a table or a volume is left out of it.
#[tokio::test]
async fn a_restored_store_has_all_that_was_committed_and_owes_the_same() {
    let (bench, mut ids) = filled().await;
    ids.push(owe(&bench).await);
    let backup = begun(&bench).await;
    // Not in it.
    bench.append(&["evt_after"]).await;
    let bytes = taken(backup).await.expect("it is taken");

    let made = check_backup(&*bytes, &mut |_| ()).expect("it is whole");
    assert_eq!((made.bytes, made.made_at, made.counts.unreadable), (bytes.len() as u64, NOW, 0));
    assert!(made.counts.volumes > 1 && made.counts.tables > 10, "{made:?}");
    let copy = restored(&bytes);
    assert_eq!(shown(&copy, &ids).await, shown(&bench, &ids).await);
    let known = copy.store.append(receipt(&["evt_3"])).await.unwrap();
    assert!(matches!(known, Appended::Duplicate(_)), "ids still tell duplicates: {known:?}");
    assert_eq!(owed(&copy).await, [1, 1, 1]);
    let after = copy.store.append(receipt(&["evt_after"])).await.unwrap();
    let Appended::Stored(id) = after else { panic!("it came after the backup: {after:?}") };
    assert!(id.position > bench.store.stats().end, "no id of the time since is given out again");
}

/// Take the look at `LOST_WIDTH` out of `News::pass`, and nobody who follows learns that what came
/// after the backup is lost.
#[tokio::test]
async fn whoever_follows_a_store_is_told_once_that_it_was_restored() {
    let (bench, _) = filled().await;
    let bytes = taken(begun(&bench).await).await.expect("it is taken");
    let before = bench.store.follow(EventFilter::default(), None).unwrap();
    bench.bring(vec![event("evt_lost", "pi_3")]).await;
    let behind = bench.store.news(&before, 9).await.unwrap();
    assert_eq!((behind.gap, behind.events.len()), (None, 1));

    let copy = restored(&bytes);
    copy.bring(vec![event("evt_new", "pi_3")]).await;

    for cursor in [before.cursor(), behind.then.cursor()] {
        let following = copy.store.follow(EventFilter::default(), cursor).unwrap();
        let news = copy.store.news(&following, 9).await.unwrap();
        assert_eq!((news.gap, news.events.len()), (Some(Gap::Behind), 1));
        let later = copy.store.news(&news.then, 9).await.unwrap();
        assert_eq!((later.gap, later.events.len()), (None, 0));
    }
    // Behind all that the backup has, and before all else.
    let all = EventFilter { after: Some(Timestamp(0)), ..EventFilter::default() };
    let mut following = copy.store.follow(all, None).unwrap();
    let (mut gaps, mut seen) = (Vec::new(), Vec::new());
    loop {
        let news = copy.store.news(&following, 5).await.unwrap();
        gaps.extend(news.gap.map(|gap| (gap, seen.len())));
        seen.extend(news.events.into_iter().map(|(event, _)| event.summary.event_id));
        following = news.then;
        if news.is_all {
            break;
        }
    }
    assert_eq!(seen.last().map(String::as_str), Some("evt_new"));
    assert_eq!(gaps, [(Gap::Behind, seen.len() - 1)]);
    assert_eq!(seen.iter().collect::<std::collections::BTreeSet<_>>().len(), seen.len());
}

/// Fails if a backup is not made of a view that keeps what is removed meanwhile.
#[tokio::test]
async fn a_backup_loses_nothing_to_retention_that_removes_volumes_meanwhile() {
    let (bench, mut ids) = filled().await;
    // Volumes that nothing is added to any more, of what no sweep leaves alone as too young.
    for number in 20..40 {
        ids.push(bench.finished(&format!("evt_{number}"), Verdict::Done).await.1);
    }
    let bench = bench.restart().await;
    let before = shown(&bench, &ids).await;
    let backup = begun(&bench).await;
    let volumes = |bench: &Bench| {
        let is_volume = |name: &String| name.starts_with("volume-");
        files(bench.folder.path()).into_iter().filter(is_volume).collect::<Vec<_>>()
    };
    let had = volumes(&bench);

    bench.clock.advance(days(200));
    bench.append(&["evt_more"]).await;
    bench.store.sweep(&keeping(Duration::ZERO)).await.expect("it can be written");
    bench.store.handle.shared.file.checkpoint().expect("it can be written");
    let left = volumes(&bench);
    assert!(had.iter().any(|name| !left.contains(name)), "something was removed: {had:?}");

    let copy = restored(&taken(backup).await.expect("it is taken"));
    assert_eq!(shown(&copy, &ids).await, before);
}

#[tokio::test]
async fn there_is_one_backup_at_a_time() {
    let (bench, _) = filled().await;
    let backup = begun(&bench).await;
    assert!(bench.store.backup(NOW).await.unwrap().is_none());
    drop(backup);
    // Its thread notices with the next piece.
    let backup = loop {
        match bench.store.backup(NOW).await.unwrap() {
            Some(backup) => break backup,
            None => tokio::task::yield_now().await,
        }
    };
    drop(taken(backup).await.expect("it is taken"));
}

#[tokio::test]
async fn a_stopped_store_is_backed_up_with_what_only_its_log_has() {
    let (bench, ids) = filled().await;
    bench.store.handle.shared.file.checkpoint().expect("it can be written");
    let last = bench.finished("evt_last", Verdict::Done).await.1;
    let ids = [ids, vec![last]].concat();
    // As a kill would leave it.
    let left = in_memory();
    for name in files(bench.folder.path()) {
        std::fs::copy(bench.folder.path().join(&name), left.path().join(&name)).unwrap();
    }
    let in_use = backup_folder(bench.folder.path(), NOW, &mut |_| Ok(())).unwrap_err();
    assert!(matches!(in_use, BackupError::Open(OpenError::InUse { .. })), "{in_use}");

    let mut bytes = Vec::new();
    let mut take = |piece: Vec<u8>| {
        bytes.extend(piece);
        Ok(())
    };
    let made = backup_folder(left.path(), NOW, &mut take).expect("it is a store");
    assert_eq!(made.bytes, bytes.len() as u64);
    let copy = restored(&bytes);
    assert_eq!(shown(&copy, &ids).await, shown(&bench, &ids).await);

    let mut full =
        |_: Vec<u8>| -> std::io::Result<()> { Err(std::io::ErrorKind::StorageFull.into()) };
    let full = backup_folder(left.path(), NOW, &mut full).unwrap_err();
    assert!(matches!(&full, BackupError::Taken(_)), "{full}");
}

/// Fails if a restore names the file of rows before it has read all.
#[tokio::test]
async fn a_backup_that_is_cut_off_or_changed_is_refused_and_leaves_nothing() {
    let (bench, _) = filled().await;
    let whole = taken(begun(&bench).await).await.expect("it is taken");
    let target = in_memory();
    let refused = |bytes: &[u8]| {
        let refused = restore(bytes, target.path(), &mut |_| ()).expect_err("it is no backup");
        assert!(matches!(refused, RestoreError::Backup(_)), "{refused}");
        assert_eq!(files(target.path()), Vec::<String>::new());
    };
    for end in [0, 15, 20, whole.len() / 3, whole.len() - 40, whole.len() - 1] {
        refused(&whole[..end]);
    }
    for byte in (0..whole.len()).step_by(whole.len() / 40) {
        let mut changed = whole.clone();
        changed[byte] ^= 16;
        refused(&changed);
    }
    refused(&[&whole[..], b"more"].concat());

    std::fs::write(target.path().join("notes.txt"), "").unwrap();
    let full = restore(&*whole, target.path(), &mut |_| ()).unwrap_err();
    assert!(matches!(full, RestoreError::NotEmpty { .. }), "{full}");
}

/// Fails if a start, a check or a repair does not look for the draft.
#[tokio::test]
async fn what_a_killed_restore_leaves_is_not_taken_for_a_store() {
    let (bench, _) = filled().await;
    let whole = taken(begun(&bench).await).await.expect("it is taken");
    let target = in_memory();
    restore(&*whole, target.path(), &mut |_| ()).expect("it is whole");
    std::fs::rename(target.path().join("hookgate.redb"), target.path().join(DRAFT)).unwrap();
    let half =
        |error: OpenError| assert!(matches!(error, OpenError::HalfRestored { .. }), "{error}");

    half(Store::open(&Config::at(target.path()), Clock::manual(NOW)).unwrap_err());
    half(check(target.path()).unwrap_err());
    half(repair(target.path(), Undecided::Dead, None).unwrap_err());
    let again = restore(&*whole, target.path(), &mut |_| ()).unwrap_err();
    assert!(matches!(again, RestoreError::Folder(OpenError::HalfRestored { .. })), "{again}");

    // Also where the kill came before there was a volume.
    for name in files(target.path()).iter().filter(|name| *name != DRAFT) {
        std::fs::remove_file(target.path().join(name)).unwrap();
    }
    half(Store::open(&Config::at(target.path()), Clock::manual(NOW)).unwrap_err());
}
