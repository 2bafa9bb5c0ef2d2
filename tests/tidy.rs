//! The house rules, so that nobody has to remember them.

mod invariants;
mod layers;
mod log_lines;
mod mutants;
mod pages;
mod turns;
mod words;

use std::path::{Path, PathBuf};

use hookgate::config::Config;

const LINES_MAX: usize = 500;

/// Each outside world has one door.
const DOORS: &[(&str, &[&str])] = &[
    ("redb::", &["store/file"]),
    ("wasmtime::", &["plugin"]),
    ("wit_component::", &["plugin"]),
    ("notify::", &["watch"]),
    ("sd_notify", &["cli/serve/supervisor"]),
    ("listenfd::", &["cli/serve/sockets"]),
    ("notify_debouncer_full::", &["watch"]),
    ("reqwest::", &["egress", "cli/http"]),
    ("lookup_host", &["egress"]),
    ("to_socket_addrs", &["egress"]),
    ("TcpStream::connect", &["egress"]),
    ("client::conn", &["egress"]),
    ("SystemTime::now", &["clock"]),
    ("statvfs", &["disk"]),
    ("opentelemetry_proto::", &["telemetry/otlp"]),
    ("prost::", &["telemetry/otlp"]),
    ("toml::", &["config", "cli/plugin/cases"]),
    ("anyhow::", &["cli", "gateway"]),
    ("axum::", &["ingest", "admin", "dashboard", "listener", "cli/demo"]),
    ("askama::", &["dashboard"]),
    ("rmcp::", &["cli/mcp"]),
];

/// What a name of a file must not be.
const DRAWERS: &[&str] =
    &["util", "utils", "helper", "helpers", "common", "misc", "manager", "imp"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every Rust file below these folders, with its path from the repository.
fn sources(folders: &[&str]) -> Vec<(String, String)> {
    let mut left: Vec<PathBuf> = folders.iter().map(|folder| repository().join(folder)).collect();
    let mut files = Vec::new();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(repository()).unwrap();
            files.push((path.to_str().unwrap().to_owned(), text));
        }
    }
    assert!(files.len() > 5, "there are sources in {folders:?}");
    files
}

/// A host file's path below `host/src`, without its ending.
fn module(path: &str) -> &str {
    path.strip_prefix("host/src/").unwrap().strip_suffix(".rs").unwrap()
}

/// The code of a file without its tests and comments.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.contains("/conformance")
}

#[test]
fn every_outside_world_has_one_door() {
    for (path, text) in sources(&["host/src"]) {
        for (world, doors) in DOORS.iter().filter(|_| !is_test(&path)) {
            let within = |door: &str| {
                let rest = module(&path).strip_prefix(door);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            let allowed = doors.iter().any(|door| within(door));
            assert!(
                allowed || !code(&text).contains(world),
                "{path} reaches past {doors:?} for {world}"
            );
        }
    }
}

#[test]
fn a_file_is_one_noun_says_so_and_is_not_long() {
    for (path, text) in sources(&["host/src", "plugin-sdk/src", "plugins", "examples", "tests"]) {
        let opens = text.starts_with("//!");
        assert!(opens || path.contains("/tests/"), "{path} does not open with what it owns");
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{path} has {lines} lines");
        let name = Path::new(&path).file_stem().unwrap().to_str().unwrap();
        assert!(!DRAWERS.contains(&name) && name != "mod", "{path} is a drawer");
    }
}

#[test]
fn nothing_is_skipped_or_left_to_do() {
    let marks =
        [["TO", "DO"], ["FIX", "ME"], ["#[ign", "ore"], ["to", "do!("], ["unimple", "mented!("]];
    for (path, text) in sources(&["host/src", "plugin-sdk/src", "plugins", "examples", "tests"]) {
        for mark in marks {
            assert!(!text.contains(&mark.concat()), "{path} has a {}", mark.concat());
        }
    }
}

#[test]
fn the_readme_is_short_and_its_configuration_is_one() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    assert!(readme.lines().count() < 240, "the README is a first look, not a manual");
    let after = readme.split("```toml\n").nth(1).expect("the README shows a configuration");
    let text = after.split("```").next().unwrap();
    let first = std::fs::read_to_string(repository().join("hookgate.toml")).unwrap();
    for text in [text, &first] {
        let config = Config::parse(text, Path::new("README.md"), &repository());
        let config = config.unwrap_or_else(|error| panic!("{error}"));
        assert!(config.sources.contains_key("stripe") && config.handlers.contains_key("dunning"));
        // Where `make build` puts them, so that it runs as it stands.
        assert_eq!(config.plugins, repository().join("target/plugins"));
        assert_eq!(config.warnings, Vec::<String>::new());
    }
}
