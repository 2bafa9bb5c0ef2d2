//! What the store keeps of canaries through power cuts, checks and repairs.

use super::disk::Disk;
use super::*;

fn row(digest: &str, verdict: CanaryVerdict) -> CanaryRow {
    CanaryRow {
        handler: "dunning".parse().unwrap(),
        digest: digest.to_owned(),
        version: "2".to_owned(),
        live_digest: "d0".to_owned(),
        live_version: "1".to_owned(),
        began: NOW,
        canary: CanaryTally { runs: 50, failures: 4, ..CanaryTally::default() },
        live: CanaryTally { runs: 900, ..CanaryTally::default() },
        verdict,
        at: NOW,
        by: "the gateway".to_owned(),
        p: Some(1e-9),
    }
}

/// Take out `leave_segment`, and the note waits for a commit that nobody makes.
#[tokio::test]
async fn a_verdict_is_durable_when_it_is_answered() {
    let disk = Disk::default();
    let bench = Bench::on(disk.clone(), Clock::manual(NOW));
    let none = bench.store.canaries().await.unwrap();
    assert!(none.is_empty(), "a store without the table has none");
    let (running, dropped) =
        (row("d2", CanaryVerdict::Running), row("d1", CanaryVerdict::DroppedByTest));
    bench.store.note_canary(running.clone()).await.unwrap();
    bench.store.note_canary(dropped.clone()).await.unwrap();

    let store = Bench::after_power_cut(&disk);
    assert_eq!(store.canaries().await.unwrap(), [dropped, running]);
}

/// Take out the line of `Kept::Canaries` in the repair, and a dropped version is a canary again.
#[tokio::test]
async fn a_repair_keeps_the_verdicts_and_a_check_reads_them() {
    let bench = Bench::new();
    bench.append(&["evt_0"]).await;
    let dropped = row("d1", CanaryVerdict::DroppedByOperator);
    bench.store.note_canary(dropped.clone()).await.unwrap();

    let bench = bench.repaired().await;
    assert_eq!(bench.store.canaries().await.unwrap(), [dropped]);
}
