//! The limits of the system that the program sets for itself.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use crate::harness::{Process, Setup, program};

/// What the system says of a running process in this file.
fn about(process: u32, file: &str) -> String {
    std::fs::read_to_string(format!("/proc/{process}/{file}")).expect("it runs, and is ours")
}

/// The soft limit of this name and the hard one.
fn limits(process: u32, name: &str) -> [String; 2] {
    let text = about(process, "limits");
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let mut limits = line.expect("there is this limit").split_whitespace().map(str::to_owned);
    [limits.next(), limits.next()].map(Option::unwrap_or_default)
}

/// The same command, which begins with this soft limit on open files.
fn with_few_files(files: u64, command: &Command) -> Command {
    let command = command.as_std();
    let mut limited = Command::new("sh");
    limited
        .arg("-c")
        .arg(format!("ulimit -S -n {files}; exec \"$@\""))
        .arg("sh")
        .arg(command.get_program())
        .args(command.get_args())
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    limited
}

/// Guards I11.
#[tokio::test]
async fn a_start_raises_the_limit_on_open_files_to_the_hard_one() {
    let limited = |command: &mut Command| *command = with_few_files(128, command);
    let gateway = Process::start_with(Setup::stripe().prepare(), limited).await;

    let [soft, hard] =
        limits(gateway.pid().as_raw_nonzero().get().unsigned_abs(), "Max open files");

    assert!(soft == hard && soft != "128", "{soft} of {hard}");
    gateway.terminate().await;
}

/// The process that compiles, once it reads the file.
async fn compiling(mut command: Command, folder: &Path) -> Child {
    command.arg("compile-plugin").arg(folder.join("code"));
    command.stdin(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().expect("the program can be started");
    // More than a pipe holds: once all of it is written, the process reads.
    let file = vec![0_u8; 4 << 20];
    child.stdin.as_mut().expect("it is piped").write_all(&file).await.expect("it reads");
    child
}

/// Guards I12.
#[tokio::test]
async fn the_process_that_compiles_limits_itself_before_it_reads_the_file() {
    let folder = tempfile::tempdir().unwrap();

    let child = compiling(Command::new(program()), folder.path()).await;

    let process = child.id().expect("it waits for the end of the file");
    let names = ["Max cpu time", "Max address space", "Max file size", "Max core file size"];
    let soft = names.map(|name| limits(process, name)[0].clone());
    assert_eq!(soft, ["120", "4294967296", "1073741824", "0"]);
    assert_eq!(
        about(process, "oom_score_adj").trim(),
        "1000",
        "where memory is short it ends first"
    );
}

/// The niceness of a process: the 17th number behind its name, which is in brackets.
fn niceness(process: u32) -> String {
    let stat = about(process, "stat");
    let (_, behind) = stat.rsplit_once(')').expect("its name is in brackets");
    behind.split_whitespace().nth(16).expect("it has a niceness").to_owned()
}

/// Guards I12. Without: plugin/load/compiling.rs: `nice(NICENESS)`.
#[tokio::test]
async fn the_process_that_compiles_yields_to_all_others() {
    let folder = tempfile::tempdir().unwrap();

    let child = compiling(Command::new(program()), folder.path()).await;

    let process = child.id().expect("it waits for the end of the file");
    assert_eq!(niceness(process), "19");
}

/// Guards I12.
#[tokio::test]
async fn a_limit_that_is_lower_already_does_not_keep_the_process_from_compiling() {
    let folder = tempfile::tempdir().unwrap();
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -t 60; exec \"$@\"", "sh"]).arg(program());

    let child = compiling(limited, folder.path()).await;

    let process = child.id().expect("it waits for the end of the file");
    assert_eq!(limits(process, "Max cpu time"), ["60", "60"]);
    assert_eq!(limits(process, "Max core file size"), ["0", "0"]);
}
