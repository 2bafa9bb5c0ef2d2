//! Plugins: the one door to WebAssembly.
//!
//! A [`Host`] loads the bytes of a plugin file into a [`Plugin`] and calls it, on threads of its
//! own, within a deadline and a memory limit, and in an instance that no call about another request
//! was made in unless the operator lets it be used again. A [`Registry`] knows which plugins there
//! are, a [`Folder`] finds them. Plugins only ask: nothing here touches the store, the network or a
//! secret.
//!
//! Four rooms, each of which knows only those before it: `contract` (what is said), `call` (saying
//! it, in a sandbox), `load` (from a file to a plugin), `folder` (which plugins there are).

mod call;
mod contract;
mod engine;
mod folder;
mod load;
mod rules;
mod stack;
mod used;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::thread::available_parallelism;
use std::time::Duration;

use arc_swap::ArcSwap;
use wasmtime::Engine;
use wasmtime::component::{HasSelf, InstancePre, Linker};

pub use self::call::{
    CallError, Called, Doors, EFFECTS_MAX, EndpointFinder, Grant, Here, Spent, StateReader,
    Tenanting, guest_thread, tell,
};
use self::call::{
    Completed, Context, Pool, Resting, Shape, WARM_MAX, Warm, all_threads, link_wasi,
};
pub(crate) use self::call::{Kept, Tell};
use self::contract::bindings;
pub use self::contract::convert::{EVENTS_MAX, PROOF_LABEL, YIELD_BYTES_MAX};
pub use self::contract::handler::{HandleContext, HandlerInfo, StateRule};
pub use self::contract::violation::Violation;
pub use self::engine::FILE_BYTES_MAX;
pub(crate) use self::folder::Remembered;
pub use self::folder::{
    Folder, Job, Look, MoveError, NEXT, Registry, Reloaded, Wish, name_of, signer_of,
};
use self::load::Compile;
pub use self::load::{
    About, AboutTooLarge, COMPILE_ARGUMENT, CompileError, Compiler, Kind, LoadError, Sample,
    compile_child,
};
use self::rules::Bounds;
pub use self::rules::{AllRules, PluginRules};
pub(crate) use self::stack::{InvalidStack, Stack};
use self::used::Used;
pub use self::used::{CallUsage, Most, TIMES, Usage};
use crate::ids::Name;
use crate::minisign::PublicKey;
use crate::provider::ProviderInfo;
use crate::setting::Setting;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How plugins are run.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder for compiled code; it is made private. Without one, every start compiles anew.
    pub cache: Option<PathBuf>,
    /// Who compiles.
    pub compiler: Compiler,
    /// How many threads run guests, at least one of each kind.
    pub threads: Threads,
    /// How many calls of each kind may wait for a thread, over all sources or handlers.
    pub queue: usize,
    /// How long each kind of call may take.
    pub deadlines: Deadlines,
    /// Most bytes of memory for one instance.
    pub memory_max: usize,
}

/// How many threads run guests. No kind of call takes the threads of another, and of one kind no
/// source or handler takes all. As many again stand by for when these are held by calls that run
/// long, and half as many are for the sources and handlers that are slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threads {
    /// For claims, which a payment gateway waits for.
    pub claims: usize,
    /// For parsing, checking settings, and signing.
    pub parse: usize,
    /// For handlers.
    pub run: usize,
}

impl Threads {
    /// Fewer of a kind would leave none when one is taken.
    pub const LEAST: usize = 2;
    /// More of a kind would only take address space: guests compute and never wait.
    pub const MOST: usize = 256;

    /// As fit this machine: a quick source or handler can use every core, and one thread is left.
    ///
    /// More threads than cores cost little, for the system takes turns with them; fewer would leave
    /// a core idle, or no thread for the neighbours of one that computes for long.
    pub fn of_this_machine() -> Self {
        let cores = available_parallelism()
            .map_or(Self::LEAST, NonZero::get)
            .clamp(Self::LEAST, Self::MOST - 2);
        Self { claims: cores + 1, parse: cores + 1, run: cores + 2 }
    }
}

/// How long a call may take, making the instance included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// For claims.
    pub claims: Duration,
    /// For an early parse: what its thread computes; it takes three quarters of the time for claims
    /// at most, whatever it waits for.
    pub early: Duration,
    /// For parsing.
    pub parse: Duration,
    /// For handling.
    pub handle: Duration,
    /// For `describe` and `check`.
    pub check: Duration,
}

impl Default for Deadlines {
    /// The usual ones.
    fn default() -> Self {
        let milliseconds = Duration::from_millis;
        Self {
            claims: milliseconds(100),
            early: milliseconds(5),
            parse: milliseconds(1_000),
            handle: milliseconds(1_000),
            check: milliseconds(250),
        }
    }
}

impl Config {
    /// The usual numbers.
    pub fn new(compiler: Compiler, cache: Option<PathBuf>) -> Self {
        Self {
            cache,
            compiler,
            threads: Threads::of_this_machine(),
            queue: 1024,
            deadlines: Deadlines::default(),
            memory_max: 32 << 20,
        }
    }
}

/// Instances that exist outside of the pools: of the one plugin that describes itself, of two
/// threads that run again what is stored, and those that rest between two calls.
const SPARE_SLOTS: u32 = 1 + 2 + WARM_MAX;

/// Why there is no [`Host`].
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The engine could not be set up.
    #[error("failed to set up the WebAssembly engine: {0}")]
    Engine(#[source] BoxError),
    /// The folder for compiled code cannot be used.
    #[error("failed to make the folder for compiled code private: {0}")]
    Cache(#[source] io::Error),
    /// A thread could not be had.
    #[error("failed to start a thread for plugins: {0}")]
    Thread(#[source] io::Error),
}

/// What loads and calls plugins. Cheap to clone; the threads end with the last clone. Its calls
/// alone are cut off once somebody says so.
#[derive(Clone)]
pub struct Host(Arc<Parts>, Option<Arc<AtomicBool>>);

/// What a [`Host`] is made of.
struct Parts {
    config: Config,
    /// Of the configuration, what may change meanwhile.
    deadlines: ArcSwap<Deadlines>,
    /// What single plugins may use.
    rules: ArcSwap<AllRules>,
    engine: Engine,
    /// For plugins that import only the contract.
    linker: Linker<Context>,
    linker_with_wasi: Linker<Context>,
    compile: Compile,
    /// One plugin at a time describes itself, so that loading takes no instance from the pools.
    describing: Mutex<()>,
    /// The instances of all plugins that rest between two calls.
    resting: Resting,
    pools: Pools,
}

struct Pools {
    claims: Pool,
    parse: Pool,
    run: Pool,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("config", &self.0.config).finish_non_exhaustive()
    }
}

impl Host {
    /// Sets up the engine and starts the threads.
    pub fn new(config: Config) -> Result<Self, StartError> {
        let engine_error = |error: wasmtime::Error| StartError::Engine(error.into());
        let Threads { claims, parse, run } = config.threads;
        let threads: usize = [claims, parse, run].into_iter().map(all_threads).sum();
        let slots = u32::try_from(threads).unwrap_or(u32::MAX).saturating_add(SPARE_SLOTS);
        let engine = engine::pooled(slots).map_err(engine_error)?;
        engine::start_ticker(&engine).map_err(StartError::Thread)?;

        let mut linker = Linker::new(&engine);
        bindings::Plugin::add_to_linker::<Context, HasSelf<Context>>(&mut linker, |context| {
            context
        })
        .map_err(engine_error)?;
        let mut linker_with_wasi = linker.clone();
        link_wasi(&mut linker_with_wasi).map_err(engine_error)?;

        let compile = Compile::new(config.compiler.clone(), config.cache.clone())
            .map_err(StartError::Cache)?;
        let pool = |name, threads, slow| {
            let shape = Shape { threads, queue: config.queue, slow };
            Pool::start(name, shape).map_err(StartError::Thread)
        };
        let Deadlines { claims: claims_deadline, parse: parse_deadline, handle, .. } =
            config.deadlines;
        let pools = Pools {
            // Stricter than the others: anybody may post, and everybody waits for the answer.
            claims: pool("plugin-claims", claims, claims_deadline / 20)?,
            parse: pool("plugin-parse", parse, parse_deadline / 4)?,
            run: pool("plugin-run", run, handle / 4)?,
        };
        let parts = Parts {
            deadlines: ArcSwap::from_pointee(config.deadlines),
            rules: ArcSwap::default(),
            config,
            engine,
            linker,
            linker_with_wasi,
            compile,
            describing: Mutex::default(),
            resting: Resting::default(),
            pools,
        };
        Ok(Self(Arc::new(parts), None))
    }

    /// The same host, whose calls alone are cut off as soon as this is set, as if their deadline
    /// had passed. No other call is.
    pub(crate) fn until(&self, is_over: &Arc<AtomicBool>) -> Self {
        Self(Arc::clone(&self.0), Some(Arc::clone(is_over)))
    }

    /// How many threads there are.
    pub fn threads(&self) -> Threads {
        self.0.config.threads
    }

    /// Whether it is known what becomes of this file, so that loading it takes no compiler.
    pub fn knows(&self, file: &[u8]) -> bool {
        self.0.compile.knows(&self.0.engine, file)
    }

    /// Loads a plugin from the bytes of its file. Blocks while it compiles, for minutes perhaps.
    pub fn load(&self, name: Name, file: &[u8]) -> Result<Arc<Plugin>, LoadError> {
        self.load_signed(name, file, None)
    }

    /// The same of a file that this key has signed, which is not verified here.
    pub fn load_signed(
        &self,
        name: Name,
        file: &[u8],
        signed_by: Option<PublicKey>,
    ) -> Result<Arc<Plugin>, LoadError> {
        let load = AssertUnwindSafe(|| load::load(&self.0, name, file));
        let plugin = catch_unwind(load).unwrap_or(Err(LoadError::Panicked))?;
        Ok(Arc::new(Plugin { signed_by, ..plugin }))
    }

    /// Gives the calls that begin from now on this much time, where the rules of a plugin say
    /// nothing else.
    pub fn set_deadlines(&self, deadlines: Deadlines) {
        self.0.deadlines.store(Arc::new(deadlines));
    }
}

/// What a plugin can be called as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It reads a provider's requests.
    Provider,
    /// It handles events.
    Handler,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Provider => "provider",
            Self::Handler => "handler",
        })
    }
}

/// A plugin that is ready to be called.
pub struct Plugin {
    name: Name,
    digest: String,
    size: usize,
    kind: Kind,
    imports: Vec<String>,
    exports: Vec<String>,
    provider: Option<(ProviderInfo, call::Provider)>,
    handler: Option<(HandlerInfo, call::Handler)>,
    pre: InstancePre<Context>,
    completed: Completed,
    used: Used,
    /// Its instances that rest between two calls.
    warm: Warm,
    wasi: bool,
    /// As far as its file tells.
    stack: Option<Stack>,
    /// An event of each type that its file has an example of.
    events: BTreeMap<String, serde_json::Value>,
    /// What its file says that events of a type are.
    descriptions: BTreeMap<String, String>,
    /// The names of the samples in its file.
    samples: Vec<String>,
    /// The version of the SDK that it was built with; empty if its file says nothing of it.
    sdk: String,
    /// Whose signature of its file was verified, if one had to be.
    signed_by: Option<PublicKey>,
}

impl Plugin {
    /// The name that its file gives it.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The SHA-256 of its file, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The size of its file in bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// What kind of file it came in.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What it says of itself as a provider, if it is one.
    pub fn provider(&self) -> Option<&ProviderInfo> {
        self.provider.as_ref().map(|(info, _)| info)
    }

    /// What it says of itself as a handler, if it is one.
    pub fn handler(&self) -> Option<&HandlerInfo> {
        self.handler.as_ref().map(|(info, _)| info)
    }

    /// The settings that it reads in this role.
    pub fn settings(&self, role: Role) -> &[Setting] {
        match role {
            Role::Provider => self.provider().map_or(&[], |info| info.settings.as_slice()),
            Role::Handler => self.handler().map_or(&[], |info| info.settings.as_slice()),
        }
    }

    /// An event of each type that its file has one of, by the type; null if it is too long.
    pub fn events(&self) -> &BTreeMap<String, serde_json::Value> {
        &self.events
    }

    /// What events of a type are, in the words of its file, by the type.
    pub fn descriptions(&self) -> &BTreeMap<String, String> {
        &self.descriptions
    }

    /// The names of the samples in its file, in order.
    pub fn samples(&self) -> &[String] {
        &self.samples
    }

    /// The version of the SDK that it was built with, if its file says so.
    pub fn sdk(&self) -> Option<&str> {
        (!self.sdk.is_empty()).then_some(self.sdk.as_str())
    }

    /// The key whose signature of its file was verified, if one had to be.
    pub fn signed_by(&self) -> Option<&PublicKey> {
        self.signed_by.as_ref()
    }

    /// Whether it may run where these keys are trusted: any plugin may if there are none.
    pub fn is_trusted_by(&self, keys: &[PublicKey]) -> bool {
        keys.is_empty() || self.signed_by.is_some_and(|key| keys.contains(&key))
    }

    /// The names of the interfaces that it imports.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    /// The names of the interfaces that it exports.
    pub fn exports(&self) -> &[String] {
        &self.exports
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("name", &self.name)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
