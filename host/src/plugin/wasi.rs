//! WASI for guests whose toolchain imports it: there, and granting nothing.
//!
//! No files, no network, no environment, no arguments; what is printed goes nowhere. Nothing in it
//! can wait, because epochs do not interrupt the host: `thread::sleep` is a trap. Guests that do
//! not import WASI never meet any of this.

use std::fmt;

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceTable};
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::sync::io::poll::HostPollable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::context::Context;

/// Most handles that a guest may hold.
const HANDLES_MAX: usize = 256;
/// Most random bytes in one call.
const RANDOM_BYTES_MAX: u64 = 64 << 10;

/// What one call has of WASI.
pub(super) struct Wasi {
    context: WasiCtx,
    table: ResourceTable,
}

impl fmt::Debug for Wasi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wasi").finish_non_exhaustive()
    }
}

impl Wasi {
    /// WASI without anything in it.
    pub(super) fn empty() -> Self {
        let mut context = WasiCtx::builder();
        context
            .max_random_size(RANDOM_BYTES_MAX)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false);
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        Self { context: context.build(), table }
    }
}

impl WasiView for Context {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi.as_mut().expect("a guest that imports WASI is called with it");
        WasiCtxView { ctx: &mut wasi.context, table: &mut wasi.table }
    }
}

/// A guest asked to wait.
#[derive(Debug, thiserror::Error)]
#[error("the plugin tried to wait: a plugin may not sleep")]
pub(super) struct Waited;

/// Adds WASI to a linker.
pub(super) fn link(linker: &mut Linker<Context>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_sync(linker)?;

    linker.allow_shadowing(true);
    let mut poll = linker.instance("wasi:io/poll@0.2.12")?;
    poll.func_wrap("[method]pollable.block", |mut store, (pollable,): (Pollable,)| {
        if is_ready(&mut store, pollable)? { Ok(()) } else { Err(Waited.into()) }
    })?;
    poll.func_wrap("poll", |mut store, (pollables,): (Vec<Pollable>,)| {
        let mut ready = Vec::new();
        for (index, pollable) in (0_u32..).zip(pollables) {
            if is_ready(&mut store, pollable)? {
                ready.push(index);
            }
        }
        if ready.is_empty() { Err(Waited.into()) } else { Ok((ready,)) }
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

type Pollable = Resource<DynPollable>;

fn is_ready(
    store: &mut StoreContextMut<'_, Context>,
    pollable: Pollable,
) -> wasmtime::Result<bool> {
    store.data_mut().ctx().table.ready(pollable)
}
