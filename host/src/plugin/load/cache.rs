//! The folder of compiled code, and of what is known of files that could not be compiled.
//!
//! Loading compiled code is trusting it, so only we may write there. A file is found again by the
//! digest of its bytes and by everything else that decides what becomes of them. Never holds
//! anything that can't be made again.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};
use sha2::{Digest, Sha256};
use wasmtime::Engine;

use crate::plugin::contract::violation::shortened;
use crate::regular_file;

/// Most compiled plugins that are kept; beyond it, those that were not used for longest go.
const CODES_MAX: usize = 512;
/// Most notes that are kept; beyond it, the oldest go, and their files would be tried again.
const NOTES_MAX: usize = 1_000;
/// Most bytes of a note.
const NOTE_BYTES_MAX: usize = 4 << 10;
const CODE: &str = "cwasm";
const NOTE: &str = "broke";
const DIGEST: &str = "sha256";
const DIGEST_BYTES: usize = 32;
/// As large as the compiling process may make it.
const CODE_BYTES_MAX: usize = 1 << 30;

/// A private folder.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    /// Of the program that compiles: another one may succeed where this one broke.
    compiler: u64,
}

impl Cache {
    /// The folder, which is made private if it is not.
    pub(super) fn open(folder: PathBuf, program: Option<&Path>) -> io::Result<Self> {
        make_private(&folder)?;
        let mut compiler = DefaultHasher::new();
        env!("CARGO_PKG_VERSION").hash(&mut compiler);
        if let Some(metadata) = program.and_then(|program| fs::metadata(program).ok()) {
            (metadata.len(), metadata.mtime(), metadata.mtime_nsec()).hash(&mut compiler);
        }
        Ok(Self { folder, compiler: compiler.finish() })
    }

    /// Where the compiled code of a plugin file lies, if it does.
    pub(super) fn code(&self, engine: &Engine, wasm: &[u8]) -> PathBuf {
        self.file(engine, wasm, env!("CARGO_PKG_VERSION"), CODE)
    }

    /// Whether there seems to be compiled code under this name.
    pub(super) fn is_there(code: &Path) -> bool {
        code.is_file() && digest_file(code).is_file()
    }

    /// Whether compiled code is as it was written, under this name: to run anything else may do
    /// anything. Without it the process would find out by crashing.
    pub(super) fn is_whole(code: &Path) -> bool {
        let digest = regular_file::read(&digest_file(code), DIGEST_BYTES);
        let found = regular_file::read(code, CODE_BYTES_MAX);
        matches!((digest, found), (Ok(digest), Ok(found)) if digest == digest_of(code, &found))
    }

    /// Remembers compiled code that was written to `part` and is to lie at `code`.
    pub(super) fn keep_digest(part: &Path, code: &Path) -> io::Result<()> {
        let folder = code.parent().unwrap_or(Path::new("."));
        let mut digest = tempfile::NamedTempFile::new_in(folder)?;
        digest.write_all(&digest_of(code, &fs::read(part)?))?;
        digest.persist(digest_file(code)).map_err(|error| error.error)?;
        Ok(())
    }

    /// Why this file broke the process that compiled it, if it did.
    pub(super) fn note(&self, engine: &Engine, wasm: &[u8]) -> Option<String> {
        let note = regular_file::read(&self.note_file(engine, wasm), NOTE_BYTES_MAX).ok()?;
        String::from_utf8(note).ok()
    }

    /// Remembers why, so that it is not tried again, also not after a restart.
    pub(super) fn keep_note(&self, engine: &Engine, wasm: &[u8], why: &str) -> io::Result<()> {
        let mut part = tempfile::NamedTempFile::new_in(&self.folder)?;
        part.write_all(shortened(why, NOTE_BYTES_MAX).as_bytes())?;
        part.persist(self.note_file(engine, wasm)).map_err(|error| error.error)?;
        self.tidy();
        Ok(())
    }

    /// Makes room: what was not used for longest goes. That it can't is no reason to load nothing.
    pub(super) fn tidy(&self) {
        // Each kind on its own: notes of hostile files push out no compiled code.
        self.keep_newest(CODE, CODES_MAX);
        self.keep_newest(NOTE, NOTES_MAX);
    }

    fn keep_newest(&self, kind: &str, most: usize) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let mut files: Vec<(SystemTime, PathBuf)> = entries
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                let ours = path.extension().is_some_and(|end| end == kind);
                Some((fs::metadata(&path).ok()?.modified().ok()?, path)).filter(|_| ours)
            })
            .collect();
        files.sort();
        for (_, path) in files.iter().take(files.len().saturating_sub(most)) {
            if let Err(error) = fs::remove_file(path) {
                tracing::debug!(%error, file = %path.display(), "failed to remove compiled code");
            }
            // A note has none.
            drop(fs::remove_file(digest_file(path)));
        }
    }

    fn note_file(&self, engine: &Engine, wasm: &[u8]) -> PathBuf {
        self.file(engine, wasm, self.compiler, NOTE)
    }

    /// Named by the file's bytes, by everything in the engine that decides how they are compiled,
    /// and by what compiles.
    fn file(&self, engine: &Engine, wasm: &[u8], by: impl Hash, end: &str) -> PathBuf {
        let mut settings = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut settings);
        by.hash(&mut settings);
        let digest = hex::encode(Sha256::digest(wasm));
        self.folder.join(format!("{digest}-{:016x}.{end}", settings.finish()))
    }
}

/// Where the digest of compiled code lies.
fn digest_file(code: &Path) -> PathBuf {
    code.with_extension(DIGEST)
}

/// Of the code and of its name, so that no code stands in for other code.
fn digest_of(code: &Path, bytes: &[u8]) -> Vec<u8> {
    let name = code.file_name().unwrap_or_default().as_encoded_bytes();
    Sha256::new().chain_update(name).chain_update(bytes).finalize().to_vec()
}

/// Says that a file was used just now.
pub(super) fn touch(file: &Path) {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let times = Timestamps { last_access: now, last_modification: now };
    if let Err(error) = utimensat(CWD, file, &times, AtFlags::empty()) {
        tracing::debug!(%error, file = %file.display(), "failed to touch compiled code");
    }
}

fn make_private(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let metadata = fs::metadata(folder)?;
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        let reason = "the folder belongs to another user, who could put code into it";
        return Err(io::Error::other(reason));
    }
    if metadata.mode() & 0o077 != 0 {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::engine;

    #[test]
    fn a_note_is_for_one_file_and_one_program() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache");
        let program = folder.path().join("program");
        let engine = engine::on_demand().unwrap();
        let cache = Cache::open(path.clone(), Some(&program)).unwrap();
        cache.keep_note(&engine, b"file", "it broke").unwrap();

        assert_eq!(cache.note(&engine, b"file").as_deref(), Some("it broke"));
        assert_eq!(cache.note(&engine, b"other"), None);
        let again = Cache::open(path.clone(), Some(&program)).unwrap();
        assert_eq!(again.note(&engine, b"file").as_deref(), Some("it broke"));
        fs::write(&program, b"another program").unwrap();
        let other = Cache::open(path.clone(), Some(&program)).unwrap();
        assert_eq!(other.note(&engine, b"file"), None);
        assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn what_was_not_used_for_longest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path().to_owned(), None).unwrap();
        let file = |number: usize, kind: &str| folder.path().join(format!("{number}.{kind}"));
        for (kind, most) in [(CODE, CODES_MAX), (NOTE, NOTES_MAX)] {
            for number in 0..most + 2 {
                let old = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(number as u64);
                fs::File::create(file(number, kind)).unwrap().set_modified(old).unwrap();
            }
        }
        touch(&file(0, CODE));
        cache.tidy();
        let gone = |kind: &str, most: usize| -> Vec<usize> {
            (0..most + 2).filter(|number| !file(*number, kind).exists()).collect()
        };
        assert_eq!(gone(CODE, CODES_MAX), [1, 2]);
        assert_eq!(gone(NOTE, NOTES_MAX), [0, 1]);
    }
}
