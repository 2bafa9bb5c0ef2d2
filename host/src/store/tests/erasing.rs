//! What is known of a subject is erased: no view, no file and no later start has any of it, and
//! ids still tell duplicates.

use std::path::Path;

use bytes::Bytes;

use super::*;
use crate::effect::{Allowance, LogLevel, LogLine, Parcel};
use crate::event::Event;
use crate::failure::Reason;
use crate::json_text::JsonText;
use crate::store::conformance::once::keeping;
use crate::store::log::segment::Segment;
use crate::tenant::Tenant;

/// Stands in everything that is to go, in one spelling.
const PLANTED: &str = "planted-4711-of-jane";
const SUBJECT: &str = "cus-9a8b7c6d5e";
/// Stands in what stays.
const OTHER: &str = "other-0815-of-joe";

/// A request and an event that say this.
fn says(text: &str, about: &str, id: &str) -> (NewReceipt, NewEvent) {
    let whole = receipt(&[id]);
    let mut request = whole.request.as_ref().clone();
    request.body = text.to_owned().into();
    let mut new = event(id, about).to(&["ledger"], &["crm"]);
    let said = Event {
        labels: vec![("name".into(), text.to_owned())],
        data: JsonText::new(format!("{{\"name\":\"{text}\"}}")).unwrap(),
        ..new.event.as_ref().clone()
    };
    new.event = Arc::new(said);
    (NewReceipt { request: Arc::new(request), ..whole }, new)
}

impl Bench {
    /// An event of a subject, whose handler logs, remembers, and sends on what the event says, all
    /// of it delivered.
    async fn lived(&self, text: &str, about: &str, id: &str) -> Id {
        let (new, said) = says(text, about, id);
        self.store.append(new).await.unwrap();
        let report = Try {
            log: vec![LogLine { level: LogLevel::Info, message: text.to_owned() }],
            ..tried(Verdict::Done)
        };
        let parsed = self.store.commit_parse(self.parse().await, report.clone(), vec![said]);
        let ids = parsed.await.unwrap().unwrap();
        let run = self.runs().await.pop().unwrap();
        let (_, mut emitted) = says(text, "", &format!("{id}.0"));
        emitted.routes = Arc::default();
        let parcel = Parcel {
            endpoint: name("crm"),
            content_type: "text/plain".into(),
            body: Bytes::from(text.to_owned()),
        };
        let effects = Effects {
            events: vec![emitted],
            parcels: vec![parcel],
            state: vec![("name".to_owned(), Some(Bytes::from(text.to_owned())))],
            scope: about.to_owned(),
            ..Effects::default()
        };
        self.store.commit_run(run, report, effects).await.unwrap().unwrap();
        for work in self.deliveries().await {
            let said = Attempt { answer: text.to_owned(), ..attempt(Verdict::Done) };
            self.store.record_attempt(work, said).await.unwrap().unwrap();
        }
        ids[0]
    }

    /// An event, and what its handler remembers of this subject then, which may be another one.
    async fn remembered(&self, new: NewEvent, of: &str) {
        self.bring(vec![new.to(&["ledger"], &[])]).await;
        let run = self.runs().await.pop().unwrap();
        let effects = Effects {
            state: vec![("name".to_owned(), Some(Bytes::from("known")))],
            scope: of.to_owned(),
            ..Effects::default()
        };
        self.store.commit_run(run, tried(Verdict::Done), effects).await.unwrap().unwrap();
    }

    async fn erase(&self, subject: &str) -> Erasure {
        self.erase_of(subject, None).await
    }

    async fn erase_of(&self, subject: &str, tenant: Option<Tenant>) -> Erasure {
        self.store.begin_erasure(subject.to_owned(), tenant).await.unwrap();
        self.store.erase_next().await.unwrap().unwrap()
    }

    /// All that the store shows of everything.
    async fn all_shown(&self) -> String {
        let mut shown = String::new();
        let part = self.store.stored_from(0, usize::MAX).await.unwrap();
        for id in part.ids {
            let receipt = self.store.receipt(id).await.unwrap();
            let event = self.store.event(id).await.unwrap();
            shown += &serde_json::to_string(&(receipt, event)).unwrap();
        }
        let page = Page { cursor: None, limit: PAGE_ITEMS_MAX };
        let events = self.store.events(&EventFilter::default(), page).await.unwrap();
        let dead = self.store.dead(page).await.unwrap();
        shown + &serde_json::to_string(&(events, dead)).unwrap()
    }
}

/// The files of a folder that have this text in them: as it is, or in a segment of a frame, also of
/// one that no row points to any more.
fn files_with(folder: &Path, text: &str) -> Vec<String> {
    let has = |bytes: &[u8]| bytes.windows(text.len()).any(|at| at == text.as_bytes());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        if has(&bytes) || segments_in(&bytes).iter().any(|raw| has(raw)) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}

/// The records of all frames in the bytes of a volume, unpacked.
fn segments_in(bytes: &[u8]) -> Vec<Vec<u8>> {
    const HEAD: usize = 40;
    let number = |at: &[u8]| u32::from_le_bytes(*at.first_chunk().unwrap()) as usize;
    let mut found = Vec::new();
    for at in 0..bytes.len().saturating_sub(HEAD) {
        if !bytes[at..].starts_with(b"HGFR") {
            continue;
        }
        let (is_commit, length) = (bytes[at + 4] == 1, number(&bytes[at + 8..]));
        let Some(body) = bytes[at + HEAD..].get(..length).filter(|body| body.len() > 4) else {
            continue;
        };
        let stored = if is_commit { body[4..].get(..number(body)) } else { Some(body) };
        let segment = stored.and_then(|stored| Segment::read(0, stored).ok());
        let raw = segment.map(|it| it.entries().flat_map(|entry| entry.bytes.to_vec()).collect());
        found.extend(raw);
    }
    found
}

/// Leave out `overwrite`, `leave_before` or `erase_rows`, and a file has it still.
#[tokio::test]
async fn no_view_and_no_file_has_what_was_known_and_a_start_and_a_check_find_nothing() {
    let bench = Bench::new();
    let erased = bench.lived(PLANTED, SUBJECT, "evt_1").await;
    let stays = bench.lived(OTHER, "joe", "evt_2").await;
    let before = bench.all_shown().await;
    assert!(before.contains(PLANTED) && before.contains(OTHER));
    assert!(!files_with(bench.folder.path(), PLANTED).is_empty(), "it can be found in files");

    let erasure = bench.erase(SUBJECT).await;

    assert!(erasure.is_done() && erasure.damaged == 0, "{erasure:?}");
    assert_eq!((erasure.events, erasure.states), (2, 1), "with the one that the handler emitted");
    let mut bench = bench;
    for restarted in [false, true] {
        if restarted {
            bench = bench.restart().await;
        }
        let shown = bench.all_shown().await;
        for text in [PLANTED, SUBJECT] {
            assert!(!shown.contains(text), "{text} after a restart: {restarted}: {shown}");
            let files = files_with(bench.folder.path(), text);
            assert!(files.is_empty(), "{text} after a restart: {restarted}: {files:?}");
        }
        assert!(shown.contains(OTHER));
        let state = |about: &str| bench.store.state(&name("ledger"), about, "name").unwrap();
        assert!(state(SUBJECT).is_none() && state("joe").is_some());
    }
    let view = bench.store.event(erased).await.unwrap().unwrap();
    assert!(view.erased && view.event.subject.is_none() && view.runs.len() == 1);
    assert!(!bench.store.event(stays).await.unwrap().unwrap().erased);
    let duplicate = bench.store.append(receipt(&["evt_1"])).await.unwrap();
    assert!(matches!(duplicate, Appended::Duplicate(_)), "{duplicate:?}");

    let bench = bench.repaired().await;
    let shown = bench.all_shown().await;
    assert!(!shown.contains(PLANTED) && shown.contains(OTHER));
    let duplicate = bench.store.append(receipt(&["evt_1"])).await.unwrap();
    assert!(matches!(duplicate, Appended::Duplicate(_)), "{duplicate:?}");
}

/// Leave out the look at `is_erased` in `Draft::replay`, and blank events go out.
#[tokio::test]
async fn what_is_open_ends_with_a_reason_and_is_never_replayed() {
    let bench = Bench::new();
    let ids = bench.bring(vec![event("evt_1", SUBJECT).to(&["ledger"], &["crm"])]).await;

    let erasure = bench.erase(SUBJECT).await;

    assert_eq!(erasure.ended, 2);
    let page = Page { cursor: None, limit: PAGE_ITEMS_MAX };
    let dead = bench.store.dead(page).await.unwrap().items;
    assert_eq!(dead.len(), 2);
    assert!(dead.iter().all(|letter| letter.reason == Reason::Erased), "{dead:?}");
    let replayed = bench.store.replay(ids).await.unwrap();
    assert_eq!((replayed.reopened, replayed.unchanged), (0, 2));
    assert!(bench.runs().await.is_empty() && bench.deliveries().await.is_empty());
}

/// Leave out the look at `is_erased` in [`Snapshot::stored_now`], and listeners post blank events.
#[tokio::test]
async fn whoever_follows_with_data_gets_no_event_that_is_erased() {
    let bench = Bench::new();
    let with_data = StreamFilter { is_with_data: true, ..StreamFilter::default() };
    let with_data = bench.store.follow(with_data, None).unwrap();
    let without = bench.store.follow(EventFilter::default(), None).unwrap();
    bench.bring(vec![event("evt_1", SUBJECT), event("evt_2", "joe")]).await;
    assert!(bench.erase(SUBJECT).await.is_done());

    for (following, expected) in [(with_data, &["evt_2"][..]), (without, &["evt_1", "evt_2"][..])] {
        let news = bench.store.news(&following, 9).await.unwrap();
        let came = news.events.iter().map(|(it, _)| it.summary.event_id.as_str());
        assert_eq!(came.collect::<Vec<_>>(), expected);
    }
}

/// Dropped at each of its first steps, as by a kill, it goes on from there.
#[tokio::test]
async fn one_that_is_cut_off_anywhere_is_done_by_the_next_call() {
    for steps in 0..12 {
        let bench = Bench::new();
        bench.lived(PLANTED, SUBJECT, "evt_1").await;
        bench.lived(OTHER, "joe", "evt_2").await;
        bench.store.begin_erasure(SUBJECT.to_owned(), None).await.unwrap();
        let shared = Arc::clone(&bench.store.handle.shared);
        let holders = Arc::strong_count(&shared);
        {
            let erasing = bench.store.erase_next();
            tokio::pin!(erasing);
            let commits = bench.store.stats().commits;
            while bench.store.stats().commits < commits + steps {
                if futures_now(erasing.as_mut()).await {
                    break;
                }
            }
        }
        // Whoever looked at the file for it lets that go.
        while Arc::strong_count(&shared) > holders {
            tokio::task::yield_now().await;
        }
        drop(shared);
        let bench = bench.restart().await;
        while bench.store.erase_next().await.unwrap().is_some() {}

        let shown = bench.all_shown().await;
        assert!(!shown.contains(PLANTED) && shown.contains(OTHER), "{steps}: {shown}");
        let files = files_with(bench.folder.path(), PLANTED);
        assert!(files.is_empty(), "{steps}: {files:?}");
        let Bench { folder, store, .. } = bench;
        store.close().await.unwrap();
        let faults = check(folder.path()).unwrap().faults;
        assert!(faults.is_empty(), "{steps}: {faults:?}");
    }
}

/// Lets a future go on for a moment; says whether it has ended.
async fn futures_now<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
    tokio::select! {
        biased;
        _ = future.as_mut() => true,
        () = tokio::task::yield_now() => false,
    }
}

#[tokio::test]
async fn what_comes_later_and_what_sweeps_have_packed_before_are_told_apart() {
    let bench = Bench::new();
    bench.lived(PLANTED, SUBJECT, "evt_1").await;
    let bench = bench.restart().await;
    bench.clock.advance(days(2));
    bench.store.sweep(&keeping(days(9))).await.unwrap();

    assert!(bench.erase(SUBJECT).await.is_done());
    let later = bench.lived(OTHER, SUBJECT, "evt_2").await;
    assert_eq!(bench.store.erase_next().await.unwrap(), None);

    assert!(files_with(bench.folder.path(), PLANTED).is_empty());
    assert!(!bench.store.event(later).await.unwrap().unwrap().erased);
    assert!(bench.erase(SUBJECT).await.is_done(), "asked for again it goes too");
    assert!(bench.store.event(later).await.unwrap().unwrap().erased);
}

/// Leave out `is_its_own` in `erase`, and any tenant has handlers forget what is of others. Leave
/// out the look at the tenant in `rows_naming`, and a tenant ends a replay of another.
#[tokio::test]
async fn a_tenant_erases_nothing_that_may_be_of_others() {
    let bench = Bench::new();
    let [acme, globex]: [Tenant; 2] = ["acme", "globex"].map(|text| text.parse().unwrap());
    // As if the events of the subject, which are another tenant's, were kept long enough.
    bench.remembered(event("evt_1", "joe"), SUBJECT).await;
    // An event's record has its tenant behind its allowance.
    let allowance = Some(Allowance { events: 1, bytes: 1 << 10 });
    let own = NewEvent { tenant: Some(acme.clone()), allowance, ..event("evt_2", "jane") };
    bench.remembered(own, "jane").await;
    for tenant in [&acme, &globex] {
        let (subject, tenant) = (Some(SUBJECT.to_owned()), Some(tenant.clone()));
        let filter = EventFilter { subject, tenant, ..EventFilter::default() };
        bench.store.begin_replay(filter).await.unwrap();
    }

    let others = bench.erase_of(SUBJECT, Some(acme.clone())).await;
    let own = bench.erase_of("jane", Some(acme)).await;

    assert!(others.is_done() && others.state_kept, "{others:?}");
    assert!(own.is_done() && !own.state_kept, "{own:?}");
    let state = |about: &str| bench.store.state(&name("ledger"), about, "name").unwrap();
    assert!(state(SUBJECT).is_some() && state("jane").is_none());
    let left = bench.store.replays().await.unwrap();
    let left: Vec<_> = left.into_iter().map(|replay| replay.filter.events.tenant).collect();
    assert_eq!(left, [Some(globex)]);
}
