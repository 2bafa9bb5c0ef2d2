//! The settings that a guest gets: the operator's, with the defaults that the plugin declares.
//!
//! Made once for each text that an operator wrote, because every call needs them. Never judges
//! them: [`crate::setting::check`] does, before any of them reaches a guest.

use std::sync::{Arc, Mutex};

use crate::lock::lock;
use crate::plugin::Role;
use crate::setting::{self, Setting};

/// Most texts that are remembered: a plugin has no more sources than this, or makes them anew.
const REMEMBERED_MAX: usize = 64;

/// Settings as they were written, and with defaults.
#[derive(Debug)]
struct Made {
    role: Role,
    written: Arc<str>,
    completed: Arc<str>,
}

/// The settings of one plugin that were completed.
#[derive(Debug, Default)]
pub(in crate::plugin) struct Completed(Mutex<Vec<Made>>);

impl Completed {
    /// What a guest in this role gets where the operator wrote `settings`.
    pub(super) fn of(&self, role: Role, declared: &[Setting], settings: &Arc<str>) -> Arc<str> {
        if declared.iter().all(|setting| setting.default.is_none()) {
            return Arc::clone(settings);
        }
        let mut known = lock(&self.0);
        let is_meant = |made: &&Made| made.role == role && made.written == *settings;
        if let Some(made) = known.iter().find(is_meant) {
            return Arc::clone(&made.completed);
        }
        let completed = match setting::completed(declared, settings) {
            Some(text) => Arc::from(text),
            None => Arc::clone(settings),
        };
        if known.len() == REMEMBERED_MAX {
            known.clear();
        }
        let written = Arc::clone(settings);
        known.push(Made { role, written, completed: Arc::clone(&completed) });
        completed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setting::SettingKind;

    #[test]
    fn defaults_are_filled_in_once() {
        let declared = [Setting {
            name: "after".to_owned(),
            kind: SettingKind::Any,
            required: false,
            default: Some(3.into()),
            example: 1.into(),
            help: "a number".to_owned(),
        }];
        let completed = Completed::default();
        let none: Arc<str> = "{}".into();
        let two: Arc<str> = r#"{"after":2}"#.into();

        let first = completed.of(Role::Handler, &declared, &none);
        assert_eq!(&*first, r#"{"after":3}"#);
        assert!(Arc::ptr_eq(&first, &completed.of(Role::Handler, &declared, &"{}".into())));
        assert!(Arc::ptr_eq(&two, &completed.of(Role::Handler, &declared, &two)));
        assert!(Arc::ptr_eq(&none, &completed.of(Role::Provider, &[], &none)));
    }
}
