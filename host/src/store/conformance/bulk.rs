//! Replays of very much: they open little at a time, stand still when they are asked to, and are
//! for single works where an endpoint, a reason or a kind says so [I8, I11].

use std::collections::BTreeSet;

use super::drive::SLICE;
use super::replays::reopened;
use super::*;
use crate::effect::Parcel;
use crate::failure::Reason;

/// Most works that replays open at a time.
const ROOM: usize = 1024;

fn dead() -> ReplayFilter {
    EventFilter { state: Some(State::Dead), ..EventFilter::default() }.into()
}

/// So many events, whose deliveries to this endpoint are all dead.
async fn died(case: &Case<impl Subject>, count: usize, endpoint: &str) -> Vec<Id> {
    let mut ids = Vec::new();
    for first in (0..count).step_by(300) {
        let numbers = first..count.min(first + 300);
        let new = |number| event(&format!("evt_{endpoint}_{number}"), "").to(&[], &[endpoint]);
        ids.extend(case.bring(numbers.map(new).collect()).await);
        for work in case.deliveries().await {
            case.end_delivery(work, Verdict::Dead).await;
        }
    }
    ids
}

async fn begin(case: &Case<impl Subject>, new: impl Into<NewReplay>) -> Replay {
    case.store.begin_replay(new).await.unwrap()
}

async fn advance(case: &Case<impl Subject>, id: Id) -> Replay {
    case.store.advance_replay(id, SLICE).await.unwrap().expect("it is kept")
}

/// What a replay of this comes to.
async fn replay(case: &Case<impl Subject>, filter: ReplayFilter) -> Replayed {
    let begun = begin(case, filter).await;
    case.finish_replay(begun).await.replayed
}

/// [I11]
pub(in crate::store) async fn replays_open_no_more_than_1024_works_at_a_time<S: Subject>() {
    let company = Duration::ZERO;
    let case = Case::<S>::with(Config { company, ..Config::at("nowhere") });
    died(&case, ROOM + 100, "crm").await;
    let id = begin(&case, dead()).await.id;
    for slice in 1..=ROOM / SLICE {
        assert_eq!(advance(&case, id).await.replayed, reopened(SLICE * slice));
    }

    assert_eq!(case.store.next_replay(None), None);
    let waiting = case.store.replay_progress(id).await.unwrap().unwrap();
    assert!(waiting.waits);
    assert_eq!(advance(&case, id).await, Replay { waits: false, ..waiting });
    let hastens = EventFilter { state: Some(State::Pending), ..EventFilter::default() };
    let hastens = begin(&case, hastens).await.id;
    assert_eq!(case.store.next_replay(None), Some(hastens), "it opens nothing");
    case.store.change_replay(hastens, ReplayChange::Cancel).await.unwrap();

    let moved = case.store.replays_moved();
    let mut works = case.deliveries().await;
    assert_eq!(works.len(), ROOM);
    case.end_delivery(works.remove(0), Verdict::Done).await;
    moved.await;
    assert_eq!(case.store.next_replay(None), Some(id));
    assert_eq!(advance(&case, id).await.replayed, reopened(ROOM + 1));
    assert_eq!(case.store.reopened_open(), ROOM);
}

/// [I8]
pub(in crate::store) async fn a_paused_replay_stands_still_until_it_is_resumed<S: Subject>() {
    let case = Case::<S>::new();
    died(&case, 300, "crm").await;
    let id = begin(&case, dead()).await.id;
    let slice = advance(&case, id).await;

    let paused = case.store.change_replay(id, ReplayChange::Pause).await.unwrap().unwrap();

    assert_eq!(paused, Replay { paused: true, ..slice.clone() });
    let case = case.restart().await;
    assert_eq!(case.store.next_replay(None), None);
    assert_eq!(advance(&case, id).await, paused);
    assert!(!case.store.replay_progress(id).await.unwrap().unwrap().waits);
    let moved = case.store.replays_moved();
    assert_eq!(case.store.change_replay(id, ReplayChange::Resume).await.unwrap(), Some(slice));
    moved.await;
    assert_eq!(case.store.next_replay(None), Some(id));
    let ended = case.finish_replay(paused).await;
    assert_eq!(ended.replayed, reopened(300));
    assert_eq!(
        case.store.change_replay(id, ReplayChange::Pause).await.unwrap(),
        Some(ended),
        "it is finished"
    );
    let unknown = Id { position: id.position + 1, ..id };
    assert_eq!(case.store.change_replay(unknown, ReplayChange::Pause).await.unwrap(), None);
}

/// [I8]
pub(in crate::store) async fn a_replay_of_an_endpoint_reaches_its_deliveries_and_no_others<
    S: Subject,
>() {
    let case = Case::<S>::new();
    let ids = case.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &["crm", "erp"])]).await;
    case.end_run(case.runs().await.pop().unwrap(), Verdict::Dead).await;
    for work in case.deliveries().await {
        let is_crm = work.endpoint == name("crm");
        case.end_delivery(work, if is_crm { Verdict::Dead } else { Verdict::Done }).await;
    }
    let of =
        |endpoint: &str| ReplayFilter { endpoint: Some(name(endpoint)), ..ReplayFilter::default() };

    assert_eq!(
        replay(&case, ReplayFilter { endpoint: Some(name("erp")), ..dead() }).await,
        reopened(0)
    );
    assert_eq!(replay(&case, of("erp")).await, reopened(1));
    assert_eq!(
        replay(&case, ReplayFilter { endpoint: Some(name("crm")), ..dead() }).await,
        reopened(1)
    );

    assert!(case.runs().await.is_empty());
    let crm = case.deliveries().await.into_iter().find(|work| work.endpoint == name("crm"));
    let view = case.store.event(ids[0]).await.unwrap().unwrap();
    assert_eq!(crm.map(|work| work.id), Some(view.deliveries[0].id), "under the same id");
}

/// [I8]
pub(in crate::store) async fn a_replay_by_reason_or_kind_reaches_those_works_alone<S: Subject>() {
    let case = Case::<S>::new();
    let unparsed = case.append(&["evt_0"]).await;
    let parse = case.parse().await;
    let unparsable = Try { reason: Some(Reason::Unparsable), ..tried(Verdict::Dead) };
    case.store.commit_parse(parse, unparsable, Vec::new()).await.unwrap().unwrap();
    case.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &["crm"])]).await;
    case.end_run(case.runs().await.pop().unwrap(), Verdict::Dead).await;
    case.end_delivery(case.deliveries().await.pop().unwrap(), Verdict::Dead).await;
    let because = |reason| ReplayFilter { reason: Some(reason), ..dead() };
    let of = |kind| ReplayFilter { kind: Some(kind), ..ReplayFilter::default() };

    assert_eq!(replay(&case, because(Reason::Discarded)).await, reopened(0));
    assert_eq!(replay(&case, because(Reason::Unparsable)).await, reopened(1));
    assert_eq!(case.parse().await.id, unparsed);
    assert_eq!(replay(&case, of(WorkKind::Run)).await, reopened(1));
    assert_eq!((case.runs().await.len(), case.deliveries().await.len()), (1, 0));
    assert_eq!(replay(&case, of(WorkKind::Delivery)).await, reopened(1));
    assert_eq!(case.deliveries().await.len(), 1);
}

/// [I8]
pub(in crate::store) async fn the_dead_deliveries_of_what_a_run_sent_are_reached_too<S: Subject>() {
    let case = Case::<S>::new();
    case.bring(vec![event("evt_1", "pi_1").to(&["ledger"], &[])]).await;
    let parcel =
        Parcel { endpoint: name("crm"), content_type: "text/plain".into(), body: "hello".into() };
    let effects = Effects { parcels: vec![parcel], ..Effects::default() };
    let run = case.runs().await.pop().unwrap();
    case.store.commit_run(run, tried(Verdict::Done), effects).await.unwrap().unwrap();
    case.end_delivery(case.deliveries().await.pop().unwrap(), Verdict::Dead).await;
    let about = |subject: &str| {
        let subject = Some(subject.to_owned());
        EventFilter { subject, state: Some(State::Dead), ..EventFilter::default() }
    };

    assert_eq!(case.replay_matching(about("pi_2")).await, reopened(0));
    assert_eq!(case.replay_matching(about("pi_1")).await, reopened(1));
    case.end_delivery(case.deliveries().await.pop().unwrap(), Verdict::Done).await;
    assert_eq!(case.replay_matching(EventFilter::default()).await, reopened(1), "the run alone");
}

/// [I8, I11]
pub(in crate::store) async fn a_replay_of_a_tenant_reaches_its_events_and_no_others<S: Subject>() {
    let case = Case::<S>::new();
    let allowance = Some(crate::effect::Allowance { events: 9, bytes: 999 });
    let of = |tenant: &str| {
        let tenant = Some(tenant.parse().unwrap());
        let new = event(&format!("of {tenant:?}"), "").to(&[], &["crm"]);
        NewEvent { allowance, tenant, ..new }
    };
    case.bring(vec![of("acme"), of("globex")]).await;
    for work in case.deliveries().await {
        case.end_delivery(work, Verdict::Dead).await;
    }
    let mut acme = dead();
    acme.events.tenant = Some("acme".parse().unwrap());

    assert_eq!(replay(&case, acme).await, reopened(1));

    let again = case.deliveries().await.pop().unwrap();
    let Payload::Event(stored) = &again.payload else { panic!("an event") };
    assert_eq!(stored.tenant, Some("acme".parse().unwrap()));
}

/// [I7]
pub(in crate::store) async fn no_tenant_has_more_than_four_unfinished_replays<S: Subject>() {
    let case = Case::<S>::new();
    let of = |tenant: &str| {
        let tenant = Some(tenant.parse().unwrap());
        EventFilter { tenant, ..EventFilter::default() }
    };
    for _ in 0..4 {
        begin(&case, of("acme")).await;
    }

    let fifth = case.store.begin_replay(of("acme")).await;

    assert!(matches!(fifth, Err(Error::TooManyReplays { open: 4 })));
    begin(&case, of("globex")).await;
    begin(&case, EventFilter::default()).await;
}

/// [I8]
pub(in crate::store) async fn a_preview_says_what_a_replay_would_come_to_and_opens_nothing<
    S: Subject,
>() {
    let case = Case::<S>::new();
    let first = died(&case, 2, "erp").await[0];
    died(&case, 12, "crm").await;

    let preview = case.store.preview_replay(dead()).await.unwrap();

    assert_eq!((preview.matches, preview.at_least), (14, false));
    let by_endpoint: Vec<_> =
        preview.by_endpoint.iter().map(|it| (it.endpoint.as_str(), it.matches)).collect();
    assert_eq!(by_endpoint, [("crm", 12), ("erp", 2)]);
    assert_eq!(preview.samples.len(), 10);
    let Sample { kind, name, event, .. } = &preview.samples[0];
    assert_eq!((*kind, name.as_str(), *event), (WorkKind::Delivery, "erp", Some(first)));
    let time = Duration::from_secs(60);
    assert_eq!(case.store.count_for_replay(dead(), time).await.unwrap(), Some(14));
    let all = ReplayFilter { endpoint: Some(self::name("crm")), ..ReplayFilter::default() };
    assert_eq!(case.store.preview_replay(all).await.unwrap().matches, 12);
    assert!(case.deliveries().await.is_empty(), "nothing is opened");
}

/// [I8, I11]
pub(in crate::store) async fn a_replay_passes_over_an_endpoint_that_does_not_answer_and_comes_back<
    S: Subject,
>() {
    let case = Case::<S>::new();
    died(&case, 300, "crm").await;
    died(&case, 300, "erp").await;
    let (away, back) = (Allowance { is_trusted: false, ..Allowance::of(9) }, Allowance::of(9));
    case.store.allow(&name("crm"), away);
    let id = begin(&case, dead()).await.id;

    // All that may wait for `crm`, then what goes to `erp`.
    for slice in 1..=18 {
        assert_eq!(advance(&case, id).await.replayed, reopened(556.min(SLICE * slice)));
    }
    let waiting = case.store.replay_progress(id).await.unwrap().unwrap();
    assert!(waiting.waits && case.store.next_replay(None).is_none());
    assert_eq!(advance(&case, id).await, Replay { waits: false, ..waiting });
    let moved = case.store.replays_moved();
    case.store.allow(&name("crm"), back);
    moved.await;
    assert_eq!(case.store.next_replay(None), Some(id));

    // What it has left is in its row.
    let case = case.restart().await;
    let left = case.store.replay_progress(id).await.unwrap().expect("it is kept");
    let ended = case.finish_replay(left).await;
    assert_eq!((ended.replayed, ended.finished_at), (reopened(600), Some(NOW)));
    let works = case.deliveries().await;
    let ids: BTreeSet<Id> = works.iter().map(|work| work.id).collect();
    assert_eq!((works.len(), ids.len()), (600, 600), "each once");
}

/// Have `Places::full` count those that rest, and the seventeenth is refused. [I7, I11]
pub(in crate::store) async fn replays_that_wait_for_an_endpoint_that_fails_leave_their_places<
    S: Subject,
>() {
    let company = Duration::ZERO;
    let case = Case::<S>::with(Config { company, ..Config::at("nowhere") });
    died(&case, ROOM + 1, "crm").await;
    let (away, back) = (Allowance { is_trusted: false, ..Allowance::of(9) }, Allowance::of(9));
    case.store.allow(&name("crm"), away);
    let crm = ReplayFilter { endpoint: Some(name("crm")), ..dead() };
    let mut of_acme = crm.clone();
    of_acme.events.tenant = Some("acme".parse().unwrap());
    let id = begin(&case, crm.clone()).await.id;
    while case.store.next_replay(None).is_some() {
        advance(&case, id).await;
    }

    for _ in 0..16 {
        begin(&case, of_acme.clone()).await;
    }
    let more = case.store.begin_replay(of_acme).await;
    assert!(matches!(more, Err(Error::TooManyReplays { open: 16 })), "{more:?}");
    for _ in 17..100 {
        begin(&case, crm.clone()).await;
    }
    let more = case.store.begin_replay(dead()).await;
    assert!(matches!(more, Err(Error::TooManyReplays { open: 100 })), "{more:?}");

    case.store.allow(&name("crm"), back);
    let more = case.store.begin_replay(dead()).await;
    assert!(matches!(more, Err(Error::TooManyReplays { open: 16 })), "it answers: {more:?}");
}
