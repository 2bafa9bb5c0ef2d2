//! How a work stands: not tried, to be tried again, done, or dead.
//!
//! Pure. A work is the parse of a receipt, a run or a delivery. Its standing is what decides
//! whether it may be taken; the history behind it is a chain of records in the log.

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use crate::event::Timestamp;
use crate::retry::Verdict;
use crate::store::error::{Damaged, Failure};
use crate::store::index::Tried;
use crate::store::kind::WorkKind;
use crate::store::rows::Rows;

/// How far a work has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::store) enum Progress {
    /// May be tried at once: for the first time, after it was reopened, or because it was hastened.
    #[default]
    Ready,
    /// Waits for another try, not before this time.
    RetryAt(Timestamp),
    /// Finished.
    Done,
    /// Finished, without success.
    Dead,
}

/// How a work stands. One that was never tried has the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::store) struct Standing {
    pub(in crate::store) progress: Progress,
    /// Tries since it was opened.
    pub(in crate::store) tries_made: u32,
    /// The latest record of its history.
    pub(in crate::store) last: Option<u64>,
    /// How often it was finished before, and opened again. An earlier Hookgate wrote whether,
    /// which reads as once; it takes a greater number for a row that does not tell.
    pub(in crate::store) reopened: u32,
}

/// A row with a sum begins so. An older Hookgate wrote none: its rows begin with the number of the
/// progress, from which this differs by more than one bit.
const SUMMED: u8 = 0x5a;
/// The sum at the end of a row.
const SUM_BYTES: usize = 2;

/// Added to how often a work was opened again where a part of its history is gone: what a replay
/// emits must not have the ids of what an earlier one emitted.
const UNTOLD: u32 = 1 << 16;

/// The same as it was written before it told whether it was opened again.
#[derive(Deserialize)]
struct Untold {
    progress: Progress,
    tries_made: u32,
    last: Option<u64>,
}

impl Standing {
    /// After one more try, which `record` tells of.
    pub(in crate::store) fn tried(self, verdict: Verdict, record: u64) -> Self {
        let progress = match verdict {
            Verdict::Done => Progress::Done,
            Verdict::RetryAt(due) => Progress::RetryAt(due),
            Verdict::Dead => Progress::Dead,
        };
        let tries_made = self.tries_made.saturating_add(1);
        Self { progress, tries_made, last: Some(record), ..self }
    }

    /// After it was ended without a try, which `record` tells of.
    pub(in crate::store) fn ended(self, record: u64) -> Self {
        Self { progress: Progress::Dead, last: Some(record), ..self }
    }

    /// After being opened again for the first time, which `record` tells of.
    pub(in crate::store) fn reopened(record: u64) -> Self {
        Self { progress: Progress::Ready, tries_made: 0, last: Some(record), reopened: 1 }
    }

    /// After being opened once more, which `record` tells of.
    pub(in crate::store) fn reopened_by(self, record: u64) -> Self {
        Self { reopened: self.reopened.saturating_add(1), ..Self::reopened(record) }
    }

    /// The same where nothing tells any more how often it was opened again.
    pub(in crate::store) fn untold(self) -> Self {
        Self { reopened: self.reopened.saturating_add(UNTOLD), ..self }
    }

    /// After it was said that it need not wait.
    pub(in crate::store) fn hastened(self) -> Self {
        Self { progress: Progress::Ready, ..self }
    }

    /// Whether there is something left to do.
    pub(in crate::store) fn is_open(self) -> bool {
        matches!(self.progress, Progress::Ready | Progress::RetryAt(_))
    }

    /// The earliest time of the next try; zero is at once.
    pub(in crate::store) fn due(self) -> Timestamp {
        match self.progress {
            Progress::RetryAt(due) => due,
            Progress::Ready | Progress::Done | Progress::Dead => Timestamp(0),
        }
    }

    /// The try that it stands so after, as the index counts it.
    pub(in crate::store) fn counted(self, kind: WorkKind, at: Timestamp) -> Tried {
        let verdict = match self.progress {
            Progress::Done => 0,
            // One that was hastened in the commit of its try was to be tried again.
            Progress::RetryAt(_) | Progress::Ready => 1,
            Progress::Dead => 2,
        };
        Tried { at, kind, verdict }
    }

    /// How the work at this position stands, if it has a row.
    pub(in crate::store) fn find(
        outcomes: &impl Rows,
        position: u64,
    ) -> Result<Option<Self>, Failure> {
        let read = outcomes.row(position, |row| Self::read(position, row))?;
        Ok(read.transpose()?)
    }

    /// The same; without a row it was never tried.
    pub(in crate::store) fn at(outcomes: &impl Rows, position: u64) -> Result<Self, Failure> {
        Ok(Self::find(outcomes, position)?.unwrap_or_default())
    }

    /// The row of the work at `position`. redb does not check its pages when it reads them, and a
    /// flipped bit must not have what is done be done again.
    pub(in crate::store) fn write(self, position: u64) -> Vec<u8> {
        let row = postcard::to_extend(&self, vec![SUMMED]);
        let mut row = row.expect("a standing can be written to memory");
        row.extend(sum(position, &row));
        row
    }

    /// The same as an older Hookgate wrote it.
    #[cfg(test)]
    pub(in crate::store) fn write_unsummed(self) -> Vec<u8> {
        postcard::to_stdvec(&self).expect("a standing can be written to memory")
    }

    /// Reads how the work at `position` stands.
    pub(in crate::store) fn read(position: u64, bytes: &[u8]) -> Result<Self, Damaged> {
        if let Some((&SUMMED, rest)) = bytes.split_first() {
            let row = &bytes[..bytes.len() - rest.len().min(SUM_BYTES)];
            let is_whole = bytes[row.len()..] == sum(position, row);
            let read = is_whole.then(|| postcard::from_bytes(&row[1..]).ok()).flatten();
            return read.ok_or(Damaged { position });
        }
        let read = postcard::from_bytes::<Self>(bytes).or_else(|_| {
            let untold: Untold = postcard::from_bytes(bytes)?;
            let Untold { progress, tries_made, last } = untold;
            // One that has a history and no try was opened again.
            let reopened = u32::from(tries_made == 0 && last.is_some());
            Ok(Self { progress, tries_made, last, reopened })
        });
        read.map_err(|_: postcard::Error| Damaged { position })
    }
}

/// The sum of a row of this work up to there.
fn sum(position: u64, row: &[u8]) -> [u8; SUM_BYTES] {
    let [first, second, ..] = XxHash3_64::oneshot_with_seed(position, row).to_le_bytes();
    [first, second]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_reads_back_and_counts_its_tries() {
        let first = Standing::default().tried(Verdict::RetryAt(Timestamp(50)), 7);
        let second = first.tried(Verdict::Dead, 9);

        assert!(first.is_open() && !second.is_open());
        assert_eq!((second.tries_made, second.last), (2, Some(9)));
        assert_eq!(Standing::read(1, &first.write(1)).unwrap(), first);
        assert_eq!(Standing::reopened(11).tries_made, 0);
        let again = Standing::reopened(11).tried(Verdict::Done, 12);
        assert_eq!((again.reopened, second.reopened), (1, 0));
        assert_eq!(Standing::read(1, &again.write(1)).unwrap(), again);
        let ended = first.ended(13);
        assert_eq!((ended.progress, ended.tries_made, ended.last), (Progress::Dead, 1, Some(13)));
        assert_eq!(Standing::read(1, &ended.write(1)).unwrap(), ended);
        let once_more = again.reopened_by(13);
        assert_eq!(once_more, Standing { reopened: 2, last: Some(13), ..Standing::reopened(11) });
        assert_eq!(Standing::read(1, &once_more.write(1)).unwrap(), once_more);
        assert!(again.untold().reopened_by(13).reopened > 1 << 16);
    }

    #[test]
    fn a_row_with_one_flipped_bit_or_of_another_work_is_damaged_and_no_other_standing() {
        let standings = [
            Standing::default().tried(Verdict::Done, 7),
            Standing::reopened(11).tried(Verdict::RetryAt(Timestamp(50)), 1 << 40),
        ];
        for standing in standings {
            let row = standing.write(5);
            for bit in 0..row.len() * 8 {
                let mut flipped = row.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(Standing::read(5, &flipped).is_err(), "bit {bit} of {standing:?}");
            }
            assert!(Standing::read(6, &row).is_err());
            for length in 0..row.len() {
                assert!(Standing::read(5, &row[..length]).is_err(), "{length} bytes");
            }
        }
    }

    /// The bytes as they are documented: a change here is another format.
    #[test]
    fn a_row_is_spelled_as_it_is_documented() {
        let row = Standing::default().tried(Verdict::Done, 7).write(5);
        assert_eq!(row[..6], [0x5a, 2, 1, 1, 7, 0]);
        let sum = XxHash3_64::oneshot_with_seed(5, &row[..6]).to_le_bytes();
        assert_eq!(row[6..], sum[..2]);
    }

    #[test]
    fn a_standing_of_an_older_gateway_reads_too() {
        let written = |progress: Progress, tries_made: u32, last: Option<u64>| {
            let bytes = postcard::to_stdvec(&(progress, tries_made, last)).unwrap();
            Standing::read(1, &bytes).unwrap()
        };
        let progress = Progress::RetryAt(Timestamp(50));
        let last = Some(7);
        let tried = Standing { progress, tries_made: 1, last, reopened: 0 };
        assert_eq!(written(progress, 1, last), tried);
        assert_eq!(written(Progress::Ready, 0, last).reopened, 1);
        for reopened in [false, true] {
            let bytes = postcard::to_stdvec(&(progress, 1_u32, last, reopened)).unwrap();
            let told = Standing { reopened: reopened.into(), ..tried };
            assert_eq!(Standing::read(1, &bytes).unwrap(), told);
        }
        assert!(Standing::read(1, &[9]).is_err());
    }
}
