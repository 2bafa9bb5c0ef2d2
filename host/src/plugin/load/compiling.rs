//! The process that decodes and compiles: how it is started, what limits it has, what it may say.
//!
//! One file a process. It is given the bytes and answers with a file of native code, or with why
//! there is none; that it is killed, crashes or hangs is an answer about the file too. Knows no
//! cache and remembers nothing.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit};
use wasmtime::Engine;

use super::error::{CompileError, LoadError, failed, in_one_line};
use super::wasm::to_component;
use crate::plugin::contract::violation::shortened;
use crate::plugin::engine::{self, FILE_BYTES_MAX};
use crate::subprocess::{self, ChildError, Ended};

/// The hidden argument under which the program compiles.
pub const COMPILE_ARGUMENT: &str = "compile-plugin";

/// How long a child may take. What a file costs is bounded by the time of the processor: this is
/// for a child that hardly gets any, because the gateway needs all of it.
const WALL_MAX: Duration = Duration::from_secs(600);
const CPU_SECONDS_MAX: u64 = 120;
const ADDRESS_SPACE_MAX: u64 = 4 << 30;
const CODE_BYTES_MAX: u64 = 1 << 30;
/// The child yields to everything that serves. Where cores are short it gets a seventieth of what
/// each of the others does; five children at a niceness of 10 would take a third of a core.
const NICENESS: i32 = 19;
/// Where memory is short, the child is what the system ends first. From 0 to 1000.
const OUT_OF_MEMORY_SCORE: &str = "1000";
/// The decoder and the compiler are recursive. Addresses, of which only what is used costs memory.
const STACK_BYTES: usize = 64 << 20;
/// The file is refused, and standard error says why.
const REFUSED: u8 = 3;
/// The compiler panicked over the file.
const PANICKED: u8 = 4;
/// Most bytes of what a child's end is told with.
const SAID_BYTES_MAX: usize = 1 << 10;

/// Compiles a plugin file to `out` in a process of its own.
pub(super) fn by_child(program: &Path, file: &[u8], out: &Path) -> Result<(), LoadError> {
    let mut command = Command::new(program);
    // Secrets may be in the environment.
    command.arg(COMPILE_ARGUMENT).arg(out).env_clear();
    match subprocess::run(&mut command, file, WALL_MAX) {
        Ok(ended) if ended.status.success() => Ok(()),
        Ok(ended) => Err(judge(&ended)),
        Err(ChildError::TooLong) => {
            Err(CompileError::TooLong { seconds: WALL_MAX.as_secs() }.into())
        }
        Err(ChildError::Io(error)) => Err(failed("run the compiling process")(error).into()),
    }
}

/// Decodes and compiles on a thread with a stack for it, where a panic ends nothing else.
pub(super) fn translate(engine: &Engine, file: &[u8]) -> Result<Vec<u8>, LoadError> {
    let work = || {
        let component = to_component(file)?;
        let native = engine.precompile_component(&component);
        Ok(native.map_err(|error| CompileError::Refused(in_one_line(error.as_ref())))?)
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, work)
            .map_err(failed("start a thread"))?;
        let panicked = |_| Err(LoadError::Broke { how: "the compiler panicked".to_owned() });
        thread.join().unwrap_or_else(panicked)
    })
}

/// What the end of a child says of the file.
fn judge(Ended { status, said }: &Ended) -> LoadError {
    let said = shortened(&said.split_whitespace().collect::<Vec<_>>().join(" "), SAID_BYTES_MAX);
    let how = if said.is_empty() { status.to_string() } else { format!("{status}: {said}") };
    match status.code() {
        Some(code) if code == i32::from(REFUSED) => LoadError::Refused(said),
        Some(code) if code == i32::from(PANICKED) => LoadError::Broke { how: said },
        Some(_) => CompileError::Child { how }.into(),
        None if is_used_up(*status) => CompileError::TooLong { seconds: CPU_SECONDS_MAX }.into(),
        None if is_sent(*status) => CompileError::Child { how }.into(),
        None => LoadError::Broke { how },
    }
}

/// Ended by the limit of processor time.
fn is_used_up(status: ExitStatus) -> bool {
    status.signal() == Some(rustix::process::Signal::XCPU.as_raw())
}

/// Ended from outside, by an operator or by the system, and not by the file.
fn is_sent(status: ExitStatus) -> bool {
    use rustix::process::Signal;
    let sent = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::KILL, Signal::TERM, Signal::PIPE];
    sent.iter().any(|signal| status.signal() == Some(signal.as_raw()))
}

/// What the program does when its first argument is [`COMPILE_ARGUMENT`]: compiles the plugin file
/// on its standard input to the file `out`, within limits that it sets itself, and says on standard
/// error why if it can't. Gives the exit code.
pub fn compile_child(out: &Path) -> ExitCode {
    match compile_stdin(out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = match &error {
                LoadError::Compile(CompileError::Io { .. }) => 1,
                LoadError::Broke { .. } => PANICKED,
                _ => REFUSED,
            };
            if code != PANICKED {
                // A panic has spoken for itself.
                eprintln!("{}", in_one_line(&error));
            }
            ExitCode::from(code)
        }
    }
}

fn compile_stdin(out: &Path) -> Result<(), LoadError> {
    limit_myself().map_err(|error| failed("limit the compiling process")(error.into()))?;
    let mut file = Vec::new();
    // One byte more than is allowed, so that a larger file is known as such.
    let most = FILE_BYTES_MAX as u64 + 1;
    io::stdin().take(most).read_to_end(&mut file).map_err(failed("read the file"))?;
    let engine =
        engine::on_demand().map_err(|error| CompileError::Refused(in_one_line(error.as_ref())))?;
    let native = translate(&engine, &file)?;
    Ok(write_synced(out, &native).map_err(failed("write compiled code"))?)
}

pub(super) fn write_synced(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(file)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn limit_myself() -> rustix::io::Result<()> {
    lower(Resource::As, [ADDRESS_SPACE_MAX; 2])?;
    lower(Resource::Core, [0; 2])?;
    lower(Resource::Fsize, [CODE_BYTES_MAX; 2])?;
    // A little more before the end that can't be told from being killed.
    lower(Resource::Cpu, [CPU_SECONDS_MAX, CPU_SECONDS_MAX + 5])?;
    #[cfg(target_os = "linux")]
    {
        // Nobody waits for it once its gateway is gone.
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        if let Err(error) = std::fs::write("/proc/self/oom_score_adj", OUT_OF_MEMORY_SCORE) {
            tracing::debug!(%error, "failed to raise this process's out-of-memory score");
        }
    }
    rustix::process::nice(NICENESS).map(drop)
}

/// Lowers the soft and the hard limit to these. A hard one that is lower already stays, because
/// the system lets nobody raise it.
fn lower(resource: Resource, limits: [u64; 2]) -> rustix::io::Result<()> {
    let most = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let [current, maximum] = limits.map(|limit| Some(limit.min(most)));
    rustix::process::setrlimit(resource, Rlimit { current, maximum })
}
