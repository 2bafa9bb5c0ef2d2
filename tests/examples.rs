//! The examples, and the tools that an author of a plugin works with: cases, and a watched build.
//!
//! `make test` builds the examples. Whatever an example shows, its cases and its recorded requests
//! show too, run by the real program on the real file.

mod cases;
mod watching;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::harness::{Ran, program, target};

/// `hookgate plugin test FILE`, with these arguments behind it.
async fn test<A: AsRef<OsStr>>(file: &Path, args: impl IntoIterator<Item = A>) -> Ran {
    Ran::of(Command::new(program()).args(["plugin", "test"]).arg(file).args(args)).await
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it lies in the repository").to_owned()
}

fn name(folder: &Path) -> String {
    folder.file_name().and_then(OsStr::to_str).expect("it has a name").to_owned()
}

/// The folders of crates in a folder of the repository, by their names.
fn crates(folder: &str) -> Vec<PathBuf> {
    let entries = repository().join(folder).read_dir().expect("a folder");
    let folders = entries.map(|entry| entry.expect("an entry").path());
    let mut crates: Vec<_> = folders.filter(|it| it.join("Cargo.toml").is_file()).collect();
    crates.sort();
    crates
}

/// What a crate has to test its plugin with, as arguments.
fn tests_of(folder: &Path) -> Vec<PathBuf> {
    let mut args = Vec::new();
    args.extend(Some(folder.join("vectors.json")).filter(|file| file.is_file()));
    if folder.join("cases").is_dir() {
        args.extend(["--cases".into(), folder.join("cases")]);
    }
    args
}

#[tokio::test]
async fn every_example_does_what_its_cases_and_its_requests_say() {
    let examples = crates("examples");
    assert_eq!(examples.len(), 7);
    for folder in examples {
        let file = target().join("examples").join(format!("{}.wasm", name(&folder)));
        assert!(file.exists(), "{} is missing: `make test` builds it", file.display());
        let tests = tests_of(&folder);
        assert!(!tests.is_empty(), "{} has neither cases nor requests", folder.display());

        let tested = test(&file, tests).await;

        assert!(tested.succeeded().ends_with(" passed, 0 failed\n"), "{}", tested.out);
    }
}

#[tokio::test]
async fn every_handler_of_the_gateway_does_what_its_cases_say() {
    let with_cases = crates("plugins").into_iter().filter(|it| it.join("cases").is_dir());
    let handlers: Vec<PathBuf> = with_cases.collect();
    assert!(!handlers.is_empty());
    for folder in handlers {
        let file = crate::harness::plugin_file(&name(&folder));
        let tested = test(&file, ["--cases".into(), folder.join("cases")]).await;
        assert!(tested.succeeded().ends_with(" passed, 0 failed\n"), "{}", tested.out);
    }
}

#[test]
fn the_readme_of_the_examples_has_a_row_for_each() {
    let readme = std::fs::read_to_string(repository().join("examples/README.md")).expect("a file");
    for folder in crates("examples") {
        let row = format!("| [{name}]({name}) | ", name = name(&folder));
        assert!(readme.contains(&row), "no `{row}`");
    }
}

#[test]
fn the_provider_in_forty_lines_has_no_more() {
    let file = repository().join("examples/forty-lines/src/lib.rs");
    let text = std::fs::read_to_string(file).expect("a file");
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
    let lines = text.lines().filter(is_code).count();
    assert!(lines <= 40, "{lines} lines of code");
}
