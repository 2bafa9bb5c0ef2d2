//! What the store keeps of tokens through crashes, failures and repairs.

use super::disk::{Disk, Fault, Part};
use super::*;
use crate::store::write::outage::PAUSE_MAX;
use crate::token::{Scope, TokenHash};

const ROWS: &str = "hookgate.redb";

fn token(name: &str) -> Token {
    Token {
        name: name.parse().unwrap(),
        hash: TokenHash::of(name),
        scopes: [Scope::Read].into_iter().collect(),
        created_at: NOW,
        expires_at: None,
        tenant: None,
        last_used_at: None,
    }
}

fn names(tokens: &Tokens) -> Vec<&str> {
    tokens.tokens.iter().map(|token| token.name.as_str()).collect()
}

/// The tokens that a start finds after a power cut.
async fn found(disk: &Disk) -> Tokens {
    Bench::after_power_cut(disk).tokens().await.unwrap()
}

#[tokio::test]
async fn a_change_of_tokens_is_durable_when_it_is_answered() {
    let disk = Disk::default();
    let bench = Bench::on(disk.clone(), Clock::manual(NOW));
    let none = bench.store.tokens().await.unwrap();
    assert!(none.tokens.is_empty() && !none.is_needed, "a store without the table has none");

    bench.store.add_token(token("ci")).await.unwrap();
    bench.store.add_token(token("ops")).await.unwrap();
    assert_eq!(names(&found(&disk).await), ["ci", "ops"]);

    let left = bench.store.revoke_token("ci".parse().unwrap()).await.unwrap();
    assert_eq!(names(&left), ["ops"]);
    assert_eq!(names(&found(&disk).await), ["ops"]);
    let gone = bench.store.revoke_token("ci".parse().unwrap()).await;
    assert!(matches!(gone, Err(Error::NoSuchToken(name)) if name.as_str() == "ci"));
    bench.store.revoke_token("ops".parse().unwrap()).await.unwrap();
    let none = found(&disk).await;
    assert!(none.tokens.is_empty() && none.is_needed, "that one is needed is kept");
}

/// Whether the fault was met.
async fn survive(part: Part, fault: Fault, accesses: usize) -> bool {
    let context = format!("with {fault:?} of {part:?} failing after {accesses}");
    let (disk, clock) = (Disk::default(), Clock::manual(NOW));
    let bench = Bench::on(disk.clone(), clock.clone());
    disk.fail_in(part, fault, accesses);
    let mut met = false;
    loop {
        match bench.store.add_token(token("ci")).await {
            Ok(_) | Err(Error::TokenExists(_)) => break,
            Err(error) => assert!(matches!(error, Error::Unavailable(_)), "{error} {context}"),
        }
        met = true;
        disk.mend();
        clock.advance(PAUSE_MAX);
        bench.store.available().await;
    }
    assert_eq!(names(&found(&disk).await), ["ci"], "{context}");
    met
}

#[tokio::test]
async fn a_token_that_is_answered_is_there_whatever_failed_before() {
    for part in [Part::Volumes, Part::Rows] {
        for fault in [Fault::Write, Fault::Sync] {
            let mut accesses = 0;
            while survive(part, fault, accesses).await {
                accesses += 1;
            }
            assert!(accesses > 0, "{fault:?} of {part:?} was met");
        }
    }
}

#[tokio::test]
async fn a_repair_keeps_the_tokens_or_leaves_the_port_closed() {
    let bench = Bench::new();
    bench.append(&["evt_0"]).await;
    bench.store.add_token(token("ci")).await.unwrap();
    let Bench { folder, clock, store } = bench;
    store.close().await.unwrap();

    let repaired = repair_anyway(folder.path(), Undecided::Dead, None).unwrap();
    assert!(!repaired.tokens_lost && !repaired.audit_lost && !repaired.endpoints_lost);
    let bench = Bench::at(folder, clock);
    assert_eq!(names(&bench.store.tokens().await.unwrap()), ["ci"]);

    let Bench { folder, clock, store } = bench;
    store.close().await.unwrap();
    let rows = folder.path().join(ROWS);
    let mut content = std::fs::read(&rows).unwrap();
    content[9..].fill(0);
    std::fs::write(&rows, content).unwrap();
    let repaired = repair(folder.path(), Undecided::Dead, None).unwrap();
    assert!(repaired.tokens_lost && repaired.audit_lost && repaired.endpoints_lost);
    let bench = Bench::at(folder, clock);
    let left = bench.store.tokens().await.unwrap();
    assert!(left.tokens.is_empty() && left.is_needed, "what was closed is not open now");
}

#[tokio::test]
async fn a_reset_of_a_stopped_store_leaves_one_token_or_none() {
    let bench = Bench::new();
    bench.store.add_token(token("ci")).await.unwrap();
    let refused = reset_tokens(bench.folder.path(), None, (&Deed::default(), NOW)).unwrap_err();
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused}");
    let Bench { folder, clock, store } = bench;
    store.close().await.unwrap();

    let deed = Deed { what: "a reset".to_owned(), ..Deed::default() };
    reset_tokens(folder.path(), Some(&token("admin")), (&deed, NOW)).unwrap();
    let bench = Bench::at(folder, clock);
    let tokens = bench.store.tokens().await.unwrap();
    assert!(names(&tokens) == ["admin"] && tokens.is_needed);

    let Bench { folder, clock, store } = bench;
    store.close().await.unwrap();
    reset_tokens(folder.path(), None, (&deed, NOW)).unwrap();
    let bench = Bench::at(folder, clock);
    assert!(!bench.store.tokens().await.unwrap().is_needed);
    let entries = bench.store.audit(AuditFilter::default(), None, 10, true).await.unwrap().items;
    assert!(entries.len() == 2 && entries.iter().all(|entry| entry.shown["what"] == "a reset"));
}
