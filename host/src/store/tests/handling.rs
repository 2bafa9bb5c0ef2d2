//! What the store keeps of handlers through power cuts, checks and repairs.

use super::disk::Disk;
use super::*;

fn row(name: &str, types: &[&str]) -> HandlerRow {
    HandlerRow {
        name: name.parse().unwrap(),
        types: types.iter().map(|it| it.parse().unwrap()).collect(),
        version: "1".to_owned(),
        digest: "d1".to_owned(),
    }
}

/// Take out `leave_segment`, and the note waits for a commit that nobody makes.
#[tokio::test]
async fn what_handlers_run_on_is_durable_when_it_is_answered() {
    let disk = Disk::default();
    let bench = Bench::on(disk.clone(), Clock::manual(NOW));
    let none = bench.store.handlers().await.unwrap();
    assert!(none.is_empty(), "a store without the table has none");
    let (dunning, ledger) = (row("dunning", &["payment.*", "x.y"]), row("ledger", &["*"]));
    bench.store.note_handlers(vec![row("chat", &["*"]), ledger.clone()]).await.unwrap();
    bench.store.note_handlers(vec![dunning.clone(), ledger.clone()]).await.unwrap();

    let store = Bench::after_power_cut(&disk);
    assert_eq!(store.handlers().await.unwrap(), [dunning, ledger]);
}

/// Take out the line of `Kept::Handlers` in the repair, and events pass by a handler that is gone.
#[tokio::test]
async fn a_repair_keeps_what_handlers_run_on_and_a_check_reads_it() {
    let bench = Bench::new();
    bench.append(&["evt_0"]).await;
    let dunning = row("dunning", &["payment.*"]);
    bench.store.note_handlers(vec![dunning.clone()]).await.unwrap();

    let bench = bench.repaired().await;
    assert_eq!(bench.store.handlers().await.unwrap(), [dunning]);
}
