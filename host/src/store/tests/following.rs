//! Who follows the events gets each once, in the order in which they were stored.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;

/// What comes, in looks of two events, until that is all.
async fn all(bench: &Bench, following: &mut Following) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        let news = bench.store.news(following, 2).await.unwrap();
        assert!(news.gap.is_none() && news.damaged.is_empty(), "{news:?}");
        assert!(news.events.len() <= 2);
        seen.extend(news.events.into_iter().map(|(event, _)| event.summary.event_id));
        *following = news.then;
        if news.is_all {
            return seen;
        }
    }
}

fn events(ids: &[&str]) -> Vec<NewEvent> {
    ids.iter().map(|id| event(id, "pi_1").to(&["ledger"], &["crm"])).collect()
}

#[tokio::test]
async fn each_event_comes_once_and_in_its_order_however_the_looks_fall() {
    let bench = Bench::new();
    bench.bring(events(&["before"])).await;
    let mut following = bench.store.follow(EventFilter::default(), None).unwrap();
    assert_eq!(all(&bench, &mut following).await, Vec::<String>::new());

    bench.bring(events(&["a", "b", "c"])).await;
    bench.bring(events(&["d"])).await;
    assert_eq!(all(&bench, &mut following).await, ["a", "b", "c", "d"]);
    // A receipt, a try and an attempt stand behind them.
    bench.append(&["evt"]).await;
    bench.end_run(bench.runs().await.pop().unwrap(), Verdict::Done).await;
    assert_eq!(all(&bench, &mut following).await, Vec::<String>::new());
    let bench = bench.restart().await;
    assert_eq!(all(&bench, &mut following).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_cursor_goes_on_behind_its_event_also_in_another_life() {
    let bench = Bench::new();
    let following = bench.store.follow(EventFilter::default(), None).unwrap();
    bench.bring(events(&["a", "b", "c"])).await;
    let news = bench.store.news(&following, 2).await.unwrap();
    let (cursors, end) = (news.events.iter().map(|(_, cursor)| *cursor), news.then.cursor());
    let cursors: Vec<Cursor> = following.cursor().into_iter().chain(cursors).chain(end).collect();

    let bench = bench.restart().await;
    let left = [&["a", "b", "c"][..], &["b", "c"], &["c"], &["c"]];
    for (cursor, left) in cursors.into_iter().zip(left) {
        let filter = EventFilter::default();
        let mut following = bench.store.follow(filter, Some(cursor)).unwrap();
        assert_eq!(all(&bench, &mut following).await, left);
    }
    let other = EventFilter { subject: Some("pi_1".to_owned()), ..EventFilter::default() };
    let foreign = bench.store.follow(other, following.cursor());
    assert!(matches!(foreign, Err(Error::ForeignCursor)));
}

#[tokio::test]
async fn a_filter_and_a_time_leave_out_what_does_not_match() {
    let bench = Bench::new();
    bench.bring(vec![event("a", "pi_1"), event("b", "pi_2")]).await;
    bench.clock.advance(Duration::from_secs(60));
    bench.bring(vec![event("c", "pi_1"), event("d", "pi_2")]).await;

    let (subject, after) = (Some("pi_1".to_owned()), Some(bench.clock.now()));
    let of_subject = EventFilter { subject, after: Some(NOW), ..EventFilter::default() };
    let of_time = EventFilter { after, ..EventFilter::default() };
    for (filter, expected) in [(of_subject, ["a", "c"]), (of_time, ["c", "d"])] {
        let mut following = bench.store.follow(filter, None).unwrap();
        assert_eq!(all(&bench, &mut following).await, expected);
    }
}

#[tokio::test]
async fn every_commit_wakes_who_follows() {
    let bench = Bench::new();
    let mut growth = bench.store.growth();
    for woken in [false, true, false] {
        if woken {
            bench.bring(events(&["a"])).await;
        }
        let polled = pin!(growth.grown()).poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, if woken { Poll::Ready(()) } else { Poll::Pending });
    }
}

/// As after a backup was put back.
#[tokio::test]
async fn a_cursor_that_the_store_does_not_reach_is_told_and_goes_on_from_the_end() {
    let longer = Bench::new();
    let following = longer.store.follow(EventFilter::default(), None).unwrap();
    longer.bring(events(&["a", "b", "c"])).await;
    let ahead = longer.store.news(&following, 9).await.unwrap().then.cursor();

    let bench = Bench::new();
    let following = bench.store.follow(EventFilter::default(), ahead).unwrap();
    let news = bench.store.news(&following, 9).await.unwrap();
    assert_eq!((news.gap, news.events.len(), news.is_all), (Some(Gap::Behind), 0, true));
    let mut following = news.then;
    bench.bring(events(&["x"])).await;
    assert_eq!(all(&bench, &mut following).await, ["x"]);
}

/// The deliveries that came, each with how it stood then.
async fn attempted(bench: &Bench, following: &mut Following) -> Vec<(State, u64)> {
    let news = bench.store.news(following, 9).await.unwrap();
    assert!(news.is_all && news.gap.is_none() && news.damaged.is_empty(), "{news:?}");
    *following = news.then;
    let stood = |(it, _): (DeliverySummary, Cursor)| (it.state, it.last_attempt.unwrap().at.0);
    news.deliveries.into_iter().map(stood).collect()
}

#[tokio::test]
async fn each_attempt_comes_once_with_its_delivery_as_it_stood_then() {
    let bench = Bench::new();
    let any = DeliveryFilter::default;
    let mut following = bench.store.follow_deliveries(any(), None).unwrap();
    let done = DeliveryFilter { state: Some(State::Done), ..any() };
    let mut only_done = bench.store.follow_deliveries(done, None).unwrap();
    bench.bring(events(&["a"])).await;
    assert!(attempted(&bench, &mut following).await.is_empty());

    for (minute, verdict) in [(0, Verdict::RetryAt(in_minutes(1))), (1, Verdict::Done)] {
        bench.clock.set(in_minutes(minute));
        let work = bench.deliveries().await.pop().unwrap();
        let made = Attempt { at: in_minutes(minute), ..attempt(verdict) };
        bench.store.record_attempt(work, made).await.unwrap().unwrap();
    }
    let both = [(State::Pending, in_minutes(0).0), (State::Done, in_minutes(1).0)];
    assert_eq!(attempted(&bench, &mut following).await, both);
    assert!(attempted(&bench, &mut following).await.is_empty());
    assert_eq!(attempted(&bench, &mut only_done).await, both[1..]);
    let after = DeliveryFilter { after: Some(in_minutes(1)), ..any() };
    let mut late = bench.store.follow_deliveries(after, None).unwrap();
    assert_eq!(attempted(&bench, &mut late).await, both[1..], "from a time on");
}

/// What comes with replays and data, as the id of each, when it was replayed and its data.
async fn again(bench: &Bench, following: &mut Following) -> Vec<(String, Option<u64>, String)> {
    let news = bench.store.news(following, 9).await.unwrap();
    assert!(news.is_all && news.gap.is_none() && news.damaged.is_empty(), "{news:?}");
    *following = news.then;
    let shown = |(it, _): (StreamedEvent, Cursor)| {
        let data = it.event.expect("it has its data").data.get().to_owned();
        (it.summary.event_id, it.replayed_at.map(|at| at.0), data)
    };
    news.events.into_iter().map(shown).collect()
}

/// Take the comparison with `last` out of [`Snapshot::replayed_now`], and the event comes again
/// for each of its works.
#[tokio::test]
async fn a_replayed_event_comes_again_once_and_whatever_its_age() {
    let bench = Bench::new();
    let (_, oldest) = bench.finished("a", Verdict::Done).await;
    bench.finished("b", Verdict::Done).await;
    bench.clock.set(in_minutes(5));
    let after = Some(in_minutes(4));
    let events = EventFilter { after, ..EventFilter::default() };
    let types = vec!["payment.*".parse().unwrap()];
    let filter = StreamFilter { events, types, is_with_replays: true, is_with_data: true };
    let mut following = bench.store.follow(filter.clone(), None).unwrap();
    let deaf = StreamFilter { is_with_replays: false, ..filter.clone() };
    let mut deaf = bench.store.follow(deaf, None).unwrap();
    let others = StreamFilter { types: vec!["refund.*".parse().unwrap()], ..filter };
    let mut others = bench.store.follow(others, None).unwrap();
    for following in [&mut following, &mut deaf, &mut others] {
        assert!(again(&bench, following).await.is_empty());
    }

    assert_eq!(bench.store.replay(vec![oldest]).await.unwrap().reopened, 2);

    let came = again(&bench, &mut following).await;
    let data = r#"{"amount":1099}"#.to_owned();
    assert_eq!(came, [("a".to_owned(), Some(in_minutes(5).0), data)]);
    assert!(again(&bench, &mut deaf).await.is_empty(), "it did not ask for replays");
    assert!(again(&bench, &mut others).await.is_empty(), "it asked for other types");
}
