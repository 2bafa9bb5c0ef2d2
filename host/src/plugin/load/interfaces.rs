//! Which interfaces a plugin may import and must export, and what to do where it differs.
//!
//! Knows names only; whether the types behind them fit is found out when the plugin is linked.
//! Asked twice: of a file's sections before anything is compiled, and of the component itself.

use super::error::LoadError;
use super::survey::Survey;
use crate::plugin::contract::bindings::PACKAGE;

/// Plugins of every 0.2.x fit: within it functions are only added.
const COMPATIBLE: &str = "0.2.";
const IMPORTS: [&str; 5] = ["types", "settings", "log", "outbox", "state"];
/// The packages of WASI that are there, and grant nothing.
const WASI: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];
const WASI_COMPATIBLE: &str = "0.2.";

/// What a plugin is, by its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Names {
    /// Whether it imports WASI.
    pub(super) wasi: bool,
    pub(super) provider: bool,
    pub(super) handler: bool,
}

/// Checks the names that a component imports and exports.
pub(super) fn check_names<'a>(
    imports: impl Iterator<Item = &'a String>,
    exports: impl Iterator<Item = &'a String>,
) -> Result<Names, LoadError> {
    let mut names = Names::default();
    for name in imports {
        names.wasi |= check_import(name)?;
    }
    for (interface, version) in exports.filter_map(|name| of_package(name)) {
        check_version(version)?;
        names.provider |= interface == "provider";
        names.handler |= interface == "handler";
    }
    if names.provider || names.handler { Ok(names) } else { Err(LoadError::NothingExported) }
}

/// Checks the names of a core module that is still to be turned into a component. Other names than
/// the contract's and WASI's are for the encoder to judge.
pub(super) fn check_module(survey: &Survey) -> Result<(), LoadError> {
    if survey.is_command {
        return Err(LoadError::Command);
    }
    if !survey.has_type {
        return Err(LoadError::NoSdk);
    }
    // Names in another spelling, such as `cm32p2|...`, become these when it is encoded.
    let known = |name: &&String| of_package(name).is_some() || name.starts_with("wasi:");
    for name in survey.imports.iter().filter(known) {
        check_import(name)?;
    }
    let mut any = false;
    for name in &survey.exports {
        any |= name.contains(PACKAGE);
        if let Some((_, version)) = of_package(name) {
            check_version(version)?;
        }
    }
    if any { Ok(()) } else { Err(LoadError::NothingExported) }
}

/// Whether an import that plugins are given is WASI's.
fn check_import(name: &str) -> Result<bool, LoadError> {
    let refused = |advice| Err(LoadError::Import { name: name.to_owned(), advice });
    if let Some((interface, version)) = of_package(name) {
        check_version(version)?;
        return if IMPORTS.contains(&interface) { Ok(false) } else { refused("") };
    }
    let Some(wasi) = name.strip_prefix("wasi:") else { return refused("") };
    let (package, version) = wasi.split_once('/').unwrap_or((wasi, ""));
    let version = version.split_once('@').map_or("", |(_, version)| version);
    match package {
        "http" => refused(
            ": plugins reach no network; with componentize-js, build with \
             `disableFeatures: ['http', 'fetch-event']`",
        ),
        _ if !WASI.contains(&package) => refused(
            ": of WASI the gateway provides cli, clocks, filesystem, io, random and sockets, all \
             empty",
        ),
        _ if !version.starts_with(WASI_COMPATIBLE) => refused(": build for WASI 0.2"),
        _ => Ok(true),
    }
}

/// An interface and its version, if the name is one of the contract's package.
fn of_package(name: &str) -> Option<(&str, &str)> {
    let interface = name.strip_prefix(PACKAGE)?.strip_prefix('/')?;
    Some(interface.split_once('@').unwrap_or((interface, "no version")))
}

fn check_version(version: &str) -> Result<(), LoadError> {
    if version.starts_with(COMPATIBLE) {
        Ok(())
    } else {
        Err(LoadError::Version { found: version.to_owned() })
    }
}
