//! Files of the folder that the gateway moves itself: the next version of a handler into the place
//! of the live one, or aside.
//!
//! Only a file that is still what runs is moved, and its signature moves with it: where a kill came
//! between the two, at the next look. Never writes a file, and deletes none but the one that
//! another takes the place of.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::signed::{self, Signed};
use super::{FILE_BYTES_MAX, Folder, NEXT, Stamp, read_stable};
use crate::ids::Name;
use crate::minisign::signature_of;
use crate::plugin::load::LoadError;

/// What the name of a file ends with that was dropped: then it is no plugin's.
const DROPPED: &str = ".dropped";

/// Why a file stays where it is.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// There is none, or another one by now.
    #[error("the file {} is not the version that runs", .0.display())]
    Other(PathBuf),
    /// It could not be read.
    #[error("failed to read the file {}: {why}", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        why: LoadError,
    },
    /// The folder could not be changed.
    #[error("failed to move the file {} to {}: {why}", .from.display(), .to.display())]
    Move {
        /// Where it is.
        from: PathBuf,
        /// Where it should be.
        to: PathBuf,
        /// Why not.
        why: io::Error,
    },
}

impl Folder {
    /// Moves the file of the next version of a handler, which must have this digest, into the place
    /// of the live one. Reads the whole file.
    pub fn promote(&self, name: &Name, digest: &str) -> Result<(), MoveError> {
        let from = self.next_file(name);
        self.move_file(&from, &self.path.join(format!("{name}.wasm")), "", digest)
    }

    /// Gives the file of the next version of a handler, which must have this digest, a name that is
    /// no plugin's. Reads the whole file.
    pub fn set_aside(&self, name: &Name, digest: &str) -> Result<(), MoveError> {
        let from = self.next_file(name);
        self.move_file(&from, &from, DROPPED, digest)
    }

    /// Moves the signatures of files that have been promoted and whose own a kill has left behind,
    /// or those would be refused from the next start on. Only where signatures count, and a file
    /// has no other that holds.
    pub(super) fn end_promotions(&self, root: &Path, found: &BTreeMap<String, PathBuf>) {
        if self.trusted.is_empty() {
            return;
        }
        for (stem, file) in found {
            let next = format!("{stem}{NEXT}");
            let from = root.join(format!("{next}.wasm"));
            if !found.contains_key(&next) && signature_of(&from).exists() {
                // What can't be read or moved is refused for what it is.
                drop(self.end_promotion(root, (from.as_path(), file.as_path())));
            }
        }
    }

    fn end_promotion(&self, root: &Path, (from, to): (&Path, &Path)) -> Result<(), LoadError> {
        let trusted = &self.trusted;
        let signature =
            |file: &Path| Signed::read(root, file, signed::stamp(file, trusted).as_ref(), trusted);
        let target = to.canonicalize().map_err(LoadError::Read)?;
        if !target.starts_with(root) {
            return Err(LoadError::Outside);
        }
        let stamp = Stamp::of(&fs::metadata(&target).map_err(LoadError::Read)?);
        let bytes = read_stable(&target, &stamp, FILE_BYTES_MAX)?;
        if signature(to)?.signer(&bytes).is_err() && signature(from)?.signer(&bytes).is_ok() {
            fs::rename(signature_of(from), signature_of(to)).map_err(LoadError::SignatureFile)?;
        }
        Ok(())
    }

    fn next_file(&self, name: &Name) -> PathBuf {
        self.path.join(format!("{name}{NEXT}.wasm"))
    }

    /// Moves a file and its signature to the names of these, each with `ending` behind it.
    fn move_file(
        &self,
        from: &Path,
        to: &Path,
        ending: &str,
        digest: &str,
    ) -> Result<(), MoveError> {
        check(from, digest)?;
        // First the file: if it can't be moved, nothing has changed. Nobody looks at the folder
        // meanwhile, and a kill in between leaves a file whose signature is still beside the name
        // that it had.
        rename(from, &behind(to, ending))?;
        let signature = signature_of(from);
        if signature.exists() {
            rename(&signature, &behind(&signature_of(to), ending))?;
        }
        // The names are as durable as the folder; that they are right is seen by the next look.
        let synced = fs::File::open(&self.path).and_then(|folder| folder.sync_all());
        synced.map_err(|why| MoveError::Move { from: from.to_owned(), to: behind(to, ending), why })
    }
}

/// Whether a file is there and has this digest.
fn check(file: &Path, digest: &str) -> Result<(), MoveError> {
    let other = || MoveError::Other(file.to_owned());
    let metadata = fs::metadata(file).map_err(|_| other())?;
    let bytes = read_stable(file, &Stamp::of(&metadata), FILE_BYTES_MAX)
        .map_err(|why| MoveError::Read { path: file.to_owned(), why })?;
    if hex::encode(Sha256::digest(&bytes)) == digest { Ok(()) } else { Err(other()) }
}

fn rename(from: &Path, to: &Path) -> Result<(), MoveError> {
    let failed = |why| MoveError::Move { from: from.to_owned(), to: to.to_owned(), why };
    fs::rename(from, to).map_err(failed)
}

fn behind(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<(String, String)> {
        let mut names: Vec<(String, String)> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().is_file())
            .map(|entry| {
                let text = fs::read_to_string(entry.path()).unwrap();
                (entry.file_name().into_string().unwrap(), text)
            })
            .collect();
        names.sort();
        names
    }

    fn shown(names: &[(String, String)]) -> Vec<(&str, &str)> {
        names.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()
    }

    fn digest(text: &str) -> String {
        hex::encode(Sha256::digest(text))
    }

    fn folder() -> (tempfile::TempDir, Folder, Name) {
        let place = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("chat.wasm", "old"),
            ("chat.wasm.minisig", "of old"),
            ("chat@next.wasm", "new"),
            ("chat@next.wasm.minisig", "of new"),
        ] {
            fs::write(place.path().join(name), text).unwrap();
        }
        let folder = Folder::new(place.path().to_owned());
        (place, folder, "chat".parse().unwrap())
    }

    #[test]
    fn a_promotion_and_a_drop_move_the_file_and_its_signature() {
        let (place, folder, name) = folder();
        folder.promote(&name, &digest("new")).unwrap();
        let now = names(place.path());
        assert_eq!(shown(&now), [("chat.wasm", "new"), ("chat.wasm.minisig", "of new")]);

        let (place, folder, name) = self::folder();
        folder.set_aside(&name, &digest("new")).unwrap();
        let now = names(place.path());
        let expected = [
            ("chat.wasm", "old"),
            ("chat.wasm.minisig", "of old"),
            ("chat@next.wasm.dropped", "new"),
            ("chat@next.wasm.minisig.dropped", "of new"),
        ];
        assert_eq!(shown(&now), expected);
    }

    /// Without the look at the digest, a file that nobody has tried yet becomes the live one.
    #[test]
    fn a_file_that_is_not_what_runs_stays_where_it_is() {
        let (place, folder, name) = folder();
        let before = names(place.path());
        let other = folder.promote(&name, &digest("another"));
        assert!(matches!(other, Err(MoveError::Other(_))), "{other:?}");
        assert_eq!(names(place.path()), before);
        fs::remove_file(place.path().join("chat@next.wasm")).unwrap();
        let gone = folder.promote(&name, &digest("new"));
        assert!(matches!(gone, Err(MoveError::Other(_))), "{gone:?}");
    }

    /// A folder stands where the file should go, which no right of anybody helps against.
    #[test]
    fn what_can_not_be_moved_is_named() {
        let (place, folder, name) = folder();
        let target = place.path().join("chat.wasm");
        fs::remove_file(&target).unwrap();
        fs::create_dir(&target).unwrap();
        let failed = folder.promote(&name, &digest("new")).unwrap_err();
        assert!(matches!(failed, MoveError::Move { .. }), "{failed:?}");
        let text = failed.to_string();
        assert!(text.contains("chat@next.wasm to ") && text.contains("chat.wasm: "), "{text}");
        let left = names(place.path());
        let expected = [
            ("chat.wasm.minisig", "of old"),
            ("chat@next.wasm", "new"),
            ("chat@next.wasm.minisig", "of new"),
        ];
        assert_eq!(shown(&left), expected);
    }
}
