//! Commands whose output can't be written, as on a full disk.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::process::{Command, Output};

use super::{CONFIG, Folder};
use crate::harness::{plugin_file, program};

/// A device on which every write fails as on a full disk.
fn full() -> File {
    File::options().write(true).open("/dev/full").expect("Linux has it")
}

fn run(args: &[&str], redirect: impl FnOnce(&mut Command)) -> Output {
    let mut command = Command::new(program());
    command.args(args).env_remove("RUST_LOG");
    redirect(&mut command);
    command.output().expect("the program can be started")
}

#[test]
fn an_output_that_can_not_be_written_is_an_error_and_no_panic() {
    let folder = Folder::new(CONFIG, &["stripe"]);
    let [config, plugins, plugin] =
        [folder.path("hookgate.toml"), folder.path("plugins"), plugin_file("stripe")];
    let [config, plugins, plugin] = [&config, &plugins, &plugin].map(|it| it.to_str().unwrap());
    for args in [
        &["--help"][..],
        &["--version"],
        &["event", "replay", "--help"],
        &["check", "--config", config],
        &["plugin", "inspect", plugin],
        &["provider", "list", "--plugins", plugins],
        &["provider", "list", "--markdown", "--plugins", plugins],
    ] {
        let ran = run(args, |command| {
            command.stdout(full());
        });
        let said = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(1), "{args:?}: {said}");
        let expected = "hookgate: failed to write to standard output: No space left on device";
        assert!(said.starts_with(expected), "{args:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{args:?}: {said}");
    }
}

#[test]
fn an_error_that_can_not_be_written_keeps_its_exit_code() {
    let full_log = |command: &mut Command| {
        command.stderr(full());
    };
    assert_eq!(run(&["check", "--config", "no/such.toml"], full_log).status.code(), Some(1));
    assert_eq!(run(&["check", "--no-such-option"], full_log).status.code(), Some(2));
}
