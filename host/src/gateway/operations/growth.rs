//! Lanes that are long and grow.
//!
//! Pure: is given the long ones at each look. Tells each once, until it is short again. Never says
//! why one grows.

use std::collections::BTreeMap;

use crate::ids::Name;
use crate::store::WorkKind;

/// A lane with more works than this is long.
pub(super) const LONG: usize = 10_000;
/// At so many looks in a row it must have been longer than at the one before.
const LOOKS: u32 = 3;

/// The lanes that are long.
#[derive(Debug, Default)]
pub(super) struct Growth(BTreeMap<(WorkKind, Name), Grown>);

#[derive(Debug)]
struct Grown {
    works: usize,
    /// How often it was longer.
    longer: u32,
    is_told: bool,
}

impl Growth {
    /// Those that have grown for long, of all that are long now.
    pub(super) fn look(
        &mut self,
        long: Vec<(WorkKind, Name, usize)>,
    ) -> Vec<(WorkKind, Name, usize)> {
        let mut before = std::mem::take(&mut self.0);
        let mut grown = Vec::new();
        for (kind, group, works) in long {
            let lane = (kind, group);
            let is = match before.remove(&lane) {
                None => Grown { works, longer: 0, is_told: false },
                Some(was) => {
                    let longer = if works > was.works { was.longer + 1 } else { 0 };
                    let is_told = was.is_told || longer >= LOOKS;
                    if is_told && !was.is_told {
                        grown.push((kind, lane.1.clone(), works));
                    }
                    Grown { works, longer, is_told }
                }
            };
            self.0.insert(lane, is);
        }
        grown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The looks at which a lane of these lengths is told.
    fn told(lengths: &[usize]) -> Vec<usize> {
        let mut growth = Growth::default();
        let crm: Name = "crm".parse().unwrap();
        let lane = |works: usize| (WorkKind::Delivery, crm.clone(), works);
        let look = |(number, works): (usize, &usize)| {
            let long = (*works > LONG).then(|| lane(*works));
            (!growth.look(long.into_iter().collect()).is_empty()).then_some(number)
        };
        lengths.iter().enumerate().filter_map(look).collect()
    }

    #[test]
    fn a_long_lane_that_grows_three_times_is_told_once_until_it_is_short_again() {
        let long = |lengths: [usize; 6]| told(&lengths.map(|more| LONG + more));
        assert_eq!(long([1, 2, 3, 4, 5, 6]), [3]);
        assert_eq!(long([1, 2, 3, 3, 4, 5]), [0_usize; 0], "it did not grow once");
        assert_eq!(long([6, 5, 4, 3, 2, 1]), [0_usize; 0]);
        assert_eq!(told(&[1, 2, 3, 4, 5]), [0_usize; 0], "it is short");
        let again = [1, 2, 3, 4, 0, 1, 2, 3, 4].map(|more| if more > 0 { LONG + more } else { 0 });
        assert_eq!(told(&again), [3, 8]);
    }
}
