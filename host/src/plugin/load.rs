//! From the bytes of a plugin file to a [`Plugin`] that can be called.
//!
//! Everything that can be known before the first event is found out here: what the file is, what
//! it imports and exports, that it links, and what it says of itself. A file that fails any of it
//! changes nothing; which plugin runs is the registry's business.

use std::error::Error;
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
use super::interfaces::{Names, PACKAGE, VERSION, check_names};
use super::log::tell;
use super::occasion::Occasion;
use super::stack::Stack;
use super::violation::Violation;
use super::wasm::{FILE_BYTES_MAX, Kind, Layer, recognize};
use super::{Parts, Plugin, Role, convert};
use crate::claims::{HandlerInfo, ProviderInfo};
use crate::ids::{InvalidName, Name};
use crate::regular_file::ReadError;

const WASM_PAGE_BYTES: u64 = 64 << 10;

/// Why a file is not a plugin that can be called. Whatever was loaded under its name stays.
///
/// The texts say everything, and so no error has a source: it would be said twice.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be read.
    #[error("failed to read the file: {0}")]
    Read(io::Error),
    /// It is no file to read from.
    #[error("the file is {0}, not a regular file")]
    NotRegular(&'static str),
    /// The file was being written.
    #[error("the file changed while it was read")]
    Changing,
    /// The file is a link to somewhere else.
    #[error("the file is a link that leads out of the plugins directory")]
    Outside,
    /// The file's name cannot be a plugin's.
    #[error("the file cannot name a plugin: {0}")]
    Name(InvalidName),
    /// The file is too large.
    #[error("the file has more than {FILE_BYTES_MAX} bytes")]
    Size,
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
    #[error("the file is not valid WebAssembly, or not all of it is there: {0}")]
    Invalid(wasmparser::BinaryReaderError),
    /// Its types are of a kind that a synchronous host has not.
    #[error(
        "the plugin uses asynchronous component types, which plugins are not given: build it \
         without (jco: `--backend-qjs-disable-async`): {reason}"
    )]
    Async {
        /// Which, and where.
        reason: String,
    },
    /// A core module without the contract's types in it.
    #[error("the module was not built with the Hookgate SDK: it has no component type")]
    NoSdk,
    /// A program instead of a library.
    #[error("the module is a command with a `_start`: build a library (crate-type `cdylib`)")]
    Command,
    /// A core module that could not be turned into a component.
    #[error("failed to turn the module into a component: {0}")]
    Encode(String),
    /// The process that decodes and compiles refused the file, for one of the reasons here.
    #[error("{0}")]
    Refused(String),
    /// It crashed over the file.
    #[error(
        "the file broke the process that compiles it, and is not tried again until the file or \
         Hookgate changes ({how})"
    )]
    Broke {
        /// How the process ended.
        how: String,
    },
    /// The compiler did not make it.
    #[error("failed to compile the plugin: {0}")]
    Compile(CompileError),
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
    #[error("the plugin imports `{name}`, which plugins are not given{advice}")]
    Import {
        /// What it wants.
        name: String,
        /// What to do about it, behind a colon; empty if nothing is known.
        advice: &'static str,
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
    #[error("the plugin's imports do not fit: {0}")]
    Link(String),
    /// It exports nothing that can be called.
    #[error(
        "the plugin exports neither {PACKAGE}/provider nor {PACKAGE}/handler: with the Rust SDK, \
         `hookgate_sdk::export!` exports them"
    )]
    NothingExported,
    /// It exports the right name with other types.
    #[error("the plugin's {role} is not the contract's: {reason}")]
    Shape {
        /// Which export.
        role: Role,
        /// How it differs.
        reason: String,
    },
    /// There was no thread for it.
    #[error("failed to start a thread for the plugin: {0}")]
    Thread(io::Error),
    /// The host's own code panicked over it.
    #[error("the host panicked over the plugin")]
    Panicked,
    /// It did not say what it is.
    #[error("the {role} did not describe itself: {error}")]
    Describe {
        /// Which export.
        role: Role,
        /// What happened instead.
        error: CallError,
    },
    /// It said of itself what the contract does not allow.
    #[error("the {role} describes itself wrongly: {violation}")]
    Description {
        /// Which export.
        role: Role,
        /// What is wrong.
        violation: Violation,
    },
}

impl From<CompileError> for LoadError {
    fn from(error: CompileError) -> Self {
        Self::Compile(error)
    }
}

impl From<ReadError> for LoadError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => Self::Read(error),
            ReadError::NotRegular(kind) => Self::NotRegular(kind),
            ReadError::TooLarge { .. } => Self::Size,
        }
    }
}

impl LoadError {
    /// Whether the same file may load at another time.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Read(_) | Self::Changing | Self::Thread(_) | Self::Panicked => true,
            Self::Compile(error) => !matches!(error, CompileError::Refused(_)),
            Self::Describe { error, .. } => {
                matches!(error, CallError::Deadline { .. } | CallError::Busy | CallError::Host(_))
            }
            _ => false,
        }
    }
}

/// An error and its causes in one line, without those that repeat what was said already.
pub(super) fn in_one_line(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    let said = causes.fold(error.to_string(), |said, cause| {
        let cause = cause.to_string();
        if said.contains(&cause) { said } else { format!("{said}: {cause}") }
    });
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Loads the plugin `name` from the bytes of its file.
pub(super) fn load(host: &Parts, name: Name, file: &[u8]) -> Result<Plugin, LoadError> {
    let layer = recognize(file)?;
    let component = host.compile.file(&host.engine, file)?;
    on_a_stack_for_guests(|| {
        let (mut plugin, roles) = link(host, name, file, layer, &component)?;
        let _turn = host.describing.lock().unwrap_or_else(PoisonError::into_inner);
        let provider = roles.0.map(|role| describe_provider(host, &plugin, role)).transpose()?;
        let handler = roles.1.map(|role| describe_handler(host, &plugin, role)).transpose()?;
        (plugin.provider, plugin.handler) = (provider, handler);
        Ok(plugin)
    })
}

/// A plugin that has not said yet what it is.
fn link(
    host: &Parts,
    name: Name,
    file: &[u8],
    layer: Layer,
    component: &Component,
) -> Result<(Plugin, Roles), LoadError> {
    let imports = names(component.component_type().imports(&host.engine));
    let exports = names(component.component_type().exports(&host.engine));
    let known = check_names(imports.iter(), exports.iter())?;
    check_resources(component, host.config.memory_max)?;
    let linker = if known.wasi { &host.linker_with_wasi } else { &host.linker };
    let linked = linker.instantiate_pre(component);
    let pre = linked.map_err(|error| LoadError::Link(in_one_line(error.as_ref())))?;
    let roles = roles(known, &pre)?;
    // It only saves the first call some work.
    drop(component.initialize_copy_on_write_image());
    let plugin = Plugin {
        name,
        digest: hex::encode(Sha256::digest(file)),
        size: file.len(),
        kind: match layer {
            Layer::Component => Kind::Component,
            Layer::Module if known.wasi => Kind::ModuleWithWasi,
            Layer::Module => Kind::Module,
        },
        imports,
        exports,
        provider: None,
        handler: None,
        pre,
        wasi: known.wasi,
        stack: if layer == Layer::Module { Stack::of_module(file) } else { None },
    };
    Ok((plugin, roles))
}

fn names<'a, T>(items: impl Iterator<Item = (&'a str, T)>) -> Vec<String> {
    items.map(|(name, _)| name.to_owned()).collect()
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

/// Where the functions of each role are.
type Roles = (Option<provider::GuestIndices>, Option<handler::GuestIndices>);

fn roles(known: Names, pre: &InstancePre<Context>) -> Result<Roles, LoadError> {
    let shape = |role| {
        move |error: wasmtime::Error| LoadError::Shape { role, reason: in_one_line(error.as_ref()) }
    };
    let provider = known.provider.then(|| provider::GuestIndices::new(pre)).transpose();
    let handler = known.handler.then(|| handler::GuestIndices::new(pre)).transpose();
    Ok((provider.map_err(shape(Role::Provider))?, handler.map_err(shape(Role::Handler))?))
}

fn describe_provider(
    host: &Parts,
    plugin: &Plugin,
    indices: provider::GuestIndices,
) -> Result<(ProviderInfo, provider::GuestIndices), LoadError> {
    let described = describe(host, plugin, Role::Provider, |store, instance| {
        let guest = match indices.load(&mut *store, instance) {
            Ok(guest) => guest,
            Err(error) => return Ok(Err(error)),
        };
        guest.call_describe(store).map(Ok)
    });
    let info = convert::provider_info(described?);
    let role = Role::Provider;
    Ok((info.map_err(|violation| LoadError::Description { role, violation })?, indices))
}

fn describe_handler(
    host: &Parts,
    plugin: &Plugin,
    indices: handler::GuestIndices,
) -> Result<(HandlerInfo, handler::GuestIndices), LoadError> {
    let described = describe(host, plugin, Role::Handler, |store, instance| {
        let guest = match indices.load(&mut *store, instance) {
            Ok(guest) => guest,
            Err(error) => return Ok(Err(error)),
        };
        guest.call_describe(store).map(Ok)
    });
    let info = convert::handler_info(described?);
    let role = Role::Handler;
    Ok((info.map_err(|violation| LoadError::Description { role, violation })?, indices))
}

/// Makes an instance and lets `ask` compare the types of the role, which only an instance has, and
/// call `describe`. What `ask` returns inside is that the types differ.
fn describe<T>(
    host: &Parts,
    plugin: &Plugin,
    role: Role,
    ask: impl FnOnce(&mut Store<Context>, &Instance) -> wasmtime::Result<wasmtime::Result<T>>,
) -> Result<T, LoadError> {
    // What a plugin is does not depend on settings.
    let context = Context::new(Arc::from("{}"), host.config.memory_max);
    let (occasion, deadline) = (Occasion::Plugin("describe"), host.deadlines.load().check);
    let (described, context) = call::enter(plugin, context, &occasion, deadline, ask);
    tell(context.log.into_lines(), &plugin.name, "describe");
    let described = described.map_err(|error| LoadError::Describe { role, error })?;
    described.map_err(|error| LoadError::Shape { role, reason: in_one_line(error.as_ref()) })
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
