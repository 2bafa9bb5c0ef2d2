//! What is counted of two versions, and what drops one of them.

use super::*;

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const TOOK: Duration = Duration::from_micros(20);

fn handler() -> Name {
    "dunning".parse().unwrap()
}

fn row(digest: &str, verdict: CanaryVerdict, at: u64) -> CanaryRow {
    CanaryRow {
        handler: handler(),
        digest: digest.to_owned(),
        version: "2".to_owned(),
        live_digest: "d0".to_owned(),
        live_version: "1".to_owned(),
        began: NOW,
        canary: CanaryTally::default(),
        live: CanaryTally::default(),
        verdict,
        at: Timestamp(NOW.0 + at),
        by: String::new(),
        p: None,
    }
}

/// With one canary that runs.
fn canaries() -> Canaries {
    let canaries = Canaries::default();
    canaries.restore(vec![row("d1", CanaryVerdict::Running, 0)]);
    canaries
}

fn sample(version: Version) -> Sample {
    Sample { version, epoch: 1, is_first: true, effects: 2 }
}

/// A first try ends.
fn tried(
    canaries: &Canaries,
    version: Version,
    cause: Option<Cause>,
) -> Option<(&'static str, bool)> {
    canaries.ended(&handler(), sample(version), (cause, TOOK, NOW))
}

/// As many first tries end.
fn many(canaries: &Canaries, version: Version, cause: Option<Cause>, times: usize) {
    for _ in 0..times {
        tried(canaries, version, cause);
    }
}

fn verdict(canaries: &Canaries) -> CanaryVerdict {
    canaries.row(&handler()).unwrap().verdict
}

#[test]
fn both_versions_are_counted_with_their_failures_times_and_effects() {
    let canaries = canaries();
    assert_eq!(tried(&canaries, Version::Next, None), Some(("next", false)));
    assert_eq!(tried(&canaries, Version::Next, Some(Cause::Failure)), Some(("next", true)));
    assert_eq!(tried(&canaries, Version::Live, None), Some(("live", false)));
    let row = canaries.row(&handler()).unwrap();
    assert_eq!(row.canary, CanaryTally { runs: 2, failures: 1, time_us: 40, effects: 4 });
    assert_eq!(row.live, CanaryTally { runs: 1, failures: 0, time_us: 20, effects: 2 });
}

/// Without the list of causes, a busy gateway drops every canary.
#[test]
fn what_is_no_fault_of_the_plugin_and_what_is_no_first_try_counts_for_neither() {
    let canaries = canaries();
    for cause in [Cause::Busy, Cause::Host, Cause::Panic, Cause::Missing] {
        assert_eq!(tried(&canaries, Version::Next, Some(cause)), None, "{cause:?}");
    }
    let again = Sample { is_first: false, ..sample(Version::Next) };
    assert_eq!(canaries.ended(&handler(), again, (Some(Cause::Failure), TOOK, NOW)), None);
    let of_another = Sample { epoch: 7, ..sample(Version::Next) };
    assert_eq!(canaries.ended(&handler(), of_another, (None, TOOK, NOW)), None);
    assert_eq!(canaries.row(&handler()).unwrap().canary, CanaryTally::default());
}

#[test]
fn a_canary_that_fails_significantly_more_is_dropped_at_a_look() {
    let canaries = canaries();
    let changes = canaries.changes();
    many(&canaries, Version::Live, None, 500);
    many(&canaries, Version::Next, Some(Cause::Failure), 6);
    many(&canaries, Version::Next, None, 18);
    assert_eq!(verdict(&canaries), CanaryVerdict::Running, "it is not looked at yet");
    tried(&canaries, Version::Next, None);

    let row = canaries.row(&handler()).unwrap();
    assert_eq!((row.verdict, row.by.as_str()), (CanaryVerdict::DroppedByTest, GATEWAY));
    assert!(row.p.is_some_and(|p| p < 1e-6), "{:?}", row.p);
    assert!(changes.has_changed().unwrap(), "whoever moves files hears of it");
    assert_eq!(canaries.dropped(&handler(), "d1"), Some(row.clone()));
    assert_eq!(canaries.take_unstored(NOW), [row]);
    assert_eq!(tried(&canaries, Version::Next, None), None, "nothing is counted behind it");
}

#[test]
fn a_canary_that_breaks_again_and_again_is_dropped_before_any_look() {
    for (cause, times) in [(Cause::Deadline, 3), (Cause::Memory, 3), (Cause::Trap, 10)] {
        let canaries = canaries();
        many(&canaries, Version::Next, Some(cause), times - 1);
        many(&canaries, Version::Next, None, 1);
        many(&canaries, Version::Next, Some(cause), times - 1);
        many(&canaries, Version::Live, Some(cause), 20);
        assert_eq!(verdict(&canaries), CanaryVerdict::Running, "{cause:?}: one returned between");
        tried(&canaries, Version::Next, Some(cause));
        assert_eq!(verdict(&canaries), CanaryVerdict::DroppedBroke, "{cause:?}");
    }
}

/// An event over which both versions trap is tried again and again, and says nothing of either.
#[test]
fn one_event_that_is_tried_again_does_not_drop_a_canary_by_its_traps() {
    let canaries = canaries();
    let again = Sample { is_first: false, ..sample(Version::Next) };
    for _ in 0..20 {
        canaries.ended(&handler(), again, (Some(Cause::Trap), TOOK, NOW));
    }
    assert_eq!(verdict(&canaries), CanaryVerdict::Running);
    for _ in 0..3 {
        canaries.ended(&handler(), again, (Some(Cause::Deadline), TOOK, NOW));
    }
    assert_eq!(verdict(&canaries), CanaryVerdict::DroppedBroke, "each costs a whole deadline");
}

#[test]
fn a_start_goes_on_from_what_was_noted_last_and_knows_what_was_dropped() {
    let canaries = Canaries::default();
    canaries.restore(vec![
        row("d1", CanaryVerdict::DroppedByOperator, 1),
        CanaryRow {
            canary: CanaryTally { runs: 24, ..CanaryTally::default() },
            ..row("d3", CanaryVerdict::Running, 9)
        },
        row("d2", CanaryVerdict::Promoted, 5),
    ]);
    assert!(canaries.dropped(&handler(), "d1").is_some());
    assert!(canaries.dropped(&handler(), "d2").is_none());
    assert_eq!(canaries.row(&handler()).unwrap().digest, "d3");
    assert!(canaries.take_unstored(NOW).is_empty(), "the store has all of it");

    let all = canaries.all_running();
    assert_eq!(all.len(), 1);
    assert_eq!(canaries.end(&handler(), CanaryVerdict::Removed, FILES, NOW).unwrap().digest, "d3");
    assert!(canaries.end(&handler(), CanaryVerdict::Removed, FILES, NOW).is_none());
}

#[test]
fn what_could_not_be_stored_is_given_again() {
    let canaries = canaries();
    tried(&canaries, Version::Next, None);
    let counts = canaries.take_unstored(NOW).remove(0);
    assert!(canaries.take_unstored(NOW).is_empty());
    canaries.not_stored(counts);
    assert_eq!(canaries.take_unstored(NOW).len(), 1);

    let ended = canaries.end(&handler(), CanaryVerdict::DroppedByOperator, "the API", NOW).unwrap();
    assert_eq!(canaries.take_unstored(NOW), std::slice::from_ref(&ended));
    canaries.not_stored(ended.clone());
    assert_eq!(canaries.take_unstored(NOW), [ended]);
}
