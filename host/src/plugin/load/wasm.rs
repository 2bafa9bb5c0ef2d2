//! From the bytes of a plugin file to a component.
//!
//! Three kinds of file are taken: a component, a core module built with the SDK, and one that also
//! imports WASI preview 1. Everything is validated whole, so that half a file is refused. Only
//! [`recognize`] is for the gateway's own process: what decodes can be made to recurse or to panic
//! by the bytes, so it belongs into the compiling one. Never takes native code: that would run
//! outside of every sandbox.

use std::borrow::Cow;
use std::fmt;

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::{Parser, Validator, WasmFeatures};
use wasmtime::Engine;
use wit_component::ComponentEncoder;

use super::error::{LoadError, in_one_line};
use super::interfaces::{check_module, check_names};
use super::survey::Survey;
use crate::plugin::engine::FILE_BYTES_MAX;

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

/// What the first bytes of a file say that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    Component,
    Module,
}

/// Looks at the size and the first bytes of a file, and at nothing else.
pub(super) fn recognize(file: &[u8]) -> Result<Layer, LoadError> {
    if file.len() > FILE_BYTES_MAX {
        return Err(LoadError::Size);
    }
    if file.starts_with(b"\x7fELF") || Engine::detect_precompiled(file).is_some() {
        return Err(LoadError::NativeCode);
    }
    if Parser::is_component(file) {
        return Ok(Layer::Component);
    }
    if Parser::is_core_wasm(file) {
        return Ok(Layer::Module);
    }
    if file.trim_ascii_start().starts_with(b"(") {
        return Err(LoadError::Text);
    }
    Err(LoadError::NotWasm)
}

/// Turns a file into a component, whichever kind it is. What costs least is looked at first.
pub(super) fn to_component(file: &[u8]) -> Result<Cow<'_, [u8]>, LoadError> {
    let layer = recognize(file)?;
    let survey = Survey::of(file).map_err(LoadError::Invalid)?;
    match layer {
        Layer::Component => {
            check_names(survey.imports.iter(), survey.exports.iter())?;
            validate(file)?;
            Ok(Cow::Borrowed(file))
        }
        Layer::Module => {
            check_module(&survey)?;
            validate(file)?;
            Ok(Cow::Owned(encode(&survey, file)?))
        }
    }
}

fn validate(file: &[u8]) -> Result<(), LoadError> {
    let features = WasmFeatures::default().difference(WasmFeatures::CM_ASYNC);
    let mut validator = Validator::new_with_features(features);
    validator.validate_all(file).map(drop).map_err(|error| {
        if error.message().contains("component model async") {
            LoadError::Async { reason: error.to_string() }
        } else {
            LoadError::Invalid(error)
        }
    })
}

fn encode(survey: &Survey, module: &[u8]) -> Result<Vec<u8>, LoadError> {
    let mut encoder = ComponentEncoder::default();
    let mut encode = || {
        encoder.validate(true).module(module)?;
        if survey.imports.contains(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME) {
            let adapter = WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER;
            encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter)?;
        }
        encoder.encode()
    };
    encode().map_err(|error| LoadError::Encode(in_one_line(error.as_ref())))
}
