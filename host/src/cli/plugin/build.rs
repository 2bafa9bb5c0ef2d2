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
/// How much longer a build may take for each plugin in it.
const PLUGIN_TIME_MAX: Duration = Duration::from_secs(60);
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
    /// Of several crates, which cargo built at once.
    #[error("failed to build the plugins:\n{0}")]
    CargoOfMany(String),
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
    let package = read_one(crate_dir)?;
    let toolchain = toolchain_for(crate_dir)?;
    cargo_build(&[&package], toolchain)?;
    finish(package)
}

/// The packages of the crates in these folders, one by one. A folder that has none is named.
pub(super) fn read(crate_dirs: &[PathBuf]) -> Result<Vec<Package>, (PathBuf, BuildError)> {
    let mut workspaces: Vec<Metadata> = Vec::new();
    let read =
        |dir: &PathBuf| Package::read(dir, &mut workspaces).map_err(|error| (dir.clone(), error));
    crate_dirs.iter().map(read).collect()
}

/// Builds these packages, at once as far as they are linked alike: cargo works on as many as there
/// are processors. Blocks until all are built. They can be finished one by one.
pub(super) fn compile(packages: &[Package]) -> Result<(), BuildError> {
    let Some(first) = packages.first() else { return Ok(()) };
    let toolchain = toolchain_for(&first.dir)?;
    let mut alike: BTreeMap<_, Vec<&Package>> = BTreeMap::new();
    for package in packages {
        alike.entry(package.build_key()).or_default().push(package);
    }
    let built = |group: &Vec<&Package>| cargo_build(group, toolchain);
    alike.values().try_for_each(built).map_err(|error| match error {
        BuildError::Cargo(said) if packages.len() > 1 => BuildError::CargoOfMany(said),
        error => error,
    })
}

/// The plugin that cargo made of a package, with what lies in the crate's folder in it.
pub(super) fn finish(package: Package) -> Result<Built, BuildError> {
    let about = About {
        confirmed: package.confirmed,
        confidence: package.confidence,
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

fn read_one(crate_dir: &Path) -> Result<Package, BuildError> {
    Package::read(crate_dir, &mut Vec::new())
}

/// The toolchain that the environment forces, or the first that can be had.
fn toolchain_for(crate_dir: &Path) -> Result<Toolchain, BuildError> {
    match env::var(TOOLCHAIN_VARIABLE) {
        Ok(forced) => forced.parse().and_then(|forced| prepare(forced, crate_dir)),
        Err(_) => prepare_any(crate_dir),
    }
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
pub(super) struct Package {
    dir: PathBuf,
    /// What cargo calls the package, beside others of its name.
    id: String,
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
    /// How sure that is, out of the same.
    confidence: String,
    /// What its types of event are, out of the same.
    types: BTreeMap<String, String>,
    /// How large its stack is, out of the same.
    stack: Stack,
    /// Which features of the SDK it asks for: cargo would give those of all to each that it builds
    /// at once.
    sdk_features: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetadataPackage>,
    target_directory: PathBuf,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct MetadataPackage {
    id: String,
    manifest_path: PathBuf,
    targets: Vec<MetadataTarget>,
    metadata: Option<serde_json::Value>,
    #[serde(default)]
    dependencies: Vec<MetadataDependency>,
}

#[derive(Deserialize)]
struct MetadataDependency {
    name: String,
    /// `dev` or `build`; none for any other.
    kind: Option<String>,
    uses_default_features: bool,
    features: Vec<String>,
}

#[derive(Deserialize)]
struct MetadataTarget {
    name: String,
    crate_types: Vec<String>,
}

impl Package {
    /// Reads the package in a folder. What cargo says of a workspace is kept, because it has more
    /// than one plugin.
    fn read(crate_dir: &Path, workspaces: &mut Vec<Metadata>) -> Result<Self, BuildError> {
        let no_plugin =
            |reason: String| BuildError::NoPlugin { path: crate_dir.to_owned(), reason };
        let dir = crate_dir.canonicalize().map_err(|error| no_plugin(error.to_string()))?;
        let stem = dir
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| no_plugin("the folder has no name".to_owned()))?;
        let manifest = dir.join("Cargo.toml");
        let is_own = |package: &MetadataPackage| package.manifest_path == manifest;
        if !workspaces.iter().any(|metadata| metadata.packages.iter().any(is_own)) {
            workspaces.push(Metadata::read(&dir, no_plugin)?);
        }
        let found = workspaces.iter().find_map(|metadata| {
            Some((metadata, metadata.packages.iter().find(|package| is_own(package))?))
        });
        let (metadata, package) =
            found.ok_or_else(|| no_plugin("its Cargo.toml has no [package]".to_owned()))?;
        let is_plugin = |target: &&MetadataTarget| {
            target.crate_types.iter().any(|crate_type| crate_type == "cdylib")
        };
        let target = package.targets.iter().find(is_plugin).ok_or_else(|| {
            no_plugin("its Cargo.toml has no [lib] with crate-type = [\"cdylib\"]".to_owned())
        })?;
        let unreadable = |error: InvalidStack| {
            no_plugin(format!("`stack` of [package.metadata.hookgate]: {error}"))
        };
        let stack = package.own("stack").map(|stack| stack.parse::<Stack>()).transpose();
        let types = package.metadata.as_ref().and_then(|all| all.pointer("/hookgate/types"));
        let types = types.map(BTreeMap::<String, String>::deserialize).transpose();
        let types = types.map_err(|_| {
            no_plugin("`types` of [package.metadata.hookgate] must be a table of texts".to_owned())
        })?;
        Ok(Self {
            stem: stem.to_owned(),
            id: package.id.clone(),
            file_name: format!("{}.wasm", target.name.replace('-', "_")),
            target_dir: metadata.target_directory.join("plugin-build"),
            lock: metadata.workspace_root.join("Cargo.lock"),
            confirmed: package.own("confirmed").unwrap_or_default(),
            confidence: package.own("confidence").unwrap_or_default(),
            types: types.unwrap_or_default(),
            stack: stack.map_err(unreadable)?.unwrap_or_default(),
            sdk_features: package.sdk_features(),
            dir,
        })
    }

    /// What packages must have in common to be built at once: the workspace, which its lock file
    /// stands for, and how they are linked. The folder that cargo builds into may be that of many.
    fn build_key(&self) -> (&Path, u32, &[String]) {
        (&self.lock, self.stack.bytes(), &self.sdk_features)
    }
}

impl Metadata {
    /// What cargo says of the workspace that a folder is in.
    fn read(dir: &Path, no_plugin: impl Fn(String) -> BuildError) -> Result<Self, BuildError> {
        let output = Command::new("cargo")
            .current_dir(dir)
            .args(["metadata", "--format-version=1", "--no-deps"])
            .output()
            .map_err(|source| BuildError::Run { program: "cargo metadata".to_owned(), source })?;
        if !output.status.success() {
            return Err(no_plugin(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| {
            no_plugin(format!("failed to read what `cargo metadata` printed: {error}"))
        })
    }
}

impl MetadataPackage {
    /// A text of `[package.metadata.hookgate]`.
    fn own(&self, name: &str) -> Option<String> {
        let own = self.metadata.as_ref()?.pointer(&format!("/hookgate/{name}"))?;
        own.as_str().map(ToOwned::to_owned)
    }

    fn sdk_features(&self) -> Vec<String> {
        let sdk = |it: &&MetadataDependency| it.name == about::SDK && it.kind.is_none();
        let mut features = Vec::new();
        for dependency in self.dependencies.iter().filter(sdk) {
            features.extend(dependency.features.iter().cloned());
            features.extend(dependency.uses_default_features.then(|| "default".to_owned()));
        }
        features.sort();
        features
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

/// Builds packages that are linked alike, of one workspace.
fn cargo_build(packages: &[&Package], toolchain: Toolchain) -> Result<(), BuildError> {
    let Some(first) = packages.first() else { return Ok(()) };
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(&first.dir)
        .args(["build", "--release", "--lib", "--target", TARGET])
        .args(packages.iter().flat_map(|package| ["--package", package.id.as_str()]))
        .env("CARGO_TARGET_DIR", &first.target_dir)
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3")
        .env("CARGO_PROFILE_RELEASE_LTO", "true")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
        // The names of functions stay: a trap without a message is reported by them.
        .env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "false")
        .env("CARGO_ENCODED_RUSTFLAGS", rustflags(first).join("\x1f"));
    if toolchain == Toolchain::Distribution {
        let linker = distribution_linker().unwrap_or(DISTRIBUTION_LINKERS[0]);
        cargo
            .arg("-Zbuild-std=std,panic_abort")
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTC", DISTRIBUTION_RUSTC)
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    }
    let number = u32::try_from(packages.len()).unwrap_or(u32::MAX);
    let limit = BUILD_TIME_MAX.saturating_add(PLUGIN_TIME_MAX.saturating_mul(number));
    match subprocess::run(&mut cargo, b"", limit) {
        Ok(Ended { status, .. }) if status.success() => Ok(()),
        Ok(Ended { said, .. }) => Err(BuildError::Cargo(said)),
        Err(ChildError::TooLong) => {
            let seconds = limit.as_secs();
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
