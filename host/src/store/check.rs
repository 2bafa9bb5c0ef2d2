//! The check: whether all that a store holds can be read, and whether its rows agree with its log.
//!
//! Looks at a store that no gateway has open, as the last checkpoint left its rows, and at the
//! frames behind that. Names each fault by its file and place. Never changes anything on the disk.

mod owed;
mod works;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use super::access::{audit, tokens};
use super::canaries;
use super::endpoints;
use super::erasures;
use super::error::Failure;
use super::file::inspection::Inspection;
use super::file::kept_rows::Kept;
use super::file::view::View;
use super::file::volumes::{Extent, Found, Point, Scan, Scanned, Shown, file_name};
use super::file::{self, OpenError};
use super::handlers;
use super::log::record::Record;
use super::log::segment::Segment;
use super::read::replays::Replay;
use super::state;
use super::volume_keys::VolumeKeys;
use crate::causes::chain;

/// Faults that are named; more are counted.
const FAULTS_MAX: usize = 10_000;

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Volumes whose heads can be read.
    pub volumes: u64,
    /// Frames of commits that are whole.
    pub frames: u64,
    /// Segments that rows point to.
    pub segments: u64,
    /// Records that were decoded.
    pub records: u64,
    /// Works that were tried.
    pub standings: u64,
    /// Segments whose records could not be looked at, because they are encrypted and no key opens
    /// them.
    pub locked: u64,
    /// The ids of the master keys that open them.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub locked_by: BTreeSet<String>,
    /// How many faults there are.
    pub found: u64,
    /// The faults, but for those behind the first ten thousand.
    pub faults: Vec<Fault>,
}

/// Something in a store that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The file that it is in.
    pub file: String,
    /// Where in the file, if it is at one place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
    /// The position of the segment, record or work, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, offset, position, reason } = self;
        f.write_str(file)?;
        if let Some(offset) = offset {
            write!(f, ", offset {offset}")?;
        }
        if let Some(position) = position {
            write!(f, ", position {position}")?;
        }
        write!(f, ": {reason}")
    }
}

/// Looks through the store in a data folder. An error says why it can't be looked at.
pub fn check(folder: &Path) -> Result<Checked, OpenError> {
    check_counting(folder, &VolumeKeys::default(), &AtomicU64::new(0))
}

/// The same where volumes may be encrypted, and counts the records that it has looked at, for
/// whoever waits. Of what no key opens it only tells whether it is as it was written.
pub fn check_counting(
    folder: &Path,
    keys: &VolumeKeys,
    seen: &AtomicU64,
) -> Result<Checked, OpenError> {
    let inspection = Inspection::open_with(folder, keys)?;
    let mut check = Check::new(&inspection, seen);
    match check.look() {
        Ok(()) => Ok(check.checked),
        Err(source) => {
            let path = file::file_in(folder);
            Err(OpenError::Failed { path, source: source.into() })
        }
    }
}

/// A check at work.
struct Check<'i> {
    inspection: &'i Inspection,
    /// The records that it has looked at.
    seen: &'i AtomicU64,
    shown: Arc<Shown>,
    /// What rows and the log say of each volume: its segments, and their bytes.
    live: BTreeMap<u32, (u64, u64)>,
    /// The volumes that no key opens.
    locked: BTreeSet<u32>,
    /// How many segments lie in volumes that can't be read.
    lost: BTreeMap<u32, u64>,
    /// Where frames were told as damaged.
    told: BTreeSet<(u32, u32)>,
    checked: Checked,
}

impl<'i> Check<'i> {
    fn new(inspection: &'i Inspection, seen: &'i AtomicU64) -> Self {
        let shown = inspection.volumes.shown();
        let volumes = shown.numbers().count() as u64;
        let locked = shown.locked();
        let locked_by = locked.values().flatten().cloned().collect();
        Self {
            inspection,
            seen,
            locked: locked.into_keys().collect(),
            shown,
            live: BTreeMap::new(),
            lost: BTreeMap::new(),
            told: BTreeSet::new(),
            checked: Checked { volumes, locked_by, ..Checked::default() },
        }
    }

    fn look(&mut self) -> Result<(), Failure> {
        if let Some(reason) = &self.inspection.rows_fault {
            self.tell_row(None, reason.clone());
        }
        let bits = self.inspection.rows_mended;
        if bits > 0 {
            let reason = format!(
                "bits of its pages that are damaged: {bits}; the gateway mends each when it reads \
                 it"
            );
            self.tell_row(None, reason);
        }
        for number in self.shown.mended().collect::<Vec<_>>() {
            let reason = "one bit of its head is damaged; the gateway mends it when it reads it";
            self.tell(number, None, None, reason);
        }
        let view = self.inspection.view()?;
        if let Some(view) = &view {
            self.segments(view)?;
        }
        let applied = self.inspection.applied()?;
        self.volumes_lost(applied);
        let frames = self.inspection.volumes.frames_from(Point::START).closed();
        self.frames(frames, applied)?;
        match &view {
            Some(view) => {
                self.shares(view)?;
                // How works stand is in records.
                if self.checked.locked == 0 {
                    self.works(view)?;
                }
                self.states(view)?;
                self.replays(view)?;
                self.kept(view)
            }
            // Without rows nothing says which of these are needed.
            None => self.packed(),
        }
    }

    /// Every segment that a row points to, and every record in it.
    fn segments(&mut self, view: &View) -> Result<(), Failure> {
        let mut next = 0;
        for place in view.log()?.places()? {
            let (first, extent) = place?;
            self.checked.segments += 1;
            let (segments, bytes) = self.live.entry(extent.volume).or_default();
            (*segments, *bytes) = (*segments + 1, *bytes + u64::from(extent.length));
            if first < next {
                self.tell_row(Some(first), "the segment before this one has this position too");
            }
            if let Some(segment) = self.segment(first, extent) {
                next = segment.next();
                self.records(&segment, extent);
            }
        }
        let end = view.fact(file::END)?.unwrap_or(0);
        if end < next {
            self.tell_row(None, format!("the log ends at {next}, but `end` of `meta` is {end}"));
        }
        Ok(())
    }

    /// The segment that lies there; if it can't be read, that is told.
    fn segment(&mut self, first: u64, extent: Extent) -> Option<Segment> {
        let Extent { volume, offset, .. } = extent;
        if !self.shown.has(volume) {
            *self.lost.entry(volume).or_default() += 1;
            return None;
        }
        if self.locked.contains(&volume) {
            self.checked.locked += 1;
            return None;
        }
        let reason = match self.shown.segment(first, extent) {
            Ok(Some(stored)) => match Segment::read(first, &stored) {
                Ok(segment) => return Some(segment),
                Err(_) => "the frame is whole, but its records can't be unpacked".to_owned(),
            },
            Ok(None) => "the frame is damaged: its records can't be read".to_owned(),
            Err(failure) => format!("the frame can't be read: {}", chain(&failure)),
        };
        self.told.insert((volume, offset));
        self.tell(volume, Some(offset), Some(first), reason);
        None
    }

    fn records(&mut self, segment: &Segment, extent: Extent) {
        for entry in segment.entries() {
            self.checked.records += 1;
            self.seen.fetch_add(1, Ordering::Relaxed);
            if Record::read(&entry, self.inspection.tag).is_err() {
                let Extent { volume, offset, .. } = extent;
                let reason = "the record can't be decoded";
                self.tell(volume, Some(offset), Some(entry.position), reason);
            }
        }
    }

    /// Volumes in which nothing can be read: those that rows point into, and the one in which the
    /// log ended at the last checkpoint.
    fn volumes_lost(&mut self, applied: Option<Point>) {
        let damaged: BTreeSet<u32> = self.shown.damaged().collect();
        let mut lost = std::mem::take(&mut self.lost);
        let end = applied.filter(|end| *end != Point::START).map(|end| end.volume);
        let end = end.filter(|number| !self.shown.has(*number));
        for number in damaged.iter().copied().chain(end) {
            lost.entry(number).or_default();
        }
        for (number, segments) in lost {
            let why = if damaged.contains(&number) {
                "its head is damaged"
            } else {
                "the file is missing, or belongs to another store"
            };
            let reason = format!("{why}: the {segments} segments in it can't be read");
            self.tell(number, None, None, reason);
        }
    }

    /// Every frame of the packed volumes.
    fn packed(&mut self) -> Result<(), Failure> {
        for number in self.shown.numbers().collect::<Vec<_>>() {
            if let Some(frames) = self.inspection.volumes.frames_of(number) {
                self.frames(frames.closed(), None)?;
            }
        }
        Ok(())
    }

    /// The frames of a scan, whether rows point to them or not; none does behind the point.
    fn frames(&mut self, mut scan: Scan, applied: Option<Point>) -> Result<(), Failure> {
        let mut hole: Option<Point> = None;
        loop {
            let scanned = scan.next().transpose()?;
            if let Some(begin) = hole.take() {
                let end = match &scanned {
                    Some(Scanned::Frame(Found { extent, .. })) if extent.volume == begin.volume => {
                        extent.offset - 1
                    }
                    _ => u32::MAX,
                };
                self.hole(begin.volume, begin.offset..=end, applied);
            }
            match scanned {
                None => return Ok(()),
                // The head of the volume is told already.
                Some(Scanned::Broken { offset: 0, .. }) => (),
                Some(Scanned::Broken { volume, offset }) => hole = Some(Point { volume, offset }),
                Some(Scanned::Frame(Found { first, extent, .. })) => {
                    self.checked.frames += 1;
                    if applied.is_none_or(|applied| extent.end() > applied)
                        && let Some(segment) = self.segment(first, extent)
                    {
                        self.records(&segment, extent);
                    }
                }
            }
        }
    }

    /// Bytes that are not a frame, although there are frames behind them.
    fn hole(&mut self, volume: u32, bytes: RangeInclusive<u32>, applied: Option<Point>) {
        let (begin, end) = bytes.into_inner();
        if self.told.range((volume, begin)..=(volume, end)).next().is_some() {
            return;
        }
        let place = Point { volume, offset: begin };
        let reason = if applied.is_some_and(|applied| place >= applied) {
            "what lies here is not a whole frame: a commit behind the last checkpoint is lost"
        } else {
            "what lies here is not a whole frame"
        };
        self.tell(volume, Some(begin), None, reason);
    }

    /// What is live in each volume, as it was counted and as it is.
    fn shares(&mut self, view: &View) -> Result<(), Failure> {
        let Some(counted) = view.live()? else { return Ok(()) };
        let live = std::mem::take(&mut self.live);
        let numbers: BTreeSet<u32> = live.keys().chain(counted.keys()).copied().collect();
        for number in numbers {
            let share = |of: &BTreeMap<u32, (u64, u64)>| of.get(&number).copied();
            let ((segments, bytes), (rows, row_bytes)) =
                (share(&counted).unwrap_or_default(), share(&live).unwrap_or_default());
            if (segments, bytes) != (rows, row_bytes) {
                let file = file_name(number);
                self.tell_row(
                    None,
                    format!(
                        "`volumes` counts {segments} segments and {bytes} bytes in {file}, but \
                         `segments` has {rows} and {row_bytes}"
                    ),
                );
            }
        }
        Ok(())
    }

    /// What handlers remember.
    fn states(&mut self, view: &View) -> Result<(), Failure> {
        let read = |key: &[u8], row: &[u8]| {
            let handler = state::handler_of(key)?;
            Some((handler, state::written_at(key, row)))
        };
        for row in view.states(&[], read)? {
            if let Some((handler, None)) = row? {
                let reason = format!("a row in `state` of the handler {handler} is damaged");
                self.tell_row(None, reason);
            }
        }
        Ok(())
    }

    /// The replays by filter.
    fn replays(&mut self, view: &View) -> Result<(), Failure> {
        for (number, row) in view.replays()? {
            if Replay::read(number, self.inspection.tag, &row).is_err() {
                self.tell_row(Some(number), "the row in `replays` can't be decoded");
            }
        }
        Ok(())
    }

    /// The tokens of the admin port, the endpoints, the canaries, the handlers, the erasures, and
    /// the audit log.
    fn kept(&mut self, view: &View) -> Result<(), Failure> {
        for _ in 0..tokens::unread(&view.kept(Kept::Tokens)?.all()?) {
            self.tell_row(None, "the row in `tokens` of a token can't be decoded");
        }
        for _ in 0..endpoints::unread(&view.kept(Kept::Endpoints)?)? {
            self.tell_row(None, "a row in `endpoints` can't be decoded");
        }
        for _ in 0..canaries::unread(&view.kept(Kept::Canaries)?)? {
            self.tell_row(None, "a row in `canaries` can't be decoded");
        }
        for _ in 0..handlers::unread(&view.kept(Kept::Handlers)?)? {
            self.tell_row(None, "a row in `handlers` can't be decoded");
        }
        for _ in 0..erasures::unread(&view.kept(Kept::Erasures)?)? {
            self.tell_row(None, "a row in `erasures` can't be decoded");
        }
        let checked = audit::check(&view.kept(Kept::Audit)?, None)?;
        for fault in checked.faults {
            self.tell_row(None, format!("the audit log: {fault}"));
        }
        Ok(())
    }

    fn tell(
        &mut self,
        volume: u32,
        offset: Option<u32>,
        position: Option<u64>,
        reason: impl Into<String>,
    ) {
        self.add(Fault { file: file_name(volume), offset, position, reason: reason.into() });
    }

    /// Something is wrong with a row.
    fn tell_row(&mut self, position: Option<u64>, reason: impl Into<String>) {
        let file = self.inspection.rows_file().to_owned();
        self.add(Fault { file, offset: None, position, reason: reason.into() });
    }

    fn add(&mut self, fault: Fault) {
        self.checked.found += 1;
        if self.checked.faults.len() < FAULTS_MAX {
            self.checked.faults.push(fault);
        }
    }
}
