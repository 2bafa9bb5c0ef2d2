//! From a plugin crate to a plugin file: `hookgate plugin build`.
//!
//! Finds a compiler that can make `wasm32-unknown-unknown`, which is the tightest box because it
//! has no WASI at all, and passes it what makes instances cheap. Only for developers; serving never
//! comes here.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use super::about::{self, AboutError};
use super::heap;
use crate::plugin::{About, AboutTooLarge, InvalidStack, Stack};
use crate::subprocess::{self, ChildError, Ended};

const TARGET: &str = "wasm32-unknown-unknown";
/// Forces one toolchain: `installed`, `rustup` or `distribution`.
const TOOLCHAIN_VARIABLE: &str = "HOOKGATE_WASM_TOOLCHAIN";
/// An unreachable network must not keep a developer waiting.
const RUSTUP_TIME_MAX: Duration = Duration::from_secs(20);
const INSTALL_TIME_MAX: Duration = Duration::from_secs(300);
const BUILD_TIME_MAX: Duration = Duration::from_secs(1_200);
/// Debian's compiler for browsers: recent, with the source of the standard library beside it.
const DISTRIBUTION_RUSTC: &str = "/usr/bin/rustc";
const DISTRIBUTION_PACKAGES: [&str; 3] = ["rustc-web", "rust-web-src", "lld-22"];
const DISTRIBUTION_LINKERS: [&str; 2] = ["wasm-ld-22", "wasm-ld"];

/// A plugin that was built, and is nowhere yet.
#[derive(Debug, Clone)]
pub(super) struct Built {
    /// What it is called.
    pub(super) stem: String,
    /// The bytes of its file.
    pub(super) wasm: Vec<u8>,
}

impl Built {
    /// Puts it into a folder as `<stem>.wasm`, in the place of what is there, and gives the path.
    /// To be called once [`crate::plugin::Host::load`] has found it good.
    pub(super) fn publish(&self, out_dir: &Path) -> Result<PathBuf, BuildError> {
        let path = out_dir.join(format!("{}.wasm", self.stem));
        let published = publish(&self.wasm, out_dir, &path);
        published.map_err(|source| BuildError::Write { path: path.clone(), source })?;
        Ok(path)
    }
}

/// Where the compiler comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Toolchain {
    /// The compiler at hand has the target.
    Installed,
    /// `rustup` adds the target to it.
    Rustup,
    /// The distribution's compiler, which builds the standard library from its source.
    Distribution,
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Installed => "installed",
            Self::Rustup => "rustup",
            Self::Distribution => "distribution",
        })
    }
}

impl FromStr for Toolchain {
    type Err = BuildError;

    fn from_str(text: &str) -> Result<Self, BuildError> {
        let all = [Self::Installed, Self::Rustup, Self::Distribution];
        let named = all.into_iter().find(|toolchain| toolchain.to_string() == text);
        named.ok_or_else(|| BuildError::NoSuchToolchain(text.to_owned()))
    }
}

/// Why a build failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum BuildError {
    /// The environment names a toolchain that there is not.
    #[error("{TOOLCHAIN_VARIABLE} must be installed, rustup or distribution, not `{0}`")]
    NoSuchToolchain(String),
    /// The crate is not one that makes a plugin.
    #[error("`{}` is not a plugin crate: {reason}", path.display())]
    NoPlugin {
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// No compiler can make the target.
    #[error(
        "no compiler for {TARGET}: {reason}; run `rustup target add {TARGET}` or, on Debian, \
         `apt-get install {}`", DISTRIBUTION_PACKAGES.join(" ")
    )]
    NoCompiler {
        /// What was tried last, and how it ended.
        reason: String,
    },
    #[error("failed to build the plugin:\n{0}")]
    Cargo(String),
    /// Its samples or settings can't be read.
    #[error(transparent)]
    About(#[from] AboutError),
    /// They are more than the file may carry.
    #[error(transparent)]
    TooLarge(#[from] AboutTooLarge),
    /// A program could not be run.
    #[error("failed to run {program}: {source}")]
    Run { program: String, source: io::Error },
    /// What the compiler made can't be read.
    #[error("failed to read `{}`: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The file could not be put in its place.
    #[error("failed to write `{}`: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Builds the plugin crate in `crate_dir`, which gives it its name. Blocks until it is built;
/// whether it keeps the contract is for [`crate::plugin::Host::load`] to say.
pub(super) fn build(crate_dir: &Path) -> Result<Built, BuildError> {
    let package = Package::read(crate_dir)?;
    let toolchain = match env::var(TOOLCHAIN_VARIABLE) {
        Ok(forced) => forced.parse().and_then(|forced| prepare(forced, crate_dir))?,
        Err(_) => prepare_any(crate_dir)?,
    };
    cargo_build(&package, toolchain)?;

    let about = About {
        confirmed: package.confirmed,
        descriptions: package.types,
        sdk: about::sdk_of(&package.lock),
        ..about::of_crate(&package.dir)?
    };
    let file = package.target_dir.join(TARGET).join("release").join(&package.file_name);
    let read = fs::read(&file).map_err(|source| BuildError::Read { path: file, source });
    let mut wasm = read?;
    heap::give(&mut wasm);
    Ok(Built { stem: package.stem, wasm: about.put_into(wasm)? })
}

/// Moves the file into place whole, because the gateway may be watching.
fn publish(bytes: &[u8], out_dir: &Path, path: &Path) -> io::Result<()> {
    fs::create_dir_all(out_dir)?;
    let mut part = tempfile::Builder::new().prefix(".build-").tempfile_in(out_dir)?;
    io::Write::write_all(&mut part, bytes)?;
    fs::set_permissions(part.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    part.persist(path)?;
    Ok(())
}

/// What has to be known of the crate.
#[derive(Debug)]
struct Package {
    dir: PathBuf,
    /// What the plugin will be called.
    stem: String,
    /// What cargo calls the file that it makes.
    file_name: String,
    /// Apart from other builds, whose flags differ.
    target_dir: PathBuf,
    /// Where cargo says which versions it builds with.
    lock: PathBuf,
    /// Who confirmed how the provider signs, out of `[package.metadata.hookgate]`.
    confirmed: String,
    /// What its types of event are, out of the same.
    types: BTreeMap<String, String>,
    /// How large its stack is, out of the same.
    stack: Stack,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetadataPackage>,
    target_directory: PathBuf,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct MetadataPackage {
    manifest_path: PathBuf,
    targets: Vec<MetadataTarget>,
    metadata: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct MetadataTarget {
    name: String,
    crate_types: Vec<String>,
}

impl Package {
    fn read(crate_dir: &Path) -> Result<Self, BuildError> {
        let no_plugin =
            |reason: String| BuildError::NoPlugin { path: crate_dir.to_owned(), reason };
        let dir = crate_dir.canonicalize().map_err(|error| no_plugin(error.to_string()))?;
        let stem = dir
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| no_plugin("the folder has no name".to_owned()))?;
        let output = Command::new("cargo")
            .current_dir(&dir)
            .args(["metadata", "--format-version=1", "--no-deps"])
            .output()
            .map_err(|source| BuildError::Run { program: "cargo metadata".to_owned(), source })?;
        if !output.status.success() {
            return Err(no_plugin(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        let metadata: Metadata = serde_json::from_slice(&output.stdout).map_err(|error| {
            no_plugin(format!("failed to read what `cargo metadata` printed: {error}"))
        })?;
        let manifest = dir.join("Cargo.toml");
        let package = metadata.packages.iter().find(|package| package.manifest_path == manifest);
        let package =
            package.ok_or_else(|| no_plugin("its Cargo.toml has no [package]".to_owned()))?;
        let is_plugin = |target: &&MetadataTarget| {
            target.crate_types.iter().any(|crate_type| crate_type == "cdylib")
        };
        let target = package.targets.iter().find(is_plugin).ok_or_else(|| {
            no_plugin("its Cargo.toml has no [lib] with crate-type = [\"cdylib\"]".to_owned())
        })?;
        let own = |name: &str| {
            let own = package.metadata.as_ref()?.pointer(&format!("/hookgate/{name}"))?;
            own.as_str().map(ToOwned::to_owned)
        };
        let unreadable = |error: InvalidStack| {
            no_plugin(format!("`stack` of [package.metadata.hookgate]: {error}"))
        };
        let stack = own("stack").map(|stack| stack.parse()).transpose().map_err(unreadable)?;
        let types = package.metadata.as_ref().and_then(|all| all.pointer("/hookgate/types"));
        let types = types.map(BTreeMap::<String, String>::deserialize).transpose();
        let types = types.map_err(|_| {
            no_plugin("`types` of [package.metadata.hookgate] must be a table of texts".to_owned())
        })?;
        Ok(Self {
            stem: stem.to_owned(),
            file_name: format!("{}.wasm", target.name.replace('-', "_")),
            target_dir: metadata.target_directory.join("plugin-build"),
            lock: metadata.workspace_root.join("Cargo.lock"),
            confirmed: own("confirmed").unwrap_or_default(),
            types: types.unwrap_or_default(),
            stack: stack.unwrap_or_default(),
            dir,
        })
    }
}

/// The first toolchain that can be had.
fn prepare_any(crate_dir: &Path) -> Result<Toolchain, BuildError> {
    prepare(Toolchain::Installed, crate_dir)
        .or_else(|_| prepare(Toolchain::Rustup, crate_dir))
        .or_else(|_| prepare(Toolchain::Distribution, crate_dir))
}

/// Makes sure that a toolchain is there.
fn prepare(toolchain: Toolchain, crate_dir: &Path) -> Result<Toolchain, BuildError> {
    match toolchain {
        Toolchain::Installed => {
            let mut rustc = Command::new("rustc");
            rustc.current_dir(crate_dir);
            let library = sysroot(&mut rustc)?.join("lib/rustlib").join(TARGET).join("lib");
            if !library.is_dir() {
                let reason = format!("the folder `{}` does not exist", library.display());
                return Err(BuildError::NoCompiler { reason });
            }
        }
        Toolchain::Rustup => {
            let mut rustup = Command::new("rustup");
            install(
                rustup.current_dir(crate_dir).args(["target", "add", TARGET]),
                RUSTUP_TIME_MAX,
            )?;
        }
        Toolchain::Distribution => {
            if !distribution_is_there() {
                install(Command::new("apt-get").arg("update"), INSTALL_TIME_MAX)?;
                let mut apt = Command::new("apt-get");
                apt.args(["install", "-y", "--no-install-recommends"]).args(DISTRIBUTION_PACKAGES);
                install(apt.env("DEBIAN_FRONTEND", "noninteractive"), INSTALL_TIME_MAX)?;
            }
        }
    }
    Ok(toolchain)
}

fn sysroot(rustc: &mut Command) -> Result<PathBuf, BuildError> {
    let output = rustc.args(["--print", "sysroot"]).output();
    let output =
        output.map_err(|source| BuildError::Run { program: "rustc".to_owned(), source })?;
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

fn distribution_is_there() -> bool {
    let source = sysroot(&mut Command::new(DISTRIBUTION_RUSTC))
        .is_ok_and(|sysroot| sysroot.join("lib/rustlib/src/rust/library").is_dir());
    source && distribution_linker().is_some()
}

fn distribution_linker() -> Option<&'static str> {
    let path = env::var_os("PATH")?;
    let is_there = |name: &&str| env::split_paths(&path).any(|folder| folder.join(name).is_file());
    DISTRIBUTION_LINKERS.into_iter().find(is_there)
}

fn install(command: &mut Command, limit: Duration) -> Result<(), BuildError> {
    let shown = format!("{command:?}").replace('"', "");
    match subprocess::run(command, b"", limit) {
        Ok(Ended { status, .. }) if status.success() => Ok(()),
        Ok(Ended { said, .. }) => {
            Err(BuildError::NoCompiler { reason: format!("`{shown}` failed: {said}") })
        }
        Err(error) => Err(BuildError::NoCompiler { reason: format!("`{shown}` failed: {error}") }),
    }
}

fn cargo_build(package: &Package, toolchain: Toolchain) -> Result<(), BuildError> {
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(&package.dir)
        .args(["build", "--release", "--lib", "--target", TARGET])
        .env("CARGO_TARGET_DIR", &package.target_dir)
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3")
        .env("CARGO_PROFILE_RELEASE_LTO", "true")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
        // The names of functions stay: a trap without a message is reported by them.
        .env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "false")
        .env("CARGO_ENCODED_RUSTFLAGS", rustflags(package).join("\x1f"));
    if toolchain == Toolchain::Distribution {
        let linker = distribution_linker().unwrap_or(DISTRIBUTION_LINKERS[0]);
        cargo
            .arg("-Zbuild-std=std,panic_abort")
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTC", DISTRIBUTION_RUSTC)
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    }
    match subprocess::run(&mut cargo, b"", BUILD_TIME_MAX) {
        Ok(Ended { status, .. }) if status.success() => Ok(()),
        Ok(Ended { said, .. }) => Err(BuildError::Cargo(said)),
        Err(ChildError::TooLong) => {
            let seconds = BUILD_TIME_MAX.as_secs();
            Err(BuildError::Cargo(format!("cargo took longer than {seconds} s")))
        }
        Err(ChildError::Io(source)) => Err(BuildError::Run { program: "cargo".to_owned(), source }),
    }
}

fn rustflags(package: &Package) -> Vec<String> {
    let mut flags = vec![
        // Below all else, so that it traps when it overflows, instead of overwriting data.
        "-Clink-arg=--stack-first".to_owned(),
        format!("-Clink-arg=-zstack-size={}", package.stack.bytes()),
        // Every engine has it, and the SDK reads a body sixteen bytes at a time with it.
        "-Ctarget-feature=+simd128".to_owned(),
    ];
    // A panic names its source file: not where it lies on the machine that built the plugin.
    let home = env::var_os("HOME").map(PathBuf::from);
    let cargo_home =
        env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(home?.join(".cargo")));
    let workspace = package.target_dir.ancestors().nth(2).map(PathBuf::from);
    for (folder, name) in [(cargo_home, "cargo"), (workspace, "plugin")] {
        let folder = folder.filter(|folder| folder.is_absolute() && folder.parent().is_some());
        flags.extend(
            folder.map(|folder| format!("--remap-path-prefix={}={name}", folder.display())),
        );
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_plugin_crate_is_said_so() {
        let folder = tempfile::tempdir().unwrap();
        let error = build(folder.path()).unwrap_err();
        assert!(matches!(error, BuildError::NoPlugin { .. }), "{error}");
        let error = build(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap_err();
        assert!(error.to_string().ends_with("no [lib] with crate-type = [\"cdylib\"]"), "{error}");
    }
}
