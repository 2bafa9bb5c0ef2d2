//! Gateways that an operator asks from elsewhere, as `profiles.toml` has them: a table for each.
//!
//! Each flaw is found with its place, as in the configuration of a gateway. Holds no token: the
//! file names the file that does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::document::{Entry, Flaws, Table};
use super::{ConfigError, folder_of, parse, read};
use crate::ids::Name;

/// How to reach a gateway from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile {
    /// The URL of its admin port, or its socket: as a person writes it.
    pub(crate) url: String,
    /// The file of the token to send.
    pub(crate) token_file: Option<PathBuf>,
    /// The file of the authorities that count besides those that the system trusts, in PEM.
    pub(crate) ca: Option<PathBuf>,
}

impl Profile {
    /// All of a file, by their names. Paths in it count from its own folder.
    pub(crate) fn load_all(path: &Path) -> Result<BTreeMap<Name, Self>, ConfigError> {
        Self::parse_all(&read(path)?, path)
    }

    fn parse_all(text: &str, path: &Path) -> Result<BTreeMap<Name, Self>, ConfigError> {
        let folder = folder_of(path);
        Ok(parse(text, path, |document, flaws| all(document, folder, flaws))?.0)
    }
}

fn all<'a>(
    document: &'a DeTable<'a>,
    folder: &Path,
    flaws: &'a Flaws,
) -> Option<BTreeMap<Name, Profile>> {
    let tables = Table::whole(document, flaws).named();
    let read = tables.into_iter().map(|(name, table)| (name, table.read(|it| one(it, folder))));
    // Each is read, so that each flaw is found.
    let read: Vec<_> = read.collect();
    read.into_iter().map(|(name, profile)| Some((name, profile?))).collect()
}

fn one(table: &mut Table<'_>, folder: &Path) -> Option<Profile> {
    let url = table.need("url").and_then(|entry| entry.text("a URL such as https://host:8081"));
    let [token_file, ca] = ["token_file", "ca"].map(|key| table.take(key));
    // One that is no path is a flaw: what is read then is not used.
    let path = |entry: Option<Entry<'_>>| Some(folder.join(entry?.path()?));
    Some(Profile { url: url?.to_owned(), token_file: path(token_file), ca: path(ca) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "[live]\nurl = \"https://hooks.example.com:8081\"\n\
                        token_file = \"live.token\"\nca = \"/etc/ca.pem\"\n\n\
                        [here]\nurl = \"unix:/run/hookgate/admin.sock\"\n";

    #[test]
    fn profiles_are_read_by_their_names_with_paths_from_their_folder() {
        let all = Profile::parse_all(FILE, Path::new("/home/me/profiles.toml")).unwrap();
        let of = |name: &str| &all[&name.parse::<Name>().unwrap()];
        let live = of("live");
        assert_eq!(live.url, "https://hooks.example.com:8081");
        assert_eq!(live.token_file, Some("/home/me/live.token".into()));
        assert_eq!(live.ca, Some("/etc/ca.pem".into()));
        assert_eq!(of("here").token_file, None);
    }

    #[test]
    fn what_is_wrong_is_found_all_at_once_with_its_place() {
        let text = "[live]\nurl = 7\ntoken = \"x\"\n[Here]\n[there]\n";
        let error = Profile::parse_all(text, Path::new("p.toml")).unwrap_err().to_string();
        for flaw in [
            "p.toml:2:7: `url` must be a URL such as https://host:8081, not a whole number",
            "p.toml:3:1: unknown key `token`: the keys of [live] are url, token_file, ca",
            "p.toml:4:2: `Here` is not a name",
            "[there] has no `url`",
        ] {
            assert!(error.contains(flaw), "no `{flaw}` in\n{error}");
        }
    }
}
