//! Dead letters are found by kind, name and reason, as long as they are dead.

use super::disk::Disk;
use super::*;
use crate::event::Money;
use crate::failure::{AttemptDetail, Reason};
use crate::store::file::death_rows::{DEATHS_KNOWN, DeathRow, hash};

const ALL: Page = Page { cursor: None, limit: PAGE_ITEMS_MAX };
const REASONS: [Reason; 2] = [Reason::EndpointRefused, Reason::EndpointTls];
const ENDPOINTS: [&str; 2] = ["crm", "erp"];

/// An attempt that a delivery died of, for this reason.
fn failed(reason: Reason) -> Attempt {
    let detail = AttemptDetail { reason: Some(reason), ..AttemptDetail::default() };
    Attempt { detail, ..attempt(Verdict::Dead) }
}

/// A receipt that is dead, a run that is, and so many deliveries to two endpoints.
async fn die(bench: &Bench, deliveries: usize) {
    bench.append(&["evt_unread"]).await;
    let parse = bench.parse().await;
    bench.store.commit_parse(parse, tried(Verdict::Dead), Vec::new()).await.unwrap().unwrap();
    bench.bring(vec![event("evt_run", "").to(&["ledger"], &[])]).await;
    bench.end_run(bench.runs().await.pop().unwrap(), Verdict::Dead).await;
    for number in 0..deliveries {
        let endpoint = ENDPOINTS[number % 2];
        bench.bring(vec![event(&format!("evt_{number}"), "").to(&[], &[endpoint])]).await;
        let work = bench.deliveries().await.pop().unwrap();
        let attempt = failed(REASONS[number / 2 % 2]);
        bench.store.record_attempt(work, attempt).await.unwrap().unwrap();
    }
}

fn filters() -> Vec<DeadFilter> {
    let any = DeadFilter::default;
    let mut filters: Vec<_> =
        WorkKind::ALL.map(|kind| DeadFilter { kind: Some(kind), ..any() }).into();
    let names = ["stripe", "ledger", "crm", "erp", "another"];
    filters.extend(names.map(|it| DeadFilter { name: Some(name(it)), ..any() }));
    filters.extend(Reason::ALL.map(|it| DeadFilter { reason: Some(it), ..any() }));
    let (kind, reason) = (Some(WorkKind::Delivery), Some(REASONS[1]));
    filters.push(DeadFilter { kind, name: Some(name("erp")), reason, ..any() });
    filters.extend([&["crm", "erp"][..], &["erp"], &[]].map(|names| {
        let among = names.iter().map(|it| name(it)).collect();
        DeadFilter { among: Some(Arc::new(among)), ..any() }
    }));
    filters.push(DeadFilter { kind: Some(WorkKind::Run), name: Some(name("crm")), ..any() });
    filters
}

impl Bench {
    /// Holds each list of letters against that of all, page by page; gives how many there are.
    async fn check_letters(&self) -> usize {
        let all = self.store.dead(ALL).await.unwrap().items;
        for filter in filters() {
            let fits = |letter: &&DeadLetter| {
                filter.kind.is_none_or(|kind| kind == letter.kind)
                    && filter.name.as_ref().is_none_or(|name| *name == letter.name)
                    && filter.among.as_ref().is_none_or(|among| among.contains(&letter.name))
                    && filter.reason.is_none_or(|reason| reason == letter.reason)
            };
            let expected: Vec<Id> = all.iter().filter(fits).map(|letter| letter.id).collect();
            let (mut seen, mut cursor) = (Vec::new(), None);
            loop {
                let page = Page { cursor, limit: 2 };
                let listing = self.store.dead_matching(&filter, page).await.unwrap();
                seen.extend(listing.items.into_iter().map(|letter| letter.id));
                cursor = listing.next;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(seen, expected, "{filter:?}");
        }
        all.len()
    }

    /// Takes the rows of all letters that they are found by.
    fn unfile(&self) {
        let shared = &self.store.handle.shared;
        let snapshot = shared.snapshot().unwrap();
        let dead: Vec<(u64, u8)> = snapshot.dead_from(0).unwrap().map(Result::unwrap).collect();
        let mut change = shared.file.write().unwrap();
        {
            let mut rows = change.tables();
            for (work, kind) in &dead {
                rows.put_letter(*work, None).unwrap();
                rows.put_letter(*work, Some(*kind)).unwrap();
            }
            rows.remember(DEATHS_KNOWN, 0).unwrap();
        }
        shared.file.commit(change).unwrap();
    }

    /// Gives all letters rows with words for a reason, as an older Hookgate does.
    fn file_by_words(&self) {
        let shared = &self.store.handle.shared;
        let snapshot = shared.snapshot().unwrap();
        let dead: Vec<(u64, u8)> = snapshot.dead_from(0).unwrap().map(Result::unwrap).collect();
        let mut change = shared.file.write().unwrap();
        {
            let mut rows = change.tables();
            for (work, kind) in dead {
                let (name, reason) = (hash("crm"), hash("it makes no sense"));
                rows.put_death(work, DeathRow { kind, name, reason }).unwrap();
            }
        }
        shared.file.commit(change).unwrap();
    }

    /// The first page, for which there is no time.
    fn in_no_time(&self, filter: &DeadFilter) -> Listing<DeadLetter> {
        let snapshot = self.store.handle.shared.snapshot().unwrap();
        snapshot.letters(filter, ALL, Duration::ZERO).unwrap()
    }

    fn are_filed(&self) -> bool {
        self.store.handle.shared.snapshot().unwrap().are_letters_filed().unwrap()
    }
}

#[tokio::test]
async fn a_letter_is_found_by_what_it_died_of_until_it_is_opened_again() {
    let disk = Disk::default();
    let bench = Bench::on(disk.clone(), Clock::manual(NOW));
    die(&bench, 9).await;
    assert_eq!(bench.check_letters().await, 11);

    let letters = bench.store.dead(ALL).await.unwrap().items;
    bench.store.replay(letters[..3].iter().map(|letter| letter.id).collect()).await.unwrap();
    assert_eq!(bench.check_letters().await, 8);
    // One dies again, of something else.
    let work = bench.deliveries().await.pop().unwrap();
    bench.store.record_attempt(work, failed(REASONS[1])).await.unwrap().unwrap();
    assert_eq!(bench.check_letters().await, 9);
    assert!(bench.are_filed());

    // The redo has them: a kill takes no row.
    let killed = Bench::on(Disk::holding(disk.synced()), Clock::manual(NOW));
    assert_eq!(killed.check_letters().await, 9);
}

#[tokio::test]
async fn letters_of_an_older_hookgate_are_found_too_and_get_their_rows_with_a_sweep() {
    let bench = Bench::on(Disk::default(), Clock::manual(NOW));
    die(&bench, 9).await;
    bench.unfile();
    assert!(!bench.are_filed());
    assert_eq!(bench.check_letters().await, 11);

    bench.store.sweep(&Retention::default()).await.unwrap();

    assert!(bench.are_filed());
    assert_eq!(bench.check_letters().await, 11);
    let filter = DeadFilter { name: Some(name("crm")), ..DeadFilter::default() };
    assert_eq!(bench.store.dead_matching(&filter, ALL).await.unwrap().items.len(), 5);
}

#[tokio::test]
async fn letters_that_an_older_hookgate_filed_by_words_are_found_by_their_reasons_all_the_same() {
    let bench = Bench::on(Disk::default(), Clock::manual(NOW));
    for number in 0..6 {
        bench.bring(vec![event(&format!("evt_{number}"), "").to(&[], &["crm"])]).await;
        let work = bench.deliveries().await.pop().unwrap();
        bench.store.record_attempt(work, failed(REASONS[number % 2])).await.unwrap().unwrap();
    }
    bench.file_by_words();
    assert!(bench.are_filed(), "the older one says so");
    assert_eq!(bench.check_letters().await, 6);

    bench.store.sweep(&Retention::default()).await.unwrap();

    assert_eq!(bench.check_letters().await, 6);
    // Not because all are read still.
    let filter = DeadFilter { reason: Some(REASONS[0]), ..DeadFilter::default() };
    bench.file_by_words();
    assert!(bench.store.dead_matching(&filter, ALL).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn a_list_of_letters_comes_back_in_time_also_if_it_finds_none() {
    let bench = Bench::on(Disk::default(), Clock::manual(NOW));
    die(&bench, 40).await;
    bench.unfile();
    let parses = DeadFilter { kind: Some(WorkKind::Parse), ..DeadFilter::default() };
    let listed = bench.in_no_time(&parses);
    assert!(listed.items.is_empty() && listed.next.is_some(), "all others are newer");

    // In turns of two endpoints, each for a reason of its own.
    let bench = Bench::on(Disk::default(), Clock::manual(NOW));
    let shared = &bench.store.handle.shared;
    let mut change = shared.file.write().unwrap();
    {
        let mut rows = change.tables();
        for work in 1..12_000_u64 {
            let turn = (work % 2) as usize;
            let row = DeathRow::of(2, ENDPOINTS[turn], REASONS[turn]);
            rows.put_death(work, row).unwrap();
        }
    }
    shared.file.commit(change).unwrap();
    shared.have_letters_reasons.store(true, Ordering::Relaxed);
    let (name, reason) = (Some(name(ENDPOINTS[0])), Some(REASONS[1]));
    let listed = bench.in_no_time(&DeadFilter { name, reason, ..DeadFilter::default() });
    assert!(listed.items.is_empty() && listed.next.is_some(), "no letter has both");
}

/// Guards `money_of` and the most that are counted.
#[tokio::test]
async fn letters_are_counted_by_why_they_died_with_the_money_of_their_events() {
    let bench = Bench::on(Disk::default(), Clock::manual(NOW));
    die(&bench, 0).await;
    for (number, amount) in ["1.50", "2", "0.25"].into_iter().enumerate() {
        let mut paid = event(&format!("evt_paid_{number}"), "").to(&[], &["crm"]);
        let money = Money { amount: amount.to_owned(), currency: "EUR".to_owned() };
        Arc::make_mut(&mut paid.event).money = Some(money);
        bench.bring(vec![paid]).await;
        let work = bench.deliveries().await.pop().unwrap();
        bench.store.record_attempt(work, failed(REASONS[number / 2])).await.unwrap().unwrap();
    }
    let any = DeadFilter::default();

    let counted = bench.store.dead_reasons(&any).await.unwrap();

    let amounts = |group: &DeadGroup| -> Vec<String> {
        group.money.iter().map(|money| money.amount.clone()).collect()
    };
    let groups: Vec<_> = counted.groups.iter().map(|it| (it.kind, it.count, amounts(it))).collect();
    let euros = |amount: &str| vec![amount.to_owned()];
    let expected = [
        (WorkKind::Delivery, 2, euros("3.50")),
        (WorkKind::Parse, 1, Vec::new()),
        (WorkKind::Run, 1, Vec::new()),
        (WorkKind::Delivery, 1, euros("0.25")),
    ];
    assert_eq!((groups, counted.at_least), (expected.into(), false));
    let letters = bench.store.dead(ALL).await.unwrap().items;
    assert_eq!(counted.groups[0].newest.id, letters[1].id);
    let filter = DeadFilter { reason: Some(REASONS[1]), ..any.clone() };
    assert_eq!(bench.store.dead_reasons(&filter).await.unwrap().groups.len(), 1);
    let snapshot = bench.store.handle.shared.snapshot().unwrap();
    let four = snapshot.reasons(&any, 4, Duration::MAX).unwrap();
    assert_eq!((four.groups.iter().map(|it| it.count).sum::<u64>(), four.at_least), (4, true));
}
