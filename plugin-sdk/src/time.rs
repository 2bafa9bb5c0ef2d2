//! Times as providers write them.
//!
//! Times are milliseconds since 1970 in UTC, up to the end of the year 9999; a text outside of that
//! or malformed is `None`. Never reads a clock: the gateway passes the time to each call.

use crate::event::Timestamp;

/// The last moment that RFC 3339 can write.
pub const MAX: Timestamp = 253_402_300_799_999;

/// Reads a time in seconds, digits only: `1700000000`.
pub fn from_unix(seconds: &str) -> Option<Timestamp> {
    from_digits(seconds)?.checked_mul(1000).filter(|time| *time <= MAX)
}

/// Reads a time in milliseconds, digits only.
pub fn from_unix_ms(milliseconds: &str) -> Option<Timestamp> {
    from_digits(milliseconds).filter(|time| *time <= MAX)
}

/// The whole seconds since 1970, for a header with the signing time.
pub fn to_unix(time: Timestamp) -> u64 {
    time / 1000
}

/// Reads RFC 3339. The offset may also lack its colon: `2024-05-01T10:00:00.250+0200`.
pub fn from_rfc3339(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, rest) = rest.split_at_checked(8)?;
    let (fraction_ms, zone) = fraction(rest)?;
    let seconds = days(date)? * 86_400 + second_of_day(clock)? - offset(zone)?;
    let time = seconds.checked_mul(1000)?.checked_add(fraction_ms)?;
    Timestamp::try_from(time).ok().filter(|time| *time <= MAX)
}

/// Writes RFC 3339 in UTC with milliseconds: `2024-05-01T10:00:00.250Z`.
pub fn to_rfc3339(time: Timestamp) -> String {
    let (seconds, millisecond) = (time / 1000, time % 1000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March end with the leap day, in eras of 400 years.
    let day = days + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + next;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}

fn from_digits(text: &str) -> Option<u64> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| text.parse().ok())?
}

/// Days since 1970 of `2024-05-01`, negative before.
fn days(date: &str) -> Option<i64> {
    let [year, month, day] = split(date, '-', [4, 2, 2])?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years that begin in March end with the leap day, and months have a regular length.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(year * 365 + leaps + day_of_year - 719_468)
}

fn second_of_day(clock: &str) -> Option<i64> {
    let [hour, minute, second] = split(clock, ':', [2, 2, 2])?;
    // A leap second is counted as the first of the next minute.
    (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
}

/// The text behind the seconds, read as a fraction, cut to milliseconds, and the zone.
fn fraction(rest: &str) -> Option<(i64, &str)> {
    let Some(rest) = rest.strip_prefix('.') else { return Some((0, rest)) };
    let length = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, zone) = rest.split_at(length);
    let digits = digits.get(..digits.len().min(3)).filter(|digits| !digits.is_empty())?;
    let scale = 10_i64.pow(3 - u32::try_from(digits.len()).ok()?);
    Some((digits.parse::<i64>().ok()? * scale, zone))
}

fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("Z") {
        return Some(0);
    }
    let (sign, zone) = match zone.split_at_checked(1)? {
        ("+", zone) => (1, zone),
        ("-", zone) => (-1, zone),
        _ => return None,
    };
    let (hours, minutes) = zone.split_at_checked(2)?;
    let hours = i64::try_from(from_digits(hours)?).ok()?;
    let minutes = minutes.strip_prefix(':').unwrap_or(minutes);
    let minutes = i64::try_from(from_digits(minutes)?).ok().filter(|_| minutes.len() == 2)?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn split(text: &str, separator: char, lengths: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; 3];
    for (number, length) in numbers.iter_mut().zip(lengths) {
        let part = parts.next().filter(|part| part.len() == length)?;
        *number = i64::try_from(from_digits(part)?).ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<Timestamp>) {
        assert_eq!(from_rfc3339(text), expected, "{text}");
    }

    #[test]
    fn a_time_is_read_in_every_zone() {
        check("1970-01-01T00:00:00Z", Some(0));
        check("2023-11-14T22:13:20Z", Some(1_700_000_000_000));
        check("2023-11-14T22:13:20.1239z", Some(1_700_000_000_123));
        check("2023-11-14 23:13:20.5+01:00", Some(1_700_000_000_500));
        check("2023-11-14T17:43:20-0430", Some(1_700_000_000_000));
        check("2024-02-29T00:00:00Z", Some(1_709_164_800_000));
        check("2000-02-29T12:00:00Z", Some(951_825_600_000));
        check("2016-12-31T23:59:60Z", Some(1_483_228_800_000));
        check("9999-12-31T23:59:59.999Z", Some(MAX));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "2023-11-14",
            "2023-11-14T22:13:20",
            "2023-11-14T22:13:20.Z",
            "2023-11-14T22:13:20+1",
            "2023-11-14T22:13:20+01:0",
            "2023-11-14T22:13:20+25:00",
            "2023-11-14T24:00:00Z",
            "2023-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-00-01T00:00:00Z",
            "+023-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2023-11-14T22:13:20Zx",
            "2023-11-1éT22:13:20Z",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn unix_times_are_digits() {
        assert_eq!(from_unix("1700000000"), Some(1_700_000_000_000));
        assert_eq!(from_unix_ms("1700000000123"), Some(1_700_000_000_123));
        assert_eq!(to_unix(1_700_000_000_999), 1_700_000_000);
        for text in ["", "+1", "-1", " 1", "1.0", "1e3", "99999999999999999999", "9999999999999"] {
            assert_eq!(from_unix(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_day_follows_a_day(day in 0_i64..2_900_000) {
            let written = |day: i64| {
                // The inverse, by the book: an independent way round.
                let (mut year, mut rest) = (1970, day);
                let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
                while rest >= 365 + i64::from(leap(year)) {
                    rest -= 365 + i64::from(leap(year));
                    year += 1;
                }
                let february = 28 + i64::from(leap(year));
                let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
                let mut month = 0;
                while rest >= lengths[month] {
                    rest -= lengths[month];
                    month += 1;
                }
                format!("{year:04}-{:02}-{:02}", month + 1, rest + 1)
            };
            prop_assert_eq!(days(&written(day)), Some(day));
        }

        #[test]
        fn a_time_that_is_written_reads_back(time in 0..=MAX) {
            prop_assert_eq!(from_rfc3339(&to_rfc3339(time)), Some(time));
        }

        #[test]
        fn nothing_panics(text: String, shaped in "[0-9T:.+Z-]{0,40}") {
            from_rfc3339(&text);
            from_rfc3339(&shaped);
            from_unix(&text);
        }
    }
}
