//! Lists the files that `hookgate plugin new` writes, so that the program has them inside: the SDK,
//! and the templates of a handler and a provider.
//!
//! A list is an expression of Rust: pairs of a path and the text of the file. Never changes a text.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What an SDK consists of, without what cargo makes of it.
const SDK: [&str; 4] = ["Cargo.toml", "README.md", "src", "wit"];

fn main() -> io::Result<()> {
    let host = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    list("sdk.rs", &host.join("../plugin-sdk"), &SDK)?;
    for kind in ["handler", "provider"] {
        list(&format!("{kind}.rs"), &host.join("templates").join(kind), &[""])?;
    }
    Ok(())
}

/// Writes the list of all files below these parts of a folder.
fn list(name: &str, folder: &Path, parts: &[&str]) -> io::Result<()> {
    let folder = folder.canonicalize()?;
    let mut files = Vec::new();
    for part in parts {
        let path = folder.join(part);
        println!("cargo::rerun-if-changed={}", path.display());
        find(&path, &mut files)?;
    }
    files.sort();
    let mut list = "&[".to_owned();
    for file in files {
        let path = file.strip_prefix(&folder).map_err(io::Error::other)?;
        list += &format!("({path:?}, include_str!({file:?})),");
    }
    list += "]";
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join(name), list)
}

/// Adds a file, or all files below a folder but hidden ones.
fn find(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in path.read_dir()? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            find(&entry.path(), files)?;
        }
    }
    Ok(())
}
