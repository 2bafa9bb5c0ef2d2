//! Damage: a record that can't be read is the trouble of its own work and of nothing else [I12].

use super::once::keeping;
use super::*;
use crate::failure::Reason;

/// A store that keeps nothing in memory, so that every lease reads.
fn reading<S: Subject>() -> Case<S> {
    Case::with(Config { recent_bytes: 0, ..Config::at("nowhere") })
}

/// [I12]
pub(in crate::store) async fn a_record_that_can_not_be_read_stops_its_own_work_and_no_other<
    S: Subject,
>() {
    let case = reading::<S>();
    let first = case.append(&["evt_1"]).await;
    let second = case.append(&["evt_2"]).await;
    case.subject.damage(&case.store, first);

    let goes_on = async |case: &Case<S>, id: &str| {
        let works = case.store.take_parses(9, usize::MAX).await.unwrap();
        assert_eq!(works.iter().map(|work| work.id).collect::<Vec<_>>(), [second]);
        drop(works);
        case.store.sweep(&Retention::default()).await.unwrap();
        assert!(matches!(case.store.receipt(first).await, Err(Error::Damaged(_))));
        assert!(case.store.trouble().is_none());
        let new = case.append(&[id]).await;
        assert!(case.store.receipt(new).await.unwrap().is_some());
    };
    goes_on(&case.killed(), "evt_3").await;
    goes_on(&case, "evt_3").await;
}

/// It is named, and comes to nobody again [I8, I12].
pub(in crate::store) async fn what_can_not_be_read_is_a_dead_letter_that_says_so<S: Subject>() {
    let mut case = reading::<S>();
    let first = case.append(&["evt_1"]).await;
    case.append(&["evt_2"]).await;
    case.subject.damage(&case.store, first);
    assert_eq!(case.store.take_parses(9, usize::MAX).await.unwrap().len(), 1);
    // Behind all that the take has asked for.
    case.append(&["evt_3"]).await;

    for _ in 0..2 {
        let dead = case.store.dead(Page { cursor: None, limit: 9 }).await.unwrap().items;
        let letters = dead.iter().map(|letter| (letter.id, letter.kind, letter.reason));
        assert_eq!(letters.collect::<Vec<_>>(), [(first, WorkKind::Parse, Reason::Unreadable)]);
        assert_eq!(case.store.stats().works[&WorkKind::Parse].pending(), 2);
        case.reopen().await;
    }
}

/// [I12]
pub(in crate::store) async fn a_sweep_goes_on_beside_what_can_not_be_read<S: Subject>() {
    let mut case = reading::<S>();
    let (_, old) = case.finished("evt_1", Verdict::Done).await;
    let damaged = case.append(&["evt_2"]).await;
    case.subject.damage(&case.store, damaged);
    case.reopen().await;
    case.clock.advance(days(40));

    case.store.sweep(&keeping(days(2))).await.unwrap();

    for case in [&case, &case.killed()] {
        assert!(case.store.event(old).await.unwrap().is_none(), "it was kept long enough");
        assert!(matches!(case.store.receipt(damaged).await, Err(Error::Damaged(_))));
        assert!(case.store.trouble().is_none());
    }
}

/// [I12]
pub(in crate::store) async fn what_a_disk_altered_is_never_given_out_as_right<S: Subject>() {
    let case = reading::<S>();
    let ids = [case.append(&["evt_1"]).await, case.append(&["evt_2"]).await];
    case.subject.flip(&case.store, ids[0]);

    for case in [&case.killed(), &case] {
        let works = case.store.take_parses(9, usize::MAX).await.unwrap();
        let bodies = works.iter().map(|work| work.receipt.request.body.as_ref());
        assert_eq!(bodies.collect::<Vec<&[u8]>>(), [br#"["evt_2"]"#]);
        assert!(matches!(case.store.receipt(ids[0]).await, Err(Error::Damaged(_))));
    }
}
