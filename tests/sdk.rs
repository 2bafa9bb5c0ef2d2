//! The SDK as others get it: it stands alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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
