//! Figures as people read them: numbers, times, sizes, shares, money.
//!
//! Pure: whoever asks says when it is. Units stand beside each figure. Never rounds money.

use std::time::Duration;

use serde::Deserialize;

use crate::event::Timestamp;

const KIB: u64 = 1024;

/// `381,204`.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// `1 delivery`, `2,000 deliveries`.
pub(crate) fn counted(many: u64, one: &str, more: &str) -> String {
    let noun = if many == 1 { one } else { more };
    format!("{} {noun}", number(many))
}

/// `1,335 bytes`, `1.3 KiB`, `41 GiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    if bytes < 10 * KIB {
        return counted(bytes, "byte", "bytes");
    }
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut size, mut unit) = (bytes as f64 / KIB as f64, 0);
    while size >= KIB as f64 && unit + 1 < units.len() {
        size /= KIB as f64;
        unit += 1;
    }
    format!("{} {}", short(size), units[unit])
}

/// `0.6 ms`, `14 ms`, `3.2 s`, `4 min`.
pub(crate) fn micros(us: u64) -> String {
    match us {
        0..1_000_000 => format!("{} ms", short_of(us, 1_000)),
        1_000_000..60_000_000 => format!("{} s", short_of(us, 1_000_000)),
        _ => span(Duration::from_micros(us)),
    }
}

/// `38 s`, `4 min`, `2 h`, `12 days`.
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", number(seconds / 86_400)),
    }
}

/// `4 min ago`, `in 38 s`, `now`.
pub(crate) fn distance(now: Timestamp, at: Timestamp) -> String {
    let (since, until) = (now.since(at), at.since(now));
    match (since.as_secs(), until.as_secs()) {
        (0, 0) => "now".to_owned(),
        (_, 0) => format!("{} ago", span(since)),
        _ => format!("in {}", span(until)),
    }
}

/// `99.7 %`; nothing of nothing is `-`.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    let percent = part as f64 * 100.0 / whole as f64;
    // What is not all is not shown as all.
    let shown = if part < whole && percent > 99.9 { 99.9 } else { percent };
    format!("{} %", short(shown))
}

/// How many there were in a second: `412`, `0.4`.
pub(crate) fn per_second(many: u64, over: Duration) -> String {
    let seconds = over.as_secs_f64();
    if seconds > 0.0 { short(many as f64 / seconds) } else { "0".to_owned() }
}

/// An exact amount of money.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Money {
    pub(super) amount: String,
    pub(super) currency: String,
}

impl Money {
    /// `1,204.50 EUR`.
    pub(super) fn shown(&self) -> String {
        let (sign, digits) = match self.amount.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", &*self.amount),
        };
        let (whole, rest) = match digits.find('.') {
            Some(at) => digits.split_at(at),
            None => (digits, ""),
        };
        let whole = whole.parse().map_or_else(|_| whole.to_owned(), number);
        format!("{sign}{whole}{rest} {}", self.currency)
    }
}

fn short_of(value: u64, unit: u64) -> String {
    short(value as f64 / unit as f64)
}

/// With one decimal below ten, and none above.
fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if value < 0.05 {
        return "<0.1".to_owned();
    }
    if value < 9.95 || (value > 90.0 && value < 100.0 && value.fract() > 0.0) {
        return format!("{value:.1}");
    }
    number(value.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    #[test]
    fn numbers_are_in_groups_of_three() {
        let shown = [0, 999, 1_000, 381_204, 1_000_000].map(number);
        assert_eq!(shown, ["0", "999", "1,000", "381,204", "1,000,000"]);
        assert_eq!(counted(1, "delivery", "deliveries"), "1 delivery");
    }

    #[test]
    fn sizes_and_times_have_their_units() {
        let shown = [0, 1, 1_335, 20_480, 44_023_414_784].map(bytes);
        assert_eq!(shown, ["0 bytes", "1 byte", "1,335 bytes", "20 KiB", "41 GiB"]);
        let shown = [0, 600, 1_900, 14_000, 3_200_000, 240_000_000].map(micros);
        assert_eq!(shown, ["0 ms", "0.6 ms", "1.9 ms", "14 ms", "3.2 s", "4 min"]);
    }

    #[test]
    fn a_time_is_as_far_away_as_it_is() {
        let ago = |seconds: u64| distance(NOW, Timestamp(NOW.0 - seconds * 1000));
        let shown = [0, 38, 240, 7_200, 1_036_800].map(ago);
        assert_eq!(shown, ["now", "38 s ago", "4 min ago", "2 h ago", "12 days ago"]);
        assert_eq!(distance(NOW, NOW.after(Duration::from_secs(38))), "in 38 s");
    }

    #[test]
    fn what_is_not_all_is_not_shown_as_all() {
        assert_eq!(share(99_999, 100_000), "99.9 %");
        assert_eq!([share(5, 5), share(0, 5), share(0, 0)], ["100 %", "0 %", "-"]);
        assert_eq!(per_second(24_720, Duration::from_secs(60)), "412");
    }

    #[test]
    fn money_is_exact() {
        let money = |amount: &str| Money { amount: amount.to_owned(), currency: "EUR".to_owned() };
        let shown =
            ["1204.50", "-3", "0.001", "99999999999999999999999.1"].map(|it| money(it).shown());
        let expected = ["1,204.50 EUR", "-3 EUR", "0.001 EUR", "99999999999999999999999.1 EUR"];
        assert_eq!(shown, expected);
    }
}
