//! The SDK as others get it: it stands alone, and its guide leads from an empty folder to a handler
//! that ran.
//!
//! The guide is followed word for word but for its ports. Builds share the repository's target
//! folder and `Cargo.lock`, so that they need no network and compile nothing twice.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::harness::{Log, answer, program, target};

/// Most commands from an empty folder to a handler that ran.
const COMMANDS_MAX: usize = 8;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it lies in the repository").to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).expect(path)
}

/// The files of the contract in a folder.
fn contract(folder: &str) -> BTreeMap<String, String> {
    let entries = repository().join(folder).read_dir().expect("the contract");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().unwrap());
    let files = names.filter(|name| name.ends_with(".wit"));
    files.map(|name| (name.clone(), read(&format!("{folder}/{name}")))).collect()
}

#[test]
fn the_sdk_has_the_contract_word_for_word() {
    let original = contract("wit");
    assert!(original.len() >= 4, "there is a contract");
    let is_same = contract("plugin-sdk/wit") == original;
    assert!(is_same, "copy it: cp wit/*.wit plugin-sdk/wit/");
}

#[test]
fn everything_in_the_contract_has_a_comment() {
    for (file, text) in contract("wit") {
        let mut before = "";
        for line in text.lines().map(str::trim) {
            let others = ["//", "use ", "package ", "import ", "export "];
            let is_other = line.is_empty() || line == "}";
            let is_part = !is_other && !others.iter().any(|start| line.starts_with(start));
            assert!(!is_part || before.starts_with("///"), "{file}: `{line}` has no comment");
            before = line;
        }
    }
}

#[test]
fn the_sdk_needs_nothing_of_its_workspace() {
    let manifest = read("plugin-sdk/Cargo.toml");
    // `hookgate plugin new` leaves out the lints.
    let alone = manifest.replace("[lints]\nworkspace = true\n\n", "");
    assert!(alone != manifest && !alone.contains("workspace = true"));
    let workspace = read("Cargo.toml");
    for key in ["version", "edition", "rust-version", "license", "repository"] {
        let value = |text: &str| {
            let line = text.lines().find(|line| line.starts_with(&format!("{key} = ")));
            line.unwrap_or_else(|| panic!("no `{key}`")).to_owned()
        };
        assert_eq!(value(&alone), value(&workspace));
    }
}

/// A block of the guide: its language and its lines.
struct Block {
    language: String,
    lines: Vec<String>,
}

/// The blocks between an empty folder and a handler that ran.
fn blocks(guide: &str) -> Vec<Block> {
    let way = guide.split("\n## ").find(|part| part.starts_with("From an empty folder"));
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in way.expect("the guide begins with an empty folder").lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(language), None) => {
                open = Some(Block { language: language.to_owned(), lines: Vec::new() });
            }
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some(mut block)) => {
                block.lines.push(line.to_owned());
                open = Some(block);
            }
            (None, None) => (),
        }
    }
    blocks
}

/// Somebody who follows the guide.
struct Reader {
    folder: TempDir,
    admin: String,
    /// With its log, which is read all the time, so that the gateway can always write.
    gateway: Option<(Child, Log)>,
}

impl Reader {
    fn new(admin: String) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { folder, admin, gateway: None }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a shell does with a line.
    fn shell(&self, line: &str) -> Command {
        let program = program();
        let programs = program.parent().expect("a program lies in a folder").display();
        let path = std::env::var("PATH").expect("there is a shell");
        let mut shell = Command::new("sh");
        shell
            .args(["-c", line])
            .current_dir(self.folder.path())
            .env("PATH", format!("{programs}:{path}"))
            .env("CARGO_TARGET_DIR", target())
            .env("CARGO_NET_OFFLINE", "true")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        shell
    }

    async fn output(&self, line: &str) -> Output {
        self.shell(line).output().await.expect("there is a shell")
    }

    /// Types a line, which must succeed, and gives what it prints.
    async fn types(&mut self, line: &str) -> String {
        if let Some(serve) = line.strip_suffix(" &") {
            self.starts(serve).await;
            return String::new();
        }
        self.settles().await;
        let Output { status, stdout, stderr } = self.output(line).await;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(status.success(), "`{line}`: {}\n{}", text(&stdout), text(&stderr));
        if let Some(rest) = line.strip_prefix("hookgate plugin new ") {
            let name = rest.split(' ').nth(1).expect("it has a name");
            let lock = self.path(name).join("Cargo.lock");
            std::fs::copy(repository().join("Cargo.lock"), lock).expect("it is new");
        }
        text(&stdout)
    }

    /// Starts the gateway, and waits until it has its plugins, as a person would.
    async fn starts(&mut self, serve: &str) {
        let mut gateway = self.shell(&format!("exec {serve}"));
        let gateway = gateway.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut gateway = gateway.expect("there is a shell");
        let mut log = Log::of(gateway.stderr.take().expect("it is piped"));
        log.says("accepting webhooks on").await;
        self.gateway = Some((gateway, log));
        let client = hookgate::egress::operator_client().expect("there are CA certificates");
        let reload = client.post(format!("{}/v1/reload", self.admin));
        let reloaded = answer(reload.json(&serde_json::Value::Null)).await;
        assert_eq!(reloaded.status, 200, "{}", reloaded.body);
    }

    /// Waits until a running gateway has nothing to do.
    async fn settles(&self) {
        if self.gateway.is_some() {
            let client = hookgate::egress::operator_client().expect("there are CA certificates");
            let settled = format!("{}/v1/settled", self.admin);
            while answer(client.get(&settled)).await.status == 503 {}
        }
    }
}

#[tokio::test]
async fn the_guide_leads_from_an_empty_folder_to_a_handler_that_ran() {
    let free = || TcpListener::bind("127.0.0.1:0").expect("there are ports");
    let [public, admin] = [free(), free()].map(|port| port.local_addr().expect("it is bound"));
    let guide = read("plugin-sdk/README.md")
        .replace("127.0.0.1:8080", &public.to_string())
        .replace("127.0.0.1:8081", &admin.to_string());
    let blocks = blocks(&guide);
    let mut reader = Reader::new(format!("http://{admin}"));
    let mut commands = 0;
    let mut printed = String::new();

    for Block { language, lines } in &blocks {
        match language.as_str() {
            "toml" => {
                std::fs::write(reader.path("hookgate.toml"), lines.join("\n")).expect("it is new");
            }
            "sh" => {
                for line in lines {
                    printed = reader.types(line).await;
                    commands += 1;
                }
            }
            _ => (),
        }
    }

    assert!((1..=COMMANDS_MAX).contains(&commands), "{commands} commands");
    let types = ["hookgate.alert", "payment.succeeded"];
    for event_type in types {
        let row = printed.lines().find(|row| row.contains(event_type));
        assert!(row.is_some_and(|row| row.contains("  done  ")), "{event_type}:\n{printed}");
    }
    let shown = &blocks.last().expect("the guide shows the events").lines;
    assert_eq!(shown.len(), printed.lines().count(), "{printed}");
    assert_eq!(shown.first().map(String::as_str), printed.lines().next());
}

/// The first Rust in a paper.
fn rust(paper: &str) -> String {
    let text = read(paper);
    let code = text.split("```rust\n").nth(1).unwrap_or_else(|| panic!("{paper} has no Rust"));
    code.split("```").next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn the_handler_in_the_readme_passes_the_test_beside_it() {
    let mut reader = Reader::new(String::new());
    let sdk = repository().join("plugin-sdk");
    let new = format!("hookgate plugin new handler welcome --sdk '{}'", sdk.display());
    reader.types(&new).await;
    let code = [rust("README.md"), rust("plugins/README.md")].concat();
    std::fs::write(reader.path("welcome/src/lib.rs"), code).expect("the crate is new");
    std::fs::remove_file(reader.path("welcome/tests/plugin.rs")).expect("it has a test");

    let tested = reader.types("cargo test --manifest-path welcome/Cargo.toml").await;

    assert!(tested.contains("test a_subject_is_greeted_once ... ok"), "{tested}");
}

#[tokio::test]
async fn a_plugin_has_a_valid_name_and_a_new_folder() {
    let reader = Reader::new(String::new());
    let new = async |rest: &str| {
        let Output { status, stderr, .. } =
            reader.output(&format!("hookgate plugin new {rest}")).await;
        (status.code(), String::from_utf8_lossy(&stderr).into_owned())
    };
    let sdk = repository().join("plugin-sdk");
    let own = new(&format!("handler alone --sdk '{}'", sdk.display())).await;

    assert_eq!(own, (Some(0), String::new()));
    let manifest = std::fs::read_to_string(reader.path("alone/Cargo.toml")).expect("a crate");
    assert!(manifest.contains(&format!("path = {:?}", sdk.display().to_string())), "{manifest}");
    assert!(!reader.path("hookgate-sdk").exists());
    for (rest, code, words) in [
        ("handler Ledger", 2, "`Ledger` is not a name: 1 to 63 characters out of a-z, 0-9 and `-`"),
        ("handler ../ledger", 2, "`../ledger` is not a name"),
        ("handler sdk", 1, "`sdk` is reserved for the SDK"),
        ("provider alone", 1, "`alone` exists already: choose another name"),
        ("handler ledger --sdk nowhere", 1, "`nowhere` is not the folder of the SDK"),
        ("plugin ledger", 2, "[possible values: handler, provider]"),
    ] {
        let refused = new(rest).await;
        assert_eq!(refused.0, Some(code), "{rest}: {}", refused.1);
        assert!(refused.1.contains(words), "{rest}: {}", refused.1);
    }
    assert!(!reader.path("ledger").exists());
}
