//! The Debian package, its service and the examples in `deploy`: what can be held to its word
//! without installing anything.
//!
//! `make package-test` installs the package, and lives with it. Never needs root.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use hookgate::config::Config;
use tempfile::TempDir;

use crate::harness::{Authority, ENDPOINT_SECRET, program, target};

/// Where the package keeps secrets.
const SECRETS: &str = "/etc/hookgate/secrets";
/// What systemd calls the folder of a service's credentials.
const CREDENTIALS: &str = "/run/credentials/hookgate.service";

fn deploy(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("deploy");
    std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What the package would put on a machine.
struct Staged(TempDir);

impl Staged {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let built =
            Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/debian/build"))
                .arg("--program")
                .arg(program())
                .arg("--plugins")
                .arg(target().join("plugins"))
                .arg("--stage")
                .arg(folder.path().join("tree"))
                .output()
                .expect("the script can be started");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        Self(folder)
    }

    /// A path of that machine.
    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join("tree").join(path.trim_start_matches('/'))
    }

    #[track_caller]
    fn has(&self, path: &str) {
        assert!(self.at(path).is_file(), "{path} is not in the package");
    }
}

/// The settings of a unit, in their order, with the section that each is in.
fn settings(unit: &str) -> Vec<(String, String, String)> {
    let mut section = String::new();
    let mut found = Vec::new();
    for line in unit.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            name.clone_into(&mut section);
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("`{line}` sets nothing"));
        assert!(key.chars().all(|char| char.is_ascii_alphanumeric()), "`{key}` is not a key");
        found.push((section.clone(), key.to_owned(), value.to_owned()));
    }
    found
}

/// The values of a setting of the service.
fn service(key: &str) -> Vec<String> {
    let all = settings(&deploy("systemd/hookgate.service"));
    all.into_iter().filter(|(_, name, _)| name == key).map(|(_, _, value)| value).collect()
}

/// The one value of it.
#[track_caller]
fn one(key: &str) -> String {
    let [value] = <[String; 1]>::try_from(service(key)).expect("the service sets it once");
    value
}

/// The value of a key before all tables, which is a text.
#[track_caller]
fn value<'a>(config: &'a str, key: &str) -> &'a str {
    let line = config.lines().find(|line| line.split(' ').next() == Some(key));
    line.and_then(|line| line.split('"').nth(1)).unwrap_or_else(|| panic!("there is no `{key}`"))
}

#[test]
fn everything_that_the_service_names_is_in_the_package() {
    let staged = Staged::new();
    let config = std::fs::read_to_string(staged.at("/etc/hookgate/hookgate.toml")).unwrap();

    let command = one("ExecStart");
    let [program, "serve", "--config", file] = command.split(' ').collect::<Vec<_>>()[..] else {
        panic!("it starts `{command}`")
    };
    staged.has(program);
    assert_eq!(staged.at(program).metadata().unwrap().permissions().mode() & 0o777, 0o755);
    staged.has(file);
    for page in one("Documentation").split(' ') {
        match page.strip_prefix("file://") {
            Some(path) => staged.has(path),
            None => {
                assert_eq!(page, "man:hookgate(1)");
                staged.has("/usr/share/man/man1/hookgate.1.gz");
            }
        }
    }
    let user = format!("\nu     {} ", one("User"));
    assert!(deploy("debian/sysusers").contains(&user), "nobody makes the user");
    assert_eq!(value(&config, "data"), format!("/var/lib/{}", one("StateDirectory")));
    let socket = format!("unix:/run/{}/", one("RuntimeDirectory"));
    assert!(value(&config, "admin").starts_with(&socket), "nobody makes the socket's folder");
    let credential = format!("{CREDENTIALS}/{}", one("LoadCredential"));
    assert!(config.contains(&credential), "the configuration does not name {credential}");
    assert!(staged.at(SECRETS).is_dir());
    assert_eq!(staged.at(SECRETS).metadata().unwrap().permissions().mode() & 0o777, 0o750);

    let names = |folder: PathBuf| -> BTreeSet<_> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let names = entries.map(|name| name.into_string().unwrap());
        names.filter(|name| name.ends_with(".wasm")).collect()
    };
    let plugins = names(staged.at(value(&config, "plugins")));
    assert!(plugins.len() > 40, "{plugins:?}");
    assert_eq!(plugins, names(target().join("plugins")));
    for shell in [
        "bash-completion/completions/hookgate",
        "zsh/vendor-completions/_hookgate",
        "fish/vendor_completions.d/hookgate.fish",
    ] {
        staged.has(&format!("/usr/share/{shell}"));
    }
}

#[test]
fn the_service_is_confined_and_lets_plugins_be_compiled() {
    let all = settings(&deploy("systemd/hookgate.service"));
    let sections: BTreeSet<&str> = all.iter().map(|(section, ..)| section.as_str()).collect();
    assert_eq!(sections, BTreeSet::from(["Unit", "Service", "Install"]));

    for (key, wanted) in [
        ("ProtectSystem", "strict"),
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("Type", "notify"),
        // A compiler that needs too much memory is no reason to stop the gateway.
        ("OOMPolicy", "continue"),
    ] {
        assert_eq!(one(key), wanted, "{key}");
    }
    // With either, no native code can be run: tests/package/run shows it.
    for key in ["MemoryDenyWriteExecute", "NoExecPaths"] {
        assert_eq!(service(key), [""; 0], "{key}");
    }
    let sockets = settings(&deploy("systemd/hookgate.socket"));
    let named = ("Socket".to_owned(), "FileDescriptorName".to_owned(), "public".to_owned());
    assert!(sockets.contains(&named), "the gateway knows the port by this name");
}

/// What is commented out in a configuration to be filled in, as if somebody had.
fn filled_in(config: &str) -> String {
    let uncommented = config.lines().map(|line| {
        let rest = line.strip_prefix("# ").unwrap_or(line);
        let sets = rest.starts_with('[') || rest.split(' ').any(|word| word == "=");
        if sets { rest } else { line }
    });
    uncommented.map(|line| format!("{line}\n")).collect()
}

#[test]
fn every_example_of_a_configuration_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().to_str().unwrap();
    let port = Authority::new("root").issue("port");
    let master = "cGxhbnRlZCBtYXN0ZXIga2V5IG9mIDMyIGJ5dGVzISE=".to_owned();
    for (name, text) in [
        ("stripe", "whsec_test".to_owned()),
        ("crm", ENDPOINT_SECRET.to_owned()),
        ("chain.pem", port.pem()),
        ("key.pem", port.key_pem()),
        ("hookgate.master-key", master),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let kubernetes = deploy("kubernetes/hookgate.yaml");
    let map = kubernetes.split("hookgate.toml: |\n").nth(1).unwrap().split("\n---").next().unwrap();
    let map: String = map.lines().map(|line| format!("{}\n", line.trim_start())).collect();
    // A proxy's example has only what differs.
    let behind = |name: &str| {
        let text = deploy(name);
        let lines = text.lines().filter_map(|line| line.strip_prefix("#   "));
        let differs: String = lines.map(|line| format!("{line}\n")).collect();
        format!("{differs}admin = \"127.0.0.1:8081\"\ndata = \"data\"\nplugins = \"plugins\"\n")
    };
    for (name, text) in [
        ("debian/hookgate.toml", deploy("debian/hookgate.toml")),
        ("debian/hookgate.toml, filled in", filled_in(&deploy("debian/hookgate.toml"))),
        ("container/hookgate.toml", deploy("container/hookgate.toml")),
        ("kubernetes/hookgate.yaml", map),
        ("nginx/hookgate.conf", behind("nginx/hookgate.conf")),
        ("caddy/Caddyfile", behind("caddy/Caddyfile")),
    ] {
        let text = [SECRETS, CREDENTIALS, "/etc/hookgate-secrets"]
            .into_iter()
            .fold(text, |text, place| text.replace(place, here));
        let config = Config::parse(&text, Path::new(name), folder.path());
        let config = config.unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(config.warnings, Vec::<String>::new(), "{name}");
        assert_eq!(config.sources.contains_key("stripe"), text.contains("\n[sources.stripe]"));
        let is_behind = text.contains("trusted_proxies");
        assert_eq!(is_behind, !name.starts_with("debian") && !name.starts_with("container"));
    }
}
