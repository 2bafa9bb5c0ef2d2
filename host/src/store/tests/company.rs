//! What nobody waits for shares a sync with what comes in the next moment.

use super::*;

#[tokio::test]
async fn an_attempt_shares_the_commit_of_the_receipt_that_comes_behind_it() {
    const ATTEMPTS: u64 = 200;
    let (folder, clock) = (TempDir::new().unwrap(), Clock::manual(NOW));
    let store = Store::open(&Config::at(folder.path()), clock.clone()).unwrap();
    let bench = Bench { folder, clock, store };
    for number in 0..ATTEMPTS {
        bench.bring(vec![event(&format!("evt_{number}"), "").to(&[], &["crm"])]).await;
    }
    let mut works = bench.store.take_deliveries(ATTEMPTS as usize, usize::MAX).await.unwrap();
    let before = bench.store.stats().commits;

    for (number, work) in works.drain(..).enumerate() {
        let recording = bench.store.queue_attempt(work, attempt(Verdict::Done)).await.unwrap();
        bench.append(&[&format!("other_{number}")]).await;
        recording.await.unwrap().unwrap();
    }

    // With some to spare for a machine that is busy.
    let commits = bench.store.stats().commits - before;
    assert!(commits < ATTEMPTS * 3 / 2, "{commits} commits for {ATTEMPTS} attempts and receipts");
}
