//! From the bytes of a plugin file to a component.
//!
//! Three kinds of file are taken: a component, a core module built with the SDK, and one that also
//! imports WASI preview 1. Everything is validated whole, so that half a file is refused. Never
//! takes native code: that would run outside of every sandbox.

use std::borrow::Cow;
use std::fmt;

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::{Parser, Payload, Validator, WasmFeatures};
use wasmtime::Engine;
use wit_component::ComponentEncoder;

use super::load::LoadError;

/// Largest plugin file.
pub const FILE_BYTES_MAX: usize = 32 << 20;

/// What kind of file a plugin came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A component.
    Component,
    /// A core module, without WASI.
    Module,
    /// A core module for WASI preview 1.
    ModuleWithWasi,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Component => "component",
            Self::Module => "core module",
            Self::ModuleWithWasi => "core module for WASI preview 1",
        })
    }
}

/// Turns a file into a component, whichever kind it is.
pub(super) fn to_component(file: &[u8]) -> Result<(Kind, Cow<'_, [u8]>), LoadError> {
    if file.len() > FILE_BYTES_MAX {
        return Err(LoadError::Size { bytes: file.len() });
    }
    if file.starts_with(b"\x7fELF") || Engine::detect_precompiled(file).is_some() {
        return Err(LoadError::NativeCode);
    }
    if Parser::is_component(file) {
        validate(file)?;
        return Ok((Kind::Component, Cow::Borrowed(file)));
    }
    if Parser::is_core_wasm(file) {
        validate(file)?;
        let kind = module_kind(file)?;
        return Ok((kind, Cow::Owned(encode(kind, file)?)));
    }
    if file.trim_ascii_start().starts_with(b"(") {
        return Err(LoadError::Text);
    }
    Err(LoadError::NotWasm)
}

fn validate(file: &[u8]) -> Result<(), LoadError> {
    let mut validator = Validator::new_with_features(WasmFeatures::default());
    validator.validate_all(file).map(drop).map_err(|source| LoadError::Invalid { source })
}

/// What a core module imports and whether the SDK had a part in it.
fn module_kind(file: &[u8]) -> Result<Kind, LoadError> {
    let invalid = |source| LoadError::Invalid { source };
    let mut kind = Kind::Module;
    let (mut has_type, mut is_command) = (false, false);
    for payload in Parser::new(0).parse_all(file) {
        match payload.map_err(invalid)? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    if import.map_err(invalid)?.module == WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME {
                        kind = Kind::ModuleWithWasi;
                    }
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    is_command |= export.map_err(invalid)?.name == "_start";
                }
            }
            Payload::CustomSection(section) => {
                has_type |= section.name().starts_with("component-type");
            }
            _ => (),
        }
    }
    match (is_command, has_type) {
        (true, _) => Err(LoadError::Command),
        (false, false) => Err(LoadError::NoSdk),
        (false, true) => Ok(kind),
    }
}

fn encode(kind: Kind, module: &[u8]) -> Result<Vec<u8>, LoadError> {
    let mut encoder = ComponentEncoder::default();
    let mut encode = || {
        encoder.validate(true).module(module)?;
        if kind == Kind::ModuleWithWasi {
            let adapter = WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER;
            encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter)?;
        }
        encoder.encode()
    };
    encode().map_err(|error| LoadError::Encode { source: error.into() })
}
