//! Which events handlers get while they are missing: what they ran on when they were last live.
//!
//! Only those that the configuration names: whoever removes the file of another one has taken the
//! handler away. Never loads a plugin, and never waits for the store.

use super::super::handling::Known;
use super::Live;
use crate::ids::Name;
use crate::plugin::Remembered;
use crate::store::{HANDLERS_MAX, HandlerRow};

impl Live {
    /// Has events go on to the handlers of the configuration when they are missing, by what they
    /// say now or said when they were last live.
    pub(super) fn remember_handlers(&self) {
        let before = self.handlers.borrow().clone();
        let known = |name: &Name| self.described(name).or_else(|| before.get(name).cloned());
        let named = self.config.handlers.keys().take(HANDLERS_MAX);
        let now: Known = named.filter_map(|name| Some((name.clone(), known(name)?))).collect();
        let types = now.iter().map(|(name, row)| (name.clone(), row.types.clone()));
        self.registry.remember(types.collect::<Remembered>());
        self.handlers.send_if_modified(|known| {
            let is_other = *known != now;
            *known = now;
            is_other
        });
    }

    /// Whether events go to this handler while it is missing.
    pub(super) fn is_remembered(&self, name: &Name) -> bool {
        self.handlers.borrow().contains_key(name)
    }

    /// What a handler says of itself, if it is live.
    fn described(&self, name: &Name) -> Option<HandlerRow> {
        let plugin = self.registry.get(name)?;
        let info = plugin.handler()?;
        Some(HandlerRow {
            name: name.clone(),
            types: info.types.iter().cloned().collect(),
            version: info.version.clone(),
            digest: plugin.digest().to_owned(),
        })
    }
}
