//! The master keys that the file names.
//!
//! A key never stands in the file itself: a copy of it must not open a copy of the store.

use std::path::Path;

use toml::de::DeTable;

use super::document::{Entry, Flaws, Table};
use super::secret::Secrets;
use crate::master_key::MasterKey;

/// Most master keys at a time: the one that seals, and those of before.
const KEYS_MAX: usize = 8;

const FORM: &str = "{ env = \"NAME\" } or { file = \"path\" }, or a list of 1 to 8 of these: the \
                    key itself must not stand in the configuration";

/// The master keys, whatever else may be wrong with the file.
pub(super) fn read<'a>(
    document: &'a DeTable<'a>,
    (text, folder): (&str, &Path),
    flaws: &'a Flaws,
) -> Vec<MasterKey> {
    let entry = Table::whole(document, flaws).take("master_key");
    keys_of(entry, &mut Secrets::new(text, folder))
}

/// What the file says of the master keys.
pub(super) struct Master {
    /// Of which the first seals.
    pub(super) keys: Vec<MasterKey>,
    /// Whether the log of the store is encrypted.
    pub(super) encrypts: bool,
    is_wrong: bool,
}

impl Master {
    /// Reads `master_key` and `encrypt_bodies`.
    pub(super) fn read(table: &mut Table<'_>, secrets: &mut Secrets<'_>) -> Self {
        let written = table.take("master_key");
        let keys = keys_of(written, secrets);
        let is_wrong = written.is_some() && keys.is_empty();
        let master = Self { keys, encrypts: false, is_wrong };
        let encrypts = encrypts(table.take("encrypt_bodies"), master.known());
        Self { encrypts, ..master }
    }

    /// The keys; `None` if what the file says of them is wrong, which is said once.
    pub(super) fn known(&self) -> Option<&[MasterKey]> {
        (!self.is_wrong).then_some(&*self.keys)
    }
}

/// Whether the log of the store is encrypted. `master` are the keys of the file; `None` if one of
/// them is wrong.
fn encrypts(entry: Option<Entry<'_>>, master: Option<&[MasterKey]>) -> bool {
    let Some(entry) = entry else { return false };
    let encrypts = entry.truth().unwrap_or_default();
    if encrypts && master.is_some_and(<[MasterKey]>::is_empty) {
        entry.wrong("needs `master_key`, under which the gateway encrypts the store's log");
    }
    encrypts
}

/// The keys under `master_key`, of which the first seals; none without it.
fn keys_of(entry: Option<Entry<'_>>, secrets: &mut Secrets<'_>) -> Vec<MasterKey> {
    let Some(entry) = entry else { return Vec::new() };
    let entries = match entry.single() {
        Some(_) => vec![entry],
        None => entry.list(FORM).unwrap_or_default(),
    };
    if entry.is_empty_list() || entries.len() > KEYS_MAX {
        entry.wrong(&format!("must be {FORM}"));
    }
    let mut keys: Vec<MasterKey> = Vec::new();
    for entry in entries {
        if !matches!(entry.single(), Some(("env" | "file", _))) {
            entry.wrong(&format!("must be {FORM}"));
            continue;
        }
        let Some(secret) = secrets.read(entry) else { continue };
        match MasterKey::parse(&secret) {
            Ok(key) if keys.contains(&key) => entry.wrong("names the same key twice"),
            Ok(key) => keys.push(key),
            Err(error) => entry.wrong_text(error.to_string()),
        }
    }
    keys
}
