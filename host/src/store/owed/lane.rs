//! How a lane and a note are spelled: in which queue an open work waits, and what it is counted by.
//!
//! Pure. A lane is a kind and a group; a note says whether the work waits for a retry, whether it
//! is the delivery of a parcel, and the source that it goes back to. Rows hold both as bytes, of
//! which none in a lane is zero. Never knows a row.

use crate::ids::Name;
use crate::store::kind::WorkKind;

/// The lane of the works of a kind in a group: a source, a handler or an endpoint.
pub(in crate::store) fn lane(kind: WorkKind, group: &Name) -> Vec<u8> {
    [&[1 + kind as u8][..], group.as_str().as_bytes()].concat()
}

/// The kind and the group of a lane; `None` if these bytes are not a lane.
pub(in crate::store) fn read_lane(lane: &[u8]) -> Option<(WorkKind, Name)> {
    let (kind, group) = lane.split_first()?;
    Some((WorkKind::read(kind.checked_sub(1)?)?, read_name(group)?))
}

/// In the first byte of a note: the work waits for a retry.
const WAITS: u8 = 1;
/// In the same byte: the work is the delivery of a parcel, and of no event.
const OF_PARCEL: u8 = 2;

/// What owes a work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Owner {
    Receipt,
    Event,
    Parcel,
}

/// The note of a work that waits for a retry, or does not, and goes back to this source.
pub(in crate::store) fn note(waits: bool, is_parcel: bool, root: Option<&Name>) -> Vec<u8> {
    let root = root.map_or(&[][..], |root| root.as_str().as_bytes());
    let waits = if waits { WAITS } else { 0 };
    let parcel = if is_parcel { OF_PARCEL } else { 0 };
    [&[waits | parcel][..], root].concat()
}

/// What owes a work in this lane and with this note; `None` if these bytes are neither.
pub(in crate::store) fn owner(lane: &[u8], note: &[u8]) -> Option<Owner> {
    let kind = WorkKind::read(lane.first()?.checked_sub(1)?)?;
    let is_parcel = kind == WorkKind::Delivery && note.first()? & OF_PARCEL != 0;
    Some(owner_of(kind, is_parcel))
}

/// What owes a work of this kind, which is the delivery of a parcel or is not.
pub(in crate::store) fn owner_of(kind: WorkKind, is_parcel: bool) -> Owner {
    match kind {
        WorkKind::Parse => Owner::Receipt,
        WorkKind::Delivery if is_parcel => Owner::Parcel,
        WorkKind::Run | WorkKind::Delivery => Owner::Event,
    }
}

/// What a note says; `None` if these bytes are not a note.
pub(in crate::store) fn read_note(note: &[u8]) -> Option<(bool, Option<Name>)> {
    let (waits, root) = note.split_first()?;
    if *waits > (WAITS | OF_PARCEL) {
        return None;
    }
    let root = if root.is_empty() { None } else { Some(read_name(root)?) };
    Some((*waits & WAITS != 0, root))
}

fn read_name(bytes: &[u8]) -> Option<Name> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::samples::name;

    #[test]
    fn a_lane_is_read_as_it_was_made_and_none_is_another() {
        assert_eq!(lane(WorkKind::Delivery, &name("crm")), b"\x03crm");
        for kind in WorkKind::ALL {
            let lane = lane(kind, &name("crm"));
            assert_eq!(read_lane(&lane), Some((kind, name("crm"))));
            assert!(!lane.contains(&0));
        }
        for bytes in [&b""[..], b"\x00crm", b"\x04crm", b"\x01", b"\x01Crm", b"\x01\xff"] {
            assert_eq!(read_lane(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn a_note_is_read_as_it_was_made() {
        assert_eq!(note(true, false, Some(&name("acme"))), b"\x01acme");
        for is_parcel in [false, true] {
            for (waits, root) in [(false, None), (true, None), (false, Some(name("acme")))] {
                let note = note(waits, is_parcel, root.as_ref());
                assert_eq!(read_note(&note), Some((waits, root)));
                let owed_by = [Owner::Event, Owner::Parcel][usize::from(is_parcel)];
                assert_eq!(owner(b"\x03crm", &note), Some(owed_by));
            }
        }
        assert_eq!(owner(b"\x01stripe", b"\0"), Some(Owner::Receipt));
        assert_eq!(owner(b"\x02ledger", b"\0"), Some(Owner::Event));
        for bytes in [&b""[..], b"\x04", b"\x01A"] {
            assert_eq!(read_note(bytes), None, "{bytes:?}");
        }
    }
}
