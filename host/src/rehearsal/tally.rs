//! What a rehearsal has counted so far: groups of differences, memory and times.
//!
//! Counts in the order in which results come to it, which is that of the log, so the first samples
//! are the oldest. Bounded, however many differ. Never compares anything.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use super::ask::Ask;
use super::compared::{Compared, Ended};
use super::difference::Difference;
use super::report::{Group, Measured, Report, Sample};
use crate::ids::Id;

/// Most samples of one group.
const SAMPLES_MAX: usize = 5;
/// Most groups; all else is one more.
const GROUPS_MAX: usize = 256;
/// The kind and the field of that.
const OTHER: &str = "other";

/// What is counted so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    compared: u64,
    differing: u64,
    not_compared: BTreeMap<&'static str, u64>,
    groups: BTreeMap<(&'static str, String), Group>,
    memory: usize,
    times: Times,
    recorded: Times,
    /// Calls in a row that ran into their deadline.
    late: usize,
}

impl Tally {
    /// Something is not compared, for this reason.
    pub(super) fn miss(&mut self, why: &'static str) {
        *self.not_compared.entry(why).or_default() += 1;
    }

    /// Counts what came of one receipt or run. Of what a receipt brings now and did not bring then,
    /// `is_known` says whether something else had brought it.
    pub(super) fn take(&mut self, compared: Compared, is_known: impl Fn(Id, u64) -> bool) {
        let Compared { id, event, ended, spent, recorded, is_late } = compared;
        self.late = if is_late { self.late + 1 } else { 0 };
        let differences = match ended {
            Ended::Not(why) => return self.miss(why),
            Ended::Compared(differences) => differences,
        };
        self.compared += 1;
        self.memory = self.memory.max(spent.memory);
        self.times.add(spent.time);
        self.recorded.add(recorded);
        let mut differs = false;
        for difference in differences {
            if !difference.brings.is_some_and(|brings| is_known(id, brings)) {
                differs = true;
                self.group(difference, (id, event));
            }
        }
        self.differing += u64::from(differs);
    }

    fn group(&mut self, difference: Difference, (id, event): (Id, Option<Id>)) {
        let Difference { kind, field, recorded, now, .. } = difference;
        let is_full = self.groups.len() >= GROUPS_MAX;
        let key = (kind, field);
        let key = if is_full && !self.groups.contains_key(&key) {
            (OTHER, OTHER.to_owned())
        } else {
            key
        };
        let group = match self.groups.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let (kind, field) = (new.key().0.to_owned(), new.key().1.clone());
                new.insert(Group { kind, field, count: 0, samples: Vec::new() })
            }
        };
        group.count += 1;
        if group.samples.len() < SAMPLES_MAX {
            group.samples.push(Sample { id, event, recorded, now });
        }
    }

    /// How many calls in a row ran into their deadline.
    pub(super) fn late_in_a_row(&self) -> usize {
        self.late
    }

    /// All of it.
    pub(super) fn report(self, ask: &Ask, version: &str) -> Report {
        let mut groups: Vec<_> = self.groups.into_values().collect();
        // They are in the order of kinds and fields, and stay so where they are as frequent.
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        let not_compared =
            self.not_compared.into_iter().map(|(why, count)| (why.to_owned(), count));
        let measured = self.times.median().zip(self.recorded.median());
        Report {
            plugin: ask.plugin.name().to_string(),
            version: version.to_owned(),
            digest: ask.plugin.digest().to_owned(),
            role: ask.role.to_string(),
            compared: self.compared,
            equal: self.compared - self.differing,
            differing: self.differing,
            not_compared: not_compared.collect(),
            memory_bytes: self.memory as u64,
            groups,
            measured: measured
                .map(|(median_us, recorded_median_us)| Measured { median_us, recorded_median_us }),
        }
    }
}

/// How often a call took how many microseconds: exactly up to a thousand, else to a hundredth.
#[derive(Debug, Default)]
struct Times(BTreeMap<u64, u64>);

impl Times {
    fn add(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let mut grain = 1;
        while micros / grain >= 1_000 {
            grain *= 10;
        }
        *self.0.entry(micros / grain * grain).or_default() += 1;
    }

    fn median(&self) -> Option<u64> {
        let half = self.0.values().sum::<u64>().div_ceil(2);
        let mut counted = 0;
        self.0.iter().find_map(|(micros, count)| {
            counted += count;
            (counted >= half).then_some(*micros)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::IdKind;
    use crate::plugin::Spent;

    fn run(position: u64) -> Id {
        Id { kind: IdKind::Run, position, tag: 0 }
    }

    fn compared(position: u64, differences: Vec<Difference>) -> Compared {
        Compared {
            id: run(position),
            event: None,
            ended: Ended::Compared(differences),
            spent: Spent { time: Duration::from_micros(position), memory: 7 },
            recorded: Duration::from_micros(5),
            is_late: false,
        }
    }

    fn differs(field: &str) -> Difference {
        let (recorded, now) = ("3".to_owned(), "4".to_owned());
        Difference { kind: "event_field", field: field.to_owned(), recorded, now, brings: None }
    }

    #[test]
    fn a_group_counts_all_and_shows_the_oldest() {
        let mut tally = Tally::default();
        for position in 1..=100 {
            let differences = if position % 10 == 0 { vec![differs("amount")] } else { Vec::new() };
            tally.take(compared(position, differences), |_, _| false);
        }
        assert_eq!((tally.compared, tally.differing, tally.memory), (100, 10, 7));
        assert_eq!((tally.times.median(), tally.recorded.median()), (Some(50), Some(5)));
        let group = tally.groups.into_values().next().unwrap();
        assert_eq!((group.field.as_str(), group.count), ("amount", 10));
        let shown: Vec<_> = group.samples.iter().map(|sample| sample.id).collect();
        assert_eq!(shown, [10, 20, 30, 40, 50].map(run));
    }

    #[test]
    fn too_many_groups_are_one() {
        let mut tally = Tally::default();
        for field in 0..GROUPS_MAX + 20 {
            tally.take(compared(1, vec![differs(&format!("data.f{field:04}"))]), |_, _| false);
        }
        tally.take(compared(2, vec![differs("data.f0000")]), |_, _| false);
        assert_eq!(tally.groups.len(), GROUPS_MAX + 1);
        assert_eq!(tally.groups[&(OTHER, OTHER.to_owned())].count, 20);
        assert_eq!(tally.groups[&("event_field", "data.f0000".to_owned())].count, 2);
    }

    #[test]
    fn what_something_else_had_brought_is_no_difference() {
        let mut tally = Tally::default();
        let added = |brings| vec![Difference { brings: Some(brings), ..differs("a.b") }];
        tally.take(compared(1, added(7)), |id, brings| (id, brings) == (run(1), 7));
        tally.take(compared(2, added(8)), |id, brings| (id, brings) == (run(1), 7));
        assert_eq!((tally.compared, tally.differing), (2, 1));
    }

    #[test]
    fn calls_that_are_late_are_counted_in_a_row() {
        let mut tally = Tally::default();
        let late = |is_late| Compared { is_late, ..compared(1, Vec::new()) };
        for (is_late, expected) in [(true, 1), (true, 2), (false, 0), (true, 1)] {
            tally.take(late(is_late), |_, _| false);
            assert_eq!(tally.late_in_a_row(), expected);
        }
    }

    #[test]
    fn a_long_time_is_counted_to_a_hundredth() {
        let mut times = Times::default();
        for micros in [12_345, 12_399, 999, 1_234_567] {
            times.add(Duration::from_micros(micros));
        }
        assert_eq!(
            times.0.into_iter().collect::<Vec<_>>(),
            [(999, 1), (12_300, 2), (1_230_000, 1)]
        );
    }
}
