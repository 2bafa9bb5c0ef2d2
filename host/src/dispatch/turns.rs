//! Order: what is parsed side by side is committed in the order in which it was accepted.
//!
//! Only between receipts of one source, and only from one try to the next: a receipt that is tried
//! again later holds nobody back. Never knows what is parsed or how it ended.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::ids::Name;

/// By source, what resolves when the last turn that was given has passed.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<BTreeMap<Name, oneshot::Receiver<()>>>);

/// One place in the order; it passes when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    before: Option<oneshot::Receiver<()>>,
    _passed: oneshot::Sender<()>,
}

impl Turns {
    /// The turn behind all that were given for this source.
    pub(super) fn next(&self, source: &Name) -> Turn {
        let (passed, passing) = oneshot::channel();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Turn { before: last.insert(source.clone(), passing), _passed: passed }
    }
}

impl Turn {
    /// Resolves when all turns before it have passed.
    pub(super) async fn comes(&mut self) {
        if let Some(before) = self.before.take() {
            // Nothing is ever sent: an end is all that there is to hear.
            drop(before.await);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_turn_comes_when_those_before_it_have_passed() {
        let (turns, stripe, adyen) = (Turns::default(), "stripe".parse(), "adyen".parse());
        let (stripe, adyen) = (stripe.unwrap(), adyen.unwrap());
        let mut first = turns.next(&stripe);
        let mut second = turns.next(&stripe);

        turns.next(&adyen).comes().await;
        first.comes().await;
        tokio::select! {
            biased;
            () = second.comes() => panic!("the first has not passed"),
            () = std::future::ready(()) => drop(first),
        }
    }

    #[tokio::test]
    async fn who_leaves_passes() {
        let turns = Turns::default();
        let source = "stripe".parse().unwrap();
        drop(turns.next(&source));
        turns.next(&source).comes().await;
    }
}
