//! From a component to native code, and where that is kept.
//!
//! Compiling is the one thing that a plugin's bytes can make slow or huge, so it happens in a child
//! process with limits of its own, one at a time. What comes out lies in a folder that only we may
//! write, because loading it is trusting it; nothing from the plugins directory ever gets there
//! uncompiled.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit};
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::BoxError;
use super::child::{self, ChildError, Ended};
use super::engine;
use super::wasm::FILE_BYTES_MAX;

/// Who compiles.
#[derive(Debug, Clone)]
pub enum Compiler {
    /// This program, run again as `<program> compile-plugin <output>`: see [`compile_child`].
    Child(PathBuf),
    /// A thread of this process. For tests, and for a developer's own plugins.
    InProcess,
}

/// The hidden argument under which the program compiles.
pub const COMPILE_ARGUMENT: &str = "compile-plugin";

/// How long a child may take.
const WALL_MAX: Duration = Duration::from_secs(120);
const CPU_SECONDS_MAX: u64 = 120;
const ADDRESS_SPACE_MAX: u64 = 4 << 30;
/// The child yields to everything that serves.
const NICENESS: i32 = 10;
/// The compiler is recursive.
const COMPILE_STACK_BYTES: usize = 16 << 20;
/// A component made from a module is larger than its file by an adapter.
const COMPONENT_BYTES_MAX: usize = FILE_BYTES_MAX + (1 << 20);

/// Why there is no compiled code.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The compiler refused the component.
    #[error("the compiler refused it: {0}")]
    Refused(#[source] BoxError),
    /// The compiler panicked over it.
    #[error("the compiler panicked")]
    Panicked,
    /// The child ended badly.
    #[error("the compiling process failed ({status}): {complaint}")]
    Child {
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it said.
        complaint: String,
    },
    /// The child was killed.
    #[error("compiling took longer than {} s", WALL_MAX.as_secs())]
    TooLong,
    /// A file or process could not be had.
    #[error("failed to {attempt}: {source}")]
    Io {
        /// What was attempted.
        attempt: &'static str,
        /// Why not.
        source: io::Error,
    },
}

fn failed(attempt: &'static str) -> impl FnOnce(io::Error) -> CompileError {
    move |source| CompileError::Io { attempt, source }
}

/// Compiles, or finds what was compiled before.
#[derive(Debug)]
pub(super) struct Compile {
    compiler: Compiler,
    cache: Option<PathBuf>,
    /// One at a time: the other cores serve.
    turn: Mutex<()>,
}

impl Compile {
    /// Compiled code is kept in `cache`, which is made private if it is not.
    pub(super) fn new(compiler: Compiler, cache: Option<PathBuf>) -> io::Result<Self> {
        if let Some(folder) = &cache {
            make_private(folder)?;
        }
        Ok(Self { compiler, cache, turn: Mutex::new(()) })
    }

    /// The native code of a component.
    pub(super) fn component(
        &self,
        engine: &Engine,
        wasm: &[u8],
    ) -> Result<Component, CompileError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(cache) = &self.cache else {
            let folder = tempfile::tempdir().map_err(failed("make a folder to compile into"))?;
            return self.compile(engine, wasm, &folder.path().join("plugin.cwasm"));
        };
        let file = cache.join(file_name(engine, wasm));
        if file.exists() {
            match open(engine, &file) {
                Ok(component) => return Ok(component),
                Err(error) => {
                    tracing::warn!(%error, file = %file.display(), "compiled code is no good");
                    fs::remove_file(&file).map_err(failed("remove compiled code"))?;
                }
            }
        }
        self.compile(engine, wasm, &file)
    }

    /// Compiles to a file beside `file`, moves it there when it is whole, and opens it.
    fn compile(
        &self,
        engine: &Engine,
        wasm: &[u8],
        file: &Path,
    ) -> Result<Component, CompileError> {
        let folder = file.parent().expect("the file is in a folder");
        let part = tempfile::NamedTempFile::new_in(folder).map_err(failed("make a file"))?;
        match &self.compiler {
            Compiler::Child(program) => compile_by_child(program, wasm, part.path())?,
            Compiler::InProcess => {
                let code = precompile(engine, wasm)?;
                write_synced(part.path(), &code).map_err(failed("write compiled code"))?;
            }
        }
        part.persist(file).map_err(|error| error.error).map_err(failed("keep compiled code"))?;
        open(engine, file)
    }
}

/// Maps compiled code into memory.
#[expect(unsafe_code, reason = "running compiled code is what it is for")]
fn open(engine: &Engine, file: &Path) -> Result<Component, CompileError> {
    // SAFETY: the file was written by `precompile` and by nothing else: it lies in a folder that
    // only this user may write, under a name that only this module gives, is moved there when it
    // is whole, and is never written again.
    let component = unsafe { Component::deserialize_file(engine, file) };
    component.map_err(|error| CompileError::Refused(error.into()))
}

/// Of the component's bytes and of everything that decides how they are compiled.
fn file_name(engine: &Engine, wasm: &[u8]) -> String {
    let mut settings = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut settings);
    format!("{}-{:016x}.cwasm", hex::encode(Sha256::digest(wasm)), settings.finish())
}

fn make_private(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let metadata = fs::metadata(folder)?;
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("it belongs to another user, who could put code into it"));
    }
    if metadata.mode() & 0o077 != 0 {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Compiles on a thread with a stack for it, where a panic ends nothing else.
fn precompile(engine: &Engine, wasm: &[u8]) -> Result<Vec<u8>, CompileError> {
    let compiled = thread::scope(|scope| {
        let compiler = thread::Builder::new().stack_size(COMPILE_STACK_BYTES);
        let compiler = compiler.spawn_scoped(scope, || engine.precompile_component(wasm));
        Ok(compiler.map_err(failed("start a compiling thread"))?.join())
    })?;
    let compiled = compiled.map_err(|_| CompileError::Panicked)?;
    compiled.map_err(|error| CompileError::Refused(error.into()))
}

fn write_synced(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(file)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn compile_by_child(program: &Path, wasm: &[u8], out: &Path) -> Result<(), CompileError> {
    let mut command = Command::new(program);
    // Secrets may be in the environment.
    command.arg(COMPILE_ARGUMENT).arg(out).env_clear();
    match child::run(&mut command, wasm, WALL_MAX) {
        Ok(ended) if ended.status.success() => Ok(()),
        Ok(Ended { status, said }) => Err(CompileError::Child { status, complaint: said }),
        Err(ChildError::TooLong) => Err(CompileError::TooLong),
        Err(ChildError::Io(source)) => Err(failed("run the compiling process")(source)),
    }
}

/// What the program does when its first argument is [`COMPILE_ARGUMENT`]: compiles the component on
/// its standard input to the file `out`, within limits that it sets itself. An error is for the
/// caller to print to standard error before it exits with 1.
pub fn compile_child(out: &Path) -> Result<(), CompileError> {
    limit_myself().map_err(|error| failed("limit the compiling process")(error.into()))?;
    let mut wasm = Vec::new();
    let most = COMPONENT_BYTES_MAX as u64;
    io::stdin().take(most).read_to_end(&mut wasm).map_err(failed("read the component"))?;
    let engine = engine::on_demand().map_err(|error| CompileError::Refused(error.into()))?;
    let code = precompile(&engine, &wasm)?;
    write_synced(out, &code).map_err(failed("write compiled code"))
}

fn limit_myself() -> rustix::io::Result<()> {
    let limit = |most| Rlimit { current: Some(most), maximum: Some(most) };
    rustix::process::setrlimit(Resource::As, limit(ADDRESS_SPACE_MAX))?;
    rustix::process::setrlimit(Resource::Cpu, limit(CPU_SECONDS_MAX))?;
    rustix::process::nice(NICENESS).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

    fn entries(folder: &Path) -> Vec<PathBuf> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn what_was_compiled_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("cache");
        let engine = engine::on_demand().unwrap();
        let compile = Compile::new(Compiler::InProcess, Some(cache.clone())).unwrap();
        compile.component(&engine, COMPONENT).unwrap();

        let none = Compiler::Child(PathBuf::from("/nowhere"));
        let compile = Compile::new(none, Some(cache.clone())).unwrap();
        compile.component(&engine, COMPONENT).unwrap();
        assert_eq!(entries(&cache).len(), 1);
        assert_eq!(fs::metadata(&cache).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn code_that_is_no_good_is_compiled_again() {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine::on_demand().unwrap();
        let compile = Compile::new(Compiler::InProcess, Some(folder.path().to_owned())).unwrap();
        let file = folder.path().join(file_name(&engine, COMPONENT));
        fs::write(&file, b"not code").unwrap();
        compile.component(&engine, COMPONENT).unwrap();
        assert!(fs::metadata(&file).unwrap().len() > 100);
    }

    #[test]
    fn a_child_that_fails_is_heard() {
        let compile = Compile::new(Compiler::Child(PathBuf::from("/bin/false")), None).unwrap();
        let engine = engine::on_demand().unwrap();
        let error = compile.component(&engine, COMPONENT).unwrap_err();
        assert!(matches!(error, CompileError::Child { .. }), "{error}");
    }
}
