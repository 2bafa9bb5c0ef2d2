//! `hookgate plugin new`: the crate of a plugin that builds, passes its tests and runs at once.
//!
//! The program has the templates and the SDK inside, so a developer needs neither a clone nor a
//! registry that has the SDK. Never changes a file that exists.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::ids::Name;

/// Paths and texts of files.
type Files = &'static [(&'static str, &'static str)];

const SDK: Files = include!(concat!(env!("OUT_DIR"), "/sdk.rs"));
const HANDLER: Files = include!(concat!(env!("OUT_DIR"), "/handler.rs"));
const PROVIDER: Files = include!(concat!(env!("OUT_DIR"), "/provider.rs"));

/// The folder of the SDK beside the crates that use it.
const SDK_FOLDER: &str = "hookgate-sdk";
/// What the SDK's manifest says only inside its workspace.
const INHERITED: &str = "[lints]\nworkspace = true\n\n";

/// What a plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Kind {
    /// Your own logic on events
    Handler,
    /// How a payment provider signs its requests, and what they mean
    Provider,
}

/// Why the crate was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum NewError {
    /// The crate would have the name of the SDK, or the folder of it.
    #[error("`{0}` is reserved for the SDK: choose another name")]
    Reserved(Name),
    /// Something has its place.
    #[error("`{}` exists already: choose another name, or remove it", .0.display())]
    Exists(PathBuf),
    /// The operator named a folder that has no SDK.
    #[error("`{}` is not the folder of the SDK: it has no Cargo.toml with the package {SDK_FOLDER}",
        .0.display())]
    NoSdk(PathBuf),
    /// Another SDK lies where this one would.
    #[error(
        "`{}` is not the SDK of this gateway: `{file}` differs; keep it with `--sdk {}`, or remove \
         the folder", folder.display(), folder.display()
    )]
    OtherSdk {
        folder: PathBuf,
        /// The first file that differs.
        file: &'static str,
    },
    /// A file could not be written.
    #[error("failed to write `{}`: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// What was written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Created {
    /// The folder of the crate.
    pub(super) folder: PathBuf,
    /// The folder of the SDK, if it was written too.
    pub(super) sdk: Option<PathBuf>,
}

/// Writes a crate into a new folder of `parent`, and the SDK beside it unless another is named.
pub(super) fn new(
    parent: &Path,
    kind: Kind,
    name: &Name,
    sdk: Option<&Path>,
) -> Result<Created, NewError> {
    if matches!(name.as_str(), "sdk" | SDK_FOLDER) {
        return Err(NewError::Reserved(name.clone()));
    }
    let folder = parent.join(name.as_str());
    if folder.exists() {
        return Err(NewError::Exists(folder));
    }
    let (sdk, written) = match sdk {
        Some(sdk) => (named_sdk(parent, sdk)?, None),
        None => (Path::new("..").join(SDK_FOLDER), own_sdk(parent)?),
    };
    let template = match kind {
        Kind::Handler => HANDLER,
        Kind::Provider => PROVIDER,
    };
    // A text of JSON is one of TOML too.
    let sdk = serde_json::Value::from(sdk.to_string_lossy()).to_string();
    let fill = |text: &str| {
        text.replace("{{name}}", name.as_str())
            .replace("{{crate}}", &name.as_str().replace('-', "_"))
            .replace("{{sdk}}", &sdk)
    };
    write(&folder, template, fill)?;
    Ok(Created { folder, sdk: written })
}

/// The path of the SDK that the developer names, as the crate's manifest has it.
fn named_sdk(parent: &Path, sdk: &Path) -> Result<PathBuf, NewError> {
    let manifest = fs::read_to_string(parent.join(sdk).join("Cargo.toml")).unwrap_or_default();
    let is_sdk = |line: &str| line.replace(' ', "") == format!("name=\"{SDK_FOLDER}\"");
    if !manifest.lines().any(is_sdk) {
        return Err(NewError::NoSdk(sdk.to_owned()));
    }
    // The crate lies one folder deeper than where the developer is.
    Ok(Path::new("..").join(sdk))
}

/// Writes the SDK of this program, unless it lies there already; gives its folder if it was
/// written.
fn own_sdk(parent: &Path) -> Result<Option<PathBuf>, NewError> {
    let folder = parent.join(SDK_FOLDER);
    if !folder.exists() {
        write(&folder, SDK, alone)?;
        return Ok(Some(folder));
    }
    let differs = |(path, text): &&(&str, &str)| {
        fs::read_to_string(folder.join(path)).ok() != Some(alone(text))
    };
    match SDK.iter().find(differs) {
        None => Ok(None),
        Some(&(file, _)) => Err(NewError::OtherSdk { folder, file }),
    }
}

/// A file of the SDK as it is outside of its workspace.
fn alone(text: &str) -> String {
    text.replace(INHERITED, "")
}

/// Writes files into a new folder. If one can't be written, none of them stays.
fn write(folder: &Path, files: Files, fill: impl Fn(&str) -> String) -> Result<(), NewError> {
    let failed = |path: PathBuf| |source| NewError::Write { path, source };
    fs::create_dir(folder).map_err(failed(folder.to_owned()))?;
    let written = files.iter().try_for_each(|(path, text)| {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(failed(parent.to_owned()))?;
        fs::write(&path, fill(text)).map_err(failed(path))
    });
    if written.is_err() {
        // The first error is what the developer needs.
        drop(fs::remove_dir_all(folder));
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn a_crate_comes_with_the_sdk_and_the_next_one_shares_it() {
        let parent = tempfile::tempdir().unwrap();

        let first = new(parent.path(), Kind::Provider, &name("late-shop"), None).unwrap();
        let second = new(parent.path(), Kind::Handler, &name("ledger"), None).unwrap();

        assert_eq!(first.folder, parent.path().join("late-shop"));
        assert_eq!(first.sdk, Some(parent.path().join(SDK_FOLDER)));
        assert_eq!(second.sdk, None);
        let read = |path: &str| fs::read_to_string(parent.path().join(path)).unwrap();
        assert!(read("late-shop/src/lib.rs").contains(r#""x-late-shop-signature""#));
        assert!(read("late-shop/tests/plugin.rs").contains("use hookgate_late_shop::Plugin;"));
        assert!(read("ledger/Cargo.toml").contains(r#"{ path = "../hookgate-sdk" }"#));
        assert!(read("hookgate-sdk/wit/world.wit").contains("package hookgate:plugin@"));
        assert!(!read("hookgate-sdk/Cargo.toml").contains("workspace = true"));
        assert!(read("ledger/cases/first.toml").contains("[[expect.alert]]"));
        for path in ["late-shop/vectors.json", "late-shop/Cargo.toml", "ledger/tests/plugin.rs"] {
            assert!(!read(path).contains("{{"), "{path}");
        }
    }

    #[test]
    fn what_exists_is_never_changed() {
        let parent = tempfile::tempdir().unwrap();
        fs::create_dir(parent.path().join("taken")).unwrap();
        fs::create_dir(parent.path().join(SDK_FOLDER)).unwrap();
        let refused = |text: &str, sdk: Option<&Path>| {
            let error = new(parent.path(), Kind::Handler, &name(text), sdk).unwrap_err();
            assert!(!parent.path().join("ledger").exists());
            error.to_string()
        };

        assert!(refused("taken", None).contains("taken` exists already"));
        assert!(refused("sdk", None).starts_with("`sdk` is reserved for the SDK"));
        assert!(refused("hookgate-sdk", None).contains("is reserved"));
        assert!(refused("ledger", None).contains("`Cargo.toml` differs"));
        let none = refused("ledger", Some(Path::new("taken")));
        assert!(none.starts_with("`taken` is not the folder of the SDK"), "{none}");
    }

    #[test]
    fn another_sdk_is_used_where_it_lies() {
        let parent = tempfile::tempdir().unwrap();
        let sdk = parent.path().join("vendor/sdk");
        fs::create_dir_all(&sdk).unwrap();
        fs::write(sdk.join("Cargo.toml"), "[package]\nname = \"hookgate-sdk\"\n").unwrap();
        let named = |sdk: &Path, text: &str| {
            new(parent.path(), Kind::Handler, &name(text), Some(sdk)).unwrap();
            fs::read_to_string(parent.path().join(text).join("Cargo.toml")).unwrap()
        };

        assert!(named(Path::new("vendor/sdk"), "a").contains(r#"{ path = "../vendor/sdk" }"#));
        assert!(named(&sdk, "b").contains(&format!("{{ path = {sdk:?} }}")));
        assert!(!parent.path().join(SDK_FOLDER).exists());
    }
}
