//! Why a file is not a plugin that can be called.
//!
//! What a refused file is answered with, by whichever step refused it: reading, decoding,
//! compiling, linking, describing. The texts say everything and quote nothing but names. Never
//! looks at a file.

use std::error::Error;
use std::io;

use crate::causes;
use crate::ids::InvalidName;
use crate::minisign::SignatureError;
use crate::plugin::Role;
use crate::plugin::call::CallError;
use crate::plugin::contract::bindings::{PACKAGE, VERSION};
use crate::plugin::contract::violation::Violation;
use crate::plugin::engine::{FILE_BYTES_MAX, MEMORIES_MAX};
use crate::regular_file::ReadError;

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
    #[error("the file changed while the gateway read it")]
    Changing,
    /// The file is a link to somewhere else.
    #[error("the file is a link to a place outside of the plugins folder")]
    Outside,
    /// There is no signature, and the operator trusts only what is signed.
    #[error(
        "the file is not signed, and the configuration has `trusted_keys`: put the signature \
         beside it as NAME.wasm.minisig (`hookgate plugin sign`, or minisign)"
    )]
    Unsigned,
    /// The signature is not that of this file, or of nobody whom the operator trusts.
    #[error("the file's signature does not hold: {0}")]
    Signature(SignatureError),
    /// The signature could not be read.
    #[error("failed to read the file's signature: {0}")]
    SignatureFile(io::Error),
    /// The file's name cannot be a plugin's.
    #[error("the file's name is not that of a plugin: {0}")]
    Name(InvalidName),
    /// The file is too large.
    #[error("the file has more than {FILE_BYTES_MAX} bytes")]
    Size,
    /// The file is machine code.
    #[error("the file is native code, which the gateway never loads: give the WebAssembly file")]
    NativeCode,
    /// The file is WebAssembly as text.
    #[error("the file is WebAssembly text: give the binary")]
    Text,
    /// The file is something else.
    #[error("the file is not WebAssembly")]
    NotWasm,
    /// The file is broken, or half of it is missing.
    #[error("the file is not valid WebAssembly, or a part of the file is missing: {0}")]
    Invalid(wasmparser::BinaryReaderError),
    /// Its types are of a kind that a synchronous host has not.
    #[error(
        "the plugin uses asynchronous component types, which the gateway does not support: build \
         the plugin without them (jco: `--backend-qjs-disable-async`): {reason}"
    )]
    Async {
        /// Which, and where.
        reason: String,
    },
    /// A core module without the contract's types in it.
    #[error("the module has no component type: build it with the Hookgate SDK")]
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
        "the file crashed the process that compiles it; the gateway tries again once the file or \
         Hookgate has changed ({how})"
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
        "the plugin is built for {PACKAGE}@{found}, and this gateway supports \
         {PACKAGE}@{VERSION}: build the plugin again with the SDK of this gateway's version"
    )]
    Version {
        /// The version that it is built for.
        found: String,
    },
    /// It wants something that no plugin gets.
    #[error("the plugin imports `{name}`, which the gateway does not provide{advice}")]
    Import {
        /// What it wants.
        name: String,
        /// What to do about it, behind a colon; empty if nothing is known.
        advice: &'static str,
    },
    /// It imports core modules, so that what it needs cannot be told.
    #[error("the plugin imports core modules, which the gateway does not provide")]
    ImportsModules,
    /// It starts larger than it may get.
    #[error(
        "the plugin starts with {bytes} bytes of memory in {memories} memories; the limits are \
         {limit} bytes and {MEMORIES_MAX} memories"
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
    #[error("the plugin's imports do not match the contract: {0}")]
    Link(String),
    /// It exports nothing that can be called.
    #[error(
        "the plugin exports neither {PACKAGE}/provider nor {PACKAGE}/handler: with the Rust SDK, \
         `hookgate_sdk::export!` exports them"
    )]
    NothingExported,
    /// It exports the right name with other types.
    #[error("the plugin's {role} does not match the contract: {reason}")]
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
    #[error("the gateway panicked while it loaded the plugin")]
    Panicked,
    /// It did not say what it is.
    #[error("the {role} failed to describe itself: {error}")]
    Describe {
        /// Which export.
        role: Role,
        /// What happened instead.
        error: CallError,
    },
    /// It said of itself what the contract does not allow.
    #[error("the {role}'s description breaks the contract: {violation}")]
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
    /// The same error of reading a file, said of the signature beside it.
    pub(in crate::plugin) fn into_signature(self) -> Self {
        match self {
            Self::Read(error) => Self::SignatureFile(error),
            Self::NotRegular(_) | Self::Size => Self::Signature(SignatureError::Malformed),
            other => other,
        }
    }

    /// Whether the same file may load at another time.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Read(_)
            | Self::SignatureFile(_)
            | Self::Changing
            | Self::Thread(_)
            | Self::Panicked => true,
            Self::Compile(error) => !matches!(error, CompileError::Refused(_)),
            Self::Describe { error, .. } => {
                matches!(error, CallError::Deadline { .. } | CallError::Busy | CallError::Host(_))
            }
            _ => false,
        }
    }
}

/// Why there is no compiled code, for a reason that is not the file's.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The compiler refused the component.
    #[error("the compiler rejected the component: {0}")]
    Refused(String),
    /// The child failed at something else than the file.
    #[error("the compiling process failed ({how})")]
    Child {
        /// How it ended, and what it said.
        how: String,
    },
    /// The child was killed.
    #[error("compiling took longer than {seconds} s")]
    TooLong {
        /// How long it may take.
        seconds: u64,
    },
    /// A file or process could not be had.
    #[error("failed to {attempt}: {error}")]
    Io {
        /// What was attempted.
        attempt: &'static str,
        /// Why it failed.
        error: io::Error,
    },
}

pub(super) fn failed(attempt: &'static str) -> impl FnOnce(io::Error) -> CompileError {
    move |error| CompileError::Io { attempt, error }
}

/// An error and its causes in one line, even if a cause has several.
pub(super) fn in_one_line(error: &(dyn Error + 'static)) -> String {
    causes::chain(error).split_whitespace().collect::<Vec<_>>().join(" ")
}
