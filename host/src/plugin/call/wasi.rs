//! WASI for guests whose toolchain imports it: there, and granting nothing.
//!
//! No files, no network, no environment, no arguments. What is printed becomes lines of the
//! plugin's log. Clocks and randomness come from the call alone, so that a call can be repeated; so
//! the randomness is no secret. Nothing in it can wait, because epochs do not interrupt the host:
//! `thread::sleep` is a trap. Where an instance is used again, its handles stay and each call has
//! its clocks and its randomness. Guests that do not import WASI never meet any of this.

mod clock;
mod output;
mod random;

use std::fmt;

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceTable};
use wasmtime_wasi::p2::bindings::sync::io::poll::HostPollable;
use wasmtime_wasi::p2::{DynPollable, subscribe};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use self::clock::{Steps, Timer, Wall};
use self::output::Output;
use self::random::Random;
use super::log::{Log, Printed};
use super::occasion::Occasion;

/// Most handles that a guest may hold.
const HANDLES_MAX: usize = 256;
/// Most random bytes at once.
const RANDOM_BYTES_MAX: u64 = 64 << 10;

/// What an instance has of WASI.
pub(in crate::plugin) struct Wasi {
    context: WasiCtx,
    table: ResourceTable,
    wall: Wall,
    steps: Steps,
    random: Random,
}

impl fmt::Debug for Wasi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wasi").finish_non_exhaustive()
    }
}

impl Wasi {
    /// What a call of the plugin with this digest has, which prints into `log`.
    pub(super) fn of(occasion: &Occasion<'_>, plugin: &str, log: &Log) -> Self {
        let (random, seed) = Random::of(occasion.seed(plugin));
        let (wall, steps) = (Wall::at(occasion.now()), Steps::default());
        let output = |printed| Output { log: log.clone(), printed };
        let mut context = WasiCtx::builder();
        context
            .stdout(output(Printed::Output))
            .stderr(output(Printed::Error))
            .wall_clock(wall.clone())
            .monotonic_clock(steps.clone())
            .insecure_random(random.insecure.clone())
            .insecure_random_seed(seed)
            .secure_random(random.secure.clone())
            .max_random_size(RANDOM_BYTES_MAX)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false);
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        Self { context: context.build(), table, wall, steps, random }
    }

    /// Gives the instance the clocks and the randomness of another call. A seed that it may have
    /// asked for once, for its tables, is the first call's.
    pub(super) fn begin_again(&mut self, occasion: &Occasion<'_>, plugin: &str) {
        self.wall.set(occasion.now());
        self.steps.restart();
        self.random.restart(occasion.seed(plugin));
    }

    /// What the WASI of the library works on.
    pub(super) fn view(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.context, table: &mut self.table }
    }
}

/// A guest asked to wait.
#[derive(Debug, thiserror::Error)]
#[error("the plugin tried to wait: a plugin may not sleep")]
pub(super) struct Waited;

/// Adds WASI to a linker.
pub(in crate::plugin) fn link<T: WasiView + AsMut<Wasi>>(
    linker: &mut Linker<T>,
) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_sync(linker)?;

    linker.allow_shadowing(true);
    let mut poll = linker.instance("wasi:io/poll@0.2.12")?;
    poll.func_wrap(
        "[method]pollable.block",
        |mut store: StoreContextMut<'_, T>, (pollable,): (Pollable,)| {
            if is_ready(&mut store, pollable)? { Ok(()) } else { Err(Waited.into()) }
        },
    )?;
    poll.func_wrap("poll", |mut store: StoreContextMut<'_, T>, (pollables,): (Vec<Pollable>,)| {
        let mut ready = Vec::new();
        for (index, pollable) in (0_u32..).zip(pollables) {
            if is_ready(&mut store, pollable)? {
                ready.push(index);
            }
        }
        if ready.is_empty() { Err(Waited.into()) } else { Ok((ready,)) }
    })?;
    // The host's timers would tell how much time passes.
    let mut clock = linker.instance("wasi:clocks/monotonic-clock@0.2.12")?;
    clock.func_wrap("subscribe-instant", |mut store: StoreContextMut<'_, T>, (due,): (u64,)| {
        Ok((timer(store.data_mut().as_mut(), |_| due)?,))
    })?;
    clock.func_wrap(
        "subscribe-duration",
        |mut store: StoreContextMut<'_, T>, (duration,): (u64,)| {
            Ok((timer(store.data_mut().as_mut(), |now| now.saturating_add(duration))?,))
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

type Pollable = Resource<DynPollable>;

fn is_ready<T: WasiView>(
    store: &mut StoreContextMut<'_, T>,
    pollable: Pollable,
) -> wasmtime::Result<bool> {
    store.data_mut().ctx().table.ready(pollable)
}

/// What is ready when the guest's clock shows what `due` makes of its present reading.
fn timer(wasi: &mut Wasi, due: impl FnOnce(u64) -> u64) -> wasmtime::Result<Pollable> {
    let due = due(wasi.steps.read());
    let timer = wasi.table.push(Timer { steps: wasi.steps.clone(), due })?;
    subscribe(&mut wasi.table, timer)
}
