//! From the bytes of a plugin file to a [`Plugin`] that can be called.
//!
//! Everything that can be known before the first event is found out here: what the file is, what
//! it imports and exports, that it links, and what it says of itself. A file that fails any of it
//! changes nothing; which plugin runs is the registry's business.

use std::io;
use std::sync::{Arc, PoisonError};
use std::thread;

use sha2::{Digest, Sha256};
use wasmtime::Store;
use wasmtime::component::{Component, Instance, InstancePre};

use super::bindings::exports::hookgate::plugin::{handler, provider};
use super::call::{self, CallError};
use super::compile::CompileError;
use super::context::Context;
use super::engine::{MEMORIES_MAX, THREAD_STACK_BYTES};
use super::lie::Lie;
use super::stack::Stack;
use super::wasm::{FILE_BYTES_MAX, Kind, to_component};
use super::{BoxError, Face, Parts, Plugin, convert};
use crate::claims::{HandlerInfo, ProviderInfo};
use crate::ids::{InvalidName, Name};

/// The package of the contract, and the version of it that this host speaks.
const PACKAGE: &str = "hookgate:plugin";
const VERSION: &str = "0.2.0";
/// Plugins of every 0.2.x fit: within it functions are only added.
const COMPATIBLE: &str = "0.2.";
const IMPORTS: [&str; 5] = ["types", "settings", "log", "outbox", "state"];
const WASM_PAGE_BYTES: u64 = 64 << 10;

/// Why a file is not a plugin that can be called. Whatever was loaded under its name stays.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be read.
    #[error("failed to read the file: {0}")]
    Read(#[source] io::Error),
    /// The file was being written.
    #[error("the file changed while it was read")]
    Changing,
    /// The file is a link to somewhere else.
    #[error("the file is a link that leads out of the plugins directory")]
    Outside,
    /// The file's name cannot be a plugin's.
    #[error("the file cannot name a plugin: {0}")]
    Name(#[source] InvalidName),
    /// It is one, but the operator's settings do not fit it.
    #[error("{0}")]
    NotAdmitted(String),
    /// The file is too large.
    #[error("the file has {bytes} bytes, more than {FILE_BYTES_MAX}")]
    Size {
        /// Its size.
        bytes: usize,
    },
    /// The file is machine code.
    #[error("the file is native code, which is never loaded: give the WebAssembly file")]
    NativeCode,
    /// The file is WebAssembly as text.
    #[error("the file is WebAssembly text: give the binary")]
    Text,
    /// The file is something else.
    #[error("the file is not WebAssembly")]
    NotWasm,
    /// The file is broken, or half of it is missing.
    #[error("the file is not valid WebAssembly, or not all of it is there: {source}")]
    Invalid {
        /// Where.
        source: wasmparser::BinaryReaderError,
    },
    /// A core module without the contract's types in it.
    #[error("the module was not built with the Hookgate SDK: it has no component type")]
    NoSdk,
    /// A program instead of a library.
    #[error("the module is a command with a `_start`: build a library (crate-type `cdylib`)")]
    Command,
    /// A core module that could not be turned into a component.
    #[error("failed to turn the module into a component: {source}")]
    Encode {
        /// Why not.
        source: BoxError,
    },
    /// The compiler did not make it.
    #[error("failed to compile the plugin: {0}")]
    Compile(#[source] CompileError),
    /// Built for another version of the contract.
    #[error(
        "the plugin is built for {PACKAGE}@{found}, and this gateway speaks {PACKAGE}@{VERSION}: \
         build the plugin again with the SDK that belongs to this gateway"
    )]
    Version {
        /// The version that it is built for.
        found: String,
    },
    /// It wants something that no plugin gets.
    #[error("the plugin imports `{name}`, which plugins are not given")]
    Import {
        /// What it wants.
        name: String,
    },
    /// It imports core modules, so that what it needs cannot be told.
    #[error("the plugin imports core modules")]
    ImportsModules,
    /// It starts larger than it may get.
    #[error(
        "the plugin starts with {bytes} bytes of memory in {memories} memories; the limits are {limit} and {MEMORIES_MAX}"
    )]
    Memory {
        /// The largest memory it starts with.
        bytes: u64,
        /// How many memories it has.
        memories: u32,
        /// Most bytes that it may have.
        limit: usize,
    },
    /// Its imports have other types than the contract's.
    #[error("the plugin's imports do not fit: {source}")]
    Link {
        /// Which, and how.
        source: BoxError,
    },
    /// It exports nothing that can be called.
    #[error("the plugin exports neither {PACKAGE}/provider nor {PACKAGE}/handler")]
    NothingExported,
    /// It exports the right name with other types.
    #[error("the plugin's {face} is not the contract's: {source}")]
    Shape {
        /// Which export.
        face: Face,
        /// How it differs.
        source: BoxError,
    },
    /// There was no thread for it.
    #[error("failed to start a thread for the plugin: {0}")]
    Thread(#[source] io::Error),
    /// The host's own code panicked over it.
    #[error("the host panicked over the plugin")]
    Panicked,
    /// It did not say what it is.
    #[error("the {face} did not describe itself: {source}")]
    Describe {
        /// Which export.
        face: Face,
        /// What happened instead.
        source: CallError,
    },
    /// It said of itself what the contract does not allow.
    #[error("the {face} describes itself wrongly: {source}")]
    Description {
        /// Which export.
        face: Face,
        /// What is wrong.
        source: Lie,
    },
}

impl LoadError {
    /// Whether the same file may load at another time.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Read(_) | Self::Changing | Self::Thread(_) | Self::Panicked => true,
            Self::Compile(error) => {
                matches!(error, CompileError::Io { .. } | CompileError::TooLong)
            }
            Self::Describe { source, .. } => {
                matches!(source, CallError::Deadline { .. } | CallError::Busy | CallError::Host(_))
            }
            _ => false,
        }
    }
}

/// Loads the plugin `name` from the bytes of its file.
pub(super) fn load(host: &Parts, name: Name, file: &[u8]) -> Result<Plugin, LoadError> {
    let (kind, wasm) = to_component(file)?;
    let component = host.compile.component(&host.engine, &wasm).map_err(LoadError::Compile)?;
    let imports = names(component.component_type().imports(&host.engine));
    let exports = names(component.component_type().exports(&host.engine));

    let wasi = check_imports(&imports)?;
    check_resources(&component, host.config.memory_max)?;
    let linker = if wasi { &host.linker_with_wasi } else { &host.linker };
    let linked = linker.instantiate_pre(&component);
    let pre = linked.map_err(|error| LoadError::Link { source: error.into() })?;
    let faces = faces(&exports, &pre)?;
    // It only saves the first call some work.
    drop(component.initialize_copy_on_write_image());

    let mut plugin = Plugin {
        name,
        digest: hex::encode(Sha256::digest(file)),
        size: file.len(),
        kind,
        imports,
        exports,
        provider: None,
        handler: None,
        pre,
        wasi,
        stack: if kind == Kind::Module { Stack::of_module(file) } else { None },
    };
    let (provider, handler) = on_a_stack_for_guests(|| {
        let _turn = host.describing.lock().unwrap_or_else(PoisonError::into_inner);
        let provider = faces.0.map(|face| describe_provider(host, &plugin, face)).transpose()?;
        let handler = faces.1.map(|face| describe_handler(host, &plugin, face)).transpose()?;
        Ok((provider, handler))
    })?;
    (plugin.provider, plugin.handler) = (provider, handler);
    Ok(plugin)
}

fn names<'a, T>(items: impl Iterator<Item = (&'a str, T)>) -> Vec<String> {
    items.map(|(name, _)| name.to_owned()).collect()
}

/// An interface and its version, if the name is one of this package.
fn of_package<'a>(package: &str, name: &'a str) -> Option<(&'a str, &'a str)> {
    let interface = name.strip_prefix(package)?.strip_prefix('/')?;
    Some(interface.split_once('@').unwrap_or((interface, "no version")))
}

/// Whether all imports are ones that plugins are given, and whether WASI is among them.
fn check_imports(imports: &[String]) -> Result<bool, LoadError> {
    let mut wasi = false;
    for name in imports {
        if let Some((interface, version)) = of_package(PACKAGE, name) {
            check_version(version)?;
            if !IMPORTS.contains(&interface) {
                return Err(LoadError::Import { name: name.clone() });
            }
        } else if name.starts_with("wasi:") && name.contains("@0.2.") {
            wasi = true;
        } else {
            return Err(LoadError::Import { name: name.clone() });
        }
    }
    Ok(wasi)
}

fn check_version(version: &str) -> Result<(), LoadError> {
    if version.starts_with(COMPATIBLE) {
        Ok(())
    } else {
        Err(LoadError::Version { found: version.to_owned() })
    }
}

fn check_resources(component: &Component, limit: usize) -> Result<(), LoadError> {
    let needed = component.resources_required().ok_or(LoadError::ImportsModules)?;
    let pages = needed.max_initial_memory_size.unwrap_or(0);
    let (bytes, memories) = (pages.saturating_mul(WASM_PAGE_BYTES), needed.num_memories);
    if bytes > limit as u64 || memories > MEMORIES_MAX {
        return Err(LoadError::Memory { bytes, memories, limit });
    }
    Ok(())
}

/// Where the functions of each face are.
type Faces = (Option<provider::GuestIndices>, Option<handler::GuestIndices>);

fn faces(exports: &[String], pre: &InstancePre<Context>) -> Result<Faces, LoadError> {
    let (mut has_provider, mut has_handler) = (false, false);
    for (interface, version) in exports.iter().filter_map(|name| of_package(PACKAGE, name)) {
        check_version(version)?;
        has_provider |= interface == "provider";
        has_handler |= interface == "handler";
    }
    if !has_provider && !has_handler {
        return Err(LoadError::NothingExported);
    }
    let shape =
        |face| move |error: wasmtime::Error| LoadError::Shape { face, source: error.into() };
    let provider = has_provider.then(|| provider::GuestIndices::new(pre)).transpose();
    let handler = has_handler.then(|| handler::GuestIndices::new(pre)).transpose();
    Ok((provider.map_err(shape(Face::Provider))?, handler.map_err(shape(Face::Handler))?))
}

fn describe_provider(
    host: &Parts,
    plugin: &Plugin,
    indices: provider::GuestIndices,
) -> Result<(ProviderInfo, provider::GuestIndices), LoadError> {
    let described = describe(host, plugin, Face::Provider, |store, instance| {
        let guest = match indices.load(&mut *store, instance) {
            Ok(guest) => guest,
            Err(error) => return Ok(Err(error)),
        };
        guest.call_describe(store).map(Ok)
    });
    let info = convert::provider_info(described?);
    let face = Face::Provider;
    Ok((info.map_err(|source| LoadError::Description { face, source })?, indices))
}

fn describe_handler(
    host: &Parts,
    plugin: &Plugin,
    indices: handler::GuestIndices,
) -> Result<(HandlerInfo, handler::GuestIndices), LoadError> {
    let described = describe(host, plugin, Face::Handler, |store, instance| {
        let guest = match indices.load(&mut *store, instance) {
            Ok(guest) => guest,
            Err(error) => return Ok(Err(error)),
        };
        guest.call_describe(store).map(Ok)
    });
    let info = convert::handler_info(described?);
    let face = Face::Handler;
    Ok((info.map_err(|source| LoadError::Description { face, source })?, indices))
}

/// Makes an instance and lets `ask` compare the types of the face, which only an instance has, and
/// call `describe`. What `ask` returns inside is that the types differ.
fn describe<T>(
    host: &Parts,
    plugin: &Plugin,
    face: Face,
    ask: impl FnOnce(&mut Store<Context>, &Instance) -> wasmtime::Result<wasmtime::Result<T>>,
) -> Result<T, LoadError> {
    // What a plugin is does not depend on settings.
    let context = Context::new(Arc::from("{}"), host.config.memory_max);
    let (described, _) = call::enter(plugin, context, host.config.deadlines.check, ask);
    let described = described.map_err(|source| LoadError::Describe { face, source })?;
    described.map_err(|error| LoadError::Shape { face, source: error.into() })
}

/// Runs guests on a thread of their own, whatever stack and runtime the caller has.
fn on_a_stack_for_guests<T: Send>(
    work: impl FnOnce() -> Result<T, LoadError> + Send,
) -> Result<T, LoadError> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(THREAD_STACK_BYTES);
        let thread = thread.spawn_scoped(scope, work).map_err(LoadError::Thread)?;
        thread.join().unwrap_or(Err(LoadError::Panicked))
    })
}
