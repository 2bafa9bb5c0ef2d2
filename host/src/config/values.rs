//! What a value of the file may be, and within which bounds.
//!
//! Each reader notes what is wrong where the value stands, names the bounds, and gives nothing
//! then. None repeats the value.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use super::document::{A_NAME, Entry, Table};
use crate::address::Address;
use crate::canary::Share;
use crate::event::Timestamp;
use crate::ids::Name;
use crate::ingest::Expected;
use crate::pseudonym::Place;
use crate::route::Pattern;
use crate::tenant::Tenant;

pub(super) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(super) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) const fn hours(hours: u64) -> Duration {
    secs(3_600 * hours)
}

pub(super) const fn days(days: u64) -> Duration {
    hours(24 * days)
}

/// How much a source may be expected to bring, and within which time.
const EXPECTED: RangeInclusive<u32> = 1..=1_000_000;
const EXPECTED_WITHIN: RangeInclusive<Duration> = secs(60)..=days(7);

/// What a size looks like.
const SIZE: &str = "a size such as \"64MiB\"";

/// The units of sizes, from the largest.
const UNITS: [(&str, usize); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// Where the internet reaches the public port.
pub(super) fn public_url_of(entry: Entry<'_>) -> Option<Url> {
    let url = entry.url()?;
    let has_user = !url.username().is_empty() || url.password().is_some();
    if has_user || url.query().is_some() || url.fragment().is_some() {
        entry.wrong("must have no user, no query and no fragment");
        return None;
    }
    Some(url)
}

/// What each value of a list becomes, without those that have a flaw.
pub(super) fn all<'a, T>(
    entry: Option<Entry<'a>>,
    form: &str,
    read: impl Fn(&Entry<'a>) -> Option<T>,
) -> Vec<T> {
    let entries = entry.and_then(|entry| entry.list(form)).unwrap_or_default();
    entries.iter().filter_map(read).collect()
}

impl Entry<'_> {
    /// A duration such as `5m` or `1h 30m`, within these bounds.
    pub(super) fn duration(&self, bounds: &RangeInclusive<Duration>) -> Option<Duration> {
        self.duration_for(bounds, "")
    }

    /// The same, and `why` is said of one that is less than the least.
    pub(super) fn duration_for(
        &self,
        bounds: &RangeInclusive<Duration>,
        why: &str,
    ) -> Option<Duration> {
        let text = self.text("a duration such as \"15s\"")?;
        let Ok(duration) = humantime::parse_duration(text) else {
            self.wrong("must be a duration such as \"15s\", \"5m\", \"12h\" or \"30d\"");
            return None;
        };
        if !bounds.contains(&duration) {
            let least = short(*bounds.start());
            let most = short(*bounds.end());
            let why = if duration < *bounds.start() { why } else { "" };
            self.wrong(&format!("must be between {least} and {most}{why}"));
            return None;
        }
        Some(duration)
    }

    /// How many requests should come within which time: `1 in 10m`.
    pub(super) fn expected(&self) -> Option<Expected> {
        const FORM: &str = "a number of requests and a time such as \"1 in 10m\": 1 to 1000000 \
                            requests in 1m to 7d";
        let read = |text: &str| {
            let (requests, within) = text.split_once(" in ")?;
            let requests =
                requests.trim().parse::<u32>().ok().filter(|it| EXPECTED.contains(it))?;
            let within = humantime::parse_duration(within.trim()).ok()?;
            let fits = EXPECTED_WITHIN.contains(&within);
            fits.then_some(Expected { requests, within })
        };
        let expected = read(self.text(FORM)?);
        if expected.is_none() {
            self.wrong(&format!("must be {FORM}"));
        }
        expected
    }

    /// A whole number within these bounds.
    pub(super) fn count<N: TryFrom<i128> + PartialOrd + std::fmt::Display>(
        &self,
        bounds: &RangeInclusive<N>,
    ) -> Option<N> {
        let number = N::try_from(self.number("a whole number")?)
            .ok()
            .filter(|number| bounds.contains(number));
        if number.is_none() {
            self.wrong(&format!("must be between {} and {}", bounds.start(), bounds.end()));
        }
        number
    }

    /// A number of bytes such as `64MiB`, within these bounds.
    pub(super) fn size(&self, bounds: &RangeInclusive<usize>) -> Option<usize> {
        size(self.text(SIZE)?, bounds).inspect_err(|wrong| self.wrong(wrong)).ok()
    }

    /// A share such as `5%`.
    pub(super) fn percent(&self) -> Option<Share> {
        self.parsed("a percentage such as \"5%\", from 0.01% to 50%")
    }

    /// A text of a certain form.
    fn parsed<T: FromStr>(&self, form: &str) -> Option<T> {
        let parsed = self.text(form)?.parse().ok();
        if parsed.is_none() {
            self.wrong(&format!("must be {form}"));
        }
        parsed
    }

    /// One of these words.
    pub(super) fn choice<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let known: Vec<_> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        let form = match known.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => known.concat(),
        };
        let text = self.text(&form)?;
        let chosen = words.iter().find(|(word, _)| *word == text).map(|(_, chosen)| *chosen);
        if chosen.is_none() {
            self.wrong(&format!("must be {form}"));
        }
        chosen
    }

    pub(super) fn name(&self) -> Option<Name> {
        self.parsed(A_NAME)
    }

    /// The tenant that something is of.
    pub(super) fn tenant(&self) -> Option<Tenant> {
        self.parsed(
            "a tenant: 1 to 64 characters out of a-z, A-Z, 0-9 and `-_.:@`, beginning with a \
             letter or digit",
        )
    }

    /// The name of a label of events.
    pub(super) fn label(&self) -> Option<String> {
        const FORM: &str = "the name of a label: 1 to 64 characters";
        let text = self.text(FORM)?;
        let fits = (1..=64).contains(&text.len());
        if !fits {
            self.wrong(&format!("must be {FORM}"));
        }
        fits.then(|| text.to_owned())
    }

    /// A place in a request, whose value is redacted.
    pub(super) fn request_place(&self) -> Option<Place> {
        self.parsed(
            "a place such as \"/data/object/card/number\", \"/items/*/iban\", \
             \"header:authorization\" or \"query:token\", with at most 16 parts and 512 bytes",
        )
    }

    pub(super) fn pattern(&self) -> Option<Pattern> {
        self.parsed("event types such as \"payment.failed\", \"payment.*\" or \"*\"")
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.parsed("an IP address and a port such as \"127.0.0.1:8080\"")
    }

    /// An address, or a socket in the file system; its path counts from this folder.
    pub(super) fn place(&self, folder: &Path) -> Option<Address> {
        let form = "an IP address and a port such as \"127.0.0.1:8080\", or a socket such as \
                    \"unix:/run/hookgate/admin.sock\", whose path has at most 103 bytes";
        let place = Address::parse(self.text(form)?, folder);
        if place.is_none() {
            self.wrong(&format!("must be {form}"));
        }
        place
    }

    /// A time of the day in UTC.
    pub(super) fn time(&self) -> Option<Timestamp> {
        self.parsed("a time such as \"2027-01-01T00:00:00Z\"")
    }

    /// A network; an address is the network of itself alone.
    pub(super) fn network(&self) -> Option<IpNet> {
        let form = "a network such as \"10.0.0.0/8\", or an address";
        let text = self.text(form)?;
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok();
        if network.is_none() {
            self.wrong(&format!("must be {form}"));
        }
        network
    }

    /// A host without anything around it, in lower case.
    pub(super) fn host(&self) -> Option<String> {
        let form = "host names such as \"api.example.com\", in lower case, without scheme and port";
        let text = self.text(form)?;
        let known = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b".-".contains(&c);
        if text.is_empty() || !text.bytes().all(known) {
            self.wrong(&format!("must be {form}"));
            return None;
        }
        Some(text.to_owned())
    }

    /// A URL of HTTP.
    pub(super) fn url(&self) -> Option<Url> {
        let form = "a URL such as \"https://example.com/hooks\"";
        let text = self.text(form)?;
        let url = text
            .parse::<Url>()
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if url.is_none() {
            self.wrong(&format!("must be {form}"));
        }
        url
    }

    /// Yes or no.
    pub(super) fn truth(&self) -> Option<bool> {
        let truth = self.boolean();
        if truth.is_none() {
            self.unexpected("true or false");
        }
        truth
    }

    pub(super) fn path(&self) -> Option<PathBuf> {
        let text = self.text("a path")?;
        if text.is_empty() || text.contains('\0') {
            self.wrong("must be a path that is not empty");
            return None;
        }
        Some(text.into())
    }
}

impl Table<'_> {
    /// The duration under a key, or what counts if there is none.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        bounds: RangeInclusive<Duration>,
        default: Duration,
    ) -> Duration {
        self.take(key).and_then(|entry| entry.duration(&bounds)).unwrap_or(default)
    }

    /// The number under a key, or what counts if there is none.
    pub(super) fn count(
        &mut self,
        key: &'static str,
        bounds: RangeInclusive<usize>,
        default: usize,
    ) -> usize {
        self.take(key).and_then(|entry| entry.count(&bounds)).unwrap_or(default)
    }
}

/// A duration in the largest unit that it is a whole number of.
fn short(duration: Duration) -> String {
    let ms = duration.as_millis();
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let unit = units.into_iter().find(|(_, size)| ms != 0 && ms.is_multiple_of(*size));
    match unit {
        Some((unit, size)) => format!("{}{unit}", ms / size),
        None if ms == 0 => "0s".to_owned(),
        None => format!("{ms}ms"),
    }
}

/// The bytes of a size such as `64MiB` within these bounds, or what it must be.
pub(super) fn size(text: &str, bounds: &RangeInclusive<usize>) -> Result<usize, String> {
    let bytes = UNITS.iter().find_map(|(unit, size)| {
        text.strip_suffix(*unit)?.trim_end().parse::<usize>().ok()?.checked_mul(*size)
    });
    let bytes = bytes.ok_or_else(|| format!("must be {SIZE}, with KiB, MiB or GiB"))?;
    if !bounds.contains(&bytes) {
        let (least, most) = (sized(*bounds.start()), sized(*bounds.end()));
        return Err(format!("must be between {least} and {most}"));
    }
    Ok(bytes)
}

/// A number of bytes in the largest unit that it is a whole number of.
fn sized(bytes: usize) -> String {
    let unit = UNITS.into_iter().find(|(_, size)| bytes != 0 && bytes.is_multiple_of(*size));
    unit.map_or_else(|| format!("{bytes} bytes"), |(unit, size)| format!("{}{unit}", bytes / size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_shown_as_people_write_them() {
        let shown = [0, 1, 1 << 10, 1536, 1 << 20, 3 << 29, 1 << 30].map(sized);
        assert_eq!(shown, ["0 bytes", "1 bytes", "1KiB", "1536 bytes", "1MiB", "1536MiB", "1GiB"]);
    }

    #[test]
    fn bounds_are_shown_as_people_write_them() {
        let shown = [secs(0), ms(100), secs(1), secs(90), hours(1), days(30), hours(36)].map(short);
        assert_eq!(shown, ["0s", "100ms", "1s", "90s", "1h", "30d", "36h"]);
    }
}
