//! From the bytes of a plugin file to native code.
//!
//! Decoding and compiling are what a plugin's bytes can make slow, huge, recursive or panic, so
//! both happen in a child process with limits of its own. What comes out lies in the [`Cache`];
//! nothing from the plugins directory ever gets there uncompiled, and no file is decoded in this
//! process.

use std::io;
use std::path::{Path, PathBuf};

use tempfile::PersistError;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::cache::{self, Cache};
use super::compiling::{self, translate};
use super::error::{CompileError, LoadError, failed, in_one_line};

/// Who decodes and compiles.
#[derive(Debug, Clone)]
pub enum Compiler {
    /// This program, run again as `<program> compile-plugin <output>`: see
    /// [`compile_child`](crate::plugin::compile_child).
    Child(PathBuf),
    /// A thread of this process, which a file can bring down. For tests with files of their own.
    InProcess,
}

/// Compiles, and finds again what was compiled.
#[derive(Debug)]
pub(in crate::plugin) struct Compile {
    compiler: Compiler,
    cache: Option<Cache>,
}

impl Compile {
    /// Compiled code is kept in `cache`, which is made private if it is not.
    pub(in crate::plugin) fn new(compiler: Compiler, cache: Option<PathBuf>) -> io::Result<Self> {
        let program = match &compiler {
            Compiler::Child(program) => Some(program.as_path()),
            Compiler::InProcess => None,
        };
        let cache = cache.map(|folder| Cache::open(folder, program)).transpose()?;
        Ok(Self { compiler, cache })
    }

    /// Whether it is known what becomes of this file, so that [`Compile::file`] answers at once.
    pub(in crate::plugin) fn knows(&self, engine: &Engine, file: &[u8]) -> bool {
        let known = |cache: &Cache| {
            Cache::is_there(&cache.code(engine, file)) || cache.note(engine, file).is_some()
        };
        self.cache.as_ref().is_some_and(known)
    }

    /// The native code of a plugin file.
    pub(super) fn file(&self, engine: &Engine, file: &[u8]) -> Result<Component, LoadError> {
        let Some(cache) = &self.cache else {
            let folder = tempfile::tempdir().map_err(failed("make a folder to compile into"))?;
            return self.compile(engine, file, &folder.path().join("plugin.cwasm"));
        };
        let code = cache.code(engine, file);
        if code.exists() {
            match open_whole(engine, &code) {
                Ok(component) => {
                    cache::touch(&code);
                    return Ok(component);
                }
                Err(error) => {
                    let file = code.display();
                    tracing::warn!(%file, "compiling the plugin again: {error}");
                    if let Err(error) = std::fs::remove_file(&code) {
                        tracing::debug!(%file, "failed to remove compiled code: {error}");
                    }
                }
            }
        }
        if let Some(how) = cache.note(engine, file) {
            return Err(LoadError::Broke { how });
        }
        let compiled = self.compile(engine, file, &code);
        match &compiled {
            Ok(_) => cache.tidy(),
            Err(LoadError::Broke { how }) => {
                if let Err(error) = cache.keep_note(engine, file, how) {
                    tracing::warn!("failed to record how the compiling process crashed: {error}");
                }
            }
            Err(_) => (),
        }
        compiled
    }

    /// Compiles to a file beside `code`, moves it there when it is whole, and opens it. Where it
    /// can't be moved, something else stands there: then the code is used and not kept.
    fn compile(&self, engine: &Engine, file: &[u8], code: &Path) -> Result<Component, LoadError> {
        let folder = code.parent().expect("the file is in a folder");
        let part = tempfile::NamedTempFile::new_in(folder).map_err(failed("make a file"))?;
        match &self.compiler {
            Compiler::Child(program) => compiling::by_child(program, file, part.path())?,
            Compiler::InProcess => {
                let native = translate(engine, file)?;
                compiling::write_synced(part.path(), &native)
                    .map_err(failed("write compiled code"))?;
            }
        }
        if let Err(error) = Cache::keep_digest(part.path(), code) {
            return open_unkept(engine, part.path(), code, &error);
        }
        match part.persist(code) {
            Ok(_) => Ok(open(engine, code)?),
            Err(PersistError { error, file }) => open_unkept(engine, file.path(), code, &error),
        }
    }
}

/// Opens what was compiled to `part` and can't be kept at `code`. It is in use as long as the
/// plugin is, also without a name.
fn open_unkept(
    engine: &Engine,
    part: &Path,
    code: &Path,
    error: &io::Error,
) -> Result<Component, LoadError> {
    tracing::warn!(
        file = %code.display(),
        "failed to keep compiled code; the next start compiles the plugin again: {error}"
    );
    Ok(open(engine, part)?)
}

/// The same, if it is as it was written.
fn open_whole(engine: &Engine, code: &Path) -> Result<Component, CompileError> {
    if !Cache::is_whole(code) {
        let reason = "the compiled code does not match its digest".to_owned();
        return Err(CompileError::Refused(reason));
    }
    open(engine, code)
}

/// Maps compiled code into memory.
#[expect(unsafe_code, reason = "running compiled code is what it is for")]
fn open(engine: &Engine, code: &Path) -> Result<Component, CompileError> {
    // SAFETY: the file was written by `translate` and by nothing else: it lies in a folder that
    // only this user may write, under a name that only this module gives, is opened when it is
    // whole, and is never written again.
    let component = unsafe { Component::deserialize_file(engine, code) };
    component.map_err(|error| CompileError::Refused(in_one_line(error.as_ref())))
}

#[cfg(test)]
mod tests;
