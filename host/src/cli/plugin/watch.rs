//! `hookgate plugin build --watch`: a plugin is built, tested and put into place at each change.
//!
//! A crate is looked at when the system says that one of its files may have changed, and built if
//! one has. Its requests and cases are its test. A plugin that does not build, or fails its test,
//! changes nothing: the file that is there stays.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::SystemTime;

use anyhow::Context;
use serde_json::Map;

use super::build::{self, Built};
use super::cases::{self, Otherwise};
use crate::causes;
use crate::cli::serve::stop_signal;
use crate::cli::vectors::{self, Printed};
use crate::clock::Clock;
use crate::ids::Name;
use crate::plugin::{About, Host};
use crate::watch::Watch;

/// The folders of a crate whose files are the plugin, or its test.
const FOLDERS: [&str; 3] = ["src", "cases", "samples"];
/// The files of it that are.
const FILES: [&str; 4] = ["Cargo.toml", SETTINGS, VECTORS, CHALLENGES];
const SETTINGS: &str = "settings.json";
const VECTORS: &str = "vectors.json";
const CHALLENGES: &str = "challenges.json";

/// What a crate's files look like, by their paths: another size or time is a change.
type Seen = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

/// Builds these crates now and at each change, until the developer ends the command.
pub(super) async fn watch(host: &Host, crates: &[PathBuf], out: &Path) -> anyhow::Result<()> {
    let mut stop = pin!(stop_signal()?);
    let mut watch = Watch::new();
    let mut built: Vec<Option<Seen>> = crates.iter().map(|_| None).collect();
    loop {
        for (folder, before) in crates.iter().zip(&mut built) {
            let mut folders = vec![folder.clone()];
            let seen = Some(look(folder, &mut folders));
            watch.follow([], folders.iter().map(PathBuf::as_path));
            if seen == *before {
                continue;
            }
            *before = seen;
            let became = tokio::select! {
                () = &mut stop => return Ok(()),
                became = round(host, folder, out) => became,
            };
            let now = Clock::System.now();
            match became {
                Ok(became) => say!("{now} {}: {became}", folder.display())?,
                Err(error) => {
                    let why = causes::chain(error.as_ref());
                    say!("{now} {}: the plugin in place stays: {why}", folder.display())?;
                }
            }
        }
        // What changed meanwhile is a hint that waits.
        tokio::select! {
            () = &mut stop => return Ok(()),
            () = watch.changed() => (),
        }
    }
}

/// Looks at the files of a crate, and adds the folders that they lie in.
fn look(folder: &Path, folders: &mut Vec<PathBuf>) -> Seen {
    let mut seen = Seen::new();
    let mut left: Vec<PathBuf> = FOLDERS.map(|name| folder.join(name)).into();
    // A folder or file that is not there, or not any more, is a change too.
    while let Some(path) = left.pop() {
        let Ok(entries) = path.read_dir() else { continue };
        for entry in entries.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => left.push(entry.path()),
                _ => add(&mut seen, entry.path()),
            }
        }
        folders.push(path);
    }
    for name in FILES {
        add(&mut seen, folder.join(name));
    }
    seen
}

fn add(seen: &mut Seen, path: PathBuf) {
    if let Ok(metadata) = fs::metadata(&path) {
        seen.insert(path, (metadata.len(), metadata.modified().ok()));
    }
}

/// Builds a crate, tests the plugin and puts it into place, and says so.
async fn round(host: &Host, folder: &Path, out: &Path) -> anyhow::Result<String> {
    let of = folder.to_owned();
    let built = tokio::task::spawn_blocking(move || build::build(&of)).await;
    let built = built.context("the build ended early")??;
    let passed = tested(host, &built, folder).await?;
    let path = built.publish(out)?;
    Ok(format!("built and tested ({passed} passed), now in {}", path.display()))
}

/// Tests a plugin that is nowhere yet with what lies in its crate, and gives the number of tests.
async fn tested(host: &Host, built: &Built, folder: &Path) -> anyhow::Result<usize> {
    let name: Name = built.stem.parse()?;
    let plugin = host.load(name, &built.wasm).context("failed to load what was built")?;
    let mut passed = 0;
    let recorded: Vec<PathBuf> = [VECTORS, CHALLENGES].map(|name| folder.join(name)).into();
    let recorded: Vec<PathBuf> = recorded.into_iter().filter(|path| path.is_file()).collect();
    if plugin.provider().is_some() && !recorded.is_empty() {
        let settings = About::of_file(&built.wasm).example;
        passed += vectors::run(host, &plugin, &recorded, &settings, Printed::Wrong).await?;
    }
    let folder = folder.join("cases");
    if plugin.handler().is_some() && folder.is_dir() {
        let (settings, fail) = (Map::new(), Otherwise::Fail);
        passed += cases::run(host, &plugin, &folder, &settings, fail, Printed::Wrong).await?;
    }
    Ok(passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_one_of_what_the_plugin_or_its_test_is_made_of() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let seen = || look(folder.path(), &mut Vec::new());
        write("src/lib.rs", "1");
        write("Cargo.toml", "1");
        let mut before = seen();

        write("target/release/lib.rs", "1");
        write("notes.md", "1");
        assert_eq!(seen(), before);

        for (path, text) in [
            ("src/room/part.rs", "1"),
            ("src/room/part.rs", "12"),
            ("Cargo.toml", "12"),
            ("cases/first.toml", "1"),
            ("samples/paid.json", "1"),
            ("vectors.json", "1"),
        ] {
            write(path, text);
            let after = seen();
            assert_ne!(after, before, "{path}");
            before = after;
        }
        fs::remove_file(folder.path().join("vectors.json")).unwrap();
        assert_ne!(seen(), before);
        let mut folders = Vec::new();
        look(folder.path(), &mut folders);
        let rooms = ["cases", "samples", "src", "src/room"].map(|name| folder.path().join(name));
        folders.sort();
        assert_eq!(folders, rooms);
    }
}
