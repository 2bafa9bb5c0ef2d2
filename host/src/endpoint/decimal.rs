//! Numbers as they are written in decimal, compared digit by digit.
//!
//! An amount may have more digits than a floating-point number. Nothing here computes with one, or
//! writes one out.

use std::cmp::Ordering;

/// A number as JSON writes one.
#[derive(Debug)]
pub(super) struct Decimal<'t> {
    is_negative: bool,
    /// The digits before the point and those behind it, without zeros at either end of the two
    /// together; both empty for zero.
    digits: (&'t str, &'t str),
    /// The power of ten above the first digit: 1 for `7`, 3 for `700`, 0 for `0.7`.
    magnitude: i64,
}

impl<'t> Decimal<'t> {
    /// Reads `-10.50` or `1e3`; `None` if that is not a number.
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        let number = text.strip_prefix('-').unwrap_or(text);
        let (number, exponent) = match number.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent_of(exponent)?),
            None => (number, 0),
        };
        let (whole, fraction) = match number.split_once('.') {
            Some((whole, fraction)) if is_digits(fraction) => (whole, fraction),
            Some(_) => return None,
            None => (number, ""),
        };
        let is_padded = whole.len() > 1 && whole.starts_with('0');
        if !is_digits(whole) || is_padded {
            return None;
        }
        let kept = whole.trim_start_matches('0');
        // A zero behind the first digit counts, and so one behind the point after whole digits.
        let behind = fraction.trim_end_matches('0');
        let (digits, leading) = match kept.is_empty() {
            true => {
                let rest = behind.trim_start_matches('0');
                ((rest, ""), -i64::try_from(behind.len() - rest.len()).ok()?)
            }
            false if behind.is_empty() => {
                ((kept.trim_end_matches('0'), ""), i64::try_from(kept.len()).ok()?)
            }
            false => ((kept, behind), i64::try_from(kept.len()).ok()?),
        };
        let is_zero = digits.0.is_empty();
        Some(Self {
            is_negative: text.starts_with('-') && !is_zero,
            digits,
            magnitude: if is_zero { 0 } else { leading.checked_add(exponent)? },
        })
    }

    fn is_zero(&self) -> bool {
        self.digits.0.is_empty()
    }

    /// How many digits count.
    pub(super) fn precision(&self) -> usize {
        self.digits.0.len() + self.digits.1.len()
    }

    pub(super) fn compare(&self, other: &Decimal<'_>) -> Ordering {
        let sign = |number: &Decimal<'_>| match (number.is_zero(), number.is_negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let absolute = || {
            let (these, those) = (self.all_digits(), other.all_digits());
            self.magnitude.cmp(&other.magnitude).then_with(|| these.cmp(those))
        };
        sign(self).cmp(&sign(other)).then_with(|| match self.is_negative {
            true => absolute().reverse(),
            false => absolute(),
        })
    }

    fn all_digits(&self) -> impl Iterator<Item = u8> {
        self.digits.0.bytes().chain(self.digits.1.bytes())
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// One that can't be counted is no number that anybody means.
fn exponent_of(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let exponent: i64 = is_digits(digits).then(|| digits.parse::<i64>().ok())??;
    if text.starts_with('-') { exponent.checked_neg() } else { Some(exponent) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_order_whatever_their_length_and_spelling() {
        let ascending: [&[&str]; 14] = [
            &["-1e400"],
            &["-10.1"],
            &["-10", "-10.0", "-1e1"],
            &["-0.5"],
            &["0", "-0", "0.00", "0e9"],
            &["1e-400"],
            &["0.05", "5e-2", "0.050"],
            &["0.5"],
            &["9.99"],
            &["10", "1e1", "10.00", "0.1E+2"],
            &["10.01"],
            &["100", "1e2"],
            &["12345678901234567890.1"],
            &["12345678901234567890.2"],
        ];
        let all = ascending.iter().enumerate();
        let all = all.flat_map(|(rank, same)| same.iter().map(move |text| (rank, *text)));
        for (rank, text) in all.clone() {
            for (other_rank, other) in all.clone() {
                let (a, b) = (Decimal::parse(text).unwrap(), Decimal::parse(other).unwrap());
                assert_eq!(a.compare(&b), rank.cmp(&other_rank), "{text} and {other}");
            }
        }
    }

    #[test]
    fn what_json_does_not_call_a_number_is_none() {
        for text in ["", "-", "+1", ".5", "5.", "01", "1e", "1e+", "0x1", "1 ", "1,0", "NaN"] {
            assert!(Decimal::parse(text).is_none(), "{text}");
        }
        assert!(Decimal::parse("1e99999999999999999999").is_none());
    }
}
