//! Plugins being loaded, beside everything else that the gateway does.
//!
//! Looking through the folder and compiling happen on threads of their own, so that neither a file
//! system that hangs nor a compiler that takes minutes holds up the configuration, another plugin,
//! the start or the stop. Says what became of the files; what that means is not decided here.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use tokio::sync::mpsc;

use crate::lock::lock;
use crate::minisign::PublicKey;
use crate::plugin::{self, Folder, Job, LoadError, Look, Plugin, Reloaded, Wish};

/// Files that are compiled at a time, by size, so that large ones keep no small one waiting.
const SMALL_MAX: usize = 3;
const LARGE_MAX: usize = 2;

/// What became known of the files.
#[derive(Debug, Default)]
pub(super) struct News {
    /// What became of each.
    pub(super) files: Vec<(String, Reloaded)>,
    /// Why the folder can't be read, if it can't; nothing if nobody looked.
    pub(super) looked: Option<io::Result<()>>,
}

#[derive(Debug)]
pub(super) struct Loading {
    host: plugin::Host,
    path: PathBuf,
    folder: Arc<Mutex<Folder>>,
    /// Each thread tells once, and of each file there is one job: the queue can't grow further.
    tell: mpsc::UnboundedSender<Told>,
    told: mpsc::UnboundedReceiver<Told>,
    looking: bool,
    /// What the next look is for, if one is wanted behind that which is under way.
    wish: Option<Wish>,
    /// Whose files are loaded by the looks that begin now, by the last one that began, and by the
    /// last one that ended.
    trusted: Arc<[PublicKey]>,
    looking_for: Arc<[PublicKey]>,
    looked_for: Option<Arc<[PublicKey]>>,
    waiting: VecDeque<Job>,
    /// The stems of what is being compiled, and whether it is large.
    compiling: Vec<(String, bool)>,
    /// The stems of those that the configuration names: they are compiled before others.
    named: BTreeSet<String>,
}

#[derive(Debug)]
enum Told {
    Looked(io::Result<Look>),
    Compiled { stem: String, is_large: bool, became: Option<(String, Reloaded)> },
}

impl Loading {
    pub(super) fn new(host: plugin::Host, folder: PathBuf) -> Self {
        let (tell, told) = mpsc::unbounded_channel();
        Self {
            host,
            folder: Arc::new(Mutex::new(Folder::new(folder.clone()))),
            path: folder,
            tell,
            told,
            looking: false,
            wish: None,
            trusted: Arc::default(),
            looking_for: Arc::default(),
            looked_for: None,
            waiting: VecDeque::new(),
            compiling: Vec::new(),
            named: BTreeSet::new(),
        }
    }

    /// Where the files lie.
    pub(super) fn folder(&self) -> &Path {
        &self.path
    }

    /// The same with what is known of it: nobody looks at it while somebody holds the lock.
    pub(super) fn shared(&self) -> Arc<Mutex<Folder>> {
        Arc::clone(&self.folder)
    }

    /// Has these compiled before all others from now on.
    pub(super) fn first(&mut self, named: BTreeSet<String>) {
        self.named = named;
    }

    /// Has only what one of these has signed loaded, from the next look on; anything if there are
    /// none. Waits for nobody who looks at the folder now.
    pub(super) fn trust(&mut self, keys: &Arc<[PublicKey]>) {
        self.trusted = Arc::clone(keys);
    }

    /// Whether the last look that ended was for what these have signed.
    pub(super) fn has_looked_for(&self, keys: &[PublicKey]) -> bool {
        self.looked_for.as_deref() == Some(keys)
    }

    /// Has somebody look through the folder, from now on or as soon as the last look has ended.
    pub(super) fn look(&mut self, wish: Wish) {
        if self.looking {
            let next = self.wish.get_or_insert_default();
            next.failed |= wish.failed;
            next.again.extend(wish.again);
            return;
        }
        let host = self.host.clone();
        let folder = self.folder.clone();
        let trusted = Arc::clone(&self.trusted);
        self.look_by(move || {
            let mut folder = lock(&folder);
            folder.trust(&trusted);
            folder.look(&host, &wish, Instant::now())
        });
    }

    fn look_by(&mut self, look: impl FnOnce() -> io::Result<Look> + Send + 'static) {
        let tell = self.tell.clone();
        let look = move || {
            let otherwise = io::Error::other("the gateway panicked");
            let promise = Promise::new(tell, Told::Looked(Err(otherwise)));
            promise.keep(Told::Looked(look()));
        };
        self.looking = true;
        self.looking_for = Arc::clone(&self.trusted);
        if let Err(error) = spawn("plugin-folder", look) {
            self.tell.send(Told::Looked(Err(error))).expect("the other end is here");
        }
    }

    /// Whether everything that was there to be looked at and loaded is.
    pub(super) fn is_done(&self) -> bool {
        !self.looking && self.wish.is_none() && self.unfinished().next().is_none()
    }

    /// The stems of the files that are being compiled, or wait for it.
    pub(super) fn unfinished(&self) -> impl Iterator<Item = &str> {
        let compiling = self.compiling.iter().map(|(stem, _)| stem.as_str());
        compiling.chain(self.waiting.iter().map(Job::stem))
    }

    /// Resolves when something is known. Nothing is lost if nobody waits to the end.
    pub(super) async fn next(&mut self) -> News {
        match self.told.recv().await {
            Some(Told::Looked(Ok(Look { files, jobs }))) => {
                self.ended_look();
                // Of an older file: what is told of it would not be believed.
                self.waiting.retain(|old| jobs.iter().all(|job| job.stem() != old.stem()));
                let is_named = |job: &Job| self.named.contains(job.stem());
                let (named, others): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(is_named);
                named.into_iter().rev().for_each(|job| self.waiting.push_front(job));
                self.waiting.extend(others);
                self.go_on();
                News { files, looked: Some(Ok(())) }
            }
            Some(Told::Looked(Err(error))) => {
                self.ended_look();
                self.go_on();
                News { files: Vec::new(), looked: Some(Err(error)) }
            }
            Some(Told::Compiled { stem, is_large, became }) => {
                let ended = |running: &(String, bool)| *running == (stem.clone(), is_large);
                if let Some(at) = self.compiling.iter().position(ended) {
                    self.compiling.swap_remove(at);
                }
                self.go_on();
                News { files: became.into_iter().collect(), looked: None }
            }
            None => std::future::pending().await,
        }
    }

    fn ended_look(&mut self) {
        self.looking = false;
        self.looked_for = Some(Arc::clone(&self.looking_for));
    }

    fn go_on(&mut self) {
        if let Some(wish) = self.wish.take_if(|_| !self.looking) {
            self.look(wish);
        }
        let mut left = VecDeque::new();
        while let Some(job) = self.waiting.pop_front() {
            let is_large = job.is_large();
            let running = self.compiling.iter().filter(|(_, large)| *large == is_large).count();
            if running < if is_large { LARGE_MAX } else { SMALL_MAX } {
                self.compile(job);
            } else {
                left.push_back(job);
            }
        }
        self.waiting = left;
    }

    fn compile(&mut self, job: Job) {
        let host = self.host.clone();
        self.compile_by(job, move |job| job.load(&host));
    }

    fn compile_by(
        &mut self,
        job: Job,
        load: impl FnOnce(&Job) -> Result<Arc<Plugin>, LoadError> + Send + 'static,
    ) {
        let stem = job.stem().to_owned();
        let is_large = job.is_large();
        self.compiling.push((stem.clone(), is_large));
        let folder = self.folder.clone();
        let tell = self.tell.clone();
        let own_stem = stem.clone();
        let job = Arc::new(job);
        let own = Arc::clone(&job);
        let compile = move || {
            let job = own;
            let stem = own_stem;
            let otherwise = Told::Compiled { stem: stem.clone(), is_large, became: None };
            let promise = Promise::new(tell, otherwise);
            // A file that the host panics over is tried again later, as one that can't be read.
            let loaded =
                catch_unwind(AssertUnwindSafe(|| load(&job))).unwrap_or(Err(LoadError::Panicked));
            let mut folder = lock(&folder);
            let became = folder.finish(&job, loaded, Instant::now());
            promise.keep(Told::Compiled { stem, is_large, became });
        };
        if let Err(error) = spawn("plugin-compile", compile) {
            let mut folder = lock(&self.folder);
            let became = folder.finish(&job, Err(LoadError::Thread(error)), Instant::now());
            drop(folder);
            self.tell
                .send(Told::Compiled { stem, is_large, became })
                .expect("the other end is here");
        }
    }
}

/// What a thread tells when it ends, also if it panics: whoever waits for it would wait for ever.
struct Promise {
    tell: mpsc::UnboundedSender<Told>,
    /// Told if it is not kept.
    told: Option<Told>,
}

impl Promise {
    fn new(tell: mpsc::UnboundedSender<Told>, otherwise: Told) -> Self {
        Self { tell, told: Some(otherwise) }
    }

    fn keep(mut self, told: Told) {
        self.told = Some(told);
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if let Some(told) = self.told.take() {
            // Nobody listens any more once the gateway has stopped.
            drop(self.tell.send(told));
        }
    }
}

/// Not of the runtime's: a thread of those would be waited for at the end.
fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::plugin::{Compiler, Config, Host};

    use super::*;

    /// Longer than anything takes that is not stuck.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn loading(folder: &tempfile::TempDir) -> Loading {
        let host = Host::new(Config::new(Compiler::InProcess, None)).unwrap();
        Loading::new(host, folder.path().to_owned())
    }

    async fn next(loading: &mut Loading) -> News {
        let next = tokio::time::timeout(PATIENCE, loading.next()).await;
        next.expect("the thread tells how it ended")
    }

    fn again() -> Wish {
        Wish { failed: true, ..Wish::default() }
    }

    #[tokio::test]
    async fn a_look_that_panics_is_one_that_failed_and_the_next_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let mut loading = loading(&folder);

        loading.look_by(|| panic!("over a file"));
        loading.look(again());
        let panicked = next(&mut loading).await;
        let was_done = loading.is_done();
        let next = next(&mut loading).await;

        let error = panicked.looked.expect("somebody looked").unwrap_err();
        assert_eq!(error.to_string(), "the gateway panicked");
        assert!(!was_done, "the look that was wished for is made");
        assert!(matches!(next.looked, Some(Ok(()))) && loading.is_done());
    }

    #[tokio::test]
    async fn a_file_over_which_its_thread_panics_is_told_and_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("shop.wasm"), b"no plugin").unwrap();
        let mut loading = loading(&folder);
        let look = lock(&loading.folder).look(&loading.host, &again(), Instant::now());
        let job = look.unwrap().jobs.pop().expect("it has to be compiled");

        loading.compile_by(job, |_| panic!("over a file"));
        let panicked = next(&mut loading).await;
        let was_done = loading.is_done();
        loading.look(again());
        let looked = next(&mut loading).await;
        let tried = next(&mut loading).await;

        let [(stem, Reloaded::Kept(LoadError::Panicked))] = &panicked.files[..] else {
            panic!("{panicked:?}");
        };
        assert!(stem == "shop" && was_done);
        assert!(matches!(looked.looked, Some(Ok(()))) && looked.files.is_empty(), "{looked:?}");
        let [(_, Reloaded::Kept(LoadError::NotWasm))] = &tried.files[..] else {
            panic!("{tried:?}");
        };
        assert!(loading.is_done());
    }
}
