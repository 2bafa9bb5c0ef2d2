//! How a lane and a note are spelled: in which queue an open work waits, and what it is counted by.
//!
//! Pure. A lane is a kind and a group; a note says whether the work waits for a retry, and the
//! source that it goes back to. Rows hold both as bytes, of which none in a lane is zero. Never
//! knows a row.

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

/// The note of a work that waits for a retry, or does not, and goes back to this source.
pub(in crate::store) fn note(waits: bool, root: Option<&Name>) -> Vec<u8> {
    let root = root.map_or(&[][..], |root| root.as_str().as_bytes());
    [&[u8::from(waits)][..], root].concat()
}

/// What a note says; `None` if these bytes are not a note.
pub(in crate::store) fn read_note(note: &[u8]) -> Option<(bool, Option<Name>)> {
    let (waits, root) = note.split_first()?;
    let waits = match waits {
        0 => false,
        1 => true,
        _ => return None,
    };
    let root = if root.is_empty() { None } else { Some(read_name(root)?) };
    Some((waits, root))
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
        assert_eq!(note(true, Some(&name("acme"))), b"\x01acme");
        for (waits, root) in [(false, None), (true, None), (false, Some(name("acme")))] {
            assert_eq!(read_note(&note(waits, root.as_ref())), Some((waits, root)));
        }
        for bytes in [&b""[..], b"\x02", b"\x01A"] {
            assert_eq!(read_note(bytes), None, "{bytes:?}");
        }
    }
}
