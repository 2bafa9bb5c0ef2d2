//! `./setup` on machines that lack something, which are folders of programs that only pretend.

use std::path::Path;
use std::process::{Command, Output};

use super::repository;
use crate::harness::write_script;

/// A machine with these programs, each a script, and what the script needs of a real one.
fn run_on(programs: &[(&str, &str)]) -> Output {
    let machine = tempfile::tempdir().expect("a temporary folder");
    for tool in ["sh", "sed", "cat", "chmod"] {
        let real = ["/bin", "/usr/bin"].map(|folder| Path::new(folder).join(tool));
        let real = real.iter().find(|path| path.exists()).expect("every system has it");
        std::os::unix::fs::symlink(real, machine.path().join(tool)).expect("it is a new folder");
    }
    for (name, script) in programs {
        write_script(&machine.path().join(name), &format!("#!/bin/sh\n{script}\n"));
    }
    let mut setup = Command::new("/bin/sh");
    setup.arg(repository().join("setup")).env("PATH", machine.path()).env("M", machine.path());
    setup.output().expect("it can be started")
}

const ROOT: (&str, &str) = ("id", "echo 0");
const NEW: (&str, &str) = ("rustc", "echo 'rustc 1.95.0 (5980c4b5a 2026-04-14)'");
const OLD: (&str, &str) = ("rustc", "echo 'rustc 1.63.0'");
const CARGO: (&str, &str) = ("cargo", "");
const CC: (&str, &str) = ("cc", "");
/// Installs a compiler if it is asked for one.
const APT: (&str, &str) = (
    "apt-get",
    "case \"$*\" in *rustc-web*) for p in rustc cargo; do \
     echo '#!/bin/sh\necho rustc 1.96.0' > $M/$p; chmod +x $M/$p; done;; esac",
);

#[test]
fn setup_installs_a_compiler_where_it_may_and_says_what_to_do_where_it_may_not() {
    let ready = run_on(&[ROOT, NEW, CARGO, CC]);
    let installed = run_on(&[ROOT, APT, CC]);
    let renewed = run_on(&[ROOT, APT, OLD, CARGO, CC]);
    let refused = [run_on(&[("id", "echo 1000"), APT, CC]), run_on(&[ROOT, OLD, CARGO, CC])];
    let failed = run_on(&[ROOT, ("apt-get", "exit 100"), CC]);

    assert!(ready.status.success() && ready.stdout.is_empty() && ready.stderr.is_empty());
    for installed in [installed, renewed] {
        assert!(installed.status.success(), "{installed:?}");
        assert_eq!(installed.stdout, b"setup: installing rustc-web cargo-web\n");
    }
    for refused in refused.into_iter().chain([failed]) {
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(said.contains("install it from https://rustup.rs"), "{said}");
    }
}
