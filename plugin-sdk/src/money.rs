//! Exact amounts of money.
//!
//! Providers send minor units as integers or as text, and major units as text or as JSON numbers;
//! the contract has a decimal in major units. The conversion works on digits and never on floats.

use std::fmt;

use crate::event::Failure;
use crate::limits::{DECIMALS_MAX, WHOLE_DIGITS_MAX};
use crate::log;

pub use crate::bindings::provider::hookgate::plugin::types::Money;

/// Most bytes of an amount as it is written. It bounds the zeros that are filled in; real amounts
/// are shorter.
const AMOUNT_BYTES_MAX: usize = 255;

impl Money {
    /// From an integer of the currency's minor units, as text: `1099` and `usd` are `10.99 USD`.
    /// The decimals are those of ISO 4217.
    pub fn from_minor(units: &str, currency: &str) -> Result<Self, InvalidMoney> {
        Self::from_minor_with(decimals(currency), units, currency)
    }

    /// From an integer of minor units, for a provider that gives a currency other decimals than ISO
    /// 4217.
    pub fn from_minor_with(
        decimals: usize,
        units: &str,
        currency: &str,
    ) -> Result<Self, InvalidMoney> {
        let invalid = || InvalidMoney::amount(units);
        if units.len() > AMOUNT_BYTES_MAX || decimals > DECIMALS_MAX {
            return Err(invalid());
        }
        let (sign, digits) = signed(units);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid());
        }
        let zeros = "0".repeat((decimals + 1).saturating_sub(digits.len()));
        let padded = [&zeros, digits].concat();
        let (whole, fraction) = padded.split_at(padded.len() - decimals);
        Self::assemble(sign, whole, fraction, currency).ok_or_else(invalid)?
    }

    /// From a decimal in major units, written as text or as a JSON number: `10.5`, `-3`, `1.2e3`.
    /// The number of decimals stays as it is written.
    pub fn from_major(amount: &str, currency: &str) -> Result<Self, InvalidMoney> {
        let invalid = || InvalidMoney::amount(amount);
        if amount.len() > AMOUNT_BYTES_MAX {
            return Err(invalid());
        }
        let (sign, number) = signed(amount);
        let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let exponent: i32 = exponent.parse().map_err(|_| invalid())?;
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let dangling = whole.is_empty() || mantissa.ends_with('.');
        let digits = format!("{whole}{fraction}");
        if dangling || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid());
        }
        let (whole, fraction) = shifted(&digits, whole.len(), exponent).ok_or_else(invalid)?;
        Self::assemble(sign, &whole, &fraction, currency).ok_or_else(invalid)?
    }

    /// `None` for an amount that is out of bounds, `Err` for an invalid currency.
    fn assemble(
        sign: &str,
        whole: &str,
        fraction: &str,
        currency: &str,
    ) -> Option<Result<Self, InvalidMoney>> {
        let currency = currency.to_ascii_uppercase();
        let symbol = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        if !(2..=12).contains(&currency.len()) || !currency.bytes().all(symbol) {
            return Some(Err(InvalidMoney { what: "currency", text: currency }));
        }
        let whole = match whole.trim_start_matches('0') {
            "" => "0",
            whole => whole,
        };
        if whole.len() > WHOLE_DIGITS_MAX || fraction.len() > DECIMALS_MAX {
            return None;
        }
        let point = if fraction.is_empty() { "" } else { "." };
        Some(Ok(Self { amount: [sign, whole, point, fraction].concat(), currency }))
    }
}

/// The number of decimals that ISO 4217 gives a currency, whose code may be in either case; 2 for
/// an unknown currency.
pub fn decimals(currency: &str) -> usize {
    match currency.to_ascii_uppercase().as_str() {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "UYI" | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "CLF" | "UYW" => 4,
        _ => 2,
    }
}

/// The amount, or `None` with a warning in the operator's log if it can't be read exactly. The
/// event is delivered without money, and its data still has what the provider wrote. A guess would
/// be taken for the truth.
pub fn known_money(read: Result<Money, InvalidMoney>) -> Option<Money> {
    read.inspect_err(|error| log::warn!("an event has no money: {error}")).ok()
}

/// A text that is not an exact amount or not a currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidMoney {
    what: &'static str,
    text: String,
}

impl InvalidMoney {
    fn amount(text: &str) -> Self {
        Self { what: "amount", text: text.to_owned() }
    }
}

impl fmt::Display for InvalidMoney {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}` can't be read exactly", self.what, self.text)
    }
}

impl std::error::Error for InvalidMoney {}

impl From<InvalidMoney> for Failure {
    fn from(error: InvalidMoney) -> Self {
        Self::permanent(error)
    }
}

fn signed(number: &str) -> (&str, &str) {
    match number.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", number),
    }
}

/// The digits with their point, which stands behind `point` of them, moved by `exponent`.
fn shifted(digits: &str, point: usize, exponent: i32) -> Option<(String, String)> {
    // Further than this no digit but zero would be left within bounds.
    const SHIFT_MAX: i32 = 64;
    if !(-SHIFT_MAX..=SHIFT_MAX).contains(&exponent) {
        return None;
    }
    let shift = usize::try_from(exponent.unsigned_abs()).ok()?;
    if exponent >= 0 {
        let padded = format!("{digits:0<width$}", width = point + shift);
        let (whole, fraction) = padded.split_at(point + shift);
        return Some((whole.to_owned(), fraction.to_owned()));
    }
    let padded = format!("{}{digits}", "0".repeat(shift));
    let (whole, fraction) = padded.split_at(point);
    Some((whole.to_owned(), fraction.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(money: Result<Money, InvalidMoney>, expected: Option<&str>) {
        let written = money.ok().map(|money| format!("{} {}", money.amount, money.currency));
        assert_eq!(written.as_deref(), expected);
    }

    #[test]
    fn minor_units_have_the_decimals_of_their_currency() {
        check(Money::from_minor("1099", "usd"), Some("10.99 USD"));
        check(Money::from_minor("5", "EUR"), Some("0.05 EUR"));
        check(Money::from_minor("-1099", "USD"), Some("-10.99 USD"));
        check(Money::from_minor("500", "JPY"), Some("500 JPY"));
        check(Money::from_minor("5120", "KWD"), Some("5.120 KWD"));
        check(Money::from_minor("0", "EUR"), Some("0.00 EUR"));
        check(Money::from_minor("0012", "EUR"), Some("0.12 EUR"));
        check(Money::from_minor_with(2, "500", "ISK"), Some("5.00 ISK"));
        check(
            Money::from_minor("123456789012345678901234567890", "JPY"),
            Some("123456789012345678901234567890 JPY"),
        );
    }

    #[test]
    fn major_units_keep_every_digit() {
        check(Money::from_major("10.5", "usd"), Some("10.5 USD"));
        check(Money::from_major("1.00", "INR"), Some("1.00 INR"));
        check(Money::from_major("-3", "USD"), Some("-3 USD"));
        check(Money::from_major("0.000000000000000001", "ETH"), Some("0.000000000000000001 ETH"));
        check(Money::from_major("1.25e1", "USD"), Some("12.5 USD"));
        check(Money::from_major("1.2E3", "USD"), Some("1200 USD"));
        check(Money::from_major("125e-1", "USD"), Some("12.5 USD"));
        check(Money::from_major("5e-3", "USD"), Some("0.005 USD"));
        check(Money::from_major("12345678901234567.89", "USD"), Some("12345678901234567.89 USD"));
    }

    #[test]
    fn what_is_not_exact_is_refused() {
        for units in ["", "-", "1.5", "1e3", "+1", " 1", "١", "--1"] {
            check(Money::from_minor(units, "USD"), None);
        }
        for amount in ["", ".5", "5.", "1,5", "1e", "1e999999999999", "1e65", "0x1", "1.2.3", "NaN"]
        {
            check(Money::from_major(amount, "USD"), None);
        }
        check(Money::from_minor(&"9".repeat(33), "USD"), None);
        check(Money::from_major("0.0000000000000000001", "ETH"), None);
        for currency in ["", "U", "US$", "zł"] {
            check(Money::from_minor("1", currency), None);
        }
    }

    #[test]
    fn an_amount_of_any_length_is_refused_and_never_a_panic() {
        for digits in [256, 65_535, 65_536, 1 << 20] {
            for amount in
                ["9".repeat(digits), "0".repeat(digits), format!("0.{}", "0".repeat(digits))]
            {
                check(Money::from_major(&amount, "USD"), None);
                check(Money::from_minor(&amount, "USD"), None);
            }
        }
        check(Money::from_minor_with(usize::MAX, "1", "USD"), None);
        check(Money::from_minor_with(65_536, "1", "USD"), None);
        check(Money::from_major(&format!("{}1", "0".repeat(254)), "USD"), Some("1 USD"));
    }

    proptest! {
        #[test]
        fn minor_units_are_exact(units: i64) {
            let money = Money::from_minor(&units.to_string(), "EUR").unwrap();
            let digits: String = money.amount.chars().filter(|c| *c != '.').collect();
            prop_assert_eq!(digits.parse::<i64>().unwrap(), units);
            prop_assert_eq!(money.amount.len() - money.amount.find('.').unwrap(), 3);
        }

        #[test]
        fn nothing_panics(amount: String, number in "-?[0-9]{0,4}\\.?[0-9]{0,4}(e-?[0-9]{1,3})?", currency: String) {
            for text in [&amount, &number] {
                drop(Money::from_major(text, "EUR"));
                drop(Money::from_minor(text, &currency));
            }
        }
    }
}
