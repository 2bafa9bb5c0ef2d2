//! Replays by filter: each goes on in slices to its end, whoever hangs up and whatever is killed,
//! and holds up nothing [I8].

use std::iter::once;
use std::pin::pin;

use super::drive::SLICE;
use super::replays::reopened;
use super::*;

fn all() -> EventFilter {
    EventFilter { source: Some(name("stripe")), ..EventFilter::default() }
}

/// As many events as this whose runs are done: what they are called, oldest first.
async fn done(case: &Case<impl Subject>, count: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|number| format!("evt_{number}")).collect();
    for part in names.chunks(300) {
        let events = part.iter().map(|id| event(id, "").to(&["ledger"], &[]));
        case.bring(events.collect()).await;
    }
    for run in case.runs().await {
        case.end_run(run, Verdict::Done).await;
    }
    names
}

/// What the events are called whose runs are due.
async fn due(case: &Case<impl Subject>) -> Vec<String> {
    case.runs().await.iter().map(|run| run.event.event.id.clone()).collect()
}

/// [I8]
pub(in crate::store) async fn a_replay_goes_on_after_a_start_and_never_comes_to_what_is_newer<
    S: Subject,
>() {
    let case = Case::<S>::new();
    let names = done(&case, 600).await;
    let begun = case.store.begin_replay(all()).await.unwrap();
    let slice = case.store.advance_replay(begun.id, SLICE).await.unwrap().unwrap();
    assert_eq!((slice.replayed, slice.finished_at), (reopened(SLICE), None));
    case.bring(vec![event("evt_later", "").to(&["ledger"], &[])]).await;

    let case = case.restart().await;
    assert_eq!(case.store.next_replay(None), Some(begun.id));
    assert_eq!(case.store.replay_progress(begun.id).await.unwrap(), Some(slice.clone()));
    let ended = case.finish_replay(slice).await;

    assert_eq!((ended.replayed, ended.finished_at), (reopened(600), Some(NOW)));
    assert_eq!(case.store.next_replay(None), None);
    assert_eq!(case.store.replay_progress(begun.id).await.unwrap(), Some(ended));
    let mut due = due(&case).await;
    due.retain(|id| id != "evt_later");
    assert_eq!(due, names);
}

/// [I8]
pub(in crate::store) async fn a_kill_in_any_slice_of_a_replay_repeats_none_and_loses_none<
    S: Subject,
>() {
    let case = Case::<S>::new();
    let names = done(&case, 300).await;
    let begun = case.store.begin_replay(all()).await.unwrap();
    let id = begun.id;
    case.subject.keep_cuts();
    case.finish_replay(begun).await;
    let cuts = case.subject.take_cuts(2, &mut fastrand::Rng::with_seed(7));
    assert!(cuts.len() >= 2, "{} commits", cuts.len());

    for (number, Cut { before, torn }) in cuts.into_iter().enumerate() {
        for left in once(before).chain(torn) {
            let case = Case::of(left, Config::at("nowhere"), NOW);
            let replay = case.store.replay_progress(id).await.unwrap().expect("it has begun");
            let ended = case.finish_replay(replay).await;
            assert_eq!(ended.replayed, reopened(300), "cut {number}");
            assert_eq!(due(&case).await, names, "cut {number}");
        }
    }
}

/// [I3]
pub(in crate::store) async fn a_slice_that_two_ask_for_at_once_is_done_once<S: Subject>() {
    let case = Case::<S>::new();
    done(&case, 300).await;
    let id = case.store.begin_replay(all()).await.unwrap().id;
    let advance = async || case.store.advance_replay(id, SLICE).await.unwrap().unwrap();
    let queued = async |are_there: fn(usize) -> bool| {
        while !are_there(case.store.stats().queued) {
            tokio::task::yield_now().await;
        }
    };
    // What was answered counts as queued for a moment longer.
    queued(|left| left == 0).await;
    // Both have looked before either is committed.
    case.subject.hold_commits();
    let go_on = async {
        queued(|asked| asked == 2).await;
        case.subject.let_commits_go();
    };

    let (one, other, ()) = tokio::join!(advance(), advance(), go_on);

    assert_eq!((one.replayed, other.replayed), (reopened(SLICE), reopened(SLICE)));
    assert_eq!(case.finish_replay(other).await.replayed, reopened(300));
}

/// [I7]
pub(in crate::store) async fn no_more_than_sixteen_replays_are_unfinished<S: Subject>() {
    let case = Case::<S>::new();
    case.subject.hold_commits();
    let append = start(&case.store, receipt(&[]));
    case.subject.wait_for_commit();
    let begin = || Box::pin(case.store.begin_replay(all()));
    let mut together: Vec<_> = (0..17).map(|_| begin()).collect();
    assert!(together.iter_mut().all(is_pending));
    case.subject.let_commits_go();
    append.await.unwrap();

    let (mut begun, mut refused) = (Vec::new(), 0);
    for begin in together {
        match begin.await {
            Ok(replay) => begun.push(replay),
            Err(Error::TooManyReplays { open: 16 }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((begun.len(), refused), (16, 1));
    assert!(matches!(begin().await, Err(Error::TooManyReplays { .. })));
    case.finish_replay(begun.remove(0)).await;
    assert!(begin().await.is_ok());
}

/// [I7]
pub(in crate::store) async fn the_last_hundred_finished_replays_are_kept<S: Subject>() {
    let case = Case::<S>::new();
    let mut ids = Vec::new();
    for _ in 0..101 {
        let begun = case.store.begin_replay(all()).await.unwrap();
        ids.push(case.finish_replay(begun).await.id);
    }

    let case = case.restart().await;

    let mut kept = Vec::new();
    for id in &ids {
        kept.extend(case.store.replay_progress(*id).await.unwrap().map(|replay| replay.id));
    }
    assert_eq!(kept, ids[1..]);
}

/// [I11]
pub(in crate::store) async fn replays_take_turns_and_open_nothing_while_a_mark_is_reached<
    S: Subject,
>() {
    let case = Case::<S>::new();
    let begin = async |filter: EventFilter| case.store.begin_replay(filter).await.unwrap().id;
    let opens = begin(all()).await;
    let hastens = begin(EventFilter { state: Some(State::Pending), ..all() }).await;
    let others = begin(EventFilter::default()).await;
    let next = |after: Option<Id>| case.store.next_replay(after);
    let turns = [None, Some(opens), Some(hastens), Some(others)].map(next);
    assert_eq!(turns, [opens, hastens, others, opens].map(Some));

    case.store.set_marks(Marks { all: 1, per_source: 9 });
    let moved = case.store.replays_moved();
    case.append(&[]).await;
    moved.await;
    assert_eq!([None, Some(hastens)].map(next), [Some(hastens); 2]);

    let moved = case.store.replays_moved();
    let parse = case.parse().await;
    case.store.commit_parse(parse, tried(Verdict::Done), Vec::new()).await.unwrap().unwrap();
    moved.await;
    assert_eq!(next(None), Some(opens));

    case.store.set_marks(Marks { all: 9, per_source: 1 });
    case.append(&[]).await;
    assert_eq!([None, Some(hastens)].map(next), [hastens, others].map(Some));
}

/// [I7]
pub(in crate::store) async fn a_canceled_replay_goes_no_further_and_leaves_its_place_to_another<
    S: Subject,
>() {
    let case = Case::<S>::new();
    done(&case, 300).await;
    let begin = async || case.store.begin_replay(all()).await;
    let begun = begin().await.unwrap();
    let slice = case.store.advance_replay(begun.id, SLICE).await.unwrap().unwrap();
    for _ in 1..16 {
        begin().await.unwrap();
    }
    assert!(matches!(begin().await, Err(Error::TooManyReplays { .. })));

    let canceled = case.store.change_replay(begun.id, ReplayChange::Cancel).await.unwrap();

    let expected = Replay { canceled: true, finished_at: Some(NOW), ..slice };
    assert_eq!(canceled, Some(expected.clone()));
    assert!(begin().await.is_ok());
    assert_ne!(case.store.next_replay(None), Some(begun.id));
    let case = case.restart().await;
    assert_ne!(case.store.next_replay(None), Some(begun.id));
    let again = [
        case.store.advance_replay(begun.id, SLICE).await.unwrap(),
        case.store.change_replay(begun.id, ReplayChange::Cancel).await.unwrap(),
        case.store.replay_progress(begun.id).await.unwrap(),
    ];
    for replay in again {
        assert_eq!(replay, Some(expected.clone()));
    }
    assert_eq!(due(&case).await.len(), SLICE, "what it opened stays open");
    let unknown = Id { position: begun.id.position + 1, ..begun.id };
    assert_eq!(case.store.change_replay(unknown, ReplayChange::Cancel).await.unwrap(), None);
}

/// [I8]
pub(in crate::store) async fn replays_are_listed_newest_first_also_after_a_start<S: Subject>() {
    let case = Case::<S>::new();
    let first = case.store.begin_replay(all()).await.unwrap();
    let second = case.store.begin_replay(EventFilter::default()).await.unwrap();
    let first = case.finish_replay(first).await;

    let listed = case.store.replays().await.unwrap();
    let case = case.restart().await;

    assert_eq!(listed, [second, first]);
    assert_eq!(case.store.replays().await.unwrap(), listed);
}

/// [I11]
pub(in crate::store) async fn a_slice_has_no_more_works_where_an_event_has_many<S: Subject>() {
    let case = Case::<S>::new();
    let endpoints: Vec<String> = (0..1000).map(|number| format!("crm-{number}")).collect();
    let endpoints: Vec<&str> = endpoints.iter().map(String::as_str).collect();
    case.bring((0..2).map(|id| event(&format!("evt_{id}"), "").to(&[], &endpoints)).collect())
        .await;
    let begun = case.store.begin_replay(all()).await.unwrap();

    let slice = case.store.advance_replay(begun.id, SLICE).await.unwrap().unwrap();

    assert_eq!((slice.replayed.unchanged, slice.finished_at), (SLICE, None));
    assert_eq!(case.finish_replay(slice).await.replayed.unchanged, 2000);
}

/// [I11]
pub(in crate::store) async fn a_look_in_which_nothing_matches_costs_one_commit<S: Subject>() {
    let case = Case::<S>::new();
    done(&case, 600).await;
    let dead = EventFilter { state: Some(State::Dead), ..all() };
    let begun = case.store.begin_replay(dead).await.unwrap();

    let slice = case.store.advance_replay(begun.id, SLICE).await.unwrap().unwrap();

    assert_eq!((slice.replayed, slice.finished_at), (Replayed::default(), Some(NOW)));
}

/// [I10]
pub(in crate::store) async fn replays_that_are_held_keep_nobody_from_idleness<S: Subject>() {
    let case = Case::<S>::new();
    case.store.begin_replay(all()).await.unwrap();
    let mut idle = pin!(case.store.idle());
    assert!(is_pending(&mut idle));

    case.store.hold_replays(true);
    idle.await;

    case.store.hold_replays(false);
    assert!(is_pending(&mut pin!(case.store.idle())));
}

/// [I10]
pub(in crate::store) async fn it_is_not_idle_while_a_replay_can_go_on<S: Subject>() {
    let case = Case::<S>::new();
    done(&case, 1).await;
    let begun = case.store.begin_replay(all()).await.unwrap();

    let mut idle = pin!(case.store.idle());
    assert!(is_pending(&mut idle), "the replay has not come to the event");
    case.finish_replay(begun).await;
    assert!(is_pending(&mut idle), "the run is due again");
    case.end_run(case.runs().await.pop().unwrap(), Verdict::Done).await;
    idle.await;
}
