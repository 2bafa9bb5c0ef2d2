//! What the system keeps in memory of files: it goes, so that a start reads the disk.
//!
//! Changes nothing in the files.

use std::fs::File;
use std::path::Path;

use rustix::fs::{Advice, fadvise};

/// Has the system forget what it has in memory of the files in a folder.
pub(crate) fn forget(folder: &Path) -> anyhow::Result<()> {
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        if !path.is_file() {
            continue;
        }
        let file = File::open(path)?;
        // What is not on the disk yet would stay.
        file.sync_all()?;
        fadvise(&file, 0, None, Advice::DontNeed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_still_there_and_folders_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("one"), "one").unwrap();
        std::fs::create_dir(folder.path().join("two")).unwrap();
        forget(folder.path()).unwrap();
        assert_eq!(std::fs::read(folder.path().join("one")).unwrap(), b"one");
    }
}
