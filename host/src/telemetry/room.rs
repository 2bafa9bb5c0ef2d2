//! The room for spans that are not exported yet, in bytes, and who has how much of it.
//!
//! A source, handler or endpoint may have only as much as it leaves for all others, so what one
//! does in a rush drops no spans of another. Never waits for room.

use std::sync::{Arc, Mutex};

use rustc_hash::FxHashMap;

use crate::ids::Name;
use crate::lock::lock;

/// Most bytes that all spans may have.
const BYTES_MAX: usize = 8 << 20;
/// What a span has at least: so there are no more than 4,096.
const SPAN_BYTES_MIN: usize = 2 << 10;

/// Whose a span is; `None`: of senders that nobody knows, all of them together.
type Owner = Option<Name>;

/// The room. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Room(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    bytes: usize,
    by: FxHashMap<Owner, usize>,
}

/// The room that a span has, until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    room: Room,
    owner: Owner,
    bytes: usize,
}

impl Room {
    /// Room for a span of so many bytes, if its owner leaves as much for others.
    pub(super) fn take(&self, owner: Owner, bytes: usize) -> Option<Held> {
        let bytes = bytes.max(SPAN_BYTES_MIN);
        let mut taken = lock(&self.0);
        let Taken { bytes: all, by } = &mut *taken;
        let own = by.get(&owner).map_or(bytes, |own| own + bytes);
        if own > BYTES_MAX.saturating_sub(*all + bytes) {
            return None;
        }
        *all += bytes;
        by.insert(owner.clone(), own);
        Some(Held { room: self.clone(), owner, bytes })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut taken = lock(&self.room.0);
        taken.bytes -= self.bytes;
        let left = taken.by.get(&self.owner).map_or(0, |own| own - self.bytes);
        if left > 0 {
            taken.by.insert(self.owner.clone(), left);
        } else {
            taken.by.remove(&self.owner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(room: &Room, owner: Option<&str>, bytes: usize) -> Option<Held> {
        room.take(owner.map(|owner| owner.parse().unwrap()), bytes)
    }

    /// As many of so many bytes as fit, one behind the other.
    fn fill(room: &Room, owner: Option<&str>, bytes: usize) -> Vec<Held> {
        std::iter::from_fn(|| take(room, owner, bytes)).collect()
    }

    /// Take `own` out of the comparison, and the first has everything.
    #[test]
    fn nobody_has_more_room_than_is_left_for_all_others() {
        let room = Room::default();
        let first = fill(&room, Some("shop"), 1);
        assert_eq!(first.len(), 2_048);
        let strangers = fill(&room, None, 1);
        assert_eq!(strangers.len(), 1_024);
        assert!(take(&room, Some("crm"), 1).is_some() && take(&room, Some("shop"), 1).is_none());
    }

    /// Take out a line of `drop`, and the room is less each time.
    #[test]
    fn what_is_dropped_leaves_its_room_to_others() {
        let room = Room::default();
        for owner in [Some("shop"), None, Some("shop")] {
            assert_eq!(fill(&room, owner, 1).len(), 2_048);
        }
        assert!(lock(&room.0).by.is_empty(), "nobody is remembered");
    }

    /// Count spans alone, and a plugin that names long types decides how much memory they take.
    #[test]
    fn a_large_span_takes_the_room_of_many() {
        let room = Room::default();
        assert_eq!(fill(&room, Some("shop"), 1 << 20).len(), 4);
    }
}
