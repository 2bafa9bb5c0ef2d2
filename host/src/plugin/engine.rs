//! The engine that every plugin runs on, and the clock that stops them.
//!
//! All engine options are set in one function. The compiling child process calls it too, so that
//! what it compiles fits the engine that runs it; only how instances get their memory differs.

use std::io;
use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Strategy,
};

/// How often the deadlines of running guests are looked at.
pub(super) const TICK: Duration = Duration::from_millis(5);

/// The stack that a guest may use. A thread that runs guests needs a good deal more.
const GUEST_STACK_BYTES: usize = 512 * 1024;

/// The stack of a thread that runs guests.
pub(super) const THREAD_STACK_BYTES: usize = 4 * 1024 * 1024;

/// Largest plugin file.
pub const FILE_BYTES_MAX: usize = 32 << 20;
/// Most core instances in one component: a Rust guest has 1 to 3, Python without WASI has 38.
pub(super) const INSTANCES_MAX: u32 = 64;
/// Most linear memories in one component.
pub(super) const MEMORIES_MAX: u32 = 4;
/// Most tables in one component.
pub(super) const TABLES_MAX: u32 = 16;
/// Most elements in one table.
pub(super) const TABLE_ELEMENTS_MAX: usize = 20_000;
/// Most elements in all tables of one component: interpreters have one large table, and an adapter
/// in front of them a small one.
pub(super) const ALL_TABLE_ELEMENTS_MAX: usize = 2 * TABLE_ELEMENTS_MAX;

/// An engine with room for `slots` instances at once.
///
/// Where the address space that the pool reserves cannot be had (`ulimit -v`, odd machines),
/// instances get their memory one by one, which is slower and otherwise the same.
pub(super) fn pooled(slots: u32) -> wasmtime::Result<Engine> {
    let mut config = options()?;
    let pool = InstanceAllocationStrategy::Pooling(pool(slots));
    match Engine::new(config.allocation_strategy(pool)) {
        Ok(engine) => Ok(engine),
        Err(error) => {
            tracing::warn!(%error, "failed to reserve a pool of instances; plugins run slower");
            on_demand()
        }
    }
}

/// An engine that only compiles, or that could not have a pool.
pub(super) fn on_demand() -> wasmtime::Result<Engine> {
    Engine::new(options()?.allocation_strategy(InstanceAllocationStrategy::OnDemand))
}

/// Everything that decides what a guest may be and how it is compiled, a reason each.
fn options() -> wasmtime::Result<Config> {
    let mut config = Config::new();
    config
        // Plugins are components; core modules are turned into one first.
        .wasm_component_model(true)
        // Nothing in the contract is async, and task bookkeeping makes every call slower.
        .concurrency_support(false)
        // A guest is stopped by time: a tenth slower, where fuel is up to three times.
        .epoch_interruption(true)
        // Winch has neither epochs nor lazy tables.
        .strategy(Strategy::Cranelift)
        // Compiled once, run a million times.
        .cranelift_opt_level(OptLevel::Speed)
        // While one core compiles, the others serve.
        .parallel_compilation(false)
        // A fresh instance maps its data instead of copying it.
        .memory_init_cow(true)
        .table_lazy_init(true)
        // Smaller than the threads' stacks, so that a deep guest traps instead of aborting us.
        .max_wasm_stack(GUEST_STACK_BYTES)
        // Nothing that plugins need, and less that could be wrong.
        .wasm_memory64(false)
        // The same request must parse to the same events on every machine.
        .wasm_relaxed_simd(false)
        .cranelift_nan_canonicalization(true)
        // (Un)registering unwind information is quadratic when plugins come and go.
        .native_unwind_info(false)
        // Without it a trap cannot say where it was.
        .generate_address_map(true)
        .wasm_backtrace_max_frames(NonZeroUsize::new(20));
    Ok(config)
}

/// Slots that are ready before a call asks for one. How much memory a call may have is no matter of
/// the pool, which reserves addresses and not memory.
fn pool(slots: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots * INSTANCES_MAX)
        .total_memories(slots * MEMORIES_MAX)
        .total_tables(slots * TABLES_MAX)
        // No call is async, so no guest has a stack of its own.
        .total_stacks(1)
        .total_gc_heaps(slots)
        .max_core_instances_per_component(INSTANCES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_memories_per_module(1)
        .max_tables_per_module(4)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(2 << 20)
        .max_unused_warm_slots(slots)
        // Clearing this much is cheaper than faulting it in again; a megabyte is not. It covers the
        // default stack and all that a guest starts with above it. No `pagemap_scan`: on 48 a dirty
        // page that was swapped out reaches the next instance.
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(16 << 10)
        .decommit_batch_size(1);
    pool
}

/// Starts the thread that makes deadlines pass. It ends when the engine is gone.
///
/// A thread and not a timer of the runtime: where that is starved, time would stand still for the
/// very guests that starve it.
pub(super) fn start_ticker(engine: &Engine) -> io::Result<()> {
    let engine = engine.weak();
    let ticker = thread::Builder::new().name("plugin-ticker".to_owned());
    ticker.spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    })?;
    Ok(())
}

/// The ticks after which at least `time` has passed.
pub(super) fn ticks(time: Duration) -> u64 {
    // The first tick may come at once, hence one more.
    let ticks = time.as_millis().div_ceil(TICK.as_millis()) + 1;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}
