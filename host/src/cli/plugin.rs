//! `hookgate plugin`: write, build, inspect, sign and test plugins without a gateway, try one over
//! what is stored, and look after the canaries of one.

mod about;
mod build;
mod canary;
mod cases;
mod heap;
mod inspect;
mod new;
mod rehearse;
mod sign;
mod test;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use clap::Subcommand;
use serde_json::json;

use crate::ids::Name;
use crate::plugin::{self, About, Host, Plugin};
use crate::regular_file;
use crate::setting::Setting;

pub(super) use self::inspect::setting as setting_document;
pub(super) use self::rehearse::NotRehearsed;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write the crate of a plugin that builds, passes its tests and runs at once, and the SDK
    /// beside it
    New {
        /// What the plugin is
        kind: new::Kind,
        /// The name of the plugin and of its new folder
        name: Name,
        /// Use the SDK in this folder, instead of writing the SDK into the folder hookgate-sdk
        #[arg(long, value_name = "PATH")]
        sdk: Option<PathBuf>,
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Build plugin crates to WebAssembly, check the files against the contract, and describe them
    Build {
        /// The folder of a crate
        #[arg(value_name = "CRATE", required = true)]
        crates: Vec<PathBuf>,
        /// The folder for the .wasm file, which gets the name of the crate's folder
        #[arg(long, value_name = "FOLDER", default_value = "target/plugins")]
        out: PathBuf,
        /// Build again at each change, and put a plugin into the folder only if it passes its
        /// recorded requests and cases
        #[arg(long)]
        watch: bool,
        /// Print a line of JSON for each plugin
        #[arg(long, conflicts_with = "watch")]
        json: bool,
    },
    /// Show what a plugin is, what it may do, and what it exports and imports
    Inspect(inspect::Command),
    #[command(flatten)]
    Canary(canary::Command),
    #[command(flatten)]
    Signing(sign::Command),
    /// Run a new version over stored requests or events, commit nothing, and show what differs. The
    /// exit code is 0 if nothing does, 1 if something does or nothing could be compared, and 2 if
    /// it could not be run
    Try(Box<rehearse::Command>),
    /// Test a provider with recorded requests and a handler with cases, as the gateway runs them
    Test(test::Command),
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::New { kind, name, sdk, json } => {
            let created = new::new(Path::new(""), kind, &name, sdk.as_deref())?;
            if json {
                return say!("{}", json!({ "folder": created.folder, "sdk": created.sdk }));
            }
            if let Some(sdk) = &created.sdk {
                say!("created {}", sdk.display())?;
            }
            let folder = created.folder.display();
            say!("created {folder}")?;
            say!("next: `cargo test --manifest-path {folder}/Cargo.toml`, then")?;
            say!("      `hookgate plugin build {folder}`, or with --watch at each change")
        }
        Command::Build { crates, out, watch: true, json: _ } => {
            watch::watch(&super::offline_host()?, &crates, &out).await
        }
        Command::Build { crates, out, watch: false, json } => {
            let host = super::offline_host()?;
            let named = |(folder, error): (PathBuf, build::BuildError)| {
                anyhow::Error::new(error).context(format!("failed to build {}", folder.display()))
            };
            let packages = build::read(&crates).map_err(named)?;
            match crates.as_slice() {
                [one] => build::compile(&packages)
                    .with_context(|| format!("failed to build {}", one.display()))?,
                _ => build::compile(&packages)?,
            }
            for (folder, package) in crates.iter().zip(packages) {
                let failed = || format!("failed to build {}", folder.display());
                let built = build::finish(package).with_context(failed)?;
                let name: Name = built.stem.parse().with_context(failed)?;
                // What is in its place stays there until the new one is known to be good.
                let plugin = host.load(name, &built.wasm).with_context(failed)?;
                let path = built.publish(&out).with_context(failed)?;
                if json {
                    let mut built = inspect::in_json(&plugin);
                    built["file"] = path.display().to_string().into();
                    say!("{built}")?;
                    continue;
                }
                say!("built {}", path.display())?;
                inspect::describe(&plugin)?;
            }
            Ok(())
        }
        Command::Inspect(command) => inspect::run(&command),
        Command::Canary(command) => canary::run(command).await,
        Command::Signing(command) => sign::run(command),
        Command::Try(command) => rehearse::run(*command).await,
        Command::Test(command) => test::run(command).await,
    }
}

/// Loads `NAME.wasm` of a folder.
pub(super) fn load(host: &Host, folder: &Path, name: &Name) -> anyhow::Result<Arc<Plugin>> {
    load_file(host, &folder.join(format!("{name}.wasm")))
}

/// Loads a plugin file, and what it says of itself beside its code.
pub(super) fn load_with_about(host: &Host, path: &Path) -> anyhow::Result<(Arc<Plugin>, About)> {
    let (name, wasm) = read(path)?;
    Ok((load_bytes(host, path, name, &wasm)?, About::of_file(&wasm)))
}

fn load_file(host: &Host, path: &Path) -> anyhow::Result<Arc<Plugin>> {
    let (name, wasm) = read(path)?;
    load_bytes(host, path, name, &wasm)
}

/// The name of the plugin in a file.
fn name_of(path: &Path) -> anyhow::Result<Name> {
    if path.extension().is_none_or(|extension| extension != "wasm") {
        bail!("{} is not a .wasm file", path.display());
    }
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    stem.parse().map_err(|error| anyhow!("{}: {error}", path.display()))
}

fn read(path: &Path) -> anyhow::Result<(Name, Vec<u8>)> {
    let name = name_of(path)?;
    let wasm = regular_file::read(path, plugin::FILE_BYTES_MAX)
        .with_context(|| format!("failed to read {}", path.display()))?;
    Ok((name, wasm))
}

fn load_bytes(host: &Host, path: &Path, name: Name, wasm: &[u8]) -> anyhow::Result<Arc<Plugin>> {
    host.load(name, wasm).with_context(|| format!("failed to load {}", path.display()))
}

/// What a setting does, and what it must be.
pub(super) fn about_setting(setting: &Setting) -> String {
    let Setting { name, required, default, help, .. } = setting;
    let otherwise = match (default, required) {
        (Some(default), _) => format!("; the default is {default}"),
        (None, true) => "; required".to_owned(),
        (None, false) => String::new(),
    };
    format!("{name}: {help} ({}{otherwise})", setting.wanted())
}
