//! What happened to the gateway itself, on the way to whoever raises events of it.
//!
//! A resource that activities tell: a queue with an end. Whoever tells waits for nobody, and what
//! finds no room is dropped and counted. Never decides what becomes an event.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use crate::ids::Name;
use crate::lock::lock;
use crate::metrics::{Kind, Metrics};

/// Most that wait: a gateway to which so much happens at once has no use for all of it.
const MOST: usize = 1_024;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    /// A plugin failed again and again: the parses of a source or the runs of a handler are paused.
    Failed {
        /// Of which of the two.
        kind: Kind,
        /// The source, or the handler.
        name: Name,
        /// The plugin.
        digest: String,
        /// Until one is tried again.
        pause: Duration,
    },
    /// Another file runs under the name of a plugin, or a first one.
    Reloaded {
        /// The name.
        plugin: String,
        /// Of what runs.
        digest: String,
        /// Of what ran before.
        before: Option<String>,
    },
    /// The file of a plugin is not what runs.
    Refused {
        /// The name.
        plugin: String,
        /// Of what runs, if anything does.
        running: Option<String>,
        /// Why it does not run.
        reason: String,
    },
    /// The next version of a handler ran some of its events, and this became of it.
    Canary {
        /// The handler.
        plugin: String,
        /// Of the next version.
        digest: String,
        /// Such as `promoted`.
        verdict: &'static str,
        /// How it came to that.
        why: String,
    },
}

/// What waits to be raised; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Notices(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    waiting: Mutex<VecDeque<Notice>>,
    came: Notify,
    metrics: Metrics,
}

impl Notices {
    /// Without any.
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self(Arc::new(Shared { waiting: Mutex::default(), came: Notify::new(), metrics }))
    }

    /// This has happened.
    pub(crate) fn tell(&self, notice: Notice) {
        let mut waiting = lock(&self.0.waiting);
        if waiting.len() < MOST {
            waiting.push_back(notice);
            self.0.came.notify_one();
        } else {
            self.0.metrics.notice_dropped();
        }
    }

    /// Takes the oldest, once there is one. There is one who takes.
    pub(crate) async fn next(&self) -> Notice {
        loop {
            let oldest = lock(&self.0.waiting).pop_front();
            if let Some(notice) = oldest {
                return notice;
            }
            self.0.came.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(number: usize) -> Notice {
        let (plugin, reason) = (format!("plugin-{number}"), "it is no plugin".to_owned());
        Notice::Refused { plugin, running: None, reason }
    }

    /// Guards that what goes wrong all the time takes no memory, and that it shows.
    #[tokio::test]
    async fn what_finds_no_room_is_dropped_and_counted_and_the_rest_comes_in_order() {
        let metrics = Metrics::new();
        let notices = Notices::new(metrics.clone());
        (0..MOST + 2).for_each(|number| notices.tell(refused(number)));
        let text = metrics.render();
        assert!(text.contains("hookgate_notices_dropped_total 2"), "{text}");
        for number in 0..MOST {
            assert_eq!(notices.next().await, refused(number));
        }
        let told = notices.clone();
        let (next, ()) = tokio::join!(notices.next(), async { told.tell(refused(7)) });
        assert_eq!(next, refused(7));
    }
}
