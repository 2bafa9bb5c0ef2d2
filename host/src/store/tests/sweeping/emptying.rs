//! Volumes of which nothing is needed any more: they go, and their room with them, but not before
//! a start could do without them.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::store::tests::frames::is_volume;

/// The volumes in a folder, by name, each with its size.
fn volumes(folder: &Path) -> Vec<(String, u64)> {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    let sized =
        files.map(|file| (file.file_name().into_string().unwrap(), file.metadata().unwrap().len()));
    sized.filter(|(name, _)| is_volume(name)).collect()
}

fn bytes(folder: &Path) -> u64 {
    volumes(folder).iter().map(|(_, bytes)| bytes).sum()
}

/// In a folder of the system, with volumes of a mebibyte.
fn open(folder: TempDir, clock: Clock) -> Bench {
    let config = Config { volume_bytes: 1 << 20, ..Config::at(folder.path()) };
    let store = Store::open(&config, clock.clone()).unwrap();
    Bench { folder, clock, store }
}

/// A parsed receipt with a body that nothing makes smaller.
async fn bring_large(bench: &Bench, id: &str, random: &mut fastrand::Rng) {
    let mut new = receipt(&[id]);
    let body: Vec<u8> = (0..100_000).map(|_| random.u8(..)).collect();
    let request = Request { body: body.into(), ..(*new.request).clone() };
    new.request = Arc::new(request);
    bench.store.append(new).await.unwrap();
    let parse = bench.parse().await;
    bench.store.commit_parse(parse, tried(Verdict::Done), Vec::new()).await.unwrap().unwrap();
}

#[tokio::test]
async fn volumes_of_which_all_was_removed_are_gone_and_so_is_their_room() {
    let bench = open(TempDir::new().unwrap(), Clock::manual(NOW));
    let mut random = fastrand::Rng::with_seed(7);
    for number in 0..200 {
        bring_large(&bench, &format!("evt_{number}"), &mut random).await;
    }
    let full = bytes(bench.folder.path());
    assert!(full > 200 * 100_000, "{full} bytes");
    let Bench { folder, clock, store } = bench;
    store.close().await.unwrap();
    let bench = open(folder, clock);
    let before = volumes(bench.folder.path());
    assert!(before.len() > 10, "{before:?}");

    bench.pass_until(200);
    let swept = bench.store.sweep(&Retention::default()).await.unwrap();
    bring_large(&bench, "evt_later", &mut random).await;
    bench.store.handle.shared.file.checkpoint().unwrap();

    assert_eq!(swept.bodies + swept.records, 400, "{swept:?}");
    let after = volumes(bench.folder.path());
    let left = after.iter().filter(|(name, _)| before.iter().any(|(other, _)| other == name));
    assert!(left.count() <= 2, "{after:?} of {before:?}");
    assert!(bytes(bench.folder.path()) < full / 4, "{after:?} of {full} bytes");
    let Bench { folder, clock, store } = bench;
    store.close().await.unwrap();
    let bench = open(folder, clock);
    let again = bench.store.append(receipt(&["evt_0"])).await.unwrap();
    assert!(matches!(again, Appended::Duplicate(_)), "its id is known, whatever went");
}

/// Everything is packed and nothing removed: each kill must find it, in the old volumes or in the
/// new ones.
#[tokio::test]
async fn a_kill_while_volumes_are_emptied_and_removed_finds_everything() {
    let disk = Disk::default();
    let bench = Bench::with(disk.clone(), Clock::manual(NOW), &small());
    let mut ids = Vec::new();
    for number in 0..40 {
        ids.push(bench.finished(&format!("evt_{number}"), Verdict::Done).await);
    }
    bench.store.close().await.unwrap();
    let bench = Bench::with(disk.clone(), bench.clock, &small());
    bench.pass_until(2);
    let shown = bench.shown(&ids).await;
    let names = |disk: &Disk| -> BTreeSet<String> {
        disk.names().unwrap().into_iter().filter(|name| is_volume(name)).collect()
    };
    let before = names(&disk);
    assert!(before.len() > 5, "{before:?}");

    disk.record_cuts();
    let swept = bench.store.sweep(&Retention::default()).await.unwrap();
    bench.store.handle.shared.file.checkpoint().unwrap();
    bench.append(&["evt_later"]).await;

    assert!(swept.segments > 100 && swept.records == 0, "{swept:?}");
    let after = names(&disk);
    assert!(before.intersection(&after).count() <= 2, "{after:?} of {before:?}");
    assert_eq!(bench.shown(&ids).await, shown);
    let mut random = fastrand::Rng::with_seed(9);
    for (number, cut) in disk.cuts().iter().enumerate() {
        let torn = [cut.torn(&mut random), cut.torn(&mut random)];
        for left in [cut.disk(|| false), cut.disk(|| true)].into_iter().chain(torn) {
            let bench = Bench::with(left, Clock::manual(bench.clock.now()), &small());
            assert!(bench.shown(&ids).await == shown, "cut {number}");
            assert_eq!(bench.store.stats().damaged, 0, "cut {number}");
        }
    }
}
