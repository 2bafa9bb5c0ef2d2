//! A bell: whoever listens hears that something has changed, and not what.
//!
//! To send on a channel takes nine locks, also where nobody receives, and these bells ring several
//! times for each event while nearly always nobody listens: so whoever rings looks first. Never
//! says what has changed.

use std::sync::atomic::{Ordering, fence};

use tokio::sync::watch;

/// What listeners hear.
#[derive(Debug, Default)]
pub(super) struct Bell(watch::Sender<()>);

impl Bell {
    /// Hears each ring from now on. To miss nothing, listen before the first look.
    pub(super) fn listen(&self) -> watch::Receiver<()> {
        let listener = self.0.subscribe();
        // Either who rings sees the listener, or the listener sees what was changed before that.
        fence(Ordering::SeqCst);
        listener
    }

    /// Something has changed, and whoever looks sees it.
    pub(super) fn ring(&self) {
        fence(Ordering::SeqCst);
        if self.0.receiver_count() > 0 {
            self.0.send_replace(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_heard_by_who_listens_and_by_nobody_later() {
        let bell = Bell::default();
        bell.ring();
        let listeners = [bell.listen(), bell.listen()];
        let hear = || listeners.iter().all(|listener| listener.has_changed().unwrap());
        assert!(!hear());
        bell.ring();
        assert!(hear() && !bell.listen().has_changed().unwrap());
    }
}
