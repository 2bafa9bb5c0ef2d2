//! How endpoints fare: what their breakers know, since when they fail, and their attempts by hours.
//!
//! Written in one batch every few seconds, never with an attempt: a crash loses what came since.
//! Never judges an endpoint.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::row::{StandingRow, write};
use super::{HEALTH, STATS};
use crate::endpoint::Standing;
use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::access::Rows;
use crate::store::error::{Damaged, Failure};
use crate::store::file::kept_rows::{Kept, KeptRows};

/// Buckets of latency: number n has what took less than 2^(n/2) ms, and the last all that is left,
/// which is more than an hour.
pub const BUCKETS: usize = 46;
/// As many as the first form of a row has. Of what is in the last of these only the least is known.
const BUCKETS_V1: usize = 24;
/// Hours that the attempts of an endpoint are kept.
const HOURS_KEPT: u64 = 31 * 24;
const HOUR_MS: u64 = 3_600_000;

/// How an endpoint fares.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// How its breaker stands, as whoever has it numbers that.
    pub breaker: u8,
    /// Until when it is open.
    pub open_until: Option<Timestamp>,
    /// How often it has opened in a row.
    pub opened: u32,
    /// Since when there were only failures.
    pub failing_since: Option<Timestamp>,
    /// Failures since then.
    pub failures: u32,
    /// Whether somebody was told.
    pub warned: bool,
    /// When an attempt last succeeded.
    pub last_success: Option<Timestamp>,
    /// When one last failed.
    pub last_failure: Option<Timestamp>,
    /// Where one of the configuration stands, whose settings nobody changes here.
    pub standing: Option<Standing>,
}

/// The attempts of one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatsHour {
    /// Hours since 1970.
    pub hour: u32,
    /// Attempts that ended in it.
    pub attempts: u64,
    /// Those that succeeded.
    pub successes: u64,
    /// Attempts by how long they took.
    pub latency: [u32; BUCKETS],
    /// Bytes of the bodies that were sent.
    pub bytes: u64,
}

/// What there is to note of an endpoint.
#[derive(Debug, Clone)]
pub struct EndpointNote {
    /// Its key.
    pub key: Name,
    /// How it fares now, if that has changed; its standing stays as it is.
    pub health: Option<Health>,
    /// To be added to what is known.
    pub hours: Vec<StatsHour>,
}

/// The row of how an endpoint fares, in postcard. One that says more is another variant.
#[derive(Serialize, Deserialize)]
enum HealthRow {
    V1 {
        breaker: u8,
        open_until: Option<u64>,
        opened: u32,
        failing_since: Option<u64>,
        failures: u32,
        warned: bool,
        last_success: Option<u64>,
        last_failure: Option<u64>,
        standing: Option<StandingRow>,
    },
}

/// The row of an hour, in postcard. One that says more is another variant.
#[derive(Serialize, Deserialize)]
enum StatsRow {
    V1 {
        attempts: u64,
        successes: u64,
        latency: [u32; BUCKETS_V1],
        bytes: u64,
    },
    /// Up to the last bucket that has any.
    V2 {
        attempts: u64,
        successes: u64,
        latency: Vec<u32>,
        bytes: u64,
    },
}

impl Health {
    fn write(&self) -> Bytes {
        let millis = |time: Option<Timestamp>| time.map(|time| time.0);
        write(&HealthRow::V1 {
            breaker: self.breaker,
            open_until: millis(self.open_until),
            opened: self.opened,
            failing_since: millis(self.failing_since),
            failures: self.failures,
            warned: self.warned,
            last_success: millis(self.last_success),
            last_failure: millis(self.last_failure),
            standing: self.standing.map(StandingRow::from),
        })
    }

    pub(super) fn read(row: &[u8]) -> Result<Self, Damaged> {
        let row: HealthRow = postcard::from_bytes(row).map_err(|_| Damaged { position: 0 })?;
        let HealthRow::V1 { breaker, opened, failures, warned, .. } = row;
        let HealthRow::V1 { open_until, failing_since, last_success, last_failure, .. } = row;
        let HealthRow::V1 { standing, .. } = row;
        Ok(Self {
            breaker,
            open_until: open_until.map(Timestamp),
            opened,
            failing_since: failing_since.map(Timestamp),
            failures,
            warned,
            last_success: last_success.map(Timestamp),
            last_failure: last_failure.map(Timestamp),
            standing: standing.map(Standing::from),
        })
    }
}

/// Without an attempt.
impl Default for StatsHour {
    fn default() -> Self {
        Self { hour: 0, attempts: 0, successes: 0, latency: [0; BUCKETS], bytes: 0 }
    }
}

impl StatsHour {
    fn write(&self) -> Bytes {
        let Self { attempts, successes, bytes, .. } = *self;
        let last = self.latency.iter().rposition(|count| *count > 0);
        let latency = self.latency[..last.map_or(0, |last| last + 1)].to_vec();
        write(&StatsRow::V2 { attempts, successes, latency, bytes })
    }

    fn read(hour: u32, row: &[u8]) -> Result<Self, Damaged> {
        let row: StatsRow = postcard::from_bytes(row).map_err(|_| Damaged { position: 0 })?;
        let (attempts, successes, counted, bytes) = match row {
            StatsRow::V1 { attempts, successes, latency, bytes } => {
                let mut counted = latency.to_vec();
                // What took more than 2 s may have taken any time.
                let unknown = counted.pop().unwrap_or_default();
                counted.resize(BUCKETS - 1, 0);
                counted.push(unknown);
                (attempts, successes, counted, bytes)
            }
            StatsRow::V2 { attempts, successes, latency, bytes } => {
                (attempts, successes, latency, bytes)
            }
        };
        let mut read = Self { hour, attempts, successes, bytes, ..Self::default() };
        for (bucket, count) in counted.into_iter().enumerate() {
            // Another version may tell longer times apart.
            let bucket = &mut read.latency[bucket.min(BUCKETS - 1)];
            *bucket = bucket.saturating_add(count);
        }
        Ok(read)
    }

    /// Counts these too.
    pub(crate) fn add(&mut self, more: &Self) {
        self.attempts = self.attempts.saturating_add(more.attempts);
        self.successes = self.successes.saturating_add(more.successes);
        self.bytes = self.bytes.saturating_add(more.bytes);
        for (all, more) in self.latency.iter_mut().zip(more.latency) {
            *all = all.saturating_add(more);
        }
    }
}

fn health_key(key: &Name) -> Vec<u8> {
    [&[HEALTH], key.as_str().as_bytes()].concat()
}

fn stats_key(key: &Name, hour: u32) -> Vec<u8> {
    [&[STATS], key.as_str().as_bytes(), &[0], &hour.to_be_bytes()].concat()
}

/// The hour that the key of a row of attempts ends with.
fn hour_of(key: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*key.last_chunk()?))
}

/// How an endpoint fares. One that can't be read is as one that was never tried: it is noted where
/// all are read.
fn known(rows: &impl Rows, key: &Name) -> Result<Health, Failure> {
    let row = rows.row(Kept::Endpoints, &health_key(key))?;
    Ok(row.and_then(|row| Health::read(&row).ok()).unwrap_or_default())
}

/// Notes how endpoints fare, and drops what is too old of them.
pub(in crate::store) fn note(
    rows: &mut impl Rows,
    notes: &[EndpointNote],
    now: Timestamp,
) -> Result<(), Failure> {
    let oldest = (now.0 / HOUR_MS).saturating_sub(HOURS_KEPT);
    let oldest = u32::try_from(oldest).unwrap_or(u32::MAX);
    for EndpointNote { key, health, hours } in notes {
        if let Some(health) = health {
            let standing = known(rows, key)?.standing;
            let row = Health { standing, ..health.clone() }.write();
            rows.put(Kept::Endpoints, health_key(key), Some(row));
        }
        for more in hours {
            let at = stats_key(key, more.hour);
            let row = rows.row(Kept::Endpoints, &at)?;
            // A new hour is the time to look for old ones.
            if row.is_none() {
                let (first, last) = (stats_key(key, 0), stats_key(key, oldest));
                for (old, _) in rows.within(Kept::Endpoints, &first, &last)? {
                    rows.put(Kept::Endpoints, old, None);
                }
            }
            let read = row.and_then(|row| StatsHour::read(more.hour, &row).ok());
            let mut hour = read.unwrap_or(StatsHour { hour: more.hour, ..StatsHour::default() });
            hour.add(more);
            rows.put(Kept::Endpoints, at, Some(hour.write()));
        }
    }
    Ok(())
}

/// An endpoint of the configuration stands so from now on.
pub(in crate::store) fn stand(
    rows: &mut impl Rows,
    key: &Name,
    standing: Standing,
) -> Result<Health, Failure> {
    let health = Health { standing: Some(standing), ..known(rows, key)? };
    rows.put(Kept::Endpoints, health_key(key), Some(health.write()));
    Ok(health)
}

/// Removes all that is known of an endpoint.
pub(super) fn forget(rows: &mut impl Rows, key: &Name) -> Result<(), Failure> {
    rows.put(Kept::Endpoints, health_key(key), None);
    let (first, last) = (stats_key(key, 0), stats_key(key, u32::MAX));
    for (old, _) in rows.within(Kept::Endpoints, &first, &last)? {
        rows.put(Kept::Endpoints, old, None);
    }
    Ok(())
}

/// The hours with attempts of an endpoint, from this one on. What can't be read is left out.
pub(in crate::store) fn hours(
    rows: &KeptRows,
    key: &Name,
    after: Timestamp,
) -> Result<Vec<StatsHour>, Failure> {
    let first = u32::try_from(after.0 / HOUR_MS).unwrap_or(u32::MAX);
    let mut hours = Vec::new();
    for row in rows.within(&stats_key(key, first), &stats_key(key, u32::MAX))? {
        let (key, row) = row?;
        hours.extend(hour_of(&key).and_then(|hour| StatsHour::read(hour, &row).ok()));
    }
    Ok(hours)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: (u64, u64, u64) = (7, 5, 300);

    fn hour(latency: impl IntoIterator<Item = (usize, u32)>) -> StatsHour {
        let (attempts, successes, bytes) = COUNTS;
        let mut hour = StatsHour { hour: 9, attempts, successes, bytes, ..StatsHour::default() };
        latency.into_iter().for_each(|(bucket, count)| hour.latency[bucket] = count);
        hour
    }

    /// Guards the rows of stores that there are: the bytes as the version before wrote them. Have
    /// the last count stay where it was: what took a minute shows as 2,896 ms.
    #[test]
    fn a_row_of_the_version_before_counts_what_took_long_as_unknown() {
        let (attempts, successes, bytes) = COUNTS;
        let mut latency = [0; BUCKETS_V1];
        (latency[3], latency[22], latency[23]) = (4, 2, 1);
        let row = write(&StatsRow::V1 { attempts, successes, latency, bytes });
        let zeros = |count: usize| vec![0_u8; count];
        let spelled = [vec![0, 7, 5], zeros(3), vec![4], zeros(18), vec![2, 1, 0xac, 2]].concat();
        assert_eq!(row[..], spelled);
        assert_eq!(StatsHour::read(9, &row).unwrap(), hour([(3, 4), (22, 2), (BUCKETS - 1, 1)]));
    }

    #[test]
    fn a_row_reads_back_as_it_was_written_however_long_attempts_took() {
        for counted in [vec![], vec![(0, 1)], vec![(3, 4), (32, 2), (BUCKETS - 1, 1)]] {
            let hour = hour(counted);
            assert_eq!(StatsHour::read(9, &hour.write()).unwrap(), hour);
        }
        let short = hour([(3, 4)]).write();
        assert_eq!(short[..], [1, 7, 5, 4, 0, 0, 0, 4, 0xac, 2]);
        for length in 0..short.len() {
            assert!(StatsHour::read(9, &short[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn what_another_version_tells_apart_is_in_the_last_bucket() {
        let (attempts, successes, bytes) = COUNTS;
        let mut latency = vec![0; BUCKETS + 3];
        (latency[BUCKETS - 1], latency[BUCKETS + 2]) = (1, 2);
        let row = write(&StatsRow::V2 { attempts, successes, latency, bytes });
        assert_eq!(StatsHour::read(9, &row).unwrap(), hour([(BUCKETS - 1, 3)]));
    }
}
