//! Events that are known already: they are answered without a commit or the writer, and only while
//! the store is there.

use super::*;

/// Less than any test should take, and more than a busy machine needs for an answer.
const LIMIT: Duration = Duration::from_secs(20);

async fn is_known(bench: &Bench, event_id: &str) -> bool {
    let answered = tokio::time::timeout(LIMIT, bench.store.append(receipt(&[event_id]))).await;
    let answered = answered.expect("a known event waits for nothing");
    matches!(answered, Ok(Appended::Duplicate(_)))
}

#[tokio::test]
async fn a_known_event_is_answered_though_no_commit_could_begin() {
    let bench = Bench::new();
    bench.append(&["evt_0"]).await;
    // Behind this the writer has nothing left to do.
    assert!(is_known(&bench, "evt_0").await);
    let commit = bench.store.handle.shared.file.write().unwrap();

    assert!(is_known(&bench, "evt_0").await);
    drop(commit);
}

/// Whether the store says so without the writer.
fn is_recalled(bench: &Bench, event_id: &str) -> bool {
    let recalled = bench.store.recall(&name("stripe"), &[event_id.to_owned()]);
    matches!(recalled, Recalled::Known(_))
}

#[tokio::test]
async fn a_known_event_is_recalled_until_the_store_is_closed_or_can_not_be_written() {
    let (disk, clock) = (disk::Disk::default(), Clock::manual(NOW));
    let bench = Bench::on(disk, clock);
    bench.append(&["evt_0"]).await;
    assert!(is_recalled(&bench, "evt_0") && !is_recalled(&bench, "evt_1"));

    let shared = &bench.store.handle.shared;
    shared.go_away(&Error::Closed);
    assert!(!is_recalled(&bench, "evt_0"));
    shared.come_back();
    assert!(is_recalled(&bench, "evt_0"));
    bench.store.clone().close().await.unwrap();
    assert!(!is_recalled(&bench, "evt_0"));
}

/// What may happen to a file of the store.
#[cfg(unix)]
#[derive(Debug, Clone, Copy)]
enum Harm {
    Removed,
    /// By what it held before: as `cp` of an older copy does.
    WrittenOver,
}

#[cfg(unix)]
#[tokio::test]
async fn a_known_event_is_not_answered_as_such_once_the_store_is_gone() {
    for name in ["hookgate.redb", "volume-00000001.hgv"] {
        for harm in [Harm::Removed, Harm::WrittenOver] {
            let bench = Bench::new();
            bench.append(&["evt_0"]).await;
            let file = bench.folder.path().join(name);
            let older = std::fs::read(&file).unwrap();
            bench.append(&["evt_1"]).await;
            // The rows come to their file with a checkpoint.
            bench.store.handle.shared.file.checkpoint().unwrap();
            assert!(is_known(&bench, "evt_0").await && is_recalled(&bench, "evt_0"));

            match harm {
                Harm::Removed => std::fs::remove_file(&file).unwrap(),
                Harm::WrittenOver => std::fs::write(&file, &older).unwrap(),
            }

            // What was seen a moment ago still counts.
            let begun = std::time::Instant::now();
            while is_recalled(&bench, "evt_0") {
                assert!(begun.elapsed() < LIMIT, "{harm:?}: {name}");
                std::thread::yield_now();
            }
            assert!(!is_known(&bench, "evt_0").await, "{harm:?}: {name}");
        }
    }
}
