//! Who follows the events hears that a sweep has removed some which have not come.

use super::*;

/// Three finished events, each with the cursor behind it.
async fn three() -> (Bench, Vec<Cursor>) {
    let bench = Bench::new();
    let following = bench.store.follow(EventFilter::default(), None).unwrap();
    for id in ["evt_1", "evt_2", "evt_3"] {
        bench.finished(id, Verdict::Done).await;
    }
    let news = bench.store.news(&following, 9).await.unwrap();
    let cursors = news.events.into_iter().map(|(_, cursor)| cursor).collect();
    (bench, cursors)
}

/// Why events may be missing behind a cursor, at the first look and at the second.
async fn gaps(bench: &Bench, cursor: Cursor) -> [Option<Gap>; 2] {
    let following = bench.store.follow(EventFilter::default(), Some(cursor)).unwrap();
    let first = bench.store.news(&following, 9).await.unwrap();
    let second = bench.store.news(&first.then, 9).await.unwrap();
    [first.gap, second.gap]
}

#[tokio::test]
async fn a_cursor_that_removed_events_stand_behind_is_told_so_once() {
    let (bench, cursors) = three().await;
    let (bench, _) = bench.sweep_after(92, &Retention::default()).await;
    let bench = bench.restart().await;

    for cursor in &cursors[..2] {
        assert_eq!(gaps(&bench, *cursor).await, [Some(Gap::Removed), None]);
    }
    assert_eq!(gaps(&bench, cursors[2]).await, [None, None], "it has all that was removed");
}

#[tokio::test]
async fn what_else_a_sweep_removes_is_no_gap() {
    let (bench, cursors) = three().await;
    let retention = Retention { attempts: days(5), bodies: days(5), ..Retention::default() };
    let (bench, swept) = bench.sweep_after(10, &retention).await;

    assert!(swept.records > 0 && swept.bodies > 0, "{swept:?}");
    assert_eq!(gaps(&bench, cursors[0]).await, [None, None]);
}

#[tokio::test]
async fn who_follows_all_along_hears_of_a_gap_when_the_sweep_comes_first() {
    let (bench, cursors) = three().await;
    let following = bench.store.follow(EventFilter::default(), Some(cursors[1])).unwrap();
    let (bench, _) = bench.sweep_after(92, &Retention::default()).await;
    bench.finished("evt_4", Verdict::Done).await;

    let news = bench.store.news(&following, 9).await.unwrap();
    let ids: Vec<_> =
        news.events.iter().map(|(event, _)| event.summary.event_id.as_str()).collect();
    assert_eq!((news.gap, ids), (Some(Gap::Removed), vec!["evt_4"]));
}
