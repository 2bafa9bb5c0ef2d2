//! The mutants: each still fits the code that it breaks, and each row of a table has one.
//!
//! The script that runs them looks, where there is Python. Never builds one.

use std::io::{ErrorKind, Write};
use std::process::Command;

use super::repository;

#[test]
fn every_mutant_fits_its_code() {
    let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let script = repository().join("tests/mutants/run");
    let looked = match Command::new(python).arg("-B").arg(script).arg("--check").output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // Past what catches the output of a test that passes: nobody would see it.
            let line = b"mutants: NOT RUN: nobody has looked at tests/mutants: Python is missing\n";
            return std::io::stderr().write_all(line).unwrap();
        }
        looked => looked.unwrap(),
    };
    assert!(looked.status.success(), "{}", String::from_utf8_lossy(&looked.stderr));
}
