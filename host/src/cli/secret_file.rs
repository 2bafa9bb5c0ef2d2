//! A new file for secrets that a gateway shows once, which only its owner can read.
//!
//! It is made before anything is asked for, so that no secret is lost because it can't be written.
//! Never replaces a file that is there.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Removed with its end, if nothing was written to it.
#[derive(Debug)]
pub(super) struct SecretFile {
    path: PathBuf,
    file: File,
    is_empty: bool,
}

impl SecretFile {
    /// Makes it; an error if there is such a file.
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = file.with_context(|| format!("failed to make the file {}", path.display()))?;
        Ok(Self { path: path.to_owned(), file, is_empty: true })
    }

    /// Adds a line, and has the disk hold it.
    pub(super) fn add(&mut self, line: &str) -> anyhow::Result<()> {
        self.is_empty = false;
        let written = writeln!(self.file, "{line}").and_then(|()| self.file.sync_all());
        written.with_context(|| {
            format!("failed to write to {}: the secret is lost, so rotate it", self.path.display())
        })
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        if self.is_empty {
            // An empty file is left then, which is a nuisance and no more.
            fs::remove_file(&self.path).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_the_owner_reads_the_file_and_none_is_replaced_or_left_empty() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        drop(SecretFile::create(&path).unwrap());
        assert!(!path.exists(), "it had nothing");
        let mut file = SecretFile::create(&path).unwrap();
        file.add("whsec_a").unwrap();
        drop(file);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(SecretFile::create(&path).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "whsec_a\n");
    }
}
