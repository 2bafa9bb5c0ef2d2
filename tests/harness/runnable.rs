//! Files that a test writes and somebody runs at once.
//!
//! Other processes write them. A child that another test starts inherits each file that this one
//! has open, until it runs its own program, and what somebody may still write can't be run.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::program;

/// Writes a script that its owner may run.
pub(crate) fn write_script(path: &Path, text: &str) {
    let mut writing = Command::new("/bin/sh");
    writing.args(["-c", "cat > \"$0\" && chmod 700 \"$0\""]).arg(path).stdin(Stdio::piped());
    let mut writing = writing.spawn().expect("there is a shell");
    let mut into = writing.stdin.take().expect("it is piped");
    into.write_all(text.as_bytes()).expect("the shell reads it");
    drop(into);
    let ended = writing.wait().expect("it ends");
    assert!(ended.success(), "{} is written: {ended}", path.display());
}

/// Copies the gateway's program, with its mode.
pub(crate) fn copy_program(to: &Path) {
    let ended = Command::new("cp").arg(program()).arg(to).status().expect("there is cp");
    assert!(ended.success(), "{} is written: {ended}", to.display());
}
