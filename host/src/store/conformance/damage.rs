//! Damage: a record that can't be read is the trouble of its own work and of nothing else [I12].

use super::*;

/// [I12]
pub(in crate::store) async fn a_record_that_can_not_be_read_stops_its_own_work_and_no_other<
    S: Subject,
>() {
    // It keeps nothing in memory, so that every lease reads.
    let case = Case::<S>::with(Config { recent_bytes: 0, ..Config::at("nowhere") });
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
