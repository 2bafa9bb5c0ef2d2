//! From the bytes of a plugin file to a [`Plugin`] that can be called.
//!
//! Everything that can be known before the first event is found out here: what the file is, what
//! it imports and exports, that it links, and what it says of itself. A file that fails any of it
//! changes nothing; which plugin runs is the registry's business.
//!
//! The room has what that takes: recognizing and surveying a file, compiling it in a process of its
//! own, the cache of compiled code, and why a file is refused. It calls a plugin only to ask what
//! it is.

mod about;
mod cache;
mod compile;
mod compiling;
mod error;
mod interfaces;
mod survey;
mod wasm;

use std::sync::Arc;
use std::thread;

use sha2::{Digest, Sha256};
use wasmtime::Store;
use wasmtime::component::{Component, Instance};

pub use self::about::{About, AboutTooLarge, Sample};
pub(super) use self::compile::Compile;
pub use self::compile::Compiler;
pub use self::compiling::{COMPILE_ARGUMENT, compile_child};
use self::error::in_one_line;
pub use self::error::{CompileError, LoadError};
use self::interfaces::{Names, check_names};
pub use self::wasm::Kind;
use self::wasm::{Layer, recognize};
use super::call::{Context, Handler, Occasion, Provider, enter, tell};
use super::contract::convert;
use super::engine::{MEMORIES_MAX, THREAD_STACK_BYTES};
use super::stack::Stack;
use super::{Completed, HandlerInfo, Parts, Plugin, Role, Used};
use crate::ids::Name;
use crate::lock::lock;
use crate::provider::ProviderInfo;

const WASM_PAGE_BYTES: u64 = 64 << 10;

/// Loads the plugin `name` from the bytes of its file.
pub(super) fn load(host: &Parts, name: Name, file: &[u8]) -> Result<Plugin, LoadError> {
    let layer = recognize(file)?;
    let component = host.compile.file(&host.engine, file)?;
    on_a_stack_for_guests(|| {
        let (mut plugin, known) = link(host, name, file, layer, &component)?;
        let _turn = lock(&host.describing);
        if known.provider {
            plugin.provider = Some(describe_provider(host, &plugin)?);
        }
        if known.handler {
            plugin.handler = Some(describe_handler(host, &plugin)?);
        }
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
) -> Result<(Plugin, Names), LoadError> {
    let imports = names(component.component_type().imports(&host.engine));
    let exports = names(component.component_type().exports(&host.engine));
    let known = check_names(imports.iter(), exports.iter())?;
    check_resources(component, host.bounds(&name).memory)?;
    let linker = if known.wasi { &host.linker_with_wasi } else { &host.linker };
    let linked = linker.instantiate_pre(component);
    let pre = linked.map_err(|error| LoadError::Link(in_one_line(error.as_ref())))?;
    // It only saves the first call some work.
    drop(component.initialize_copy_on_write_image());
    let about = About::of_file(file);
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
        completed: Completed::default(),
        used: Used::default(),
        warm: host.resting.of_a_plugin(),
        wasi: known.wasi,
        stack: if layer == Layer::Module { Stack::of_module(file) } else { None },
        events: about.events,
        descriptions: about.descriptions,
        samples: about.samples.into_keys().collect(),
        sdk: about.sdk,
        signed_by: None,
    };
    Ok((plugin, known))
}

fn names<'a, T>(items: impl Iterator<Item = (&'a str, T)>) -> Vec<String> {
    items.map(|(name, _)| name.to_owned()).collect()
}

fn check_resources(component: &Component, limit: usize) -> Result<(), LoadError> {
    let needed = component.resources_required().ok_or(LoadError::ImportsModules)?;
    let pages = needed.max_initial_memory_size.unwrap_or(0);
    let bytes = pages.saturating_mul(WASM_PAGE_BYTES);
    let memories = needed.num_memories;
    if bytes > limit as u64 || memories > MEMORIES_MAX {
        return Err(LoadError::Memory { bytes, memories, limit });
    }
    Ok(())
}

fn describe_provider(host: &Parts, plugin: &Plugin) -> Result<(ProviderInfo, Provider), LoadError> {
    let role = Role::Provider;
    let (info, functions) = describe(host, plugin, role, |store, instance| {
        let functions = match Provider::find(store, instance) {
            Ok(functions) => functions,
            Err(error) => return Ok(Err(error)),
        };
        let (info,) = functions.describe.call(store, instance, ())?;
        Ok(Ok((info, functions)))
    })?;
    let info = convert::provider_info(info);
    Ok((info.map_err(|violation| LoadError::Description { role, violation })?, functions))
}

fn describe_handler(host: &Parts, plugin: &Plugin) -> Result<(HandlerInfo, Handler), LoadError> {
    let role = Role::Handler;
    let (info, functions) = describe(host, plugin, role, |store, instance| {
        let functions = match Handler::find(store, instance) {
            Ok(functions) => functions,
            Err(error) => return Ok(Err(error)),
        };
        let (info,) = functions.describe.call(store, instance, ())?;
        Ok(Ok((info, functions)))
    })?;
    let info = convert::handler_info(info);
    Ok((info.map_err(|violation| LoadError::Description { role, violation })?, functions))
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
    let bounds = host.bounds(&plugin.name);
    let context = Context::new(Arc::from("{}"), &bounds);
    let occasion = Occasion::Plugin("describe");
    let deadline = bounds.deadlines.check;
    let (described, left) = enter(plugin, context, &occasion, deadline, ask);
    tell(left.log, &plugin.name, "describe");
    let described = described.map_err(|error| LoadError::Describe { role, error })?;
    described.map_err(|error| LoadError::Shape { role, reason: in_one_line(error.as_ref()) })
}

/// Runs guests on a thread of their own, whatever stack and runtime the caller has.
fn on_a_stack_for_guests<T: Send>(
    work: impl FnOnce() -> Result<T, LoadError> + Send,
) -> Result<T, LoadError> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .stack_size(THREAD_STACK_BYTES)
            .spawn_scoped(scope, work)
            .map_err(LoadError::Thread)?;
        thread.join().unwrap_or(Err(LoadError::Panicked))
    })
}
