//! Room in the state of handlers that was promised to runs and is not taken yet: two runs that each
//! fit alone are not both promised that they do.
//!
//! Never looks at what is remembered: what each handler takes is known from the commits.

use std::sync::Arc;

use super::Store;
use super::report::Effects;
use super::shared::Shared;
use super::state::{self, Used};
use crate::ids::Name;
use crate::lock::lock;

/// Room for what a run sets, for as long as this lives.
#[derive(Debug)]
pub struct Promise(Option<Promised>);

#[derive(Debug)]
struct Promised {
    shared: Arc<Shared>,
    handler: Name,
    room: Used,
}

impl Store {
    /// Promises room for what a run sets, whatever its handler remembers under the same keys, and
    /// whatever other runs set until it is committed. `None` if there may be too little.
    pub fn promise_room(&self, handler: &Name, effects: &Effects) -> Option<Promise> {
        if effects.state.is_empty() {
            return Some(Promise(None));
        }
        let shared = &self.handle.shared;
        let room = state::most(handler, &effects.scope, &effects.state);
        let mut all = lock(&shared.promised);
        // Under the lock: what is promised no longer counts as taken by now.
        let before = shared.used.load().get(handler).copied().unwrap_or_default();
        let promised = all.get(handler).copied().unwrap_or_default().and(room);
        if !before.and(promised).is_within(shared.quotas.load().quota(handler), before) {
            return None;
        }
        all.insert(handler.clone(), promised);
        let shared = Arc::clone(shared);
        Some(Promise(Some(Promised { shared, handler: handler.clone(), room })))
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        let Some(Promised { shared, handler, room }) = &self.0 else { return };
        let mut all = lock(&shared.promised);
        let left = all.get(handler).copied().unwrap_or_default().without(*room);
        match left == Used::default() {
            true => drop(all.remove(handler)),
            false => drop(all.insert(handler.clone(), left)),
        }
    }
}
