//! What the admin port writes: tokens, endpoints, the audit log, and the answers that are given
//! once. It is there when it is answered, whatever is killed then; none of it happens twice, and
//! nobody writes over what another wrote [I1, I3, I8].

use super::*;
use crate::endpoint::RawSettings;
use crate::token::{Scope, TokenHash};

fn token(text: &str) -> Token {
    Token {
        name: name(text),
        hash: TokenHash::of(text),
        scopes: [Scope::Read].into_iter().collect(),
        created_at: NOW,
        expires_at: None,
        tenant: None,
        last_used_at: None,
    }
}

/// The tokens that a kill leaves: whether one is needed, and of each when it was last used.
async fn tokens_left(case: &Case<impl Subject>) -> (bool, Vec<(String, Option<Timestamp>)>) {
    let left = case.killed().store.tokens().await.unwrap();
    let tokens = left.tokens.iter().map(|it| (it.name.to_string(), it.last_used_at));
    (left.is_needed, tokens.collect())
}

/// [I1, I8]
pub(in crate::store) async fn a_token_is_there_when_it_is_answered_and_takes_no_other_ones_place<
    S: Subject,
>() {
    let case = Case::<S>::new();
    assert_eq!(tokens_left(&case).await, (false, Vec::new()));
    case.store.add_token(token("ci")).await.unwrap();
    case.store.add_token(token("ops")).await.unwrap();
    let again = case.store.add_token(token("ci")).await;
    assert!(matches!(again, Err(Error::TokenExists(_))), "{again:?}");
    case.store.note_token_uses(vec![(name("ops"), in_minutes(1))]).await.unwrap();
    let (ci, ops) = (("ci".to_owned(), None), ("ops".to_owned(), Some(in_minutes(1))));
    assert_eq!(tokens_left(&case).await, (true, vec![ci, ops.clone()]));

    case.store.revoke_token(name("ci")).await.unwrap();
    assert_eq!(tokens_left(&case).await, (true, vec![ops]));
    case.store.revoke_token(name("ops")).await.unwrap();
    assert_eq!(tokens_left(&case).await, (true, Vec::new()), "the port stays closed");
}

fn called(text: &str) -> RawSettings {
    RawSettings { name: text.to_owned(), ..RawSettings::default() }
}

async fn make(case: &Case<impl Subject>, text: &str) -> Result<StoredEndpoint, Error> {
    let id = case.store.endpoint_id().await.unwrap();
    let (settings, secrets) = (called(text), Vec::new());
    case.store.create_endpoint(NewEndpoint { id, settings, secrets }).await
}

/// The endpoints that a kill leaves.
async fn endpoints_left(case: &Case<impl Subject>) -> EndpointRows {
    case.killed().store.endpoints().await.unwrap()
}

/// [I1, I8]
pub(in crate::store) async fn an_endpoint_is_there_when_it_is_answered_and_no_change_is_undone<
    S: Subject,
>() {
    let case = Case::<S>::new();
    let (crm, erp) = (make(&case, "crm").await.unwrap(), make(&case, "erp").await.unwrap());
    let again = make(&case, "crm").await;
    assert!(matches!(again, Err(Error::EndpointExists(id)) if id == crm.id), "{again:?}");
    assert_eq!(endpoints_left(&case).await.endpoints, [crm.clone(), erp.clone()]);

    // Of two who change the same, the second has not seen what the first did.
    let rename = async |text: &str, revision| {
        let change = EndpointChange::Settings(Box::new(called(text)));
        case.store.change_endpoint(crm.id, revision, change).await
    };
    let first = rename("sales", crm.revision).await.unwrap();
    let second = rename("people", crm.revision).await;
    let Err(Error::EndpointChanged { revision }) = second else { panic!("{second:?}") };
    assert_eq!(revision, first.revision);
    assert_eq!(endpoints_left(&case).await.endpoints, [first, erp]);
    assert!(make(&case, "crm").await.is_ok(), "the name is free");
}

/// [I1, I8]
pub(in crate::store) async fn how_an_endpoint_fares_is_kept_until_it_is_deleted<S: Subject>() {
    let case = Case::<S>::new();
    let crm = make(&case, "crm").await.unwrap();
    let open = Health { breaker: 1, failures: 7, ..Health::default() };
    let hour = StatsHour { hour: 472_222, attempts: 7, ..StatsHour::default() };
    for _ in 0..2 {
        let (health, hours) = (Some(open.clone()), vec![hour.clone()]);
        let note = EndpointNote { key: crm.id.key(), health, hours };
        case.store.note_endpoints(vec![note]).await.unwrap();
    }
    let left = endpoints_left(&case).await;
    assert_eq!(left.health.get(&crm.id.key()), Some(&open));
    let hours = async |case: &Case<S>| {
        let hours = case.store.endpoint_stats(crm.id.key(), Timestamp(0)).await.unwrap();
        hours.iter().map(|it| (it.hour, it.attempts)).collect::<Vec<_>>()
    };
    assert_eq!(hours(&case.killed()).await, [(472_222, 14)]);

    let tombstone = case.store.delete_endpoint(crm.id).await.unwrap();
    assert!(hours(&case.killed()).await.is_empty());
    let left = endpoints_left(&case).await;
    assert!(left.endpoints.is_empty() && left.health.is_empty());
    assert_eq!(left.deleted, [tombstone]);
    assert!(make(&case, "crm").await.is_ok(), "the name is free");
    case.store.drained(crm.id).await.unwrap();
    assert!(!endpoints_left(&case).await.deleted[0].draining);
    case.store.bury_endpoints(vec![crm.id]).await.unwrap();
    assert!(endpoints_left(&case).await.deleted.is_empty());
}

fn deed(what: &str) -> Deed {
    Deed { what: what.to_owned(), ..Deed::default() }
}

/// [I1, I8]
pub(in crate::store) async fn the_audit_log_is_one_chain_over_kills<S: Subject>() {
    let case = Case::<S>::new();
    let record = |case: &Case<S>, what: &str| {
        let (store, deed) = (case.store.clone(), deed(what));
        async move { store.record(deed).await.unwrap() }
    };
    let first = record(&case, "one").await;
    tokio::join!(record(&case, "two"), record(&case, "three"));
    let case = case.killed();
    record(&case, "four").await;

    for case in [&case, &case.killed()] {
        let page = case.store.audit(AuditFilter::default(), None, 9, true).await.unwrap();
        let numbers: Vec<u64> = page.items.iter().map(|it| it.number).collect();
        assert_eq!((numbers, page.next), (vec![1, 2, 3, 4], None));
        assert_eq!(page.items[0], first);
        for pair in page.items.windows(2) {
            assert_eq!(pair[1].shown["previous"], pair[0].hash);
        }
    }
}

async fn begin(case: &Case<impl Subject>, key: OnceKey, request: u8) -> Once {
    case.store.begin_once(key, [request; 32]).await.unwrap()
}

/// [I3]
pub(in crate::store) async fn a_write_under_a_key_is_done_once_within_a_day<S: Subject>() {
    let case = Case::<S>::new();
    let key = OnceKey::of(b"ci", "key 1");
    let at_once = tokio::join!(begin(&case, key, 1), begin(&case, key, 1));
    let is_once =
        matches!(at_once, (Once::First, Once::Unfinished) | (Once::Unfinished, Once::First));
    assert!(is_once, "{at_once:?}");
    for case in [&case, &case.killed()] {
        assert_eq!(begin(case, key, 1).await, Once::Unfinished, "nobody knows whether it was done");
        assert_eq!(begin(case, key, 2).await, Once::Other);
    }
    assert_eq!(begin(&case, OnceKey::of(b"ops", "key 1"), 2).await, Once::First);

    let content_type = "application/json".to_owned();
    let answer = KeptAnswer { status: 201, content_type, body: "{}".into() };
    case.store.end_once(key, [1; 32], Some(answer.clone())).await.unwrap();
    case.clock.advance(Duration::from_secs(23 * 60 * 60));
    for case in [&case, &case.killed()] {
        assert_eq!(begin(case, key, 1).await, Once::Answered(answer.clone()));
        assert_eq!(begin(case, key, 2).await, Once::Other);
    }
    case.clock.advance(days(2));
    assert_eq!(begin(&case, key, 2).await, Once::First, "the key is known no longer");

    // What was not done may be done.
    case.store.end_once(key, [2; 32], None).await.unwrap();
    assert_eq!(begin(&case, key, 1).await, Once::First);
}
