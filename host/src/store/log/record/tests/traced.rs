//! Records that name the span they came with, read by this Hookgate and by one that knows no spans.

use super::*;

fn trace() -> Option<TraceContext> {
    TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
}

/// The span as it stands at the end of a record: 25 bytes.
fn at_its_end() -> Vec<u8> {
    let trace = trace().unwrap();
    [&trace.trace.bytes()[..], &trace.span.bytes(), &[1]].concat()
}

/// An [`EventRecord`] as it was before it named a span behind its tenant.
#[derive(Serialize, Deserialize)]
struct UntracedBefore {
    before: TenantlessBefore,
    #[serde(with = "at_the_end")]
    tenant: Option<Tenant>,
}

/// Leave the empty tenant out of `EventRecord::of`, and a span reads as a tenant.
#[test]
fn an_event_reads_back_with_its_span_and_without_it_where_nobody_knows_spans() {
    let allowance = Some(Allowance { events: 3, bytes: 1 << 40 });
    for tenant in [None, acme()] {
        let plain = StoredEvent { tenant: tenant.clone(), ..stored(allowance) };
        let whole = StoredEvent { trace: trace(), ..plain.clone() };
        let bytes = postcard::to_stdvec(&EventRecord::of(&whole)).unwrap();
        let without = postcard::to_stdvec(&EventRecord::of(&plain)).unwrap();

        let read: EventRecord<'_> = postcard::from_bytes(&bytes).unwrap();
        let before: UntracedBefore = postcard::from_bytes(&bytes).unwrap();
        let written_before = postcard::to_stdvec(&before).unwrap();
        let read_before: EventRecord<'_> = postcard::from_bytes(&written_before).unwrap();

        assert_eq!(read.with_id(whole.id, Cow::into_owned), whole);
        assert_eq!(before.tenant, tenant);
        assert_eq!(written_before, without, "without a span there is not a byte more");
        assert_eq!(read_before.with_id(plain.id, Cow::into_owned), plain);
        let nobody: &[u8] = if tenant.is_none() { &[0] } else { &[] };
        let behind = [nobody, &at_its_end()].concat();
        assert_eq!(bytes.strip_prefix(&without[..]), Some(&behind[..]));
    }
}

#[test]
fn a_span_stands_only_where_it_reads_as_nothing_else() {
    // A parsed event without an allowance, and one with: its own source is before the span.
    let parsed = StoredEvent { cause: None, trace: trace(), ..stored(None) };
    let bytes = postcard::to_stdvec(&EventRecord::of(&parsed)).unwrap();
    let read: EventRecord<'_> = postcard::from_bytes(&bytes).unwrap();
    let without = StoredEvent { trace: None, ..parsed.clone() };
    assert_eq!(read.with_id(parsed.id, Cow::into_owned), without);

    let allowance = Some(Allowance { events: 0, bytes: 0 });
    let parsed = StoredEvent { allowance, ..parsed };
    let bytes = postcard::to_stdvec(&EventRecord::of(&parsed)).unwrap();
    let read: EventRecord<'_> = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(read.with_id(parsed.id, Cow::into_owned), parsed);
}

#[test]
fn a_receipt_and_a_parcel_read_back_with_their_span() {
    let plugin = Some(Arc::new(PluginStamp::new(&"shop".parse().unwrap(), "1.2.0", "d1")));
    let plain = Receipt { plugin, ..receipt(Some(Proven::Bound)) };
    let whole = Receipt { trace: trace(), ..plain.clone() };
    let bytes = ReceiptRecord::of(&whole).write();
    let read: ReceiptRecord<'_> = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(read.with_id(whole.id), whole);
    let behind = at_its_end();
    let without = ReceiptRecord::of(&plain).write();
    assert_eq!(bytes.strip_prefix(&without[..]), Some(&behind[..]));
    let unproven = Receipt { trace: trace(), ..receipt(None) };
    assert_eq!(ReceiptRecord::of(&unproven).write(), ReceiptRecord::of(&receipt(None)).write());

    let id = |kind, position| Id { kind, position, tag: 0 };
    let (content_type, body) = ("text/plain".into(), "hello".into());
    let plain = StoredParcel {
        id: id(IdKind::Delivery, 9),
        parcel: Parcel { endpoint: "crm".parse().unwrap(), content_type, body },
        event: id(IdKind::Event, 2),
        run: id(IdKind::Run, 3),
        recorded_at: Timestamp(4),
        root_source: Some("stripe".parse().unwrap()),
        trace: None,
    };
    let whole = StoredParcel { trace: trace(), ..plain.clone() };
    let bytes = postcard::to_stdvec(&ParcelRecord::of(&whole)).unwrap();
    let read: ParcelRecord<'_> = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(read.with_id(plain.id), whole);
    let without = postcard::to_stdvec(&ParcelRecord::of(&plain)).unwrap();
    assert_eq!(bytes.strip_prefix(&without[..]), Some(&behind[..]));
}
