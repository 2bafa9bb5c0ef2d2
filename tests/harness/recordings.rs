//! Which providers there are, and where requests of theirs are recorded.
//!
//! A provider is whoever has a folder with recordings, so that nothing here names one.

use std::path::{Path, PathBuf};

/// The names of all providers.
pub(crate) fn providers() -> Vec<String> {
    let folders =
        plugins().read_dir().expect("a folder").map(|entry| entry.expect("an entry").path());
    let providers = folders.filter(|folder| folder.join("vectors.json").is_file());
    let name = |folder: PathBuf| folder.file_name().unwrap_or_default().to_string_lossy().into();
    let mut names: Vec<String> = providers.map(name).collect();
    names.sort();
    names
}

/// The files of a provider's recordings: beside it, and in folders that may be given, where those
/// that ask whether an endpoint is ours are in one file for all.
pub(crate) fn recordings(provider: &str) -> Vec<PathBuf> {
    let own = plugins().join(provider);
    let mut files = vec![own.join("vectors.json"), own.join("challenges.json")];
    match std::env::var_os("HOOKGATE_PROVIDER_DATA") {
        Some(folders) => {
            for folder in std::env::split_paths(&folders) {
                files.push(folder.join(format!("vectors/{provider}.json")));
                files.push(folder.join("vectors/challenges.json"));
            }
        }
        None => eprintln!("HOOKGATE_PROVIDER_DATA is not set: only our own recordings were run"),
    }
    files.retain(|file| file.exists());
    files
}

fn plugins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("plugins")
}
