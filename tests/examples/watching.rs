//! `hookgate plugin build --watch`, from a new crate to its third version.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::repository;
use crate::harness::{program, target};

/// An author with a crate `ledger`, whose build is watched.
struct Author {
    folder: TempDir,
    watching: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Author {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let sdk = repository().join("plugin-sdk");
        let new = ["plugin", "new", "handler", "ledger", "--sdk"];
        let made = command(folder.path()).args(new).arg(sdk).output().await;
        let made = made.expect("the program can be started");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let lock = folder.path().join("ledger/Cargo.lock");
        std::fs::copy(repository().join("Cargo.lock"), lock).expect("the crate is new");
        let watch = ["plugin", "build", "ledger", "--watch", "--out", "plugins"];
        let mut watching = command(folder.path())
            .args(watch)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let out = watching.stdout.take().expect("it is piped");
        Self { folder, watching, lines: BufReader::new(out).lines() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits for a line with this in it, and gives the lines up to it.
    async fn reads(&mut self, part: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = self.lines.next_line().await.expect("it speaks UTF-8") {
            let is_it = line.contains(part);
            lines.push(line);
            if is_it {
                return lines;
            }
        }
        panic!("it ended before `{part}`: {lines:#?}");
    }

    /// Changes a text in a file of the crate.
    fn changes(&self, file: &str, from: &str, to: &str) {
        let path = self.path("ledger").join(file);
        let text = std::fs::read_to_string(&path).expect("it is there");
        assert!(text.contains(from), "{file} has no `{from}`");
        std::fs::write(path, text.replace(from, to)).expect("it can be written");
    }

    fn plugin(&self) -> Vec<u8> {
        std::fs::read(self.path("plugins/ledger.wasm")).expect("it is in place")
    }
}

/// The program in this folder, with a cargo that needs no network.
fn command(folder: &Path) -> Command {
    let mut command = Command::new(program());
    command
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target())
        .env("CARGO_NET_OFFLINE", "true")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

#[tokio::test]
async fn a_change_is_built_tested_and_put_in_place_and_one_that_fails_its_cases_is_not() {
    let mut author = Author::new().await;
    let placed = "ledger: built and tested (1 passed), now in plugins/ledger.wasm";

    author.reads(placed).await;
    let first = author.plugin();

    // The log is what the case expects to the letter.
    author.changes("src/lib.rs", "payment number", "this is payment");
    let lines = author.reads("ledger: the plugin in place stays: ").await;
    assert!(lines[0].starts_with("WRONG first: "), "{lines:#?}");
    assert!(lines.contains(&"  + log \"info: this is payment 1\"".to_owned()), "{lines:#?}");
    assert_eq!(author.plugin(), first);

    author.changes("cases/first.toml", "payment number", "this is payment");
    author.reads(placed).await;
    assert_ne!(author.plugin(), first);

    author.changes("src/lib.rs", "fn handle", "fn handles");
    let lines = author.reads("ledger: the plugin in place stays: failed to build").await;
    assert_eq!(lines.len(), 1, "{lines:#?}");

    let id = author.watching.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    kill_process(id.expect("it runs"), Signal::INT).expect("it is ours");
    let ended = author.watching.wait().await.expect("it is ours");
    assert_eq!(ended.code(), Some(0));
}
