//! Records as they are written and read back, by this Hookgate and by one that knew less.

mod traced;

use bytes::Bytes;

use super::*;
use crate::store::log::segment::SegmentWriter;
use crate::tenant::Tenant;

/// An [`EventRecord`] as it was before it had an allowance.
#[derive(Serialize, Deserialize)]
struct Before {
    event: Event,
    receipt: Option<u64>,
    cause: Option<u64>,
    depth: u8,
    recorded_at: Timestamp,
    routes: Routes,
}

/// An event that a run emitted for a receipt of `stripe`.
fn stored(allowance: Option<Allowance>) -> StoredEvent {
    let event = Event {
        source: "shop".parse().unwrap(),
        id: "1".into(),
        event_type: "a.b".into(),
        subject: None,
        time: Timestamp(1),
        money: None,
        labels: Vec::new(),
        data: JsonText::new("{}").unwrap(),
    };
    let id = Id { kind: IdKind::Event, position: 1, tag: 0 };
    let cause = Some(Id { kind: IdKind::Run, position: 7, tag: 0 });
    let (receipt, recorded_at) = (None, Timestamp(2));
    let routes = Routes { handlers: Vec::new(), endpoints: vec!["crm".parse().unwrap()] };
    let event = Arc::new(event);
    let routes = Arc::new(routes);
    let root_source = allowance.map(|_| "stripe".parse().unwrap());
    StoredEvent {
        id,
        event,
        receipt,
        cause,
        depth: 3,
        allowance,
        root_source,
        tenant: None,
        trace: None,
        recorded_at,
        routes,
    }
}

/// An [`EventRecord`] as it was before it named a source behind its allowance.
#[derive(Serialize, Deserialize)]
struct SourcelessBefore {
    before: Before,
    allowance: Allowance,
}

#[test]
fn an_event_reads_back_with_and_without_an_allowance_and_as_it_was_before() {
    let id = stored(None).id;
    let whole = Some(Allowance { events: u32::MAX, bytes: u64::MAX });
    for allowance in [None, Some(Allowance { events: 0, bytes: 0 }), whole] {
        let bytes = postcard::to_stdvec(&EventRecord::of(&stored(allowance))).unwrap();

        let read: EventRecord<'_> = postcard::from_bytes(&bytes).unwrap();
        let before: Before = postcard::from_bytes(&bytes).unwrap();
        let written_before = postcard::to_stdvec(&before).unwrap();
        let read_before: EventRecord<'_> = postcard::from_bytes(&written_before).unwrap();

        assert_eq!(read.with_id(id, Cow::into_owned), stored(allowance));
        assert_eq!(read_before.with_id(id, Cow::into_owned), stored(None));
    }
}

#[test]
fn an_event_without_the_source_of_its_receipt_reads_back_as_it_was_before() {
    let allowance = Allowance { events: 3, bytes: 1 << 40 };
    let whole = stored(Some(allowance));
    let bytes = postcard::to_stdvec(&EventRecord::of(&whole)).unwrap();

    let before: SourcelessBefore = postcard::from_bytes(&bytes).unwrap();
    let written_before = postcard::to_stdvec(&before).unwrap();
    let read_before: EventRecord<'_> = postcard::from_bytes(&written_before).unwrap();

    assert_eq!(before.allowance, allowance);
    assert_eq!(bytes.strip_prefix(&written_before[..]), Some(&b"\x06stripe"[..]));
    let expected = StoredEvent { root_source: None, ..stored(Some(allowance)) };
    assert_eq!(read_before.with_id(whole.id, Cow::into_owned), expected);
}

/// An [`EventRecord`] as it was before it had a tenant behind its source.
#[derive(Serialize, Deserialize)]
struct TenantlessBefore {
    before: SourcelessBefore,
    root_source: Name,
}

fn acme() -> Option<Tenant> {
    Some("acme".parse().unwrap())
}

#[test]
fn an_event_reads_back_with_its_tenant_and_as_it_was_before() {
    let plain = stored(Some(Allowance { events: 3, bytes: 1 << 40 }));
    let whole = StoredEvent { tenant: acme(), ..plain.clone() };
    let bytes = postcard::to_stdvec(&EventRecord::of(&whole)).unwrap();

    let read: EventRecord<'_> = postcard::from_bytes(&bytes).unwrap();
    let before: TenantlessBefore = postcard::from_bytes(&bytes).unwrap();
    let written_before = postcard::to_stdvec(&before).unwrap();
    let read_before: EventRecord<'_> = postcard::from_bytes(&written_before).unwrap();

    assert_eq!(read.with_id(whole.id, Cow::into_owned), whole);
    assert_eq!(written_before, postcard::to_stdvec(&EventRecord::of(&plain)).unwrap());
    assert_eq!(bytes.strip_prefix(&written_before[..]), Some(&b"\x04acme"[..]));
    assert_eq!(read_before.with_id(plain.id, Cow::into_owned), plain);
}

#[test]
fn a_tenant_never_reads_as_a_source() {
    let allowance = Some(Allowance { events: 0, bytes: 0 });
    let rootless = StoredEvent { root_source: None, tenant: acme(), ..stored(allowance) };
    let parsed = StoredEvent { cause: None, ..rootless.clone() };
    for (whole, root_read) in [(&parsed, None), (&rootless, Some("shop".parse().unwrap()))] {
        let bytes = postcard::to_stdvec(&EventRecord::of(whole)).unwrap();

        // A Hookgate that knows no tenant: it reads the event's own source.
        let before: TenantlessBefore = postcard::from_bytes(&bytes).unwrap();
        let read: EventRecord<'_> = postcard::from_bytes(&bytes).unwrap();

        assert_eq!(before.root_source.as_str(), "shop");
        let expected = StoredEvent { root_source: root_read, ..whole.clone() };
        assert_eq!(read.with_id(whole.id, Cow::into_owned), expected);
    }
    let alone = StoredEvent { allowance: None, ..parsed };
    let bytes = postcard::to_stdvec(&EventRecord::of(&alone)).unwrap();
    let without = StoredEvent { tenant: None, ..alone };
    assert_eq!(bytes, postcard::to_stdvec(&EventRecord::of(&without)).unwrap());
}

/// A [`ParcelRecord`] as it was before it named a source.
#[derive(Serialize, Deserialize)]
struct ParcelBefore {
    parcel: Parcel,
    event: u64,
    run: u64,
    recorded_at: Timestamp,
}

#[test]
fn a_parcel_reads_back_with_and_without_the_source_of_its_receipt_and_as_it_was_before() {
    let id = |kind, position| Id { kind, position, tag: 0 };
    let parcel = Parcel {
        endpoint: "crm".parse().unwrap(),
        content_type: "text/plain".into(),
        body: "hello".into(),
    };
    let plain = StoredParcel {
        id: id(IdKind::Delivery, 9),
        parcel,
        event: id(IdKind::Event, 2),
        run: id(IdKind::Run, 3),
        recorded_at: Timestamp(4),
        root_source: None,
        trace: None,
    };
    for root_source in [None, Some("stripe".parse().unwrap())] {
        let whole = StoredParcel { root_source, ..plain.clone() };
        let bytes = postcard::to_stdvec(&ParcelRecord::of(&whole)).unwrap();

        let read: ParcelRecord<'_> = postcard::from_bytes(&bytes).unwrap();
        let before: ParcelBefore = postcard::from_bytes(&bytes).unwrap();
        let written_before = postcard::to_stdvec(&before).unwrap();
        let read_before: ParcelRecord<'_> = postcard::from_bytes(&written_before).unwrap();

        assert_eq!(read.with_id(plain.id), whole);
        assert_eq!(read_before.with_id(plain.id), plain);
    }
}

/// A [`ReceiptRecord`] as it was before it said what the request proved.
#[derive(Serialize, Deserialize)]
struct ReceiptBefore {
    source: Name,
    request: Request,
    event_ids: Vec<String>,
    taken: Vec<String>,
}

fn receipt(proven: Option<Proven>) -> Receipt {
    let request = Request {
        method: "POST".into(),
        url: "/in/shop".into(),
        headers: [("x-token", "sesame")].into_iter().collect(),
        body: "{}".into(),
        received_at: Timestamp(1),
    };
    Receipt {
        id: Id { kind: IdKind::Receipt, position: 1, tag: 0 },
        source: "shop".parse().unwrap(),
        request: Arc::new(request),
        event_ids: vec!["1".into(), "2".into()],
        taken: vec!["2".into()],
        proven,
        plugin: None,
        trace: None,
        body_expired: false,
    }
}

#[test]
fn a_receipt_reads_back_with_and_without_what_it_proved_and_as_it_was_before() {
    let id = receipt(None).id;
    for proven in [None, Some(Proven::Nothing), Some(Proven::Bound)] {
        let whole = receipt(proven);
        let bytes = ReceiptRecord::of(&whole).write();

        let read: ReceiptRecord<'_> = postcard::from_bytes(&bytes).unwrap();
        let before: ReceiptBefore = postcard::from_bytes(&bytes).unwrap();
        let written_before = postcard::to_stdvec(&before).unwrap();
        let read_before: ReceiptRecord<'_> = postcard::from_bytes(&written_before).unwrap();
        let bare = ReceiptRecord::bare(&whole).write();
        let read_bare: ReceiptRecord<'_> = postcard::from_bytes(&bare).unwrap();

        assert_eq!(read.with_id(id), whole);
        assert_eq!(read_before.with_id(id), receipt(None));
        assert_eq!(read_bare.with_id(id).proven, proven);
    }
}

/// A [`ReceiptRecord`] as it was before it said which plugin claimed the request.
#[derive(Serialize, Deserialize)]
struct UnclaimedReceipt {
    source: Name,
    request: Request,
    event_ids: Vec<String>,
    taken: Vec<String>,
    #[serde(with = "at_the_end")]
    proven: Option<Proven>,
}

#[test]
fn a_receipt_says_which_plugin_claimed_it_and_one_without_a_proof_says_nothing_behind_it() {
    let id = receipt(None).id;
    let stamp = Arc::new(PluginStamp::new(&"shop".parse().unwrap(), "1.2.0", "d1"));
    let nothing: &[u8] = &[];
    let said = [&b"\0"[..], b"\x04shop\x051.2.0\x02d1"].concat();
    for (proven, plugin, behind) in [
        (None, None, nothing),
        (None, Some(&stamp), nothing),
        (Some(Proven::Bound), None, &[3_u8][..]),
        (Some(Proven::Nothing), Some(&stamp), &said[..]),
    ] {
        let whole = Receipt { plugin: plugin.cloned(), ..receipt(proven) };
        let bytes = ReceiptRecord::of(&whole).write();
        let bare = ReceiptRecord::bare(&whole).write();

        let [read, read_bare] = [&bytes, &bare]
            .map(|bytes| postcard::from_bytes::<ReceiptRecord<'_>>(bytes).unwrap().with_id(id));
        let before: UnclaimedReceipt = postcard::from_bytes(&bytes).unwrap();
        let oldest: ReceiptBefore = postcard::from_bytes(&bytes).unwrap();

        // Without a proof, a name would read as one.
        let kept = proven.and(plugin).cloned();
        assert_eq!(bytes.strip_prefix(&postcard::to_stdvec(&oldest).unwrap()[..]), Some(behind));
        assert_eq!((&read.plugin, read.proven), (&kept, proven));
        assert_eq!((read_bare.plugin, read_bare.proven), (kept, proven));
        assert_eq!(before.proven, proven);
        let written_before = postcard::to_stdvec(&before).unwrap();
        let read: ReceiptRecord<'_> = postcard::from_bytes(&written_before).unwrap();
        assert_eq!(read.with_id(id), receipt(proven));
    }
}

#[test]
fn an_event_is_skimmed_without_its_data_and_damaged_if_that_is_not_json() {
    let allowance = Some(Allowance { events: 1, bytes: 2 });
    let bytes = postcard::to_stdvec(&EventRecord::of(&stored(allowance))).unwrap();
    let entry = Entry { position: 1, width: 2, kind: RecordKind::Event, bytes: &bytes };
    let mut expected = stored(allowance);
    Arc::make_mut(&mut expected.event).data = JsonText::default();

    let Record::Event(skimmed) = Record::skim(&entry, 0).unwrap() else { panic!("no event") };
    assert_eq!(skimmed, expected);

    let at = bytes.windows(3).position(|it| it == b"\x02{}").unwrap();
    let mut broken = bytes.clone();
    broken[at + 1] = b'}';
    let entry = Entry { bytes: &broken, ..entry };
    assert_eq!(Record::read(&entry, 0).unwrap_err(), Damaged { position: 1 });
    let Record::Event(skimmed) = Record::skim(&entry, 0).unwrap() else { panic!("no event") };
    assert_eq!(skimmed, expected);
}

fn report(outcome: Outcome) -> Try {
    Try {
        at: Timestamp(5),
        duration: Duration::from_millis(3),
        plugin: None,
        outcome,
        verdict: Verdict::RetryAt(Timestamp(9)),
        log: Vec::new(),
        reason: None,
    }
}

#[test]
fn a_try_reads_back_whole_with_every_outcome() {
    for outcome in [
        Outcome::Success,
        Outcome::Transient { reason: "busy".into(), retry_after: Some(Duration::from_millis(7)) },
        Outcome::permanent("gone"),
    ] {
        let report = report(outcome.clone());
        let mut writer = SegmentWriter::new(1);
        writer.push(RecordKind::Try, 1, &TryRecord::of(&report, 3, Some(2)));
        let segment = writer.finish_and_read();
        let entry = segment.find(1).unwrap();

        let Record::Try(read) = Record::read(&entry, 0).unwrap() else { panic!("no try") };

        assert_eq!(*read.outcome, outcome);
        assert_eq!(read.verdict, Verdict::RetryAt(Timestamp(9)));
        assert_eq!((read.work, read.previous), (3, Some(2)));
    }
}

/// A [`TryRecord`] as it was before it said what became of the state.
#[derive(Serialize, Deserialize)]
struct TryBefore {
    work: u64,
    previous: Option<u64>,
    at: Timestamp,
    duration: Duration,
    plugin: Option<PluginStamp>,
    #[serde(with = "OutcomeRecord")]
    outcome: Outcome,
    verdict: Verdict,
    log: Vec<LogLine>,
    alerts: Vec<Alert>,
    events: Vec<u64>,
    parcels: Vec<u64>,
}

#[test]
fn a_try_reads_back_with_and_without_state_and_as_it_was_before() {
    let report = report(Outcome::Success);
    let before = postcard::to_stdvec(&TryRecord::of(&report, 3, Some(2))).unwrap();
    let (seven, scope) = (Some(Bytes::from_static(b"7")), "pi_1".to_owned());
    let state = vec![("b".to_owned(), seven.clone()), ("a".into(), seven), ("b".into(), None)];
    let none = Effects { scope, ..Effects::default() };
    let wrote = Effects { state, ..none.clone() };
    let state_read = Some(StateHash([9; 16]));
    let read = Effects { state_read, ..none.clone() };
    let both = Effects { state_read, ..wrote.clone() };
    // The last word on each key, by key: a value, and a key that was deleted.
    let writes = b"\x04pi_1\x02\x01a\x01\x017\x01b\x00";

    for (effects, behind) in [
        (none, Vec::new()),
        (wrote, writes.to_vec()),
        (read, [&b"\x04pi_1\x00"[..], &[9; 16]].concat()),
        (both, [&writes[..], &[9; 16]].concat()),
    ] {
        let mut record = TryRecord::of(&report, 3, Some(2));
        record.note_state(&effects);
        let bytes = postcard::to_stdvec(&record).unwrap();

        let read: TryRecord<'_> = postcard::from_bytes(&bytes).unwrap();
        let known: TryBefore = postcard::from_bytes(&bytes).unwrap();

        assert_eq!(bytes.strip_prefix(&before[..]), Some(&behind[..]));
        assert_eq!((&read.state, read.state_read), (&record.state, effects.state_read));
        assert_eq!(postcard::to_stdvec(&known).unwrap(), before);
    }
}

#[test]
fn a_try_that_is_dead_reads_back_with_its_reason_and_as_it_was_before() {
    let plain = Try { verdict: Verdict::Dead, ..report(Outcome::permanent("gone")) };
    let before = postcard::to_stdvec(&TryRecord::of(&plain, 3, None)).unwrap();
    for (number, reason) in (0u8..).zip(Reason::ALL) {
        let report = Try { reason: Some(reason), ..plain.clone() };
        let bytes = postcard::to_stdvec(&TryRecord::of(&report, 3, None)).unwrap();

        let read: TryRecord<'_> = postcard::from_bytes(&bytes).unwrap();
        let known: TryBefore = postcard::from_bytes(&bytes).unwrap();

        let behind = [&[0; 18][..], &[number]].concat();
        assert_eq!(bytes.strip_prefix(&before[..]), Some(&behind[..]));
        assert_eq!(read.reason, Some(reason));
        assert!(read.state.is_some_and(|state| !state.writes()), "it did nothing with state");
        assert_eq!(postcard::to_stdvec(&known).unwrap(), before);
    }
    let read: TryRecord<'_> = postcard::from_bytes(&before).unwrap();
    assert!(read.reason.is_none() && read.state.is_none());
}

#[test]
fn a_try_that_is_not_dead_takes_no_room_for_a_reason() {
    let plain = report(Outcome::transient("busy"));
    let reasoned = Try { reason: Some(Reason::PluginFailed), ..plain.clone() };
    let [plain, reasoned] =
        [&plain, &reasoned].map(|it| postcard::to_stdvec(&TryRecord::of(it, 3, None)).unwrap());
    assert_eq!(reasoned, plain);
}

/// An [`AttemptRecord`] as it was before it said what the attempt saw.
#[derive(Serialize, Deserialize)]
struct AttemptBefore {
    work: u64,
    previous: Option<u64>,
    at: Timestamp,
    duration: Duration,
    status: Option<u16>,
    answer: String,
    #[serde(with = "OutcomeRecord")]
    outcome: Outcome,
    verdict: Verdict,
}

fn attempt(detail: AttemptDetail) -> Attempt {
    Attempt {
        at: Timestamp(5),
        duration: Duration::from_millis(3),
        status: None,
        answer: String::new(),
        outcome: Outcome::transient("no"),
        verdict: Verdict::Dead,
        detail,
    }
}

#[test]
fn an_attempt_reads_back_with_what_it_saw_and_as_it_was_before() {
    let plain = attempt(AttemptDetail::default());
    let before = postcard::to_stdvec(&AttemptRecord::of(&plain, 3, Some(2))).unwrap();
    let (reason, peer) = (Some(Reason::EndpointTls), Some("192.0.2.1:443".parse().unwrap()));
    let causes = vec!["unknown issuer".to_owned()];
    let detail = AttemptDetail { reason, peer, causes, ..AttemptDetail::default() };
    let whole = attempt(detail.clone());
    let bytes = postcard::to_stdvec(&AttemptRecord::of(&whole, 3, Some(2))).unwrap();

    let read: AttemptRecord<'_> = postcard::from_bytes(&bytes).unwrap();
    let known: AttemptBefore = postcard::from_bytes(&bytes).unwrap();
    let read_before: AttemptRecord<'_> = postcard::from_bytes(&before).unwrap();

    assert_eq!(read.detail.as_deref(), DetailRecord::of(&detail).as_ref());
    assert!(bytes.len() > before.len() && bytes.starts_with(&before));
    assert_eq!(postcard::to_stdvec(&known).unwrap(), before);
    assert!(read_before.detail.is_none());

    // What a newer Hookgate says in another variant is none to this one.
    let newer = [&before[..], &[1, 7, 7]].concat();
    let read: AttemptRecord<'_> = postcard::from_bytes(&newer).unwrap();
    assert!(read.detail.is_none() && read.verdict == Verdict::Dead);
}

#[test]
fn an_outcome_is_written_with_its_delay_in_milliseconds() {
    #[derive(Serialize)]
    struct Written(#[serde(with = "OutcomeRecord")] Outcome);

    let retry_after = Some(Duration::from_millis(300));
    let written = Written(Outcome::Transient { reason: "no".into(), retry_after });
    let bytes = postcard::to_stdvec(&written).unwrap();
    assert_eq!(bytes, [1, 2, b'n', b'o', 1, 0xac, 0x02]);
}
