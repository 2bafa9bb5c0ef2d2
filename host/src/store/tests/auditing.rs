//! The audit log: durable when it is answered, read in pages, and whatever somebody changes in it
//! is found.

use std::collections::BTreeSet;

use redb::{Database, ReadableTable, TableDefinition};
use serde_json::{Value, json};
use sha2::Digest;
use twox_hash::XxHash3_64;

use super::disk::Disk;
use super::*;

const ROWS: &str = "hookgate.redb";
const SUMS: &str = "hookgate.redb.sums";
const BLOCK_BYTES: usize = 4096;
/// The rows of the audit log.
type Rows<'t> = redb::Table<'t, &'static [u8], &'static [u8]>;

const AUDIT: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("audit");

fn deed(what: &str) -> Deed {
    Deed { what: what.to_owned(), after: json!({ "what": what }), ..Deed::default() }
}

/// The key of an entry.
fn key(number: u64) -> Vec<u8> {
    [&[1][..], &number.to_be_bytes()].concat()
}

/// A closed store whose audit log has so many entries.
async fn written(count: u64) -> TempDir {
    let bench = Bench::new();
    for number in 1..=count {
        let entry = bench.store.record(deed(&format!("deed {number}"))).await.unwrap();
        assert_eq!(entry.number, number);
    }
    let Bench { folder, store, .. } = bench;
    store.close().await.unwrap();
    folder
}

/// A copy of a store, with something changed in the rows of its audit log.
fn tampered(folder: &TempDir, tamper: impl FnOnce(&mut Rows<'_>)) -> TempDir {
    let copy = TempDir::new().unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let database = Database::open(copy.path().join(ROWS)).unwrap();
    let transaction = database.begin_write().unwrap();
    tamper(&mut transaction.open_table(AUDIT).unwrap());
    transaction.commit().unwrap();
    copy
}

fn row(table: &Rows<'_>, number: u64) -> Vec<u8> {
    table.get(&key(number)[..]).unwrap().unwrap().value().to_vec()
}

fn put(table: &mut Rows<'_>, number: u64, row: &[u8]) {
    table.insert(&key(number)[..], row).unwrap();
}

fn remove(table: &mut Rows<'_>, number: u64) {
    table.remove(&key(number)[..]).unwrap();
}

/// The text of an entry, with something else in the place of its deed.
fn falsified(table: &Rows<'_>, number: u64) -> String {
    let text = String::from_utf8(row(table, number)[32..].to_vec()).unwrap();
    text.replace(&format!("deed {number}"), "deed 9")
}

/// A row with this text, and the hash that belongs to it.
fn hashed(text: &str) -> Vec<u8> {
    let spelled: Value = serde_json::from_str(text).unwrap();
    let previous = hex::decode(spelled["previous"].as_str().unwrap()).unwrap();
    let hash = sha2::Sha256::new_with_prefix(b"hookgate audit 1\0")
        .chain_update(previous)
        .chain_update(text)
        .finalize();
    [&hash[..], text.as_bytes()].concat()
}

/// What is found in such a copy, one of which must say this.
#[track_caller]
fn check_found(folder: &TempDir, words: &str, tamper: impl FnOnce(&mut Rows<'_>)) {
    let copy = tampered(folder, tamper);
    let checked = check_audit(copy.path(), None).unwrap();
    let found: Vec<String> = checked.faults.iter().map(ToString::to_string).collect();
    assert!(found.iter().any(|fault| fault.contains(words)), "no `{words}` in {found:#?}");
    assert_eq!(checked.found, found.len() as u64);
    let faults = check(copy.path()).unwrap().faults;
    assert!(faults.iter().any(|fault| fault.reason.contains("the audit log")), "{faults:#?}");
}

#[tokio::test]
async fn an_audit_log_that_nobody_changed_is_as_it_was_written() {
    let folder = written(5).await;
    let checked = check_audit(folder.path(), None).unwrap();
    assert_eq!((checked.entries, checked.found), (5, 0), "{:#?}", checked.faults);
    assert!(check(folder.path()).unwrap().faults.is_empty());
    let known = check_audit(folder.path(), Some((5, &checked.hash))).unwrap();
    assert_eq!(known.found, 0);
    let empty = check_audit(written(0).await.path(), None).unwrap();
    assert_eq!((empty.entries, empty.found), (0, 0));
}

#[tokio::test]
async fn an_entry_that_was_changed_is_found_wherever_it_stands() {
    let folder = written(5).await;
    for number in 1..=5 {
        let changed = format!("entry {number}: it was changed");
        check_found(&folder, &changed, |table| {
            let text = falsified(table, number);
            let other = [&row(table, number)[..32], text.as_bytes()].concat();
            put(table, number, &other);
        });
        check_found(&folder, &changed, |table| {
            let mut row = row(table, number);
            row[0] ^= 1;
            put(table, number, &row);
        });
        // With the hash that belongs to it, it is the one behind it that does not follow, or the
        // row that says where the log ends.
        let next = format!("entry {}: it does not follow the entry before it", number + 1);
        let words: &str = if number == 5 { "or the last one was changed" } else { &next };
        check_found(&folder, words, |table| {
            let other = hashed(&falsified(table, number));
            put(table, number, &other);
        });
    }
}

#[tokio::test]
async fn an_entry_that_was_removed_is_found_wherever_it_stood() {
    let folder = written(5).await;
    for number in 1..=4 {
        let words = format!("entry {}: the entry before this one is {}", number + 1, number - 1);
        check_found(&folder, &words, |table| remove(table, number));
    }
    check_found(&folder, "entry 4: the entry before this one is 1", |table| {
        remove(table, 2);
        remove(table, 3);
    });
    for left in 0..5 {
        check_found(&folder, "entries were removed from the end", |table| {
            (left + 1..=5).for_each(|number| remove(table, number));
        });
    }
    check_found(&folder, "the row that says where the log ends says nothing", |table| {
        table.remove(&[0][..]).unwrap();
    });
}

#[tokio::test]
async fn an_entry_that_was_added_is_found() {
    let folder = written(5).await;
    check_found(&folder, "entry 6: it was changed", |table| {
        let row = row(table, 5);
        put(table, 6, &row);
    });
    // It follows the last one, with a hash of its own.
    check_found(&folder, "or added to it", |table| {
        let last = row(table, 5);
        let text = std::str::from_utf8(&last[32..]).unwrap();
        let mut spelled: Value = serde_json::from_str(text).unwrap();
        spelled["number"] = json!(6);
        spelled["previous"] = json!(hex::encode(&last[..32]));
        put(table, 6, &hashed(&spelled.to_string()));
    });
    // Those behind it have made room.
    for at in 1..=5 {
        check_found(&folder, &format!("entry {}: it was changed", at + 1), |table| {
            for number in (at..=5).rev() {
                let row = row(table, number);
                put(table, number + 1, &row);
            }
        });
    }
    check_found(&folder, "entry 0: ", |table| {
        let row = row(table, 1);
        put(table, 0, &row);
    });
    check_found(&folder, "a row is of no entry", |table| {
        table.insert(&[1, 0][..], &[0][..]).unwrap();
    });
}

/// Who may write the file can also make the row fit that says where the log ends.
#[tokio::test]
async fn an_end_that_somebody_cut_off_so_that_it_fits_is_told_by_a_hash_that_is_known() {
    let folder = written(5).await;
    let known = check_audit(folder.path(), None).unwrap().hash;
    for left in 0..5_u64 {
        let copy = tampered(&folder, |table| {
            (left + 1..=5).for_each(|number| remove(table, number));
            if left == 0 {
                table.remove(&[0][..]).unwrap();
            } else {
                let head = [&left.to_be_bytes()[..], &row(table, left)[..32]].concat();
                table.insert(&[0][..], &head[..]).unwrap();
            }
        });
        assert_eq!(check_audit(copy.path(), None).unwrap().found, 0, "it fits");
        let told = check_audit(copy.path(), Some((5, &known))).unwrap();
        let missing = "entry 5: the entry is known and is not there any more";
        assert_eq!(told.faults[0].to_string(), missing);
    }
}

/// Who may write the file can make all of it anew; what is known elsewhere tells that.
#[tokio::test]
async fn a_log_that_somebody_made_anew_is_told_by_a_hash_that_is_known() {
    let [one, other] = [written(5).await, written(3).await];
    let known = check_audit(one.path(), None).unwrap();
    let other_known = check_audit(other.path(), None).unwrap();
    assert_eq!(other_known.found, 0);
    let missing = check_audit(other.path(), Some((5, &known.hash))).unwrap();
    assert_eq!(
        missing.faults[0].to_string(),
        "entry 5: the entry is known and is not there any more"
    );
    let wrong = check_audit(other.path(), Some((3, &known.hash))).unwrap();
    assert!(wrong.faults[0].reason.starts_with("the hash is not the one"), "{:?}", wrong.faults);
}

/// The gateway mends such a bit by itself: nobody has changed anything.
#[tokio::test]
async fn a_flipped_bit_is_told_by_a_check_and_is_no_change_of_an_entry() {
    let folder = written(5).await;
    let path = folder.path().join(ROWS);
    let mut rows = std::fs::read(&path).unwrap();
    let text = b"deed 3";
    let found = rows.windows(text.len()).enumerate().filter(|(_, bytes)| bytes == text);
    let places: Vec<usize> = found.map(|(at, _)| at).collect();
    let mut blocks = BTreeSet::new();
    for at in places {
        // One in each page that has the text, old ones too.
        if blocks.insert(at / BLOCK_BYTES) {
            rows[at] ^= 4;
        }
    }
    std::fs::write(&path, &rows).unwrap();

    let verified = check_audit(folder.path(), None).unwrap();
    assert_eq!((verified.entries, verified.found), (5, 0), "{:#?}", verified.faults);
    let faults = check(folder.path()).unwrap().faults;
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert!(faults[0].reason.ends_with("1; the gateway mends each when it reads it"), "{faults:?}");
    let refused = repair(folder.path(), Undecided::Dead, None).unwrap_err();
    assert!(matches!(refused, OpenError::Sound { .. }), "{refused:?}");
    assert!(std::fs::read(&path).unwrap() == rows, "whoever looks changes nothing");

    let repaired = repair_anyway(folder.path(), Undecided::Dead, None).unwrap();
    assert!(!repaired.audit_lost);
    let verified = check_audit(folder.path(), None).unwrap();
    assert_eq!((verified.entries, verified.found), (5, 0), "{:#?}", verified.faults);
}

#[tokio::test]
async fn a_command_writes_its_entry_though_the_sum_of_a_sound_page_is_wrong() {
    let folder = written(5).await;
    let rows = std::fs::read(folder.path().join(ROWS)).unwrap();
    let mut sums = std::fs::read(folder.path().join(SUMS)).unwrap();
    for (number, block) in rows.chunks(BLOCK_BYTES).enumerate() {
        if !block.windows(6).any(|bytes| bytes == b"deed 5") {
            continue;
        }
        let hash = |bytes: &[u8]| XxHash3_64::oneshot_with_seed(number as u64, bytes);
        let wrong = (hash(block) >> 16) ^ 0xff_ffff;
        let entry = (wrong << 16) | (hash(&wrong.to_le_bytes()) & 0xffff) | 1;
        let at = BLOCK_BYTES + number * 8;
        sums[at..at + 8].copy_from_slice(&entry.to_le_bytes());
    }
    std::fs::write(folder.path().join(SUMS), sums).unwrap();

    record(folder.path(), &deed("deed 6"), NOW).unwrap();

    let verified = check_audit(folder.path(), None).unwrap();
    assert_eq!((verified.entries, verified.found), (6, 0), "{:#?}", verified.faults);
}

#[tokio::test]
async fn an_entry_is_durable_when_it_is_answered_and_the_log_goes_on_behind_it() {
    let disk = Disk::default();
    let bench = Bench::on(disk.clone(), Clock::manual(NOW));
    let first = bench.store.record(deed("one")).await.unwrap();
    let both = tokio::join!(bench.store.record(deed("two")), bench.store.record(deed("three")));
    assert_eq!((both.0.unwrap().number, both.1.unwrap().number), (2, 3));

    let store = Bench::after_power_cut(&disk);
    let page = store.audit(AuditFilter::default(), None, 10, true).await.unwrap();
    assert_eq!((page.items.len(), page.next, &page.items[0]), (3, None, &first));
    let next = store.record(deed("four")).await.unwrap();
    assert_eq!(next.shown["previous"], page.items[2].hash);
}

#[tokio::test]
async fn entries_are_read_in_pages_in_either_order() {
    let bench = Bench::new();
    for number in 1..=5 {
        bench.store.record(deed(&number.to_string())).await.unwrap();
    }
    for (is_oldest_first, expected) in [(true, [1, 2, 3, 4, 5]), (false, [5, 4, 3, 2, 1])] {
        let (mut seen, mut behind) = (Vec::new(), None);
        loop {
            let page = bench
                .store
                .audit(AuditFilter::default(), behind, 2, is_oldest_first)
                .await
                .unwrap();
            seen.extend(page.items.iter().map(|entry| entry.number));
            behind = page.next;
            if behind.is_none() {
                break;
            }
        }
        assert_eq!(seen, expected);
    }
    assert!(
        bench
            .store
            .audit(AuditFilter::default(), Some(u64::MAX), 2, true)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    assert!(
        bench
            .store
            .audit(AuditFilter::default(), Some(1), 2, false)
            .await
            .unwrap()
            .items
            .is_empty()
    );
}

/// Guards each condition of the filter, and that a page which ends for its bound goes on behind it.
#[tokio::test]
async fn entries_are_found_by_who_did_what_and_when() {
    let bench = Bench::new();
    let entry = async |who: &str, what: &str| {
        let deed = Deed { who: who.to_owned(), ..deed(what) };
        bench.store.record(deed).await.unwrap();
        bench.clock.advance(Duration::from_secs(60));
    };
    for who in ["token ci", "the files", "token ops"] {
        entry(who, "POST /v1/replay").await;
        entry(who, "DELETE /v1/tokens/ci").await;
    }
    let found = async |filter: AuditFilter, limit: usize| {
        let (mut found, mut behind) = (Vec::new(), None);
        loop {
            let page = bench.store.audit(filter.clone(), behind, limit, false).await.unwrap();
            found.extend(page.items.iter().map(|entry| entry.number));
            behind = page.next;
            if behind.is_none() {
                return found;
            }
        }
    };
    let none = AuditFilter::default;
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(found(AuditFilter { actor: text("token"), ..none() }, 9).await, [6, 5, 2, 1]);
    assert_eq!(found(AuditFilter { actor: text("token"), ..none() }, 1).await, [6, 5, 2, 1]);
    assert_eq!(found(AuditFilter { operation: text("tokens/"), ..none() }, 9).await, [6, 4, 2]);
    let (since, until) = (Some(in_minutes(1)), Some(in_minutes(3)));
    assert_eq!(found(AuditFilter { since, until, ..none() }, 9).await, [3, 2]);
    let both = AuditFilter { actor: text("token ci"), since, ..none() };
    assert_eq!(found(both, 9).await, [2]);

    bench.clock.advance(days(3));
    entry("the files", "plugin stripe").await;
    let page = bench.store.audit(AuditFilter { until, ..none() }, None, 9, true).await.unwrap();
    assert_eq!((page.items.len(), page.next), (3, None));
}

#[tokio::test]
async fn what_is_too_large_is_left_out_of_an_entry() {
    let bench = Bench::new();
    let large = Deed { after: json!("x".repeat(20_000)), who: "y".repeat(999), ..deed("large") };
    let entry = bench.store.record(large).await.unwrap().shown;
    assert_eq!(entry["after"], json!({ "left_out_bytes": 20_002 }));
    assert_eq!(entry["who"].as_str().map(str::len), Some(500));
}
