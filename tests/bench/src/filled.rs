//! A folder with a store that is filled in steps, and goes on where it was left.
//!
//! A note beside the store says how far it is. A process that ends in the middle of a step does
//! that step again: who fills it must bring other ids then. Never looks into the store.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use crate::gateway::Workplace;

/// A store that is filled for one purpose.
#[derive(Debug)]
pub(crate) struct Filled {
    folder: PathBuf,
    note: Note,
}

/// What is said of it in a file.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    /// What it is filled with.
    what: String,
    /// How much of that there is.
    count: usize,
}

impl Filled {
    /// That in a folder, or a new one that goes with the workplace; an error if the folder is
    /// filled with something else.
    pub(crate) fn at(
        folder: Option<&Path>,
        workplace: &Workplace,
        what: &str,
    ) -> anyhow::Result<Self> {
        let folder = match folder {
            Some(folder) => std::path::absolute(folder)?,
            None => workplace.folder("filled")?,
        };
        Self::in_folder(&folder, what)
    }

    /// That in a folder of which the path is absolute.
    pub(crate) fn in_folder(folder: &Path, what: &str) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder.join("data"))?;
        let file = folder.join("filled.json");
        let note: Note = if file.exists() {
            let text = std::fs::read_to_string(&file)?;
            serde_json::from_str(&text)
                .with_context(|| format!("failed to read {}", file.display()))?
        } else {
            Note { what: what.to_owned(), count: 0 }
        };
        let filled = Self { folder: folder.to_owned(), note };
        let found = &filled.note.what;
        ensure!(found == what, "{} has {found}, not {what}", filled.folder.display());
        Ok(filled)
    }

    /// Where the store lies.
    pub(crate) fn store(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// How much is in it.
    pub(crate) fn count(&self) -> usize {
        self.note.count
    }

    /// So much is in it now.
    pub(crate) fn reach(&mut self, count: usize) -> anyhow::Result<()> {
        self.note.count = count;
        let text = serde_json::to_string(&self.note)?;
        Ok(std::fs::write(self.folder.join("filled.json"), text)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_on_where_it_was_left_and_with_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let place = || folder.path().join("place");
        let mut filled = Filled::in_folder(&place(), "works").unwrap();
        assert!(filled.count() == 0 && filled.store().is_dir());
        filled.reach(300).unwrap();

        assert_eq!(Filled::in_folder(&place(), "works").unwrap().count(), 300);
        let error = Filled::in_folder(&place(), "events").unwrap_err().to_string();
        assert!(error.ends_with("has works, not events"), "{error}");
    }
}
