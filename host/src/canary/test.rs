//! Whether a canary fails significantly more than the live version: Fisher's exact test.
//!
//! One-sided, over first tries, and looked at again and again: each look has its part of the chance
//! to be wrong, so that all looks together are wrong about an equal canary once in ten thousand
//! canaries, however long it runs. Pure; never decides what becomes of a canary.

use std::f64::consts::{PI, TAU};

use serde::{Deserialize, Serialize};

/// How many runs of a canary lie between two looks.
pub const LOOK_EVERY: u64 = 25;
/// How likely it is that any look drops a canary that is equal to the live version.
pub const ALPHA: f64 = 1e-4;

/// What changes a sum of probabilities by less than this says nothing more.
const NEGLIGIBLE: f64 = 1e-18;
/// From here on Stirling's series is exact to the last digits.
const SERIES_FROM: u64 = 32;

/// How often a version ran and failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counted {
    /// First tries.
    pub runs: u64,
    /// Those of them that failed.
    pub failures: u64,
}

/// How likely an equal canary would fail as often as this or more often, given how often both
/// failed together: from 0 to 1.
pub fn p_value(canary: Counted, live: Counted) -> f64 {
    let (failed, runs) = (canary.failures.min(canary.runs), canary.runs);
    let failures = failed.saturating_add(live.failures.min(live.runs));
    let all = runs.saturating_add(live.runs);
    if failed == 0 || live.runs == 0 {
        return 1.0;
    }
    let tail = Tail { all, runs, failures };
    // Terms shrink on the way from the mean, so each tail is summed on its own side of it.
    let is_above = u128::from(failed) * u128::from(all) > u128::from(runs) * u128::from(failures);
    let p = if is_above { tail.or_more(failed) } else { 1.0 - tail.fewer(failed) };
    p.clamp(0.0, 1.0)
}

/// What is significant at a look; the first one has the number 1.
pub fn bound(look: u64) -> f64 {
    let look = float(look.max(1));
    ALPHA * 6.0 / (PI * PI * look * look)
}

/// The p-value, if this is the time to look and it is significant.
pub fn is_worse(canary: Counted, live: Counted) -> Option<f64> {
    if canary.runs == 0 || !canary.runs.is_multiple_of(LOOK_EVERY) {
        return None;
    }
    let p = p_value(canary, live);
    (p < bound(canary.runs / LOOK_EVERY)).then_some(p)
}

/// How many of `failures` among `all` are among `runs` of them, if chance alone decides.
struct Tail {
    all: u64,
    runs: u64,
    failures: u64,
}

impl Tail {
    /// The chance of exactly so many.
    fn of(&self, failed: u64) -> f64 {
        let Self { all, runs, failures } = *self;
        let Some(others) = runs.checked_sub(failed).filter(|it| *it <= all - failures) else {
            return 0.0;
        };
        if failed > failures {
            return 0.0;
        }
        let ln = ln_choose(failures, failed) + ln_choose(all - failures, others);
        (ln - ln_choose(all, runs)).exp()
    }

    /// The chance of so many or more, which must be more than the mean.
    fn or_more(&self, failed: u64) -> f64 {
        let Self { all, runs, failures } = *self;
        let (mut sum, mut term) = (0.0, self.of(failed));
        let most = failures.min(runs);
        for number in failed..=most {
            sum += term;
            if term <= sum * NEGLIGIBLE {
                break;
            }
            let of_others = float(all - failures) - float(runs - number) + 1.0;
            term *= float(failures - number) / float(number + 1) * float(runs - number) / of_others;
        }
        sum
    }

    /// The chance of fewer, which must be at most the mean.
    fn fewer(&self, failed: u64) -> f64 {
        let Self { all, runs, failures } = *self;
        let Some(first) = failed.checked_sub(1) else { return 0.0 };
        let (mut sum, mut term) = (0.0, self.of(first));
        for number in (0..=first).rev() {
            sum += term;
            if term <= sum * NEGLIGIBLE {
                break;
            }
            let of_others = float(all - failures) - float(runs - number);
            term *=
                float(number) / float(failures - number + 1) * of_others / float(runs - number + 1);
        }
        sum
    }
}

/// The logarithm of how many ways there are to choose some of all.
fn ln_choose(all: u64, some: u64) -> f64 {
    ln_factorial(all) - ln_factorial(some) - ln_factorial(all - some)
}

fn ln_factorial(number: u64) -> f64 {
    if number < SERIES_FROM {
        return (2..=number).map(|factor| float(factor).ln()).sum();
    }
    let n = float(number);
    let series = (1.0 - (1.0 / 30.0 - 1.0 / (105.0 * n * n)) / (n * n)) / (12.0 * n);
    n * n.ln() - n + 0.5 * (TAU * n).ln() + series
}

/// Counts are far below the numbers that this rounds.
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counted(failures: u64, runs: u64) -> Counted {
        Counted { runs, failures }
    }

    #[track_caller]
    fn check(canary: Counted, live: Counted, expected: f64) {
        let p = p_value(canary, live);
        assert!((p / expected - 1.0).abs() < 1e-9, "{p}, not {expected}");
    }

    /// The first two are those of Fisher's lady who tastes tea: 17 of 70 ways, and 1 of 70. The
    /// others are sums of whole numbers of ways.
    #[test]
    fn the_p_value_is_that_of_fisher_s_exact_test() {
        check(counted(3, 4), counted(1, 4), 17.0 / 70.0);
        check(counted(4, 4), counted(0, 4), 1.0 / 70.0);
        check(counted(5, 10), counted(2, 100), 3.986_324_377_045_558e-5);
        check(counted(12, 250), counted(3, 5_000), 4.212_796_433_860_004_6e-14);
        check(counted(2, 100), counted(30, 1_000), 0.805_393_276_975_198_4);
        check(counted(0, 412), counted(3, 8_104), 1.0);
    }

    #[test]
    fn the_logarithm_of_a_factorial_is_the_same_by_the_series_as_by_the_product() {
        for number in [SERIES_FROM, 50, 170] {
            let product: f64 = (2..=number).map(|factor| float(factor).ln()).sum();
            assert!((ln_factorial(number) - product).abs() < 1e-11, "{number}");
        }
    }

    proptest! {
        /// Whatever is counted: never not a number, and more failures never make it less sure.
        #[test]
        fn a_p_value_is_a_probability_and_falls_with_each_failure(
            runs in 0..200_000_u64, live_runs in 0..10_000_000_u64,
            share in 0..=1_000_u64, live_share in 0..=1_000_u64,
        ) {
            let part = |of: u64, share: u64| of * share / 1_000;
            let live = counted(part(live_runs, live_share), live_runs);
            let failures = part(runs, share);
            let p = p_value(counted(failures, runs), live);
            prop_assert!((0.0..=1.0).contains(&p), "{p}");
            if failures < runs {
                let more = p_value(counted(failures + 1, runs), live);
                prop_assert!(more <= p * (1.0 + 1e-4) + 1e-6, "{more} after {p}");
            }
        }
    }

    /// How many runs of a canary there were when it was dropped, if it was: of every twenty runs
    /// one is the canary's, and each fails by chance.
    fn dropped(random: &mut fastrand::Rng, runs: u64, (canary, live): (f64, f64)) -> Option<u64> {
        let (mut counts, mut lives) = (Counted::default(), Counted::default());
        while counts.runs < runs {
            lives.runs += 19;
            lives.failures += (0..19).map(|_| u64::from(random.f64() < live)).sum::<u64>();
            counts.runs += 1;
            counts.failures += u64::from(random.f64() < canary);
            if is_worse(counts, lives).is_some() {
                return Some(counts.runs);
            }
        }
        None
    }

    /// Without the part of each look in `bound`, some of the equal ones are dropped.
    #[test]
    fn an_equal_canary_is_never_dropped_and_a_bad_one_within_five_hundred_runs() {
        let mut random = fastrand::Rng::with_seed(15);
        for trial in 0..20 {
            let equal = dropped(&mut random, 20_000, (0.01, 0.01));
            assert_eq!(equal, None, "trial {trial}");
            let bad = dropped(&mut random, 500, (0.05, 0.001));
            assert!(bad.is_some_and(|runs| runs <= 500), "trial {trial}");
        }
    }

    #[test]
    fn a_canary_is_looked_at_every_twenty_five_runs() {
        let live = counted(0, 10_000);
        for runs in [0, 24, 26, 49] {
            assert_eq!(is_worse(counted(runs, runs), live), None, "after {runs}");
        }
        assert!(is_worse(counted(25, 25), live).is_some());
        // All looks together have the chance that one alone would have.
        let all: f64 = (1..100_000).map(bound).sum();
        assert!((0.999 * ALPHA..ALPHA).contains(&all), "{all}");
    }
}
