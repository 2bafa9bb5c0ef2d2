//! Sums of money, one for each currency, with every digit that the amounts have.
//!
//! Pure. Amounts are added as whole numbers of the smallest part that one may have. Never rounds,
//! and never mixes currencies.

use std::collections::BTreeMap;

use super::Money;

/// The parts that a unit has: as many as decimals can say.
const PARTS: i128 = 10_i128.pow(Money::DECIMALS_MAX as u32);

/// Sums of amounts, by currency.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MoneySums(BTreeMap<String, Sum>);

/// The sum of amounts in one currency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    /// Whole units.
    whole: i128,
    /// Parts of one, with the sign of the sum or another.
    parts: i128,
    /// The most decimals that an amount had.
    decimals: usize,
}

impl MoneySums {
    /// Adds an amount. One that is not a decimal number, which [`Money::new`] refuses, adds
    /// nothing.
    pub fn add(&mut self, money: &Money) {
        let Some(amount) = Sum::read(&money.amount) else { return };
        self.0.entry(money.currency.clone()).or_default().add(amount);
    }

    /// The sums, in the order of their currencies.
    pub fn into_money(self) -> Vec<Money> {
        let money = |(currency, sum): (String, Sum)| Money { amount: sum.written(), currency };
        self.0.into_iter().map(money).collect()
    }
}

impl Sum {
    fn read(amount: &str) -> Option<Self> {
        let (sign, number) = match amount.strip_prefix('-') {
            Some(number) => (-1, number),
            None => (1, amount),
        };
        let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
        let missing = Money::DECIMALS_MAX.checked_sub(decimals.len())?;
        let number = |digits: &str| match digits {
            "" => Some(0),
            digits => digits.parse::<i128>().ok(),
        };
        let parts = number(decimals)? * 10_i128.pow(u32::try_from(missing).ok()?);
        Some(Self { whole: sign * number(whole)?, parts: sign * parts, decimals: decimals.len() })
    }

    fn add(&mut self, other: Self) {
        let parts = self.parts + other.parts;
        // There is room for more amounts than any store has.
        self.whole = self.whole.saturating_add(other.whole).saturating_add(parts / PARTS);
        self.parts = parts % PARTS;
        self.decimals = self.decimals.max(other.decimals);
    }

    fn written(self) -> String {
        let Self { mut whole, mut parts, decimals } = self;
        if whole > 0 && parts < 0 {
            (whole, parts) = (whole - 1, parts + PARTS);
        } else if whole < 0 && parts > 0 {
            (whole, parts) = (whole + 1, parts - PARTS);
        }
        let sign = if whole < 0 || parts < 0 { "-" } else { "" };
        let whole = whole.unsigned_abs();
        if decimals == 0 {
            return format!("{sign}{whole}");
        }
        let parts = format!("{:0width$}", parts.unsigned_abs(), width = Money::DECIMALS_MAX);
        format!("{sign}{whole}.{}", &parts[..decimals])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(amounts: &[&str], expected: &str) {
        let mut sums = MoneySums::default();
        for amount in amounts {
            sums.add(&Money::new((*amount).to_owned(), "EUR".to_owned()).unwrap());
        }
        let sums: Vec<String> = sums.into_money().into_iter().map(|sum| sum.amount).collect();
        assert_eq!(sums, [expected], "{amounts:?}");
    }

    /// Guards the signs in `written`, and the carry in `add`.
    #[test]
    fn a_sum_has_every_digit_of_its_amounts() {
        check(&["0.1", "0.2"], "0.3");
        check(&["9.99", "0.01"], "10.00");
        check(&["5", "-7.5"], "-2.5");
        check(&["-5", "7.5"], "2.5");
        check(&["0.25", "-0.5"], "-0.25");
        check(&["3", "4"], "7");
        check(&["1.5", "-1.5"], "0.0");
        let small = "0.000000000000000001";
        let large = "999999999999999999999999999999";
        check(&[large, small], "999999999999999999999999999999.000000000000000001");
        check(&[large; 3], "2999999999999999999999999999997");
    }

    #[test]
    fn currencies_are_not_mixed() {
        let mut sums = MoneySums::default();
        for (amount, currency) in [("1.50", "USD"), ("2", "EUR"), ("1", "USD")] {
            sums.add(&Money::new(amount.to_owned(), currency.to_owned()).unwrap());
        }
        let sums: Vec<_> =
            sums.into_money().into_iter().map(|it| (it.amount, it.currency)).collect();
        let money = |amount: &str, currency: &str| (amount.to_owned(), currency.to_owned());
        assert_eq!(sums, [money("2", "EUR"), money("2.50", "USD")]);
    }
}
