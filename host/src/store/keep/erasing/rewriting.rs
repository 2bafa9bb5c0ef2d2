//! Segments anew: with blanked records in the place of what is erased, or as they are, out of a
//! volume that is to go.
//!
//! Looks at one view of the file and writes nothing. Segments are not as young as a sweep leaves
//! them alone: what is asked of them here can't wait. What is damaged stays where it is.

use std::collections::{BTreeMap, BTreeSet};

use super::blanking::blanked;
use crate::event::Timestamp;
use crate::store::error::{Error, Failure};
use crate::store::file::view::View;
use crate::store::keep::pack::{Item, Packed, pack};
use crate::store::kind::WorkKind;
use crate::store::log::segment::{RecordKind, Segment};
use crate::store::shared::Shared;
use crate::store::write::batch::{Repacked, Replacement};

/// Most raw bytes of the log that one step reads and packs.
const STEP_BYTES_MAX: usize = 1 << 20;
/// Most segments that one step replaces.
const STEP_SEGMENTS_MAX: usize = 512;

/// What one step puts in place.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub(super) replacement: Option<Replacement>,
    /// Where the records stand that it blanks.
    pub(super) blanked: Vec<u64>,
    /// What could not be read.
    pub(super) damaged: u64,
    /// Where to go on; `None` at the end.
    pub(super) next: Option<u64>,
}

impl Shared {
    /// The volume in which the segment with this position lies.
    pub(super) fn volume_of(&self, position: u64) -> Result<Option<u32>, Error> {
        let log = self.file.read()?.log()?;
        let Some(first) = log.key_up_to(position)? else { return Ok(None) };
        Ok(log.place(first)?.map(|extent| extent.volume))
    }

    /// The volumes before this one that hold what belongs to no segment.
    pub(super) fn stale_volumes(&self, before: u32) -> Result<BTreeSet<u32>, Error> {
        Ok(self.file.read()?.log()?.stale_volumes(before)?)
    }

    /// Blanks these records, as far as a step goes, from this position on.
    pub(super) fn blank(
        &self,
        records: &BTreeMap<u64, WorkKind>,
        from: u64,
    ) -> Result<Step, Error> {
        let view = self.file.read()?;
        let log = view.log()?;
        let (mut step, mut raw) = (Step::default(), 0);
        let (mut gone, mut packed) = (Vec::new(), Vec::new());
        let mut next = records.range(from..).next();
        while let Some((position, _)) = next {
            if raw >= STEP_BYTES_MAX {
                step.next = Some(*position);
                break;
            }
            let first = log.key_up_to(*position)?;
            let read = first.map(|first| log.get(first)).transpose()?.flatten();
            let is_there = read.is_some();
            let segment = read.map(|read| self.damages.pass(read)).transpose()?.flatten();
            step.damaged += u64::from(is_there && segment.is_none());
            // One that was kept long enough is not there.
            let Some(segment) = segment.filter(|segment| segment.covers(*position)) else {
                next = records.range(position + 1..).next();
                continue;
            };
            raw += segment.raw_bytes();
            next = records.range(segment.next()..).next();
            let due = due(&view, segment.first())?;
            let before = step.blanked.len();
            let items = self.items(&segment, records, due, &mut step)?;
            if step.blanked.len() > before {
                gone.push(segment.first());
                packed.extend(pack(&items));
            }
        }
        step.replacement = (!gone.is_empty()).then(|| replacement(gone, packed));
        Ok(step)
    }

    /// The records of a segment, those of these blanked.
    fn items(
        &self,
        segment: &Segment,
        records: &BTreeMap<u64, WorkKind>,
        due: Timestamp,
        step: &mut Step,
    ) -> Result<Vec<Item>, Failure> {
        let mut items = Vec::new();
        for entry in segment.entries().filter(|entry| entry.kind != RecordKind::Gap) {
            let kind = records.get(&entry.position);
            let blank = match kind {
                Some(kind) => {
                    let read = self.damages.pass(blanked(&entry, self.file.tag, *kind))?;
                    step.damaged += u64::from(read.is_none());
                    read.flatten()
                }
                None => None,
            };
            step.blanked.extend(blank.is_some().then_some(entry.position));
            let (kind, bytes) = blank.unwrap_or_else(|| (entry.kind, entry.bytes.to_vec()));
            let (position, width) = (entry.position, entry.width);
            items.push(Item { position, width, kind, bytes, due });
        }
        Ok(items)
    }

    /// Packs what lies in these volumes anew, as far as a step goes, from this key on.
    pub(super) fn leave(&self, volumes: &BTreeSet<u32>, from: u64) -> Result<Step, Error> {
        let view = self.file.read()?;
        let log = view.log()?;
        let (mut step, mut raw) = (Step::default(), 0);
        let (mut gone, mut items) = (Vec::new(), Vec::new());
        for row in log.volumes_from(from)? {
            let (first, volume) = row?;
            let is_left = volume.is_some_and(|volume| volumes.contains(&volume));
            if !is_left && gone.is_empty() {
                continue;
            }
            // What stays between two segments must not lie within one.
            if !is_left || raw >= STEP_BYTES_MAX || gone.len() == STEP_SEGMENTS_MAX {
                step.next = Some(first);
                break;
            }
            let read = log.get(first)?.map(|read| self.damages.pass(read)).transpose()?.flatten();
            let Some(segment) = read else {
                step.damaged += 1;
                if gone.is_empty() {
                    continue;
                }
                step.next = Some(first + 1);
                break;
            };
            raw += segment.raw_bytes();
            let due = due(&view, first)?;
            gone.push(first);
            items.extend(self.items(&segment, &BTreeMap::new(), due, &mut step)?);
        }
        step.replacement = (!gone.is_empty()).then(|| replacement(gone, pack(&items)));
        Ok(step)
    }
}

/// When a sweep looks at a segment again; one that was never packed is looked at next.
fn due(view: &View, first: u64) -> Result<Timestamp, Failure> {
    let Some(swept) = view.swept()? else { return Ok(Timestamp(0)) };
    let packed = swept.within(first..=first)?.next().transpose()?;
    Ok(packed.map_or(Timestamp(0), |packed| packed.due))
}

fn replacement(gone: Vec<u64>, packed: Vec<Packed>) -> Replacement {
    let repacked = |Packed { first, bytes, due, .. }: Packed| Repacked { first, bytes, due };
    Replacement { gone, packed: packed.into_iter().map(repacked).collect() }
}
