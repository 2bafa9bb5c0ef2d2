//! The greatest number for which something holds, found with few trials.
//!
//! In strides that double from where it is likely to be, and then by halves. Never tries a number
//! twice.

/// The greatest number from 1 to `most` that holds, if all below it do, and zero if none does.
pub(super) fn greatest(
    first: usize,
    most: usize,
    mut holds: impl FnMut(usize) -> anyhow::Result<bool>,
) -> anyhow::Result<usize> {
    let first = first.clamp(1, most);
    let mut stride = 1;
    // The greatest that is known to hold, and the least that is known not to.
    let (mut low, mut high);
    if holds(first)? {
        (low, high) = (first, most + 1);
        while low < most {
            let next = (low + stride).min(most);
            if !holds(next)? {
                high = next;
                break;
            }
            low = next;
            stride *= 2;
        }
    } else {
        (low, high) = (0, first);
        while high > 1 {
            let next = high.saturating_sub(stride).max(1);
            if holds(next)? {
                low = next;
                break;
            }
            high = next;
            stride *= 2;
        }
    }
    while high - low > 1 {
        let middle = usize::midpoint(low, high);
        if holds(middle)? {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found where everything up to `limit` holds, and what was tried.
    fn found(first: usize, most: usize, limit: usize) -> (usize, Vec<usize>) {
        let mut tried = Vec::new();
        let greatest = greatest(first, most, |number| {
            tried.push(number);
            Ok(number <= limit)
        });
        (greatest.unwrap(), tried)
    }

    #[test]
    fn the_limit_is_found_from_wherever_it_begins() {
        for limit in 0..=40 {
            for first in 0..=45 {
                let (greatest, mut tried) = found(first, 40, limit);
                assert_eq!(greatest, limit, "from {first}");
                assert!(tried.iter().all(|number| (1..=40).contains(number)), "{tried:?}");
                let all = tried.len();
                tried.sort_unstable();
                tried.dedup();
                assert_eq!(tried.len(), all, "from {first} to {limit} one was tried twice");
            }
        }
    }

    #[test]
    fn a_limit_that_is_near_takes_few_trials() {
        assert_eq!(found(40, 240, 40).1, [40, 41]);
        assert_eq!(found(40, 240, 43).1, [40, 41, 43, 47, 45, 44]);
        assert_eq!(found(40, 240, 37).1, [40, 39, 37, 38]);
    }

    #[test]
    fn what_breaks_ends_the_search() {
        assert!(greatest(3, 9, |_| anyhow::bail!("no gateway")).is_err());
    }
}
