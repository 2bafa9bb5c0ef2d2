//! The directory that operators drop plugins into.
//!
//! Compares what lies there with what is loaded, and loads what is new. Looks only when it is told
//! to; who watches the directory is not known here. A file that cannot be loaded changes nothing.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::wasm::FILE_BYTES_MAX;
use super::{Host, LoadError, Plugin, Registry};
use crate::ids::Name;

/// What became of one file.
#[derive(Debug)]
pub enum Reloaded {
    /// Its plugin is now the one that is called.
    Loaded(Arc<Plugin>),
    /// It is the one that was there before, or as bad as it was before.
    Unchanged,
    /// It cannot be loaded; if there was a plugin of its name, that stays.
    Kept(LoadError),
    /// It is gone, and its plugin with it.
    Removed,
}

/// A plugins directory and what was last seen in it.
#[derive(Debug, Clone, Default)]
pub struct Folder {
    path: PathBuf,
    seen: BTreeMap<String, Seen>,
}

/// Says whether a plugin may be called, and if not, why.
type Admit<'a> = &'a dyn Fn(&Arc<Plugin>) -> Result<(), String>;

/// A file as it was last read; without a stamp it will be read again.
#[derive(Debug, Clone, Default)]
struct Seen {
    stamp: Option<Stamp>,
    digest: Option<[u8; 32]>,
    /// Whether it was the same twice. A stamp is too coarse to tell two quick writes apart, so a
    /// new one is not believed before the content has been read again.
    settled: bool,
    /// Whether it can't be loaded.
    refused: bool,
}

/// What changes when a file is written or replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
    inode: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { bytes: metadata.len(), modified: metadata.modified().ok(), inode: metadata.ino() }
    }
}

impl Folder {
    /// The directory, in which nothing has been seen yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, seen: BTreeMap::new() }
    }

    /// Looks again at files that were refused, although they have not changed.
    pub fn forget_refused(&mut self) {
        // Not forgotten as such: that they are gone must be noticed too.
        for seen in self.seen.values_mut().filter(|seen| seen.refused) {
            *seen = Seen::default();
        }
    }

    /// Looks at every file, loads what changed if `admit` agrees, removes what is gone. Blocks while
    /// plugins compile.
    ///
    /// Each file is named by its stem, which should be a [`Name`]. An error means that the
    /// directory cannot be read, and changes nothing.
    pub fn rescan(
        &mut self,
        host: &Host,
        registry: &Registry,
        admit: Admit<'_>,
    ) -> io::Result<Vec<(String, Reloaded)>> {
        let root = self.path.canonicalize()?;
        let files = plugin_files(&root)?;
        let mut results = Vec::new();
        let seen = std::mem::take(&mut self.seen);
        for (stem, before) in seen {
            if files.contains_key(&stem) {
                self.seen.insert(stem, before);
            } else {
                if let Ok(name) = stem.parse::<Name>() {
                    registry.remove(&name);
                }
                results.push((stem, Reloaded::Removed));
            }
        }
        for (stem, file) in files {
            let reloaded = self.look_at(&root, &stem, &file, host, admit).unwrap_or_else(|error| {
                if let Some(seen) = self.seen.get_mut(&stem) {
                    seen.refused = true;
                }
                Reloaded::Kept(error)
            });
            if let Reloaded::Loaded(plugin) = &reloaded {
                registry.insert(plugin);
            }
            results.push((stem, reloaded));
        }
        Ok(results)
    }

    fn look_at(
        &mut self,
        root: &Path,
        stem: &str,
        file: &Path,
        host: &Host,
        admit: Admit<'_>,
    ) -> Result<Reloaded, LoadError> {
        let seen = self.seen.entry(stem.to_owned()).or_default();
        let target = file.canonicalize().map_err(LoadError::Read)?;
        let stamp = Stamp::of(&fs::metadata(&target).map_err(LoadError::Read)?);
        if seen.settled && seen.stamp.as_ref() == Some(&stamp) {
            return Ok(Reloaded::Unchanged);
        }
        if !target.starts_with(root) {
            *seen = Seen { stamp: Some(stamp), settled: true, ..Seen::default() };
            return Err(LoadError::Outside);
        }
        let bytes = read_stable(&target, &stamp)?;
        let digest = Sha256::digest(&bytes).into();
        if seen.digest == Some(digest) {
            // The same content again, good or bad: only touched.
            seen.settled = seen.stamp.as_ref() == Some(&stamp);
            seen.stamp = Some(stamp);
            return Ok(Reloaded::Unchanged);
        }
        *seen = Seen { stamp: Some(stamp), digest: Some(digest), ..Seen::default() };
        let name = stem.parse().map_err(LoadError::Name)?;
        let plugin = host.load(name, &bytes).inspect_err(|error| {
            if error.is_passing() {
                *seen = Seen::default();
            }
        })?;
        admit(&plugin).map_err(LoadError::NotAdmitted)?;
        Ok(Reloaded::Loaded(plugin))
    }
}

/// The plugin files of a directory, by stem.
fn plugin_files(root: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        let is_wasm = path.extension().is_some_and(|extension| extension == "wasm");
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        if let Some(stem) = stem.filter(|stem| is_wasm && !stem.starts_with('.')) {
            files.insert(stem.to_owned(), path.clone());
        }
    }
    Ok(files)
}

/// Reads a file that nobody writes meanwhile.
fn read_stable(file: &Path, before: &Stamp) -> Result<Vec<u8>, LoadError> {
    let mut open = File::open(file).map_err(LoadError::Read)?;
    let mut bytes = Vec::new();
    // One byte more than is allowed, so that a larger file is known as such.
    let most = FILE_BYTES_MAX as u64 + 1;
    open.by_ref().take(most).read_to_end(&mut bytes).map_err(LoadError::Read)?;
    let after = Stamp::of(&open.metadata().map_err(LoadError::Read)?);
    if after == *before { Ok(bytes) } else { Err(LoadError::Changing) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_being_written_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("chat.wasm");
        fs::write(&file, b"half").unwrap();
        let stamp = Stamp::of(&fs::metadata(&file).unwrap());
        assert_eq!(read_stable(&file, &stamp).unwrap(), b"half");
        fs::write(&file, b"all of it").unwrap();
        assert!(matches!(read_stable(&file, &stamp), Err(LoadError::Changing)));
    }
}
