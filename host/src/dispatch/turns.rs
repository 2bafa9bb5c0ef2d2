//! Keeps an order among what is done in parallel: what was claimed first goes on first.
//!
//! Receipts of one source are parsed side by side and yet committed as they came in, because their
//! events are put in the order of commits. Never holds up another source.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::ids::Name;

/// Hands out turns, by source.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// For each source, what the next turn waits for.
    last: Mutex<HashMap<Name, oneshot::Receiver<()>>>,
}

/// A place in the order of a source. It ends when it is dropped, however that comes.
#[derive(Debug)]
pub(crate) struct Turn {
    before: Option<oneshot::Receiver<()>>,
    _ends: oneshot::Sender<()>,
}

impl Turns {
    /// The turn after all that were taken for this source.
    pub(super) fn take(&self, source: &Name) -> Turn {
        let (ends, ended) = oneshot::channel();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        Turn { before: last.insert(source.clone(), ended), _ends: ends }
    }
}

impl Turn {
    /// Waits until all turns before have ended.
    pub(super) async fn comes(&mut self) {
        if let Some(before) = &mut self.before {
            // Nothing is ever sent: the sender is dropped.
            drop(before.await);
            self.before = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_turn_comes_when_those_before_it_have_ended() {
        let turns = Turns::default();
        let (stripe, adyen) = ("stripe".parse().unwrap(), "adyen".parse().unwrap());
        let mut first = turns.take(&stripe);
        let mut second = turns.take(&stripe);
        let mut other = turns.take(&adyen);

        first.comes().await;
        other.comes().await;
        tokio::select! {
            biased;
            () = second.comes() => panic!("the first has not ended"),
            () = std::future::ready(()) => (),
        }

        drop(first);
        second.comes().await;
    }
}
