//! The house rules, so that nobody has to remember them.

use std::path::{Path, PathBuf};

use hookgate::config::Config;

const LINES_MAX: usize = 500;

/// Each outside world has one door.
const DOORS: &[(&str, &[&str])] = &[
    ("redb::", &["store"]),
    ("wasmtime::", &["plugin"]),
    ("wit_component::", &["plugin"]),
    ("notify::", &["watch"]),
    ("notify_debouncer_full::", &["watch"]),
    ("reqwest::", &["egress", "cli/http"]),
    ("lookup_host", &["egress"]),
    ("to_socket_addrs", &["egress"]),
    ("TcpStream::connect", &["egress"]),
    ("client::conn", &["egress"]),
    ("SystemTime::now", &["clock"]),
    ("toml::", &["config"]),
    ("anyhow::", &["cli", "gateway"]),
    ("axum::", &["ingest", "admin", "listener", "cli/demo"]),
];

/// What a name of a file must not be.
const DRAWERS: &[&str] =
    &["util", "utils", "helper", "helpers", "common", "misc", "manager", "imp"];

/// The layers, from above to below: a file imports only from its own and those before it.
const LAYERS: &[&[&str]] = &[
    &[
        "ids",
        "event",
        "claims",
        "route",
        "effect",
        "retry",
        "regular_file",
        "secrets",
        "signature",
        "outbound",
    ],
    &["clock", "store", "plugin", "egress", "keys", "listener", "watch", "metrics", "worker"],
    &["ingest", "dispatch", "delivery", "admin"],
    &["config", "gateway", "cli", "main", "lib"],
];

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

fn layer(module: &str) -> usize {
    let top = module.split('/').next().unwrap();
    let layer = LAYERS.iter().position(|layer| layer.contains(&top));
    layer.unwrap_or_else(|| panic!("`{top}` belongs to no layer"))
}

/// The code of a file without its tests and comments.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
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
fn a_file_imports_only_from_the_layers_above_it() {
    for (path, text) in sources(&["host/src"]) {
        let (module, code) = (module(&path), code(&text));
        let top = module.split('/').next().unwrap();
        let used = code.split("crate::").skip(1);
        let used =
            used.filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next());
        for other in used.filter(|other| !other.is_empty() && *other != top) {
            if !LAYERS.iter().any(|layer| layer.contains(&other)) {
                continue;
            }
            let activity = 2;
            assert!(layer(other) <= layer(module), "{path} imports `{other}` from below");
            assert!(
                layer(module) != activity || layer(other) != activity,
                "{path} imports `{other}`: activities never import each other"
            );
        }
    }
}

#[test]
fn a_file_is_one_noun_says_so_and_is_not_long() {
    for (path, text) in sources(&["host/src", "plugin-sdk/src", "plugins", "tests"]) {
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
    for (path, text) in sources(&["host/src", "plugin-sdk/src", "plugins", "tests"]) {
        for mark in marks {
            assert!(!text.contains(&mark.concat()), "{path} has a {}", mark.concat());
        }
    }
}

/// The macros whose arguments are evaluated only if somebody listens.
const LOGGING: [&str; 11] = [
    "trace",
    "debug",
    "info",
    "warn",
    "error",
    "event",
    "span",
    "debug_span",
    "info_span",
    "warn_span",
    "error_span",
];

/// Calls that change something.
const CHANGES: [&str; 16] = [
    ".await",
    ".take()",
    ".replace(",
    ".insert(",
    ".remove(",
    ".push(",
    ".pop(",
    ".extend(",
    ".next()",
    ".set(",
    ".swap(",
    ".send(",
    ".store(",
    ".fetch_",
    ".inc()",
    ".lock()",
];

/// The code with blanks in place of what texts and comments hold.
fn without_texts(code: &str) -> String {
    let mut plain = String::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let raw = rest.starts_with("r\"").then_some("\"");
        let raw = raw.or_else(|| rest.starts_with("r#\"").then_some("\"#"));
        let is_char = first == '\'' && rest.chars().nth(2) == Some('\'');
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(end) = raw {
            let begin = end.len() + 1;
            begin + rest[begin..].find(end).map_or(rest.len() - begin, |at| at + end.len())
        } else if first == '"' {
            text_length(rest)
        } else if rest.starts_with("'\\") || is_char {
            1 + rest[2..].find('\'').map_or(1, |at| at + 2)
        } else {
            plain.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        // What stands for a text is a value all the same.
        plain.push_str(if rest.starts_with("//") { " " } else { "0" });
        rest = rest.get(length..).unwrap_or_default();
    }
    plain
}

fn text_length(text: &str) -> usize {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, char)| {
        let ends = *char == '"' && !escaped;
        escaped = *char == '\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |(at, _)| at + 1)
}

/// What stands between the brackets of every logging macro.
fn log_lines(code: &str) -> Vec<String> {
    let plain = without_texts(code);
    let mut lines = Vec::new();
    for (at, _) in plain.match_indices("!(") {
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let name = plain[..at].rsplit(|c: char| !is_name(c)).next().unwrap_or_default();
        if !LOGGING.contains(&name) {
            continue;
        }
        let mut depth = 0;
        let end = plain[at + 1..].find(|char| {
            depth += i32::from(char == '(') - i32::from(char == ')');
            depth == 0
        });
        lines.push(plain[at + 2..at + 1 + end.expect("brackets close")].to_owned());
    }
    lines
}

/// What would happen in a log line, and only if somebody listens.
fn side_effect(line: &str) -> Option<String> {
    let squeezed: String = line.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some(change) = CHANGES.iter().find(|change| squeezed.contains(**change)) {
        return Some((*change).to_owned());
    }
    let (mut depth, mut before) = (0, ' ');
    let chars: Vec<char> = line.chars().filter(|char| !char.is_whitespace()).collect();
    for (at, char) in chars.iter().copied().enumerate() {
        let next = chars.get(at + 1).copied().unwrap_or(' ');
        let ends_value = before.is_alphanumeric() || "_)]}\"".contains(before);
        match char {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            // Before a value it says how to show it; behind one it leaves the function.
            '?' if ends_value => return Some("`?`".to_owned()),
            '=' if "+-*/%&|^".contains(before) => return Some("an assignment".to_owned()),
            // Outside of all brackets it names a field.
            '=' if depth > 0 && ends_value && next != '=' && next != '>' => {
                return Some("an assignment".to_owned());
            }
            _ => (),
        }
        before = char;
    }
    None
}

#[test]
fn nothing_happens_only_because_somebody_reads_the_log() {
    for (path, text) in sources(&["host/src", "plugin-sdk/src", "plugins"]) {
        for line in log_lines(&text) {
            let found = side_effect(&line);
            assert!(found.is_none(), "{path}: {} in a log line: {line}", found.unwrap_or_default());
        }
    }
}

#[test]
fn what_happens_in_a_log_line_is_found() {
    let hidden = [
        r#"swept => debug!(swept = ?swept?, "swept the store"),"#,
        "tracing::info!(\n    count = %count(\n        store\n    )?,\n    \"counted (\",\n);",
        r#"warn!("{}", self.told.take().unwrap_or_default());"#,
        "error!(\n    \"failed: {}\",\n    answer\n        .await,\n);",
        r#"debug!(left = { left -= 1; left }, "a step");"#,
        r#"trace!(now = { self.last = now; now });"#,
        r#"info_span!("call", number = numbers.next());"#,
    ];
    for code in hidden {
        assert!(log_lines(code).iter().any(|line| side_effect(line).is_some()), "{code}");
    }
    let plain = [
        r##"info!(id = %id, ?swept, why = why == 3 && a <= b, "what? x = y.await {reason}");"##,
        r#"// debug!(swept = ?swept?)"#,
        r#"warn!(plugin = stem, error = %chain(&error), "failed: {}", items.len());"#,
        r#"my_debug!(swept?); let text = "debug!(swept?)";"#,
        "error!(\n    \"failed (\\\") {}\",\n    texts.iter().map(|it| it.len()).max().is_some(),\n);",
    ];
    for code in plain {
        let found: Vec<_> = log_lines(code).iter().filter_map(|line| side_effect(line)).collect();
        assert!(found.is_empty(), "{found:?} in {code}");
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
