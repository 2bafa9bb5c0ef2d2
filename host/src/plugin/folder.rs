//! The directory that operators drop plugins into.
//!
//! Compares what lies there with what was last read, and loads what is new. Looks only when it is
//! asked to; who watches the directory, and which plugin runs, is not known here. Never waits for a
//! compiler while it looks: a file that has to be compiled is handed out as a [`Job`], once it is
//! signed by whom the operator trusts. Beside it is the [`Registry`], which says what goes by which
//! name.

mod moves;
mod registry;
mod signed;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::moves::MoveError;
pub use self::registry::Registry;
pub(crate) use self::registry::Remembered;
use self::signed::Signed;
pub use self::signed::signer_of;
use super::engine::FILE_BYTES_MAX;
use super::load::LoadError;
use super::{Host, Plugin};
use crate::ids::{InvalidName, Name};
use crate::minisign::PublicKey;
use crate::regular_file::RegularFile;

/// What fails and may pass is tried again after this, and then after twice as long each time.
const PAUSE_FIRST: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_secs(600);
/// A file of more bytes may take long to compile.
const LARGE_BYTES: u64 = 1 << 20;

/// What the stem of a file ends with that has the next version of a handler.
pub const NEXT: &str = "@next";

/// The name of the plugin that a file of this stem is a version of.
pub fn name_of(stem: &str) -> Result<Name, InvalidName> {
    stem.strip_suffix(NEXT).unwrap_or(stem).parse()
}

/// What became of one file.
#[derive(Debug)]
pub enum Reloaded {
    /// Its plugin is loaded.
    Loaded(Arc<Plugin>),
    /// It is the one that was there before, or as bad as it was before.
    Unchanged,
    /// It cannot be loaded; if there was a plugin of its name, that stays.
    Kept(LoadError),
    /// It is gone, and its plugin with it.
    Removed,
}

/// What was seen in a directory.
#[derive(Debug, Default)]
pub struct Look {
    /// What became of each file, by its stem, unless it is among the jobs or being loaded.
    pub files: Vec<(String, Reloaded)>,
    /// The files that have to be compiled.
    pub jobs: Vec<Job>,
}

/// What a look is for, beside what has changed.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// To try at once what failed and may pass.
    pub failed: bool,
    /// To load these again, by their stems, although they have not changed.
    pub again: BTreeSet<String>,
}

/// A plugins directory and what was last seen in it.
#[derive(Debug, Default)]
pub struct Folder {
    path: PathBuf,
    /// Those of whom one must have signed each file; empty if nothing has to be signed.
    trusted: Arc<[PublicKey]>,
    files: BTreeMap<String, Tracked>,
    /// How many jobs were handed out.
    jobs: u64,
}

/// A file that has to be compiled.
#[derive(Debug)]
pub struct Job {
    stem: String,
    target: PathBuf,
    seen: Seen,
    signed: Signed,
    number: u64,
}

/// What is known of a file.
#[derive(Debug, Clone, Default)]
struct Tracked {
    seen: Option<Seen>,
    /// Of the file and its signature.
    digest: Option<[u8; 32]>,
    /// Whether it was the same twice. A stamp is too coarse to tell two quick writes apart, so a
    /// new one is not believed before the content has been read again.
    settled: bool,
    /// Failures in a row that may pass, and when it is tried again.
    failures: u32,
    again: Option<Instant>,
    /// The job that loads it, and of which file.
    job: Option<(u64, Seen)>,
}

/// A file and the signature beside it, if one has to be there and is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    file: Stamp,
    signature: Option<Stamp>,
}

/// What changes when a file is written, replaced, or may be read by others.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    inode: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }
}

impl Folder {
    /// The directory, in which nothing has been seen yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, ..Self::default() }
    }

    /// Has files loaded from now on only if one of these has signed them; any file if there are
    /// none. If they are others than before, the next look is as the first one: each file that is
    /// to be loaded is then loaded again, and what a job under way loads counts no more.
    pub fn trust(&mut self, keys: &Arc<[PublicKey]>) {
        if self.trusted != *keys {
            self.trusted = Arc::clone(keys);
            self.files.values_mut().for_each(|tracked| *tracked = Tracked::default());
        }
    }

    /// Looks at every file, and loads what changed as far as nothing has to be compiled for it.
    ///
    /// Each file is named by its stem, which should be a [`Name`], with [`NEXT`] behind it if it
    /// has the next version of a handler. An error means that the directory cannot be read, and
    /// changes nothing.
    pub fn look(&mut self, host: &Host, wish: &Wish, now: Instant) -> io::Result<Look> {
        let root = self.path.canonicalize()?;
        let found = plugin_files(&root)?;
        self.end_promotions(&root, &found);
        let mut look = Look::default();
        let gone: Vec<_> =
            self.files.keys().filter(|stem| !found.contains_key(*stem)).cloned().collect();
        for stem in gone {
            self.files.remove(&stem);
            look.files.push((stem, Reloaded::Removed));
        }
        for (stem, path) in found {
            let tracked = self.files.entry(stem.clone()).or_default();
            if wish.again.contains(&stem) {
                (tracked.digest, tracked.settled) = (None, false);
            }
            let number = self.jobs + 1;
            let pausing = !wish.failed && tracked.again.is_some_and(|again| again > now);
            match tracked.look(&root, &stem, &path, pausing, &self.trusted) {
                Ok(Looked::Same) => look.files.push((stem, Reloaded::Unchanged)),
                Ok(Looked::Busy) => (),
                Ok(Looked::New(found)) if host.knows(&found.bytes) => {
                    let loaded = host.load_signed(found.name, &found.bytes, found.signer);
                    look.files.push((stem, tracked.loaded(loaded, now)));
                }
                Ok(Looked::New(found)) => {
                    let Found { target, seen, signed, .. } = *found;
                    self.jobs = number;
                    tracked.job = Some((number, seen.clone()));
                    look.jobs.push(Job { stem, target, seen, signed, number });
                }
                Err(error) => {
                    tracked.failed(&error, now);
                    look.files.push((stem, Reloaded::Kept(error)));
                }
            }
        }
        Ok(look)
    }

    /// Takes note of how a job ended. Nothing is to be said of a file that is gone, or that is
    /// another one by now.
    pub fn finish(
        &mut self,
        job: &Job,
        loaded: Result<Arc<Plugin>, LoadError>,
        now: Instant,
    ) -> Option<(String, Reloaded)> {
        let tracked = self.files.get_mut(&job.stem)?;
        tracked.job.take_if(|(number, _)| *number == job.number)?;
        let reloaded = tracked.loaded(loaded, now);
        Some((job.stem.clone(), reloaded))
    }

    /// Looks at every file and compiles what has to be, one after the other.
    pub fn rescan(&mut self, host: &Host) -> io::Result<Vec<(String, Reloaded)>> {
        let Look { mut files, jobs } = self.look(host, &Wish::default(), Instant::now())?;
        for job in jobs {
            let loaded = job.load(host);
            files.extend(self.finish(&job, loaded, Instant::now()));
        }
        files.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(files)
    }
}

impl Job {
    /// The stem of the file.
    pub fn stem(&self) -> &str {
        &self.stem
    }

    /// Whether it may take long.
    pub fn is_large(&self) -> bool {
        self.seen.file.bytes > LARGE_BYTES
    }

    /// Compiles and loads the plugin. Blocks meanwhile, for minutes perhaps.
    pub fn load(&self, host: &Host) -> Result<Arc<Plugin>, LoadError> {
        let bytes = read_stable(&self.target, &self.seen.file, FILE_BYTES_MAX)?;
        let signer = self.signed.signer(&bytes)?;
        host.load_signed(name_of(&self.stem).map_err(LoadError::Name)?, &bytes, signer)
    }
}

/// What a look at one file led to.
enum Looked {
    /// Nothing has changed.
    Same,
    /// It is being loaded as it is.
    Busy,
    /// It is to be loaded.
    New(Box<Found>),
}

/// A file that is to be loaded, and who has signed it.
struct Found {
    name: Name,
    target: PathBuf,
    seen: Seen,
    bytes: Vec<u8>,
    signed: Signed,
    signer: Option<PublicKey>,
}

impl Tracked {
    fn look(
        &mut self,
        root: &Path,
        stem: &str,
        path: &Path,
        pausing: bool,
        trusted: &Arc<[PublicKey]>,
    ) -> Result<Looked, LoadError> {
        let target = path.canonicalize();
        let found = target.and_then(|target| Ok((Stamp::of(&fs::metadata(&target)?), target)));
        let (file, target) = match found {
            Err(_) if pausing => return Ok(Looked::Same),
            found => found.map_err(LoadError::Read)?,
        };
        let seen = Seen { file, signature: signed::stamp(path, trusted) };
        if self.job.as_ref().is_some_and(|(_, loading)| *loading == seen) {
            return Ok(Looked::Busy);
        }
        let due = self.again.is_some() && !pausing;
        let same = self.seen.as_ref() == Some(&seen);
        if same && !due && (self.settled || pausing) {
            return Ok(Looked::Same);
        }
        self.job = None;
        let before = self.digest.take();
        (self.seen, self.settled) = (Some(seen.clone()), true);
        if !target.starts_with(root) {
            return Err(LoadError::Outside);
        }
        let bytes = read_stable(&target, &seen.file, FILE_BYTES_MAX)?;
        let signed = Signed::read(root, path, seen.signature.as_ref(), trusted)?;
        let digest = signed.digest(&bytes);
        self.digest = Some(digest);
        if before == Some(digest) && !due {
            // The same content again, good or bad: only touched.
            self.settled = same;
            return Ok(Looked::Same);
        }
        self.settled = false;
        let name = name_of(stem).map_err(LoadError::Name)?;
        let signer = signed.signer(&bytes)?;
        Ok(Looked::New(Box::new(Found { name, target, seen, bytes, signed, signer })))
    }

    fn loaded(&mut self, loaded: Result<Arc<Plugin>, LoadError>, now: Instant) -> Reloaded {
        match loaded {
            Ok(plugin) => {
                (self.failures, self.again) = (0, None);
                Reloaded::Loaded(plugin)
            }
            Err(error) => {
                self.failed(&error, now);
                Reloaded::Kept(error)
            }
        }
    }

    /// Plans when it is tried again, if that may help.
    fn failed(&mut self, error: &LoadError, now: Instant) {
        if matches!(error, LoadError::Changing) {
            // Who writes it will be done soon, and then it is another file.
            *self = Self::default();
        } else if error.is_passing() {
            let pause = PAUSE_FIRST.saturating_mul(1 << self.failures.min(16)).min(PAUSE_MAX);
            (self.failures, self.again) = (self.failures.saturating_add(1), Some(now + pause));
        } else {
            (self.failures, self.again) = (0, None);
        }
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

/// Reads a file of at most `bytes_max` bytes that nobody writes meanwhile.
fn read_stable(file: &Path, before: &Stamp, bytes_max: usize) -> Result<Vec<u8>, LoadError> {
    let mut open = RegularFile::open(file)?;
    let bytes = open.read(bytes_max)?;
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
        assert_eq!(read_stable(&file, &stamp, 100).unwrap(), b"half");
        fs::write(&file, b"all of it").unwrap();
        assert!(matches!(read_stable(&file, &stamp, 100), Err(LoadError::Changing)));
    }

    #[test]
    fn what_keeps_failing_is_tried_again_after_growing_pauses() {
        let mut tracked = Tracked::default();
        let now = Instant::now();
        let pauses = [(); 9].map(|()| {
            tracked.failed(&LoadError::Panicked, now);
            tracked.again.unwrap().duration_since(now).as_secs()
        });
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 600, 600]);
        tracked.failed(&LoadError::NotWasm, now);
        assert_eq!((tracked.failures, tracked.again), (0, None));
    }
}
