//! What was stored last, kept in memory so that fresh work never reads the file.
//!
//! Pure. Bounded by bytes; the oldest goes first. Holds only what is committed.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::works::Stored;

/// The latest of what is stored.
#[derive(Debug)]
pub(in crate::store) struct Recent {
    bytes_max: usize,
    bytes: usize,
    found: FxHashMap<u64, Stored>,
    oldest_first: VecDeque<u64>,
}

impl Recent {
    pub(in crate::store) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, bytes: 0, found: FxHashMap::default(), oldest_first: VecDeque::new() }
    }

    pub(in crate::store) fn keep(&mut self, stored: Stored) {
        let position = stored.id().position;
        self.bytes += stored.bytes();
        self.found.insert(position, stored);
        self.oldest_first.push_back(position);
        while self.bytes > self.bytes_max {
            let Some(oldest) = self.oldest_first.pop_front() else { break };
            let gone = self.found.remove(&oldest).expect("each is kept once");
            self.bytes -= gone.bytes();
        }
    }

    pub(in crate::store) fn get(&self, position: u64) -> Option<Stored> {
        self.found.get(&position).cloned()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::{Request, Timestamp};
    use crate::headers::Headers;
    use crate::ids::{Id, IdKind};
    use crate::store::facts::Receipt;

    fn receipt(position: u64) -> Stored {
        Stored::Receipt(Arc::new(Receipt {
            id: Id { kind: IdKind::Receipt, position, tag: 0 },
            source: "stripe".parse().unwrap(),
            request: Arc::new(Request {
                method: "POST".into(),
                url: "/".into(),
                headers: Headers::default(),
                body: vec![0; 1000].into(),
                received_at: Timestamp(0),
            }),
            event_ids: Vec::new(),
            taken: Vec::new(),
            proven: None,
            body_expired: false,
        }))
    }

    #[test]
    fn the_oldest_goes_when_the_room_is_full() {
        let mut recent = Recent::new(3 * receipt(1).bytes());
        for position in 1..=4 {
            recent.keep(receipt(position));
        }
        assert!(recent.get(1).is_none());
        assert!((2..=4).all(|position| recent.get(position).is_some()));
    }
}
