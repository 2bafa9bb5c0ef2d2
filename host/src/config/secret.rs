//! The secrets that the file names: how they are written, and their contents.
//!
//! Everything that was read goes into the fingerprint, so that a rotated secret is a change of the
//! configuration. No error here says anything of what was found.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use url::Url;

use super::document::Entry;
use crate::causes;
use crate::event::Timestamp;
use crate::regular_file;
use crate::secrets::{Secret, SecretRef};

/// How a list of secrets is written.
const FORM: &str = "a list of { env = \"NAME\" }, { file = \"path\" } or { value = \"text\" }";

/// Largest file of certificates or of a key, in bytes.
const FILE_BYTES_MAX: usize = 1 << 20;

/// Reads secrets and remembers the files that they came from.
pub(super) struct Secrets<'a> {
    folder: &'a Path,
    pub(super) files: BTreeSet<PathBuf>,
    /// All that were read so far.
    pub(super) all: Vec<Secret>,
    read: Sha256,
}

/// The secrets of a list that could be had.
pub(super) struct List<'a> {
    /// With where each stands.
    pub(super) secrets: Vec<(Entry<'a>, Secret)>,
    /// When the file of each was written last, in their order; `None` for one that is in no file.
    pub(super) dates: Vec<Option<Timestamp>>,
    /// How many are written, or should have been.
    pub(super) written: usize,
}

impl<'a> Secrets<'a> {
    /// For a file of this text in this folder.
    pub(super) fn new(text: &str, folder: &'a Path) -> Self {
        let read = Sha256::new_with_prefix(text);
        Self { folder, files: BTreeSet::new(), all: Vec::new(), read }
    }

    /// The secrets under a key.
    pub(super) fn list<'b>(&mut self, entry: Option<Entry<'b>>) -> List<'b> {
        let mut list = List { secrets: Vec::new(), dates: Vec::new(), written: 0 };
        let Some(entry) = entry else { return list };
        let Some(entries) = entry.list(FORM) else { return List { written: 1, ..list } };
        list.written = entries.len();
        for entry in entries {
            if let Some((secret, date)) = self.read_dated(entry) {
                list.secrets.push((entry, secret));
                list.dates.push(date);
            }
        }
        list
    }

    /// What is in the file that a path leads to: from now on a part of the configuration.
    pub(super) fn file(&mut self, entry: Entry<'_>) -> Option<Vec<u8>> {
        let path = self.folder.join(entry.path()?);
        self.files.insert(path.clone());
        match regular_file::read(&path, FILE_BYTES_MAX) {
            Ok(bytes) => {
                self.read.update([0]);
                self.read.update(&bytes);
                Some(bytes)
            }
            Err(error) => {
                entry.wrong(&format!("names a file that the gateway can't read: {error}"));
                None
            }
        }
    }

    /// The secret that an entry names.
    pub(super) fn read(&mut self, entry: Entry<'_>) -> Option<Secret> {
        self.read_dated(entry).map(|(secret, _)| secret)
    }

    /// The same, and when its file was written last, if it is in one.
    fn read_dated(&mut self, entry: Entry<'_>) -> Option<(Secret, Option<Timestamp>)> {
        let reference = reference(entry)?;
        let mut date = None;
        if let SecretRef::File(path) = &reference {
            let path = self.folder.join(path);
            date = written_at(&path);
            self.files.insert(path);
        }
        match reference.resolve(self.folder) {
            Ok(found) => {
                if let Some(oddity) = found.oddity {
                    entry.warn(format!("in `{}`: {oddity}", entry.key));
                }
                self.read.update([0]);
                self.read.update(found.secret.expose());
                self.all.push(found.secret.clone());
                Some((found.secret, date))
            }
            Err(error) => {
                entry.wrong_text(causes::chain(&error));
                None
            }
        }
    }

    /// Takes what stands in a URL as its password for a secret too.
    pub(super) fn learn_password(&mut self, url: &Url) {
        let written = url.password().unwrap_or_default();
        let read = percent_encoding::percent_decode_str(written).decode_utf8_lossy();
        self.all.extend([written, &read].into_iter().filter_map(Secret::new));
    }

    /// Tells this configuration from others.
    pub(super) fn fingerprint(self) -> [u8; 32] {
        self.read.finalize().into()
    }
}

/// When a file was written last, if its file system says so.
fn written_at(path: &Path) -> Option<Timestamp> {
    let modified = std::fs::metadata(path).and_then(|file| file.modified());
    modified.ok().map(Timestamp::from)
}

fn reference(entry: Entry<'_>) -> Option<SecretRef> {
    let found = match entry.single() {
        Some(("env", name)) if !name.is_empty() && !name.contains(['\0', '=']) => {
            Some(SecretRef::Env(name.to_owned()))
        }
        Some(("file", path)) if !path.is_empty() && !path.contains('\0') => {
            Some(SecretRef::File(path.into()))
        }
        Some(("value", text)) => Secret::new(text).map(SecretRef::Value),
        _ => None,
    };
    if found.is_none() {
        entry.wrong(&format!(
            "must be {FORM}; each entry has exactly one of these keys, and its text is not empty"
        ));
    }
    found
}
